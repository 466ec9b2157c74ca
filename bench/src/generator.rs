//! What the load driver itself can do, so that a slow one is not taken for a slow node.

use std::time::Duration;

use anyhow::ensure;
use coffee_rt::load::{Arrivals, Driver, Options, Pace, Report};

use crate::node::Server;
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median};

/// Orders each second that it must reach while the bare route answers them on the same processors.
const GOAL_PER_SECOND: f64 = 20_000.0;
const CONNECTIONS: usize = 256;

/// Measures it against the bare route: as fast as answers come, and then at the goal's rate, where its own lateness shows.
pub async fn measure(rounds: u32, duration: Duration, progress: &Progress) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    let reference = Server::reference(folder.path()).await?;
    let (mut rates, mut late, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        progress.say(format!("load driver: round {round} of {rounds}"));
        rates.push(drive(&reference, Pace::Closed, duration).await?.achieved_per_second);
        let open = Pace::Open {
            rate_per_second: GOAL_PER_SECOND,
            arrivals: Arrivals::Constant,
        };
        let report = drive(&reference, open, duration).await?;
        late.push(report.start_delay.p99_ms);
        kept.push(report.achieved_per_second);
    }
    reference.stop().await?;
    let remark = format!(
        "asked for {GOAL_PER_SECOND:.0}/s it sends {:.0}/s, 99 of 100 within {:.2} ms of their time",
        median(&kept),
        median(&late)
    );
    let what = "orders/s of the load driver against the bare route";
    Ok(Figure::new(what, "/s", Wanted::AtLeast(GOAL_PER_SECOND), &rates).beside(remark))
}

async fn drive(reference: &Server, pace: Pace, duration: Duration) -> anyhow::Result<Report> {
    let mut options = Options::new(format!("http://{}", reference.address).parse()?);
    options.pace = pace;
    options.duration = Some(duration);
    options.connections = CONNECTIONS;
    // Who waits between a request's head and its body says nothing of the driver.
    options.profiles.retain(|(profile, _)| profile.pause_millis == (0, 0));
    let report = Driver::new(options)?.run().await.report;
    let counts = report.counts;
    ensure!(
        counts.acknowledged == counts.sent,
        "of {} orders {} were answered",
        counts.sent,
        counts.acknowledged
    );
    Ok(report)
}
