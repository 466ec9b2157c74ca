//! The transaction that stores a batch: each statement and each returned row crosses from SQLite's thread, so there are
//! few of either.

use std::io::Write;

use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::ports::{Claim, Receipt, ShardId, StoreError};
use sqlx::{FromRow, SqliteConnection};

use super::errors::classify;
use crate::adapters::catalog::Catalog;
use crate::adapters::commit::{Statements, Work, Written, commit as commit_batch};
use crate::adapters::repeats::Repeats;
use crate::adapters::rows::{ClaimedRow, FoundRow, Payload, cells, claim_of, off_catalog, payloads};

const CLAIM: &str = "INSERT INTO shards AS s (source, slot, epoch, seq, next_offset) VALUES (?1, ?2, 1, 0, ?3)
    ON CONFLICT (source, slot) DO UPDATE
    SET epoch = epoch + 1, next_offset = coalesce(?3, next_offset), mark = CASE WHEN ?3 IS NULL THEN mark END
    RETURNING id, epoch, seq, next_offset, mark";

/// All of it at once, for orders that are not stored yet: each crossing to SQLite's thread and back waits for whatever else
/// the processors have to do. An order that is stored already rolls the transaction back. In turn:
///
/// It takes the write lock, passes the fence, and tells the first free id. It inserts the records of [`pack`], which SQLite
/// numbers as they come: one statement for batches of every size, which SQLite reads 1.5 times as fast as the same rows in
/// JSON. It adds sums to the rollups, and commits. What follows the fence asks for the epoch too, as nothing can stop it.
///
/// Parameters have the `$` of names: where a statement skips some of the `?` of numbers, sqlx counts wrong.
const COMMIT_NEW: &str = "BEGIN IMMEDIATE;
    UPDATE shards SET seq = seq + 1,
        next_offset = coalesce($8, next_offset), mark = coalesce($9, mark),
        records = records + $10, repeated = repeated + $11, dead_lettered = dead_lettered + $12
    WHERE id = $1 AND epoch = $2
    RETURNING seq, (SELECT coalesce(max(id), 0) + 1 FROM order_rows);

    WITH RECURSIVE record (place, at) AS (
        SELECT 0, 1 FROM shards WHERE id = $1 AND epoch = $2 AND $3 > 0
        UNION ALL SELECT place + 1, at + 59 FROM record WHERE place + 1 < $3
    )
    INSERT OR ROLLBACK INTO order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
    SELECT substr($4, at, 16), CAST(substr($4, at + 16, 20) AS INTEGER),
        CAST(substr($4, at + 36, 11) AS INTEGER), CAST(substr($4, at + 47, 6) AS INTEGER),
        CAST(substr($4, at + 53, 6) AS INTEGER)
    FROM record WHERE true;

    INSERT INTO rollups (shard, minute, store_id, drink_id, orders, cents)
    SELECT shards.id, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM shards, json_each($5) WHERE shards.id = $1 AND shards.epoch = $2
    ON CONFLICT (shard, minute, store_id, drink_id)
    DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;

    INSERT INTO shard_totals (shard, orders, cents)
    SELECT id, $6, $7 FROM shards WHERE id = $1 AND epoch = $2
    ON CONFLICT (shard) DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;
    COMMIT";

/// Bytes of one record that [`COMMIT_NEW`] takes apart.
const RECORD_BYTES: usize = 16 + 20 + 11 + 6 + 6;
const _: () = assert!(RECORD_BYTES == 59);

const FIND: &str = "SELECT o.id, o.message_id, o.drink_id, o.store_id, o.price_cents, o.ordered_us
    FROM json_each(?) AS wanted JOIN order_rows AS o ON o.message_id = unhex(wanted.value)";
const EPOCH: &str = "SELECT epoch FROM shards WHERE id = ?";

/// Raises the epoch of a slot's shard, and moves its position where one is given.
pub(super) async fn claim(
    conn: &mut SqliteConnection,
    source: &str,
    slot: i32,
    next_offset: Option<i64>,
) -> Result<Claim, StoreError> {
    let claimed = sqlx::query_as(CLAIM).bind(source).bind(slot).bind(next_offset);
    let row: ClaimedRow = claimed.fetch_one(conn).await.map_err(|error| classify(&error))?;
    Ok(claim_of(row))
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
    commit_batch(conn, repeats, claim, batch, &payloads).await
}

impl Statements for SqliteConnection {
    type Failure = StoreError;

    async fn find(&mut self, batch: &OrderBatch) -> Result<Vec<FoundRow>, StoreError> {
        let ids = batch.orders().iter().map(|order| order.message_id.simple().to_string());
        let wanted = json(&ids.collect::<Vec<_>>())?;
        let rows = sqlx::query_as(FIND).bind(wanted).fetch_all(self).await;
        rows.map_err(|error| classify(&error))
    }

    async fn epoch(&mut self, shard: ShardId) -> Result<Option<i64>, StoreError> {
        let epoch = sqlx::query_scalar(EPOCH).bind(shard.0).fetch_optional(self).await;
        epoch.map_err(|error| classify(&error))
    }

    async fn write(&mut self, claim: Claim, work: &Work<'_>) -> Result<Written, StoreError> {
        let (packed, sums, moves) = (pack(work)?, Sums::of(work.counted())?, work.moves()?);
        let orders = i64::try_from(packed.len() / RECORD_BYTES).unwrap_or(i64::MAX);
        let statement = sqlx::query(COMMIT_NEW)
            .bind(claim.shard.0)
            .bind(claim.epoch)
            .bind(orders)
            .bind(packed)
            .bind(sums.cells)
            .bind(sums.orders)
            .bind(sums.cents)
            .bind(moves.next_offset)
            .bind(moves.mark)
            .bind(moves.records)
            .bind(moves.repeated)
            .bind(moves.dead_lettered);
        // All rows are asked for: after the first one, SQLite would be left in the middle of the statement.
        let rows = match statement.fetch_all(self).await {
            Ok(rows) => rows,
            Err(error) if is_repeat(&error) => return Ok(Written::Clashed),
            Err(error) => return Err(classify(&error)),
        };
        let Some(row) = rows.first() else {
            return Ok(Written::Fenced);
        };
        let (seq, first_id): (i64, i64) = FromRow::from_row(row).map_err(|error| classify(&error))?;
        Ok(Written::Committed {
            seq,
            ids: (first_id..first_id + orders).collect(),
        })
    }
}

/// Whether an order was stored already.
fn is_repeat(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    database.is_some_and(|error| error.is_unique_violation())
}

/// What a batch adds to the rollups.
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

/// The new orders as one parameter: records of 16 bytes of id and four decimal numbers, each as wide as its type can be.
fn pack(work: &Work<'_>) -> Result<Vec<u8>, StoreError> {
    let orders = work.new_orders();
    let mut packed = Vec::with_capacity(orders.size_hint().1.unwrap_or_default() * RECORD_BYTES);
    for (message_id, payload) in orders {
        let Payload {
            drink,
            store,
            cents,
            ordered_us,
        } = payload;
        packed.extend_from_slice(message_id.as_bytes());
        let written = write!(packed, "{ordered_us:020}{cents:011}{drink:06}{store:06}");
        written.map_err(|error| StoreError::Refused(error.to_string()))?;
    }
    Ok(packed)
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}
