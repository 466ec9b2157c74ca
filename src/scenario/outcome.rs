//! What a run showed, and what follows from it.

use serde::{Deserialize, Serialize};

use super::backlog::BacklogOutcome;
use super::breakpoint::Breakpoint;
use super::experiment::Experiment;
use crate::load::{Quantiles, Report};

/// Findings of one check that are kept word for word.
const MAX_FINDINGS: usize = 20;

/// What follows from a run; the worst that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All promises were kept, and all thresholds.
    Passed,
    /// A threshold was missed.
    ThresholdMissed,
    /// Nothing happened that could prove anything.
    Vacuous,
    /// Something did not end as it should.
    EnvironmentFailed,
    /// A promise was broken.
    PromiseBroken,
}

impl Verdict {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::ThresholdMissed => "a threshold was missed",
            Self::Vacuous => "vacuous: this proves nothing",
            Self::EnvironmentFailed => "the environment failed",
            Self::PromiseBroken => "a promise was broken",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadOutcome {
    /// As the file names it.
    pub name: String,
    /// From the scenario's start to its own.
    pub started_at_seconds: f64,
    /// As it went on.
    pub moments: Vec<LoadMoment>,
    /// The highest rate that was sustained, where it was looked for; the numbers are then those of that trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakpoint: Option<Breakpoint>,
    /// In numbers.
    #[serde(flatten)]
    pub report: Report,
}

/// A second of a load, or as long as the run's [`Outcome::moment_seconds`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadMoment {
    /// Its end, from the scenario's start.
    pub at_seconds: f64,
    /// Orders.
    pub acknowledged_per_second: f64,
    /// Answers that refused one for now.
    pub refused_per_second: f64,
    /// From due to acknowledged.
    pub p50_ms: f64,
    /// The same.
    pub p99_ms: f64,
    /// The same.
    pub max_ms: f64,
}

/// Those who look on: at the dashboard's socket, or at its page again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewerOutcome {
    /// As the file names them.
    pub name: String,
    /// How many.
    pub count: u64,
    /// Frames or answers that came, to all of them.
    pub frames: u64,
    /// Connections that broke, and answers that did not come.
    pub failures: u64,
    /// Of sockets: orders that were acknowledged and are in no frame.
    pub never_shown: u64,
    /// Of sockets: from an order's acknowledgement to the first frame that includes it. Of readers: from the moment an answer
    /// was wanted to its arrival.
    pub latency: Quantiles,
    /// As it went on.
    pub moments: Vec<ViewMoment>,
}

/// A second of viewers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewMoment {
    /// Its end, from the scenario's start.
    pub at_seconds: f64,
    /// Of the latency.
    pub p50_ms: f64,
    /// The same.
    pub p99_ms: f64,
}

/// What a process used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessOutcome {
    /// `node`, or a service.
    pub name: String,
    /// Of all its processes, while the loads ran.
    pub cpu_seconds: f64,
    /// The most that was in use at once.
    pub peak_memory_bytes: u64,
    /// As it went on.
    pub moments: Vec<ProcessMoment>,
}

/// A second of a process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessMoment {
    /// Its end, from the scenario's start.
    pub at_seconds: f64,
    /// Of one processor: 200 where two are busy.
    pub cpu_percent: f64,
    /// In use; a page that several processes map counts once.
    pub memory_bytes: u64,
}

/// What a run was measured on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// As the system calls it.
    pub cpu: String,
    /// Processors that can be used.
    pub cores: usize,
    /// Of all.
    pub memory_bytes: u64,
    /// Its release.
    pub kernel: String,
}

/// One fault, and whether it hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultOutcome {
    /// Such as `kill v1/batcher-0`, and whom it hit where that was open before.
    pub what: String,
    /// When it was injected, from the scenario's start.
    pub at_seconds: f64,
    /// Why it did not hit.
    pub missed: Option<String>,
}

/// A run that ended by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// What it was to find out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Experiment>,
    /// Versions that the nodes ran.
    pub versions: Vec<String>,
    /// Who stored v3's orders, where that were others than actors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Services that were started for it.
    pub services: Vec<String>,
    /// What follows.
    pub verdict: Verdict,
    /// Repeats the same customers and moments.
    pub seed: u64,
    /// The command that repeats it.
    pub repeat_with: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// From the start to the last look at the store.
    pub elapsed_seconds: f64,
    /// How long each of the moments below is.
    pub moment_seconds: f64,
    /// What it was measured on.
    pub machine: Machine,
    /// Of the node: the version of the build.
    pub build: String,
    /// Promises.
    pub promises: Vec<Check>,
    /// Thresholds.
    pub thresholds: Vec<Check>,
    /// What makes the run worth something.
    pub evidence: Vec<Check>,
    /// How what was started ended.
    pub environment: Vec<Check>,
    /// How what was in the topic before was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<BacklogOutcome>,
    /// What was injected.
    pub faults: Vec<FaultOutcome>,
    /// Who ordered.
    pub loads: Vec<LoadOutcome>,
    /// Who looked on.
    pub viewers: Vec<ViewerOutcome>,
    /// What it took.
    pub processes: Vec<ProcessOutcome>,
}

impl Outcome {
    /// What ran, such as `v1` or `v3-flink`.
    #[must_use]
    pub fn ran(&self) -> String {
        let parts = self.versions.first().into_iter().chain(&self.engine);
        parts.map(String::as_str).collect::<Vec<_>>().join("-")
    }
}

/// The worst that applies.
pub(super) fn verdict(promises: &[Check], environment: &[Check], evidence: &[Check], thresholds: &[Check]) -> Verdict {
    let all = |checks: &[Check]| checks.iter().all(|check| check.holds);
    match [promises, environment, evidence, thresholds].map(all) {
        [false, _, _, _] => Verdict::PromiseBroken,
        [_, false, _, _] => Verdict::EnvironmentFailed,
        [_, _, false, _] => Verdict::Vacuous,
        [_, _, _, false] => Verdict::ThresholdMissed,
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
        for (holds, expected) in [
            ([true, true, true, true], Verdict::Passed),
            ([true, true, true, false], Verdict::ThresholdMissed),
            ([true, true, false, false], Verdict::Vacuous),
            ([true, false, false, false], Verdict::EnvironmentFailed),
            ([false, false, false, false], Verdict::PromiseBroken),
        ] {
            let [promises, environment, evidence, thresholds] = holds.map(check);
            let found = verdict(&promises, &environment, &evidence, &thresholds);
            assert_eq!(found, expected, "{holds:?}");
        }
    }
}
