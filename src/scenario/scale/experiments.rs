//! Each experiment: what was expected, what was measured, and what broke.

use std::path::Path;

use super::markdown::{code, commands, list, paragraph, plain, table};
use super::pictures::link;
use super::runs::{acknowledged, peak_mebibytes, share};
use crate::scenario::report::{measured, number, shown, times};
use crate::scenario::{Breakpoint, Check, LoadOutcome, Outcome};

/// Findings of one check that are told.
const MAX_FINDINGS: usize = 3;

const LOADS: [&str; 12] = [
    "version",
    "verdict",
    "load",
    "acknowledged",
    "of those due, %",
    "orders/s",
    "p50 ms",
    "p99 ms",
    "max ms",
    "refused",
    "answers that refused",
    "node, MiB",
];
const VIEWERS: [&str; 6] = ["version", "viewers", "how many", "p50 ms", "p99 ms", "failures"];
const BACKLOGS: [&str; 7] = [
    "version",
    "records",
    "orders stored",
    "first after s",
    "last after s",
    "orders/s",
    "processor time of a million, all processes, s",
];
const TRIALS: [&str; 6] = [
    "version",
    "load",
    "rate, orders/s",
    "acknowledged/s",
    "p99 ms",
    "outcome",
];

const INTRODUCTION: &str = "Milliseconds of loads are from the moment an order was due to its acknowledgement. A load that looks \
for the breakpoint is told by its fastest trial that was sustained. Those of viewers are, at a dashboard's socket, from an order's \
acknowledgement to the first frame with it, and at a page from a request to its answer. Memory is the most that a node had in \
use during the run. Where faults were injected, a plot marks them.";

/// The section: an experiment on all its versions together, in the order in which it is met first.
pub(super) fn text(outcomes: &[Outcome], plots: &Path) -> String {
    let mut names: Vec<&str> = Vec::new();
    for outcome in outcomes {
        if !names.contains(&&*outcome.scenario) {
            names.push(&outcome.scenario);
        }
    }
    let sections = names.iter().map(|name| {
        let runs = outcomes.iter().filter(|outcome| outcome.scenario == *name);
        section(name, &runs.collect::<Vec<_>>(), plots)
    });
    let introduction = paragraph(INTRODUCTION);
    format!("## Experiments\n\n{introduction}{}", sections.collect::<String>())
}

fn section(name: &str, runs: &[&Outcome], plots: &Path) -> String {
    let Some(first) = runs.first() else {
        return String::new();
    };
    let expected = first.experiment.as_ref();
    let expected =
        expected.map(|experiment| paragraph(&format!("**Expected:** {}.", sentence(&experiment.hypothesis))));
    let pictures = runs.iter().map(|run| link(run, plots));
    let repeat = commands(runs.iter().map(|run| &*run.repeat_with));
    let parts = [
        format!("### {}\n", plain(name)),
        paragraph(&format!("{}.", sentence(&first.about))),
        expected.unwrap_or_default(),
        format!("**Measured:**\n\n{}", table(&LOADS, &load_rows(runs))),
        table_of_some(&BACKLOGS, &backlog_rows(runs)),
        table_of_some(&VIEWERS, &viewer_rows(runs)),
        table_of_some(&TRIALS, &trial_rows(runs)),
        pictures.collect(),
        broken(runs),
        format!("Repeat it with:\n\n{repeat}"),
    ];
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.map(|part| format!("\n{part}")).collect()
}

/// A text's last full stop is set by who tells it.
fn sentence(text: &str) -> String {
    plain(text.trim_end().trim_end_matches('.'))
}

fn table_of_some(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        String::new()
    } else {
        table(head, rows)
    }
}

fn load_rows(runs: &[&Outcome]) -> Vec<Vec<String>> {
    let of_run = |run: &&Outcome| {
        let row = |load: &LoadOutcome| {
            let (report, counts) = (&load.report, load.report.counts);
            let [p50, p99, max] = times(&report.latency).map(shown);
            let refusals: u64 = report.refused_by_status.values().map(|refusals| refusals.answers).sum();
            let cells = [
                plain(&run.ran()),
                run.verdict.words().to_owned(),
                plain(&load.name),
                number(counts.acknowledged as f64),
                share([load]).map_or("–".to_owned(), number),
                shown((report.elapsed_seconds > 0.0).then_some(report.achieved_per_second)),
                p50,
                p99,
                max,
                number(counts.refused as f64),
                number(refusals as f64),
                shown(peak_mebibytes(run)),
            ];
            cells.to_vec()
        };
        run.loads.iter().map(row).collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).collect()
}

fn viewer_rows(runs: &[&Outcome]) -> Vec<Vec<String>> {
    let of_run = |run: &&Outcome| {
        let rows = run.viewers.iter().map(|those| {
            let [p50, p99, _] = times(&those.latency).map(shown);
            let [count, failures] = [those.count, those.failures].map(|count| number(count as f64));
            vec![plain(&run.ran()), plain(&those.name), count, p50, p99, failures]
        });
        rows.collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).collect()
}

fn backlog_rows(runs: &[&Outcome]) -> Vec<Vec<String>> {
    let of_run = |run: &&Outcome| {
        let backlog = run.backlog.as_ref()?;
        let figures = [
            number(backlog.records as f64),
            number(backlog.stored as f64),
            measured(backlog.first_after_seconds),
            measured(backlog.last_after_seconds),
            shown(backlog.orders_per_second),
            measured(backlog.cpu_seconds_per_million(|_| true)),
        ];
        Some(std::iter::once(plain(&run.ran())).chain(figures).collect())
    };
    runs.iter().filter_map(of_run).collect()
}

fn trial_rows(runs: &[&Outcome]) -> Vec<Vec<String>> {
    let of_load = |run: &Outcome, load: &LoadOutcome, found: &Breakpoint| {
        let rows = found.trials.iter().map(|trial| {
            let failed = trial.failed.as_ref();
            vec![
                plain(&run.ran()),
                plain(&load.name),
                measured(trial.rate_per_second),
                measured(trial.acknowledged_per_second),
                shown((trial.p99_ms > 0.0).then_some(trial.p99_ms)),
                failed.map_or("sustained".to_owned(), |why| plain(why)),
            ]
        });
        rows.collect::<Vec<_>>()
    };
    let of_run = |run: &&Outcome| {
        let loads = run.loads.iter();
        let found = loads.filter_map(|load| Some(of_load(run, load, load.breakpoint.as_ref()?)));
        found.flatten().collect::<Vec<_>>()
    };
    runs.iter().flat_map(of_run).collect()
}

/// What does not hold, by version.
fn broken(runs: &[&Outcome]) -> String {
    let (well, ill): (Vec<&Outcome>, Vec<&Outcome>) = runs.iter().partition(|run| findings(run).is_empty());
    let mut told: Vec<_> = ill
        .iter()
        .flat_map(|run| {
            findings(run)
                .into_iter()
                .map(|found| format!("{}: {found}", plain(&run.ran())))
        })
        .collect();
    if let Some(nothing) = nothing(&well) {
        if ill.is_empty() {
            return paragraph(&format!("**What broke:** Nothing: {nothing}."));
        }
        let versions: Vec<_> = well.iter().map(|run| plain(&run.ran())).collect();
        told.push(format!("{}: nothing: {nothing}.", versions.join(", ")));
    }
    format!("**What broke:**\n\n{}", list(&told))
}

fn findings(run: &Outcome) -> Vec<String> {
    let kinds = [
        ("promise", &run.promises),
        ("threshold", &run.thresholds),
        ("evidence", &run.evidence),
        ("environment", &run.environment),
    ];
    let told = kinds.into_iter().flat_map(|(kind, checks)| {
        let missed = checks.iter().filter(|check| !check.holds);
        missed.map(move |check| format!("{kind} {}: {}", code(&check.name), found(check)))
    });
    told.collect()
}

fn found(check: &Check) -> String {
    let mut found: Vec<_> = check
        .found
        .iter()
        .take(MAX_FINDINGS)
        .map(|found| plain(found))
        .collect();
    let more = check.found.len().saturating_sub(MAX_FINDINGS);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    if found.is_empty() {
        "it does not hold".to_owned()
    } else {
        found.join("; ")
    }
}

/// What it means that nothing broke; none where there is no such run.
fn nothing(runs: &[&Outcome]) -> Option<String> {
    if runs.is_empty() {
        return None;
    }
    let orders: u64 = runs.iter().map(|run| acknowledged(run)).sum();
    let mut loads = runs.iter().flat_map(|run| &run.loads);
    let trials = if loads.any(|load| load.breakpoint.is_some()) {
        " and of those of the other trials"
    } else {
        ""
    };
    Some(format!(
        "all promises kept, no order of {}{trials} lost or doubled, all thresholds held",
        number(orders as f64)
    ))
}
