//! Writers of all shards: they take turns on one connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::ports::{Claim, Receipt, ShardWriter, StoreError};
use sqlx::SqliteConnection;
use tokio::sync::OwnedMutexGuard;

use super::{BUSY_TIMEOUT, Core, commit, connect, with_suffix, write_options};
use crate::adapters::{MAX_SLOTS, to_the_end};

/// A write-ahead log longer than this is emptied by force, which waits for readers.
pub const WAL_LIMIT_BYTES: u64 = 64 << 20;
/// How long emptying the log waits for readers; a long recount is left in peace, and the log grows on meanwhile.
pub const TRUNCATE_WAIT: Duration = Duration::from_millis(100);

/// The writing connection, taken out for each piece of work and put back only when sound and outside a transaction.
type Turn = OwnedMutexGuard<Option<SqliteConnection>>;

pub(super) struct SqliteWriter {
    core: Arc<Core>,
    source: &'static str,
    slot: Slot,
}

/// The row of `shards` that a writer claims.
#[derive(Clone, Copy)]
enum Slot {
    /// Its own while it lives; none where all were taken.
    Own(Option<i32>),
    /// A partition's, whoever else has it.
    Partition(i32),
}

impl SqliteWriter {
    /// Takes the lowest slot of its source that no living writer has.
    pub(super) fn of_free_slot(core: Arc<Core>, source: &'static str) -> Self {
        let mut slots = core.slots.lock();
        let taken = slots.entry(source).or_default();
        let slot = (0..MAX_SLOTS).find(|slot| taken.insert(*slot));
        drop(slots);
        let slot = Slot::Own(slot);
        Self { core, source, slot }
    }

    pub(super) fn of_partition(core: Arc<Core>, source: &'static str, partition: i32) -> Self {
        let slot = Slot::Partition(partition);
        Self { core, source, slot }
    }

    fn slot(&self) -> Result<i32, StoreError> {
        let taken = || StoreError::Refused(format!("all {MAX_SLOTS} slots of {} are taken", self.source));
        match self.slot {
            Slot::Own(slot) => slot.ok_or_else(taken),
            Slot::Partition(partition) => Ok(partition),
        }
    }
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        if let (Slot::Own(Some(slot)), Some(taken)) = (self.slot, self.core.slots.lock().get_mut(self.source)) {
            taken.remove(&slot);
        }
    }
}

#[async_trait]
impl ShardWriter for SqliteWriter {
    async fn claim(&self) -> Result<Claim, StoreError> {
        self.core.clone().claim(self.source, self.slot()?, None).await
    }

    async fn commit(&self, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError> {
        let turn = self.core.writing.clone().lock_owned().await;
        to_the_end(commit(self.core.clone(), turn, claim, batch)).await
    }
}

async fn commit(core: Arc<Core>, mut turn: Turn, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError> {
    let mut conn = core.writing_connection(&mut turn).await?;
    let result = commit::commit(&mut conn, &core.catalog, &core.repeats, claim, &batch).await;
    let sound = match &result {
        Ok(_) => core.limit_log(&mut conn).await.is_ok(),
        // No transaction is open after these.
        Err(StoreError::Fenced | StoreError::KeysReused(_)) => true,
        Err(_) => sqlx::query("ROLLBACK").execute(&mut conn).await.is_ok(),
    };
    // A connection that is dropped rolls back too; the next turn opens another.
    if sound {
        *turn = Some(conn);
    }
    result
}

impl Core {
    /// Claims a slot's shard, and moves its position where one is given.
    pub(super) async fn claim(
        self: Arc<Self>,
        source: &'static str,
        slot: i32,
        next_offset: Option<i64>,
    ) -> Result<Claim, StoreError> {
        let mut turn = self.writing.clone().lock_owned().await;
        to_the_end(async move {
            let mut conn = self.writing_connection(&mut turn).await?;
            let claim = commit::claim(&mut conn, source, slot, next_offset).await?;
            *turn = Some(conn);
            Ok(claim)
        })
        .await
    }

    async fn writing_connection(&self, turn: &mut Turn) -> Result<SqliteConnection, StoreError> {
        if self.lock.is_none() {
            return Err(StoreError::Refused("the store was opened for reading only".to_owned()));
        }
        match turn.take() {
            Some(conn) => Ok(conn),
            None => connect(&write_options(&self.path)).await,
        }
    }

    /// Empties the write-ahead log where it grew too long: readers that overlap without end keep SQLite's own
    /// checkpoints from starting it anew.
    async fn limit_log(&self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let log = std::fs::metadata(with_suffix(&self.path, "-wal")).map_or(0, |log| log.len());
        let tried = &self.log_bytes_tried;
        let limit = tried.load(Ordering::Relaxed) + WAL_LIMIT_BYTES;
        if log <= limit {
            return Ok(());
        }
        let wait = |limit: Duration| sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {}", limit.as_millis()));
        sqlx::query(wait(TRUNCATE_WAIT)).execute(&mut *conn).await?;
        let emptied = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *conn)
            .await;
        sqlx::query(wait(BUSY_TIMEOUT)).execute(&mut *conn).await?;
        let (busy, _, _): (i64, i64, i64) = emptied?;
        // Where a reader was in the way, the next try waits until the log has grown by as much again.
        tried.store(if busy == 0 { 0 } else { log }, Ordering::Relaxed);
        Ok(())
    }
}
