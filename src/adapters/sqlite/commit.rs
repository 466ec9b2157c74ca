//! The transaction that stores a batch: each statement and each returned row crosses from SQLite's thread, so there are
//! few of either.

use std::io::Write;

use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::drill;
use coffee_rt_actors::ports::{Claim, Outcome, Receipt, ShardId, StoreError};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::errors::classify;
use crate::adapters::catalog::Catalog;
use crate::adapters::rows::{Found, Outcomes, Payload, cells, off_catalog, payloads};

const CLAIM: &str = "INSERT INTO shards (source, slot, epoch, seq) VALUES (?, ?, 1, 0)
    ON CONFLICT (source, slot) DO UPDATE SET epoch = epoch + 1 RETURNING id, epoch, seq";

/// Takes the write lock, passes the fence, and tells the first free id.
const BEGIN: &str = "BEGIN IMMEDIATE;
    UPDATE shards SET seq = seq + 1 WHERE id = ? AND epoch = ?
    RETURNING seq, (SELECT coalesce(max(id), 0) + 1 FROM order_rows)";

/// Inserts the records of [`pack`] under ids that follow their places. One statement for batches of every size, which
/// SQLite reads 1.5 times as fast as the same rows in JSON.
const INSERT: &str = "WITH RECURSIVE record (place, at) AS (
        SELECT 0, 1 WHERE ?2 > 0 UNION ALL SELECT place + 1, at + 59 FROM record WHERE place + 1 < ?2
    )
    INSERT INTO order_rows (id, message_id, ordered_us, price_cents, drink_id, store_id)
    SELECT ?1 + place, substr(?3, at, 16), CAST(substr(?3, at + 16, 20) AS INTEGER),
        CAST(substr(?3, at + 36, 11) AS INTEGER), CAST(substr(?3, at + 47, 6) AS INTEGER),
        CAST(substr(?3, at + 53, 6) AS INTEGER)
    FROM record WHERE true
    ON CONFLICT (message_id) DO NOTHING";

/// Bytes of one record that [`INSERT`] takes apart.
const RECORD_BYTES: usize = 16 + 20 + 11 + 6 + 6;
const _: () = assert!(RECORD_BYTES == 59);

const FIND: &str = "SELECT o.id, o.message_id, o.drink_id, o.store_id, o.price_cents, o.ordered_us
    FROM json_each(?) AS wanted JOIN order_rows AS o ON o.message_id = unhex(wanted.value)";

const COUNT: &str = "INSERT INTO rollups (shard, minute, store_id, drink_id, orders, cents)
    SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?2) WHERE true
    ON CONFLICT (shard, minute, store_id, drink_id)
    DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;
    INSERT INTO shard_totals (shard, orders, cents) VALUES (?1, ?3, ?4)
    ON CONFLICT (shard) DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents;
    COMMIT";

type FoundRow = (i64, Uuid, i16, i16, i32, i64);

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
    // All rows are asked for: after the first one, SQLite would be left in the middle of the statement.
    let begun = sqlx::query_as(BEGIN)
        .bind(claim.shard.0)
        .bind(claim.epoch)
        .fetch_all(&mut *conn)
        .await;
    let begun: Vec<(i64, i64)> = begun.map_err(|error| classify(&error))?;
    let (seq, first_id) = *begun.first().ok_or(StoreError::Fenced)?;
    let outcomes = insert(conn, first_id, batch, &payloads).await?;
    count(conn, claim.shard, &payloads, &outcomes).await?;
    Ok(Receipt { seq, outcomes })
}

async fn insert(
    conn: &mut SqliteConnection,
    first_id: i64,
    batch: &OrderBatch,
    payloads: &[Payload],
) -> Result<Vec<Outcome>, StoreError> {
    let records = i64::try_from(payloads.len()).unwrap_or(i64::MAX);
    let insert = sqlx::query(INSERT)
        .bind(first_id)
        .bind(records)
        .bind(pack(batch, payloads)?);
    let inserted = insert
        .execute(&mut *conn)
        .await
        .map_err(|error| classify(&error))?
        .rows_affected();
    if usize::try_from(inserted) == Ok(payloads.len()) {
        return Ok((first_id..first_id + records)
            .map(|id| Outcome::Stored { id })
            .collect());
    }
    let mut outcomes = Outcomes::new(batch);
    for (id, message_id, drink, store, cents, ordered_us) in find(conn, batch).await? {
        if id >= first_id {
            outcomes.inserted(id, message_id)?;
        } else {
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

/// Adds what was inserted to the rollups, and commits.
async fn count(
    conn: &mut SqliteConnection,
    shard: ShardId,
    payloads: &[Payload],
    outcomes: &[Outcome],
) -> Result<(), StoreError> {
    let counts = |outcome: &Outcome| matches!(outcome, Outcome::Stored { .. }) || drill::count_conflicts();
    let counted = payloads.iter().zip(outcomes).filter(|(_, outcome)| counts(outcome));
    let cells = cells(counted.map(|(payload, _)| payload));
    let (orders, cents) = cells
        .values()
        .fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
    let rows: Vec<_> = cells
        .iter()
        .map(|(key, sum)| (key.0, key.1, key.2, sum.0, sum.1))
        .collect();
    let count = sqlx::query(COUNT)
        .bind(shard.0)
        .bind(json(&rows)?)
        .bind(orders)
        .bind(cents);
    count.execute(conn).await.map(|_| ()).map_err(|error| classify(&error))
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
