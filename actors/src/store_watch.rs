//! Store watch: asks the store for its positions again and again.
//!
//! Upstream: the store. Downstream: the aggregator, which compares; the health that `readyz` shows.
//! A crash loses one comparison; the next generation asks at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::aggregator::AggregatorMsg;
use crate::ports::{OrderStore, StoreError};
use crate::supervision::{Address, Failure, Slot, Worker};
use crate::telemetry::StoreMetrics;

/// How often the store is asked.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long it may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Whether the store can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreHealth {
    /// Not asked yet.
    Unknown,
    /// It answers.
    Up,
    /// It does not, and why.
    Away(String),
}

/// What a store watch can be told.
pub enum StoreWatchMsg {
    /// Ask the store; it tells itself.
    Ask,
}

/// What a store watch starts from.
#[derive(Clone)]
pub struct StoreWatchArgs {
    /// Whom to ask.
    pub store: Arc<dyn OrderStore>,
    /// Who compares.
    pub aggregator: Slot<AggregatorMsg>,
    /// Where the health is shown; outlives each generation.
    pub health: Arc<watch::Sender<StoreHealth>>,
    /// What it counts.
    pub metrics: StoreMetrics,
}

/// Asks the store.
pub struct StoreWatch {
    me: Address<StoreWatchMsg>,
    args: StoreWatchArgs,
}

impl Worker for StoreWatch {
    type Msg = StoreWatchMsg;
    type Args = StoreWatchArgs;

    async fn start(args: StoreWatchArgs, me: Address<StoreWatchMsg>) -> Result<Self, Failure> {
        let _ = me.send(StoreWatchMsg::Ask);
        Ok(Self { me, args })
    }

    async fn handle(&mut self, StoreWatchMsg::Ask: StoreWatchMsg) -> Result<(), Failure> {
        let answer = timeout(ANSWER_LIMIT, self.args.store.positions()).await;
        match answer.unwrap_or_else(|_| Err(StoreError::Away(format!("no answer within {ANSWER_LIMIT:?}")))) {
            Ok(positions) => {
                self.show(StoreHealth::Up);
                self.me.worked();
                let _ = self.args.aggregator.send(AggregatorMsg::Compare(positions));
            }
            Err(error) => self.show(StoreHealth::Away(error.to_string())),
        }
        self.me.send_after(INTERVAL, StoreWatchMsg::Ask);
        Ok(())
    }
}

impl StoreWatch {
    fn show(&self, health: StoreHealth) {
        let engine = self.args.store.engine();
        let changed = std::mem::discriminant(&*self.args.health.borrow()) != std::mem::discriminant(&health);
        self.args.metrics.up.set(i64::from(health == StoreHealth::Up));
        match &health {
            StoreHealth::Up if changed => {
                self.args.metrics.connected.inc();
                tracing::info!(engine, "the store answers");
            }
            StoreHealth::Away(reason) if changed => {
                self.args.metrics.failed.inc();
                tracing::warn!(engine, reason, "the store is away");
            }
            _ => {}
        }
        self.args.health.send_replace(health);
    }
}
