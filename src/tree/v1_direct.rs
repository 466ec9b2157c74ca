//! Version 1: HTTP to SQL directly. An order is acknowledged when it is committed to the database.
//!
//! ```text
//! v1                   one_for_one
//! ├── batcher-0        worker        orders → transaction on shard 0 → deltas, answers
//! ├── batcher-…        worker        … one for each of v1.batchers
//! └── ingest           worker        orders → the batcher of their shard
//! ```
//!
//! Limits: `limits.credit_orders` orders under way (further ones: 503), 1,000 orders in a transaction (the rest waits for
//! the next), one transaction under way in each batcher.
//!
//! Batchers start first, and run on a thread of their own (`src/fast_lane.rs`). The ingest finds them through slots, so
//! each child restarts alone.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use coffee_rt_actors::batcher::{Batcher, BatcherArgs, BatcherMsg, MAX_BATCH_ORDERS};
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::ingest::{Ingest, IngestArgs};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::OrderStore;
use coffee_rt_actors::supervision::{ChildSpec, RestartPolicy, Slot, Strategy, SupervisorSpec};
use coffee_rt_actors::telemetry::BatchMetrics;
use coffee_rt_actors::ticket::Ticket;
use tokio::runtime::Handle;

use crate::config::Version;

/// The name in paths, metrics, and of the shards' source.
pub const SOURCE: &str = Version::V1.name();
/// The credit unless configured.
pub const DEFAULT_CREDIT_ORDERS: usize = 4_096;
/// With the default credit the next batch can form while one is under way.
const _: () = assert!(DEFAULT_CREDIT_ORDERS >= 2 * MAX_BATCH_ORDERS);

/// What the branch is made of.
pub struct V1Direct {
    /// Where orders go.
    pub store: Arc<dyn OrderStore>,
    /// Who hears of commits.
    pub deltas: Deltas,
    /// How many batchers.
    pub batchers: usize,
    /// How many orders may be under way.
    pub credit_orders: usize,
    /// How long an order may take.
    pub order_deadline: Duration,
    /// Where those run whom customers wait for.
    pub lane: Handle,
    /// What is counted.
    pub metrics: BatchMetrics,
}

/// The branch, the desk where its orders are handed in, and whether each batcher holds its shard.
#[must_use]
pub fn v1_direct(parts: V1Direct) -> (SupervisorSpec, OrderDesk, Vec<Arc<AtomicBool>>) {
    let V1Direct {
        store,
        deltas,
        batchers,
        credit_orders,
        order_deadline,
        lane,
        metrics,
    } = parts;
    let (credit, ingest) = (Credit::new(credit_orders), Slot::default());
    let slots: Arc<[Slot<BatcherMsg<Ticket>>]> = (0..batchers).map(|_| Slot::default()).collect();
    let ready: Vec<Arc<AtomicBool>> = slots.iter().map(|_| Arc::default()).collect();

    let batcher = |(index, (slot, ready)): (usize, (&Slot<_>, &Arc<AtomicBool>))| {
        let args = BatcherArgs {
            writer: store.shard_writer(SOURCE),
            deltas: deltas.clone(),
            ready: ready.clone(),
            metrics: metrics.clone(),
            partition: None,
        };
        ChildSpec::worker::<Batcher<_>>(format!("batcher-{index}"), args, slot.clone()).on(lane.clone())
    };
    let mut children: Vec<ChildSpec> = slots.iter().zip(&ready).enumerate().map(batcher).collect();
    let routing = IngestArgs { takers: slots };
    children.push(ChildSpec::worker::<Ingest<_>>("ingest", routing, ingest.clone()).with_load(credit.probe()));

    let spec = SupervisorSpec {
        strategy: Strategy::OneForOne,
        policy: RestartPolicy::default(),
        children,
    };
    (
        spec,
        OrderDesk {
            credit,
            ingest,
            deadline: order_deadline,
        },
        ready,
    )
}
