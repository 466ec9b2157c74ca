//! A log in partitions as one node sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::{Order, Position};
use coffee_rt_actors::ports::{
    Beginning, Durability, LogError, LogStatus, OrderLog, Partition, PartitionLag, PartitionStream, PartitionedLog,
    PoisonRecord, Record,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Held, MemoryPartitions, PartitionsBehaviour, Request};

/// How long a reading waits for new records.
const READ_WAIT: Duration = Duration::from_millis(50);

/// The log as one node sees it. Clones are the same node's.
#[derive(Clone)]
pub struct PartitionsOfNode(Arc<Node>);

struct Node {
    log: MemoryPartitions,
    assigned: watch::Sender<Arc<[i32]>>,
    behaviour: watch::Sender<PartitionsBehaviour>,
    /// How many streams of each partition it has begun: only the last goes on.
    streams: Mutex<BTreeMap<i32, u64>>,
    /// What it was told to be stored.
    stored: Mutex<BTreeMap<i32, i64>>,
    left: watch::Sender<bool>,
}

impl PartitionsOfNode {
    pub(super) fn new(log: &MemoryPartitions, partitions: &[i32]) -> Self {
        Self(Arc::new(Node {
            log: log.clone(),
            assigned: watch::Sender::new(Arc::from(partitions)),
            behaviour: watch::Sender::default(),
            streams: Mutex::default(),
            stored: Mutex::default(),
            left: watch::Sender::default(),
        }))
    }

    /// Changes how the log behaves towards this node from now on.
    pub fn behave(&self, change: impl FnOnce(&mut PartitionsBehaviour)) {
        self.0.behaviour.send_modify(change);
    }

    /// Gives these partitions to this node, and takes the others from it.
    pub fn assign(&self, partitions: &[i32]) {
        self.0.assigned.send_replace(Arc::from(partitions));
    }

    /// How many streams of a partition were begun.
    pub fn begun(&self, partition: i32) -> u64 {
        self.0.streams.lock().get(&partition).copied().unwrap_or_default()
    }

    /// Up to where a partition is stored, as far as this node knows.
    pub fn stored(&self, partition: i32) -> Option<i64> {
        self.0.stored.lock().get(&partition).copied()
    }

    /// Whether this node has said goodbye.
    pub fn left(&self) -> bool {
        *self.0.left.borrow()
    }
}

impl Node {
    /// Does a request as its reach allows, and takes as long as it should.
    async fn request<R>(
        &self,
        request: Request,
        work: impl FnOnce(&mut Held) -> Result<R, LogError>,
    ) -> Result<R, LogError> {
        self.dawdle().await;
        let reach = self.behaviour.borrow().reach(request);
        let done = reach.of_log(|| work(&mut self.log.0.held.lock()));
        // A reading changes nothing that others wait for.
        if matches!(request, Request::Append | Request::Begin) {
            self.log.0.changed.send_replace(());
        }
        let mut behaviour = self.behaviour.subscribe();
        let _ = behaviour.wait_for(|b| b.held != Some(request)).await;
        self.dawdle().await;
        done
    }

    async fn dawdle(&self) {
        let delay = self.behaviour.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
    }

    /// How far the store is behind in a partition, as far as this node knows.
    fn lag(&self, held: &mut Held, partition: i32) -> PartitionLag {
        let stored = self.stored.lock().get(&partition).copied().unwrap_or_default();
        let records = u64::try_from(held.shelf(partition).end() - stored).unwrap_or_default();
        PartitionLag { partition, records }
    }
}

#[async_trait]
impl OrderLog for PartitionsOfNode {
    async fn append(&self, orders: &[Arc<Order>]) -> Result<(), LogError> {
        let append = |held: &mut Held| {
            for order in orders {
                held.append(order);
            }
            Ok(())
        };
        self.0.request(Request::Append, append).await
    }

    async fn keep(&self) -> Result<LogStatus, LogError> {
        let assigned = self.0.assigned.borrow().clone();
        let keep = |held: &mut Held| {
            let partitions: Vec<_> = assigned.iter().map(|number| self.0.lag(held, *number)).collect();
            Ok(LogStatus {
                backlog: partitions.iter().map(|partition| partition.records).sum(),
                backlog_limit: u64::MAX,
                lag: None,
                pending: 0,
                own_pending: Vec::new(),
                claimed: 0,
                partitions,
                dead_letters: held.dead_letters.len() as u64,
                durability: Durability::MemoryOnly,
            })
        };
        self.0.request(Request::Keep, keep).await
    }

    async fn leave(&self) -> Result<(), LogError> {
        let leave = |_: &mut Held| {
            self.0.left.send_replace(true);
            Ok(())
        };
        self.0.request(Request::Keep, leave).await
    }
}

impl PartitionedLog for PartitionsOfNode {
    fn assigned(&self) -> watch::Receiver<Arc<[i32]>> {
        self.0.assigned.subscribe()
    }

    fn partition(&self, partition: i32) -> Arc<dyn Partition> {
        Arc::new(MemoryPartition {
            node: self.0.clone(),
            number: partition,
        })
    }
}

struct MemoryPartition {
    node: Arc<Node>,
    number: i32,
}

#[async_trait]
impl Partition for MemoryPartition {
    async fn begin(&self, position: Option<Position>) -> Result<(Beginning, Arc<dyn PartitionStream>), LogError> {
        let begin = |held: &mut Held| {
            let shelf = held.shelf(self.number);
            let (beginning, from) = shelf.beginning(position);
            let number = {
                let mut streams = self.node.streams.lock();
                let last = streams.entry(self.number).or_default();
                *last += 1;
                *last
            };
            self.stored(from);
            let stream: Arc<dyn PartitionStream> = Arc::new(MemoryStream {
                node: self.node.clone(),
                partition: self.number,
                number,
                made_anew: shelf.made_anew,
                next: Mutex::new(from),
            });
            Ok((beginning, stream))
        };
        self.node.request(Request::Begin, begin).await
    }

    async fn bury(&self, poison: &[PoisonRecord]) -> Result<(), LogError> {
        let bury = |held: &mut Held| {
            held.dead_letters.extend_from_slice(poison);
            Ok(())
        };
        self.node.request(Request::Bury, bury).await
    }

    fn stored(&self, next_offset: i64) {
        self.node.stored.lock().insert(self.number, next_offset);
    }
}

struct MemoryStream {
    node: Arc<Node>,
    partition: i32,
    /// Which of its node's streams of this partition it is.
    number: u64,
    made_anew: u64,
    next: Mutex<i64>,
}

impl MemoryStream {
    fn read(&self, held: &mut Held, limit: usize) -> Result<Vec<Record>, LogError> {
        let last = self.node.streams.lock().get(&self.partition).copied();
        let shelf = held.shelf(self.partition);
        if last != Some(self.number) || shelf.made_anew != self.made_anew {
            return Err(LogError::Away("this stream has ended".to_owned()));
        }
        // What is read and then not answered is lost to this stream.
        shelf.read(self.partition, &mut self.next.lock(), limit)
    }
}

#[async_trait]
impl PartitionStream for MemoryStream {
    async fn next(&self, limit: usize) -> Result<Vec<Record>, LogError> {
        let until = Instant::now() + READ_WAIT;
        loop {
            let mut changed = self.node.log.0.changed.subscribe();
            let reading = self.node.request(Request::Read, |held| self.read(held, limit));
            let records = reading.await?;
            if !records.is_empty() || timeout_at(until, changed.changed()).await.is_err() {
                return Ok(records);
            }
        }
    }
}
