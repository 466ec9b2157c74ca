//! Runs a scenario: starts the node, plays loads and faults at their times, waits until everything is stored, and judges.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use super::books::Books;
use super::fault::Fault;
use super::file::{Load, Scenario};
use super::host::Host;
use super::outcome::{Check, FaultOutcome, LoadOutcome, Outcome, verdict};
use super::stored::Stored;
use crate::load::{Driver, Finished, Progress};

/// How often the progress of a load is noted.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

const INTERRUPTED: &str = "it was interrupted";

/// Where a scenario runs.
#[derive(Clone, Debug)]
pub struct Environment {
    /// A node that is there, in place of one of the scenario's own.
    pub url: Option<Url>,
    /// Its operator's token.
    pub token: Option<String>,
    /// The program of a node that is started.
    pub program: PathBuf,
    /// Where such a node lives.
    pub folder: PathBuf,
    /// Decides who orders what and when.
    pub seed: u64,
}

/// A scenario and where it runs.
#[derive(Debug)]
pub struct Run {
    name: String,
    scenario: Scenario,
    environment: Environment,
    progress: Arc<Mutex<Vec<Option<Progress>>>>,
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

    /// Runs to the end. Cancelling `stop` ends it early and without an outcome; a node that it started is ended either way.
    ///
    /// # Errors
    /// Says what failed of what the scenario needs.
    pub async fn run(self, stop: &CancellationToken) -> Result<Outcome, String> {
        let environment = &self.environment;
        let host = match &environment.url {
            Some(url) => Host::there(url.clone(), environment.token.as_deref())?,
            None => tokio::select! {
                host = Host::start(&self.scenario, &environment.program, &environment.folder) => host?,
                () = stop.cancelled() => return Err(INTERRUPTED.to_owned()),
            },
        };
        let played = Box::pin(self.play(&host, stop)).await;
        let ended = host.stop().await;
        let outcome = played?;
        ended.map(|()| outcome)
    }

    async fn play(&self, host: &Host, stop: &CancellationToken) -> Result<Outcome, String> {
        let settings = host.store_settings()?;
        let before = Books::of(&settings).await.map_err(|error| error.to_string())?;
        let before: HashSet<Uuid> = before.times.into_keys().collect();
        let started = Instant::now();
        let loads = self.scenario.loads.iter().enumerate();
        let loads = loads.map(|(place, load)| self.play_load(place, load, host, started, stop));
        let faults = self
            .scenario
            .faults
            .iter()
            .map(|fault| play_fault(fault, host, started, stop));
        let (loads, faults) = tokio::join!(join_all(loads), join_all(faults));
        let finished: Vec<_> = loads.into_iter().collect::<Result<_, _>>()?;
        if stop.is_cancelled() {
            return Err(INTERRUPTED.to_owned());
        }
        let ledgers: Vec<_> = finished.iter().map(|finished| &finished.ledger).collect();
        let stored = tokio::select! {
            stored = Stored::settled(&settings, host, &ledgers) => stored?,
            () = stop.cancelled() => return Err(INTERRUPTED.to_owned()),
        };
        let promises = stored.promises(&ledgers, &before);
        Ok(self.judge(&finished, faults, promises, started))
    }

    async fn play_load(
        &self,
        place: usize,
        load: &Load,
        host: &Host,
        started: Instant,
        stop: &CancellationToken,
    ) -> Result<Finished, String> {
        let mut options = load.options.clone();
        options.url = host.url.clone();
        options.seed = self.environment.seed.wrapping_add(place as u64);
        let driver = Driver::new(options).map_err(|error| error.to_string())?;
        tokio::select! {
            () = tokio::time::sleep_until((started + load.start).into()) => {}
            () = stop.cancelled() => return Err(INTERRUPTED.to_owned()),
        }
        let mut running = driver.start(stop);
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        loop {
            tokio::select! {
                () = running.wait() => break,
                () = stop.cancelled() => return Err(INTERRUPTED.to_owned()),
                _ = tick.tick() => self.progress.lock()[place] = Some(running.progress()),
            }
        }
        self.progress.lock()[place] = Some(running.progress());
        Ok(running.give_up())
    }

    fn judge(
        &self,
        finished: &[Finished],
        faults: Vec<FaultOutcome>,
        promises: Vec<Check>,
        started: Instant,
    ) -> Outcome {
        let evidence = self.evidence(finished, &faults);
        let thresholds = self.thresholds(finished);
        let loads = self
            .scenario
            .loads
            .iter()
            .zip(finished)
            .map(|(load, finished)| LoadOutcome {
                name: load.name.clone(),
                started_at_seconds: load.start.as_secs_f64(),
                report: finished.report.clone(),
            });
        Outcome {
            scenario: self.name.clone(),
            about: self.scenario.about.clone(),
            verdict: verdict(&promises, &evidence, &thresholds),
            seed: self.environment.seed,
            elapsed_seconds: started.elapsed().as_secs_f64(),
            loads: loads.collect(),
            promises,
            thresholds,
            evidence,
            faults,
        }
    }

    /// What must have happened for the rest to mean anything.
    fn evidence(&self, finished: &[Finished], faults: &[FaultOutcome]) -> Vec<Check> {
        let silent = self.scenario.loads.iter().zip(finished);
        let silent = silent.filter(|(_, finished)| finished.report.counts.acknowledged == 0);
        let silent = silent.map(|(load, _)| format!("{load}: no order was acknowledged"));
        let missed = faults.iter().filter_map(|fault| {
            let missed = fault.missed.as_ref()?;
            Some(format!("{} at {:.1} s: {missed}", fault.what, fault.at_seconds))
        });
        vec![
            Check::new("orders of each load were acknowledged", silent.collect()),
            Check::new("every fault was injected", missed.collect()),
        ]
    }

    fn thresholds(&self, finished: &[Finished]) -> Vec<Check> {
        let judged = self.scenario.thresholds.iter().flat_map(|threshold| {
            let loads = self.scenario.loads.iter().zip(finished);
            let own = loads.filter(|(load, _)| load.name == threshold.load);
            own.map(move |(_, finished)| {
                let (value, holds) = threshold.judge(&finished.report);
                Check {
                    name: threshold.to_string(),
                    holds,
                    found: vec![format!("{value:.3}")],
                }
            })
        });
        judged.collect()
    }
}

async fn play_fault(fault: &Fault, host: &Host, started: Instant, stop: &CancellationToken) -> FaultOutcome {
    let injected = async {
        tokio::time::sleep_until((started + fault.at).into()).await;
        let at_seconds = started.elapsed().as_secs_f64();
        (at_seconds, fault.inject(host).await.err())
    };
    let (at_seconds, missed) = tokio::select! {
        injected = injected => injected,
        () = stop.cancelled() => (started.elapsed().as_secs_f64(), Some(INTERRUPTED.to_owned())),
    };
    FaultOutcome {
        what: fault.describe(),
        at_seconds,
        missed,
    }
}
