//! Batcher: group commit. One transaction is in flight; what arrives meanwhile forms the next one.
//!
//! Upstream: [`crate::ingest::Ingest`]. Downstream: a [`ShardWriter`], then the deltas' receivers.
//! A crash loses the tickets it holds. The commit under way goes on in the writer; the next generation claims the shard,
//! which waits for it. Senders hand their orders in again and get the ids of those that were stored. The delta of such a
//! commit is never sent: aggregators see the gap in the sequence and read the store.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::deltas::Deltas;
use crate::domain::{Order, OrderBatch};
use crate::drill;
use crate::ports::{Claim, Delta, DeltaContent, Outcome, Receipt, ShardWriter, StoreError};
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::BatchMetrics;
use crate::ticket::{Acknowledged, Refusal, Ticket};

/// The most orders of one transaction.
pub const MAX_BATCH_ORDERS: usize = 1_000;
/// How long a batch is tried again while the store is away; then its orders are answered 503.
pub const RETRY_BATCH_MS: u64 = 3_000;
/// The first pause before trying an absent store again; doubled each time.
pub const RETRY_PAUSE_MIN_MS: u64 = 5;
/// The longest such pause.
pub const RETRY_PAUSE_MAX_MS: u64 = 500;

/// What a batcher can be told.
pub enum BatcherMsg {
    /// Store this order.
    Accept(Ticket),
    /// The claim it asked for.
    Claimed(Result<Claim, StoreError>),
    /// The commit it began has ended.
    Committed(Result<Receipt, StoreError>),
    /// The pause is over.
    Resume,
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
pub struct Batcher {
    me: Address<BatcherMsg>,
    args: BatcherArgs,
    claim: Option<Claim>,
    /// Whether a claim, a commit or a pause is under way: exactly one message will end it.
    busy: bool,
    waiting: Vec<Ticket>,
    in_flight: Option<InFlight>,
    pause: Duration,
    /// Since when the store has not answered.
    away_since: Option<Instant>,
}

/// A batch and who waits for it.
struct InFlight {
    batch: Arc<OrderBatch>,
    tickets: Vec<Ticket>,
}

impl Worker for Batcher {
    type Msg = BatcherMsg;
    type Args = BatcherArgs;

    async fn start(args: BatcherArgs, me: Address<BatcherMsg>) -> Result<Self, Failure> {
        let pause = Duration::from_millis(RETRY_PAUSE_MIN_MS);
        let mut batcher = Self {
            me,
            args,
            claim: None,
            busy: false,
            waiting: Vec::new(),
            in_flight: None,
            pause,
            away_since: None,
        };
        batcher.begin_claim();
        Ok(batcher)
    }

    async fn handle(&mut self, message: BatcherMsg) -> Result<(), Failure> {
        match message {
            BatcherMsg::Accept(ticket) => self.accept(ticket),
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
                Err(StoreError::Refused(reason)) => self.refuse_batch(&Refusal::Rejected(reason)),
                Err(_) => tokio::time::sleep(Duration::from_millis(RETRY_PAUSE_MIN_MS)).await,
            }
        }
        self.refuse_all(&Refusal::StoreAway("it did not answer before the end".to_owned()));
    }
}

impl Batcher {
    fn accept(&mut self, ticket: Ticket) {
        if drill::acknowledge_before_commit() {
            let Ticket { order, permit, reply } = ticket;
            let _ = reply.send(Ok(Acknowledged::Stored { id: 0 }));
            self.waiting.push(Ticket {
                order,
                permit,
                reply: tokio::sync::oneshot::channel().0,
            });
        } else if self.is_away() {
            let _ = ticket
                .reply
                .send(Err(Refusal::StoreAway("it has not answered for a while".to_owned())));
        } else {
            self.waiting.push(ticket);
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
        let rest = self.waiting.split_off(self.waiting.len().min(MAX_BATCH_ORDERS));
        let tickets = std::mem::replace(&mut self.waiting, rest);
        let batch = Arc::new(OrderBatch::build(
            tickets.iter().map(|ticket| to_store(&ticket.order)).collect(),
        ));
        self.args
            .metrics
            .batch_orders
            .observe(f64::from(u32::try_from(batch.orders().len()).unwrap_or(u32::MAX)));
        self.in_flight = Some(InFlight { batch, tickets });
    }

    fn begin_claim(&mut self) {
        self.busy = true;
        let (writer, me) = (self.args.writer.clone(), self.me.clone());
        tokio::spawn(async move {
            let claimed = unless_it_panics(writer.claim()).await;
            let _ = me.send(BatcherMsg::Claimed(claimed));
        });
    }

    fn begin_commit(&mut self, claim: Claim) {
        let Some(in_flight) = &self.in_flight else { return };
        self.busy = true;
        let (writer, me, batch) = (self.args.writer.clone(), self.me.clone(), in_flight.batch.clone());
        let timer = self.args.metrics.commit_seconds.start_timer();
        tokio::spawn(async move {
            let committed = unless_it_panics(writer.commit(claim, batch)).await;
            timer.observe_duration();
            let _ = me.send(BatcherMsg::Committed(committed));
        });
    }

    /// Tells the world about a commit: aggregators first, so that what is acknowledged is about to be shown.
    fn settle(&mut self, settled: Option<InFlight>, receipt: &Receipt) {
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
        for ticket in settled.tickets {
            match answer_of(&ticket.order, &settled.batch, &receipt.outcomes) {
                Some(answer) => drop(ticket.reply.send(answer)),
                None => undecided.push(ticket),
            }
        }
        self.waiting.splice(..0, undecided);
    }

    fn commit_failed(&mut self, error: StoreError) {
        match error {
            StoreError::Refused(reason) => {
                self.busy = false;
                tracing::error!(reason, "the store refuses a batch");
                self.refuse_batch(&Refusal::Rejected(reason));
            }
            // Two writers that fight for one shard must not do it as fast as they can.
            StoreError::Fenced => {
                self.claim = None;
                self.pause();
            }
            StoreError::Away(_) => {
                self.claim = None;
                self.back_off(&error);
            }
        }
    }

    /// Pauses before the store is tried again, and answers those who have waited long enough.
    fn back_off(&mut self, error: &StoreError) {
        tracing::debug!(%error, pause_ms = self.pause.as_millis(), "the store is away, trying again");
        self.away_since.get_or_insert_with(Instant::now);
        self.args.ready.store(false, Ordering::Relaxed);
        if self.is_away() {
            self.refuse_all(&Refusal::StoreAway(error.to_string()));
        }
        self.pause();
    }

    /// Resumes after a while, later each time.
    fn pause(&mut self) {
        let (me, pause) = (self.me.clone(), self.pause);
        self.pause = (self.pause * 2).min(Duration::from_millis(RETRY_PAUSE_MAX_MS));
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = me.send(BatcherMsg::Resume);
        });
    }

    /// Whether the store has been away for so long that orders are refused rather than kept waiting.
    fn is_away(&self) -> bool {
        self.away_since
            .is_some_and(|since| since.elapsed() >= Duration::from_millis(RETRY_BATCH_MS))
    }

    fn store_answers(&mut self) {
        self.pause = Duration::from_millis(RETRY_PAUSE_MIN_MS);
        self.away_since = None;
        self.args.ready.store(true, Ordering::Relaxed);
    }

    fn refuse_batch(&mut self, refusal: &Refusal) {
        for ticket in self
            .in_flight
            .take()
            .into_iter()
            .flat_map(|in_flight| in_flight.tickets)
        {
            let _ = ticket.reply.send(Err(refusal.clone()));
        }
    }

    fn refuse_all(&mut self, refusal: &Refusal) {
        self.refuse_batch(refusal);
        for ticket in self.waiting.drain(..) {
            let _ = ticket.reply.send(Err(refusal.clone()));
        }
    }
}

/// A panic of a store is an error too: without a message the generation would wait for ever.
async fn unless_it_panics<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let caught = AssertUnwindSafe(work).catch_unwind().await;
    caught.unwrap_or_else(|_| Err(StoreError::Away("the store's task panicked".to_owned())))
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

/// What the outcomes mean for an order of the batch; none where they do not decide it.
fn answer_of(order: &Order, batch: &OrderBatch, outcomes: &[Outcome]) -> Option<Result<Acknowledged, Refusal>> {
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
