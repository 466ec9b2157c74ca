//! A log: where orders are safe between their acknowledgement and the store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use crate::domain::Order;

/// Where an entry stands in its log. As Redis has it, milliseconds since 1970 and a number within them; of a log in
/// partitions, the partition and the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u64, pub u64);

impl EntryId {
    /// The last place before it.
    #[must_use]
    pub const fn before(self) -> Self {
        match self {
            Self(ms, 0) => Self(ms.saturating_sub(1), u64::MAX),
            Self(ms, number) => Self(ms, number - 1),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// The most orders that one entry holds.
pub const MAX_ENTRY_ORDERS: usize = 64;

/// What was read from a log. It is delivered, acknowledged and taken over as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub id: EntryId,
    /// What was ordered, one order or up to [`MAX_ENTRY_ORDERS`], or why there is no telling, and in words. A `message_id` is
    /// the same at each delivery.
    pub orders: Vec<Result<Arc<Order>, (PoisonReason, String)>>,
    /// How many orders beyond the first one the log counts for it, where it counts them.
    pub surplus: usize,
}

/// Which of an entry's orders, from 0; none means the entry as it stands.
pub type Part = Option<u16>;

/// Why an entry cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PoisonReason {
    /// No order can be read out of it.
    Unreadable,
    /// An order that breaks a rule: off the menu, an absurd price.
    Invalid,
    /// Another order was stored under its key.
    KeyReused,
    /// The store refuses it.
    Refused,
    /// It was removed from the log before it was stored.
    Vanished,
}

impl PoisonReason {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Unreadable,
        Self::Invalid,
        Self::KeyReused,
        Self::Refused,
        Self::Vanished,
    ];

    /// As it stands in dead letters and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Invalid => "invalid",
            Self::KeyReused => "key_reused",
            Self::Refused => "refused",
            Self::Vanished => "vanished",
        }
    }
}

/// What cannot be stored, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Which of its entry's orders.
    pub part: Part,
    /// What kind of trouble.
    pub reason: PoisonReason,
    /// The trouble in words.
    pub detail: String,
}

/// An entry that the log may forget: each of its orders is stored, or never will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Where it stands.
    pub id: EntryId,
    /// As in the [`Entry`].
    pub surplus: usize,
    /// Those of its orders that never will be.
    pub poison: Vec<Poison>,
}

/// Why a log did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Out of reach, or not able now. The work may or may not have been done; repeating it is safe.
    #[error("the log is away: {0}")]
    Away(String),
    /// It holds as much as it may; nothing was added.
    #[error("the log is full")]
    Full,
    /// The readers' position is gone, and with it perhaps orders: the log lost data.
    #[error("the log lost its readers' position")]
    PositionLost,
}

/// What an acknowledgement of the log means when the machine that keeps it loses power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The order is on disk.
    OnDisk,
    /// The order is on disk a second later at most.
    WithinASecond,
    /// The order is on disk when the operating system pleases, half a minute later or so.
    WhenFlushed,
    /// The order is in the memory of several machines at least, and on their disks when their systems please.
    Replicated,
    /// The order is in memory: a crash of the log's process loses it.
    MemoryOnly,
    /// The log does not tell.
    Unknown,
}

impl Durability {
    /// What it means for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::OnDisk => "acknowledged orders are on disk",
            Self::WithinASecond => "a power loss can lose the acknowledged orders of about a second",
            Self::WhenFlushed => "a power loss can lose the acknowledged orders of half a minute",
            Self::Replicated => "only a power loss of all replicas at once can lose acknowledged orders",
            Self::MemoryOnly => "a crash or restart of the log loses acknowledged orders",
            Self::Unknown => "the log does not tell how safe acknowledged orders are",
        }
    }
}

/// How far the store is behind in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// Which one.
    pub partition: i32,
    /// Records that are not stored yet.
    pub records: u64,
}

/// How a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// Orders that it holds: not stored yet, or not yet acknowledged.
    pub backlog: u64,
    /// The most that it may hold.
    pub backlog_limit: u64,
    /// Orders that no reader has seen, where the log can tell. A log that counts entries may reckon with their mean.
    pub lag: Option<u64>,
    /// Orders that some node's reader has and has not acknowledged; reckoned in the same way.
    pub pending: u64,
    /// Entries that each reader of this node has and has not acknowledged.
    pub own_pending: Vec<u64>,
    /// Entries that were just taken over from nodes that are gone; they belong to this node's first reader.
    pub claimed: u64,
    /// How far the store is behind in each partition, where the log has partitions.
    pub partitions: Vec<PartitionLag>,
    /// How many dead letters there are.
    pub dead_letters: u64,
    /// What an acknowledgement means.
    pub durability: Durability,
}

/// One reader of a log. Outlives the actors that use it; a call waits for those begun before it.
#[async_trait]
pub trait LogReader: Send + Sync + 'static {
    /// Entries after `after` that were delivered to this reader before and are not acknowledged, oldest first.
    ///
    /// # Errors
    /// [`LogError::Away`] or [`LogError::PositionLost`].
    async fn pending(&self, after: EntryId, limit: usize) -> Result<Vec<Entry>, LogError>;

    /// New entries. Where there are none it waits a little, and then returns none.
    ///
    /// # Errors
    /// [`LogError::Away`] or [`LogError::PositionLost`].
    async fn next(&self, limit: usize) -> Result<Vec<Entry>, LogError>;

    /// Acknowledges entries: they will not be delivered again, and may be dropped from the log.
    ///
    /// # Errors
    /// [`LogError::Away`].
    async fn acknowledge(&self, entries: &[Settlement]) -> Result<(), LogError>;

    /// Copies what is poison in entries to the dead letters and acknowledges the entries, in one step; those that are
    /// acknowledged already it leaves alone.
    ///
    /// # Errors
    /// [`LogError::Away`], or [`LogError::Full`] where there are too many dead letters: nothing was done.
    async fn bury(&self, entries: &[Settlement]) -> Result<(), LogError>;
}

/// A log of orders that several nodes share.
#[async_trait]
pub trait OrderLog: Send + Sync + 'static {
    /// Appends orders, all or none; they are safe when this returns.
    ///
    /// # Errors
    /// [`LogError::Full`] where nothing was appended; [`LogError::Away`] leaves the outcome unknown. Appending an order
    /// twice is harmless: the store knows it by its `message_id`.
    async fn append(&self, orders: &[Arc<Order>]) -> Result<(), LogError>;

    /// Shows the other nodes that this one lives, takes over what dead nodes have not acknowledged, and tells how the
    /// log is.
    ///
    /// # Errors
    /// [`LogError::Away`] or [`LogError::PositionLost`].
    async fn keep(&self) -> Result<LogStatus, LogError>;

    /// Says goodbye to the other nodes.
    ///
    /// # Errors
    /// [`LogError::Away`]: they notice by themselves.
    async fn leave(&self) -> Result<(), LogError>;
}

/// A log whose readers share its entries and acknowledge each of them.
#[async_trait]
pub trait SharedLog: OrderLog {
    /// The reader of that number in this node. Does no I/O.
    fn reader(&self, number: usize) -> Arc<dyn LogReader>;
}
