//! A log in memory that keeps the promises of the ports: one lock, steps that are atomic, readers whose calls take turns.

mod stream;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::Order;
use coffee_rt_actors::ports::{Entry, EntryId, LogError, LogReader, LogStatus, OrderLog, Settlement, SharedLog};
use parking_lot::Mutex;
use tokio::sync::{MutexGuard, watch};
use tokio::time::{Instant, sleep, timeout_at};

use self::stream::{Consumer, Stream};
pub use self::stream::{DeadLetter, NOT_TOLD, order_of};
use super::reach::Reach;

/// How long a reading waits for new entries.
const READ_WAIT: Duration = Duration::from_millis(50);

/// How the log behaves; tests change it at any time.
#[derive(Clone, Copy, Debug)]
pub struct LogBehaviour {
    pub appends: Reach,
    pub reads: Reach,
    /// Of acknowledgements and burials.
    pub acknowledgements: Reach,
    pub keeps: Reach,
    /// Each call takes this long to be done, and its answer as long again.
    pub delay: Duration,
    /// Readings of what was delivered before are answered this much later.
    pub pending_delay: Duration,
    pub backlog_limit: usize,
    pub dead_letter_limit: usize,
}

impl Default for LogBehaviour {
    fn default() -> Self {
        Self {
            appends: Reach::Up,
            reads: Reach::Up,
            acknowledgements: Reach::Up,
            keeps: Reach::Up,
            delay: Duration::ZERO,
            pending_delay: Duration::ZERO,
            backlog_limit: 1_000_000,
            dead_letter_limit: 1_000,
        }
    }
}

/// An in-memory [`OrderLog`] as one node sees it. Clones are the same log.
#[derive(Clone)]
pub struct MemoryLog(Arc<Inner>);

struct Inner {
    /// Calls of one reader take turns.
    turns: Vec<tokio::sync::Mutex<()>>,
    stream: Mutex<Stream>,
    behaviour: watch::Sender<LogBehaviour>,
    /// Wakes readings that wait for entries.
    changed: watch::Sender<()>,
}

impl MemoryLog {
    pub fn new(readers: usize) -> Self {
        Self(Arc::new(Inner {
            turns: (0..readers).map(|_| tokio::sync::Mutex::default()).collect(),
            stream: Mutex::default(),
            behaviour: watch::Sender::default(),
            changed: watch::Sender::default(),
        }))
    }

    /// Changes how the log behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut LogBehaviour)) {
        self.0.behaviour.send_modify(change);
    }

    /// Orders that it holds.
    pub fn backlog(&self) -> usize {
        self.0.stream.lock().backlog()
    }

    /// Orders that somebody has and has not acknowledged.
    pub fn pending(&self) -> usize {
        let stream = self.0.stream.lock();
        stream.orders_in(stream.pending.keys().copied())
    }

    /// The same of one reader.
    pub fn pending_of(&self, reader: usize) -> usize {
        let stream = self.0.stream.lock();
        stream.orders_in(stream.pending_of(reader))
    }

    /// Orders that were ever appended.
    pub fn appended(&self) -> u64 {
        self.0.stream.lock().appended
    }

    /// Appends that have begun, whatever became of them.
    pub fn appends_begun(&self) -> u64 {
        self.0.stream.lock().appends_begun
    }

    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.stream.lock().dead_letters.clone()
    }

    pub fn clear_dead_letters(&self) {
        self.0.stream.lock().dead_letters.clear();
    }

    /// Whether this node has said goodbye.
    pub fn left(&self) -> bool {
        self.0.stream.lock().left
    }

    /// Appends a record as it is, as another producer may.
    pub fn write(&self, record: &[u8]) -> EntryId {
        self.write_together(&[record])
    }

    /// Appends records as one entry.
    pub fn write_together(&self, records: &[&[u8]]) -> EntryId {
        let records = records.iter().map(|record| record.to_vec()).collect();
        let id = self.0.stream.lock().append(records);
        self.0.changed.send_replace(());
        id
    }

    /// Appends orders that were delivered to a node which is dead now.
    pub fn abandon(&self, orders: &[Order]) {
        let mut stream = self.0.stream.lock();
        assert_eq!(stream.lag(), 0, "entries stand before those of the dead node");
        for order in orders {
            let id = stream.append(vec![order.to_record()]);
            stream.pending.insert(id, Consumer::DeadNode);
            stream.delivered = Some(id);
        }
    }

    /// Delivers what is new to a reader without its knowledge, as where it dies at the wrong moment.
    pub fn misdeliver(&self, reader: usize, records: &[Vec<u8>]) {
        let mut stream = self.0.stream.lock();
        for record in records {
            stream.append(vec![record.clone()]);
        }
        stream.deliver(reader, usize::MAX);
    }

    /// Removes an entry, whoever has it.
    pub fn remove(&self, id: EntryId) {
        self.0.stream.lock().entries.remove(&id);
    }

    /// Forgets what was delivered to whom; all entries are still there.
    pub fn lose_position(&self) {
        self.0.stream.lock().position_lost = true;
        self.0.changed.send_replace(());
    }
}

impl Inner {
    /// Does a step as its reach allows, and takes as long as it should.
    async fn step<R>(
        &self,
        reach: impl Fn(&LogBehaviour) -> Reach,
        work: impl FnOnce(&mut Stream, LogBehaviour) -> Result<R, LogError>,
    ) -> Result<R, LogError> {
        self.dawdle().await;
        let behaviour = *self.behaviour.borrow();
        let done = reach(&behaviour).of_log(|| work(&mut self.stream.lock(), behaviour));
        self.dawdle().await;
        done
    }

    async fn dawdle(&self) {
        let delay = self.behaviour.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
    }
}

#[async_trait]
impl OrderLog for MemoryLog {
    async fn append(&self, orders: &[Arc<Order>]) -> Result<(), LogError> {
        self.0.stream.lock().appends_begun += 1;
        let appended = self
            .0
            .step(|b| b.appends, |stream, b| stream.append_all(orders, b.backlog_limit));
        let appended = appended.await;
        self.0.changed.send_replace(());
        appended
    }

    async fn keep(&self) -> Result<LogStatus, LogError> {
        let readers = self.0.turns.len();
        let keeping = self.0.step(
            |b| b.keeps,
            |stream, b| {
                stream.find_position()?;
                Ok(stream.keep(readers, b.backlog_limit))
            },
        );
        keeping.await
    }

    async fn leave(&self) -> Result<(), LogError> {
        let leaving = self.0.step(
            |b| b.keeps,
            |stream, _| {
                stream.left = true;
                Ok(())
            },
        );
        leaving.await
    }
}

impl SharedLog for MemoryLog {
    fn reader(&self, number: usize) -> Arc<dyn LogReader> {
        Arc::new(MemoryReader {
            log: self.0.clone(),
            number,
        })
    }
}

struct MemoryReader {
    log: Arc<Inner>,
    number: usize,
}

impl MemoryReader {
    async fn turn(&self) -> MutexGuard<'_, ()> {
        self.log.turns[self.number].lock().await
    }
}

#[async_trait]
impl LogReader for MemoryReader {
    async fn pending(&self, after: EntryId, limit: usize) -> Result<Vec<Entry>, LogError> {
        let (log, _turn) = (&self.log, self.turn().await);
        let reading = log.step(
            |b| b.reads,
            |stream, _| {
                stream.find_position()?;
                let ids = stream.pending_of(self.number).filter(|id| *id > after);
                Ok(ids.take(limit).map(|id| stream.entry(id)).collect())
            },
        );
        let entries = reading.await;
        let delay = log.behaviour.borrow().pending_delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        entries
    }

    async fn next(&self, limit: usize) -> Result<Vec<Entry>, LogError> {
        let (log, _turn) = (&self.log, self.turn().await);
        let (until, mut changed) = (Instant::now() + READ_WAIT, log.changed.subscribe());
        loop {
            let reading = log.step(
                |b| b.reads,
                |stream, _| {
                    stream.find_position()?;
                    Ok(stream.deliver(self.number, limit))
                },
            );
            let entries = reading.await?;
            if !entries.is_empty() || timeout_at(until, changed.changed()).await.is_err() {
                return Ok(entries);
            }
        }
    }

    async fn acknowledge(&self, entries: &[Settlement]) -> Result<(), LogError> {
        let (log, _turn) = (&self.log, self.turn().await);
        let acknowledging = log.step(
            |b| b.acknowledgements,
            |stream, _| {
                stream.acknowledge(entries);
                Ok(())
            },
        );
        acknowledging.await
    }

    async fn bury(&self, entries: &[Settlement]) -> Result<(), LogError> {
        let (log, _turn) = (&self.log, self.turn().await);
        let burying = log.step(
            |b| b.acknowledgements,
            |stream, b| stream.bury(entries, b.dead_letter_limit),
        );
        burying.await
    }
}
