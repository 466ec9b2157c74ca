//! The application's actors over the store in memory, in a tree like that of a node.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::aggregator::{Aggregator, AggregatorArgs};
use coffee_rt_actors::batcher::{Batcher, BatcherArgs};
use coffee_rt_actors::board::Board;
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::domain::{Cents, Instant, Item, Order};
use coffee_rt_actors::fan_out::{FanOut, FanOutArgs};
use coffee_rt_actors::ingest::{Ingest, IngestArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::{OrderStore, ShardWriter};
use coffee_rt_actors::store_watch::{StoreHealth, StoreWatch, StoreWatchArgs};
use coffee_rt_actors::supervision::{ChildSpec, RestartPolicy, Slot, Strategy};
use coffee_rt_actors::telemetry::Telemetry;
use coffee_rt_actors::view::{Dashboard, View};
use prometheus::Registry;
use rand::RngExt;
use rand::seq::IndexedRandom;
use tokio::sync::watch;
use uuid::Uuid;

use super::eventually;
use super::memory_store::MemoryStore;
use super::probe::{Grove, supervisor};

const BATCHERS: usize = 2;
/// As in a node's default configuration.
const DEADLINE: Duration = Duration::from_secs(10);

pub struct Node {
    pub store: MemoryStore,
    pub board: Arc<Board>,
    pub desk: OrderDesk,
    pub grove: Grove,
    /// Of the batchers.
    pub writers: Vec<Arc<dyn ShardWriter>>,
}

impl Node {
    pub async fn start(credit: usize) -> Self {
        let (store, board, telemetry) = (
            MemoryStore::default(),
            Arc::new(Board::default()),
            Telemetry::register(&Registry::new()).unwrap(),
        );
        let (aggregator, ingest) = (Slot::default(), Slot::default());
        let batchers: Arc<[_]> = (0..BATCHERS).map(|_| Slot::default()).collect();
        let writers: Vec<_> = (0..BATCHERS).map(|_| store.shard_writer("v1")).collect();
        let ported: Arc<dyn OrderStore> = Arc::new(store.clone());
        let deltas = Deltas::new(aggregator.clone(), None);
        let mut v1 = Vec::new();
        for (index, slot) in batchers.iter().enumerate() {
            let args = BatcherArgs {
                writer: writers[index].clone(),
                ready: Arc::default(),
                deltas: deltas.clone(),
                metrics: telemetry.batches("v1"),
            };
            v1.push(ChildSpec::worker::<Batcher<_>>(
                format!("batcher-{index}"),
                args,
                slot.clone(),
            ));
        }
        let desk = OrderDesk {
            credit: Credit::new(credit),
            ingest: ingest.clone(),
            deadline: DEADLINE,
        };
        let ingesting = ChildSpec::worker::<Ingest<_>>("ingest", IngestArgs { takers: batchers }, ingest);
        v1.push(ingesting.with_load(desk.credit.probe()));
        let watching = StoreWatchArgs {
            store: ported.clone(),
            aggregator: aggregator.clone(),
            health: Arc::new(watch::Sender::new(StoreHealth::Unknown)),
            metrics: telemetry.store.clone(),
        };
        let aggregating = AggregatorArgs {
            board: board.clone(),
            store: ported,
            metrics: telemetry.aggregator.clone(),
        };
        let fanning = FanOutArgs {
            board: board.clone(),
            min_interval: Duration::from_millis(20),
            metrics: telemetry.fan_out.clone(),
        };
        let shared = vec![
            ChildSpec::worker::<FanOut>("fan-out", fanning, Slot::default()),
            ChildSpec::worker::<Aggregator>("aggregator", aggregating, aggregator),
            ChildSpec::worker::<StoreWatch>("store-watch", watching, Slot::default()),
        ];
        // Tests inject more in a second than anybody in a minute.
        let policy = RestartPolicy {
            immediate: 10_000,
            budget: 10_000,
            ..RestartPolicy::default()
        };
        let branch =
            |name: &str, children| ChildSpec::supervisor(name, supervisor(Strategy::OneForOne, policy, children));
        let root = supervisor(
            Strategy::OneForOne,
            policy,
            vec![branch("shared", shared), branch("v1", v1)],
        );
        let grove = Grove::plant(root).await;
        Self {
            store,
            board,
            desk,
            grove,
            writers,
        }
    }

    /// Checks what must be true once nothing is under way.
    pub async fn is_consistent(&self) {
        eventually("all credit is back", || self.desk.credit.in_flight() == 0).await;
        let audit = self.store.audit().await.unwrap();
        assert_eq!(audit.differences, []);
        eventually("the board equals a recount", || self.shown() == Some(self.recount())).await;
    }

    fn shown(&self) -> Option<Dashboard> {
        self.board.dashboard().map(without_time)
    }

    fn recount(&self) -> Dashboard {
        let now = Instant::now();
        let from_hour = View::first_hour(now);
        without_time(View::of_snapshot(self.store.peek(from_hour), from_hour).dashboard(now))
    }
}

fn without_time(dashboard: Dashboard) -> Dashboard {
    Dashboard {
        server_timestamp: Instant(0),
        ..dashboard
    }
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
    }
}
