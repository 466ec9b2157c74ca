//! What the actors need from the outside, as traits. The root package implements them for real products.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Cents, Instant, Item, Order, OrderBatch, Position, StoredOrder};

mod cache;
mod engine;
mod log;
mod partitions;

pub use cache::{CACHED_HOURS, CacheAway, CacheWrite, CachedMetrics, MetricsCache};
pub use engine::{Engine, EngineError, EngineView, JobStatus, StreamEngine};
pub use log::{
    Durability, Entry, EntryId, LogError, LogReader, LogStatus, MAX_ENTRY_ORDERS, OrderLog, Part, PartitionLag, Poison,
    PoisonReason, Settlement, SharedLog,
};
pub use partitions::{BYTES_PER_WEIGHT, Beginning, Partition, PartitionStream, PartitionedLog, PoisonRecord, Record};

/// How many of the last stored orders a dashboard shows.
pub const RECENT_ORDERS: usize = 10;
/// How far back the most popular drinks are counted.
pub const TOP_DRINKS_DAYS: i64 = 30;
/// How many minutes are shown one by one, the present one included.
pub const SHOWN_MINUTES: i64 = 60;

/// A shard's row in the store: one writer at a time, one sequence of commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardId(pub i32);

/// The right to write to a shard, until somebody claims a higher epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose row.
    pub shard: ShardId,
    /// Grows with each claim; a commit under an older one is refused.
    pub epoch: i64,
    /// Commits so far; the next one makes it `seq + 1`.
    pub seq: i64,
    /// Where to go on in the partition that the shard stands for; none where nothing of it was stored yet, and for shards
    /// that stand for none.
    pub position: Option<Position>,
}

/// What the store did with one order of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Inserted by this commit, and counted.
    Stored {
        /// Given by the store.
        id: i64,
    },
    /// The same order was stored before; nothing changed.
    Repeated {
        /// Given by the store then.
        id: i64,
    },
    /// A different order has this `message_id`; nothing changed.
    KeyReused,
}

impl Outcome {
    /// What it is called in traces.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stored { .. } => "stored",
            Self::Repeated { .. } => "repeated",
            Self::KeyReused => "key_reused",
        }
    }
}

/// A commit that took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The shard's sequence number of this commit.
    pub seq: i64,
    /// One outcome for each order, in the order of [`OrderBatch::orders`].
    pub outcomes: Vec<Outcome>,
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A newer claim exists: nothing was written, and nothing may be until the shard is claimed again.
    #[error("the shard was claimed by another writer")]
    Fenced,
    /// Out of reach, busy or out of space. The work may or may not have been done: repeat it with the same ids.
    #[error("the store is away: {0}")]
    Away(String),
    /// The store refuses this work and would refuse it again; nothing was written.
    #[error("the store refuses: {0}")]
    Refused(String),
    /// Orders with these ids were stored before, and differ: nothing was written. Only for batches with an [`Advance`](crate::domain::Advance),
    /// which must not move over an order that is neither stored nor in the dead letters.
    #[error("{} orders came under keys of others", .0.len())]
    KeysReused(Vec<Uuid>),
}

/// Writes the orders of one shard. One object lives as long as the node and outlives the actors that use it; a new
/// actor claims the shard again, which waits for a commit still under way and fences everything older.
#[async_trait]
pub trait ShardWriter: Send + Sync + 'static {
    /// Claims the shard: connects where needed, takes a free slot, raises the epoch.
    ///
    /// # Errors
    /// [`StoreError::Away`] where the store cannot be reached in time.
    async fn claim(&self) -> Result<Claim, StoreError>;

    /// Stores a batch, its rollups, the shard's next sequence number and its position in one transaction. Runs to its end
    /// even where the caller is dropped; calls take turns.
    ///
    /// # Errors
    /// See [`StoreError`]; only [`StoreError::Away`] leaves the outcome unknown.
    async fn commit(&self, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError>;
}

/// Orders and amount of one store and drink within one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourCell {
    /// Whole UTC hours since 1970, of the orders' own timestamps.
    pub hour: i64,
    /// A store.
    pub store: Item,
    /// A drink.
    pub drink: Item,
    /// How many orders.
    pub orders: u64,
    /// What they paid together.
    pub amount: Cents,
}

/// Orders and amount of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinuteCell {
    /// Whole UTC minutes since 1970, of the orders' own timestamps.
    pub minute: i64,
    /// How many orders.
    pub orders: u64,
    /// What they paid together.
    pub amount: Cents,
}

/// How far back a snapshot looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// The first hour, in whole UTC hours since 1970.
    pub hour: i64,
    /// The first of the minutes that are told one by one, in whole UTC minutes since 1970.
    pub minute: i64,
}

impl Horizon {
    /// What is shown at `now`: [`TOP_DRINKS_DAYS`] days, the last [`SHOWN_MINUTES`] minute by minute.
    #[must_use]
    pub fn at(now: Instant) -> Self {
        Self {
            hour: now.hour() - TOP_DRINKS_DAYS * 24,
            minute: now.minute() - SHOWN_MINUTES + 1,
        }
    }
}

/// Everything an aggregator starts from, read at one point of the store's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The sequence number of every shard.
    pub positions: BTreeMap<ShardId, i64>,
    /// All orders ever stored.
    pub stored_total: u64,
    /// Rollups from the horizon's hour on.
    pub hours: Vec<HourCell>,
    /// All stores and drinks together, from the horizon's minute on; a minute that is there twice is the sum.
    pub minutes: Vec<MinuteCell>,
    /// The orders with the [`RECENT_ORDERS`] highest ids, highest first.
    pub recent: Vec<StoredOrder>,
}

/// One difference that a recount found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditDifference {
    /// What differs, such as `2026-11-22T09:00Z uptown latte`.
    pub what: String,
    /// By the raw orders.
    pub recounted: String,
    /// By the rollups or totals.
    pub recorded: String,
}

/// What a recount of the raw orders found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Raw orders counted.
    pub orders: u64,
    /// Their amount.
    pub amount: Cents,
    /// Rollup rows compared.
    pub rollup_rows: u64,
    /// Shard rows in the store.
    pub shards: u64,
    /// Records of logs that positions moved over; each was inserted, repeated or dead-lettered.
    pub records: u64,
    /// Records among them that are in the dead letters.
    pub dead_lettered: u64,
    /// Each difference; empty is what must be.
    pub differences: Vec<AuditDifference>,
}

/// A store of orders and of what is counted about them.
#[async_trait]
pub trait OrderStore: Send + Sync + 'static {
    /// `sqlite` or `postgres`.
    fn engine(&self) -> &'static str;

    /// The writer for one of this node's shards of a source such as `v1`. Does no I/O.
    fn shard_writer(&self, source: &'static str) -> Arc<dyn ShardWriter>;

    /// The writer for a partition of a log that nodes share: whoever claims it last has it, on whatever node. Does no I/O.
    fn partition_writer(&self, source: &'static str, partition: i32) -> Arc<dyn ShardWriter>;

    /// The positions of all partitions of a source that have one.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    async fn log_positions(&self, source: &'static str) -> Result<BTreeMap<i32, i64>, StoreError>;

    /// Makes the next claim of a partition go on at this offset, and fences whoever has it. Orders that are read again are
    /// repeated ones.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    async fn move_position(&self, source: &'static str, partition: i32, next_offset: i64) -> Result<(), StoreError>;

    /// Reads rollups within the horizon, positions, total and recent orders in one snapshot.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    async fn snapshot(&self, horizon: Horizon) -> Result<Snapshot, StoreError>;

    /// The sequence number of every shard: cheap, read often.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    async fn positions(&self) -> Result<BTreeMap<ShardId, i64>, StoreError>;

    /// Recounts raw orders in one snapshot and compares them with rollups and totals.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    async fn audit(&self) -> Result<AuditReport, StoreError>;
}

/// Orders and amount that one commit added to a store and drink within one minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaCell {
    /// Whole UTC minutes since 1970.
    pub minute: i64,
    /// A store.
    pub store: Item,
    /// A drink.
    pub drink: Item,
    /// How many orders.
    pub orders: u64,
    /// What they paid together.
    pub amount: Cents,
}

/// What a commit added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaContent {
    /// One cell for each minute, store and drink.
    pub cells: Vec<DeltaCell>,
    /// Its last orders, highest id first, at most [`RECENT_ORDERS`].
    pub recent: Vec<StoredOrder>,
    /// When the last of its orders was accepted; none where it has none, or where a node without this told of it.
    #[serde(default)]
    pub accepted_at: Option<Instant>,
}

/// One commit, told to aggregators. May be lost, repeated or reordered: `seq` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Whose commit.
    pub shard: ShardId,
    /// Which commit of that shard.
    pub seq: i64,
    /// What it added; `None` where that was too large to carry, so that only the gap is known.
    pub content: Option<DeltaContent>,
}

/// Carries deltas between nodes. May lose them: gaps in `seq` heal.
#[async_trait]
pub trait DeltaBus: Send + Sync + 'static {
    /// Sends deltas to the other nodes.
    ///
    /// # Errors
    /// [`StoreError::Away`]; the deltas are then lost.
    async fn publish(&self, deltas: &[Delta]) -> Result<(), StoreError>;

    /// Connects a receiver.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    async fn subscribe(&self) -> Result<Box<dyn DeltaStream>, StoreError>;
}

/// A connected receiver of other nodes' deltas.
#[async_trait]
pub trait DeltaStream: Send + 'static {
    /// Waits for the next deltas. Cancel safe: what it has not returned stays for the next call.
    ///
    /// # Errors
    /// [`StoreError::Away`] where the connection broke: deltas may have been missed.
    async fn next(&mut self) -> Result<Vec<Delta>, StoreError>;
}

impl DeltaContent {
    /// Counts the orders that a commit really inserted.
    #[must_use]
    pub fn of_commit(orders: &[Arc<Order>], outcomes: &[Outcome]) -> Self {
        let mut cells: BTreeMap<(i64, &Item, &Item), (u64, Cents)> = BTreeMap::new();
        let mut recent = Vec::new();
        let mut accepted_at = None;
        for (order, outcome) in orders.iter().zip(outcomes) {
            let Outcome::Stored { id } = *outcome else { continue };
            let cell = cells
                .entry((order.at.minute(), &order.store, &order.drink))
                .or_default();
            cell.0 += 1;
            cell.1 += order.price;
            accepted_at = accepted_at.max(Some(order.accepted_at));
            recent.push((id, order));
        }
        recent.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        recent.truncate(RECENT_ORDERS);
        Self {
            cells: cells
                .into_iter()
                .map(|((minute, store, drink), (orders, amount))| DeltaCell {
                    minute,
                    store: store.clone(),
                    drink: drink.clone(),
                    orders,
                    amount,
                })
                .collect(),
            recent: recent.into_iter().map(|(id, order)| order.stored_as(id)).collect(),
            accepted_at,
        }
    }
}
