//! Batcher: group commit. One transaction is in flight; what arrives meanwhile forms the next one.
//!
//! Upstream: [`crate::ingest::Ingest`], or a [`crate::reader::Reader`]. Downstream: a [`ShardWriter`], then the deltas'
//! receivers.
//! A crash loses the consignments it holds. The commit under way goes on in the writer; the next generation claims the
//! shard, which waits for it. Senders hand their orders in again and get the ids of those that were stored. The delta of
//! such a commit is never sent: aggregators see the gap in the sequence and read the store.
//!
//! Beside a [`crate::partition_reader::PartitionReader`] the position in the partition moves with the orders. After every
//! doubt what waits is thrown away, the shard is claimed anew, and the reader begins where the claim says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use tokio::time::Instant;

use self::in_flight::{InFlight, answer_of, unearned_delta};
use self::partition::{bury, commit};
use crate::backoff::{Backoff, RETRY_BATCH_MS, RETRY_PAUSE_MIN_MS, unless_it_panics};
use crate::deltas::Deltas;
use crate::domain::Order;
use crate::drill;
use crate::partition_reader::PartitionReaderMsg;
use crate::ports::{Claim, Delta, DeltaContent, EntryId, Outcome, PoisonRecord, Receipt, ShardWriter, StoreError};
use crate::spans;
use crate::supervision::{Address, Failure, Worker};
use crate::telemetry::BatchMetrics;
use crate::ticket::{Consignment, Refusal, Ticket};

mod failures;
mod in_flight;
mod partition;

pub use partition::PartitionSide;

/// The most orders of one transaction.
pub const MAX_BATCH_ORDERS: usize = 1_000;
/// How long the writer of a partition waits after another node has claimed it: by then this node should know that the
/// partition is not its own any more.
pub const FENCED_PAUSE_MS: u64 = 1_000;

/// What a batcher can be told.
pub enum BatcherMsg<C> {
    /// Store these orders.
    Accept(Vec<C>),
    /// Claim the partition anew, and tell this reader where to begin.
    Begin(Address<PartitionReaderMsg>),
    /// The claim it asked for.
    Claimed(Result<Claim, StoreError>),
    /// The commit it began has ended.
    Committed(Result<Receipt, StoreError>),
    /// The pause is over.
    Resume,
}

impl From<Vec<Ticket>> for BatcherMsg<Ticket> {
    fn from(tickets: Vec<Ticket>) -> Self {
        Self::Accept(tickets)
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
    /// What it stores, where that is a partition.
    pub partition: Option<PartitionSide>,
}

/// Commits orders in groups.
pub struct Batcher<C: Consignment> {
    me: Address<BatcherMsg<C>>,
    args: BatcherArgs,
    claim: Option<Claim>,
    /// The reader that asked last. Not one of a slot: it may hear of the claim before it is to be found there.
    reader: Option<Address<PartitionReaderMsg>>,
    /// Whether a claim, a commit or a pause is under way: exactly one message will end it.
    busy: bool,
    waiting: Vec<C>,
    in_flight: Option<InFlight<C>>,
    /// Whether the shard is to be claimed anew when nothing is under way, whatever its claim.
    claim_anew: bool,
    /// Poison in hand that is in the dead letters already: the batch that it was buried for is tried in other shapes.
    buried: BTreeSet<EntryId>,
    /// Where the position was to be after a commit that failed, until it is seen there.
    missed: Option<i64>,
    /// The most orders of the next batch: fewer while the one that the store refuses is looked for.
    batch_limit: usize,
    backoff: Backoff,
}

impl<C: Consignment> Worker for Batcher<C> {
    type Msg = BatcherMsg<C>;
    type Args = BatcherArgs;

    async fn start(args: BatcherArgs, me: Address<Self::Msg>) -> Result<Self, Failure> {
        let mut batcher = Self {
            me,
            args,
            claim: None,
            reader: None,
            busy: false,
            waiting: Vec::new(),
            in_flight: None,
            claim_anew: false,
            buried: BTreeSet::new(),
            missed: None,
            batch_limit: MAX_BATCH_ORDERS,
            backoff: Backoff::default(),
        };
        // The reader of a partition asks for the claim, when it is there to be told.
        if batcher.args.partition.is_none() {
            batcher.begin_claim();
        }
        Ok(batcher)
    }

    async fn handle(&mut self, message: Self::Msg) -> Result<(), Failure> {
        match message {
            BatcherMsg::Accept(consignments) => consignments.into_iter().for_each(|one| self.accept(one)),
            BatcherMsg::Begin(reader) => {
                self.reader = Some(reader);
                // A claim that is under way is as good as a new one.
                self.claim_anew |= self.claim.is_some();
            }
            BatcherMsg::Claimed(Ok(claim)) => self.claimed(claim),
            BatcherMsg::Claimed(Err(error)) => self.back_off(&error),
            BatcherMsg::Committed(Ok(receipt)) => self.committed(&receipt),
            BatcherMsg::Committed(Err(error)) => self.commit_failed(error),
            BatcherMsg::Resume => self.busy = false,
        }
        self.proceed();
        Ok(())
    }

    /// While the store is absent, what arrives is looked at as it arrives: when it came decides whether it is refused.
    fn is_busy(&self) -> bool {
        self.busy && !self.backoff.is_absent()
    }

    /// Commits what is left; by now nothing new arrives.
    async fn stop(&mut self) {
        // What waits is safe in the partition, which may be another node's by now.
        if self.args.partition.is_some() {
            return;
        }
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
                    if let (Some(claim), Some(settled)) = (self.claim, self.in_flight.take()) {
                        self.settle(claim, settled, &receipt);
                    }
                }
                Err(StoreError::Refused(reason)) => self.refused(&reason),
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
        } else if self.is_current(&consignment) {
            self.waiting.push(consignment);
        }
    }

    /// Begins the next piece of work, if none is under way.
    fn proceed(&mut self) {
        if self.busy {
            return;
        }
        if std::mem::take(&mut self.claim_anew) {
            self.throw_away();
        }
        self.fill();
        match (self.claim, &self.in_flight) {
            (None, _) => self.begin_claim(),
            (Some(claim), Some(_)) => self.begin_commit(claim),
            (Some(_), None) => {}
        }
    }

    /// Forms the next batch.
    fn fill(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        self.in_flight = InFlight::take(&mut self.waiting, self.batch_limit);
        if let Some(in_flight) = &self.in_flight {
            let orders = u32::try_from(in_flight.batch.orders().len()).unwrap_or(u32::MAX);
            self.args.metrics.batch_orders.observe(f64::from(orders));
        }
    }

    fn begin_claim(&mut self) {
        self.busy = true;
        let (writer, me) = (self.args.writer.clone(), self.me.clone());
        tokio::spawn(async move {
            let claimed = unless_it_panics(writer.claim(), StoreError::Away).await;
            let _ = me.send(BatcherMsg::Claimed(claimed));
        });
    }

    fn claimed(&mut self, claim: Claim) {
        self.busy = false;
        self.claim = Some(claim);
        // A store that lets itself be claimed and then fails every commit is as good as away.
        let reached = claim.position.map(|position| position.next_offset);
        if self.in_flight.is_none() && self.waiting.is_empty() && reached >= self.missed {
            self.store_answers();
        }
        // Where it is dead, the next one will ask.
        if let Some(reader) = &self.reader {
            let _ = reader.send(PartitionReaderMsg::Begin(claim));
        }
    }

    fn begin_commit(&mut self, claim: Claim) {
        let Some(in_flight) = &self.in_flight else { return };
        self.busy = true;
        if drill::delta_before_commit() {
            self.args.deltas.send(unearned_delta(claim, &in_flight.batch));
        }
        let (writer, me, batch) = (self.args.writer.clone(), self.me.clone(), in_flight.batch.clone());
        let burial = self.args.partition.as_ref().map(|side| side.log.clone());
        let is_new = |poison: &&PoisonRecord| !self.buried.contains(&poison.id);
        let poison: Vec<_> = in_flight.poison.iter().filter(is_new).cloned().collect();
        let timer = self.args.metrics.commit_seconds.start_timer();
        tokio::spawn(async move {
            let work = async {
                bury(burial.as_deref(), &poison).await?;
                commit(writer.as_ref(), claim, batch).await
            };
            let committed = unless_it_panics(work, StoreError::Away).await;
            timer.observe_duration();
            let _ = me.send(BatcherMsg::Committed(committed));
        });
    }

    fn committed(&mut self, receipt: &Receipt) {
        self.busy = false;
        self.store_answers();
        self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH_ORDERS);
        let settled = self.in_flight.take();
        let told = self.claim.as_mut().map(|claim| {
            claim.seq = receipt.seq;
            *claim
        });
        // The next commit first: what is woken by the answers would go before it.
        self.proceed();
        if let (Some(claim), Some(settled)) = (told, settled) {
            self.settle(claim, settled, receipt);
        }
    }

    /// Tells the world about a commit: aggregators first, so that what is acknowledged is about to be shown.
    fn settle(&mut self, claim: Claim, settled: InFlight<C>, receipt: &Receipt) {
        let content = DeltaContent::of_commit(settled.batch.orders(), &receipt.outcomes);
        self.args.metrics.count_created(&content);
        tell_of(settled.batch.orders(), settled.formed, receipt, claim);
        self.me.worked();
        self.args.deltas.send(Delta {
            shard: claim.shard,
            seq: receipt.seq,
            content: Some(content),
        });
        if let (Some(partition), Some(advance)) = (&self.args.partition, settled.batch.advance()) {
            partition.log.stored(advance.to.next_offset);
            for poison in &settled.poison {
                partition.metrics.buried(poison.reason);
                self.buried.remove(&poison.id);
            }
            return;
        }
        let mut undecided = Vec::new();
        let mut decided = Vec::with_capacity(settled.waiting.len());
        for one in settled.waiting {
            let answer = one
                .order()
                .map(|order| answer_of(order, &settled.batch, &receipt.outcomes));
            match answer.flatten() {
                Some(answer) => decided.push((one, answer)),
                None => undecided.push(one),
            }
        }
        C::answer(decided);
        self.waiting.splice(..0, undecided);
    }
}

/// The end of each order's way, where somebody follows it in traces or in the log.
fn tell_of(orders: &[Arc<Order>], formed: Option<SystemTime>, receipt: &Receipt, claim: Claim) {
    spans::tell("commit", formed, orders, |place| {
        vec![
            KeyValue::new("coffee_rt.shard", i64::from(claim.shard.0)),
            KeyValue::new("coffee_rt.seq", receipt.seq),
            KeyValue::new(
                "coffee_rt.outcome",
                receipt.outcomes.get(place).map_or("unknown", Outcome::name),
            ),
        ]
    });
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for (order, outcome) in orders.iter().zip(&receipt.outcomes) {
        let (trace_id, shard) = (order.correlation_id(), claim.shard.0);
        tracing::debug!(%trace_id, ?outcome, shard, seq = receipt.seq, "an order is committed");
    }
}
