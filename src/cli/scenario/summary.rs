//! An outcome for people.

use console::style;

use super::super::screen::table;
use crate::scenario::{Check, LoadOutcome, Outcome, Verdict};

/// What a run showed, a line each.
pub(super) fn lines(outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![
        format!("{}: {}", style(&outcome.scenario).bold(), outcome.about),
        String::new(),
    ];
    let head = [
        "load",
        "sent",
        "acknowledged",
        "refused",
        "unknown",
        "not sent",
        "a second",
        "p50 ms",
        "p99 ms",
        "max ms",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(outcome.loads.iter().map(|load| {
        let (counts, times) = (load.report.counts, load.report.latency);
        let numbers = [
            counts.sent,
            counts.acknowledged,
            counts.refused,
            counts.unknown,
            load.report.not_sent,
        ];
        let numbers = numbers.map(|number| number.to_string());
        let rate = format!("{:.0}", load.report.achieved_per_second);
        let times = [times.p50_ms, times.p99_ms, times.max_ms].map(|time| format!("{time:.2}"));
        let cells = std::iter::once(load.name.clone())
            .chain(numbers)
            .chain([rate])
            .chain(times);
        cells.collect::<Vec<_>>()
    }));
    lines.extend(table(&rows, 1..10));
    lines.extend(outcome.loads.iter().filter_map(breakpoint));
    lines.push(String::new());
    lines.extend(outcome.backlog.as_ref().map(|backlog| {
        format!(
            "backlog: {} orders of {} records stored, {} a second, the first {:.1} s and the last {:.1} s after the nodes' start",
            backlog.stored,
            backlog.records,
            backlog.orders_per_second.map_or("–".to_owned(), |rate| format!("{rate:.0}")),
            backlog.first_after_seconds,
            backlog.last_after_seconds
        )
    }));
    lines.extend(outcome.viewers.iter().map(|viewer| {
        let (name, times) = (&viewer.name, viewer.latency);
        let (frames, failures) = (viewer.frames, viewer.failures);
        let shown = format!(
            "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            times.p50_ms, times.p99_ms, times.max_ms
        );
        format!("{name}: {frames} frames or answers, {failures} failures, {shown}")
    }));
    lines.extend(outcome.processes.iter().map(|process| {
        let memory = process.peak_memory_bytes as f64 / 1_000_000.0;
        format!(
            "{}: {:.2} s of processor time, {memory:.1} MB at most",
            process.name, process.cpu_seconds
        )
    }));
    if !outcome.faults.is_empty() {
        lines.push(format!("{} faults injected", outcome.faults.len()));
    }
    for check in outcome
        .promises
        .iter()
        .chain(&outcome.environment)
        .chain(&outcome.evidence)
        .chain(&outcome.thresholds)
    {
        lines.extend(told(check));
    }
    let words = outcome.verdict.words();
    let verdict = match outcome.verdict {
        Verdict::Passed => style(words.to_owned()).green(),
        Verdict::ThresholdMissed | Verdict::Vacuous | Verdict::EnvironmentFailed => style(words.to_owned()).yellow(),
        Verdict::PromiseBroken => style(words.to_uppercase()).red(),
    };
    lines.push(format!(
        "{verdict} after {:.1} s, seed {}",
        outcome.elapsed_seconds, outcome.seed
    ));
    lines
}

fn breakpoint(load: &LoadOutcome) -> Option<String> {
    let found = load.breakpoint.as_ref()?;
    let failed = found
        .trials
        .iter()
        .filter_map(|trial| Some((trial.rate_per_second, trial.failed.as_ref()?)));
    let lowest = failed.reduce(|one, other| if other.0 < one.0 { other } else { one });
    let beyond = lowest.map_or("no trial failed".to_owned(), |(rate, why)| {
        format!("at {rate:.0} {why}")
    });
    Some(match found.rate_per_second {
        Some(rate) => format!("{}: {rate:.0} orders/s are sustained; {beyond}", load.name),
        None => format!("{}: not even the first rate is sustained; {beyond}", load.name),
    })
}

fn told(check: &Check) -> Vec<String> {
    let mark = if check.holds {
        style("ok").green()
    } else {
        style("NO").red()
    };
    let mut lines = vec![format!("  {mark} {}", check.name)];
    lines.extend(check.found.iter().map(|found| format!("       {found}")));
    lines
}
