//! What `GET /api/actors` and each frame of `WS /ws/actors` hold: counters and snapshots, no message to any actor.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::log_watch::LogHealth;
use coffee_rt_actors::ports::EngineView;
use coffee_rt_actors::store_watch::StoreHealth;
use coffee_rt_actors::supervision::{ActorStatus, TreeEvent};
use coffee_rt_actors::telemetry::FlowCounts;
use serde::Serialize;

use super::app::{App, Readiness, RunningVersion};
use crate::config::Version;

/// How many of the last events each picture tells.
const EVENTS_IN_A_PICTURE: usize = 64;

/// The tree, and what goes through it.
#[derive(Serialize)]
pub(super) struct Picture {
    server_timestamp: Instant,
    /// When this node started: its sums and its events begin there.
    started_at: Instant,
    /// Parents before their children.
    actors: Vec<ActorStatus>,
    /// By version.
    flows: BTreeMap<&'static str, Flow>,
    store: StoreState,
    /// Dashboard frames made.
    frames_total: u64,
    /// WebSockets that are open.
    sockets: u64,
    /// How often the view was read from the store.
    hydrations_total: u64,
    /// The last ones, ascending.
    events: Vec<TreeEvent>,
}

/// What goes through a version.
#[derive(Serialize)]
struct Flow {
    /// Orders that this node acknowledged.
    accepted_total: u64,
    /// Orders that it refused for now.
    refused_total: u64,
    /// Orders between HTTP and their acknowledgement.
    in_flight: u64,
    limit: u64,
    #[serde(flatten)]
    counts: FlowCounts,
    log: Option<LogState>,
    /// Who stores, where that can be others than this node's actors.
    engine: Option<EngineView>,
}

/// How a log is. What is not known is null.
#[derive(Default, Serialize)]
struct LogState {
    state: &'static str,
    reason: Option<String>,
    lag: Option<u64>,
    pending: Option<u64>,
    backlog: Option<u64>,
    backlog_limit: Option<u64>,
    dead_letters: Option<u64>,
    partitions: Vec<PartitionState>,
}

#[derive(Serialize)]
struct PartitionState {
    partition: i32,
    lag: u64,
}

/// How the store is.
#[derive(Serialize)]
pub(super) struct StoreState {
    pub(super) state: &'static str,
    /// Why it is away.
    pub(super) reason: Option<String>,
}

impl Picture {
    /// The present one.
    pub(super) fn of(app: &App) -> Self {
        let flows = app.running.iter();
        let sockets = &app.metrics.sockets;
        Self {
            server_timestamp: Instant::now(),
            started_at: app.started_at,
            actors: app.tree.snapshot(),
            flows: flows
                .map(|(version, running)| (version.name(), flow(app, *version, running)))
                .collect(),
            store: StoreState::of(&app.health.borrow()),
            frames_total: app.telemetry.fan_out.frames.get(),
            sockets: sockets.opened.get().saturating_sub(sockets.closed.get()),
            hydrations_total: app.telemetry.aggregator.hydrations.get(),
            events: app.tree.latest_events(EVENTS_IN_A_PICTURE),
        }
    }
}

fn flow(app: &App, version: Version, running: &RunningVersion) -> Flow {
    let log = match &running.readiness {
        Readiness::Shards(_) => None,
        Readiness::Log(log) => Some(log_state(&log.borrow())),
    };
    let load = running.desk.credit.load();
    Flow {
        accepted_total: app.metrics.orders_answered(version, 200),
        refused_total: app.metrics.orders_answered(version, 503),
        in_flight: load.in_flight,
        limit: load.limit.unwrap_or_default(),
        counts: app.telemetry.flow(version.name(), log.is_some()),
        log,
        engine: running.engine.as_ref().map(|engine| engine.borrow().clone()),
    }
}

fn log_state(log: &LogHealth) -> LogState {
    match log {
        LogHealth::Unknown => LogState {
            state: "unknown",
            ..LogState::default()
        },
        LogHealth::Away(reason) => LogState {
            state: "away",
            reason: Some(reason.clone()),
            ..LogState::default()
        },
        LogHealth::Up(status) => LogState {
            state: if log.takes_orders() { "up" } else { "full" },
            reason: None,
            lag: status.lag,
            pending: Some(status.pending),
            backlog: Some(status.backlog),
            backlog_limit: Some(status.backlog_limit),
            dead_letters: Some(status.dead_letters),
            partitions: status
                .partitions
                .iter()
                .map(|lag| PartitionState {
                    partition: lag.partition,
                    lag: lag.records,
                })
                .collect(),
        },
    }
}

impl StoreState {
    /// In words.
    pub(super) fn of(health: &StoreHealth) -> Self {
        let (state, reason) = match health {
            StoreHealth::Unknown => ("unknown", None),
            StoreHealth::Up => ("up", None),
            StoreHealth::Away(reason) => ("away", Some(reason.clone())),
        };
        Self { state, reason }
    }
}
