//! A log in partitions in memory that keeps the promises of the ports: one lock, steps that are atomic, streams that end
//! when a later one of their node is begun. Several nodes share it, and a test shares its partitions out among them.

mod node_side;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::domain::{Menu, Order};
use coffee_rt_actors::ports::{EntryId, PoisonRecord};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use self::node_side::PartitionsOfNode;
use self::shelf::{Shelf, entry_id};
use super::reach::Reach;

/// What a node asks of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Append,
    Begin,
    Read,
    Bury,
    Keep,
}

/// How the log behaves towards a node; tests change it at any time.
#[derive(Clone, Copy, Debug, Default)]
pub struct PartitionsBehaviour {
    pub appends: Reach,
    pub begins: Reach,
    pub reads: Reach,
    pub burials: Reach,
    pub keeps: Reach,
    /// Such requests are done, and their answers wait until this changes.
    pub held: Option<Request>,
    /// Each request takes this long to be done, and its answer as long again.
    pub delay: Duration,
}

impl PartitionsBehaviour {
    const fn reach(&self, request: Request) -> Reach {
        match request {
            Request::Append => self.appends,
            Request::Begin => self.begins,
            Request::Read => self.reads,
            Request::Bury => self.burials,
            Request::Keep => self.keeps,
        }
    }
}

/// The log that nodes share. Clones are the same log.
#[derive(Clone)]
pub struct MemoryPartitions(Arc<Broker>);

struct Broker {
    held: Mutex<Held>,
    /// Wakes readings that wait for records.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Held {
    shelves: Vec<Shelf>,
    last_mark: i64,
    dead_letters: Vec<PoisonRecord>,
}

impl Held {
    fn shelf(&mut self, partition: i32) -> &mut Shelf {
        &mut self.shelves[usize::try_from(partition).unwrap()]
    }

    fn next_mark(&mut self) -> i64 {
        self.last_mark += 1;
        self.last_mark
    }

    /// The partition of an order is that of its store.
    fn append(&mut self, order: &Order) -> EntryId {
        let stores = Menu::default().stores;
        let store = stores.iter().position(|store| *store == order.store).unwrap_or(0);
        let partition = i32::try_from(store % self.shelves.len()).unwrap();
        let mark = self.next_mark();
        entry_id(partition, self.shelf(partition).push_order(order, mark))
    }
}

impl MemoryPartitions {
    pub fn new(partitions: usize) -> Self {
        let held = Held {
            shelves: (0..partitions).map(|_| Shelf::default()).collect(),
            ..Held::default()
        };
        Self(Arc::new(Broker {
            held: Mutex::new(held),
            changed: watch::Sender::default(),
        }))
    }

    fn change<R>(&self, change: impl FnOnce(&mut Held) -> R) -> R {
        let done = change(&mut self.0.held.lock());
        self.0.changed.send_replace(());
        done
    }

    /// The log as a node sees it that reads these partitions.
    pub fn seen_by_node(&self, partitions: &[i32]) -> PartitionsOfNode {
        PartitionsOfNode::new(self, partitions)
    }

    /// Appends an order as another producer does.
    pub fn append(&self, order: &Order) -> EntryId {
        self.change(|held| held.append(order))
    }

    /// Appends an order to a partition of one's choice.
    pub fn append_to(&self, partition: i32, order: &Order) -> EntryId {
        self.write(partition, &order.to_record())
    }

    /// Appends a record as it is.
    pub fn write(&self, partition: i32, record: &[u8]) -> EntryId {
        self.change(|held| {
            let mark = held.next_mark();
            let offset = held.shelf(partition).push(Some(b"any".to_vec()), record.to_vec(), mark);
            entry_id(partition, offset)
        })
    }

    pub fn partitions(&self) -> i32 {
        i32::try_from(self.0.held.lock().shelves.len()).unwrap()
    }

    /// The offset of a partition's next record.
    pub fn end(&self, partition: i32) -> i64 {
        self.0.held.lock().shelf(partition).end()
    }

    /// Removes the records before an offset.
    pub fn remove_before(&self, partition: i32, offset: i64) {
        self.change(|held| held.shelf(partition).remove_before(offset));
    }

    /// Deletes a partition and makes another one with its number.
    pub fn make_anew(&self, partition: i32) {
        self.change(|held| held.shelf(partition).make_anew());
    }

    /// Loses the last records of a partition.
    pub fn lose_end(&self, partition: i32, count: usize) {
        self.change(|held| held.shelf(partition).lose_end(count));
    }

    pub fn dead_letters(&self) -> Vec<PoisonRecord> {
        self.0.held.lock().dead_letters.clone()
    }
}
