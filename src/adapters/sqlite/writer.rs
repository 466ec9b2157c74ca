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
    slot: Option<i32>,
}

impl SqliteWriter {
    /// Takes the lowest slot of its source that no living writer has.
    pub(super) fn new(core: Arc<Core>, source: &'static str) -> Self {
        let mut slots = core.slots.lock();
        let taken = slots.entry(source).or_default();
        let slot = (0..MAX_SLOTS).find(|slot| taken.insert(*slot));
        drop(slots);
        Self { core, source, slot }
    }
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        if let (Some(slot), Some(taken)) = (self.slot, self.core.slots.lock().get_mut(self.source)) {
            taken.remove(&slot);
        }
    }
}

#[async_trait]
impl ShardWriter for SqliteWriter {
    async fn claim(&self) -> Result<Claim, StoreError> {
        let taken = || StoreError::Refused(format!("all {MAX_SLOTS} slots of {} are taken", self.source));
        let (slot, source) = (self.slot.ok_or_else(taken)?, self.source);
        let turn = self.core.writing.clone().lock_owned().await;
        to_the_end(claim(self.core.clone(), turn, source, slot)).await
    }

    async fn commit(&self, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError> {
        let turn = self.core.writing.clone().lock_owned().await;
        to_the_end(commit(self.core.clone(), turn, claim, batch)).await
    }
}

async fn claim(core: Arc<Core>, mut turn: Turn, source: &'static str, slot: i32) -> Result<Claim, StoreError> {
    let mut conn = core.writing_connection(&mut turn).await?;
    let claim = commit::claim(&mut conn, source, slot).await?;
    *turn = Some(conn);
    Ok(claim)
}

async fn commit(core: Arc<Core>, mut turn: Turn, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError> {
    let mut conn = core.writing_connection(&mut turn).await?;
    let result = commit::commit(&mut conn, &core.catalog, &core.repeats, claim, &batch).await;
    let sound = match &result {
        Ok(_) => core.limit_log(&mut conn).await.is_ok(),
        Err(_) => sqlx::query("ROLLBACK").execute(&mut conn).await.is_ok(),
    };
    // A connection that is dropped rolls back too; the next turn opens another.
    if sound {
        *turn = Some(conn);
    }
    result
}

impl Core {
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
