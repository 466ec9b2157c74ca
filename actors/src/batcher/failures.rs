//! What a batcher does when the store does not: who is answered, what is tried again, and in which shape.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Batcher, BatcherMsg, FENCED_PAUSE_MS, MAX_BATCH_ORDERS};
use crate::ports::{PoisonReason, StoreError};
use crate::ticket::{Consignment, Refusal};

impl<C: Consignment> Batcher<C> {
    pub(super) fn commit_failed(&mut self, error: StoreError) {
        match error {
            // Where it refuses to move a position over what is buried, no order is to blame.
            StoreError::Refused(reason) if self.moves_position_alone() => {
                self.commit_failed(StoreError::Away(reason));
            }
            StoreError::Refused(reason) => {
                self.busy = false;
                self.note_burials();
                self.refused(&reason);
            }
            StoreError::KeysReused(keys) => {
                self.busy = false;
                self.note_burials();
                self.condemn(
                    PoisonReason::KeyReused,
                    "another order was stored under its key",
                    |id| keys.contains(&id),
                );
            }
            StoreError::Fenced if self.args.partition.is_some() => {
                tracing::warn!("another node has claimed this partition");
                self.throw_away();
                let pause = Duration::from_millis(FENCED_PAUSE_MS);
                self.me.send_after(pause, BatcherMsg::Resume);
            }
            // Two writers that fight for one shard must not do it as fast as they can.
            StoreError::Fenced => {
                self.claim = None;
                self.pause();
            }
            StoreError::Away(_) => {
                if self.args.partition.is_some() {
                    let advance = self.in_flight.as_ref().and_then(|lost| lost.batch.advance());
                    self.missed = advance.map(|advance| advance.to.next_offset);
                    self.throw_away();
                }
                self.claim = None;
                self.back_off(&error);
            }
        }
    }

    /// One bad order must not take the rest of its batch with it: halves are tried, until it stands alone.
    pub(super) fn refused(&mut self, reason: &str) {
        match self.in_flight.take() {
            Some(refused) if refused.waiting.len() > 1 => {
                self.batch_limit = refused.waiting.len() / 2;
                self.waiting.splice(..0, refused.waiting);
            }
            refused => {
                let order = refused.as_ref().and_then(|refused| refused.batch.orders().first());
                let trace_id = order.map(|order| tracing::field::display(order.correlation_id()));
                tracing::error!(trace_id, reason, "the store refuses an order");
                self.in_flight = refused;
                if self.args.partition.is_some() {
                    self.condemn(PoisonReason::Refused, reason, |_| true);
                } else {
                    self.refuse_batch(&Refusal::Rejected(reason.to_owned()));
                }
                self.batch_limit = MAX_BATCH_ORDERS;
            }
        }
    }

    /// Pauses before the store is tried again, and answers those who have waited long enough.
    pub(super) fn back_off(&mut self, error: &StoreError) {
        tracing::debug!(%error, "the store is away, trying again");
        if self.backoff.absent() {
            tracing::warn!(%error, "orders wait to be stored");
        }
        self.args.ready.store(false, Ordering::Relaxed);
        if !C::PATIENT && self.backoff.is_away() {
            self.refuse_all(&Refusal::StoreAway(error.to_string()));
        }
        self.pause();
    }

    /// Resumes after a while, later each time.
    pub(super) fn pause(&mut self) {
        self.me.send_after(self.backoff.next_pause(), BatcherMsg::Resume);
    }

    pub(super) fn store_answers(&mut self) {
        self.missed = None;
        self.backoff.answers();
        self.args.ready.store(true, Ordering::Relaxed);
    }

    pub(super) fn refuse_batch(&mut self, refusal: &Refusal) {
        let refused = self.in_flight.take().into_iter().flat_map(|batch| batch.waiting);
        C::answer(refused.map(|one| (one, Err(refusal.clone()))).collect());
    }

    pub(super) fn refuse_all(&mut self, refusal: &Refusal) {
        self.refuse_batch(refusal);
        let refused = self.waiting.drain(..).map(|one| (one, Err(refusal.clone())));
        C::answer(refused.collect());
    }
}
