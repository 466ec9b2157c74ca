//! Orders at a steady rate that the node cannot slow down, each with the time it was sent and acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::http::{Connection, Placed};

/// Connections, each with one order under way.
const CONNECTIONS: usize = 256;

/// An order that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    /// What the node answered.
    pub placed: Placed,
    /// When it was sent.
    pub sent: Instant,
    /// When it was acknowledged.
    pub acknowledged: Instant,
}

/// A running load.
pub struct Pacer {
    stop: Arc<AtomicBool>,
    customers: JoinSet<anyhow::Result<Vec<Acknowledged>>>,
}

impl Pacer {
    /// Starts to send so many orders a second to a path.
    pub async fn start(address: SocketAddr, path: &'static str, rate_per_second: f64) -> anyhow::Result<Self> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(address).await?);
        }
        let (stop, turn) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (began, gap) = (Instant::now(), Duration::from_secs_f64(1.0 / rate_per_second.max(1.0)));
        let mut customers = JoinSet::new();
        for mut connection in connections {
            let (stop, turn) = (stop.clone(), turn.clone());
            customers.spawn(async move {
                let mut orders = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let due = began + gap * turn.fetch_add(1, Ordering::Relaxed);
                    sleep_until(due.into()).await;
                    let sent = Instant::now();
                    let placed = connection.place_order(path).await?;
                    orders.push(Acknowledged {
                        placed,
                        sent,
                        acknowledged: Instant::now(),
                    });
                }
                Ok(orders)
            });
        }
        Ok(Self { stop, customers })
    }

    /// Ends the load and returns its orders in the order of their acknowledgement. Each was acknowledged at the first
    /// attempt, or this is an error.
    pub async fn finish(self) -> anyhow::Result<Vec<Acknowledged>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for orders in self.customers.join_all().await {
            all.extend(orders?);
        }
        all.sort_unstable_by_key(|order| order.acknowledged);
        Ok(all)
    }
}
