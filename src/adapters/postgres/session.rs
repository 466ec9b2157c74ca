//! A writer's own connection: the slot that it locks, and the one statement that stores a batch.

use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::drill;
use coffee_rt_actors::ports::{Claim, Outcome, Receipt, ShardId, StoreError};
use sqlx::PgConnection;
use sqlx::postgres::PgBindIterExt;
use uuid::Uuid;

use super::Core;
use super::errors::{Failure, classify};
use crate::adapters::MAX_SLOTS;
use crate::adapters::repeats::Repeats;
use crate::adapters::rows::{FoundRow, Outcomes, Payload, cells, off_catalog, payloads};

/// How often one commit is repeated where it lost a deadlock.
const MAX_DEADLOCK_REPEATS: usize = 5;

/// Settings of a writer's connection. One plan fits all batches, and planning anew costs more than it could save.
pub(super) const SETTINGS: [(&str, &str); 2] = [("plan_cache_mode", "force_generic_plan"), ("jit", "off")];

/// Everything a commit changes, in one statement: one round trip, and no transaction left open by a paused node. What is
/// inserted depends on the fence, so that a stale epoch changes nothing.
macro_rules! commit_sql {
    (insert: $insert:expr, cells: $cells:expr, totals: $totals:expr, tell: $tell:expr $(,)?) => {
        concat!(
            "WITH fence AS (
                UPDATE coffee_rt.shards SET seq = seq + 1 WHERE id = $1 AND epoch = $2 RETURNING seq
            ), input AS (
                SELECT i.* FROM fence, unnest($3::uuid[], $4::bigint[], $5::integer[], $6::smallint[], $7::smallint[])
                    AS i (message_id, ordered_us, price_cents, drink_id, store_id)
            ), added AS (
                INSERT INTO coffee_rt.order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
                SELECT message_id, ordered_us, price_cents, drink_id, store_id FROM input ",
            $insert,
            "), cells AS (
                INSERT INTO coffee_rt.rollups AS r (shard, minute, store_id, drink_id, orders, cents) ",
            $cells,
            " ON CONFLICT (shard, minute, store_id, drink_id)
                DO UPDATE SET orders = r.orders + excluded.orders, cents = r.cents + excluded.cents
            ), totals AS (
                INSERT INTO coffee_rt.shard_totals AS t (shard, orders, cents) ",
            $totals,
            " HAVING count(*) > 0 ON CONFLICT (shard)
                DO UPDATE SET orders = t.orders + excluded.orders, cents = t.cents + excluded.cents
            )
            SELECT fence.seq, told.* FROM fence, (",
            $tell,
            ") AS told"
        )
    };
}

/// For orders that are all new, as nearly all are: a repeated one fails the statement. So what is counted can be summed up
/// beforehand, and ids come in the order of the input.
pub const COMMIT_NEW: &str = commit_sql!(
    insert: "RETURNING id",
    cells: "SELECT $1, c.* FROM fence, unnest($8::bigint[], $9::smallint[], $10::smallint[], $11::bigint[], $12::bigint[])
        AS c (minute, store_id, drink_id, orders, cents) WHERE true",
    totals: "SELECT $1, sum(orders), sum(cents) FROM fence, unnest($11::bigint[], $12::bigint[]) AS c (orders, cents)",
    tell: "SELECT array_agg(id) AS ids FROM added",
);

macro_rules! commit_any_sql {
    ($counted:literal) => {
        commit_sql!(
            insert: "ON CONFLICT (message_id) DO NOTHING
                RETURNING id, message_id, ordered_us, price_cents, drink_id, store_id",
            cells: concat!(
                "SELECT $1, ordered_us / 60000000, store_id, drink_id, count(*), sum(price_cents) FROM ",
                $counted,
                " GROUP BY 2, 3, 4"
            ),
            totals: concat!("SELECT $1, count(*), sum(price_cents) FROM ", $counted),
            tell: "SELECT array_agg(id) AS ids, array_agg(message_id) AS message_ids FROM added",
        )
    };
}

/// For any orders: what is counted is what `RETURNING` returns.
const COMMIT_ANY: &str = commit_any_sql!("added");
/// The fault drill: repeated orders are counted again.
const COMMIT_COUNTING_CONFLICTS: &str = commit_any_sql!("input");

const FIND: &str = "SELECT id, message_id, drink_id, store_id, price_cents, ordered_us
    FROM coffee_rt.order_rows WHERE message_id = ANY($1)";

/// Stops at the first slot whose lock it gets; sorting would lock them all.
const TAKE_SLOT: &str =
    "SELECT slot FROM generate_series(0, $2 - 1) AS slot WHERE pg_try_advisory_lock($1, slot) LIMIT 1";

const RAISE_EPOCH: &str = "WITH raised AS (
        UPDATE coffee_rt.shards SET epoch = epoch + 1 WHERE source = $1 AND slot = $2 RETURNING id, epoch, seq
    ), added AS (
        INSERT INTO coffee_rt.shards (source, slot, epoch, seq)
        SELECT $1, $2, 1, 0 WHERE NOT EXISTS (SELECT FROM raised)
        RETURNING id, epoch, seq
    )
    SELECT * FROM raised UNION ALL SELECT * FROM added";

/// The new `seq`, and the ids of the rows in the order of the batch.
type NewRow = (i64, Option<Vec<i64>>);
/// The new `seq`, and of the rows that were added the ids and message ids.
type AnyRow = (i64, Option<Vec<i64>>, Option<Vec<Uuid>>);

/// A live connection that holds the lock of its slot, and the latest claim on that slot's shard.
pub(super) struct Session {
    conn: PgConnection,
    slot: i32,
    pub(super) claim: Claim,
    repeats: Repeats,
}

impl Session {
    /// Locks the lowest free slot of a source and claims its shard.
    pub(super) async fn open(mut conn: PgConnection, source: &str) -> Result<Self, StoreError> {
        let taken = sqlx::query_scalar(TAKE_SLOT)
            .bind(lock_class(source))
            .bind(MAX_SLOTS)
            .fetch_optional(&mut conn);
        let slot: Option<i32> = taken.await.map_err(|error| classify(&error).error)?;
        let slot = slot.ok_or_else(|| StoreError::Away(format!("all {MAX_SLOTS} slots of {source} are taken")))?;
        let claim = raise_epoch(&mut conn, source, slot)
            .await
            .map_err(|failure| failure.error)?;
        Ok(Self {
            conn,
            slot,
            claim,
            repeats: Repeats::default(),
        })
    }

    /// Raises the epoch of the slot that this session holds.
    pub(super) async fn claim_again(&mut self, source: &str) -> Result<Claim, Failure> {
        self.claim = raise_epoch(&mut self.conn, source, self.slot).await?;
        Ok(self.claim)
    }

    /// Stores a batch under the session's claim.
    pub(super) async fn commit(&mut self, core: &Core, batch: &OrderBatch) -> Result<Receipt, Failure> {
        let payloads = self.payloads(core, batch).await?;
        if self.repeats.are_unlikely() {
            match self.commit_new(batch, &payloads).await {
                // A deadlock means that another node stores the same orders.
                Err(failure) if failure.repeated || failure.worth_repeating => self.repeats.seen(),
                result => return result,
            }
        }
        self.commit_any(batch, &payloads).await
    }

    /// Stores a batch of new orders; fails where one is not new.
    async fn commit_new(&mut self, batch: &OrderBatch, payloads: &[Payload]) -> Result<Receipt, Failure> {
        let cells = cells(payloads.iter());
        let (keys, sums) = (|| cells.keys(), || cells.values());
        let statement = sqlx::query_as(COMMIT_NEW);
        let statement = bind_orders(statement, self.claim, batch, payloads)
            .bind(keys().map(|key| key.0).bind_iter())
            .bind(keys().map(|key| key.1).bind_iter())
            .bind(keys().map(|key| key.2).bind_iter())
            .bind(sums().map(|sum| sum.0).bind_iter())
            .bind(sums().map(|sum| sum.1).bind_iter());
        let row: Option<NewRow> = statement.fetch_optional(&mut self.conn).await?;
        let (seq, ids) = row.ok_or(StoreError::Fenced)?;
        let outcomes: Vec<_> = ids
            .unwrap_or_default()
            .into_iter()
            .map(|id| Outcome::Stored { id })
            .collect();
        Ok(Receipt { seq, outcomes })
    }

    /// Stores a batch in which some orders may be stored already.
    async fn commit_any(&mut self, batch: &OrderBatch, payloads: &[Payload]) -> Result<Receipt, Failure> {
        let (seq, ids, message_ids) = self.write_any(batch, payloads).await?;
        let mut outcomes = Outcomes::new(batch);
        for (id, message_id) in ids.unwrap_or_default().into_iter().zip(message_ids.unwrap_or_default()) {
            outcomes.inserted(id, message_id)?;
        }
        let missing = outcomes.missing();
        if !missing.is_empty() {
            let ids = missing
                .iter()
                .map(|place| batch.orders()[*place].message_id)
                .bind_iter();
            let rows: Vec<FoundRow> = sqlx::query_as(FIND).bind(ids).fetch_all(&mut self.conn).await?;
            for row in rows {
                outcomes.found(row, payloads);
            }
        }
        Ok(Receipt {
            seq,
            outcomes: outcomes.complete()?,
        })
    }

    async fn payloads(&mut self, core: &Core, batch: &OrderBatch) -> Result<Vec<Payload>, Failure> {
        if let Some(payloads) = payloads(batch, &core.catalog())? {
            return Ok(payloads);
        }
        let catalog = core.reload_catalog(&mut self.conn).await?;
        Ok(payloads(batch, &catalog)?.ok_or_else(|| off_catalog(batch, &catalog))?)
    }

    async fn write_any(&mut self, batch: &OrderBatch, payloads: &[Payload]) -> Result<AnyRow, Failure> {
        let sql = if drill::count_conflicts() {
            COMMIT_COUNTING_CONFLICTS
        } else {
            COMMIT_ANY
        };
        let mut deadlocks = 0;
        loop {
            let statement = bind_orders(sqlx::query_as(sql), self.claim, batch, payloads);
            // sqlx reads on until the server is ready again, so an error of the commit itself is seen.
            match statement.fetch_optional(&mut self.conn).await.map_err(Failure::from) {
                Ok(row) => return row.ok_or_else(|| StoreError::Fenced.into()),
                Err(failure) if failure.worth_repeating && deadlocks < MAX_DEADLOCK_REPEATS => deadlocks += 1,
                Err(failure) => return Err(failure),
            }
        }
    }
}

type Statement<'q, Row> = sqlx::query::QueryAs<'q, sqlx::Postgres, Row, sqlx::postgres::PgArguments>;

/// Binds what every commit takes.
fn bind_orders<'q, Row>(
    statement: Statement<'q, Row>,
    claim: Claim,
    batch: &'q OrderBatch,
    payloads: &'q [Payload],
) -> Statement<'q, Row> {
    statement
        .bind(claim.shard.0)
        .bind(claim.epoch)
        .bind(batch.orders().iter().map(|order| order.message_id).bind_iter())
        .bind(payloads.iter().map(|row| row.ordered_us).bind_iter())
        .bind(payloads.iter().map(|row| row.cents).bind_iter())
        .bind(payloads.iter().map(|row| row.drink).bind_iter())
        .bind(payloads.iter().map(|row| row.store).bind_iter())
}

async fn raise_epoch(conn: &mut PgConnection, source: &str, slot: i32) -> Result<Claim, Failure> {
    let (shard, epoch, seq): (i32, i64, i64) = sqlx::query_as(RAISE_EPOCH)
        .bind(source)
        .bind(slot)
        .fetch_one(conn)
        .await?;
    Ok(Claim {
        shard: ShardId(shard),
        epoch,
        seq,
    })
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
