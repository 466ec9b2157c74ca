//! What the document is, and what the figures in it were measured on.

use std::collections::BTreeSet;

use super::markdown::{paragraph, plain};
use crate::scenario::report::{MEBIBYTE, measured};
use crate::scenario::{Machine, Outcome, Verdict};

/// Letters of a moment that are its date.
const DATE_LETTERS: usize = 10;

const VERDICTS: [Verdict; 5] = [
    Verdict::Passed,
    Verdict::ThresholdMissed,
    Verdict::Vacuous,
    Verdict::EnvironmentFailed,
    Verdict::PromiseBroken,
];

/// The title, and what to think of the figures.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let all = |of: fn(&Outcome) -> String| -> BTreeSet<String> { outcomes.iter().map(of).collect() };
    let machines = joined(&all(|outcome| machine(&outcome.machine)));
    let builds = all(|outcome| plain(&outcome.build));
    let debug = if builds.iter().any(|build| build.ends_with("debug")) {
        " A debug build is among them: its figures are none."
    } else {
        ""
    };
    let about = format!(
        "What each version of Coffee-RT takes, what it costs, and what breaks it. `make scale` wrote this out of the reports of {} \
         runs, not a hand. They ran {} on {machines}; build {}.{debug} The load driver, the node and the services shared these \
         processors. So absolute figures are low, and ratios between versions count, as each had the same machine. Each experiment \
         ran once on each version and engine, and one run each is no statistics: small differences mean nothing.",
        outcomes.len(),
        dates(&all(|outcome| date(&outcome.started_at))),
        joined(&builds),
    );
    format!("# Scale\n\n{}\n{}", paragraph(&about), paragraph(&verdicts(outcomes)))
}

fn joined(parts: &BTreeSet<String>) -> String {
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    parts.join(" and ")
}

/// Only what the system told.
fn machine(machine: &Machine) -> String {
    let cores = match machine.cores {
        0 => None,
        1 => Some("1 processor".to_owned()),
        cores => Some(format!("{cores} processors")),
    };
    let some = |text: &str, told: String| (!text.is_empty()).then_some(told);
    let parts = [
        cores,
        some(&machine.cpu, plain(&machine.cpu)),
        (machine.memory_bytes > 0).then(|| {
            let gibibytes = machine.memory_bytes as f64 / (1_024.0 * MEBIBYTE);
            format!("{} GiB of memory", measured(gibibytes))
        }),
        some(&machine.kernel, format!("kernel {}", plain(&machine.kernel))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "an unknown machine".to_owned()
    } else {
        parts.join(", ")
    }
}

fn date(moment: &str) -> String {
    plain(&moment.chars().take(DATE_LETTERS).collect::<String>())
}

fn dates(dates: &BTreeSet<String>) -> String {
    match (dates.first(), dates.last()) {
        (Some(first), Some(last)) if first == last => format!("on {first}"),
        (Some(first), Some(last)) => format!("from {first} to {last}"),
        _ => "never".to_owned(),
    }
}

fn verdicts(outcomes: &[Outcome]) -> String {
    let counts = VERDICTS.map(|verdict| {
        let count = outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
        (count > 0).then(|| format!("{count} × {}", verdict.words()))
    });
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    format!("How the runs ended: {}.", counts.join("; "))
}
