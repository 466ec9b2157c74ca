//! How both engines store a batch: as if all of its orders were new; where one is not, those that are stored are found
//! first. So all is decided before the commit.

use coffee_rt_actors::domain::{Advance, OrderBatch};
use coffee_rt_actors::drill;
use coffee_rt_actors::ports::{Claim, Outcome, Receipt, ShardId, StoreError};
use uuid::Uuid;

use super::repeats::Repeats;
use super::rows::{FoundRow, Payload};

/// How often a batch is begun anew because another writer stored one of its orders at the same time. Each commit of
/// another writer can be in the way once.
const MAX_CLASHES: usize = 10;

/// What an engine does for a commit, on a connection that the writer has to itself.
pub(super) trait Statements {
    /// Why it did not.
    type Failure: From<StoreError>;

    /// The rows with the ids of a batch.
    async fn find(&mut self, batch: &OrderBatch) -> Result<Vec<FoundRow>, Self::Failure>;

    /// The latest epoch of a shard.
    async fn epoch(&mut self, shard: ShardId) -> Result<Option<i64>, Self::Failure>;

    /// Passes the fence, inserts, counts and moves the position: all of it or nothing.
    async fn write(&mut self, claim: Claim, work: &Work<'_>) -> Result<Written, Self::Failure>;
}

/// What became of a transaction.
pub(super) enum Written {
    Committed {
        seq: i64,
        /// One for each of [`Work::new_orders`], in their order.
        ids: Vec<i64>,
    },
    /// The epoch is another one.
    Fenced,
    /// Another writer stored one of the orders meanwhile.
    Clashed,
}

/// Stores a batch.
pub(super) async fn commit<S: Statements>(
    statements: &mut S,
    repeats: &Repeats,
    mut claim: Claim,
    batch: &OrderBatch,
    payloads: &[Payload],
) -> Result<Receipt, S::Failure> {
    if drill::skip_fence() {
        claim.epoch = statements.epoch(claim.shard).await?.unwrap_or(claim.epoch);
    }
    let mut all_new = repeats.are_unlikely();
    for _ in 0..=MAX_CLASHES {
        let mut work = Work::all_new(batch, payloads);
        if !all_new {
            work.leave_out(statements.find(batch).await?);
        }
        let reused = work.reused_keys();
        if !reused.is_empty() {
            // Who has lost the shard must not put its records aside: the next one does.
            let fenced = statements.epoch(claim.shard).await? != Some(claim.epoch);
            return Err(if fenced {
                StoreError::Fenced.into()
            } else {
                StoreError::KeysReused(reused).into()
            });
        }
        match statements.write(claim, &work).await? {
            Written::Committed { seq, ids } => {
                let outcomes = work.outcomes(ids)?;
                return Ok(Receipt { seq, outcomes });
            }
            Written::Fenced => return Err(StoreError::Fenced.into()),
            Written::Clashed => {
                repeats.seen();
                all_new = false;
            }
        }
    }
    let reason = format!("other writers stored orders of one batch {MAX_CLASHES} times meanwhile");
    Err(StoreError::Away(reason).into())
}

/// A batch, and what is known of its orders before it is written.
pub(super) struct Work<'a> {
    batch: &'a OrderBatch,
    payloads: &'a [Payload],
    /// One for each order; none for those to insert.
    known: Vec<Option<Outcome>>,
}

/// What a commit changes in its shard's row besides the sequence number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// None leaves the position where it is.
    pub(super) next_offset: Option<i64>,
    pub(super) mark: Option<i64>,
    pub(super) records: i64,
    pub(super) repeated: i64,
    pub(super) dead_lettered: i64,
}

impl<'a> Work<'a> {
    fn all_new(batch: &'a OrderBatch, payloads: &'a [Payload]) -> Self {
        let known = vec![None; batch.orders().len()];
        Self { batch, payloads, known }
    }

    /// Leaves out the orders that have rows already.
    fn leave_out(&mut self, rows: Vec<FoundRow>) {
        for (id, message_id, drink, store, cents, ordered_us) in rows {
            let Some(place) = self.batch.position(message_id) else {
                continue;
            };
            let found = Payload {
                drink,
                store,
                cents,
                ordered_us,
            };
            self.known[place] = Some(if self.payloads[place] == found {
                Outcome::Repeated { id }
            } else {
                Outcome::KeyReused
            });
        }
    }

    /// The keys of other orders, where the batch may hold none.
    fn reused_keys(&self) -> Vec<Uuid> {
        if self.batch.advance().is_none() {
            return Vec::new();
        }
        let orders = self.batch.orders().iter().zip(&self.known);
        orders
            .filter(|(_, known)| **known == Some(Outcome::KeyReused))
            .map(|(order, _)| order.message_id)
            .collect()
    }

    /// The orders to insert, sorted by id.
    pub(super) fn new_orders(&self) -> impl Iterator<Item = (Uuid, &'a Payload)> {
        let ids = self.batch.orders().iter().map(|order| order.message_id);
        let orders = ids.zip(self.payloads).zip(&self.known);
        orders.filter(|(_, known)| known.is_none()).map(|(order, _)| order)
    }

    /// The orders to count: those to insert, but for the drill.
    pub(super) fn counted(&self) -> impl Iterator<Item = &'a Payload> {
        let payloads = self.payloads.iter().zip(&self.known);
        payloads
            .filter(|(_, known)| known.is_none() || drill::count_conflicts())
            .map(|(payload, _)| payload)
    }

    /// What the commit changes in the shard's row.
    pub(super) fn moves(&self) -> Result<Moves, StoreError> {
        let inserted = self.known.iter().filter(|known| known.is_none()).count();
        self.batch.advance().map_or_else(
            || Ok(Moves::default()),
            |advance| {
                let impossible = || StoreError::Refused(format!("{inserted} orders are more than came by {advance:?}"));
                moves(advance, inserted).ok_or_else(impossible)
            },
        )
    }

    /// The outcomes in the order of the batch.
    fn outcomes(self, ids: Vec<i64>) -> Result<Vec<Outcome>, StoreError> {
        let mut ids = ids.into_iter();
        let outcome = |known: Option<Outcome>| known.or_else(|| Some(Outcome::Stored { id: ids.next()? }));
        let outcomes: Option<Vec<_>> = self.known.into_iter().map(outcome).collect();
        outcomes.ok_or_else(|| StoreError::Away("an order was inserted without an id; repeat it".to_owned()))
    }
}

/// None where fewer records came than would be accounted for.
fn moves(advance: Advance, inserted: usize) -> Option<Moves> {
    let [records, dead_lettered] = [advance.records, advance.dead_lettered].map(i64::try_from);
    let (records, dead_lettered) = (records.ok()?, dead_lettered.ok()?);
    let repeated = records - dead_lettered - i64::try_from(inserted).ok()?;
    (repeated >= 0).then_some(Moves {
        next_offset: Some(advance.to.next_offset),
        mark: Some(advance.to.mark),
        records,
        repeated,
        dead_lettered,
    })
}

#[cfg(test)]
mod tests {
    use coffee_rt_actors::domain::Position;

    use super::*;

    /// Others are always in the way.
    struct Crowded {
        writes: usize,
    }

    impl Statements for Crowded {
        type Failure = StoreError;

        async fn find(&mut self, _: &OrderBatch) -> Result<Vec<FoundRow>, StoreError> {
            Ok(Vec::new())
        }

        async fn epoch(&mut self, _: ShardId) -> Result<Option<i64>, StoreError> {
            Ok(None)
        }

        async fn write(&mut self, _: Claim, _: &Work<'_>) -> Result<Written, StoreError> {
            self.writes += 1;
            Ok(Written::Clashed)
        }
    }

    #[tokio::test]
    async fn clashes_have_a_limit() {
        let mut crowded = Crowded { writes: 0 };
        let claim = Claim {
            shard: ShardId(1),
            epoch: 1,
            seq: 0,
            position: None,
        };
        let stored = commit(&mut crowded, &Repeats::default(), claim, &OrderBatch::default(), &[]).await;
        assert!(matches!(stored, Err(StoreError::Away(_))), "{stored:?}");
        assert_eq!(crowded.writes, MAX_CLASHES + 1);
    }

    #[test]
    fn each_record_is_accounted_for() {
        let to = Position {
            next_offset: 30,
            mark: 7,
        };
        let advance = |records, dead_lettered| Advance {
            to,
            records,
            dead_lettered,
        };
        let moved = moves(advance(10, 2), 5).map(|moves| (moves.next_offset, moves.mark, moves.repeated));
        assert_eq!(moved, Some((Some(30), Some(7), 3)));
        assert_eq!(moves(advance(7, 2), 5).map(|moves| moves.repeated), Some(0));
        assert_eq!(moves(advance(6, 2), 5), None);
        assert_eq!(moves(advance(u64::MAX, 0), 5), None);
    }
}
