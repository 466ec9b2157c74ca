//! The recount: raw orders against rollups and totals, in one snapshot and inside SQLite.

use coffee_rt_actors::ports::{AuditReport, StoreError};
use sqlx::{Connection, SqliteConnection};

use super::errors::classify;
use super::{Core, connect, read_options};
use crate::adapters::audit::{AUDIT_ROWS, Recount};

/// Memory of a recount's sorts, in KiB; what does not fit goes to temporary files.
const AUDIT_CACHE_KIB: &str = "-65536";

const RAW: &str = "SELECT count(*), coalesce(sum(price_cents), 0) FROM order_rows";
const TOTALS: &str = "SELECT coalesce(sum(orders), 0), coalesce(sum(cents), 0) FROM shard_totals";
/// Rollup rows, shards, and what the shards say of their partitions' records.
const SIZES: &str = "SELECT (SELECT count(*) FROM rollups), count(*), coalesce(sum(records), 0),
        coalesce(sum(dead_lettered), 0)
    FROM shards";

/// Both sides are added up under their keys rather than joined: one sort, whatever the size.
const CELLS: &str = "WITH both_sides AS (
        SELECT ordered_us / 60000000 AS minute, store_id, drink_id,
            count(*) AS raw_orders, sum(price_cents) AS raw_cents, 0 AS orders, 0 AS cents
        FROM order_rows GROUP BY 1, 2, 3
        UNION ALL
        SELECT minute, store_id, drink_id, 0, 0, orders, cents FROM rollups
    ), compared AS (
        SELECT minute, store_id, drink_id, sum(raw_orders) AS raw_orders, sum(raw_cents) AS raw_cents,
            sum(orders) AS orders, sum(cents) AS cents
        FROM both_sides GROUP BY 1, 2, 3
        HAVING sum(raw_orders) <> sum(orders) OR sum(raw_cents) <> sum(cents)
    )
    SELECT minute, coalesce(s.name, 'store ' || store_id), coalesce(d.name, 'drink ' || drink_id),
        raw_orders, raw_cents, orders, cents, count(*) OVER ()
    FROM compared
    LEFT JOIN stores AS s ON s.id = store_id
    LEFT JOIN drinks AS d ON d.id = drink_id
    ORDER BY 1, 2, 3 LIMIT ?";

const SHARDS: &str = "WITH rolled AS (
        SELECT shard, sum(orders) AS orders, sum(cents) AS cents FROM rollups GROUP BY shard
    ), compared AS (
        SELECT h.source, h.slot, coalesce(r.orders, 0) AS rolled_orders, coalesce(r.cents, 0) AS rolled_cents,
            coalesce(t.orders, 0) AS orders, coalesce(t.cents, 0) AS cents
        FROM shards AS h
        LEFT JOIN rolled AS r ON r.shard = h.id
        LEFT JOIN shard_totals AS t ON t.shard = h.id
    )
    SELECT source, slot, rolled_orders, rolled_cents, orders, cents, count(*) OVER ()
    FROM compared WHERE rolled_orders <> orders OR rolled_cents <> cents
    ORDER BY 1, 2 LIMIT ?";

const RECORDS: &str = "WITH compared AS (
        SELECT h.source, h.slot, h.records, coalesce(t.orders, 0) AS orders, h.repeated, h.dead_lettered
        FROM shards AS h LEFT JOIN shard_totals AS t ON t.shard = h.id
        WHERE h.records <> 0 OR h.repeated <> 0 OR h.dead_lettered <> 0
    )
    SELECT source, slot, records, orders, repeated, dead_lettered, count(*) OVER ()
    FROM compared WHERE records <> orders + repeated + dead_lettered
    ORDER BY 1, 2 LIMIT ?";

const DUPLICATES: &str = "SELECT lower(hex(message_id)), count(*), count(*) OVER ()
    FROM order_rows GROUP BY message_id HAVING count(*) > 1 ORDER BY 1 LIMIT ?";

impl Core {
    pub(super) async fn audit(&self) -> Result<AuditReport, StoreError> {
        // A connection of its own: a long recount must not take one from the reads.
        let mut conn = connect(&read_options(&self.path).pragma("cache_size", AUDIT_CACHE_KIB)).await?;
        Ok(recount(&mut conn).await.map_err(|error| classify(&error))?.report())
    }
}

async fn recount(conn: &mut SqliteConnection) -> Result<Recount, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let raw = sqlx::query_as(RAW).fetch_one(&mut *tx).await?;
    let totals = sqlx::query_as(TOTALS).fetch_one(&mut *tx).await?;
    let (rollup_rows, shards, records, dead_lettered) = sqlx::query_as(SIZES).fetch_one(&mut *tx).await?;
    let cells = sqlx::query_as(CELLS).bind(AUDIT_ROWS).fetch_all(&mut *tx).await?;
    let by_shard = sqlx::query_as(SHARDS).bind(AUDIT_ROWS).fetch_all(&mut *tx).await?;
    let by_partition = sqlx::query_as(RECORDS).bind(AUDIT_ROWS).fetch_all(&mut *tx).await?;
    let duplicates = sqlx::query_as(DUPLICATES).bind(AUDIT_ROWS).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(Recount {
        raw,
        totals,
        rollup_rows,
        shards,
        records,
        dead_lettered,
        cells,
        by_shard,
        by_partition,
        duplicates,
    })
}
