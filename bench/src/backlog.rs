//! Storing a log of a million orders, against what PostgreSQL alone does with the same statement.

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
use crate::report::{Figure, Wanted, median, precise};

/// Of what PostgreSQL does alone, from a Redis stream and from a Kafka topic.
const GOAL_RATIOS: [f64; 2] = [0.7, 0.75];
/// Memory of the node meanwhile.
const GOAL_MB: f64 = 100.0;
const KIB_PER_MB: f64 = 1e6 / 1024.0;
/// Batches of the reference: enough for seconds of work.
const REFERENCE_BATCHES: u64 = 300;
/// Pairs of a drink and a store on the default menu.
const CELLS: usize = 12;
/// How long the log may take.
const LIMIT: Duration = Duration::from_secs(300);
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Measures a version with a log.
pub async fn measure(engine: Engine, rounds: u32, orders: u64, progress: &Progress) -> anyhow::Result<[Figure; 2]> {
    let (mut ratios, mut alone_rates, mut rates, mut peaks_mb) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        progress.say(format!(
            "backlog, {}: round {round} of {rounds}, PostgreSQL alone",
            engine.name()
        ));
        let alone = postgres_alone().await?;
        progress.say(format!(
            "backlog, {}: round {round} of {rounds}, {orders} orders",
            engine.name()
        ));
        let (rate, kib) = drain(engine, orders).await?;
        ratios.push(rate / alone);
        alone_rates.push(alone);
        rates.push(rate);
        peaks_mb.push(precise(kib) / KIB_PER_MB);
    }
    let what = format!("storing a backlog of {orders} / PostgreSQL alone, {}", engine.name());
    let goal = GOAL_RATIOS[usize::from(engine == Engine::Kafka)];
    let storing = Figure::new(what, "", Wanted::AtLeast(goal), &ratios).beside(format!(
        "node {:.0}/s, pgbench with the same statement {:.0}/s (medians)",
        median(&rates),
        median(&alone_rates),
    ));
    let what = format!("most memory of the node meanwhile, {}", engine.name());
    Ok([storing, Figure::new(what, "MB", Wanted::AtMost(GOAL_MB), &peaks_mb)])
}

/// Orders a second from a node's first moment to an empty log, and the most memory that it held.
async fn drain(engine: Engine, orders: u64) -> anyhow::Result<(f64, u64)> {
    let database = Database::create(engine).await?;
    // What PostgreSQL alone had beforehand too.
    database.command(&["migrate"]).await?;
    if engine == Engine::Kafka {
        // The node makes the topic.
        Server::node(&database).await?.stop().await?;
    }
    let filled = database.fill_log(orders).await?;
    let began = Instant::now();
    let node = Server::node_with(&database, &[("COFFEE_RT_V2__BACKLOG_ORDERS", "20000000")]).await?;
    let mut peak_kib = 0;
    loop {
        let left = database.unstored().await?;
        peak_kib = peak_kib.max(node.resident_kib()?);
        if left == 0 {
            break;
        }
        if began.elapsed() > LIMIT {
            bail!("{left} orders are left after {LIMIT:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
    let rate = precise(filled) / began.elapsed().as_secs_f64();
    database.check(filled, 0).await?;
    node.stop().await?;
    database.delete().await?;
    Ok((rate, peak_kib))
}

/// Orders a second that pgbench stores by one connection, with the node's own statement. The batches lie ready in a table,
/// so that pgbench sends a number in place of each.
async fn postgres_alone() -> anyhow::Result<f64> {
    let database = Database::create(Engine::Postgres).await?;
    database.command(&["migrate"]).await?;
    let url = database.url().context("a URL")?;
    let mut conn = PgConnection::connect(&url).await?;
    let shard = lay_ready(&mut conn).await?;
    conn.close().await?;
    let script = database.folder().join("commit.sql");
    std::fs::write(&script, format!("\\set n :n + 1\n{};\n", statement(shard)))?;
    let output = Command::new("pgbench")
        .args(["-n", "-c", "1", "-M", "prepared", "-D", "n=0", "-t"])
        .arg(REFERENCE_BATCHES.to_string())
        .arg("-f")
        .arg(&script)
        .arg(&url)
        .kill_on_drop(true)
        .output()
        .await
        .context("pgbench cannot be started; it comes with PostgreSQL's client programs")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
    database.check(REFERENCE_BATCHES * MAX_BATCH_ORDERS as u64, 0).await?;
    database.delete().await?;
    // "tps = 81.3 (without initial connection time)"
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    Ok(rate.with_context(|| format!("pgbench said: {text}"))? * precise(MAX_BATCH_ORDERS as u64))
}

/// Makes batches of new orders of the present minute, as the node's own would be, and a shard for them.
async fn lay_ready(conn: &mut PgConnection) -> anyhow::Result<i32> {
    let table = "CREATE TABLE batches (n integer PRIMARY KEY, keys uuid[], us bigint[], cents integer[], drinks smallint[],
            stores smallint[], minutes bigint[], cell_stores smallint[], cell_drinks smallint[], orders bigint[],
            amounts bigint[]);
        ALTER TABLE batches ALTER keys SET STORAGE EXTERNAL, ALTER us SET STORAGE EXTERNAL, ALTER cents SET STORAGE EXTERNAL,
            ALTER drinks SET STORAGE EXTERNAL, ALTER stores SET STORAGE EXTERNAL";
    sqlx::raw_sql(table).execute(&mut *conn).await?;
    let now = UtcInstant::now().0;
    // Every pair of a drink and a store of the default menu in turn.
    let places = 0..i64::try_from(MAX_BATCH_ORDERS)?;
    let cents: Vec<i64> = places.clone().map(|n| 250 + n % 300).collect();
    let (drinks, stores): (Vec<i64>, Vec<i64>) = places.map(|n| (1 + n % 3, 1 + n % 4)).unzip();
    let cell = |values: &[i64]| values[..CELLS].to_vec();
    let sums = |value: &dyn Fn(usize) -> i64| -> Vec<i64> {
        let in_cell = |cell: usize| (cell..MAX_BATCH_ORDERS).step_by(CELLS).map(value).sum();
        (0..CELLS).map(in_cell).collect()
    };
    for n in 1..=i32::try_from(REFERENCE_BATCHES)? {
        let mut keys: Vec<_> = (0..MAX_BATCH_ORDERS).map(|_| Uuid::now_v7()).collect();
        keys.sort_unstable();
        let insert = "INSERT INTO batches VALUES ($1, $2, $3, $4::bigint[]::integer[], $5::bigint[]::smallint[],
            $6::bigint[]::smallint[], $7, $8::bigint[]::smallint[], $9::bigint[]::smallint[], $10, $11)";
        sqlx::query(insert)
            .bind(n)
            .bind(keys)
            .bind(vec![now; MAX_BATCH_ORDERS])
            .bind(&cents)
            .bind(&drinks)
            .bind(&stores)
            .bind(vec![now / 60_000_000; CELLS])
            .bind(cell(&stores))
            .bind(cell(&drinks))
            .bind(sums(&|_| 1))
            .bind(sums(&|n| cents[n]))
            .execute(&mut *conn)
            .await?;
    }
    let shard = "INSERT INTO coffee_rt.shards (source, slot, epoch, seq) VALUES ('v2', 0, 1, 0) RETURNING id";
    Ok(sqlx::query_scalar(shard).fetch_one(&mut *conn).await?)
}

/// The node's statement, with a shard and a batch in place of its parameters.
fn statement(shard: i32) -> String {
    const COLUMNS: [&str; 10] = [
        "keys",
        "us",
        "cents",
        "drinks",
        "stores",
        "minutes",
        "cell_stores",
        "cell_drinks",
        "orders",
        "amounts",
    ];
    let argument = |number: usize| match number {
        1 => shard.to_string(),
        2 => "1".to_owned(),
        3..=12 => format!("(SELECT {} FROM batches WHERE n = :n)", COLUMNS[number - 3]),
        // No position moves.
        13 | 14 => "NULL".to_owned(),
        _ => "0".to_owned(),
    };
    let mut pieces = COMMIT_NEW.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|sign: char| sign.is_ascii_digit());
        let number = piece[..piece.len() - rest.len()].parse().unwrap_or(1);
        text = text + &argument(number) + rest;
    }
    text.replace('\n', " ")
}
