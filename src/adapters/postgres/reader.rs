//! Reads of one snapshot, on connections that writers don't use.

use std::collections::BTreeMap;
use std::time::Duration;

use coffee_rt_actors::ports::{Horizon, RECENT_ORDERS, ShardId, Snapshot, StoreError};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;

use super::errors::classify;
use super::{CONNECT_TIMEOUT, Core, READ_CONNECTIONS};
use crate::adapters::rows::SnapshotRows;
use crate::adapters::within;

/// How long a read may take, a snapshot of many rollups included.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// One view of the store for all statements that follow, without a lock on anything.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const POSITIONS: &str = "SELECT id, seq FROM coffee_rt.shards";
const LOG_POSITIONS: &str =
    "SELECT slot, next_offset FROM coffee_rt.shards WHERE source = $1 AND next_offset IS NOT NULL";
const STORED_TOTAL: &str = "SELECT coalesce(sum(orders), 0)::bigint FROM coffee_rt.shard_totals";
/// By way of the shards, so that the primary key of the rollups, which starts with the shard, finds the minutes.
const HOURS: &str = "SELECT c.hour, s.name, d.name, c.orders, c.cents
    FROM (
        SELECT r.minute / 60 AS hour, r.store_id, r.drink_id, sum(r.orders)::bigint AS orders, sum(r.cents)::bigint AS cents
        FROM coffee_rt.shards AS h JOIN coffee_rt.rollups AS r ON r.shard = h.id
        WHERE r.minute >= $1 GROUP BY 1, 2, 3
    ) AS c
    JOIN coffee_rt.stores AS s ON s.id = c.store_id
    JOIN coffee_rt.drinks AS d ON d.id = c.drink_id
    ORDER BY 1, 2, 3";
const MINUTES: &str = "SELECT r.minute::bigint, sum(r.orders)::bigint, sum(r.cents)::bigint
    FROM coffee_rt.shards AS h JOIN coffee_rt.rollups AS r ON r.shard = h.id
    WHERE r.minute >= $1 GROUP BY 1 ORDER BY 1";
const RECENT: &str = "SELECT o.id, d.name, s.name, o.price_cents::bigint, o.ordered_us
    FROM (SELECT * FROM coffee_rt.order_rows ORDER BY id DESC LIMIT $1) AS o
    JOIN coffee_rt.stores AS s ON s.id = o.store_id
    JOIN coffee_rt.drinks AS d ON d.id = o.drink_id
    ORDER BY o.id DESC";

/// Connections for reads. No pool of sqlx: it waits without limit for a dropped connection to answer, and one that went
/// mute would be missing from it for as long as the system takes it to be open.
pub(super) struct ReadConnections {
    turns: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
}

impl Default for ReadConnections {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(READ_CONNECTIONS),
            idle: Mutex::default(),
        }
    }
}

impl Core {
    pub(super) async fn positions(&self) -> Result<BTreeMap<ShardId, i64>, StoreError> {
        self.read("positions", |conn| Box::pin(positions(conn))).await
    }

    pub(super) async fn log_positions(&self, source: &'static str) -> Result<BTreeMap<i32, i64>, StoreError> {
        self.read("log positions", move |conn| Box::pin(log_positions(conn, source)))
            .await
    }

    pub(super) async fn snapshot(&self, horizon: Horizon) -> Result<Snapshot, StoreError> {
        self.read("snapshot", move |conn| Box::pin(snapshot(conn, horizon)))
            .await
    }

    /// Runs a read on a connection that is kept for the next one where it is sound.
    pub(super) async fn read<T>(
        &self,
        what: &str,
        work: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send,
    ) -> Result<T, StoreError> {
        self.prepare().await?;
        let turn = async {
            self.reads
                .turns
                .acquire()
                .await
                .map_err(|e| StoreError::Away(e.to_string()))
        };
        let _turn = within(CONNECT_TIMEOUT, "wait for a connection", turn).await?;
        // Taken out and put back only when sound: an error, a time-out or a dropped caller drops the connection too.
        let idle = self.reads.idle.lock().pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => self.connect(&[]).await?,
        };
        let failure = match tokio::time::timeout(READ_TIMEOUT, work(&mut conn)).await {
            Ok(Ok(value)) => {
                self.reads.idle.lock().push(conn);
                return Ok(value);
            }
            Ok(Err(error)) => classify(&error),
            Err(_) => {
                return Err(StoreError::Away(format!(
                    "no answer within {READ_TIMEOUT:?} to: {what}"
                )));
            }
        };
        if failure.connection_lives {
            self.reads.idle.lock().push(conn);
        } else {
            // Whatever ended this connection ended its siblings as well.
            self.reads.idle.lock().clear();
        }
        Err(failure.error)
    }
}

async fn positions(conn: &mut PgConnection) -> Result<BTreeMap<ShardId, i64>, sqlx::Error> {
    let rows: Vec<(i32, i64)> = sqlx::query_as(POSITIONS).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(shard, seq)| (ShardId(shard), seq)).collect())
}

async fn log_positions(conn: &mut PgConnection, source: &str) -> Result<BTreeMap<i32, i64>, sqlx::Error> {
    let rows: Vec<_> = sqlx::query_as(LOG_POSITIONS).bind(source).fetch_all(conn).await?;
    Ok(rows.into_iter().collect())
}

async fn snapshot(conn: &mut PgConnection, horizon: Horizon) -> Result<Snapshot, sqlx::Error> {
    let mut tx = conn.begin_with(BEGIN_SNAPSHOT).await?;
    let positions = positions(&mut tx).await?;
    let total = sqlx::query_scalar(STORED_TOTAL).fetch_one(&mut *tx).await?;
    let hours = sqlx::query_as(HOURS)
        .bind(horizon.hour.saturating_mul(60))
        .fetch_all(&mut *tx)
        .await?;
    let minutes = sqlx::query_as(MINUTES).bind(horizon.minute).fetch_all(&mut *tx).await?;
    let recent = sqlx::query_as(RECENT)
        .bind(RECENT_ORDERS as i64)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(SnapshotRows {
        positions,
        total,
        hours,
        minutes,
        recent,
    }
    .into())
}
