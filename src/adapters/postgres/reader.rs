//! Reads of one snapshot, on connections that writers don't use.

use std::collections::BTreeMap;
use std::time::Duration;

use coffee_rt_actors::ports::{RECENT_ORDERS, ShardId, Snapshot, StoreError};
use futures_util::future::BoxFuture;
use sqlx::{Connection, PgConnection};

use super::Core;
use super::errors::{Failure, classify, unreachable};
use crate::adapters::catalog::Names;
use crate::adapters::rows::{HourRow, RecentRow, count, hour_cell, recent_order};

/// How long a read may take, a snapshot of many rollups included.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// One view of the store for all statements that follow, without a lock on anything.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const POSITIONS: &str = "SELECT id, seq FROM coffee_rt.shards";
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
const RECENT: &str = "SELECT o.id, d.name, s.name, o.price_cents::bigint, o.ordered_us
    FROM (SELECT * FROM coffee_rt.order_rows ORDER BY id DESC LIMIT $1) AS o
    JOIN coffee_rt.stores AS s ON s.id = o.store_id
    JOIN coffee_rt.drinks AS d ON d.id = o.drink_id
    ORDER BY o.id DESC";

impl Core {
    pub(super) async fn positions(&self) -> Result<BTreeMap<ShardId, i64>, StoreError> {
        self.read("positions", |conn| Box::pin(positions(conn))).await
    }

    pub(super) async fn snapshot(&self, from_hour: i64) -> Result<Snapshot, StoreError> {
        self.read("snapshot", move |conn| Box::pin(snapshot(conn, from_hour)))
            .await
    }

    /// Runs a read on a pooled connection, which goes back to the pool only where it is sound.
    async fn read<T>(
        &self,
        what: &str,
        work: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send,
    ) -> Result<T, StoreError> {
        self.prepare().await?;
        let mut conn = self.reads.acquire().await.map_err(|error| unreachable(&error))?;
        let failure = match tokio::time::timeout(READ_TIMEOUT, work(&mut conn)).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => classify(&error),
            Err(_) => {
                let error = StoreError::Away(format!("no answer within {READ_TIMEOUT:?} to: {what}"));
                Failure {
                    error,
                    connection_lives: false,
                    worth_repeating: false,
                }
            }
        };
        if !failure.connection_lives {
            drop(conn.detach());
        }
        Err(failure.error)
    }
}

async fn positions(conn: &mut PgConnection) -> Result<BTreeMap<ShardId, i64>, sqlx::Error> {
    let rows: Vec<(i32, i64)> = sqlx::query_as(POSITIONS).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(shard, seq)| (ShardId(shard), seq)).collect())
}

async fn snapshot(conn: &mut PgConnection, from_hour: i64) -> Result<Snapshot, sqlx::Error> {
    let mut tx = conn.begin_with(BEGIN_SNAPSHOT).await?;
    let positions = positions(&mut tx).await?;
    let total: i64 = sqlx::query_scalar(STORED_TOTAL).fetch_one(&mut *tx).await?;
    let hours: Vec<HourRow> = sqlx::query_as(HOURS)
        .bind(from_hour.saturating_mul(60))
        .fetch_all(&mut *tx)
        .await?;
    let recent: Vec<RecentRow> = sqlx::query_as(RECENT)
        .bind(RECENT_ORDERS as i64)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    let mut names = Names::default();
    Ok(Snapshot {
        positions,
        stored_total: count(total),
        hours: hours.into_iter().map(|row| hour_cell(row, &mut names)).collect(),
        recent: recent.into_iter().map(|row| recent_order(row, &mut names)).collect(),
    })
}
