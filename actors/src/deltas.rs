//! The way of deltas from those who commit to those who count.

use std::sync::Arc;

use crate::aggregator::AggregatorMsg;
use crate::bus::BusSenderMsg;
use crate::credit::{Credit, Permit};
use crate::ports::Delta;
use crate::supervision::Slot;

/// Deltas on their way to one receiver; further ones are dropped, which the receiver sees as a gap and heals.
pub const MAX_DELTAS_UNDER_WAY: usize = 1_024;

/// A delta and its share of the credit.
#[derive(Debug)]
pub struct DeltaParcel {
    /// Shared between receivers.
    pub delta: Arc<Delta>,
    /// Given back when the parcel is dropped.
    pub permit: Permit,
}

/// Sends deltas to this node's aggregator and, where there is a bus, to the other nodes.
#[derive(Clone)]
pub struct Deltas {
    aggregator: Slot<AggregatorMsg>,
    aggregator_credit: Credit,
    bus: Option<(Slot<BusSenderMsg>, Credit)>,
}

impl Deltas {
    /// For an aggregator, and for a bus where there is one.
    #[must_use]
    pub fn new(aggregator: Slot<AggregatorMsg>, bus: Option<Slot<BusSenderMsg>>) -> Self {
        let credit = || Credit::new(MAX_DELTAS_UNDER_WAY);
        Self {
            aggregator,
            aggregator_credit: credit(),
            bus: bus.map(|slot| (slot, credit())),
        }
    }

    /// Tells everybody about a commit of this node. Never waits and never fails: a lost delta heals.
    pub fn send(&self, delta: Delta) {
        let delta = Arc::new(delta);
        if let Some((bus, credit)) = &self.bus
            && let Some(permit) = credit.try_take()
        {
            let _ = bus.send(BusSenderMsg::Deliver(DeltaParcel {
                delta: delta.clone(),
                permit,
            }));
        }
        self.show(delta);
    }

    /// Tells this node's aggregator about a commit of any node.
    pub fn show(&self, delta: Arc<Delta>) {
        if let Some(permit) = self.aggregator_credit.try_take() {
            let _ = self
                .aggregator
                .send(AggregatorMsg::Apply(DeltaParcel { delta, permit }));
        }
    }

    /// Tells this node's aggregator that deltas may have been missed.
    pub fn missed(&self) {
        let _ = self.aggregator.send(AggregatorMsg::Rehydrate);
    }
}
