//! Runs a scenario: starts what it needs, plays loads and faults at their times, and waits until everything is stored.

use std::collections::HashSet;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffee_rt_actors::domain::Instant as UtcInstant;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::books::Books;
use super::fault::Fault;
use super::file::{Load, Scenario};
use super::outcome::{Check, FaultOutcome, LoadMoment, Outcome, ProcessOutcome};
use super::processes::Watched;
use super::steady;
use super::stored::Stored;
use super::viewers::Seen;
use super::world::{Environment, World};
use crate::load::{Driver, Finished, Lap, Progress};

/// How often the progress of a load is noted.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
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
}

/// A load that ended.
pub(super) struct Played {
    pub(super) finished: Finished,
    pub(super) moments: Vec<LoadMoment>,
}

/// Everything that a run showed.
pub(super) struct Witnessed {
    pub(super) began: UtcInstant,
    pub(super) started: Instant,
    pub(super) moment: Duration,
    pub(super) before: HashSet<Uuid>,
    pub(super) loads: Vec<Played>,
    pub(super) faults: Vec<FaultOutcome>,
    pub(super) stored: Stored,
    pub(super) viewers: Vec<Seen>,
    pub(super) processes: Vec<ProcessOutcome>,
    pub(super) steady: Vec<Check>,
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
        }
    }

    /// How the loads that have begun are going.
    pub fn progress(&self) -> impl Fn() -> Vec<Progress> + use<> {
        let progress = self.progress.clone();
        move || progress.lock().iter().flatten().copied().collect()
    }

    /// Runs to the end. Cancelling `stop` ends it early and without an outcome; what it started is ended either way, and its
    /// rollback is done.
    ///
    /// # Errors
    /// Says what failed of what the scenario needs.
    pub async fn run(self, stop: &CancellationToken) -> Result<Outcome, String> {
        let ran = Box::pin(self.run_in_a_world(stop)).await;
        let rolled_back = self.roll_back().await;
        let witnessed = ran?;
        rolled_back.map(|()| self.judge(witnessed))
    }

    async fn run_in_a_world(&self, stop: &CancellationToken) -> Result<Witnessed, String> {
        let world = tokio::select! {
            world = World::start(&self.scenario, &self.environment) => world?,
            () = stop.cancelled() => return Err(INTERRUPTED.to_owned()),
        };
        let played = tokio::select! {
            played = self.play(&world, stop) => played,
            () = stop.cancelled() => Err(INTERRUPTED.to_owned()),
        };
        let ended = world.stop().await;
        let witnessed = played?;
        ended.map(|()| witnessed)
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
        let before = Books::of(&world.settings).await.map_err(|error| error.to_string())?;
        let (began, started, looking) = (UtcInstant::now(), Instant::now(), stop.child_token());
        let moment = MIN_MOMENT.max(self.scenario.length() / MAX_MOMENTS);
        let acting = async {
            let acted = self.act(world, started, moment, stop).await;
            looking.cancel();
            acted
        };
        let viewers = self.scenario.viewers.iter();
        let viewers = viewers.map(|viewer| viewer.look(world.host(viewer.node).client(), started, &looking));
        let (acted, viewers, processes) =
            tokio::join!(acting, join_all(viewers), watch(world, started, moment, &looking));
        let (loads, faults, stored) = acted?;
        let mut steady = steady;
        steady.extend(steady::checks(&self.scenario.steady_state, world.host(0).client(), "after").await);
        Ok(Witnessed {
            began,
            started,
            moment,
            before: before.times.into_keys().collect(),
            loads,
            faults,
            stored,
            viewers,
            processes,
            steady,
        })
    }

    async fn act(
        &self,
        world: &World,
        started: Instant,
        moment: Duration,
        stop: &CancellationToken,
    ) -> Result<(Vec<Played>, Vec<FaultOutcome>, Stored), String> {
        let loads = self.scenario.loads.iter().enumerate();
        let loads = loads.map(|(place, load)| self.play_load(place, load, world, (started, moment), stop));
        let faults = self
            .scenario
            .faults
            .iter()
            .map(|fault| play_fault(fault, world, started));
        let (loads, faults) = tokio::join!(join_all(loads), join_all(faults));
        let loads: Vec<_> = loads.into_iter().collect::<Result<_, _>>()?;
        let ledgers: Vec<_> = loads.iter().map(|load| &load.finished.ledger).collect();
        let stored = Stored::settled(world, &ledgers).await?;
        Ok((loads, faults, stored))
    }

    async fn play_load(
        &self,
        place: usize,
        load: &Load,
        world: &World,
        (started, moment): (Instant, Duration),
        stop: &CancellationToken,
    ) -> Result<Played, String> {
        let mut options = load.options.clone();
        options.url = world.host(load.node).url.clone();
        options.seed = self.environment.seed.wrapping_add(place as u64);
        options.keep_moments = !self.scenario.viewers.is_empty();
        let driver = Driver::new(options).map_err(|error| error.to_string())?;
        tokio::time::sleep_until((started + load.start).into()).await;
        let mut running = driver.start(stop);
        let mut moments = Vec::new();
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        let mut lap = tokio::time::interval_at(tokio::time::Instant::now() + moment, moment);
        let note = |lap: Lap| load_moment(lap, started);
        loop {
            tokio::select! {
                () = running.wait() => break,
                _ = tick.tick() => self.progress.lock()[place] = Some(running.progress()),
                _ = lap.tick() => moments.push(note(running.lap())),
            }
        }
        moments.push(note(running.lap()));
        self.progress.lock()[place] = Some(running.progress());
        Ok(Played {
            finished: running.give_up(),
            moments,
        })
    }

    /// Does every command, whatever became of the one before; says what went wrong first.
    async fn roll_back(&self) -> Result<(), String> {
        let mut done = Ok(());
        for words in &self.scenario.rollback {
            let (Some((program, arguments)), line) = (words.split_first(), words.join(" ")) else {
                continue;
            };
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
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

fn load_moment(lap: Lap, started: Instant) -> LoadMoment {
    let per_second = |count: u64| count as f64 / lap.seconds.max(f64::EPSILON);
    LoadMoment {
        at_seconds: started.elapsed().as_secs_f64(),
        acknowledged_per_second: per_second(lap.acknowledged),
        refused_per_second: per_second(lap.refusals),
        p50_ms: lap.latency.p50_ms,
        p99_ms: lap.latency.p99_ms,
        max_ms: lap.latency.max_ms,
    }
}

async fn play_fault(fault: &Fault, world: &World, started: Instant) -> FaultOutcome {
    tokio::time::sleep_until((started + fault.at).into()).await;
    let at_seconds = started.elapsed().as_secs_f64();
    FaultOutcome {
        what: fault.describe(),
        at_seconds,
        missed: fault.inject(world).await.err(),
    }
}

/// Looks at every process now and then, until nobody acts any more.
async fn watch(world: &World, started: Instant, moment: Duration, end: &CancellationToken) -> Vec<ProcessOutcome> {
    let mut watched: Vec<_> = world
        .processes()
        .into_iter()
        .map(|(name, _)| Watched::new(&name))
        .collect();
    let mut tick = tokio::time::interval(moment);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = end.cancelled() => break,
        }
        let (at_seconds, processes) = (started.elapsed().as_secs_f64(), world.processes());
        let mut looking = watched;
        let looked = tokio::task::spawn_blocking(move || {
            for (watched, (_, process)) in looking.iter_mut().zip(processes) {
                watched.look(process, at_seconds);
            }
            looking
        });
        let Ok(looked) = looked.await else { return Vec::new() };
        watched = looked;
    }
    watched.into_iter().map(Watched::outcome).collect()
}
