//! Plays loads: each with a driver of its own, at its time or when another one's breakpoint is found.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::breakpoint::{Breakpoint, Goal};
use super::file::{Load, Scenario};
use super::outcome::LoadMoment;
use super::steady;
use super::world::World;
use crate::load::{Driver, Finished, Lap, MAX_RATE_PER_SECOND, Options, Progress, Report};

/// How often the progress of a load is noted.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// How long a node may take to store what waits after a trial that it sustained.
const BACKLOG_PATIENCE: Duration = Duration::from_secs(2);
/// From one trial to the next, and from the last one to a load that follows.
const PAUSE_BETWEEN_TRIALS: Duration = Duration::from_secs(1);

/// A load that ended.
#[derive(Default)]
pub(super) struct Played {
    /// From the scenario's start.
    pub(super) started_at_seconds: f64,
    /// One, or as many as it took to find the breakpoint.
    pub(super) trials: Vec<Finished>,
    pub(super) moments: Vec<LoadMoment>,
    pub(super) breakpoint: Option<Breakpoint>,
    /// Of the only trial, or of the fastest that was sustained; of the last where none was.
    pub(super) report: Report,
}

/// Plays the loads of a run.
pub(super) struct Player<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: &'a World,
    pub(super) seed: u64,
    pub(super) started: Instant,
    pub(super) moment: Duration,
    pub(super) progress: &'a Mutex<Vec<Option<Progress>>>,
    pub(super) stop: &'a CancellationToken,
}

/// The breakpoint of a load that has ended, where it has one.
type Found = watch::Sender<Option<Option<f64>>>;

impl Player<'_> {
    /// All of them, to the end of the last.
    pub(super) async fn play(&self) -> Result<Vec<Played>, String> {
        let loads = &self.scenario.loads;
        let found: Vec<Found> = loads.iter().map(|_| watch::Sender::new(None)).collect();
        let found = &found;
        let playing = loads.iter().enumerate().map(|(place, load)| async move {
            let played = self.play_one(place, load, found).await;
            let breakpoint = played.as_ref().ok().and_then(|played| played.breakpoint.as_ref());
            found[place].send_replace(Some(breakpoint.and_then(|breakpoint| breakpoint.rate_per_second)));
            played
        });
        join_all(playing).await.into_iter().collect()
    }

    async fn play_one(&self, place: usize, load: &Load, found: &[Found]) -> Result<Played, String> {
        let mut options = load.options.clone();
        options.url = self.world.host(load.node).url.clone();
        if load.balanced {
            let others = self.world.hosts().filter(|host| host.url != options.url);
            options.more_urls = others.map(|host| host.url.clone()).collect();
        }
        options.seed = self.seed.wrapping_add(place as u64);
        options.keep_moments = !self.scenario.viewers.is_empty();
        let mut started = self.started;
        if let Some(follows) = load.follows {
            let mut breakpoint = found[follows.load].subscribe();
            // The sender lives as long as this does.
            let breakpoint = breakpoint.wait_for(Option::is_some).await.ok();
            let Some(rate) = breakpoint.and_then(|found| (*found).flatten()) else {
                // Of a load that there was no rate for, nobody was served, and that is told.
                return Ok(Played::default());
            };
            options.set_rate((rate * follows.share).min(MAX_RATE_PER_SECOND));
            started = Instant::now();
        }
        tokio::time::sleep_until((started + load.start).into()).await;
        let mut played = Played {
            started_at_seconds: self.started.elapsed().as_secs_f64(),
            ..Played::default()
        };
        match load.goal {
            Some(goal) => self.search(place, load, goal, options, &mut played).await?,
            None => {
                let finished = self.trial(place, options, &mut played.moments).await?;
                played.report = finished.report.clone();
                played.trials.push(finished);
            }
        }
        Ok(played)
    }

    async fn search(
        &self,
        place: usize,
        load: &Load,
        goal: Goal,
        mut options: Options,
        played: &mut Played,
    ) -> Result<(), String> {
        let mut trials = Vec::new();
        while let Some(rate_per_second) = goal.next(&trials) {
            options.set_rate(rate_per_second);
            options.seed = options.seed.wrapping_add(1);
            let finished = self.trial(place, options.clone(), &mut played.moments).await?;
            let backlog = steady::backlog_after(self.world.host(load.node).client(), BACKLOG_PATIENCE).await;
            let trial = goal.judge(rate_per_second, &finished.report, backlog);
            if trial.failed.is_none() || played.breakpoint.is_none() {
                played.report = finished.report.clone();
            }
            played.trials.push(finished);
            trials.push(trial);
            played.breakpoint = Some(Breakpoint::of(trials.clone()));
            tokio::time::sleep(PAUSE_BETWEEN_TRIALS).await;
        }
        Ok(())
    }

    async fn trial(&self, place: usize, options: Options, moments: &mut Vec<LoadMoment>) -> Result<Finished, String> {
        let driver = Driver::new(options).map_err(|error| error.to_string())?;
        let mut running = driver.start(self.stop);
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        let mut lap = tokio::time::interval_at(tokio::time::Instant::now() + self.moment, self.moment);
        lap.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = running.wait() => break,
                _ = tick.tick() => self.progress.lock()[place] = Some(running.progress()),
                _ = lap.tick() => moments.push(moment(running.lap(), self.started)),
            }
        }
        moments.push(moment(running.lap(), self.started));
        self.progress.lock()[place] = Some(running.progress());
        Ok(running.give_up())
    }
}

fn moment(lap: Lap, started: Instant) -> LoadMoment {
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
