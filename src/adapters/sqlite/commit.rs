//! The transaction that stores a batch: each statement and each returned row crosses from SQLite's thread, so there are
//! few of either.

use std::io::Write;

use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::drill;
use coffee_rt_actors::ports::{Claim, Outcome, Receipt, ShardId, StoreError};
use sqlx::sqlite::SqliteArguments;
use sqlx::{FromRow, Sqlite, SqliteConnection};

use super::errors::classify;
use crate::adapters::catalog::Catalog;
use crate::adapters::repeats::Repeats;
use crate::adapters::rows::{FoundRow, Outcomes, Payload, cells, off_catalog, payloads};

const CLAIM: &str = "INSERT INTO shards (source, slot, epoch, seq) VALUES (?, ?, 1, 0)
    ON CONFLICT (source, slot) DO UPDATE SET epoch = epoch + 1 RETURNING id, epoch, seq";

/// Takes the write lock, passes the fence, and tells the first free id.
macro_rules! begin_sql {
    () => {
        "BEGIN IMMEDIATE;
        UPDATE shards SET seq = seq + 1 WHERE id = ?1 AND epoch = ?2
        RETURNING seq, (SELECT coalesce(max(id), 0) + 1 FROM order_rows);"
    };
}
const BEGIN: &str = begin_sql!();

/// Inserts the records of [`pack`], where the fence was passed; SQLite numbers them as they come. One statement for
/// batches of every size, which SQLite reads 1.5 times as fast as the same rows in JSON.
macro_rules! insert_sql {
    ($insert:literal) => {
        concat!(
            "WITH RECURSIVE record (place, at) AS (
                SELECT 0, 1 FROM shards WHERE id = ?1 AND epoch = ?2 AND ?3 > 0
                UNION ALL SELECT place + 1, at + 59 FROM record WHERE place + 1 < ?3
            ) ",
            $insert,
            " INTO order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
            SELECT substr(?4, at, 16), CAST(substr(?4, at + 16, 20) AS INTEGER),
                CAST(substr(?4, at + 36, 11) AS INTEGER), CAST(substr(?4, at + 47, 6) AS INTEGER),
                CAST(substr(?4, at + 53, 6) AS INTEGER)
            FROM record WHERE true"
        )
    };
}
const INSERT_ANY: &str = concat!(insert_sql!("INSERT"), " ON CONFLICT (message_id) DO NOTHING");

/// Bytes of one record that [`insert_sql`] takes apart.
const RECORD_BYTES: usize = 16 + 20 + 11 + 6 + 6;
const _: () = assert!(RECORD_BYTES == 59);

/// Adds sums to the rollups, where the fence was passed, and commits.
macro_rules! count_sql {
    () => {
        "INSERT INTO rollups (shard, minute, store_id, drink_id, orders, cents)
        SELECT shards.id, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
        FROM shards, json_each(?5) WHERE shards.id = ?1 AND shards.epoch = ?2
        ON CONFLICT (shard, minute, store_id, drink_id)
        DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;
        INSERT INTO shard_totals (shard, orders, cents)
        SELECT id, ?6, ?7 FROM shards WHERE id = ?1 AND epoch = ?2
        ON CONFLICT (shard) DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;
        COMMIT"
    };
}
const COUNT: &str = count_sql!();

/// All of it at once, for orders that are all new, as nearly all are: each crossing to SQLite's thread and back waits for
/// whatever else the processors have to do. A repeated order rolls the transaction back.
const COMMIT_NEW: &str = concat!(begin_sql!(), insert_sql!("INSERT OR ROLLBACK"), ";", count_sql!());

const FIND: &str = "SELECT o.id, o.message_id, o.drink_id, o.store_id, o.price_cents, o.ordered_us
    FROM json_each(?) AS wanted JOIN order_rows AS o ON o.message_id = unhex(wanted.value)";

/// Raises the epoch of a slot's shard.
pub(super) async fn claim(conn: &mut SqliteConnection, source: &str, slot: i32) -> Result<Claim, StoreError> {
    let row = sqlx::query_as(CLAIM).bind(source).bind(slot).fetch_one(conn).await;
    let (shard, epoch, seq): (i32, i64, i64) = row.map_err(|error| classify(&error))?;
    Ok(Claim {
        shard: ShardId(shard),
        epoch,
        seq,
    })
}

/// Stores a batch. After an error a transaction may be open: the caller rolls it back or drops the connection.
pub(super) async fn commit(
    conn: &mut SqliteConnection,
    catalog: &Catalog,
    repeats: &Repeats,
    claim: Claim,
    batch: &OrderBatch,
) -> Result<Receipt, StoreError> {
    let payloads = payloads(batch, catalog)?.ok_or_else(|| off_catalog(batch, catalog))?;
    if repeats.are_unlikely() {
        let sums = Sums::of(payloads.iter())?;
        match begin(conn, COMMIT_NEW, claim, pack(batch, &payloads)?, sums).await {
            Ok(begun) => {
                let (seq, first_id) = begun.ok_or(StoreError::Fenced)?;
                let outcomes = all_stored(first_id, batch);
                return Ok(Receipt { seq, outcomes });
            }
            Err(error) if is_repeat(&error) => repeats.seen(),
            Err(error) => return Err(classify(&error)),
        }
    }
    commit_any(conn, claim, batch, &payloads).await
}

/// Stores a batch in which some orders may be stored already.
async fn commit_any(
    conn: &mut SqliteConnection,
    claim: Claim,
    batch: &OrderBatch,
    payloads: &[Payload],
) -> Result<Receipt, StoreError> {
    let begun = begin(conn, BEGIN, claim, Vec::new(), Sums::default()).await;
    let begun = begun.map_err(|error| classify(&error))?;
    let (seq, first_id) = begun.ok_or(StoreError::Fenced)?;
    let inserted = statement(INSERT_ANY, claim, pack(batch, payloads)?, Sums::default()).execute(&mut *conn);
    let inserted = inserted.await.map_err(|error| classify(&error))?.rows_affected();
    let outcomes = if usize::try_from(inserted) == Ok(payloads.len()) {
        all_stored(first_id, batch)
    } else {
        look_up(conn, first_id, batch, payloads).await?
    };
    let counts = |outcome: &Outcome| matches!(outcome, Outcome::Stored { .. }) || drill::count_conflicts();
    let counted = payloads.iter().zip(&outcomes).filter(|(_, outcome)| counts(outcome));
    let sums = Sums::of(counted.map(|(payload, _)| payload))?;
    let count = statement(COUNT, claim, Vec::new(), sums).execute(conn);
    count.await.map_err(|error| classify(&error))?;
    Ok(Receipt { seq, outcomes })
}

/// Runs statements that begin a transaction: the new `seq` and the first free id, none for a stale epoch.
async fn begin(
    conn: &mut SqliteConnection,
    sql: &'static str,
    claim: Claim,
    packed: Vec<u8>,
    sums: Sums,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    // All rows are asked for: after the first one, SQLite would be left in the middle of the statement.
    let rows = statement(sql, claim, packed, sums).fetch_all(conn).await?;
    rows.first().map(FromRow::from_row).transpose()
}

/// Whether an order was stored already.
fn is_repeat(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    database.is_some_and(|error| error.is_unique_violation())
}

/// A statement with the parameters of all statements here.
fn statement(
    sql: &'static str,
    claim: Claim,
    packed: Vec<u8>,
    sums: Sums,
) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(sql)
        .bind(claim.shard.0)
        .bind(claim.epoch)
        .bind(i64::try_from(packed.len() / RECORD_BYTES).unwrap_or(i64::MAX))
        .bind(packed)
        .bind(sums.cells)
        .bind(sums.orders)
        .bind(sums.cents)
}

/// What a batch adds to the rollups.
#[derive(Default)]
struct Sums {
    /// `[[minute, store, drink, orders, cents], …]`
    cells: String,
    orders: i64,
    cents: i64,
}

impl Sums {
    fn of<'a>(payloads: impl Iterator<Item = &'a Payload>) -> Result<Self, StoreError> {
        let cells = cells(payloads);
        let rows: Vec<_> = cells
            .iter()
            .map(|(key, sum)| (key.0, key.1, key.2, sum.0, sum.1))
            .collect();
        Ok(Self {
            cells: json(&rows)?,
            orders: cells.values().map(|sum| sum.0).sum(),
            cents: cells.values().map(|sum| sum.1).sum(),
        })
    }
}

/// The outcomes of a batch whose orders were all new: SQLite numbers rows as they come.
fn all_stored(first_id: i64, batch: &OrderBatch) -> Vec<Outcome> {
    (first_id..)
        .take(batch.orders().len())
        .map(|id| Outcome::Stored { id })
        .collect()
}

async fn look_up(
    conn: &mut SqliteConnection,
    first_id: i64,
    batch: &OrderBatch,
    payloads: &[Payload],
) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = Outcomes::new(batch);
    for row in find(conn, batch).await? {
        let (id, message_id, ..) = row;
        if id >= first_id {
            outcomes.inserted(id, message_id)?;
        } else {
            outcomes.found(row, payloads);
        }
    }
    outcomes.complete()
}

async fn find(conn: &mut SqliteConnection, batch: &OrderBatch) -> Result<Vec<FoundRow>, StoreError> {
    let ids: Vec<_> = batch
        .orders()
        .iter()
        .map(|order| order.message_id.simple().to_string())
        .collect();
    sqlx::query_as(FIND)
        .bind(json(&ids)?)
        .fetch_all(conn)
        .await
        .map_err(|error| classify(&error))
}

/// The batch as one parameter: records of 16 bytes of id and four decimal numbers, each as wide as its type can be.
fn pack(batch: &OrderBatch, payloads: &[Payload]) -> Result<Vec<u8>, StoreError> {
    let mut packed = Vec::with_capacity(payloads.len() * RECORD_BYTES);
    for (
        order,
        Payload {
            drink,
            store,
            cents,
            ordered_us,
        },
    ) in batch.orders().iter().zip(payloads)
    {
        packed.extend_from_slice(order.message_id.as_bytes());
        let written = write!(packed, "{ordered_us:020}{cents:011}{drink:06}{store:06}");
        written.map_err(|error| StoreError::Refused(error.to_string()))?;
    }
    Ok(packed)
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}
