//! What the handlers share.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use coffee_rt_actors::board::Board;
use coffee_rt_actors::domain::{Instant, Menu};
use coffee_rt_actors::log_watch::LogHealth;
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::EngineView;
use coffee_rt_actors::store_watch::StoreHealth;
use coffee_rt_actors::supervision::Tree;
use coffee_rt_actors::telemetry::Telemetry;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::body::BodyLimits;
use super::customers::Customers;
use super::metrics::HttpMetrics;
use crate::config::{Limits, Secret, Version};

/// A version that runs.
pub struct RunningVersion {
    /// Where its orders are handed in.
    pub desk: OrderDesk,
    /// Whether it can acknowledge them.
    pub readiness: Readiness,
    /// Who stores them, where that can be others than this node's actors.
    pub engine: Option<watch::Receiver<EngineView>>,
}

/// What a version needs to acknowledge orders.
pub enum Readiness {
    /// The store, and each of its batchers the shard: whether they hold it.
    Shards(Vec<Arc<AtomicBool>>),
    /// A log that takes orders.
    Log(watch::Receiver<LogHealth>),
}

/// Who may inject faults.
#[derive(Clone, Debug)]
pub enum FaultAccess {
    /// Anyone: the node is reachable from its own machine only.
    Open,
    /// Who knows the token.
    Token(Secret),
    /// Nobody: the node is reachable from elsewhere and has no token.
    Off,
}

/// What the handlers share. Outlives every actor.
pub struct App {
    /// What can be ordered.
    pub(super) menu: Menu,
    /// The running versions.
    pub(super) running: BTreeMap<Version, RunningVersion>,
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    pub(super) board: Arc<Board>,
    pub(super) tree: Arc<Tree>,
    pub(super) health: watch::Receiver<StoreHealth>,
    pub(super) fault_access: FaultAccess,
    pub(super) body_limits: BodyLimits,
    /// One permit for each WebSocket.
    pub(super) sockets: Arc<Semaphore>,
    pub(super) metrics: HttpMetrics,
    /// What the actors count.
    pub(super) telemetry: Telemetry,
    pub(super) started_at: Instant,
    /// Where this node reaches itself.
    pub(super) url: Url,
    /// Simulated ones.
    pub(super) customers: Arc<Customers>,
    /// Cancelled when the node was told to stop, and before it does: it is not ready any more.
    pub leaving: CancellationToken,
    /// Cancelled when the node stops: sockets say goodbye, connections finish their request.
    pub draining: CancellationToken,
    /// Connections and sockets that are open.
    pub open: TaskTracker,
}

/// What an [`App`] is made of.
pub struct AppParts {
    /// The running versions.
    pub running: BTreeMap<Version, RunningVersion>,
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// The present view.
    pub board: Arc<Board>,
    /// The supervision tree.
    pub tree: Arc<Tree>,
    /// The store's health.
    pub health: watch::Receiver<StoreHealth>,
    /// Who may inject faults.
    pub fault_access: FaultAccess,
    /// What can be ordered.
    pub menu: Menu,
    /// The limit of everything.
    pub limits: Limits,
    /// What the actors count.
    pub telemetry: Telemetry,
    /// Where it listens.
    pub address: SocketAddr,
}

impl App {
    /// Puts the parts together.
    ///
    /// # Errors
    /// Where the registry has one of the metrics already.
    pub fn new(parts: AppParts, registry: &prometheus::Registry) -> prometheus::Result<Self> {
        let AppParts {
            running,
            engine,
            board,
            tree,
            health,
            fault_access,
            menu,
            limits,
            telemetry,
            address,
        } = parts;
        let draining = CancellationToken::new();
        Ok(Self {
            metrics: HttpMetrics::register(registry, tree.clone())?,
            body_limits: BodyLimits {
                keep_bytes: limits.body_bytes,
                discard_bytes: limits.discard_bytes,
                deadline: Duration::from_millis(limits.read_deadline_ms),
            },
            sockets: Arc::new(Semaphore::new(limits.sockets)),
            leaving: draining.child_token(),
            draining,
            open: TaskTracker::new(),
            menu,
            running,
            engine,
            board,
            tree,
            health,
            fault_access,
            telemetry,
            started_at: Instant::now(),
            url: own_url(address),
            customers: Arc::default(),
        })
    }

    pub(super) fn desk(&self, version: Version) -> Option<&OrderDesk> {
        self.running.get(&version).map(|running| &running.desk)
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = Version> {
        self.running.keys().copied()
    }
}

/// Where a node that listens there reaches itself.
fn own_url(mut address: SocketAddr) -> Url {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Url::parse(&format!("http://{address}")).expect("an address and a port make a URL")
}
