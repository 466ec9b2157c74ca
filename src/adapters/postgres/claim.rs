//! Which row of `shards` a writer gets, and the epoch that makes it the only one.

use coffee_rt_actors::ports::{Claim, StoreError};
use sqlx::PgConnection;

use super::errors::{Failure, classify};
use crate::adapters::MAX_SLOTS;
use crate::adapters::rows::{ClaimedRow, claim_of};

/// Stops at the first slot whose lock it gets; sorting would lock them all.
const TAKE_SLOT: &str =
    "SELECT slot FROM generate_series(0, $2 - 1) AS slot WHERE pg_try_advisory_lock($1, slot) LIMIT 1";

/// Inserts only where there is no row, as a conflict uses up an id; there is one where two create a partition's row at once.
const RAISE_EPOCH: &str = "WITH raised AS (
        UPDATE coffee_rt.shards
        SET epoch = epoch + 1, next_offset = coalesce($3, next_offset), mark = CASE WHEN $3 IS NULL THEN mark END
        WHERE source = $1 AND slot = $2 RETURNING id, epoch, seq, next_offset, mark
    ), added AS (
        INSERT INTO coffee_rt.shards AS s (source, slot, epoch, seq, next_offset)
        SELECT $1, $2, 1, 0, $3 WHERE NOT EXISTS (SELECT FROM raised)
        ON CONFLICT (source, slot) DO UPDATE
        SET epoch = s.epoch + 1, next_offset = coalesce($3, s.next_offset), mark = CASE WHEN $3 IS NULL THEN s.mark END
        RETURNING id, epoch, seq, next_offset, mark
    )
    SELECT * FROM raised UNION ALL SELECT * FROM added";

/// Locks the lowest free slot of a source, for as long as the connection lives.
pub(super) async fn take_slot(conn: &mut PgConnection, source: &str) -> Result<i32, StoreError> {
    let taken = sqlx::query_scalar(TAKE_SLOT)
        .bind(lock_class(source))
        .bind(MAX_SLOTS)
        .fetch_optional(conn);
    let slot: Option<i32> = taken.await.map_err(|error| classify(&error).error)?;
    slot.ok_or_else(|| StoreError::Away(format!("all {MAX_SLOTS} slots of {source} are taken")))
}

/// Raises the epoch of a slot's shard, which waits for a commit under way, and moves its position where one is given.
pub(super) async fn raise_epoch(
    conn: &mut PgConnection,
    source: &str,
    slot: i32,
    next_offset: Option<i64>,
) -> Result<Claim, Failure> {
    let raised = sqlx::query_as(RAISE_EPOCH).bind(source).bind(slot).bind(next_offset);
    let row: ClaimedRow = raised.fetch_one(conn).await?;
    Ok(claim_of(row))
}

/// The first key of the advisory locks on a source's slots: FNV-1a. Sources whose keys met would skip each other's
/// slots, nothing worse.
fn lock_class(source: &str) -> i32 {
    let namespaced = b"coffee_rt/".iter().chain(source.as_bytes());
    let hash = namespaced.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    hash.cast_signed()
}
