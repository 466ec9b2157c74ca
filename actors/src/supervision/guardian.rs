//! Outside the tree: starts the root, brings back a killed one, and tells when the root gave up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::child::{Place, Running, SupervisorSpec, Team, launch_supervisor};
use super::policy::{Budget, Meltdown};
use super::tree::{NodeKind, Placement, Tree};

/// How long the whole tree may take to drain.
pub const DRAIN_LIMIT_MS: u64 = 20_000;
const DRAIN_LIMIT: Duration = Duration::from_millis(DRAIN_LIMIT_MS);
/// Ends of the root not yet looked at: the root ends once, then the next one starts.
const ROOT_ENDS: usize = 4;

/// Runs a tree until `shutdown` resolves, then drains it. Nothing of the tree lives on when this returns.
///
/// # Errors
/// The [`Meltdown`] of a root that gave up; the process cannot go on.
pub async fn run_guarded(
    spec: SupervisorSpec,
    tree: Arc<Tree>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Meltdown> {
    let place = Place {
        tree: tree.clone(),
        path: "root".into(),
        position: Vec::new(),
    };
    let placement = Placement {
        parent: None,
        kind: NodeKind::Supervisor,
        strategy: Some(spec.strategy),
        position: Vec::new(),
        load: None,
    };
    tree.declare(&place.path, placement);
    let (ends, ended) = mpsc::channel(ROOT_ENDS);
    let (watcher, _) = Actor::spawn(None, Watcher, ends)
        .await
        .map_err(|error| give_up(error.to_string()))?;
    let outcome = guard(&place, Arc::new(spec.into()), watcher.get_cell(), ended, shutdown).await;
    if !tree.end_below(&place.path, DRAIN_LIMIT).await {
        tracing::error!(limit = ?DRAIN_LIMIT, "something in the tree does not end, leaving it behind");
    }
    tree.stopped(&place.path);
    watcher.stop(None);
    outcome
}

async fn guard(
    place: &Place,
    team: Arc<Team>,
    watcher: ActorCell,
    mut ended: mpsc::Receiver<RootEnd>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Meltdown> {
    let mut budget = Budget::default();
    tokio::pin!(shutdown);
    loop {
        let launched = launch_supervisor(place.clone(), team.clone(), watcher.clone()).await;
        let reason = match launched {
            Ok(root) => tokio::select! {
                biased;
                end = ended.recv() => match end {
                    Some(RootEnd::Killed(reason)) => reason,
                    Some(RootEnd::GaveUp(meltdown)) => return Err(meltdown),
                    None => return Err(give_up("the watcher of the root is gone".to_owned())),
                },
                () = &mut shutdown => {
                    drain(&root).await;
                    return Ok(());
                }
            },
            Err(error) => error.to_string(),
        };
        place.tree.failed(&place.path, &reason);
        let Some(delay) = budget.spend(&team.policy, false, Instant::now().into_std()) else {
            return Err(give_up(format!("the root failed too often, last: {reason}")));
        };
        if !place.tree.end_below(&place.path, DRAIN_LIMIT).await {
            return Err(give_up("what lives below the killed root does not end".to_owned()));
        }
        tracing::warn!(actor = "root", reason, "root restarts");
        tokio::select! {
            biased;
            // By now nothing lives that could be drained.
            () = &mut shutdown => return Ok(()),
            () = sleep(delay) => {}
        }
    }
}

fn give_up(reason: String) -> Meltdown {
    Meltdown {
        supervisor: "guardian".to_owned(),
        reason,
    }
}

async fn drain(root: &Running) {
    if timeout(DRAIN_LIMIT, root.drain()).await.is_err() {
        tracing::error!(limit = ?DRAIN_LIMIT, "the tree did not drain in time and is ended");
        root.end().await;
    }
}

enum RootEnd {
    Killed(String),
    GaveUp(Meltdown),
}

/// Hears of the root's end with its reason, which waiting for the root would not tell.
struct Watcher;

impl Actor for Watcher {
    type Msg = ();
    type State = mpsc::Sender<RootEnd>;
    type Arguments = mpsc::Sender<RootEnd>;

    async fn pre_start(&self, _: ActorRef<()>, ends: Self::Arguments) -> Result<Self::State, ActorProcessingErr> {
        Ok(ends)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        ends: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let end = match event {
            SupervisionEvent::ActorTerminated(_, _, reason) => {
                RootEnd::Killed(reason.unwrap_or_else(|| "stopped".to_owned()))
            }
            SupervisionEvent::ActorFailed(_, error) => match error.downcast::<Meltdown>() {
                Ok(meltdown) => RootEnd::GaveUp(*meltdown),
                Err(error) => RootEnd::Killed(error.to_string()),
            },
            _ => return Ok(()),
        };
        ends.send(end).await.map_err(Into::into)
    }
}
