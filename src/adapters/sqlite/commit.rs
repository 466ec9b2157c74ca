//! The transaction that stores a batch: each statement crosses to SQLite's thread and back, so there are few.

use std::fmt::Write;

use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::ports::{Claim, Receipt, ShardId, StoreError};
use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Either, Executor, Row, SqliteConnection};
use uuid::Uuid;

use super::errors::classify;
use crate::adapters::catalog::Catalog;
use crate::adapters::drills;
use crate::adapters::rows::{Found, Outcomes, Payload, cells, off_catalog, payloads};

const CLAIM: &str = "INSERT INTO shards (source, slot, epoch, seq) VALUES (?, ?, 1, 0)
    ON CONFLICT (source, slot) DO UPDATE SET epoch = epoch + 1 RETURNING id, epoch, seq";

/// Where the fence returns no row the caller rolls all of it back.
const INSERT: &str = "BEGIN IMMEDIATE;
    UPDATE shards SET seq = seq + 1 WHERE id = ?1 AND epoch = ?2 RETURNING seq;
    INSERT INTO order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?3) WHERE true
    ON CONFLICT (message_id) DO NOTHING
    RETURNING id, message_id";

const COUNT: &str = "INSERT INTO rollups (shard, minute, store_id, drink_id, orders, cents)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?2) WHERE true
    ON CONFLICT (shard, minute, store_id, drink_id)
    DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;
    INSERT INTO shard_totals (shard, orders, cents) VALUES (?1, ?3, ?4)
    ON CONFLICT (shard) DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;
    COMMIT";

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
    claim: Claim,
    batch: &OrderBatch,
) -> Result<Receipt, StoreError> {
    let payloads = payloads(batch, catalog)?.ok_or_else(|| off_catalog(batch, catalog))?;
    let mut outcomes = Outcomes::new(batch);
    let seq = insert(conn, claim, batch, &payloads, &mut outcomes).await?;
    let missing = outcomes.missing();
    if !missing.is_empty() {
        find(conn, batch, &payloads, &missing, &mut outcomes)
            .await
            .map_err(|error| classify(&error))?;
    }
    let counted = payloads.iter().enumerate();
    let counted = counted.filter(|(place, _)| drills::counts_conflicts() || missing.binary_search(place).is_err());
    let cells = cells(counted.map(|(_, payload)| payload));
    let (orders, cents) = cells
        .values()
        .fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
    let rows: Vec<_> = cells
        .iter()
        .map(|(key, sum)| (key.0, key.1, key.2, sum.0, sum.1))
        .collect();
    let rows = serde_json::to_string(&rows).map_err(|error| StoreError::Refused(error.to_string()))?;
    let count = sqlx::query(COUNT)
        .bind(claim.shard.0)
        .bind(rows)
        .bind(orders)
        .bind(cents);
    count.execute(conn).await.map_err(|error| classify(&error))?;
    Ok(Receipt {
        seq,
        outcomes: outcomes.complete()?,
    })
}

async fn insert(
    conn: &mut SqliteConnection,
    claim: Claim,
    batch: &OrderBatch,
    payloads: &[Payload],
    outcomes: &mut Outcomes<'_>,
) -> Result<i64, StoreError> {
    let statement = sqlx::query(INSERT)
        .bind(claim.shard.0)
        .bind(claim.epoch)
        .bind(input(batch, payloads));
    let mut results = conn.fetch_many(statement);
    let mut seq = None;
    while let Some(result) = results.try_next().await.map_err(|error| classify(&error))? {
        match result {
            Either::Right(row) if row.len() == 1 => seq = Some(column(&row, 0)?),
            Either::Right(row) => outcomes.inserted(column(&row, 0)?, column(&row, 1)?)?,
            Either::Left(_) => {}
        }
    }
    seq.ok_or(StoreError::Fenced)
}

async fn find(
    conn: &mut SqliteConnection,
    batch: &OrderBatch,
    payloads: &[Payload],
    missing: &[usize],
    outcomes: &mut Outcomes<'_>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = missing
        .iter()
        .map(|place| batch.orders()[*place].message_id.simple().to_string())
        .collect();
    let ids = serde_json::to_string(&ids).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let rows: Vec<(i64, Uuid, i16, i16, i32, i64)> = sqlx::query_as(FIND).bind(ids).fetch_all(conn).await?;
    for (id, message_id, drink, store, cents, ordered_us) in rows {
        let payload = Payload {
            drink,
            store,
            cents,
            ordered_us,
        };
        outcomes.found(
            &Found {
                id,
                message_id,
                payload,
            },
            payloads,
        );
    }
    Ok(())
}

/// The batch as one JSON parameter: `[["018f…",microseconds,cents,drink,store],…]`.
fn input(batch: &OrderBatch, payloads: &[Payload]) -> String {
    let mut json = String::with_capacity(batch.orders().len() * 80 + 2);
    json.push('[');
    for (order, payload) in batch.orders().iter().zip(payloads) {
        let Payload {
            drink,
            store,
            cents,
            ordered_us,
        } = payload;
        let separator = if json.len() > 1 { "," } else { "" };
        let id = order.message_id.simple();
        // Writing to a String cannot fail.
        let _ = write!(json, "{separator}[\"{id}\",{ordered_us},{cents},{drink},{store}]");
    }
    json.push(']');
    json
}

fn column<'r, T>(row: &'r SqliteRow, index: usize) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(index).map_err(|error| classify(&error))
}
