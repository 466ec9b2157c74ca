//! When to move from one version to the next, by what was measured.

use super::markdown::{list, paragraph};
use super::runs::{
    BREAKPOINT, EMBEDDED, MIXED, Runs, SLOW_STORE, SUSTAINED, Side, V1, V2, V3, breakpoint, cpu_of_all,
    cpu_sustained_of_all, load, longest_ms, share,
};
use crate::scenario::Outcome;
use crate::scenario::report::{measured, number, times};

/// The section: only sentences whose figures are there.
pub(super) fn text(runs: &Runs<'_>) -> String {
    let entries: Vec<_> = [first(runs), second(runs), third(runs), cost(runs)]
        .into_iter()
        .flatten()
        .collect();
    let told = if entries.is_empty() {
        paragraph("Too little was measured to recommend anything.")
    } else {
        list(&entries)
    };
    format!("### When to move from one to the next\n\n{told}")
}

fn first(runs: &Runs<'_>) -> Option<String> {
    let rate = runs.measure(V1, BREAKPOINT, breakpoint)?;
    let embedded = runs.measure(EMBEDDED, BREAKPOINT, breakpoint);
    let embedded = embedded.map(|rate| format!(" ({} on SQLite)", measured(rate)));
    let p99 = |run: &Outcome| times(&load(run, SUSTAINED)?.report.latency)[1];
    let p99 = runs.measure(V1, BREAKPOINT, p99);
    let p99 = p99.map(|p99| {
        format!(
            "; at four fifths of its breakpoint 99 of 100 orders were acknowledged within {} ms",
            measured(p99)
        )
    });
    let faults = away(runs, V1).map(|(wait, share)| {
        format!(" Its customers wait for the database: in `slow-store` one waited {wait} ms at most, and {share} % of the orders were acknowledged.")
    });
    Some(format!(
        "**v1** while one database is always there and one node or a few are enough. An order is stored when it is acknowledged, and \
         no log has to run. It sustained {} orders/s here{}{}.{}",
        measured(rate),
        embedded.unwrap_or_default(),
        p99.unwrap_or_default(),
        faults.unwrap_or_default(),
    ))
}

fn second(runs: &Runs<'_>) -> Option<String> {
    let (wait, share) = away(runs, V2)?;
    let (wait_of_v1, share_of_v1) = away(runs, V1)?;
    Some(format!(
        "**v2** when orders must be accepted while the database is away. In `slow-store` a customer waited {wait} ms at most \
         (v1: {wait_of_v1} ms), and {share} % of the orders were acknowledged (v1: {share_of_v1} %)."
    ))
}

fn third(runs: &Runs<'_>) -> Option<String> {
    let [v1, v2, v3] = [V1, V2, V3].map(|side| runs.measure(side, BREAKPOINT, breakpoint));
    let (v1, v3) = (v1?, v3?);
    let beside = v2.map(|v2| format!(" (v2: {})", measured(v2)));
    Some(format!(
        "**v3** when the log must be replicated, kept and replayed, or many nodes must share the work by partitions. With one broker it \
         sustained {} orders/s here{}, {:.2} of v1's rate.",
        measured(v3),
        beside.unwrap_or_default(),
        v3 / v1,
    ))
}

/// What the logs cost.
fn cost(runs: &Runs<'_>) -> Option<String> {
    let times = |scenarios: &[&str], cpu: fn(&Outcome) -> Option<f64>| {
        let [v1, v2, v3] = [V1, V2, V3].map(|side| runs.measure(side, scenarios, cpu));
        let v1 = v1?;
        Some((v2? / v1, v3? / v1))
    };
    let (v2, v3) = times(MIXED, cpu_of_all)?;
    let high = times(BREAKPOINT, cpu_sustained_of_all);
    let high = high.map(|(v2, v3)| format!(", and {v2:.2} and {v3:.2} times at four fifths of their breakpoints"));
    Some(format!(
        "An order costs v2 and v3 {v2:.2} and {v3:.2} times the processor time that it costs v1, all processes together, at the rate of \
         `mixed`{}.",
        high.unwrap_or_default()
    ))
}

/// With the store away: the longest wait in milliseconds, and the share that was acknowledged.
fn away(runs: &Runs<'_>, side: Side) -> Option<(String, String)> {
    let run = runs.of(side, SLOW_STORE)?;
    Some((measured(longest_ms(run)?), number(share(&run.loads)?)))
}
