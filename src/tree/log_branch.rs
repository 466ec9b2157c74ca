//! What every version with a log has around those who store what is in it.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::appender::{Appender, AppenderArgs};
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::follower::{Follower, FollowerArgs};
use coffee_rt_actors::ingest::{Ingest, IngestArgs};
use coffee_rt_actors::log_watch::{LogHealth, LogWatch, LogWatchArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::OrderLog;
use coffee_rt_actors::reader::ReaderMsg;
use coffee_rt_actors::supervision::{ChildSpec, RestartPolicy, Slot, Strategy, SupervisorSpec};
use coffee_rt_actors::telemetry::{LogProduct, Telemetry};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What the branch of a version with a log is made of.
pub(super) struct LogBranch {
    /// The version's name.
    pub(super) source: &'static str,
    /// What the log is of.
    pub(super) product: LogProduct,
    /// Where orders are safe.
    pub(super) log: Arc<dyn OrderLog>,
    /// Readers that the log watch tells what concerns them.
    pub(super) readers: Arc<[Slot<ReaderMsg>]>,
    /// Those who store what is in the log.
    pub(super) storing: Vec<ChildSpec>,
    /// Who follows the job that may store in their place, where there can be one.
    pub(super) follower: Option<FollowerArgs>,
    /// How many orders may be under way to the log.
    pub(super) credit_orders: usize,
    /// How long an order may take.
    pub(super) order_deadline: Duration,
    /// Where those run whom customers wait for.
    pub(super) lane: Handle,
}

/// The branch, the desk where its orders are handed in, and how its log is.
pub(super) fn log_branch(
    parts: LogBranch,
    telemetry: &Telemetry,
) -> (SupervisorSpec, OrderDesk, watch::Receiver<LogHealth>) {
    let (credit, ingest, appender) = (Credit::new(parts.credit_orders), Slot::default(), Slot::default());
    let health = Arc::new(watch::Sender::new(LogHealth::Unknown));
    let shown = health.subscribe();

    let watching = LogWatchArgs {
        log: parts.log.clone(),
        readers: parts.readers,
        health,
        metrics: telemetry.log(parts.source, parts.product),
    };
    let appending = AppenderArgs {
        log: parts.log,
        metrics: telemetry.appends(parts.source),
    };
    let routing = IngestArgs {
        takers: Arc::from([appender.clone()]),
    };
    let follower = parts.follower.into_iter();
    let mut children: Vec<_> = follower
        .map(|following| ChildSpec::worker::<Follower>("follower", following, Slot::default()))
        .collect();
    children.push(ChildSpec::worker::<LogWatch>("log-watch", watching, Slot::default()));
    children.extend(parts.storing);
    children.push(ChildSpec::worker::<Appender>("appender", appending, appender).on(parts.lane));
    children.push(ChildSpec::worker::<Ingest<_>>("ingest", routing, ingest.clone()).with_load(credit.probe()));

    let spec = SupervisorSpec {
        strategy: Strategy::OneForOne,
        policy: RestartPolicy::default(),
        children,
    };
    let desk = OrderDesk {
        credit,
        ingest,
        deadline: parts.order_deadline,
    };
    (spec, desk, shown)
}
