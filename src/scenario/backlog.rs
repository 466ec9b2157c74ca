//! A topic that is full when the nodes start: how fast it is stored, and what that takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::fingerprint::fingerprint;
use super::outcome::{Check, ProcessOutcome};
use super::processes::Watch;
use super::records::{Mixture, Records};
use super::world::World;
use crate::adapters::kafka::{make_job_topics, write_records};
use crate::config::Config;
use crate::stores;

/// As thresholds name it.
pub(super) const NAME: &str = "backlog";
/// The most records.
pub(super) const MAX_RECORDS: u64 = 5_000_000;
/// How long nothing may be stored: a cluster of Flink needs half a minute until it stores the first order.
const STALL_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take until all of it is stored.
const DRAIN_LIMIT: Duration = Duration::from_secs(1_800);
/// How often it is looked how many are stored, and what the processes use.
const STORED_POLL: Duration = Duration::from_millis(50);
const USE_POLL: Duration = Duration::from_millis(250);

const STORED: &str = "SELECT coalesce(sum(orders), 0)::bigint FROM coffee_rt.shard_totals";

/// What is in the topic when the nodes start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Backlog {
    pub(super) records: u64,
    pub(super) mixture: Mixture,
}

/// How it was stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacklogOutcome {
    /// In the topic.
    pub records: u64,
    /// Orders among them that differ from each other: as many are to be stored.
    pub orders: u64,
    /// So many were, when nothing was left of the topic.
    pub stored: u64,
    /// From the nodes' start to the first of them.
    pub first_after_seconds: f64,
    /// From the nodes' start to the last of them.
    pub last_after_seconds: f64,
    /// Between the two; none where they are as good as one moment.
    pub orders_per_second: Option<f64>,
    /// What was used from the nodes' start to the last of them.
    pub processes: Vec<ProcessOutcome>,
    /// A hash of all orders and of all that is counted of them, the same whoever stored them.
    pub tables: String,
}

/// How far a backlog is, for who waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage(Arc<Mutex<Option<String>>>);

impl Stage {
    pub(super) fn told(&self) -> Option<String> {
        self.0.lock().clone()
    }

    fn tell(&self, what: &str, done: u64, all: u64) {
        *self.0.lock() = Some(format!("{what} {done} of {all}"));
    }

    fn over(&self) {
        *self.0.lock() = None;
    }
}

impl Backlog {
    /// Makes the topic and fills it. Says how many orders it has.
    pub(super) async fn write(&self, config: &Config, seed: u64, stage: &Stage) -> Result<u64, String> {
        let client = stores::kafka_client(config).map_err(|error| error.to_string())?;
        let client = client.ok_or("a backlog needs a topic")?;
        let told = |error| format!("the backlog cannot be written: {error}");
        make_job_topics(&client, config.v3.partitions).await.map_err(told)?;
        let mut records = Records::mixed(seed, self.records, self.mixture, &config.menu);
        let tell = |written| stage.tell("records written:", written, self.records);
        let written = write_records(&client, records.by_ref(), tell).await;
        written.map_err(told)?;
        Ok(records.orders())
    }

    /// Waits until nodes that were started just now have stored that many orders.
    pub(super) async fn drained(&self, world: &World, orders: u64, stage: &Stage) -> Result<BacklogOutcome, String> {
        let url = world.settings.database_url.as_ref().ok_or("a backlog needs postgres")?;
        let (url, started, end) = (url.reveal(), Instant::now(), CancellationToken::new());
        let using = async {
            let mut watch = Watch::of(world.processes());
            while !end.is_cancelled() {
                watch.look(world.processes(), started).await;
                tokio::select! {
                    () = tokio::time::sleep(USE_POLL) => {}
                    () = end.cancelled() => {}
                }
            }
            watch.look(world.processes(), started).await;
            watch.outcomes()
        };
        let storing = async {
            let _end = end.clone().drop_guard();
            until_stored(url, orders, started, stage).await
        };
        let (stored, processes) = tokio::join!(storing, using);
        stage.over();
        let [first, last] = stored?;
        let between = last.at.checked_sub(first.at).filter(|between| *between > STORED_POLL);
        Ok(BacklogOutcome {
            records: self.records,
            orders,
            stored: last.stored,
            first_after_seconds: first.at.as_secs_f64(),
            last_after_seconds: last.at.as_secs_f64(),
            orders_per_second: between.map(|between| (last.stored - first.stored) as f64 / between.as_secs_f64()),
            // Nobody plots them.
            processes: processes
                .into_iter()
                .map(|process| ProcessOutcome {
                    moments: Vec::new(),
                    ..process
                })
                .collect(),
            tables: String::new(),
        })
    }
}

/// How many orders are stored at a moment, from the nodes' start.
#[derive(Clone, Copy)]
struct Look {
    at: Duration,
    stored: u64,
}

impl BacklogOutcome {
    /// The same when nothing is left of the topic, with what was stored then: what came after the last order may have been
    /// taken for one.
    pub(super) async fn at_rest(mut self, database_url: &str, stored: usize) -> Result<Self, String> {
        self.stored = stored as u64;
        let tables = fingerprint(database_url).await.map_err(|error| error.to_string())?;
        self.tables = tables.unwrap_or_default();
        Ok(self)
    }

    /// The promise that it is stored once.
    pub(super) fn check(&self) -> Check {
        let more = format!("{} orders are stored of {}", self.stored, self.orders);
        let found = (self.stored != self.orders).then_some(more);
        Check::new("each order of the backlog is stored once", found.into_iter().collect())
    }

    /// Seconds that the processes for which it is true were busy for a million orders.
    #[must_use]
    pub fn cpu_seconds_per_million(&self, of: impl Fn(&str) -> bool) -> f64 {
        let used = self.processes.iter().filter(|process| of(&process.name));
        used.map(|process| process.cpu_seconds).sum::<f64>() * 1e6 / (self.orders as f64).max(1.0)
    }

    /// The most memory of each, together.
    #[must_use]
    pub fn peak_memory_bytes(&self, of: impl Fn(&str) -> bool) -> u64 {
        let used = self.processes.iter().filter(|process| of(&process.name));
        used.map(|process| process.peak_memory_bytes).sum()
    }
}

/// The first look that saw an order, and the one that saw all of them.
async fn until_stored(url: &str, orders: u64, started: Instant, stage: &Stage) -> Result<[Look; 2], String> {
    let told = |error: sqlx::Error| format!("it cannot be seen how much of the backlog is stored: {error}");
    let mut conn = in_time(PgConnection::connect(url)).await?.map_err(told)?;
    let (mut first, mut last, mut changed) = (None, 0, Instant::now());
    loop {
        let stored = in_time(stored_orders(&mut conn)).await?.map_err(told)?;
        let look = Look {
            at: started.elapsed(),
            stored,
        };
        if look.stored > 0 {
            first.get_or_insert(look);
        }
        if look.stored != last {
            (last, changed) = (look.stored, Instant::now());
        }
        if look.stored >= orders {
            conn.close().await.map_err(told)?;
            return Ok([first.unwrap_or(look), look]);
        }
        if changed.elapsed() > STALL_LIMIT || look.at > DRAIN_LIMIT {
            return Err(format!(
                "{last} of {orders} orders of the backlog are stored after {:.0?}, and no more for {:.0?}",
                look.at,
                changed.elapsed()
            ));
        }
        stage.tell("orders stored of the backlog:", last, orders);
        tokio::time::sleep(STORED_POLL).await;
    }
}

/// Orders that a PostgreSQL has counted: cheap enough to be asked for again and again.
///
/// # Errors
/// Where the database does not answer.
pub async fn stored_orders(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let stored: i64 = sqlx::query_scalar(STORED).fetch_one(conn).await?;
    Ok(u64::try_from(stored).unwrap_or_default())
}

async fn in_time<T>(asking: impl Future<Output = T>) -> Result<T, String> {
    let told = |_| format!("postgres does not answer within {STALL_LIMIT:?}");
    tokio::time::timeout(STALL_LIMIT, asking).await.map_err(told)
}
