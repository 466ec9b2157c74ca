//! Millions of orders with their rollups, written by the engine itself.

use std::path::Path;

use coffee_rt_actors::domain::Instant;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

/// The orders are spread evenly over so many days before now.
const DAYS: i64 = 30;

/// Fills a new PostgreSQL, or an SQLite file where there is none, with that many orders of one shard, so that a recount finds
/// no difference. The schema must be there.
///
/// # Errors
/// Where it cannot be written.
pub async fn fill(database_url: Option<&str>, sqlite_path: &Path, orders: u64) -> Result<(), sqlx::Error> {
    let count = i64::try_from(orders).unwrap_or(i64::MAX);
    let gap_us = DAYS * 86_400_000_000 / count.max(1);
    let first_us = Instant::now().0 - gap_us * count;
    match database_url {
        Some(url) => {
            let mut conn = PgConnection::connect(url).await?;
            let sql = AssertSqlSafe(postgres(count, first_us, gap_us));
            sqlx::raw_sql(sql).execute(&mut conn).await?;
            conn.close().await?;
        }
        None => {
            let options = SqliteConnectOptions::new()
                .filename(sqlite_path)
                .journal_mode(SqliteJournalMode::Wal)
                .create_if_missing(true);
            let mut conn = options.connect().await?;
            let sql = AssertSqlSafe(sqlite(count, first_us, gap_us));
            sqlx::raw_sql(sql).execute(&mut conn).await?;
            conn.close().await?;
        }
    }
    Ok(())
}

/// Keys grow like those of UUIDv7.
fn postgres(count: i64, first_us: i64, gap_us: i64) -> String {
    format!(
        "SET search_path TO coffee_rt;
        INSERT INTO shards (source, slot, epoch, seq) VALUES ('v1', 0, 1, 1);
        INSERT INTO order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
        SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, {first_us} + n * {gap_us},
            250 + n % 300, 1 + n % 3, 1 + n % 4
        FROM generate_series(1::bigint, {count}) AS n;
        {ROLLUPS};
        ANALYZE;
        CHECKPOINT"
    )
}

fn sqlite(count: i64, first_us: i64, gap_us: i64) -> String {
    format!(
        "PRAGMA synchronous = OFF;
        PRAGMA cache_size = -200000;
        BEGIN;
        INSERT INTO shards (source, slot, epoch, seq) VALUES ('v1', 0, 1, 1);
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
        INSERT INTO order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
        SELECT unhex(printf('00000000000070008000%012x', n)), {first_us} + n * {gap_us},
            250 + n % 300, 1 + n % 3, 1 + n % 4
        FROM numbers;
        {ROLLUPS};
        COMMIT;
        PRAGMA wal_checkpoint(TRUNCATE)"
    )
}

/// What the node would have counted.
const ROLLUPS: &str = "INSERT INTO rollups (shard, minute, store_id, drink_id, orders, cents)
        SELECT s.id, o.ordered_us / 60000000, o.store_id, o.drink_id, count(*), sum(o.price_cents)
        FROM order_rows AS o CROSS JOIN shards AS s GROUP BY 1, 2, 3, 4;
        INSERT INTO shard_totals (shard, orders, cents) SELECT shard, sum(orders), sum(cents) FROM rollups GROUP BY 1";
