//! Reader: brings a log's entries to the batcher, and acknowledges them when they are stored.
//!
//! Upstream: a [`LogReader`]. Downstream: a [`Batcher`](crate::batcher::Batcher), with which it restarts.
//! A crash loses what it holds, and nothing of the log: the next generation begins with the entries that were delivered
//! and not acknowledged. Those that were stored meanwhile are repeated orders to the store, and are acknowledged then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::backoff::{Backoff, unless_it_panics};
use crate::batcher::{BatcherMsg, MAX_BATCH_ORDERS};
use crate::credit::Credit;
use crate::drill;
use crate::log_ticket::{Acknowledgement, LogTicket, Settled, acknowledge};
use crate::ports::{Entry, EntryId, LogError, LogReader, MAX_ENTRY_ORDERS};
use crate::supervision::{Address, Failure, Slot, Worker};
use crate::telemetry::ReadMetrics;

/// Orders that one reader may have in hand: read, and not yet acknowledged. As many as are stored between two
/// acknowledgements, and more: with half of them a backlog was stored at 170,000 orders a second in place of 245,000.
pub const MAX_ORDERS_IN_HAND: usize = 8 * MAX_BATCH_ORDERS;
/// The most entries of a reading: they may be larger than those of the one before.
const MAX_READ_ENTRIES: usize = 250;
/// There is room for an entry, or there will be.
const _: () = assert!(MAX_ENTRY_ORDERS <= MAX_ORDERS_IN_HAND);
/// The least time between two readings that do not fill a batch: each costs the log a write to its disk.
pub const READ_INTERVAL_MS: u64 = 10;
/// The least time between two acknowledgements; each is a write to the log's disk too.
pub const ACKNOWLEDGE_INTERVAL_MS: u64 = 20;
/// How long a stopping reader waits for what it has in hand.
pub const DRAIN_READER_MS: u64 = 3_000;
/// Comparisons in a row after which entries that the log has delivered, and nobody has in hand, count as forgotten.
const COMPARISONS: u32 = 10;

/// What a reader can be told.
pub enum ReaderMsg {
    /// The reading it began has ended.
    Read(Result<Vec<Entry>, LogError>),
    /// The pause between readings is over.
    ReadOn,
    /// Entries were settled.
    Settle,
    /// The acknowledgement it began has ended.
    Acknowledged(Acknowledgement),
    /// The pause between acknowledgements is over.
    AcknowledgeOn,
    /// The log says how many entries this reader has not acknowledged.
    Compare(u64),
    /// Entries of a dead node were given to this reader.
    Rescan,
}

/// What a reader starts from.
#[derive(Clone)]
pub struct ReaderArgs {
    /// The log; outlives each generation.
    pub log: Arc<dyn LogReader>,
    /// The batcher beside it.
    pub batcher: Slot<BatcherMsg<LogTicket>>,
    /// Where settled entries are left; outlives each generation.
    pub settled: Arc<Settled>,
    /// How many orders may be in hand; outlives each generation, as those in the batcher's hands may.
    pub credit: Credit,
    /// What it counts.
    pub metrics: ReadMetrics,
}

/// Which entries come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Those delivered before, beyond this one.
    Again { after: EntryId },
    /// New ones.
    New,
}

impl Course {
    /// From the first entry that is not acknowledged.
    const BEGINNING: Self = Self::Again { after: EntryId(0, 0) };
}

/// Reads a log.
pub struct Reader {
    me: Address<ReaderMsg>,
    args: ReaderArgs,
    /// Which entries the reading under way is for, or else the next one.
    course: Course,
    /// Whether the next reading is to be from the beginning again, whatever the present one brings.
    begin_again: bool,
    /// Entries that were read and are not yet acknowledged.
    in_hand: HashSet<EntryId>,
    /// Whether a reading or the pause after it is under way.
    reading: bool,
    /// The most entries that the last reading was to bring.
    asked: usize,
    /// How many orders an entry had in the last reading: one is as good as another until it is read.
    entry_orders: usize,
    read_backoff: Backoff,
    /// Whether an acknowledgement or the pause after one is under way.
    acknowledging: bool,
    /// The last acknowledgement; returns what a stopping reader could not be told.
    acknowledgement: Option<JoinHandle<Result<(), ReaderMsg>>>,
    acknowledge_backoff: Backoff,
    /// Comparisons in a row that found entries in nobody's hand.
    surpluses: u32,
}

impl Worker for Reader {
    type Msg = ReaderMsg;
    type Args = ReaderArgs;

    async fn start(args: ReaderArgs, me: Address<ReaderMsg>) -> Result<Self, Failure> {
        let mut reader = Self {
            me,
            args,
            course: Course::BEGINNING,
            begin_again: false,
            in_hand: HashSet::new(),
            reading: false,
            asked: 0,
            entry_orders: MAX_ENTRY_ORDERS,
            read_backoff: Backoff::default(),
            acknowledging: false,
            acknowledgement: None,
            acknowledge_backoff: Backoff::default(),
            surpluses: 0,
        };
        reader.proceed();
        Ok(reader)
    }

    async fn handle(&mut self, message: ReaderMsg) -> Result<(), Failure> {
        match message {
            ReaderMsg::Read(Ok(entries)) => self.deliver(entries)?,
            ReaderMsg::Read(Err(error)) => self.not_read(&error),
            ReaderMsg::ReadOn => self.reading = false,
            ReaderMsg::Settle => {}
            ReaderMsg::Acknowledged(ended) => self.acknowledged(ended),
            ReaderMsg::AcknowledgeOn => self.acknowledging = false,
            ReaderMsg::Compare(unacknowledged) => self.compare(unacknowledged),
            ReaderMsg::Rescan => self.begin_again = true,
        }
        self.proceed();
        Ok(())
    }

    /// Waits for what the batcher has in hand and acknowledges it, or the next node would have to store it again.
    async fn stop(&mut self) {
        let until = Instant::now() + Duration::from_millis(DRAIN_READER_MS);
        // What was under way answers to a mailbox that is closed.
        if let Some(under_way) = self.acknowledgement.take()
            && let Ok(Ok(Err(ReaderMsg::Acknowledged(ended)))) = timeout_at(until, under_way).await
        {
            self.note(ended);
        }
        loop {
            let done = self.args.settled.take();
            let mut again = until;
            if !done.is_empty() {
                let ended = acknowledge(self.args.log.as_ref(), done).await;
                if ended.error.is_some() {
                    again = until.min(Instant::now() + self.acknowledge_backoff.next_pause());
                }
                self.note(ended);
            }
            if self.in_hand.is_empty() || Instant::now() >= until {
                return;
            }
            let _ = timeout_at(again, self.args.settled.added()).await;
        }
    }
}

impl Reader {
    /// Begins what can be begun.
    fn proceed(&mut self) {
        if !self.acknowledging {
            self.begin_acknowledgement();
        }
        if !self.reading && self.args.credit.available() >= MAX_ENTRY_ORDERS {
            self.begin_reading();
        }
    }

    fn begin_reading(&mut self) {
        self.reading = true;
        if std::mem::take(&mut self.begin_again) {
            self.course = Course::BEGINNING;
        }
        let (log, me, course) = (self.args.log.clone(), self.me.clone(), self.course);
        // What is new must all be taken in hand; of what was delivered before, much may be there already.
        let room = match course {
            Course::Again { .. } => MAX_BATCH_ORDERS,
            Course::New => self.args.credit.available().min(MAX_BATCH_ORDERS),
        };
        let limit = (room / self.entry_orders).clamp(1, MAX_READ_ENTRIES);
        self.asked = limit;
        tokio::spawn(async move {
            let reading = match course {
                Course::Again { after } => log.pending(after, limit),
                Course::New => log.next(limit),
            };
            let entries = unless_it_panics(reading, LogError::Away).await;
            let _ = me.send(ReaderMsg::Read(entries));
        });
    }

    /// Gives entries to the batcher.
    fn deliver(&mut self, entries: Vec<Entry>) -> Result<(), Failure> {
        self.read_backoff.answers();
        let (count, last) = (entries.len(), entries.last().map(|entry| entry.id));
        if count > 0 {
            let orders: usize = entries.iter().map(|entry| entry.orders.len()).sum();
            self.entry_orders = orders.div_ceil(count).clamp(1, MAX_ENTRY_ORDERS);
        }
        let rest = self.take_in_hand(entries)?;
        if rest.is_none() && self.course == Course::New && count < self.asked {
            self.me
                .send_after(Duration::from_millis(READ_INTERVAL_MS), ReaderMsg::ReadOn);
            return Ok(());
        }
        self.reading = false;
        if let Some(first) = rest {
            self.course = Course::Again { after: first.before() };
        } else if self.course != Course::New {
            self.course = last.map_or(Course::New, |after| Course::Again { after });
        }
        Ok(())
    }

    /// Takes what is not in hand yet, up to the first entry that there is no room for: from there it must be read again.
    fn take_in_hand(&mut self, entries: Vec<Entry>) -> Result<Option<EntryId>, Failure> {
        let mut tickets = Vec::with_capacity(entries.len() * self.entry_orders);
        let (mut taken, mut rest) = (0, None);
        for entry in entries {
            if self.in_hand.contains(&entry.id) {
                continue;
            }
            let Some(permit) = self.args.credit.try_take_all(entry.orders.len()) else {
                rest = Some(entry.id);
                break;
            };
            self.in_hand.insert(entry.id);
            taken += entry.orders.len();
            tickets.extend(LogTicket::of(entry, permit, &self.args.settled));
        }
        self.args.metrics.read_orders.inc_by(taken as u64);
        if drill::settle_before_commit() {
            self.settle_early(&tickets);
        }
        // A batcher that is dead takes this reader with it, and what it did not take is read again.
        if !tickets.is_empty() && self.args.batcher.send(BatcherMsg::Accept(tickets)).is_err() {
            return Err("the batcher is gone".into());
        }
        if taken > 0 {
            self.me.worked();
        }
        Ok(rest)
    }

    /// The drill: acknowledges what is not stored.
    fn settle_early(&self, tickets: &[LogTicket]) {
        let mut entries: Vec<_> = tickets.iter().map(LogTicket::settlement).collect();
        entries.dedup();
        let log = self.args.log.clone();
        tokio::spawn(async move { log.acknowledge(&entries).await });
    }

    fn not_read(&mut self, error: &LogError) {
        if *error == LogError::PositionLost {
            tracing::error!("the log lost its readers' position, and orders with it perhaps: reading all that it has");
            self.args.metrics.positions_lost.inc();
        } else {
            tracing::debug!(%error, "the log cannot be read, trying again");
        }
        // What was delivered may have been lost on its way here.
        self.begin_again = true;
        self.me.send_after(self.read_backoff.next_pause(), ReaderMsg::ReadOn);
    }

    fn begin_acknowledgement(&mut self) {
        let done = self.args.settled.take();
        if done.is_empty() {
            return;
        }
        self.acknowledging = true;
        let (log, me) = (self.args.log.clone(), self.me.clone());
        self.acknowledgement = Some(tokio::spawn(async move {
            me.send(ReaderMsg::Acknowledged(acknowledge(log.as_ref(), done).await))
        }));
    }

    fn acknowledged(&mut self, ended: Acknowledgement) {
        if ended.error == Some(LogError::Full) {
            tracing::error!("there are too many dead letters: entries that cannot be stored wait in the log");
        }
        let pause = if ended.error.is_none() {
            self.acknowledge_backoff.answers();
            Duration::from_millis(ACKNOWLEDGE_INTERVAL_MS)
        } else {
            self.acknowledge_backoff.next_pause()
        };
        self.me.send_after(pause, ReaderMsg::AcknowledgeOn);
        self.note(ended);
    }

    /// What is acknowledged is no longer in hand; the rest waits for the next acknowledgement.
    fn note(&mut self, ended: Acknowledgement) {
        for id in &ended.ids {
            self.in_hand.remove(id);
        }
        self.in_hand.extend(ended.rest.iter().map(|done| done.entry.id));
        for reason in &ended.buried {
            self.args.metrics.buried(*reason);
        }
        self.args.settled.put_back(ended.rest);
    }

    /// Entries that were delivered to this reader and never arrived are read again. More of them than are in hand, once,
    /// may be on their way.
    fn compare(&mut self, unacknowledged: u64) {
        if unacknowledged <= self.in_hand.len() as u64 {
            self.surpluses = 0;
            return;
        }
        self.surpluses += 1;
        if self.surpluses >= COMPARISONS {
            tracing::debug!(
                unacknowledged,
                in_hand = self.in_hand.len(),
                "reading forgotten entries again"
            );
            self.surpluses = 0;
            self.begin_again = true;
        }
    }
}
