//! The one statement that stores a batch, and those that look before it.

use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::ports::{Claim, ShardId};
use sqlx::PgConnection;
use sqlx::postgres::PgBindIterExt;

use super::errors::{Failure, classify};
use crate::adapters::commit::{Statements, Work, Written};
use crate::adapters::rows::{FoundRow, cells};

/// Everything a commit changes, in one statement: one round trip, and no transaction left open by a paused node. What is
/// inserted depends on the fence, so that a stale epoch changes nothing. An order that is stored already fails all of it.
/// So what is counted can be summed up beforehand, and ids come in the order of the input. Arrays are unnested where rows
/// are made of them: in `FROM` each of them is written to a list of its own first, which is a tenth of the statement.
pub const COMMIT_NEW: &str = "WITH fence AS (
        UPDATE coffee_rt.shards SET seq = seq + 1,
            next_offset = coalesce($13::bigint, next_offset), mark = coalesce($14::bigint, mark),
            records = records + $15, repeated = repeated + $16, dead_lettered = dead_lettered + $17
        WHERE id = $1 AND epoch = $2 RETURNING seq
    ), added AS (
        INSERT INTO coffee_rt.order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
        SELECT unnest($3::uuid[]), unnest($4::bigint[]), unnest($5::integer[]), unnest($6::smallint[]),
            unnest($7::smallint[]) FROM fence
        RETURNING id
    ), cells AS (
        INSERT INTO coffee_rt.rollups AS r (shard, minute, store_id, drink_id, orders, cents)
        SELECT $1, unnest($8::bigint[]), unnest($9::smallint[]), unnest($10::smallint[]), unnest($11::bigint[]),
            unnest($12::bigint[]) FROM fence
        ON CONFLICT (shard, minute, store_id, drink_id)
        DO UPDATE SET orders = r.orders + excluded.orders, cents = r.cents + excluded.cents
    ), totals AS (
        INSERT INTO coffee_rt.shard_totals AS t (shard, orders, cents)
        SELECT $1, sum(orders), sum(cents) FROM fence, unnest($11::bigint[], $12::bigint[]) AS c (orders, cents)
        HAVING count(*) > 0
        ON CONFLICT (shard)
        DO UPDATE SET orders = t.orders + excluded.orders, cents = t.cents + excluded.cents
    )
    SELECT fence.seq, told.ids FROM fence, (SELECT array_agg(id) AS ids FROM added) AS told";

const FIND: &str = "SELECT id, message_id, drink_id, store_id, price_cents, ordered_us
    FROM coffee_rt.order_rows WHERE message_id = ANY($1)";
const EPOCH: &str = "SELECT epoch FROM coffee_rt.shards WHERE id = $1";

/// The new `seq`, and the ids of the rows in the order of the input.
type NewRow = (i64, Option<Vec<i64>>);

impl Statements for PgConnection {
    type Failure = Failure;

    async fn find(&mut self, batch: &OrderBatch) -> Result<Vec<FoundRow>, Failure> {
        let ids = batch.orders().iter().map(|order| order.message_id).bind_iter();
        Ok(sqlx::query_as(FIND).bind(ids).fetch_all(self).await?)
    }

    async fn epoch(&mut self, shard: ShardId) -> Result<Option<i64>, Failure> {
        Ok(sqlx::query_scalar(EPOCH).bind(shard.0).fetch_optional(self).await?)
    }

    async fn write(&mut self, claim: Claim, work: &Work<'_>) -> Result<Written, Failure> {
        let (cells, moves) = (cells(work.counted()), work.moves()?);
        let (payloads, keys, sums) = (
            || work.new_orders().map(|(_, payload)| payload),
            || cells.keys(),
            || cells.values(),
        );
        let statement = sqlx::query_as(COMMIT_NEW)
            .bind(claim.shard.0)
            .bind(claim.epoch)
            .bind(work.new_orders().map(|(message_id, _)| message_id).bind_iter())
            .bind(payloads().map(|row| row.ordered_us).bind_iter())
            .bind(payloads().map(|row| row.cents).bind_iter())
            .bind(payloads().map(|row| row.drink).bind_iter())
            .bind(payloads().map(|row| row.store).bind_iter())
            .bind(keys().map(|key| key.0).bind_iter())
            .bind(keys().map(|key| key.1).bind_iter())
            .bind(keys().map(|key| key.2).bind_iter())
            .bind(sums().map(|sum| sum.0).bind_iter())
            .bind(sums().map(|sum| sum.1).bind_iter())
            .bind(moves.next_offset)
            .bind(moves.mark)
            .bind(moves.records)
            .bind(moves.repeated)
            .bind(moves.dead_lettered);
        // sqlx reads on until the server is ready again, so an error of the commit itself is seen.
        let row: Option<NewRow> = match statement.fetch_optional(self).await {
            Ok(row) => row,
            Err(error) => {
                let failure = classify(&error);
                return if failure.clashed {
                    Ok(Written::Clashed)
                } else {
                    Err(failure)
                };
            }
        };
        Ok(row.map_or(Written::Fenced, |(seq, ids)| Written::Committed {
            seq,
            ids: ids.unwrap_or_default(),
        }))
    }
}
