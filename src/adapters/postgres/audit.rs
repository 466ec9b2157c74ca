//! The recount: raw orders against rollups and totals, in one snapshot and inside the server.

use std::time::Duration;

use coffee_rt_actors::ports::{AuditReport, StoreError};
use sqlx::{Connection, PgConnection};

use super::Core;
use super::errors::classify;
use super::reader::BEGIN_SNAPSHOT;
use crate::adapters::audit::{AUDIT_ROWS, Recount};
use crate::adapters::within;

/// How long a recount may take: 10 million orders need well under a minute.
pub const AUDIT_TIMEOUT: Duration = Duration::from_secs(900);

/// Memory of one sort or hash of the recount; what does not fit goes to the server's temporary files.
const AUDIT_SETTINGS: [(&str, &str); 2] = [("statement_timeout", "900000"), ("work_mem", "64MB")];

const RAW: &str = "SELECT count(*), coalesce(sum(price_cents), 0)::bigint FROM coffee_rt.order_rows";
const TOTALS: &str =
    "SELECT coalesce(sum(orders), 0)::bigint, coalesce(sum(cents), 0)::bigint FROM coffee_rt.shard_totals";
const SIZES: &str = "SELECT (SELECT count(*) FROM coffee_rt.rollups), (SELECT count(*) FROM coffee_rt.shards)";

const CELLS: &str = "WITH raw AS (
        SELECT ordered_us / 60000000 AS minute, store_id, drink_id, count(*) AS orders, sum(price_cents) AS cents
        FROM coffee_rt.order_rows GROUP BY 1, 2, 3
    ), recorded AS (
        SELECT minute, store_id, drink_id, sum(orders)::bigint AS orders, sum(cents)::bigint AS cents
        FROM coffee_rt.rollups GROUP BY 1, 2, 3
    ), compared AS (
        SELECT minute, store_id, drink_id,
            coalesce(a.orders, 0) AS raw_orders, coalesce(a.cents, 0) AS raw_cents,
            coalesce(b.orders, 0) AS orders, coalesce(b.cents, 0) AS cents
        FROM raw AS a FULL JOIN recorded AS b USING (minute, store_id, drink_id)
    )
    SELECT minute, coalesce(s.name, 'store ' || store_id), coalesce(d.name, 'drink ' || drink_id),
        raw_orders, raw_cents, orders, cents, count(*) OVER ()
    FROM compared
    LEFT JOIN coffee_rt.stores AS s ON s.id = store_id
    LEFT JOIN coffee_rt.drinks AS d ON d.id = drink_id
    WHERE raw_orders <> orders OR raw_cents <> cents
    ORDER BY 1, 2, 3 LIMIT $1";

const SHARDS: &str = "WITH rolled AS (
        SELECT shard, sum(orders)::bigint AS orders, sum(cents)::bigint AS cents FROM coffee_rt.rollups GROUP BY shard
    ), compared AS (
        SELECT h.source, h.slot::bigint AS slot, coalesce(r.orders, 0) AS rolled_orders,
            coalesce(r.cents, 0) AS rolled_cents, coalesce(t.orders, 0) AS orders, coalesce(t.cents, 0) AS cents
        FROM coffee_rt.shards AS h
        LEFT JOIN rolled AS r ON r.shard = h.id
        LEFT JOIN coffee_rt.shard_totals AS t ON t.shard = h.id
    )
    SELECT source, slot, rolled_orders, rolled_cents, orders, cents, count(*) OVER ()
    FROM compared WHERE rolled_orders <> orders OR rolled_cents <> cents
    ORDER BY 1, 2 LIMIT $1";

const DUPLICATES: &str = "SELECT message_id::text, count(*), count(*) OVER ()
    FROM coffee_rt.order_rows GROUP BY message_id HAVING count(*) > 1 ORDER BY 1 LIMIT $1";

impl Core {
    pub(super) async fn audit(&self) -> Result<AuditReport, StoreError> {
        self.prepare().await?;
        // A connection of its own: a long recount must not take one from the reads.
        let mut conn = self.connect(&AUDIT_SETTINGS).await?;
        let work = async { recount(&mut conn).await.map_err(|error| classify(&error).error) };
        Ok(within(AUDIT_TIMEOUT, "audit", work).await?.report())
    }
}

async fn recount(conn: &mut PgConnection) -> Result<Recount, sqlx::Error> {
    let mut tx = conn.begin_with(BEGIN_SNAPSHOT).await?;
    let raw = sqlx::query_as(RAW).fetch_one(&mut *tx).await?;
    let totals = sqlx::query_as(TOTALS).fetch_one(&mut *tx).await?;
    let (rollup_rows, shards) = sqlx::query_as(SIZES).fetch_one(&mut *tx).await?;
    let cells = sqlx::query_as(CELLS).bind(AUDIT_ROWS).fetch_all(&mut *tx).await?;
    let by_shard = sqlx::query_as(SHARDS).bind(AUDIT_ROWS).fetch_all(&mut *tx).await?;
    let duplicates = sqlx::query_as(DUPLICATES).bind(AUDIT_ROWS).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(Recount {
        raw,
        totals,
        rollup_rows,
        shards,
        cells,
        by_shard,
        duplicates,
    })
}
