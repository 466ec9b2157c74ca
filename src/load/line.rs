//! Where orders that are due wait for a free customer.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::order::Outgoing;

/// First come, first served, for any number of customers. Each waiting order has a permit; a permit without an order
/// sends one customer home.
#[derive(Debug)]
pub(super) struct WaitingLine {
    orders: Mutex<VecDeque<Arc<Outgoing>>>,
    ready: Semaphore,
}

impl WaitingLine {
    pub(super) fn new() -> Self {
        Self {
            orders: Mutex::new(VecDeque::new()),
            ready: Semaphore::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.orders.lock().len()
    }

    pub(super) fn push(&self, order: Arc<Outgoing>) {
        self.orders.lock().push_back(order);
        self.ready.add_permits(1);
    }

    /// Waits for the next order; `None` where the line is closed. Cancel safe: nothing is taken before it returns.
    pub(super) async fn next(&self) -> Option<Arc<Outgoing>> {
        self.ready.acquire().await.ok()?.forget();
        self.orders.lock().pop_front()
    }

    /// Takes an order that waits already.
    pub(super) fn take(&self) -> Option<Arc<Outgoing>> {
        let permit = self.ready.try_acquire().ok()?;
        permit.forget();
        self.orders.lock().pop_front()
    }

    /// Sends `customers` home and hands back what nobody took.
    pub(super) fn close(&self, customers: usize) -> VecDeque<Arc<Outgoing>> {
        let left = std::mem::take(&mut *self.orders.lock());
        self.ready.add_permits(customers);
        left
    }
}
