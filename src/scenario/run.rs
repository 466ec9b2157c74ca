//! Runs a scenario: starts what it needs, plays loads and faults at their times, and waits until everything is stored.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffee_rt_actors::domain::Instant as UtcInstant;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::backlog::{BacklogOutcome, Stage};
use super::fault::Fault;
use super::file::Scenario;
use super::loads::{Played, Player};
use super::outcome::{Check, FaultOutcome, Outcome, ProcessOutcome};
use super::patrol::Patrol;
use super::processes::Watch;
use super::steady;
use super::stored::{self, Stored};
use super::viewers::Seen;
use super::world::{Environment, World};
use crate::load::Progress;

/// The shortest moment of a report.
const MIN_MOMENT: Duration = Duration::from_secs(1);
/// The most moments of a report: those of a long run are longer.
const MAX_MOMENTS: u32 = 600;
/// How long one command of a rollback may take.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(60);

const INTERRUPTED: &str = "it was interrupted";

/// A scenario and where it runs.
#[derive(Debug)]
pub struct Run {
    pub(super) name: String,
    pub(super) scenario: Scenario,
    pub(super) environment: Environment,
    progress: Arc<Mutex<Vec<Option<Progress>>>>,
    stage: Stage,
}

/// Everything that a run showed.
pub(super) struct Witnessed {
    pub(super) began: UtcInstant,
    pub(super) started: Instant,
    pub(super) elapsed: Duration,
    pub(super) moment: Duration,
    pub(super) loads: Vec<Played>,
    pub(super) faults: Vec<FaultOutcome>,
    pub(super) stored: Stored,
    pub(super) viewers: Vec<Seen>,
    pub(super) patrol: Patrol,
    pub(super) processes: Vec<ProcessOutcome>,
    pub(super) steady: Vec<Check>,
    pub(super) backlog: Option<BacklogOutcome>,
}

impl Run {
    /// A run that has not begun.
    #[must_use]
    pub fn new(name: &str, scenario: Scenario, environment: Environment) -> Self {
        let progress = Arc::new(Mutex::new(vec![None; scenario.loads.len()]));
        Self {
            name: name.to_owned(),
            scenario,
            environment,
            progress,
            stage: Stage::default(),
        }
    }

    /// How the loads that have begun are going.
    pub fn progress(&self) -> impl Fn() -> Vec<Progress> + use<> {
        let progress = self.progress.clone();
        move || progress.lock().iter().flatten().copied().collect()
    }

    /// What is done before the loads begin, where that takes a while.
    pub fn stage(&self) -> impl Fn() -> Option<String> + use<> {
        let stage = self.stage.clone();
        move || stage.told()
    }

    /// Runs to the end. Cancelling `stop` ends it early and without an outcome; what it started is ended either way, and its
    /// rollback is done.
    ///
    /// # Errors
    /// Says what failed of what the scenario needs.
    pub async fn run(self, stop: &CancellationToken) -> Result<Outcome, String> {
        let ran = Box::pin(self.run_in_a_world(stop)).await;
        let rolled_back = self.roll_back().await;
        let (witnessed, ended) = ran?;
        let ended = vec![
            Check::new(
                "what was started ended in good order",
                ended.err().into_iter().collect(),
            ),
            Check::new("the rollback was done", rolled_back.err().into_iter().collect()),
        ];
        Ok(self.judge(witnessed, ended))
    }

    /// What was seen, and how everything ended.
    async fn run_in_a_world(&self, stop: &CancellationToken) -> Result<(Witnessed, Result<(), String>), String> {
        let world = tokio::select! {
            world = World::start(&self.scenario, &self.environment, &self.stage) => world?,
            () = stop.cancelled() => return Err(INTERRUPTED.to_owned()),
        };
        let played = tokio::select! {
            played = self.play(&world, stop) => played,
            ended = world.until_a_node_ends() => Err(ended),
            () = stop.cancelled() => Err(INTERRUPTED.to_owned()),
        };
        let ended = world.stop().await;
        match (played, ended) {
            (Ok(witnessed), ended) => Ok((witnessed, ended)),
            (Err(error), Ok(())) => Err(error),
            (Err(error), Err(also)) => Err(format!("{error}; {also}")),
        }
    }

    async fn play(&self, world: &World, stop: &CancellationToken) -> Result<Witnessed, String> {
        let steady = steady::checks(&self.scenario.steady_state, world.host(0).client(), "before").await;
        if let Some(check) = steady.iter().find(|check| !check.holds) {
            return Err(format!(
                "no steady state: {}, but it is {}",
                check.name,
                check.found.join(", ")
            ));
        }
        let before = stored::before(world).await?;
        let backlog = match (world.drained(), &world.settings.database_url) {
            (Some(drained), Some(url)) => Some(drained.clone().at_rest(url.reveal(), before.orders).await?),
            _ => None,
        };
        let (began, started, looking) = (UtcInstant::now(), Instant::now(), stop.child_token());
        let moment = MIN_MOMENT.max(self.scenario.length() / MAX_MOMENTS);
        let using = stop.child_token();
        let acting = async {
            let settled = async {
                let (loads, faults) = self.act(world, started, moment, stop).await?;
                // What it takes to read the whole store is not the nodes' use.
                using.cancel();
                let trials = loads.iter().flat_map(|load| &load.trials);
                let ledgers: Vec<_> = trials.map(|trial| &trial.ledger).collect();
                let stored = Stored::settled(world, before, &ledgers).await?;
                Ok::<_, String>((loads, faults, stored))
            }
            .await;
            using.cancel();
            looking.cancel();
            settled
        };
        let viewers = self.scenario.viewers.iter();
        let viewers = viewers.map(|viewer| viewer.look(world.host(viewer.node).client(), started, &looking));
        let (acted, viewers, processes, patrol) = tokio::join!(
            acting,
            join_all(viewers),
            watch(world, started, moment, &using),
            self.patrol(world, started, &using)
        );
        let (loads, faults, stored) = acted?;
        let mut steady = steady;
        steady.extend(steady::checks(&self.scenario.steady_state, world.host(0).client(), "after").await);
        Ok(Witnessed {
            began,
            started,
            elapsed: started.elapsed(),
            moment,
            loads,
            faults,
            stored,
            viewers,
            patrol,
            processes,
            steady,
            backlog,
        })
    }

    /// A recount takes processor time, and a search measures how much there is.
    async fn patrol(&self, world: &World, started: Instant, end: &CancellationToken) -> Patrol {
        if self.scenario.loads.iter().any(|load| load.goal.is_some()) {
            return Patrol::default();
        }
        Patrol::walk(world, started, end).await
    }

    async fn act(
        &self,
        world: &World,
        started: Instant,
        moment: Duration,
        stop: &CancellationToken,
    ) -> Result<(Vec<Played>, Vec<FaultOutcome>), String> {
        let player = Player {
            scenario: &self.scenario,
            world,
            seed: self.environment.seed,
            started,
            moment,
            progress: &self.progress,
            stop,
        };
        let over = CancellationToken::new();
        let loads = async {
            let played = player.play().await;
            // Nobody knows before how long a search takes.
            if self.scenario.has_known_end() {
                over.cancel();
            }
            played
        };
        let faults = self.scenario.faults.iter();
        let faults = faults.map(|fault| play_fault(fault, world, started, &over));
        let (loads, faults) = tokio::join!(loads, join_all(faults));
        Ok((loads?, faults))
    }

    /// Does every command, whatever became of the one before; says what went wrong first.
    async fn roll_back(&self) -> Result<(), String> {
        let mut done = Ok(());
        for words in &self.scenario.rollback {
            let (Some((program, arguments)), line) = (words.split_first(), words.join(" ")) else {
                continue;
            };
            let mut command = Command::new(program);
            // A second Ctrl-C must not leave what the first one wanted undone.
            command
                .args(arguments)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .process_group(0);
            // The report may go to the standard output.
            command.stdout(Stdio::null());
            let ended = match tokio::time::timeout(ROLLBACK_LIMIT, command.status()).await {
                Ok(Ok(status)) if status.success() => Ok(()),
                Ok(Ok(status)) => Err(format!("rollback: {line}: {status}")),
                Ok(Err(error)) => Err(format!("rollback: {line}: {error}")),
                Err(_) => Err(format!("rollback: {line}: it did not end within {ROLLBACK_LIMIT:?}")),
            };
            done = done.and(ended);
        }
        done
    }
}

async fn play_fault(fault: &Fault, world: &World, started: Instant, over: &CancellationToken) -> FaultOutcome {
    tokio::time::sleep_until((started + fault.at).into()).await;
    let _turn = world.turn(&fault.target).await;
    let at_seconds = started.elapsed().as_secs_f64();
    let injected = if over.is_cancelled() {
        Err("its turn came when the last load was over: faults of one thing wait for each other".to_owned())
    } else {
        fault.inject(world).await
    };
    let what = match &injected {
        Ok(hit) if !hit.is_empty() => format!("{}: {hit}", fault.describe()),
        _ => fault.describe(),
    };
    FaultOutcome {
        what,
        at_seconds,
        missed: injected.err(),
    }
}

/// Looks at every process now and then, until nobody acts any more.
async fn watch(world: &World, started: Instant, moment: Duration, end: &CancellationToken) -> Vec<ProcessOutcome> {
    let mut watch = Watch::of(world.processes());
    let mut tick = tokio::time::interval(moment);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = end.cancelled() => return watch.outcomes(),
        }
        watch.look(world.processes(), started).await;
    }
}
