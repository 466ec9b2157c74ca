//! The application's actors over the store in memory, in a tree like that of a node.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::aggregator::{Aggregator, AggregatorArgs, AggregatorMsg};
use coffee_rt_actors::batcher::{Batcher, BatcherArgs};
use coffee_rt_actors::board::Board;
use coffee_rt_actors::cache::{Cache, CacheArgs};
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::domain::{Cents, Instant, Item, Order};
use coffee_rt_actors::fan_out::{FanOut, FanOutArgs};
use coffee_rt_actors::ingest::{Ingest, IngestArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::{CachedMetrics, Horizon, OrderStore, ShardWriter};
use coffee_rt_actors::store_watch::{StoreHealth, StoreWatch, StoreWatchArgs};
use coffee_rt_actors::supervision::{ChildSpec, RestartPolicy, Slot, Strategy};
use coffee_rt_actors::telemetry::Telemetry;
use coffee_rt_actors::view::View;
use prometheus::Registry;
use rand::RngExt;
use rand::seq::IndexedRandom;
use tokio::sync::watch;
use uuid::Uuid;

use super::eventually;
use super::memory_cache::MemoryCache;
use super::memory_log::NOT_TOLD;
use super::memory_store::MemoryStore;
use super::probe::{Grove, supervisor};

const BATCHERS: usize = 2;
/// As in a node's default configuration.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What nodes of all versions have: a store, and the actors that count and show what is in it.
pub struct Shared {
    pub store: MemoryStore,
    pub telemetry: Telemetry,
    pub registry: Registry,
    pub deltas: Deltas,
    cache: MemoryCache,
    board: Arc<Board>,
    aggregator: Slot<AggregatorMsg>,
}

/// A node of version 1.
pub struct Node {
    pub store: MemoryStore,
    pub cache: MemoryCache,
    pub desk: OrderDesk,
    pub grove: Grove,
    /// Of the batchers.
    pub writers: Vec<Arc<dyn ShardWriter>>,
    shared: Shared,
}

impl Default for Shared {
    fn default() -> Self {
        Self::over(MemoryStore::default())
    }
}

impl Shared {
    /// Over a store that other nodes may share.
    pub fn over(store: MemoryStore) -> Self {
        let (aggregator, registry) = (Slot::default(), Registry::new());
        Self {
            store,
            telemetry: Telemetry::register(&registry).unwrap(),
            registry,
            deltas: Deltas::new(aggregator.clone(), None),
            cache: MemoryCache::default(),
            board: Arc::default(),
            aggregator,
        }
    }

    fn children(&self) -> Vec<ChildSpec> {
        let store: Arc<dyn OrderStore> = Arc::new(self.store.clone());
        let watching = StoreWatchArgs {
            store: store.clone(),
            aggregator: self.aggregator.clone(),
            health: Arc::new(watch::Sender::new(StoreHealth::Unknown)),
            metrics: self.telemetry.store.clone(),
        };
        let aggregating = AggregatorArgs {
            board: self.board.clone(),
            store,
            metrics: self.telemetry.aggregator.clone(),
        };
        let fanning = FanOutArgs {
            board: self.board.clone(),
            min_interval: Duration::from_millis(20),
            metrics: self.telemetry.fan_out.clone(),
        };
        let caching = CacheArgs {
            board: self.board.clone(),
            cache: Arc::new(self.cache.clone()),
            metrics: self.telemetry.cache(),
        };
        vec![
            ChildSpec::worker::<FanOut>("fan-out", fanning, Slot::default()),
            ChildSpec::worker::<Cache>("cache", caching, Slot::default()),
            ChildSpec::worker::<Aggregator>("aggregator", aggregating, self.aggregator.clone()),
            ChildSpec::worker::<StoreWatch>("store-watch", watching, Slot::default()),
        ]
    }

    /// Starts these actors and those of a version.
    pub async fn plant(&self, version: &str, children: Vec<ChildSpec>) -> Grove {
        let all = vec![
            branch("shared", Strategy::OneForOne, self.children()),
            branch(version, Strategy::OneForOne, children),
        ];
        Grove::plant(supervisor(Strategy::OneForOne, policy(), all)).await
    }

    /// Checks what must be true once nothing is under way.
    pub async fn is_consistent(&self) {
        let audit = self.store.audit().await.unwrap();
        assert_eq!(audit.differences, []);
        eventually("the board equals a recount", || {
            self.board.cached_metrics().map(without_time) == Some(self.recount())
        })
        .await;
        eventually("the cache equals a recount", || {
            self.cache.metrics().map(without_time) == Some(self.recount())
        })
        .await;
    }

    fn recount(&self) -> CachedMetrics {
        let now = Instant::now();
        let horizon = Horizon::at(now);
        without_time(View::of_snapshot(self.store.peek(horizon), horizon).cached_metrics(now))
    }
}

impl Node {
    pub async fn start(credit: usize) -> Self {
        let shared = Shared::default();
        let batchers: Arc<[_]> = (0..BATCHERS).map(|_| Slot::default()).collect();
        let writers: Vec<_> = (0..BATCHERS).map(|_| shared.store.shard_writer("v1")).collect();
        let mut v1 = Vec::new();
        for (index, slot) in batchers.iter().enumerate() {
            let args = BatcherArgs {
                writer: writers[index].clone(),
                ready: Arc::default(),
                deltas: shared.deltas.clone(),
                metrics: shared.telemetry.batches("v1"),
                partition: None,
            };
            v1.push(ChildSpec::worker::<Batcher<_>>(
                format!("batcher-{index}"),
                args,
                slot.clone(),
            ));
        }
        let desk = OrderDesk {
            credit: Credit::new(credit),
            ingest: Slot::default(),
            deadline: DEADLINE,
        };
        let ingesting = IngestArgs { takers: batchers };
        let ingest = ChildSpec::worker::<Ingest<_>>("ingest", ingesting, desk.ingest.clone());
        v1.push(ingest.with_load(desk.credit.probe()));
        Self {
            store: shared.store.clone(),
            cache: shared.cache.clone(),
            desk,
            grove: shared.plant("v1", v1).await,
            writers,
            shared,
        }
    }

    /// Checks what must be true once nothing is under way.
    pub async fn is_consistent(&self) {
        eventually("all credit is back", || self.desk.credit.in_flight() == 0).await;
        self.shared.is_consistent().await;
    }
}

/// A supervisor that grants more restarts: tests inject more in a second than anybody in a minute.
pub fn branch(name: &str, strategy: Strategy, children: Vec<ChildSpec>) -> ChildSpec {
    ChildSpec::supervisor(name, supervisor(strategy, policy(), children))
}

pub fn policy() -> RestartPolicy {
    RestartPolicy {
        immediate: 10_000,
        budget: 10_000,
        ..RestartPolicy::default()
    }
}

fn without_time(mut metrics: CachedMetrics) -> CachedMetrics {
    metrics.dashboard.server_timestamp = Instant(0);
    metrics
}

/// An order that nobody placed before.
pub fn new_order(random: &mut impl rand::Rng) -> Order {
    let mut any = |names: &[&str]| Item::from(*names.choose(random).unwrap());
    let (drink, store) = (any(&["cappuccino", "americano", "latte"]), any(&["uptown", "downtown"]));
    Order {
        message_id: Uuid::now_v7(),
        drink,
        store,
        price: Cents(random.random_range(0..10_000)),
        at: Instant(Instant::now().0 - random.random_range(0..10_000_000_000)),
        accepted_at: NOT_TOLD,
        trace: None,
    }
}
