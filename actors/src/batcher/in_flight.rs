//! A batch, who waits for it, and what its outcomes mean. Plain functions.

use std::sync::Arc;
use std::time::SystemTime;

use super::MAX_BATCH_ORDERS;
use crate::domain::{Advance, Order, OrderBatch};
use crate::drill;
use crate::ports::{Claim, Delta, DeltaContent, Outcome, PoisonRecord};
use crate::spans;
use crate::ticket::{Acknowledged, Answer, Consignment, Refusal};

/// A batch and who waits for it.
pub(super) struct InFlight<C> {
    pub(super) batch: Arc<OrderBatch>,
    /// What goes to the dead letters before the batch is committed.
    pub(super) poison: Vec<PoisonRecord>,
    pub(super) waiting: Vec<C>,
    /// When it was formed, where traces are collected.
    pub(super) formed: Option<SystemTime>,
}

impl<C: Consignment> InFlight<C> {
    /// Takes the next batch out of what waits, oldest first.
    pub(super) fn take(all: &mut Vec<C>, limit: usize) -> Option<Self> {
        if all.is_empty() {
            return None;
        }
        let rest = all.split_off(all.len().min(limit).min(MAX_BATCH_ORDERS));
        let mut waiting = std::mem::replace(all, rest);
        let mut batch = build(&waiting);
        if let Some(first) = contradiction(&waiting, &batch) {
            let later = waiting.split_off(first);
            all.splice(..0, later);
            batch = build(&waiting);
        }
        let advance = advance(&waiting);
        Some(Self {
            batch: Arc::new(batch.with_advance(advance)),
            poison: waiting.iter().filter_map(|one| one.poison().cloned()).collect(),
            waiting,
            formed: spans::begin(),
        })
    }
}

fn build<C: Consignment>(waiting: &[C]) -> OrderBatch {
    OrderBatch::build(waiting.iter().filter_map(C::order).map(to_store).collect())
}

/// The first that has the key of an earlier one of the batch and differs from it. A position must not move over it before
/// the store has decided about it, which it does when the earlier one is stored.
fn contradiction<C: Consignment>(waiting: &[C], batch: &OrderBatch) -> Option<usize> {
    let contradicts = |one: &C| {
        let order = one.order()?;
        let offered = batch.orders().get(batch.position(order.message_id)?)?;
        (one.place().is_some() && !offered.same_payload(order)).then_some(())
    };
    waiting.iter().position(|one| contradicts(one).is_some())
}

/// How far the position moves with these.
fn advance<C: Consignment>(waiting: &[C]) -> Option<Advance> {
    let last = waiting.last()?.place()?;
    let passed_over = waiting.iter().filter(|one| one.order().is_none()).count();
    Some(Advance {
        to: last.next,
        records: waiting.len() as u64,
        dead_lettered: passed_over as u64,
    })
}

/// The order as it goes to the store: itself, but for the drill that skips deduplication.
fn to_store(order: &Arc<Order>) -> Arc<Order> {
    if !drill::skip_deduplication() {
        return order.clone();
    }
    Arc::new(Order {
        message_id: uuid::Uuid::now_v7(),
        ..Order::clone(order)
    })
}

/// The drill: the delta of a commit that has not been made.
pub(super) fn unearned_delta(claim: Claim, batch: &OrderBatch) -> Delta {
    let outcomes = vec![Outcome::Stored { id: 0 }; batch.orders().len()];
    Delta {
        shard: claim.shard,
        seq: claim.seq + 1,
        content: Some(DeltaContent::of_commit(batch.orders(), &outcomes)),
    }
}

/// What the outcomes mean for an order of the batch; none where they do not decide it.
pub(super) fn answer_of(order: &Order, batch: &OrderBatch, outcomes: &[Outcome]) -> Option<Answer> {
    let found = batch
        .position(order.message_id)
        .and_then(|at| Some((batch.orders().get(at)?, outcomes.get(at)?)));
    match found {
        // Of several orders with one key in one batch only the first was offered. Where an even earlier one has the key,
        // it may be this one: offering it tells.
        Some((offered, Outcome::KeyReused)) if !offered.same_payload(order) => None,
        Some((offered, _)) if !offered.same_payload(order) => Some(Err(Refusal::KeyReused)),
        Some((_, Outcome::Stored { id } | Outcome::Repeated { id })) => Some(Ok(Acknowledged::Stored { id: *id })),
        Some((_, Outcome::KeyReused)) => Some(Err(Refusal::KeyReused)),
        None if drill::skip_deduplication() => Some(Ok(Acknowledged::Stored { id: 0 })),
        None => Some(Err(Refusal::Rejected(
            "the store did not say what became of the order".to_owned(),
        ))),
    }
}
