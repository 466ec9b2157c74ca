//! What follows from what a run showed.

use coffee_rt_actors::ports::Engine;

use super::backlog::BacklogOutcome;
use super::outcome::{Check, FaultOutcome, LoadOutcome, Machine, Outcome, ViewerOutcome, verdict};
use super::run::{Run, Witnessed};
use crate::config::Version;

impl Run {
    pub(super) fn judge(&self, witnessed: Witnessed, ended: Vec<Check>) -> Outcome {
        let Witnessed {
            began,
            started,
            elapsed,
            moment,
            loads,
            faults,
            stored,
            viewers,
            patrol,
            processes,
            steady,
            backlog,
        } = witnessed;
        let trials = || loads.iter().flat_map(|load| &load.trials);
        let ledgers: Vec<_> = trials().map(|trial| &trial.ledger).collect();
        let mut promises = stored.promises(&ledgers);
        promises.extend(patrol.check());
        promises.extend(backlog.as_ref().map(BacklogOutcome::check));
        let acknowledged: Vec<_> = trials().flat_map(|trial| &trial.moments).copied().collect();
        let ranks = stored.ranks();
        let viewers: Vec<_> = viewers
            .into_iter()
            .map(|seen| seen.outcome(&acknowledged, &ranks, started, moment))
            .collect();
        // One that follows a load without a breakpoint had no rate, and that is the other one's finding.
        let due: Vec<_> = loads.iter().map(|load| !load.trials.is_empty()).collect();
        let loads: Vec<_> = self
            .scenario
            .loads
            .iter()
            .zip(loads)
            .map(|(load, played)| LoadOutcome {
                name: load.name.clone(),
                started_at_seconds: played.started_at_seconds,
                moments: played.moments,
                breakpoint: played.breakpoint,
                report: played.report,
            })
            .collect();
        let stalled = self.scenario.viewers.iter().filter(|viewer| viewer.look.is_stalled());
        let stalled: Vec<_> = stalled.map(|viewer| &*viewer.name).collect();
        let evidence = evidence(&loads, &due, &viewers, &stalled, &faults);
        let thresholds = self.scenario.thresholds.iter();
        let mut thresholds: Vec<_> = thresholds
            .map(|threshold| threshold.judge(&loads, &viewers, &processes, backlog.as_ref()))
            .collect();
        thresholds.extend(steady);
        thresholds.extend(loads.iter().filter_map(search));
        Outcome {
            scenario: self.name.clone(),
            about: self.scenario.about.clone(),
            experiment: self
                .scenario
                .experiment
                .as_ref()
                .map(|planned| planned.experiment.clone()),
            versions: self.scenario.versions.iter().map(Version::to_string).collect(),
            engine: (self.scenario.engine != Engine::Actors).then(|| self.scenario.engine.name().to_owned()),
            services: self
                .scenario
                .services
                .iter()
                .map(|service| service.name().to_owned())
                .collect(),
            verdict: verdict(&promises, &ended, &evidence, &thresholds),
            seed: self.environment.seed,
            repeat_with: self.environment.repeat_with.clone(),
            started_at: began.to_string(),
            elapsed_seconds: elapsed.as_secs_f64(),
            moment_seconds: moment.as_secs_f64(),
            machine: Machine::here(),
            build: build(),
            promises,
            thresholds,
            evidence,
            environment: ended,
            backlog,
            faults,
            loads,
            viewers,
            processes,
        }
    }
}

/// A search that finds no rate is no success, whatever else is asked for.
fn search(load: &LoadOutcome) -> Option<Check> {
    let found = load.breakpoint.as_ref()?.rate_per_second;
    let missing = || "not even the first one was".to_owned();
    let name = format!("a rate of {} is sustained", load.name);
    Some(Check::new(&name, found.is_none().then(missing).into_iter().collect()))
}

/// What must have happened for the rest to mean anything.
fn evidence(
    loads: &[LoadOutcome],
    due: &[bool],
    viewers: &[ViewerOutcome],
    stalled: &[&str],
    faults: &[FaultOutcome],
) -> Vec<Check> {
    let due = loads.iter().zip(due).filter(|(_, due)| **due);
    let silent = due.filter(|(load, _)| load.report.counts.acknowledged == 0);
    let silent = silent.map(|(load, _)| format!("{}: no order was acknowledged", load.name));
    let missed = faults.iter().filter_map(|fault| {
        let missed = fault.missed.as_ref()?;
        Some(format!("{} at {:.1} s: {missed}", fault.what, fault.at_seconds))
    });
    let blind = viewers
        .iter()
        .filter(|viewer| viewer.frames == 0 && !stalled.contains(&&*viewer.name));
    let blind = blind.map(|viewer| format!("{}: nothing was seen", viewer.name));
    vec![
        Check::new("who looked on saw something", blind.collect()),
        Check::new("orders of each load were acknowledged", silent.collect()),
        Check::new("every fault was injected", missed.collect()),
    ]
}

/// The version, and how it was built: a debug build's figures are none.
fn build() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{} {profile}", env!("CARGO_PKG_VERSION"))
}
