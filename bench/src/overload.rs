//! How fast orders are refused while five times as many are sent as may be under way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::JoinSet;

use crate::database::{Database, Engine};
use crate::http::{Connection, order_request};
use crate::node::Server;
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median, percentile_ms};

/// For 99 of 100 refusals.
const GOAL_P99_MS: f64 = 50.0;
/// Orders that may be under way in this node.
const CREDIT_ORDERS: usize = 51;
/// Customers who send the next order as soon as the last is answered.
const CUSTOMERS: usize = 5 * CREDIT_ORDERS;
const STORED: u16 = 200;
const REFUSED: u16 = 503;

/// What customers saw.
#[derive(Default)]
struct Answers {
    stored: u64,
    refusals: Vec<Duration>,
}

/// Measures an engine.
pub async fn measure(engine: Engine, rounds: u32, duration: Duration, progress: &Progress) -> anyhow::Result<Figure> {
    let database = Database::create(engine).await?;
    let credit = CREDIT_ORDERS.to_string();
    let node = Server::node_with(&database, &[("COFFEE_RT_LIMITS__CREDIT_ORDERS", &credit)]).await?;
    let (mut p99s, mut p50s, mut stored, mut refused) = (Vec::new(), Vec::new(), 0, 0);
    let (mut worst, before, mut peak_kib) = (0.0_f64, node.resident_kib()?, 0);
    for round in 1..=rounds {
        progress.say(format!("overload, {}: round {round} of {rounds}", engine.name()));
        let mut answers = crowd(node.address, duration).await?;
        if answers.refusals.is_empty() {
            bail!("nothing was refused: no overload");
        }
        stored += answers.stored;
        refused += answers.refusals.len();
        p99s.push(percentile_ms(&mut answers.refusals, 99));
        p50s.push(percentile_ms(&mut answers.refusals, 50));
        worst = worst.max(percentile_ms(&mut answers.refusals, 100));
        peak_kib = peak_kib.max(node.resident_kib()?);
    }
    node.stop().await?;
    // Who is refused is not stored: exactly the acknowledged orders are there.
    database.check(stored, 0).await?;
    database.delete().await?;
    let what = format!(
        "refusal at 5 x the orders that may be under way, p99, {}",
        engine.name()
    );
    let remark = format!(
        "{stored} stored, {refused} refused; p50 {:.1} ms, worst {worst:.1} ms; memory {} MB, then at most {} MB",
        median(&p50s),
        before / 1024,
        peak_kib / 1024
    );
    Ok(Figure::new(what, "ms", Wanted::AtMost(GOAL_P99_MS), &p99s).beside(remark))
}

async fn crowd(address: SocketAddr, duration: Duration) -> anyhow::Result<Answers> {
    let mut connections = Vec::with_capacity(CUSTOMERS);
    for _ in 0..CUSTOMERS {
        connections.push(Connection::open(address).await?);
    }
    let until = Instant::now() + duration;
    let mut customers = JoinSet::new();
    for connection in connections {
        customers.spawn(customer(connection, until));
    }
    let mut all = Answers::default();
    for answers in customers.join_all().await {
        let answers = answers?;
        all.stored += answers.stored;
        all.refusals.extend(answers.refusals);
    }
    Ok(all)
}

async fn customer(mut connection: Connection, until: Instant) -> anyhow::Result<Answers> {
    let mut answers = Answers::default();
    while Instant::now() < until {
        let sent = Instant::now();
        let answer = connection.exchange(&order_request(Engine::V1_PATH)).await?;
        match answer.status {
            STORED => answers.stored += 1,
            REFUSED => answers.refusals.push(sent.elapsed()),
            other => bail!(
                "an order was answered {other}: {}",
                String::from_utf8_lossy(&answer.body)
            ),
        }
    }
    Ok(answers)
}
