//! What a supervisor needs to know to start a child, again and again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::context::TokioContext;

use super::address::{Address, Gauge, Slot};
use super::ended::{Ended, Life};
use super::fault::Fault;
use super::mail::Mail;
use super::policy::{RestartPolicy, Strategy};
use super::supervisor::{Supervisor, SupervisorArgs, SupervisorMsg};
use super::tree::{Control, LoadProbe, NodeKind, Placement, Tree};
use super::worker::{Envelope, Host, Worker};

/// How long a worker may take to finish what it has when the tree drains.
const DRAIN_CHILD: Duration = Duration::from_secs(8);

type Launching = Pin<Box<dyn Future<Output = Result<Running, SpawnErr>> + Send>>;

/// Where a child is started.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) tree: Arc<Tree>,
    pub(super) path: Arc<str>,
    pub(super) position: Vec<usize>,
}

impl Place {
    /// The place of a child. Below the root paths start anew: `v1`, not `root/v1`.
    pub(super) fn below(&self, index: usize, name: &str) -> Self {
        let path = if self.position.is_empty() {
            name.into()
        } else {
            format!("{}/{name}", self.path).into()
        };
        let position = self.position.iter().copied().chain([index]).collect();
        Self {
            tree: self.tree.clone(),
            path,
            position,
        }
    }

    /// The counters of a new generation.
    fn gauge(&self) -> Arc<Gauge> {
        Arc::new(Gauge::new(self.tree.journal(), self.path.clone()))
    }

    /// Shows in the tree that a child lives here.
    fn started(&self, control: Control, gauge: Arc<Gauge>, supervisor: Option<ActorRef<SupervisorMsg>>) -> Running {
        let running = Running {
            cell: control.cell.clone(),
            ended: control.ended.clone(),
            supervisor,
        };
        self.tree.started(&self.path, control, gauge);
        running
    }
}

/// A live child.
pub(super) struct Running {
    cell: ActorCell,
    ended: Ended,
    /// Where it is a supervisor.
    supervisor: Option<ActorRef<SupervisorMsg>>,
}

impl Running {
    pub(super) fn is(&self, cell: &ActorCell) -> bool {
        self.cell.get_id() == cell.get_id()
    }

    /// Lets it finish what it has, in order, and ends it whatever happens. False where it does not end in time.
    pub(super) async fn drain(&self) -> bool {
        let drained = match &self.supervisor {
            None => {
                let _ = self.cell.drain();
                self.has_ended().await
            }
            // A supervisor gives each of its children that time, so it needs no limit of its own.
            Some(supervisor) if supervisor.send_message(SupervisorMsg::Drain).is_ok() => {
                self.ended.clone().wait().await;
                true
            }
            Some(_) => false,
        };
        drained || self.end().await
    }

    /// Ends it at once. False where it does not end in time.
    pub(super) async fn end(&self) -> bool {
        self.cell.kill();
        self.has_ended().await
    }

    /// Waits until nothing of it is left. False where it does not end in time.
    pub(super) async fn has_ended(&self) -> bool {
        self.ended.by(Instant::now() + DRAIN_CHILD).await
    }
}

/// A child: its name below its supervisor, and how it is started.
pub struct ChildSpec {
    pub(super) name: String,
    pub(super) kind: NodeKind,
    pub(super) strategy: Option<Strategy>,
    pub(super) load: Option<LoadProbe>,
    pub(super) launch: Box<dyn Fn(Place, ActorCell) -> Launching + Send + Sync>,
    pub(super) retract: Box<dyn Fn() + Send + Sync>,
}

/// A supervisor: its strategy, its policy, and its children in the order of their start.
pub struct SupervisorSpec {
    /// Which children a failed child takes with it.
    pub strategy: Strategy,
    /// How many restarts it grants.
    pub policy: RestartPolicy,
    /// Started first to last; drained last to first.
    pub children: Vec<ChildSpec>,
}

/// A supervisor of children that come and go.
pub struct CrewSpec {
    /// How many restarts it grants.
    pub policy: RestartPolicy,
    /// The children that there are to be; a new generation of the supervisor starts those of that moment.
    pub wanted: watch::Receiver<Arc<[i32]>>,
    /// The child of a key. Its name must be its own.
    pub child: Box<dyn Fn(i32) -> ChildSpec + Send + Sync>,
}

/// What a supervisor supervises, and how.
pub(super) struct Team {
    pub(super) strategy: Strategy,
    pub(super) policy: RestartPolicy,
    pub(super) members: Members,
}

/// Whom a supervisor starts.
pub(super) enum Members {
    /// Always the same.
    Listed(Vec<Arc<ChildSpec>>),
    /// As wanted at the moment.
    Wanted {
        keys: watch::Receiver<Arc<[i32]>>,
        child: Box<dyn Fn(i32) -> ChildSpec + Send + Sync>,
    },
}

impl From<SupervisorSpec> for Team {
    fn from(spec: SupervisorSpec) -> Self {
        Self {
            strategy: spec.strategy,
            policy: spec.policy,
            members: Members::Listed(spec.children.into_iter().map(Arc::new).collect()),
        }
    }
}

impl From<CrewSpec> for Team {
    fn from(spec: CrewSpec) -> Self {
        Self {
            strategy: Strategy::OneForOne,
            policy: spec.policy,
            members: Members::Wanted {
                keys: spec.wanted,
                child: spec.child,
            },
        }
    }
}

impl ChildSpec {
    /// A worker, found through `slot` while it lives.
    #[must_use]
    pub fn worker<W: Worker>(name: impl Into<String>, args: W::Args, slot: Slot<W::Msg>) -> Self {
        let vacated = slot.clone();
        let launch = move |place: Place, supervisor: ActorCell| -> Launching {
            let (args, slot, gauge, mail) = (args.clone(), slot.clone(), place.gauge(), Arc::new(Mail::default()));
            Box::pin(async move {
                let (host, ended) = Host::<W>::new(mail.clone());
                let (actor, _) = Actor::spawn_linked(None, host, (args, gauge.clone()), supervisor).await?;
                // No await from here on: a supervisor killed meanwhile has either started and noted a child, or neither.
                slot.fill(Address::new(actor.clone(), mail, gauge.clone()));
                let target = actor.clone();
                let inject = Arc::new(move |fault: Fault| drop(target.send_message(Envelope::Fault(fault))));
                let control = Control {
                    cell: actor.get_cell(),
                    ended,
                    inject,
                };
                Ok(place.started(control, gauge, None))
            })
        };
        Self {
            name: name.into(),
            kind: NodeKind::Worker,
            strategy: None,
            load: None,
            launch: Box::new(launch),
            retract: Box::new(move || vacated.clear()),
        }
    }

    /// A supervisor with children of its own.
    #[must_use]
    pub fn supervisor(name: impl Into<String>, spec: SupervisorSpec) -> Self {
        Self::team(name.into(), spec.into())
    }

    /// A supervisor whose children come and go: one for each key that is wanted at the moment, none of which takes
    /// another with it.
    #[must_use]
    pub fn crew(name: impl Into<String>, spec: CrewSpec) -> Self {
        Self::team(name.into(), spec.into())
    }

    fn team(name: String, team: Team) -> Self {
        let (strategy, team) = (team.strategy, Arc::new(team));
        let launch = move |place: Place, supervisor: ActorCell| -> Launching {
            Box::pin(launch_supervisor(place, team.clone(), supervisor))
        };
        Self {
            name,
            kind: NodeKind::Supervisor,
            strategy: Some(strategy),
            load: None,
            launch: Box::new(launch),
            retract: Box::new(|| {}),
        }
    }

    /// Runs it, and what it begins, on another tokio runtime than its supervisor's.
    #[must_use]
    pub fn on(mut self, runtime: Handle) -> Self {
        let launch = self.launch;
        self.launch =
            Box::new(move |place, supervisor| Box::pin(TokioContext::new(launch(place, supervisor), runtime.clone())));
        self
    }

    /// Shows this load in the tree.
    #[must_use]
    pub fn with_load(mut self, probe: LoadProbe) -> Self {
        self.load = Some(probe);
        self
    }

    pub(super) fn placement(&self, parent: &Place, place: &Place) -> Placement {
        Placement {
            parent: Some(parent.path.clone()),
            kind: self.kind,
            strategy: self.strategy,
            position: place.position.clone(),
            load: self.load.clone(),
        }
    }
}

pub(super) async fn launch_supervisor(place: Place, team: Arc<Team>, parent: ActorCell) -> Result<Running, SpawnErr> {
    let gauge = place.gauge();
    let args = SupervisorArgs {
        place: place.clone(),
        team,
        gauge: gauge.clone(),
    };
    let (life, ended) = Life::new();
    let (actor, _) = Actor::spawn_linked(None, Supervisor::new(life), args, parent).await?;
    let target = actor.clone();
    let inject = Arc::new(move |fault: Fault| drop(target.send_message(SupervisorMsg::Suffer(fault))));
    let control = Control {
        cell: actor.get_cell(),
        ended,
        inject,
    };
    Ok(place.started(control, gauge, Some(actor)))
}
