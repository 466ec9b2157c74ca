//! Reads of one snapshot, which don't wait for the writer.

use std::collections::BTreeMap;

use coffee_rt_actors::ports::{Horizon, RECENT_ORDERS, ShardId, Snapshot, StoreError};
use sqlx::{Connection, SqliteConnection};

use super::Core;
use super::errors::classify;
use crate::adapters::migrations::Applied;
use crate::adapters::rows::SnapshotRows;

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
const HAS_MIGRATIONS: &str = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
const MIGRATIONS: &str = "SELECT version, description, strftime('%Y-%m-%dT%H:%M:%SZ', installed_on)
    FROM _sqlx_migrations WHERE success";
const POSITIONS: &str = "SELECT id, seq FROM shards";
const LOG_POSITIONS: &str = "SELECT slot, next_offset FROM shards WHERE source = ? AND next_offset IS NOT NULL";
const STORED_TOTAL: &str = "SELECT coalesce(sum(orders), 0) FROM shard_totals";
/// The cross join fixes the order: for each shard the primary key finds the minutes.
const HOURS: &str = "SELECT c.hour, s.name, d.name, c.orders, c.cents
    FROM (
        SELECT r.minute / 60 AS hour, r.store_id, r.drink_id, sum(r.orders) AS orders, sum(r.cents) AS cents
        FROM shards AS h CROSS JOIN rollups AS r ON r.shard = h.id AND r.minute >= ?
        GROUP BY 1, 2, 3
    ) AS c
    JOIN stores AS s ON s.id = c.store_id
    JOIN drinks AS d ON d.id = c.drink_id
    ORDER BY 1, 2, 3";
const MINUTES: &str = "SELECT r.minute, sum(r.orders), sum(r.cents)
    FROM shards AS h CROSS JOIN rollups AS r ON r.shard = h.id AND r.minute >= ?
    GROUP BY 1 ORDER BY 1";
const RECENT: &str = "SELECT o.id, d.name, s.name, o.price_cents, o.ordered_us
    FROM (SELECT * FROM order_rows ORDER BY id DESC LIMIT ?) AS o
    JOIN stores AS s ON s.id = o.store_id
    JOIN drinks AS d ON d.id = o.drink_id
    ORDER BY o.id DESC";

impl Core {
    /// The last migration of the file.
    pub(super) async fn version(&self) -> Result<i64, StoreError> {
        let version = sqlx::query_scalar(VERSION).fetch_one(&self.reads).await;
        version.map_err(|error| classify(&error))
    }

    /// All migrations of the file.
    pub(super) async fn migrations(&self) -> Result<Vec<Applied>, StoreError> {
        let read = async {
            let listed: i64 = sqlx::query_scalar(HAS_MIGRATIONS).fetch_one(&self.reads).await?;
            if listed == 0 {
                return Ok(Vec::new());
            }
            sqlx::query_as(MIGRATIONS).fetch_all(&self.reads).await
        };
        read.await.map_err(|error| classify(&error))
    }

    pub(super) async fn positions(&self) -> Result<BTreeMap<ShardId, i64>, StoreError> {
        let read = async { positions(&mut *self.reads.acquire().await?).await };
        read.await.map_err(|error| classify(&error))
    }

    pub(super) async fn log_positions(&self, source: &str) -> Result<BTreeMap<i32, i64>, StoreError> {
        let rows: Result<Vec<_>, _> = sqlx::query_as(LOG_POSITIONS).bind(source).fetch_all(&self.reads).await;
        Ok(rows.map_err(|error| classify(&error))?.into_iter().collect())
    }

    pub(super) async fn snapshot(&self, horizon: Horizon) -> Result<Snapshot, StoreError> {
        let read = async { snapshot(&mut *self.reads.acquire().await?, horizon).await };
        read.await.map_err(|error| classify(&error))
    }
}

async fn positions(conn: &mut SqliteConnection) -> Result<BTreeMap<ShardId, i64>, sqlx::Error> {
    let rows: Vec<(i32, i64)> = sqlx::query_as(POSITIONS).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(shard, seq)| (ShardId(shard), seq)).collect())
}

async fn snapshot(conn: &mut SqliteConnection, horizon: Horizon) -> Result<Snapshot, sqlx::Error> {
    let mut tx = conn.begin().await?;
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
