//! What a run showed, and what follows from it.

use serde::Serialize;

use crate::load::Report;

/// Findings of one check that are kept word for word.
const MAX_FINDINGS: usize = 20;

/// What follows from a run; the worst that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All promises were kept, and all thresholds.
    Passed,
    /// A threshold was missed.
    ThresholdMissed,
    /// Nothing happened that could prove anything.
    Vacuous,
    /// A promise was broken.
    PromiseBroken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What must hold.
    pub name: String,
    /// Whether it does.
    pub holds: bool,
    /// What was found, the first of it in words.
    pub found: Vec<String>,
}

impl Check {
    /// A check that holds where nothing speaks against it.
    pub(super) fn new(name: &str, mut found: Vec<String>) -> Self {
        let holds = found.is_empty();
        let more = found.len().saturating_sub(MAX_FINDINGS);
        found.truncate(MAX_FINDINGS);
        if more > 0 {
            found.push(format!("and {more} more"));
        }
        Self {
            name: name.to_owned(),
            holds,
            found,
        }
    }
}

/// One load's name and what became of its orders.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadOutcome {
    /// As the file names it.
    pub name: String,
    /// From the scenario's start to its own.
    pub started_at_seconds: f64,
    /// In numbers.
    #[serde(flatten)]
    pub report: Report,
}

/// One fault, and whether it hit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultOutcome {
    /// Such as `kill v1/batcher-0`.
    pub what: String,
    /// When it was injected, from the scenario's start.
    pub at_seconds: f64,
    /// Why it did not hit.
    pub missed: Option<String>,
}

/// A run that ended by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// What follows.
    pub verdict: Verdict,
    /// Repeats the same customers and moments.
    pub seed: u64,
    /// From the start to the last look at the store.
    pub elapsed_seconds: f64,
    /// Promises.
    pub promises: Vec<Check>,
    /// Thresholds.
    pub thresholds: Vec<Check>,
    /// What makes the run worth something.
    pub evidence: Vec<Check>,
    /// What was injected.
    pub faults: Vec<FaultOutcome>,
    /// Who ordered.
    pub loads: Vec<LoadOutcome>,
}

/// The worst that applies.
pub(super) fn verdict(promises: &[Check], evidence: &[Check], thresholds: &[Check]) -> Verdict {
    let all = |checks: &[Check]| checks.iter().all(|check| check.holds);
    match (all(promises), all(evidence), all(thresholds)) {
        (false, _, _) => Verdict::PromiseBroken,
        (_, false, _) => Verdict::Vacuous,
        (_, _, false) => Verdict::ThresholdMissed,
        _ => Verdict::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_that_applies_is_the_verdict() {
        let check = |holds| {
            vec![Check {
                name: String::new(),
                holds,
                found: Vec::new(),
            }]
        };
        for (promises, evidence, thresholds, expected) in [
            (true, true, true, Verdict::Passed),
            (true, true, false, Verdict::ThresholdMissed),
            (true, false, false, Verdict::Vacuous),
            (false, false, false, Verdict::PromiseBroken),
        ] {
            let found = verdict(&check(promises), &check(evidence), &check(thresholds));
            assert_eq!(found, expected, "{promises} {evidence} {thresholds}");
        }
    }
}
