//! What follows from what a run showed.

use std::time::Duration;

use super::outcome::{Check, FaultOutcome, LoadOutcome, Machine, Outcome, verdict};
use super::run::{Run, Witnessed};

impl Run {
    pub(super) fn judge(&self, witnessed: Witnessed) -> Outcome {
        let Witnessed {
            began,
            started,
            moment,
            before,
            loads,
            faults,
            stored,
            viewers,
            processes,
            steady,
        } = witnessed;
        let elapsed: Duration = started.elapsed();
        let ledgers: Vec<_> = loads.iter().map(|load| &load.finished.ledger).collect();
        let promises = stored.promises(&ledgers, &before);
        let acknowledged: Vec<_> = loads.iter().flat_map(|load| &load.finished.moments).copied().collect();
        let ranks = stored.ranks();
        let viewers: Vec<_> = viewers
            .into_iter()
            .map(|seen| seen.outcome(&acknowledged, &ranks, started, moment))
            .collect();
        let loads: Vec<_> = self
            .scenario
            .loads
            .iter()
            .zip(loads)
            .map(|(load, played)| LoadOutcome {
                name: load.name.clone(),
                started_at_seconds: load.start.as_secs_f64(),
                moments: played.moments,
                report: played.finished.report,
            })
            .collect();
        let evidence = evidence(&loads, &faults);
        let thresholds = self.scenario.thresholds.iter();
        let mut thresholds: Vec<_> = thresholds
            .map(|threshold| threshold.judge(&loads, &viewers, &processes))
            .collect();
        thresholds.extend(steady);
        Outcome {
            scenario: self.name.clone(),
            about: self.scenario.about.clone(),
            verdict: verdict(&promises, &evidence, &thresholds),
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
            faults,
            loads,
            viewers,
            processes,
        }
    }
}

/// What must have happened for the rest to mean anything.
fn evidence(loads: &[LoadOutcome], faults: &[FaultOutcome]) -> Vec<Check> {
    let silent = loads.iter().filter(|load| load.report.counts.acknowledged == 0);
    let silent = silent.map(|load| format!("{}: no order was acknowledged", load.name));
    let missed = faults.iter().filter_map(|fault| {
        let missed = fault.missed.as_ref()?;
        Some(format!("{} at {:.1} s: {missed}", fault.what, fault.at_seconds))
    });
    vec![
        Check::new("orders of each load were acknowledged", silent.collect()),
        Check::new("every fault was injected", missed.collect()),
    ]
}

/// The version, and how it was built: a debug build's figures are none.
fn build() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{} {profile}", env!("CARGO_PKG_VERSION"))
}
