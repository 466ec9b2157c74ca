//! A node whose orders go through a log: the application's actors over a log and a store in memory.

use std::collections::HashMap;
use std::sync::Arc;

use coffee_rt_actors::appender::{Appender, AppenderArgs};
use coffee_rt_actors::batcher::{Batcher, BatcherArgs};
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::domain::Order;
use coffee_rt_actors::ingest::{Ingest, IngestArgs};
use coffee_rt_actors::log_ticket::Settled;
use coffee_rt_actors::log_watch::{LogHealth, LogWatch, LogWatchArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::{OrderStore, SharedLog};
use coffee_rt_actors::reader::{MAX_ORDERS_IN_HAND, Reader, ReaderArgs, ReaderMsg};
use coffee_rt_actors::supervision::{ChildSpec, Slot, Strategy};
use coffee_rt_actors::telemetry::LogProduct;
use coffee_rt_actors::ticket::{Acknowledged, Refusal};
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::eventually;
use super::memory_log::MemoryLog;
use super::memory_store::MemoryStore;
use super::node::{DEADLINE, Shared, branch, new_order};
use super::probe::Grove;

/// More than is placed at once.
const CREDIT: usize = 2 * MAX_ORDERS_IN_HAND;

pub type Placing = JoinHandle<Result<Acknowledged, Refusal>>;

/// A node of version 2.
pub struct LogNode {
    pub log: MemoryLog,
    pub store: MemoryStore,
    pub desk: OrderDesk,
    pub grove: Grove,
    /// Of the readers.
    pub in_hand: Vec<Credit>,
    pub health: Arc<watch::Sender<LogHealth>>,
    pub shared: Shared,
}

impl LogNode {
    /// With that many pairs of a batcher and a reader.
    pub async fn start(pairs: usize) -> Self {
        let (log, shared) = (MemoryLog::new(pairs), Shared::default());
        let ported: Arc<dyn SharedLog> = Arc::new(log.clone());
        let in_hand: Vec<_> = (0..pairs).map(|_| Credit::new(MAX_ORDERS_IN_HAND)).collect();
        let readers: Arc<[_]> = (0..pairs).map(|_| Slot::default()).collect();
        let health = Arc::new(watch::Sender::new(LogHealth::Unknown));
        let watching = LogWatchArgs {
            log: ported.clone(),
            readers: readers.clone(),
            health: health.clone(),
            metrics: shared.telemetry.log("v2", LogProduct::Redis),
        };
        let mut v2 = vec![ChildSpec::worker::<LogWatch>("log-watch", watching, Slot::default())];
        for (number, reader) in readers.iter().enumerate() {
            v2.push(pair(&shared, &ported, number, reader, &in_hand[number]));
        }
        let appending = AppenderArgs {
            log: ported,
            metrics: shared.telemetry.appends("v2"),
        };
        let appender = Slot::default();
        v2.push(ChildSpec::worker::<Appender>("appender", appending, appender.clone()));
        let desk = OrderDesk {
            credit: Credit::new(CREDIT),
            ingest: Slot::default(),
            deadline: DEADLINE,
        };
        let ingesting = IngestArgs {
            takers: [appender].into(),
        };
        v2.push(ChildSpec::worker::<Ingest<_>>("ingest", ingesting, desk.ingest.clone()));
        Self {
            log,
            store: shared.store.clone(),
            desk,
            grove: shared.plant("v2", v2).await,
            in_hand,
            health,
            shared,
        }
    }

    pub fn place(&self, order: &Order) -> Placing {
        let (desk, order) = (self.desk.clone(), order.clone());
        tokio::spawn(async move { desk.place(order).await })
    }

    /// Places new orders all at once, and waits until they are acknowledged.
    pub async fn logged(&self, count: usize, random: &mut StdRng) -> Vec<Order> {
        let orders: Vec<_> = (0..count).map(|_| new_order(random)).collect();
        let placing: Vec<_> = orders.iter().map(|order| self.place(order)).collect();
        for placing in placing {
            assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Logged));
        }
        orders
    }

    /// Entries that the readers have in hand.
    pub fn taken(&self) -> usize {
        self.in_hand.iter().map(Credit::in_flight).sum()
    }

    /// How often an actor noticed that the log had lost the readers' position.
    pub fn positions_lost(&self) -> u64 {
        self.shared.telemetry.reads("v2").positions_lost.get()
    }

    /// Waits until nothing is under way and the log is empty, and checks that just these orders are stored, each once.
    pub async fn has_stored(&self, orders: &[Order]) {
        eventually("the log is empty", || self.log.backlog() + self.log.pending() == 0).await;
        eventually("all credit is back", || {
            self.taken() + self.desk.credit.in_flight() == 0
        })
        .await;
        self.stores_just(orders);
        self.shared.is_consistent().await;
    }

    /// Checks that just these orders are stored, each once.
    pub fn stores_just(&self, orders: &[Order]) {
        let stored = self.store.orders();
        let by_key: HashMap<_, _> = stored.iter().map(|(_, order)| (order.message_id, order)).collect();
        assert_eq!((stored.len(), by_key.len()), (orders.len(), orders.len()));
        for order in orders {
            assert_eq!(by_key.get(&order.message_id), Some(&order));
        }
    }
}

/// A reader and the batcher that stores what it reads: they die together.
fn pair(
    shared: &Shared,
    log: &Arc<dyn SharedLog>,
    number: usize,
    reader: &Slot<ReaderMsg>,
    in_hand: &Credit,
) -> ChildSpec {
    let batching = BatcherArgs {
        writer: shared.store.shard_writer("v2"),
        deltas: shared.deltas.clone(),
        ready: Arc::default(),
        metrics: shared.telemetry.batches("v2"),
        partition: None,
    };
    let batcher = Slot::default();
    let reading = ReaderArgs {
        log: log.reader(number),
        batcher: batcher.clone(),
        settled: Arc::new(Settled::new(reader.clone())),
        credit: in_hand.clone(),
        metrics: shared.telemetry.reads("v2"),
    };
    let children = vec![
        ChildSpec::worker::<Batcher<_>>("batcher", batching, batcher),
        ChildSpec::worker::<Reader>("reader", reading, reader.clone()).with_load(in_hand.probe()),
    ];
    branch(&format!("pair-{number}"), Strategy::RestForOne, children)
}
