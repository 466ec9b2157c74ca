//! From start to ready, and idle memory, with millions of stored orders and with none.

use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::time::sleep;

use crate::database::{Database, Engine};
use crate::http::DashboardSocket;
use crate::node::Server;
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median, millis};

/// Rollups are read, not rows.
const GOAL_READY_MS: f64 = 1_000.0;
/// Idle.
const GOAL_MEMORY_MB: f64 = 30.0;
/// Before memory is looked at.
const IDLE: Duration = Duration::from_secs(2);

/// What the starts on one database took.
#[derive(Default)]
struct Starts {
    ready_ms: Vec<f64>,
    shown_ms: Vec<f64>,
    memory_mb: Vec<f64>,
}

/// Measures an engine: starts on a full and on an empty database in turn.
pub async fn measure(engine: Engine, orders: u64, rounds: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let (full, empty) = (Database::create(engine).await?, Database::create(engine).await?);
    progress.say(format!("startup, {}: storing {orders} orders", engine.name()));
    full.command(&["migrate"]).await?;
    coffee_rt::scenario::fill(full.url().as_deref(), &full.file(), orders).await?;
    progress.say(format!("startup, {}: recounting them", engine.name()));
    full.check(orders, 0).await?;
    let (mut on_full, mut on_empty) = (Starts::default(), Starts::default());
    for round in 1..=rounds {
        progress.say(format!("startup, {}: round {round} of {rounds}", engine.name()));
        on_full.start(&full, orders).await?;
        on_empty.start(&empty, 0).await?;
    }
    full.delete().await?;
    empty.delete().await?;
    let (name, millions) = (engine.name(), orders / 1_000_000);
    Ok(vec![
        Figure::new(
            format!("start → first frame, {millions} million orders, {name}"),
            "ms",
            Wanted::AtMost(GOAL_READY_MS),
            &on_full.shown_ms,
        )
        .beside(format!(
            "readyz after {:.0} ms; without orders: frame {:.0} ms, readyz {:.0} ms; files in the page cache",
            median(&on_full.ready_ms),
            median(&on_empty.shown_ms),
            median(&on_empty.ready_ms)
        )),
        Figure::new(
            format!("idle memory, {millions} million orders, {name}"),
            "MB",
            Wanted::AtMost(GOAL_MEMORY_MB),
            &on_full.memory_mb,
        ),
        Figure::new(
            format!("idle memory, no orders, {name}"),
            "MB",
            Wanted::AtMost(GOAL_MEMORY_MB),
            &on_empty.memory_mb,
        ),
    ])
}

impl Starts {
    async fn start(&mut self, database: &Database, orders: u64) -> anyhow::Result<()> {
        let began = Instant::now();
        let node = Server::node(database).await?;
        let mut socket = DashboardSocket::open(node.address).await?;
        let total = socket.next_total().await?;
        if total != orders {
            bail!("the first frame includes {total} orders instead of {orders}");
        }
        self.ready_ms.push(millis(node.ready_after));
        self.shown_ms.push(millis(began.elapsed()));
        drop(socket);
        sleep(IDLE).await;
        self.memory_mb
            .push(f64::from(u32::try_from(node.resident_kib()?)?) / 1_024.0);
        node.stop().await
    }
}
