//! Batcher: group commit. One transaction is in flight; what arrives meanwhile forms the next one.
//!
//! Upstream: [`crate::ingest::Ingest`], or a [`crate::reader::Reader`]. Downstream: a [`ShardWriter`], then the deltas'
//! receivers.
//! A crash loses the consignments it holds. The commit under way goes on in the writer; the next generation claims the
//! shard, which waits for it. Senders hand their orders in again and get the ids of those that were stored. The delta of
//! such a commit is never sent: aggregators see the gap in the sequence and read the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::{Backoff, RETRY_BATCH_MS, RETRY_PAUSE_MIN_MS, unless_it_panics};
use crate::deltas::Deltas;
use crate::domain::{Order, OrderBatch};
use crate::drill;
use crate::ports::{Claim, Delta, DeltaContent, Outcome, Receipt, ShardWriter, StoreError};
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::BatchMetrics;
use crate::ticket::{Acknowledged, Answer, Consignment, Refusal, Ticket};

/// The most orders of one transaction.
pub const MAX_BATCH_ORDERS: usize = 1_000;

/// What a batcher can be told.
pub enum BatcherMsg<C> {
    /// Store this order.
    Accept(C),
    /// Store these orders.
    AcceptAll(Vec<C>),
    /// The claim it asked for.
    Claimed(Result<Claim, StoreError>),
    /// The commit it began has ended.
    Committed(Result<Receipt, StoreError>),
    /// The pause is over.
    Resume,
}

impl From<Ticket> for BatcherMsg<Ticket> {
    fn from(ticket: Ticket) -> Self {
        Self::Accept(ticket)
    }
}

/// What a batcher starts from.
#[derive(Clone)]
pub struct BatcherArgs {
    /// Its shard; outlives each generation.
    pub writer: Arc<dyn ShardWriter>,
    /// Who hears of commits.
    pub deltas: Deltas,
    /// Whether it holds its shard; shown by the node's readiness.
    pub ready: Arc<AtomicBool>,
    /// What it counts.
    pub metrics: BatchMetrics,
}

/// Commits orders in groups.
pub struct Batcher<C: Consignment> {
    me: Address<BatcherMsg<C>>,
    args: BatcherArgs,
    claim: Option<Claim>,
    /// Whether a claim, a commit or a pause is under way: exactly one message will end it.
    busy: bool,
    waiting: Vec<C>,
    in_flight: Option<InFlight<C>>,
    /// The most orders of the next batch: fewer while the one that the store refuses is looked for.
    batch_limit: usize,
    backoff: Backoff,
}

/// A batch and who waits for it.
struct InFlight<C> {
    batch: Arc<OrderBatch>,
    waiting: Vec<C>,
}

impl<C: Consignment> Worker for Batcher<C> {
    type Msg = BatcherMsg<C>;
    type Args = BatcherArgs;

    async fn start(args: BatcherArgs, me: Address<Self::Msg>) -> Result<Self, Failure> {
        let mut batcher = Self {
            me,
            args,
            claim: None,
            busy: false,
            waiting: Vec::new(),
            in_flight: None,
            batch_limit: MAX_BATCH_ORDERS,
            backoff: Backoff::default(),
        };
        batcher.begin_claim();
        Ok(batcher)
    }

    async fn handle(&mut self, message: Self::Msg) -> Result<(), Failure> {
        match message {
            BatcherMsg::Accept(consignment) => self.accept(consignment),
            BatcherMsg::AcceptAll(consignments) => consignments.into_iter().for_each(|one| self.accept(one)),
            BatcherMsg::Claimed(Ok(claim)) => {
                self.busy = false;
                self.claim = Some(claim);
                // A store that lets itself be claimed and then fails every commit is as good as away.
                if self.in_flight.is_none() && self.waiting.is_empty() {
                    self.store_answers();
                }
            }
            BatcherMsg::Claimed(Err(error)) => self.back_off(&error),
            BatcherMsg::Committed(Ok(receipt)) => {
                self.busy = false;
                self.store_answers();
                self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH_ORDERS);
                self.claim = self.claim.map(|claim| Claim {
                    seq: receipt.seq,
                    ..claim
                });
                // The next commit first: what is woken by the answers would go before it.
                let settled = self.in_flight.take();
                self.proceed();
                self.settle(settled, &receipt);
            }
            BatcherMsg::Committed(Err(error)) => self.commit_failed(error),
            BatcherMsg::Resume => self.busy = false,
        }
        self.proceed();
        Ok(())
    }

    /// Commits what is left; by now nothing new arrives.
    async fn stop(&mut self) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(RETRY_BATCH_MS) {
            self.fill();
            let Some(in_flight) = &self.in_flight else { return };
            let batch = in_flight.batch.clone();
            // Whatever was under way answers to a mailbox that is closed: claim and commit again, which waits for it.
            let committed = match self.args.writer.claim().await {
                Ok(claim) => {
                    self.claim = Some(claim);
                    self.args.writer.commit(claim, batch).await
                }
                Err(error) => Err(error),
            };
            match committed {
                Ok(receipt) => {
                    let settled = self.in_flight.take();
                    self.settle(settled, &receipt);
                }
                Err(StoreError::Refused(reason)) => self.refused(reason),
                Err(_) => tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MIN_MS)).await,
            }
        }
        self.refuse_all(&Refusal::StoreAway("it did not answer before the end".to_owned()));
    }
}

impl<C: Consignment> Batcher<C> {
    fn accept(&mut self, consignment: C) {
        if !C::PATIENT && self.backoff.is_away() {
            let refusal = Refusal::StoreAway("it has not answered for a while".to_owned());
            C::answer(vec![(consignment, Err(refusal))]);
        } else {
            self.waiting.push(consignment);
        }
    }

    /// Begins the next piece of work, if none is under way.
    fn proceed(&mut self) {
        if self.busy {
            return;
        }
        self.fill();
        match (self.claim, &self.in_flight) {
            (None, _) => self.begin_claim(),
            (Some(claim), Some(_)) => self.begin_commit(claim),
            (Some(_), None) => {}
        }
    }

    /// Forms the next batch out of what waits, oldest first.
    fn fill(&mut self) {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(self.batch_limit));
        let waiting = std::mem::replace(&mut self.waiting, rest);
        let batch = Arc::new(OrderBatch::build(
            waiting.iter().map(|one| to_store(one.order())).collect(),
        ));
        self.args
            .metrics
            .batch_orders
            .observe(f64::from(u32::try_from(batch.orders().len()).unwrap_or(u32::MAX)));
        self.in_flight = Some(InFlight { batch, waiting });
    }

    fn begin_claim(&mut self) {
        self.busy = true;
        let (writer, me) = (self.args.writer.clone(), self.me.clone());
        tokio::spawn(async move {
            let claimed = unless_it_panics(writer.claim(), StoreError::Away).await;
            let _ = me.send(BatcherMsg::Claimed(claimed));
        });
    }

    fn begin_commit(&mut self, claim: Claim) {
        let Some(in_flight) = &self.in_flight else { return };
        self.busy = true;
        if drill::delta_before_commit() {
            self.args.deltas.send(unearned_delta(claim, &in_flight.batch));
        }
        let (writer, me, batch) = (self.args.writer.clone(), self.me.clone(), in_flight.batch.clone());
        let timer = self.args.metrics.commit_seconds.start_timer();
        tokio::spawn(async move {
            let committed = unless_it_panics(writer.commit(claim, batch), StoreError::Away).await;
            timer.observe_duration();
            let _ = me.send(BatcherMsg::Committed(committed));
        });
    }

    /// Tells the world about a commit: aggregators first, so that what is acknowledged is about to be shown.
    fn settle(&mut self, settled: Option<InFlight<C>>, receipt: &Receipt) {
        let (Some(claim), Some(settled)) = (self.claim, settled) else {
            return;
        };
        let content = DeltaContent::of_commit(settled.batch.orders(), &receipt.outcomes);
        self.args.metrics.count_created(&content);
        self.args.deltas.send(Delta {
            shard: claim.shard,
            seq: receipt.seq,
            content: Some(content),
        });
        let mut undecided = Vec::new();
        let mut decided = Vec::with_capacity(settled.waiting.len());
        for one in settled.waiting {
            match answer_of(one.order(), &settled.batch, &receipt.outcomes) {
                Some(answer) => decided.push((one, answer)),
                None => undecided.push(one),
            }
        }
        C::answer(decided);
        self.waiting.splice(..0, undecided);
    }

    fn commit_failed(&mut self, error: StoreError) {
        match error {
            StoreError::Refused(reason) => {
                self.busy = false;
                self.refused(reason);
            }
            // Two writers that fight for one shard must not do it as fast as they can.
            StoreError::Fenced => {
                self.claim = None;
                self.pause();
            }
            StoreError::Away(_) | StoreError::KeysReused(_) => {
                self.claim = None;
                self.back_off(&error);
            }
        }
    }

    /// One bad order must not take the rest of its batch with it: halves are tried, until it stands alone.
    fn refused(&mut self, reason: String) {
        match self.in_flight.take() {
            Some(refused) if refused.waiting.len() > 1 => {
                self.batch_limit = refused.waiting.len() / 2;
                self.waiting.splice(..0, refused.waiting);
            }
            refused => {
                tracing::error!(reason, "the store refuses an order");
                self.in_flight = refused;
                self.refuse_batch(&Refusal::Rejected(reason));
                self.batch_limit = MAX_BATCH_ORDERS;
            }
        }
    }

    /// Pauses before the store is tried again, and answers those who have waited long enough.
    fn back_off(&mut self, error: &StoreError) {
        tracing::debug!(%error, "the store is away, trying again");
        self.backoff.absent();
        self.args.ready.store(false, Ordering::Relaxed);
        if !C::PATIENT && self.backoff.is_away() {
            self.refuse_all(&Refusal::StoreAway(error.to_string()));
        }
        self.pause();
    }

    /// Resumes after a while, later each time.
    fn pause(&mut self) {
        self.me.send_after(self.backoff.next_pause(), BatcherMsg::Resume);
    }

    fn store_answers(&mut self) {
        self.backoff.answers();
        self.args.ready.store(true, Ordering::Relaxed);
    }

    fn refuse_batch(&mut self, refusal: &Refusal) {
        let refused = self.in_flight.take().into_iter().flat_map(|batch| batch.waiting);
        C::answer(refused.map(|one| (one, Err(refusal.clone()))).collect());
    }

    fn refuse_all(&mut self, refusal: &Refusal) {
        self.refuse_batch(refusal);
        let refused = self.waiting.drain(..).map(|one| (one, Err(refusal.clone())));
        C::answer(refused.collect());
    }
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
fn unearned_delta(claim: Claim, batch: &OrderBatch) -> Delta {
    let outcomes = vec![Outcome::Stored { id: 0 }; batch.orders().len()];
    Delta {
        shard: claim.shard,
        seq: claim.seq + 1,
        content: Some(DeltaContent::of_commit(batch.orders(), &outcomes)),
    }
}

/// What the outcomes mean for an order of the batch; none where they do not decide it.
fn answer_of(order: &Order, batch: &OrderBatch, outcomes: &[Outcome]) -> Option<Answer> {
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
