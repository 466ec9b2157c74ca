//! Outside the tree: starts the root, brings back a killed one, and tells when the root gave up.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::mpsc;

use super::child::{Place, Running, SupervisorSpec, launch_supervisor};
use super::policy::{Budget, Meltdown};
use super::tree::{NodeKind, Placement, Tree};

/// How long the whole tree may take to drain.
pub const DRAIN_LIMIT_MS: u64 = 20_000;
/// Ends of the root not yet looked at: the root ends once, then the next one starts.
const ROOT_ENDS: usize = 4;

/// Runs a tree until `shutdown` resolves, then drains it.
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
    let (spec, mut budget) = (Arc::new(spec), Budget::default());
    let (ends, mut ended) = mpsc::channel(ROOT_ENDS);
    let give_up = |reason: String| Meltdown {
        supervisor: "guardian".to_owned(),
        reason,
    };
    let (watcher, _) = Actor::spawn(None, Watcher, ends)
        .await
        .map_err(|error| give_up(error.to_string()))?;
    tokio::pin!(shutdown);
    loop {
        let launched = launch_supervisor(place.clone(), spec.clone(), Some(watcher.get_cell())).await;
        let reason = match launched {
            Ok(root) => tokio::select! {
                biased;
                end = ended.recv() => match end {
                    Some(RootEnd::Killed(reason)) => reason,
                    Some(RootEnd::GaveUp(meltdown)) => return Err(meltdown),
                    None => return Err(give_up("the watcher of the root is gone".to_owned())),
                },
                () = &mut shutdown => {
                    drain(root).await;
                    tree.stopped("root");
                    return Ok(());
                }
            },
            Err(error) => error.to_string(),
        };
        tree.failed("root", &reason);
        let Some(delay) = budget.spend(&spec.policy, false, Instant::now()) else {
            return Err(give_up(format!("the root failed too often, last: {reason}")));
        };
        if !tree.end_below("root", Duration::from_millis(DRAIN_LIMIT_MS)).await {
            return Err(give_up("what lives below the killed root does not end".to_owned()));
        }
        tracing::warn!(actor = "root", reason, "root restarts");
        tokio::time::sleep(delay).await;
    }
}

async fn drain(root: ActorRef<super::supervisor::SupervisorMsg>) {
    let running = Running::Supervisor(root);
    if tokio::time::timeout(Duration::from_millis(DRAIN_LIMIT_MS), running.drain())
        .await
        .is_err()
    {
        tracing::error!(limit_ms = DRAIN_LIMIT_MS, "the tree did not drain in time and is ended");
        running.end().await;
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
