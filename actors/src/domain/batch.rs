//! Orders that are committed together.

use std::sync::Arc;

use super::{Advance, Order};

/// Orders of one transaction: sorted by `message_id`, none twice.
///
/// Sorted, because transactions that insert the same ids in opposite orders would deadlock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderBatch {
    orders: Vec<Arc<Order>>,
    advance: Option<Advance>,
}

impl OrderBatch {
    /// Builds a batch; of several orders with one id the first given is kept.
    #[must_use]
    pub fn build(mut orders: Vec<Arc<Order>>) -> Self {
        orders.sort_by_key(|order| order.message_id);
        orders.dedup_by(|later, first| later.message_id == first.message_id);
        Self { orders, advance: None }
    }

    /// The same, moving the position in the log that the orders were read from.
    #[must_use]
    pub fn with_advance(self, advance: Option<Advance>) -> Self {
        Self { advance, ..self }
    }

    /// How far the commit moves the shard's position.
    #[must_use]
    pub const fn advance(&self) -> Option<Advance> {
        self.advance
    }

    /// The orders, sorted by `message_id`.
    #[must_use]
    pub fn orders(&self) -> &[Arc<Order>] {
        &self.orders
    }

    /// The place of an id in [`Self::orders`].
    #[must_use]
    pub fn position(&self, message_id: uuid::Uuid) -> Option<usize> {
        self.orders
            .binary_search_by_key(&message_id, |order| order.message_id)
            .ok()
    }
}
