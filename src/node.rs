//! A node: settings → store → tree → serving → leaving → draining.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use coffee_rt_actors::board::Board;
use coffee_rt_actors::deltas::Deltas;
use coffee_rt_actors::follower::FollowerArgs;
use coffee_rt_actors::ports::{DeltaBus, EngineView, OrderStore};
use coffee_rt_actors::store_watch::StoreHealth;
use coffee_rt_actors::supervision::{DRAIN_LIMIT_MS, Meltdown, SupervisorSpec, Tree, run_guarded};
use coffee_rt_actors::telemetry::Telemetry;
use tokio::sync::watch;

use crate::config::{Config, Version};
use crate::fast_lane::FastLane;
use crate::http::{AcceptorArgs, App, AppParts, FaultAccess, Listening, Readiness, RunningVersion};
use crate::stores;
use crate::tree::{self, Branches, Shared, V1Direct, V2RedisStreams, V3Kafka, V3Storing};

/// Why a node ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Something it needs to start is not there.
    #[error(transparent)]
    Start(#[from] anyhow::Error),
    /// The supervision tree gave up.
    #[error("the supervision tree gave up: {0}")]
    Meltdown(#[from] Meltdown),
}

/// Runs a node until `stop` resolves, then drains it.
///
/// # Errors
/// See [`NodeError`].
pub async fn run(config: Config, stop: impl Future<Output = ()> + Send) -> Result<(), NodeError> {
    let (store, bus) = stores::open_to_serve(&config).await?;
    let (listening, address) = Listening::on(config.listen)
        .map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}; is another node running?", config.listen))?;
    let supervision = Arc::new(Tree::default());
    let lane = FastLane::open().context("the thread for commits cannot be started")?;
    let (spec, app) = assemble(&config, &store, bus, (&listening, address), supervision.clone(), &lane)?;
    let versions: Vec<_> = config.running_versions().iter().map(|version| version.name()).collect();
    tracing::info!(%address, engine = app.engine, versions = versions.join(","), "listening");

    let leave = Duration::from_millis(config.limits.leave_ms);
    let drain_deadline = Duration::from_millis(config.limits.drain_deadline_ms);
    let shutdown = async {
        stop.await;
        tracing::info!(?leave, "stopping: not ready any more");
        app.leaving.cancel();
        tokio::time::sleep(leave).await;
        drain_http(&app, &listening, drain_deadline).await;
    };
    run_guarded(spec, supervision, shutdown).await?;
    tracing::info!("stopped");
    Ok(())
}

fn assemble(
    config: &Config,
    store: &Arc<dyn OrderStore>,
    bus: Option<Arc<dyn DeltaBus>>,
    (listening, address): (&Listening, SocketAddr),
    supervision: Arc<Tree>,
    lane: &FastLane,
) -> anyhow::Result<(SupervisorSpec, Arc<App>)> {
    let registry = prometheus::Registry::new();
    let telemetry = Telemetry::register(&registry)?;
    let board = Arc::new(Board::default());
    let health = Arc::new(watch::Sender::new(StoreHealth::Unknown));
    let engine = store.engine();
    let (shared, deltas) = tree::shared(Shared {
        store: store.clone(),
        bus,
        cache: stores::redis_cache(config)?,
        board: board.clone(),
        health: health.clone(),
        min_interval: Duration::from_millis(config.dashboard.min_interval_ms),
        audit_every: config.audit_every(),
        telemetry: telemetry.clone(),
    });
    let mut versions = Vec::new();
    let mut running = BTreeMap::new();
    for version in config.running_versions() {
        let (spec, part) = branch(version, config, store, &deltas, &telemetry, lane)?;
        versions.push((version.name(), spec));
        running.insert(version, part);
    }
    let app = Arc::new(App::new(
        AppParts {
            running,
            engine,
            board,
            tree: supervision,
            health: health.subscribe(),
            fault_access: fault_access(config),
            menu: config.menu.clone(),
            limits: config.limits,
            telemetry,
            address,
        },
        &registry,
    )?);
    let read_deadline = Duration::from_millis(config.limits.read_deadline_ms);
    let http = AcceptorArgs::new(listening.clone(), app.clone(), config.limits.connections, read_deadline);
    Ok((tree::root(Branches { shared, versions, http }), app))
}

/// The tree of one version, and what HTTP needs of it.
fn branch(
    version: Version,
    config: &Config,
    store: &Arc<dyn OrderStore>,
    deltas: &Deltas,
    telemetry: &Telemetry,
    lane: &FastLane,
) -> anyhow::Result<(SupervisorSpec, RunningVersion)> {
    let lane = lane.handle();
    let (store, deltas) = (store.clone(), deltas.clone());
    let (credit_orders, order_deadline) = (config.limits.credit_orders, config.order_deadline());
    let (spec, desk, readiness, engine) = match version {
        Version::V1 => {
            let (spec, desk, shards) = tree::v1_direct(V1Direct {
                store,
                deltas,
                batchers: config.v1.batchers,
                credit_orders,
                order_deadline,
                lane,
                metrics: telemetry.batches(version.name()),
            });
            (spec, desk, Readiness::Shards(shards), None)
        }
        Version::V2 => {
            let (spec, desk, log) = tree::v2_redis_streams(&V2RedisStreams {
                log: stores::redis_stream(config)?.context("v2 needs redis_url")?,
                store,
                deltas,
                readers: config.v2.readers,
                credit_orders,
                order_deadline,
                lane,
                telemetry: telemetry.clone(),
            });
            (spec, desk, Readiness::Log(log), None)
        }
        Version::V3 => {
            let shown = Arc::new(watch::Sender::new(EngineView::default()));
            let follower = stores::flink_engine(config)?.map(|engine| FollowerArgs {
                engine: Arc::new(engine),
                deltas: deltas.clone(),
                shown,
                metrics: telemetry.jobs.clone(),
            });
            let engine = follower.as_ref().map(|follower| follower.shown.subscribe());
            let (spec, desk, log) = tree::v3_kafka(V3Kafka {
                log: stores::kafka_topic(config, engine.clone())?.context("v3 needs kafka_bootstrap_servers")?,
                follower,
                storing: V3Storing {
                    store,
                    deltas,
                    telemetry: telemetry.clone(),
                },
                credit_orders,
                order_deadline,
                lane,
            });
            (spec, desk, Readiness::Log(log), engine)
        }
    };
    let running = RunningVersion {
        desk,
        readiness,
        engine,
    };
    Ok((spec, running))
}

fn fault_access(config: &Config) -> FaultAccess {
    match &config.admin_token {
        Some(token) => FaultAccess::Token(token.clone()),
        None if config.listens_on_loopback() => FaultAccess::Open,
        None => FaultAccess::Off,
    }
}

/// Lets open requests finish while the actors still run; sockets get a close frame.
async fn drain_http(app: &App, listening: &Listening, deadline: Duration) {
    tracing::info!(open = app.open.len(), "stopping: finishing open requests");
    listening.close();
    app.draining.cancel();
    app.open.close();
    if tokio::time::timeout(deadline, app.open.wait()).await.is_err() {
        tracing::warn!(open = app.open.len(), ?deadline, "connections did not finish in time");
    }
    tracing::debug!(limit_ms = DRAIN_LIMIT_MS, "stopping: draining actors");
}
