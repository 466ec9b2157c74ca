//! Nodes that share a log in partitions: the application's actors over a log and a store in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use coffee_rt_actors::appender::{Appender, AppenderArgs};
use coffee_rt_actors::batcher::{Batcher, BatcherArgs, BatcherMsg, PartitionSide};
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::domain::{Menu, Order};
use coffee_rt_actors::ingest::{Ingest, IngestArgs};
use coffee_rt_actors::log_watch::{LogHealth, LogWatch, LogWatchArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::partition_reader::{MAX_RECORDS_IN_HAND, PartitionReader, PartitionReaderArgs};
use coffee_rt_actors::partition_ticket::PartitionTicket;
use coffee_rt_actors::ports::{OrderStore, PartitionedLog, PoisonReason};
use coffee_rt_actors::supervision::{ChildSpec, CrewSpec, Slot, Strategy};
use coffee_rt_actors::telemetry::LogProduct;
use coffee_rt_actors::ticket::Acknowledged;
use prometheus::proto::Metric;
use rand::Rng;
use rand::seq::IndexedRandom;
use tokio::sync::watch;

use super::eventually;
use super::log_node::Placing;
use super::memory_partitions::{MemoryPartitions, PartitionsOfNode};
use super::memory_store::MemoryStore;
use super::node::{DEADLINE, Shared, branch, new_order, policy};
use super::probe::Grove;

const CREDIT: usize = 8_192;

/// What of a partition outlives its actors.
#[derive(Clone)]
pub struct Lane {
    pub batcher: Slot<BatcherMsg<PartitionTicket>>,
    /// Of the reader.
    pub in_hand: Credit,
    ready: Arc<AtomicBool>,
}

impl Lane {
    /// Whether the batcher can store orders.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

/// A node of version 3.
pub struct PartitionNode {
    pub log: PartitionsOfNode,
    pub desk: OrderDesk,
    pub grove: Grove,
    pub health: Arc<watch::Sender<LogHealth>>,
    /// Of every partition of the log, whether it is this node's or not.
    pub lanes: Arc<[Lane]>,
    pub shared: Shared,
}

/// Nodes over one log and one store.
pub struct Cluster {
    pub log: MemoryPartitions,
    pub store: MemoryStore,
    pub nodes: Vec<PartitionNode>,
}

impl PartitionNode {
    pub async fn start(log: &MemoryPartitions, store: &MemoryStore, partitions: &[i32]) -> Self {
        let (seen, shared) = (log.seen_by_node(partitions), Shared::over(store.clone()));
        let lane = |_| Lane {
            batcher: Slot::default(),
            in_hand: Credit::new(MAX_RECORDS_IN_HAND),
            ready: Arc::default(),
        };
        let lanes: Arc<[Lane]> = (0..log.partitions()).map(lane).collect();
        let health = Arc::new(watch::Sender::new(LogHealth::Unknown));
        let watching = LogWatchArgs {
            log: Arc::new(seen.clone()),
            readers: Arc::default(),
            health: health.clone(),
            metrics: shared.telemetry.log("v3", LogProduct::Kafka),
        };
        let appending = AppenderArgs {
            log: Arc::new(seen.clone()),
            metrics: shared.telemetry.appends("v3"),
        };
        let desk = OrderDesk {
            credit: Credit::new(CREDIT),
            ingest: Slot::default(),
            deadline: DEADLINE,
        };
        let appender = Slot::default();
        let ingesting = IngestArgs {
            takers: [appender.clone()].into(),
        };
        let v3 = vec![
            ChildSpec::worker::<LogWatch>("log-watch", watching, Slot::default()),
            ChildSpec::crew("partitions", crew(&shared, &seen, &lanes)),
            ChildSpec::worker::<Appender>("appender", appending, appender),
            ChildSpec::worker::<Ingest<_>>("ingest", ingesting, desk.ingest.clone()),
        ];
        Self {
            log: seen,
            desk,
            grove: shared.plant("v3", v3).await,
            health,
            lanes,
            shared,
        }
    }

    pub fn place(&self, order: &Order) -> Placing {
        let (desk, order) = (self.desk.clone(), order.clone());
        tokio::spawn(async move { desk.place(order).await })
    }

    /// Records that the readers have in hand.
    pub fn taken(&self) -> usize {
        self.lanes.iter().map(|lane| lane.in_hand.in_flight()).sum()
    }

    /// How often a reader noticed that its partition is not what it was.
    pub fn positions_lost(&self) -> u64 {
        self.shared.telemetry.reads("v3").positions_lost.get()
    }

    /// Records that were buried for that reason, as this node has counted them.
    pub fn buried(&self, reason: PoisonReason) -> u64 {
        let families = self.shared.registry.gather();
        let buried = families.iter().find(|f| f.name() == "coffee_rt_dead_letters_total");
        let counts = |metric: &&Metric| {
            let has = |value| metric.get_label().iter().any(|label| label.value() == value);
            has(reason.name()) && has("v3")
        };
        let metric = buried.unwrap().get_metric().iter().find(counts);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let count = metric.unwrap().get_counter().get_value() as u64;
        count
    }

    /// Records that were read.
    pub fn read(&self) -> u64 {
        self.shared.telemetry.reads("v3").read_orders.get()
    }
}

/// A pair of a batcher and a reader for each partition that is the node's.
fn crew(shared: &Shared, log: &PartitionsOfNode, lanes: &Arc<[Lane]>) -> CrewSpec {
    let (store, telemetry, deltas) = (shared.store.clone(), shared.telemetry.clone(), shared.deltas.clone());
    let (wanted, log, lanes) = (log.assigned(), log.clone(), lanes.clone());
    let child = move |number: i32| {
        let lane = lanes[usize::try_from(number).unwrap()].clone();
        let (partition, metrics) = (log.partition(number), telemetry.reads("v3"));
        let batching = BatcherArgs {
            writer: store.partition_writer("v3", number),
            deltas: deltas.clone(),
            ready: lane.ready.clone(),
            metrics: telemetry.batches("v3"),
            partition: Some(PartitionSide {
                log: partition.clone(),
                metrics: metrics.clone(),
            }),
        };
        let reading = PartitionReaderArgs {
            partition,
            number,
            batcher: lane.batcher.clone(),
            credit: lane.in_hand.clone(),
            metrics,
        };
        let pair = vec![
            ChildSpec::worker::<Batcher<_>>("batcher", batching, lane.batcher),
            ChildSpec::worker::<PartitionReader>("reader", reading, Slot::default()).with_load(lane.in_hand.probe()),
        ];
        branch(&format!("partition-{number}"), Strategy::RestForOne, pair)
    };
    CrewSpec {
        policy: policy(),
        wanted,
        child: Box::new(child),
    }
}

impl Cluster {
    /// A node for each share of the partitions, which are numbered from 0.
    pub async fn start(shares: &[&[i32]]) -> Self {
        let partitions = shares
            .iter()
            .flat_map(|share| share.iter())
            .max()
            .map_or(0, |last| last + 1);
        let (log, store) = (
            MemoryPartitions::new(usize::try_from(partitions).unwrap()),
            MemoryStore::default(),
        );
        let mut nodes = Vec::new();
        for share in shares {
            nodes.push(PartitionNode::start(&log, &store, share).await);
        }
        Self { log, store, nodes }
    }

    /// The only node.
    pub fn node(&self) -> &PartitionNode {
        assert_eq!(self.nodes.len(), 1);
        &self.nodes[0]
    }

    /// Appends new orders as another producer does.
    pub fn appended(&self, count: usize, random: &mut impl Rng) -> Vec<Order> {
        let orders: Vec<_> = (0..count).map(|_| any_order(random)).collect();
        for order in &orders {
            self.log.append(order);
        }
        orders
    }

    /// Places new orders all at once at the first node, and waits until they are acknowledged.
    pub async fn logged(&self, count: usize, random: &mut impl Rng) -> Vec<Order> {
        let orders: Vec<_> = (0..count).map(|_| any_order(random)).collect();
        let placing: Vec<_> = orders.iter().map(|order| self.nodes[0].place(order)).collect();
        for placing in placing {
            assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Logged));
        }
        orders
    }

    pub fn partitions(&self) -> impl Iterator<Item = i32> + use<> {
        0..self.log.partitions()
    }

    /// Records that all readers have in hand.
    pub fn taken(&self) -> usize {
        self.nodes.iter().map(PartitionNode::taken).sum()
    }

    /// The offset at which a partition would be read on.
    pub fn position(&self, partition: i32) -> i64 {
        let position = self.store.partition(partition).position;
        position.map_or(0, |position| position.next_offset)
    }

    /// Records that were passed over, as the store has counted them.
    pub fn dead_lettered(&self) -> u64 {
        let of = |partition| self.store.partition(partition).dead_lettered;
        self.partitions().map(of).sum()
    }

    /// Waits until everything in the log is dealt with and nothing is under way.
    pub async fn is_done(&self) {
        eventually("the positions are where the log ends", || {
            let done = |partition| self.position(partition) == self.log.end(partition);
            self.partitions().all(done)
        })
        .await;
        eventually("all credit is back", || {
            let waiting = |node: &PartitionNode| node.desk.credit.in_flight();
            self.taken() + self.nodes.iter().map(waiting).sum::<usize>() == 0
        })
        .await;
    }

    /// Waits until everything is dealt with, and checks that just these orders are stored, each once.
    pub async fn has_stored(&self, orders: &[Order]) {
        self.is_done().await;
        self.stores_just(orders);
        for node in &self.nodes {
            node.shared.is_consistent().await;
        }
    }

    pub fn stores_just(&self, orders: &[Order]) {
        let stored = self.store.orders();
        let by_key: HashMap<_, _> = stored.iter().map(|(_, order)| (order.message_id, order)).collect();
        assert_eq!((stored.len(), by_key.len()), (orders.len(), orders.len()));
        for order in orders {
            assert_eq!(by_key.get(&order.message_id), Some(&order));
        }
    }

    /// The dead letters by where they stood, each with its reason and how often it is there.
    pub fn buried(&self) -> BTreeMap<(u64, u64), (PoisonReason, usize)> {
        let mut buried = BTreeMap::new();
        for letter in self.log.dead_letters() {
            let entry = buried.entry((letter.id.0, letter.id.1)).or_insert((letter.reason, 0));
            assert_eq!(entry.0, letter.reason, "{letter:?}");
            entry.1 += 1;
        }
        buried
    }

    pub async fn drain(self) {
        for node in self.nodes {
            node.grove.drain().await.unwrap();
            assert!(node.log.left());
        }
    }
}

/// An order of any store, so that there are some for each partition.
pub fn any_order(random: &mut impl Rng) -> Order {
    Order {
        store: Menu::default().stores.choose(random).unwrap().clone(),
        ..new_order(random)
    }
}
