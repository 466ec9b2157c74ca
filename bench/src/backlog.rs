//! Storing a stream of a million orders, against what PostgreSQL alone does with the same statement.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use coffee_rt::adapters::postgres::COMMIT_NEW;
use coffee_rt_actors::batcher::MAX_BATCH_ORDERS;
use coffee_rt_actors::domain::Instant as UtcInstant;
use sqlx::{Connection, PgConnection};
use tokio::process::Command;
use uuid::Uuid;

use crate::database::{Database, Engine};
use crate::node::Server;
use crate::progress::Progress;
use crate::report::{Figure, Wanted, median};

/// Of what PostgreSQL does alone.
const GOAL_RATIO: f64 = 0.7;
/// Batches of the reference: enough for seconds of work.
const REFERENCE_BATCHES: u64 = 300;
/// How long the stream may take.
const LIMIT: Duration = Duration::from_secs(300);
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Measures v2.
pub async fn measure(rounds: u32, orders: u64, progress: &Progress) -> anyhow::Result<Figure> {
    let (mut ratios, mut alone_rates, mut rates, mut peak_kib) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 1..=rounds {
        progress.say(format!("backlog, redis: round {round} of {rounds}, PostgreSQL alone"));
        let alone = postgres_alone().await?;
        progress.say(format!("backlog, redis: round {round} of {rounds}, {orders} orders"));
        let (rate, kib) = drain(orders).await?;
        ratios.push(rate / alone);
        alone_rates.push(alone);
        rates.push(rate);
        peak_kib = peak_kib.max(kib);
    }
    let what = format!("storing a backlog of {orders} / PostgreSQL alone");
    Ok(
        Figure::new(what, "", Wanted::AtLeast(GOAL_RATIO), &ratios).beside(format!(
            "node {:.0}/s, pgbench with the same statement {:.0}/s (medians); node's memory at most {} MB",
            median(&rates),
            median(&alone_rates),
            peak_kib / 1024
        )),
    )
}

/// Orders a second from a node's first moment to an empty stream, and the most memory that it held.
async fn drain(orders: u64) -> anyhow::Result<(f64, u64)> {
    let database = Database::create(Engine::Redis).await?;
    // What PostgreSQL alone had beforehand too.
    database.command(&["migrate"]).await?;
    let stream = database.stream().context("a stream")?;
    stream.fill(orders)?;
    let filled = stream.length()?;
    let began = Instant::now();
    let node = Server::node_with(&database, &[("COFFEE_RT_V2__BACKLOG_ORDERS", "20000000")]).await?;
    let mut peak_kib = 0;
    while stream.length()? > 0 {
        peak_kib = peak_kib.max(node.resident_kib()?);
        if began.elapsed() > LIMIT {
            bail!("{} orders are left after {LIMIT:?}", stream.length()?);
        }
        tokio::time::sleep(LOOK).await;
    }
    let rate = precise(filled) / began.elapsed().as_secs_f64();
    database.check(filled, 0).await?;
    node.stop().await?;
    database.delete().await?;
    Ok((rate, peak_kib))
}

/// Orders a second that pgbench stores by one connection.
async fn postgres_alone() -> anyhow::Result<f64> {
    let database = Database::create(Engine::Postgres).await?;
    database.command(&["migrate"]).await?;
    let url = database.url().context("a URL")?;
    let mut conn = PgConnection::connect(&url).await?;
    let sql = "INSERT INTO coffee_rt.shards (source, slot, epoch, seq) VALUES ('v2', 0, 1, 0) RETURNING id";
    let shard: i32 = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
    conn.close().await?;
    let script = database.folder().join("commits.sql");
    std::fs::write(
        &script,
        (0..REFERENCE_BATCHES).map(|_| statement(shard)).collect::<String>(),
    )?;
    let began = Instant::now();
    let output = Command::new("pgbench")
        .args(["-n", "-c", "1", "-t", "1", "-M", "simple", "-f"])
        .arg(&script)
        .arg(&url)
        .kill_on_drop(true)
        .output()
        .await
        .context("pgbench cannot be started; it comes with PostgreSQL's client programs")?;
    if !output.status.success() {
        bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
    }
    let took = began.elapsed();
    let orders = REFERENCE_BATCHES * MAX_BATCH_ORDERS as u64;
    database.check(orders, 0).await?;
    database.delete().await?;
    Ok(precise(orders) / took.as_secs_f64())
}

/// The node's own statement with a full batch of new orders in it, on one line.
fn statement(shard: i32) -> String {
    let now = UtcInstant::now().0;
    let mut keys: Vec<_> = (0..MAX_BATCH_ORDERS).map(|_| Uuid::now_v7()).collect();
    keys.sort_unstable();
    let each = |value: &dyn Fn(usize) -> i64| {
        let values: Vec<_> = (0..MAX_BATCH_ORDERS).map(|n| value(n).to_string()).collect();
        format!("'{{{}}}'", values.join(","))
    };
    let cells = MAX_BATCH_ORDERS.min(12);
    let sum = |value: &dyn Fn(usize) -> i64| {
        let sums = (0..cells).map(|cell| (cell..MAX_BATCH_ORDERS).step_by(cells).map(value).sum::<i64>());
        format!(
            "'{{{}}}'",
            sums.map(|sum| sum.to_string()).collect::<Vec<_>>().join(",")
        )
    };
    let cell = |value: &dyn Fn(usize) -> i64| {
        let values: Vec<_> = (0..cells).map(|cell| value(cell).to_string()).collect();
        format!("'{{{}}}'", values.join(","))
    };
    let cents = |n: usize| 250 + i64::try_from(n % 300).unwrap_or_default();
    // The default menu's pairs of a drink and a store in turn, as the node's orders have them.
    let (drink, store) = (|n: usize| 1 + (n % 3) as i64, |n: usize| 1 + (n % 4) as i64);
    let keys: Vec<_> = keys.iter().map(Uuid::to_string).collect();
    let mut arguments = vec![shard.to_string(), "1".to_owned(), format!("'{{{}}}'", keys.join(","))];
    arguments.extend([each(&|_| now), each(&cents), each(&drink), each(&store)]);
    arguments.extend([cell(&|_| now / 60_000_000), cell(&store), cell(&drink)]);
    arguments.extend([sum(&|_| 1), sum(&cents)]);
    let mut text = String::with_capacity(COMMIT_NEW.len() + 64 * MAX_BATCH_ORDERS);
    let mut rest = COMMIT_NEW;
    while let Some((before, after)) = rest.split_once('$') {
        let digits = after.len() - after.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
        let number: usize = after[..digits].parse().unwrap_or(1);
        let _ = write!(text, "{before}{}", arguments[number - 1]);
        rest = &after[digits..];
    }
    text.push_str(rest);
    text.replace('\n', " ") + ";\n"
}

#[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
fn precise(number: u64) -> f64 {
    number as f64
}
