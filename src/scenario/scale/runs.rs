//! Which run is whose, and what a run measured. What it did not measure is none, never zero.

use crate::scenario::report::{MEBIBYTE, cpu_per_thousand, times};
use crate::scenario::{LoadOutcome, Outcome, ProcessOutcome, Verdict, ViewerOutcome};

/// The process that every version has; others of it are `node-2` and so on.
pub(super) const NODE: &str = "node";
/// The store, as processes and services are named.
pub(super) const STORE: &str = "postgres";
/// The load at four fifths of the breakpoint.
pub(super) const SUSTAINED: &str = "sustained";

/// Scenarios that look for the breakpoint, by the store.
pub(super) const BREAKPOINT: &[&str] = &["breakpoint", "embedded"];
/// The one with a moderate rate that is the same for all versions.
pub(super) const MIXED: &[&str] = &["mixed"];
/// Actors are killed.
pub(super) const KILL_ACTORS: &[&str] = &["kill-actors"];
/// The node is killed.
pub(super) const KILL_NODE: &[&str] = &["kill-node"];
/// The store is slow, cut off and locked.
pub(super) const SLOW_STORE: &[&str] = &["slow-store"];
/// Both engines of v3 on the same topic.
pub(super) const COMPARE_ENGINES: &str = "compare-engines";
/// Ten thousand screens.
pub(super) const SOCKETS: &[&str] = &["sockets"];

/// How much of a load the moments of a process must cover to stand for it.
const MIN_COVERED: f64 = 0.9;

/// A version on a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    /// At the head of its column.
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    embedded: bool,
}

impl Side {
    const fn on_postgres(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            embedded: false,
        }
    }
}

/// v1 on its embedded database.
pub(super) const EMBEDDED: Side = Side {
    name: "v1, SQLite",
    version: "v1",
    embedded: true,
};
/// v1, which others are measured by.
pub(super) const V1: Side = Side::on_postgres("v1, PostgreSQL", "v1");
/// v2.
pub(super) const V2: Side = Side::on_postgres("v2, PostgreSQL", "v2");
/// v3.
pub(super) const V3: Side = Side::on_postgres("v3, PostgreSQL", "v3");

/// All runs.
pub(super) struct Runs<'a>(pub(super) &'a [Outcome]);

impl<'a> Runs<'a> {
    /// The run of one of these scenarios; one that proved nothing measured nothing.
    pub(super) fn of(&self, side: Side, scenarios: &[&str]) -> Option<&'a Outcome> {
        self.0.iter().find(|outcome| {
            version(outcome) == side.version
                && outcome.engine.is_none()
                && scenarios.contains(&&*outcome.scenario)
                && outcome.services.iter().any(|service| service == STORE) != side.embedded
                && outcome.verdict != Verdict::Vacuous
        })
    }

    /// What a run of one of these scenarios measured.
    pub(super) fn measure(
        &self,
        side: Side,
        scenarios: &[&str],
        measure: impl Fn(&Outcome) -> Option<f64>,
    ) -> Option<f64> {
        self.of(side, scenarios).and_then(measure)
    }
}

/// The version that ran.
fn version(outcome: &Outcome) -> &str {
    outcome.versions.first().map_or("", String::as_str)
}

pub(super) fn load<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a LoadOutcome> {
    outcome.loads.iter().find(|load| load.name == name)
}

pub(super) fn viewers<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a ViewerOutcome> {
    outcome.viewers.iter().find(|viewers| viewers.name == name)
}

fn process<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a ProcessOutcome> {
    outcome.processes.iter().find(|process| process.name == name)
}

/// The highest sustained rate.
pub(super) fn breakpoint(outcome: &Outcome) -> Option<f64> {
    let mut found = outcome.loads.iter().filter_map(|load| load.breakpoint.as_ref());
    found.next()?.rate_per_second
}

/// Of all loads' orders that were acknowledged.
pub(super) fn longest_ms(outcome: &Outcome) -> Option<f64> {
    let longest = outcome.loads.iter().filter_map(|load| times(&load.report.latency)[2]);
    longest.reduce(f64::max)
}

/// Of the orders of these loads that were due, how many of 100 were acknowledged; rounded down, so that 100 means all.
pub(super) fn share<'a>(loads: impl IntoIterator<Item = &'a LoadOutcome>) -> Option<f64> {
    let (mut acknowledged, mut due) = (0, 0);
    for load in loads {
        acknowledged += load.report.counts.acknowledged;
        due += load.report.counts.sent + load.report.not_sent;
    }
    let thousandths = (u128::from(acknowledged) * 100_000).checked_div(u128::from(due))?;
    Some(thousandths as f64 / 1_000.0)
}

/// Orders of all loads that were acknowledged.
pub(super) fn acknowledged(outcome: &Outcome) -> u64 {
    outcome.loads.iter().map(|load| load.report.counts.acknowledged).sum()
}

/// The most of any node.
pub(super) fn peak_mebibytes(outcome: &Outcome) -> Option<f64> {
    let nodes = outcome
        .processes
        .iter()
        .filter(|process| process.name.starts_with(NODE));
    let peak = nodes.map(|node| node.peak_memory_bytes).max();
    peak.filter(|peak| *peak > 0).map(|peak| peak as f64 / MEBIBYTE)
}

/// Seconds that a process was busy for 1,000 acknowledged orders, of the whole run.
pub(super) fn cpu_of(outcome: &Outcome, name: &str) -> Option<f64> {
    let busy = cpu_per_thousand(outcome, process(outcome, name)?);
    busy.filter(|seconds| *seconds > 0.0)
}

/// The same of all processes together.
pub(super) fn cpu_of_all(outcome: &Outcome) -> Option<f64> {
    all(outcome, cpu_of)
}

/// The same of one process, in the time and for the orders of one load alone.
pub(super) fn cpu_in(outcome: &Outcome, name: &str, load: &LoadOutcome) -> Option<f64> {
    let process = process(outcome, name)?;
    let (from, length) = (load.started_at_seconds, load.report.elapsed_seconds);
    let (mut busy, mut covered) = (0.0, 0.0);
    let mut before = process.moments.first()?.at_seconds - outcome.moment_seconds;
    for moment in &process.moments {
        let within = moment.at_seconds.min(from + length) - before.max(from);
        if within > 0.0 {
            busy += within * moment.cpu_percent / 100.0;
            covered += within;
        }
        before = moment.at_seconds;
    }
    let acknowledged = load.report.counts.acknowledged;
    let measured = acknowledged > 0 && busy > 0.0 && covered >= length * MIN_COVERED;
    // What the moments do not cover was like what they do.
    measured.then(|| busy * length / covered * 1_000.0 / acknowledged as f64)
}

/// The same of a process while the load at four fifths of the breakpoint ran.
pub(super) fn cpu_sustained(outcome: &Outcome, name: &str) -> Option<f64> {
    cpu_in(outcome, name, load(outcome, SUSTAINED)?)
}

/// The same of all processes together.
pub(super) fn cpu_sustained_of_all(outcome: &Outcome) -> Option<f64> {
    all(outcome, cpu_sustained)
}

/// The sum over all processes; none where one of them is not known.
fn all(outcome: &Outcome, of: fn(&Outcome, &str) -> Option<f64>) -> Option<f64> {
    let each = outcome.processes.iter().map(|process| of(outcome, &process.name));
    each.sum::<Option<f64>>().filter(|sum| *sum > 0.0)
}
