//! The supervisor: starts its children in order, restarts them by strategy and policy, escalates past it.
//!
//! A child's death is an event that names the dead actor. Each child remembers the one actor it is at the moment, so an
//! event of an older generation names nobody and is ignored. A next generation starts only when the last has really
//! ended, with everything below it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::address::Gauge;
use super::child::{Place, Running, SupervisorSpec};
use super::fault::Fault;
use super::policy::{Budget, Meltdown, Strategy, with_jitter};

/// How long what lives below a dead supervisor may take to end.
const END_BELOW: Duration = Duration::from_secs(8);

pub(super) struct Supervisor;

pub(super) enum SupervisorMsg {
    /// Start a child whose restart was delayed; ignored where it was started meanwhile.
    Start(usize),
    /// A child could not be started.
    StartFailed(usize, String),
    /// End all children in reverse order, letting each finish, then stop.
    Drain,
    /// An injected fault.
    Suffer(Fault),
}

#[derive(Clone)]
pub(super) struct SupervisorArgs {
    pub(super) place: Place,
    pub(super) spec: Arc<SupervisorSpec>,
    pub(super) gauge: Arc<Gauge>,
}

pub(super) struct State {
    args: SupervisorArgs,
    children: Vec<Child>,
    budget: Budget,
}

struct Child {
    place: Place,
    running: Option<Running>,
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
        let parent = args.place.clone();
        let places = args.spec.children.iter().enumerate().map(|(index, spec)| {
            let place = parent.below(index, &spec.name);
            parent.tree.declare(&place.path, spec.placement(&parent, &place));
            Child { place, running: None }
        });
        let children = places.collect();
        let mut state = State {
            args,
            children,
            budget: Budget::default(),
        };
        for index in 0..state.children.len() {
            state.start(index, &myself).await;
        }
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
            SupervisorMsg::Start(index) => state.start(index, &myself).await,
            SupervisorMsg::StartFailed(index, reason) => state.failed(index, &reason, false, &myself).await?,
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

impl State {
    async fn child_died(
        &mut self,
        cell: &ActorCell,
        reason: &str,
        escalated: bool,
        myself: &ActorRef<SupervisorMsg>,
    ) -> Result<(), ActorProcessingErr> {
        let is_it = |child: &Child| {
            child
                .running
                .as_ref()
                .is_some_and(|r| r.cell().get_id() == cell.get_id())
        };
        let Some(dead) = self.children.iter().position(is_it) else {
            return Ok(());
        };
        self.children[dead].running = None;
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
        self.note_death(dead, reason);
        let delay = self.grant(dead, reason, escalated).await?;
        let place = &self.children[dead].place;
        if !place.tree.end_below(&place.path, END_BELOW).await {
            return Err(self
                .meltdown(format!("what lives below {} does not end", place.path))
                .into());
        }
        match self.args.spec.strategy {
            Strategy::OneForOne => {}
            Strategy::RestForOne => self.end_children(dead + 1, false).await?,
            Strategy::OneForAll => self.end_children(0, false).await?,
        }
        for index in 0..self.children.len() {
            if self.children[index].running.is_none() {
                if delay.is_zero() {
                    self.start(index, myself).await;
                } else {
                    myself.send_after(with_jitter(delay), move || SupervisorMsg::Start(index));
                }
            }
        }
        Ok(())
    }

    fn note_death(&self, dead: usize, reason: &str) {
        let place = &self.children[dead].place;
        (self.args.spec.children[dead].retract)();
        place.tree.failed(&place.path, reason);
    }

    /// Spends the budget; past it, ends the children and gives up.
    async fn grant(&mut self, dead: usize, reason: &str, escalated: bool) -> Result<Duration, ActorProcessingErr> {
        let policy = self.args.spec.policy;
        if let Some(delay) = self.budget.spend(&policy, escalated, Instant::now()) {
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
        if self.children[index].running.is_some() {
            return;
        }
        let (spec, place) = (&self.args.spec.children[index], self.children[index].place.clone());
        match (spec.launch)(place.clone(), myself.get_cell()).await {
            Ok(running) => {
                self.children[index].running = Some(running);
                log_start(&place);
            }
            Err(error) => drop(myself.send_message(SupervisorMsg::StartFailed(index, error.to_string()))),
        }
    }

    /// Ends the children from `first` on, last to first.
    async fn end_children(&mut self, first: usize, drain: bool) -> Result<(), Meltdown> {
        for index in (first..self.children.len()).rev() {
            let Some(running) = self.children[index].running.take() else {
                continue;
            };
            let place = self.children[index].place.clone();
            let ended = if drain {
                running.drain().await;
                true
            } else {
                running.end().await && place.tree.end_below(&place.path, END_BELOW).await
            };
            (self.args.spec.children[index].retract)();
            place.tree.stopped(&place.path);
            if !ended {
                return Err(self.meltdown(format!("{} does not end", place.path)));
            }
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
