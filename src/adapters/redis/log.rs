//! The stream as a log: appends, and a node's rounds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use coffee_rt_actors::domain::{Menu, Order, RECORD_BYTES};
use coffee_rt_actors::log_watch::ROUND_LIMIT;
use coffee_rt_actors::ports::{Durability, LogError, LogReader, LogStatus, MAX_ENTRY_ORDERS, OrderLog, SharedLog};
use parking_lot::Mutex;
use redis::{Client, Value};

use super::entry::strange;
use super::link::{ANSWER_TIMEOUT, Link, UrlError, client};
use super::reader::StreamReader;
use super::scripts::{APPEND, KEEP, LEAVE};
use super::{DEAD_LETTERS, GROUP, NODES, STREAM, SURPLUS};

/// A node whose last sign of life is older is taken for dead. Longer than an actor can be stalled.
pub const SILENCE_MS: u64 = 6_000;
/// The most entries taken over in one round.
pub const MAX_CLAIMED_ENTRIES: usize = 4_000;
/// A round is given up by its link, which then opens another connection.
const _: () = assert!(ANSWER_TIMEOUT.as_secs() < ROUND_LIMIT.as_secs());
/// How old the knowledge of Redis's settings may be.
const DURABILITY_AGE: Duration = Duration::from_secs(10);

/// The stream of orders, as one node sees it.
pub struct RedisStream {
    client: Client,
    menu: Menu,
    backlog_limit: u64,
    readers: usize,
    /// This node among those that share the stream; another one after each start.
    node: String,
    appends: Link,
    /// Everything that neither appends nor waits.
    control: Link,
    durability: Mutex<Option<(Instant, Durability)>>,
}

impl RedisStream {
    /// Reads the URL and does no I/O: a Redis that is absent is tried again by each call.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn new(url: &str, menu: &Menu, backlog_limit: u64, readers: usize) -> Result<Self, UrlError> {
        let client = client(url)?;
        Ok(Self {
            appends: Link::new(client.clone()),
            control: Link::new(client.clone()),
            client,
            menu: menu.clone(),
            backlog_limit,
            readers,
            node: format!("{:08x}", rand::random::<u32>()),
            durability: Mutex::default(),
        })
    }

    async fn durability(&self) -> Durability {
        let known = *self.durability.lock();
        if let Some((_, durability)) = known.filter(|(read, _)| read.elapsed() < DURABILITY_AGE) {
            return durability;
        }
        let asked = redis::cmd("CONFIG").arg("GET").arg("append*").to_owned();
        // Where settings may not be read, as in managed ones, what is known stays unknown.
        let durability = match self.control.send(&asked).await {
            Ok(settings) => durability(&settings),
            Err(_) => Durability::Unknown,
        };
        *self.durability.lock() = Some((Instant::now(), durability));
        durability
    }
}

#[async_trait]
impl OrderLog for RedisStream {
    async fn append(&self, orders: &[Arc<Order>]) -> Result<(), LogError> {
        let appended = self.appends.run(&APPEND, &[STREAM, SURPLUS], |script| {
            script.arg(self.backlog_limit);
            for orders in orders.chunks(MAX_ENTRY_ORDERS) {
                script.arg(orders.len()).arg(lines(orders));
            }
        });
        match appended.await? {
            Value::Int(-1) => Err(LogError::Full),
            _ => Ok(()),
        }
    }

    async fn keep(&self) -> Result<LogStatus, LogError> {
        let kept = self
            .control
            .run(&KEEP, &[STREAM, SURPLUS, NODES, DEAD_LETTERS], |script| {
                script
                    .arg(GROUP)
                    .arg(&self.node)
                    .arg(self.readers)
                    .arg(SILENCE_MS)
                    .arg(MAX_CLAIMED_ENTRIES);
            });
        let figures = figures(kept.await?)?;
        let [backlog, entries, lag, pending, claimed, dead_letters, own @ ..] = figures.as_slice() else {
            return Err(strange("a round"));
        };
        let count = |figure: &i64| u64::try_from(*figure).unwrap_or_default();
        // Redis knows of entries only; with those that wait unread in number, their mean is what counts.
        let orders = |figure: u64| (figure * count(backlog)).checked_div(count(entries)).unwrap_or(figure);
        Ok(LogStatus {
            backlog: count(backlog),
            backlog_limit: self.backlog_limit,
            lag: u64::try_from(*lag).ok().map(orders),
            pending: orders(count(pending)),
            own_pending: own.iter().map(count).collect(),
            claimed: count(claimed),
            partitions: Vec::new(),
            dead_letters: count(dead_letters),
            durability: self.durability().await,
        })
    }

    async fn leave(&self) -> Result<(), LogError> {
        let left = self.control.run(&LEAVE, &[STREAM, NODES], |script| {
            script.arg(GROUP).arg(&self.node);
        });
        left.await.map(drop)
    }
}

impl SharedLog for RedisStream {
    fn reader(&self, number: usize) -> Arc<dyn LogReader> {
        let consumer = format!("{}/{number}", self.node);
        let reads = Link::new(self.client.clone());
        Arc::new(StreamReader::new(
            consumer,
            self.menu.clone(),
            reads,
            self.control.clone(),
        ))
    }
}

/// The records of an entry's orders, a line for each.
fn lines(orders: &[Arc<Order>]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(orders.len() * RECORD_BYTES);
    for order in orders {
        order.write_record(&mut lines);
        lines.push(b'\n');
    }
    lines.pop();
    lines
}

fn figures(answer: Value) -> Result<Vec<i64>, LogError> {
    redis::from_redis_value(answer).map_err(|_| strange("figures"))
}

/// What `appendonly` and `appendfsync` promise.
fn durability(settings: &Value) -> Durability {
    let settings: Result<std::collections::HashMap<String, String>, _> = redis::from_redis_value_ref(settings);
    let settings = settings.unwrap_or_default();
    let setting = |name: &str| settings.get(name).map(String::as_str);
    match (setting("appendonly"), setting("appendfsync")) {
        (Some("yes"), Some("always")) => Durability::OnDisk,
        (Some("yes"), Some("everysec")) => Durability::WithinASecond,
        (Some("yes"), Some("no")) => Durability::WhenFlushed,
        (Some("no"), _) => Durability::MemoryOnly,
        _ => Durability::Unknown,
    }
}
