//! From an order's acknowledgement to the first WebSocket frame that includes it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use uuid::Uuid;

use crate::database::{Database, Engine};
use crate::http::DashboardSocket;
use crate::node::Server;
use crate::pacer::{Acknowledged, Pacer};
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median, percentile_ms};

/// For 99 of 100 orders.
const GOAL_P99_MS: f64 = 50.0;
/// The same through Kafka.
const KAFKA_GOAL_P99_MS: f64 = 100.0;
/// How long the last order's frame may take.
const LAST_FRAME_LIMIT: Duration = Duration::from_secs(5);

/// When a frame came and how many orders it includes.
type Arrival = (Instant, u64);

/// Where the socket is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// On the node that takes the orders.
    Here,
    /// On another node of the same stream and store.
    Elsewhere,
}

/// Measures an engine at a rate.
pub async fn measure(
    engine: Engine,
    viewer: Viewer,
    rate_per_second: f64,
    rounds: u32,
    duration: Duration,
    progress: &Progress,
) -> anyhow::Result<Figure> {
    let database = Database::create(engine).await?;
    let node = Server::node(&database).await?;
    let other = match viewer {
        Viewer::Here => None,
        Viewer::Elsewhere => Some(Server::node(&database).await?),
    };
    let mut socket = DashboardSocket::open(other.as_ref().unwrap_or(&node).address).await?;
    let (mut p99s, mut p50s, mut worst, mut stored, mut rates) = (Vec::new(), Vec::new(), 0.0_f64, 0, Vec::new());
    for round in 1..=rounds {
        progress.say(format!("freshness, {}: round {round} of {rounds}", engine.name()));
        let pacer = Pacer::start(node.address, engine.order_path(), rate_per_second).await?;
        let began = Instant::now();
        let mut frames = Vec::new();
        listen(&mut socket, &mut frames, began + duration, None).await?;
        let finishing = tokio::spawn(pacer.finish());
        // A moment more of frames, until the last order is shown.
        listen(
            &mut socket,
            &mut frames,
            Instant::now() + Duration::from_millis(500),
            None,
        )
        .await?;
        let orders = finishing.await??;
        stored += orders.len() as u64;
        listen(
            &mut socket,
            &mut frames,
            Instant::now() + LAST_FRAME_LIMIT,
            Some(stored),
        )
        .await?;
        rates.push(f64::from(u32::try_from(orders.len())?) / duration.as_secs_f64());
        let ids = if orders.iter().all(|order| order.placed.id.is_some()) {
            HashMap::new()
        } else {
            database.ids().await?
        };
        let mut waits = waits(&orders, &ids, &frames).context("an acknowledged order is in no frame")?;
        p99s.push(percentile_ms(&mut waits, 99));
        p50s.push(percentile_ms(&mut waits, 50));
        worst = worst.max(percentile_ms(&mut waits, 100));
    }
    database.check(stored, 0).await?;
    node.stop().await?;
    if let Some(other) = other {
        other.stop().await?;
    }
    database.delete().await?;
    let place = if viewer == Viewer::Here { "" } else { " of another node" };
    let what = format!("acknowledged → in a WebSocket frame{place}, p99, {}", engine.name());
    let remark = format!(
        "at {:.0} orders/s (asked for {rate_per_second:.0}); p50 {:.1} ms, worst {worst:.1} ms; {stored} orders",
        median(&rates),
        median(&p50s)
    );
    let goal = if engine == Engine::Kafka {
        KAFKA_GOAL_P99_MS
    } else {
        GOAL_P99_MS
    };
    Ok(Figure::new(what, "ms", Wanted::AtMost(goal), &p99s).beside(remark))
}

/// Collects frames until a time, or until one includes so many orders.
async fn listen(
    socket: &mut DashboardSocket,
    frames: &mut Vec<Arrival>,
    until: Instant,
    wanted: Option<u64>,
) -> anyhow::Result<()> {
    let reached = |frames: &[Arrival]| wanted.is_some_and(|wanted| frames.last().is_some_and(|last| last.1 >= wanted));
    while !reached(frames) {
        match tokio::time::timeout_at(until.into(), socket.next_total()).await {
            Ok(total) => frames.push((Instant::now(), total?)),
            Err(_) => break,
        }
    }
    Ok(())
}

/// How long each order waited for its frame; zero where the frame came first. In a database that had no other orders an
/// order's id is the number of orders that a frame must include; where several partitions are stored at once it is so to
/// within a batch.
fn waits(orders: &[Acknowledged], ids: &HashMap<Uuid, u64>, frames: &[Arrival]) -> Option<Vec<Duration>> {
    let wait = |order: &Acknowledged| {
        let id = order.placed.id.or_else(|| ids.get(&order.placed.message_id).copied())?;
        let first = frames.partition_point(|(_, total)| *total < id);
        let (at, _) = frames.get(first)?;
        Some(at.saturating_duration_since(order.acknowledged))
    };
    orders.iter().map(wait).collect()
}
