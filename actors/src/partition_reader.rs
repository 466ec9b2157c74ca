//! Partition reader: brings a partition's records to the batcher, in their order, from where the store is.
//!
//! Upstream: a [`Partition`]. Downstream: a [`Batcher`](crate::batcher::Batcher), with which it restarts.
//! A crash loses what it read, and nothing of the log: the next generation has the batcher claim the partition anew, and
//! begins at the position that the claim says.

use std::sync::Arc;
use std::time::Duration;

use crate::backoff::{Backoff, unless_it_panics};
use crate::batcher::{BatcherMsg, MAX_BATCH_ORDERS};
use crate::credit::Credit;
use crate::partition_ticket::PartitionTicket;
use crate::ports::{Beginning, Claim, LogError, Partition, PartitionStream, Record};
use crate::supervision::{Address, Failure, Slot, Worker};
use crate::telemetry::ReadMetrics;
use crate::ticket::Place;

/// Records of one partition that may be in hand, by weight: read, and not yet stored.
pub const MAX_RECORDS_IN_HAND: usize = 4 * MAX_BATCH_ORDERS;
/// The least time between two readings that do not fill a batch: many small batches cost more than a few.
pub const READ_INTERVAL_MS: u64 = 5;

/// The stream that a partition was begun with, or why not.
type Begun = Result<(Beginning, Arc<dyn PartitionStream>), LogError>;

/// What a partition reader can be told. What belongs to a claim names its epoch.
pub enum PartitionReaderMsg {
    /// Begin where this claim says, and forget what was read before.
    Begin(Claim),
    /// Read no more until the next claim: it would be thrown away.
    Halt,
    /// The partition was begun.
    Begun(i64, Begun),
    /// The reading it began has ended.
    Read(i64, Result<Vec<Record>, LogError>),
    /// The pause between readings is over.
    ReadOn(i64),
    /// The pause after a failure is over.
    Again(i64),
}

/// What a partition reader starts from.
#[derive(Clone)]
pub struct PartitionReaderArgs {
    /// The partition; outlives each generation.
    pub partition: Arc<dyn Partition>,
    /// Its number.
    pub number: i32,
    /// The batcher beside it.
    pub batcher: Slot<BatcherMsg<PartitionTicket>>,
    /// How many records may be in hand, by weight; outlives each generation, as those in the batcher's hands may.
    pub credit: Credit,
    /// What it counts.
    pub metrics: ReadMetrics,
}

/// Reads a partition.
pub struct PartitionReader {
    me: Address<PartitionReaderMsg>,
    args: PartitionReaderArgs,
    /// Of the claim that is read under; none while there is none.
    epoch: Option<i64>,
    stream: Option<Arc<dyn PartitionStream>>,
    backoff: Backoff,
}

impl Worker for PartitionReader {
    type Msg = PartitionReaderMsg;
    type Args = PartitionReaderArgs;

    async fn start(args: PartitionReaderArgs, me: Address<PartitionReaderMsg>) -> Result<Self, Failure> {
        let reader = Self {
            me,
            args,
            epoch: None,
            stream: None,
            backoff: Backoff::default(),
        };
        reader.ask_for_claim()?;
        Ok(reader)
    }

    async fn handle(&mut self, message: PartitionReaderMsg) -> Result<(), Failure> {
        match message {
            PartitionReaderMsg::Begin(claim) => self.begin(claim),
            PartitionReaderMsg::Halt => (self.epoch, self.stream) = (None, None),
            // Whatever an earlier claim brought is in nobody's way.
            PartitionReaderMsg::Begun(epoch, _)
            | PartitionReaderMsg::Read(epoch, _)
            | PartitionReaderMsg::ReadOn(epoch)
            | PartitionReaderMsg::Again(epoch)
                if Some(epoch) != self.epoch => {}
            PartitionReaderMsg::Begun(epoch, Ok((beginning, stream))) => {
                self.report(beginning);
                self.stream = Some(stream);
                self.read(epoch);
            }
            PartitionReaderMsg::Read(epoch, Ok(records)) => self.deliver(epoch, records)?,
            PartitionReaderMsg::Begun(epoch, Err(error)) | PartitionReaderMsg::Read(epoch, Err(error)) => {
                tracing::debug!(%error, partition = self.args.number, "cannot be read, trying again");
                self.stream = None;
                if self.backoff.absent() {
                    tracing::warn!(%error, partition = self.args.number, "nothing can be read of a partition");
                }
                let pause = self.backoff.next_pause();
                self.me.send_after(pause, PartitionReaderMsg::Again(epoch));
            }
            PartitionReaderMsg::ReadOn(epoch) => self.read(epoch),
            PartitionReaderMsg::Again(_) => self.ask_for_claim()?,
        }
        Ok(())
    }
}

impl PartitionReader {
    fn ask_for_claim(&self) -> Result<(), Failure> {
        let asked = self.args.batcher.send(BatcherMsg::Begin(self.me.clone()));
        asked.map_err(|_| "the batcher is gone".into())
    }

    fn begin(&mut self, claim: Claim) {
        self.epoch = Some(claim.epoch);
        self.stream = None;
        let (partition, me) = (self.args.partition.clone(), self.me.clone());
        tokio::spawn(async move {
            let begun = unless_it_panics(partition.begin(claim.position), LogError::Away).await;
            let _ = me.send(PartitionReaderMsg::Begun(claim.epoch, begun));
        });
    }

    /// Begins a reading, or a pause where there is no room for what it would bring.
    fn read(&self, epoch: i64) {
        let Some(stream) = self.stream.clone() else { return };
        let room = self.args.credit.available().min(MAX_BATCH_ORDERS);
        if room == 0 {
            self.pause(epoch);
            return;
        }
        let me = self.me.clone();
        tokio::spawn(async move {
            let records = unless_it_panics(stream.next(room), LogError::Away).await;
            let _ = me.send(PartitionReaderMsg::Read(epoch, records));
        });
    }

    fn pause(&self, epoch: i64) {
        let pause = Duration::from_millis(READ_INTERVAL_MS);
        self.me.send_after(pause, PartitionReaderMsg::ReadOn(epoch));
    }

    /// Gives records to the batcher.
    fn deliver(&mut self, epoch: i64, records: Vec<Record>) -> Result<(), Failure> {
        self.backoff.answers();
        let count = records.len();
        let (mut tickets, mut weight) = (Vec::with_capacity(count), 0);
        for record in records {
            weight += record.weight();
            let permit = self.args.credit.try_take_heavy(record.weight());
            let Record { id, next, order } = record;
            let Some(permit) = permit else {
                // Nobody else takes of this credit but a generation before this one: from the store's position again.
                return self.ask_for_claim();
            };
            let place = Place { epoch, next };
            tickets.push(PartitionTicket {
                id,
                place,
                order,
                permit,
            });
        }
        self.args.metrics.read_orders.inc_by(count as u64);
        // A batcher that is dead takes this reader with it, and what it did not take is read again.
        if !tickets.is_empty() && self.args.batcher.send(BatcherMsg::Accept(tickets)).is_err() {
            return Err("the batcher is gone".into());
        }
        if count > 0 {
            self.me.worked();
        }
        if weight < MAX_BATCH_ORDERS {
            self.pause(epoch);
        } else {
            self.read(epoch);
        }
        Ok(())
    }

    fn report(&self, beginning: Beginning) {
        let partition = self.args.number;
        match beginning {
            Beginning::Continues => tracing::debug!(partition, "reading on"),
            Beginning::Oldest => tracing::info!(partition, "reading from the oldest record"),
            Beginning::Gap { records } => {
                self.args.metrics.positions_lost.inc();
                tracing::error!(partition, records, "records were removed before they were stored");
            }
            Beginning::Anew => {
                self.args.metrics.positions_lost.inc();
                tracing::error!(
                    partition,
                    "the partition was made anew or lost its end: reading all that it has"
                );
            }
        }
    }
}
