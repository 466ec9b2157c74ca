//! From the kill of a batcher to the next acknowledged order on its shard.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::time::sleep;

use crate::database::{Database, Engine};
use crate::http::{Connection, post_request};
use crate::node::Server;
use crate::pacer::{Acknowledged, Pacer};
use crate::progress::Progress;
use crate::report::{Figure, Wanted, percentile_ms};

/// For 99 of 100 kills.
const GOAL_P99_MS: f64 = 50.0;
/// How often it is killed.
const KILLS: u32 = 200;
/// Between two kills.
const KILL_INTERVAL: Duration = Duration::from_millis(200);
/// Orders meanwhile.
const RATE_PER_SECOND: f64 = 1_000.0;
/// The only batcher, so every order is on its shard.
const KILL_PATH: &str = "/api/actors/v1/batcher-0/kill";

/// The times just before a request was sent and just after its answer.
type Asked = (Instant, Instant);

/// Measures an engine. Between kills, as many requests that kill nobody show what the node does unharmed.
pub async fn measure(engine: Engine, progress: &Progress) -> anyhow::Result<Figure> {
    let database = Database::create(engine).await?;
    let node = Server::node(&database).await?;
    let mut operator = Connection::open(node.address).await?;
    let pacer = Pacer::start(node.address, engine.order_path(), RATE_PER_SECOND).await?;
    sleep(KILL_INTERVAL).await;
    let (mut kills, mut calm) = (Vec::new(), Vec::new());
    for kill in 1..=KILLS {
        progress.say(format!("recovery, {}: kill {kill} of {KILLS}", engine.name()));
        calm.push(ask(&mut operator, "/api/actors/v1/nobody/kill", 404).await?);
        sleep(KILL_INTERVAL / 2).await;
        kills.push(ask(&mut operator, KILL_PATH, 202).await?);
        sleep(KILL_INTERVAL / 2).await;
    }
    sleep(KILL_INTERVAL).await;
    let orders = pacer.finish().await?;
    node.stop().await?;
    database.check(orders.len() as u64, 0).await?;
    database.delete().await?;
    let (mut waits, mut calm) = (waits(&orders, &kills)?, waits(&orders, &calm)?);
    let what = format!("batcher killed → next order acknowledged, p99, {}", engine.name());
    let p99 = percentile_ms(&mut waits, 99);
    let remark = format!(
        "{KILLS} kills at {RATE_PER_SECOND} orders/s: p50 {:.1} ms, worst {:.1} ms; without a kill p50 {:.1} ms, p99 {:.1} ms; \
         all {} orders acknowledged at the first attempt and stored once",
        percentile_ms(&mut waits, 50),
        percentile_ms(&mut waits, 100),
        percentile_ms(&mut calm, 50),
        percentile_ms(&mut calm, 99),
        orders.len()
    );
    Ok(Figure::new(what, "ms", Wanted::AtMost(GOAL_P99_MS), &[p99]).beside(remark))
}

async fn ask(operator: &mut Connection, path: &str, expected: u16) -> anyhow::Result<Asked> {
    let before = Instant::now();
    let answer = operator.exchange(&post_request(path, "{}")).await?;
    if answer.status != expected {
        bail!("{path} was answered {}", answer.status);
    }
    Ok((before, Instant::now()))
}

/// For each request: from before it was sent to the first acknowledgement of an order sent after its answer.
fn waits(orders: &[Acknowledged], requests: &[Asked]) -> anyhow::Result<Vec<Duration>> {
    let wait = |(before, after): &Asked| {
        // Sorted by acknowledgement.
        let next = orders.iter().find(|order| order.sent >= *after)?;
        Some(next.acknowledged - *before)
    };
    requests
        .iter()
        .map(|request| wait(request).context("no order after a kill"))
        .collect()
}
