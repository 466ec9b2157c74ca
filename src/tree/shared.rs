//! What all versions need.
//!
//! ```text
//! shared               one_for_one
//! ├── fan-out          worker        board → frames for every socket
//! ├── cache            worker        board → keys for other readers    only with Redis
//! ├── aggregator       worker        deltas, or the store → board
//! ├── bus-sender       worker        deltas → other nodes              only with PostgreSQL
//! ├── bus-receiver     worker        other nodes' deltas → aggregator  only with PostgreSQL
//! ├── store-watch      worker        store's positions → aggregator, health
//! └── auditor          worker        recounts → metrics                only with audit.every_seconds
//! ```
//!
//! The bus is Redis's where one is configured, else PostgreSQL's; SQLite has one node and needs none.
//!
//! Sinks start first. Nobody holds an address: everything goes through slots, the board and the health, which outlive
//! their writers, so each child restarts alone.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::aggregator::{Aggregator, AggregatorArgs};
use coffee_rt_actors::auditor::{Auditor, AuditorArgs};
use coffee_rt_actors::board::Board;
use coffee_rt_actors::bus::{BusReceiver, BusReceiverArgs, BusSender, BusSenderArgs};
use coffee_rt_actors::cache::{Cache, CacheArgs};
use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::fan_out::{FanOut, FanOutArgs};
use coffee_rt_actors::ports::{DeltaBus, MetricsCache, OrderStore};
use coffee_rt_actors::store_watch::{StoreHealth, StoreWatch, StoreWatchArgs};
use coffee_rt_actors::supervision::{ChildSpec, RestartPolicy, Slot, Strategy, SupervisorSpec};
use coffee_rt_actors::telemetry::Telemetry;
use tokio::sync::watch;

/// What the branch is made of.
pub struct Shared {
    /// The store.
    pub store: Arc<dyn OrderStore>,
    /// The way to other nodes, where there is one.
    pub bus: Option<Arc<dyn DeltaBus>>,
    /// Where other readers find the metrics, where there is such a place.
    pub cache: Option<Arc<dyn MetricsCache>>,
    /// Where the view hangs.
    pub board: Arc<Board>,
    /// Where the store's health is shown.
    pub health: Arc<watch::Sender<StoreHealth>>,
    /// The least time between two frames.
    pub min_interval: Duration,
    /// From one recount of all orders to the next, where that is wanted.
    pub audit_every: Option<Duration>,
    /// What is counted.
    pub telemetry: Telemetry,
}

/// The branch, and where versions send their deltas.
#[must_use]
pub fn shared(parts: Shared) -> (SupervisorSpec, Deltas) {
    let Shared {
        store,
        bus,
        cache,
        board,
        health,
        min_interval,
        audit_every,
        telemetry,
    } = parts;
    let (aggregator, bus_sender) = (Slot::default(), Slot::default());
    let deltas = Deltas::new(aggregator.clone(), bus.as_ref().map(|_| bus_sender.clone()));

    let writer = cache.map(|cache| CacheArgs {
        board: board.clone(),
        cache,
        metrics: telemetry.cache(),
    });
    let fan_out = FanOutArgs {
        board: board.clone(),
        min_interval,
        metrics: telemetry.fan_out,
    };
    let keeper = AggregatorArgs {
        board,
        store: store.clone(),
        metrics: telemetry.aggregator,
    };
    let auditor = audit_every.map(|every| AuditorArgs {
        store: store.clone(),
        every,
        metrics: telemetry.audits,
    });
    let watcher = StoreWatchArgs {
        store,
        aggregator: aggregator.clone(),
        health,
        metrics: telemetry.store,
    };

    let mut children = vec![ChildSpec::worker::<FanOut>("fan-out", fan_out, Slot::default())];
    children.extend(writer.map(|writer| ChildSpec::worker::<Cache>("cache", writer, Slot::default())));
    children.push(ChildSpec::worker::<Aggregator>("aggregator", keeper, aggregator));
    if let Some(bus) = bus {
        let receiver = BusReceiverArgs {
            bus: bus.clone(),
            deltas: deltas.clone(),
        };
        children.push(ChildSpec::worker::<BusSender>(
            "bus-sender",
            BusSenderArgs { bus },
            bus_sender,
        ));
        children.push(ChildSpec::worker::<BusReceiver>(
            "bus-receiver",
            receiver,
            Slot::default(),
        ));
    }
    children.push(ChildSpec::worker::<StoreWatch>("store-watch", watcher, Slot::default()));
    children.extend(auditor.map(|auditor| ChildSpec::worker::<Auditor>("auditor", auditor, Slot::default())));
    (
        SupervisorSpec {
            strategy: Strategy::OneForOne,
            policy: RestartPolicy::default(),
            children,
        },
        deltas,
    )
}
