//! The supervisor: starts its children in order, restarts them by strategy and policy, escalates past it.
//!
//! A child's death is an event that names the dead actor. Each child remembers the one actor it is at the moment, so an
//! event of an older generation names nobody and is ignored. A next generation starts only when the last has really
//! ended, with everything below it.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::Gauge;
use super::child::{ChildSpec, Members, Place, Running, Team};
use super::ended::Life;
use super::fault::Fault;
use super::policy::{Budget, Meltdown, Strategy, with_jitter};

/// How long what lives below a dead supervisor may take to end.
const END_BELOW: Duration = Duration::from_secs(8);

pub(super) struct Supervisor {
    _life: Life,
}

impl Supervisor {
    pub(super) const fn new(life: Life) -> Self {
        Self { _life: life }
    }
}

pub(super) enum SupervisorMsg {
    /// The delay is over: start the children that wait for it.
    Start,
    /// The child of that path could not be started.
    StartFailed(Arc<str>, String),
    /// Other children are wanted.
    Reconcile,
    /// End all children in reverse order, letting each finish, then stop.
    Drain,
    /// An injected fault.
    Suffer(Fault),
}

#[derive(Clone)]
pub(super) struct SupervisorArgs {
    pub(super) place: Place,
    pub(super) team: Arc<Team>,
    pub(super) gauge: Arc<Gauge>,
}

pub(super) struct State {
    args: SupervisorArgs,
    children: Vec<Child>,
    budget: Budget,
    /// Whether a delayed start is under way: one message will end it.
    start_due: bool,
}

struct Child {
    spec: Arc<ChildSpec>,
    /// Where its children come and go: which of them it is.
    key: Option<i32>,
    place: Place,
    running: Option<Running>,
    /// Whether it could not be started and the message that says so is under way.
    start_failed: bool,
}

impl Actor for Supervisor {
    type Msg = SupervisorMsg;
    type State = State;
    type Arguments = SupervisorArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        args: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let mut state = State {
            children: Vec::new(),
            budget: Budget::default(),
            start_due: false,
            args,
        };
        match &state.args.team.clone().members {
            Members::Listed(specs) => {
                for (index, spec) in specs.iter().enumerate() {
                    state.add(index, None, spec.clone());
                }
            }
            Members::Wanted { keys, .. } => {
                tell_changes(keys.clone(), myself.clone());
                state.reconcile().await?;
            }
        }
        state.start_missing(&myself).await;
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.args.gauge.count_sent();
        match message {
            SupervisorMsg::Start => {
                state.start_due = false;
                state.start_missing(&myself).await;
            }
            SupervisorMsg::StartFailed(path, reason) => state.start_failed(&path, &reason, &myself).await?,
            SupervisorMsg::Reconcile => {
                state.reconcile().await?;
                state.start_missing(&myself).await;
            }
            SupervisorMsg::Suffer(fault) => fault.suffer().await,
            SupervisorMsg::Drain => {
                state.end_children(0, true).await?;
                myself.stop(None);
            }
        }
        state.args.gauge.count_handled();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                let reason = reason.unwrap_or_else(|| "stopped".to_owned());
                state.child_died(&cell, &reason, false, &myself).await
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                let escalated = error.downcast_ref::<Meltdown>().is_some();
                state.child_died(&cell, &error.to_string(), escalated, &myself).await
            }
            _ => Ok(()),
        }
    }
}

/// Sends a message at each change of the wanted children, as long as their supervisor lives.
fn tell_changes(mut keys: watch::Receiver<Arc<[i32]>>, supervisor: ActorRef<SupervisorMsg>) {
    keys.mark_unchanged();
    tokio::spawn(async move {
        while keys.changed().await.is_ok() && supervisor.send_message(SupervisorMsg::Reconcile).is_ok() {}
    });
}

impl State {
    fn add(&mut self, index: usize, key: Option<i32>, spec: Arc<ChildSpec>) {
        let parent = &self.args.place;
        let place = parent.below(index, &spec.name);
        parent.tree.declare(&place.path, spec.placement(parent, &place));
        self.children.push(Child {
            spec,
            key,
            place,
            running: None,
            start_failed: false,
        });
    }

    /// Ends the children that are not wanted any more and adds those that are.
    async fn reconcile(&mut self) -> Result<(), Meltdown> {
        let team = self.args.team.clone();
        let Members::Wanted { keys, child } = &team.members else {
            return Ok(());
        };
        let wanted = keys.borrow().clone();
        for index in (0..self.children.len()).rev() {
            if !self.children[index].key.is_some_and(|key| wanted.contains(&key)) {
                self.end_child(index, true).await?;
                self.children.remove(index);
            }
        }
        for key in wanted.iter().copied() {
            if !self.children.iter().any(|child| child.key == Some(key)) {
                let order = usize::try_from(key).unwrap_or_default();
                self.add(order, Some(key), Arc::new(child(key)));
            }
        }
        let paths: Vec<_> = self.children.iter().map(|child| child.place.path.clone()).collect();
        self.args.place.tree.keep_only(&self.args.place.path, &paths);
        Ok(())
    }

    async fn start_failed(
        &mut self,
        path: &str,
        reason: &str,
        myself: &ActorRef<SupervisorMsg>,
    ) -> Result<(), ActorProcessingErr> {
        // A child that is not wanted any more may have failed before it went, and another may have its place by now.
        let is_it = |child: &Child| child.start_failed && *child.place.path == *path;
        let Some(index) = self.children.iter().position(is_it) else {
            return Ok(());
        };
        self.children[index].start_failed = false;
        self.note_death(index, reason);
        self.failed(index, reason, false, myself).await
    }

    async fn child_died(
        &mut self,
        cell: &ActorCell,
        reason: &str,
        escalated: bool,
        myself: &ActorRef<SupervisorMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let is_it = |child: &Child| child.running.as_ref().is_some_and(|running| running.is(cell));
        let Some(dead) = self.children.iter().position(is_it) else {
            return Ok(());
        };
        // Senders learn of the death before this waits for its end.
        self.note_death(dead, reason);
        let ended = match self.children[dead].running.take() {
            Some(running) => running.has_ended().await,
            None => true,
        };
        if !ended {
            return Err(self
                .meltdown(format!("{} does not end", self.children[dead].place.path))
                .into());
        }
        self.failed(dead, reason, escalated, myself).await
    }

    /// Ends what must end with the dead child, and starts all of it again, now or later.
    async fn failed(
        &mut self,
        dead: usize,
        reason: &str,
        escalated: bool,
        myself: &ActorRef<SupervisorMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let delay = self.grant(dead, reason, escalated).await?;
        let place = &self.children[dead].place;
        if !place.tree.end_below(&place.path, END_BELOW).await {
            return Err(self
                .meltdown(format!("what lives below {} does not end", place.path))
                .into());
        }
        match self.args.team.strategy {
            Strategy::OneForOne => {}
            Strategy::RestForOne => self.end_children(dead + 1, false).await?,
            Strategy::OneForAll => self.end_children(0, false).await?,
        }
        if delay.is_zero() {
            self.start_missing(myself).await;
        } else if !std::mem::replace(&mut self.start_due, true) {
            // One delay for all of them: they start in order.
            myself.send_after(with_jitter(delay), || SupervisorMsg::Start);
        }
        Ok(())
    }

    async fn start_missing(&mut self, myself: &ActorRef<SupervisorMsg>) {
        for index in 0..self.children.len() {
            let child = &self.children[index];
            if child.running.is_none() && !child.start_failed {
                self.start(index, myself).await;
            }
        }
    }

    fn note_death(&self, dead: usize, reason: &str) {
        let child = &self.children[dead];
        (child.spec.retract)();
        child.place.tree.failed(&child.place.path, reason);
    }

    /// Spends the budget; past it, ends the children and gives up.
    async fn grant(&mut self, dead: usize, reason: &str, escalated: bool) -> Result<Duration, ActorProcessingErr> {
        let policy = self.args.team.policy;
        if let Some(delay) = self.budget.spend(&policy, escalated, Instant::now().into_std()) {
            return Ok(delay);
        }
        let meltdown = self.meltdown(format!(
            "its children failed more than {} times in {:?}, or gave up more than {} times in {:?}; {} failed last: {reason}",
            policy.budget, policy.window, policy.escalations, policy.escalation_window, self.children[dead].place.path,
        ));
        self.end_children(0, false).await?;
        Err(meltdown.into())
    }

    async fn start(&mut self, index: usize, myself: &ActorRef<SupervisorMsg>) {
        let (spec, place) = (self.children[index].spec.clone(), self.children[index].place.clone());
        match (spec.launch)(place.clone(), myself.get_cell()).await {
            Ok(running) => {
                self.children[index].running = Some(running);
                log_start(&place);
            }
            Err(error) => {
                self.children[index].start_failed = true;
                let _ = myself.send_message(SupervisorMsg::StartFailed(place.path, error.to_string()));
            }
        }
    }

    /// Ends the children from `first` on, last to first.
    async fn end_children(&mut self, first: usize, drain: bool) -> Result<(), Meltdown> {
        for index in (first..self.children.len()).rev() {
            self.end_child(index, drain).await?;
        }
        Ok(())
    }

    async fn end_child(&mut self, index: usize, drain: bool) -> Result<(), Meltdown> {
        let child = &mut self.children[index];
        let Some(running) = child.running.take() else {
            return Ok(());
        };
        let (spec, place) = (child.spec.clone(), child.place.clone());
        let ended = if drain {
            running.drain().await
        } else {
            running.end().await
        };
        let ended = ended && place.tree.end_below(&place.path, END_BELOW).await;
        (spec.retract)();
        place.tree.stopped(&place.path);
        if !ended && drain {
            tracing::error!(actor = %place.path, "does not end, going on without it");
        } else if !ended {
            return Err(self.meltdown(format!("{} does not end", place.path)));
        }
        Ok(())
    }

    fn meltdown(&self, reason: String) -> Meltdown {
        Meltdown {
            supervisor: self.args.place.path.to_string(),
            reason,
        }
    }
}

fn log_start(place: &Place) {
    let (generation, reason) = place.tree.last_start(&place.path);
    if generation > 1 {
        tracing::warn!(actor = %place.path, generation, reason, "actor restarted");
    } else {
        tracing::debug!(actor = %place.path, "actor started");
    }
}
