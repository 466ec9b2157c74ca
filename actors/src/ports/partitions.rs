//! A log in partitions: each is read in order by one node at a time, from the position that the store keeps.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{EntryId, LogError, OrderLog, PoisonReason};
use crate::domain::{Order, Position};

/// What was read from a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub id: EntryId,
    /// The position after it.
    pub next: Position,
    /// What was ordered, or why there is no telling.
    pub order: Result<Arc<Order>, PoisonRecord>,
}

/// Bytes of a poison record for which it counts as one more record: orders are smaller.
pub const BYTES_PER_WEIGHT: usize = 4 * 1024;

impl Record {
    /// How many records it counts as where the memory of what is in hand is limited.
    #[must_use]
    pub fn weight(&self) -> usize {
        let bytes = self.order.as_ref().map_or_else(
            |poison| poison.value.len() + poison.key.as_ref().map_or(0, Vec::len),
            |_| 0,
        );
        1 + bytes / BYTES_PER_WEIGHT
    }
}

/// A record that cannot be stored, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoisonRecord {
    /// Where it stands.
    pub id: EntryId,
    /// What kind of trouble.
    pub reason: PoisonReason,
    /// The trouble in words.
    pub detail: String,
    /// When it was put into the log, in milliseconds since 1970. None where its order could be read: what stands there has
    /// its `message_id` then.
    pub at_millis: Option<i64>,
    /// Its key, where it has one.
    pub key: Option<Vec<u8>>,
    /// What stands there.
    pub value: Vec<u8>,
}

/// Where a reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Where the store is.
    Continues,
    /// At the oldest record: the store has nothing of this partition.
    Oldest,
    /// At the oldest record: this many before it were removed before they were stored.
    Gap {
        /// Offsets between the store's position and the oldest record.
        records: u64,
    },
    /// At the oldest record: the partition was made anew, or lost its end, since it was last read.
    Anew,
}

/// Records of one partition in their order, from where it was begun.
#[async_trait]
pub trait PartitionStream: Send + Sync + 'static {
    /// The next records, until they [weigh](Record::weight) `limit`; the last one may weigh more. Where there are none it
    /// waits a little, and then returns none.
    ///
    /// # Errors
    /// [`LogError::Away`], also once a later stream of the partition was begun; records may be lost to this stream then.
    async fn next(&self, limit: usize) -> Result<Vec<Record>, LogError>;
}

/// One partition of a log. Outlives the actors that use it.
#[async_trait]
pub trait Partition: Send + Sync + 'static {
    /// Begins to read where the store is; ends the stream begun before.
    ///
    /// # Errors
    /// [`LogError::Away`].
    async fn begin(&self, position: Option<Position>) -> Result<(Beginning, Arc<dyn PartitionStream>), LogError>;

    /// Copies records to the dead letters; one that is there may come there again.
    ///
    /// # Errors
    /// [`LogError::Away`]: some may be there.
    async fn bury(&self, poison: &[PoisonRecord]) -> Result<(), LogError>;

    /// Takes note that everything before this offset is stored, for those who watch the log. Does no I/O.
    fn stored(&self, next_offset: i64);
}

/// A log in partitions, which are shared out among the nodes.
#[async_trait]
pub trait PartitionedLog: OrderLog {
    /// The partitions that are this node's at the moment.
    fn assigned(&self) -> watch::Receiver<Arc<[i32]>>;

    /// One of its partitions. Does no I/O.
    fn partition(&self, partition: i32) -> Arc<dyn Partition>;
}
