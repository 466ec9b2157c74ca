//! Two outcomes side by side, and what keeps them from being compared.

use serde::Serialize;

use super::charts::MEBIBYTE;
use super::table::{cpu_per_thousand, shown, times};
use super::text::measured;
use crate::load::Quantiles;
use crate::scenario::BacklogOutcome;
use crate::scenario::outcome::{LoadOutcome, Outcome, ProcessOutcome, Verdict, ViewerOutcome};

/// Lengths and rates that differ by less than this share are alike.
const ALIKE: f64 = 0.1;

/// A against B.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What followed, in words, from A and from B.
    pub verdicts: [&'static str; 2],
    /// What was measured of either.
    pub rows: Vec<Row>,
    /// Why the numbers may not mean what they seem to.
    pub warnings: Vec<String>,
}

/// One measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Such as `load customers`.
    pub subject: String,
    /// With its unit.
    pub measure: &'static str,
    /// None where it was not measured.
    pub a: Option<f64>,
    /// The same.
    pub b: Option<f64>,
    /// B by A; none where one is missing, or A is zero.
    pub ratio: Option<f64>,
}

/// What is measured of a subject, always the same of one kind, where it was measured.
type Measures = Vec<(&'static str, Option<f64>)>;

impl Comparison {
    /// Compares subjects that have the same name.
    #[must_use]
    pub fn of(a: &Outcome, b: &Outcome) -> Self {
        let both = [a, b];
        let loads = both.map(|outcome| named(&outcome.loads, |load| (&load.name, of_load(load))));
        let viewers = both.map(|outcome| named(&outcome.viewers, |those| (&those.name, of_viewers(those))));
        let processes = both.map(|outcome| {
            let measures = |process: &ProcessOutcome| of_process(outcome, process);
            named(&outcome.processes, |process| (&process.name, measures(process)))
        });
        let subject = "backlog".to_owned();
        let backlogs = both.map(|outcome| {
            let backlogs = outcome.backlog.iter().map(|backlog| (&subject, of_backlog(backlog)));
            backlogs.collect()
        });
        let rows = [
            ("topic", &backlogs),
            ("load", &loads),
            ("viewers", &viewers),
            ("process", &processes),
        ];
        Self {
            verdicts: both.map(|outcome| outcome.verdict.words()),
            rows: rows
                .into_iter()
                .flat_map(|(kind, [a, b])| rows_of(kind, a, b))
                .collect(),
            warnings: warnings(a, b),
        }
    }
}

impl Row {
    /// Its cells for people: subject, measure, A, B, B by A.
    #[must_use]
    pub fn cells(&self) -> [String; 5] {
        let ratio = self.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        [
            self.subject.clone(),
            self.measure.to_owned(),
            shown(self.a),
            shown(self.b),
            ratio,
        ]
    }
}

fn named<T>(all: &[T], parts: impl Fn(&T) -> (&String, Measures)) -> Vec<(&String, Measures)> {
    all.iter().map(parts).collect()
}

/// In the order of A; what only B has comes last.
fn rows_of(kind: &str, a: &[(&String, Measures)], b: &[(&String, Measures)]) -> Vec<Row> {
    let of = |all: &[(&String, Measures)], name: &str| {
        let found = all.iter().find(|(known, _)| *known == name);
        found.map(|(_, measures)| measures.clone()).unwrap_or_default()
    };
    let only_b = b.iter().filter(|(name, _)| !a.iter().any(|(known, _)| known == name));
    let rows = a.iter().chain(only_b).flat_map(|(name, measures)| {
        let (a, b) = (of(a, name), of(b, name));
        let value = |all: &Measures, place: usize| all.get(place).and_then(|(_, value)| *value);
        let row = |(place, (measure, _)): (usize, &(&'static str, Option<f64>))| {
            row(format!("{kind} {name}"), measure, value(&a, place), value(&b, place))
        };
        measures.iter().enumerate().map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

fn row(subject: String, measure: &'static str, a: Option<f64>, b: Option<f64>) -> Row {
    let ratio = a.zip(b).filter(|(a, _)| *a > 0.0).map(|(a, b)| b / a);
    Row {
        subject,
        measure,
        a,
        b,
        ratio,
    }
}

fn of_times(latency: &Quantiles) -> impl Iterator<Item = (&'static str, Option<f64>)> + use<> {
    ["p50 ms", "p99 ms", "max ms"].into_iter().zip(times(latency))
}

fn of_load(load: &LoadOutcome) -> Measures {
    let counts = load.report.counts;
    let counted = [
        ("acknowledged", Some(counts.acknowledged as f64)),
        ("acknowledged/s", Some(load.report.achieved_per_second)),
        ("refused", Some(counts.refused as f64)),
    ];
    counted.into_iter().chain(of_times(&load.report.latency)).collect()
}

fn of_backlog(backlog: &BacklogOutcome) -> Measures {
    vec![
        ("orders/s", backlog.orders_per_second),
        ("first after s", Some(backlog.first_after_seconds)),
        ("last after s", Some(backlog.last_after_seconds)),
        (
            "CPU s per million orders",
            Some(backlog.cpu_seconds_per_million(|_| true)),
        ),
    ]
}

fn of_viewers(viewers: &ViewerOutcome) -> Measures {
    of_times(&viewers.latency).collect()
}

fn of_process(outcome: &Outcome, process: &ProcessOutcome) -> Measures {
    vec![
        ("CPU s per 1,000 acknowledged", cpu_per_thousand(outcome, process)),
        ("peak memory MiB", Some(process.peak_memory_bytes as f64 / MEBIBYTE)),
    ]
}

fn warnings(a: &Outcome, b: &Outcome) -> Vec<String> {
    let differ = |what: &str, a: String, b: String| (a != b).then(|| format!("{what}: {a} in A, {b} in B"));
    let mut warnings = Vec::new();
    warnings.extend(differ("not the same scenario", a.scenario.clone(), b.scenario.clone()));
    let machine = |outcome: &Outcome| {
        let machine = &outcome.machine;
        let gibibytes = machine.memory_bytes as f64 / (1_024.0 * MEBIBYTE);
        format!(
            "{} × {}, {gibibytes:.0} GiB, kernel {}",
            machine.cores, machine.cpu, machine.kernel
        )
    };
    warnings.extend(differ("not the same machine", machine(a), machine(b)));
    warnings.extend(differ(
        "not the same customers: the seed is",
        a.seed.to_string(),
        b.seed.to_string(),
    ));
    let engine = |outcome: &Outcome| outcome.engine.clone().unwrap_or_else(|| "actors".to_owned());
    warnings.extend(differ("not the same engine", engine(a), engine(b)));
    let records = |outcome: &Outcome| {
        outcome
            .backlog
            .as_ref()
            .map_or(0, |backlog| backlog.records)
            .to_string()
    };
    warnings.extend(differ("not as many records in the backlog", records(a), records(b)));
    for (side, outcome) in [("A", a), ("B", b)] {
        if outcome.verdict == Verdict::Vacuous {
            warnings.push(format!("{side} proves nothing: it was vacuous"));
        }
    }
    let faults = |outcome: &Outcome| outcome.faults.len().to_string();
    warnings.extend(differ("not as many faults", faults(a), faults(b)));
    for load in &a.loads {
        if let Some(other) = b.loads.iter().find(|other| other.name == load.name) {
            warnings.extend(of_pair(load, other));
        }
    }
    for (side, outcome, other) in [("A", a, b), ("B", b, a)] {
        let lonely = outcome
            .loads
            .iter()
            .filter(|load| !other.loads.iter().any(|known| known.name == load.name));
        warnings.extend(lonely.map(|load| format!("only {side} has a load {}", load.name)));
    }
    warnings
}

/// Loads of one name that did not ask the same of the node: other times, as with `--shorten`, or other rates.
fn of_pair(a: &LoadOutcome, b: &LoadOutcome) -> Vec<String> {
    let facts = [
        ("started at s", Some(a.started_at_seconds), Some(b.started_at_seconds)),
        (
            "ran for s",
            Some(a.report.elapsed_seconds),
            Some(b.report.elapsed_seconds),
        ),
        (
            "was asked for orders/s",
            a.report.asked_per_second,
            b.report.asked_per_second,
        ),
    ];
    let alike = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= ALIKE * a.max(b),
        (a, b) => a == b,
    };
    let shown = |value: Option<f64>| value.map_or("none".to_owned(), measured);
    let different = facts.into_iter().filter(|(_, a, b)| !alike(*a, *b));
    let said = different
        .map(|(fact, left, right)| format!("load {} {fact}: {} in A, {} in B", a.name, shown(left), shown(right)));
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::report::example;

    fn found<'a>(comparison: &'a Comparison, subject: &str, measure: &str) -> &'a Row {
        let mut rows = comparison.rows.iter();
        rows.find(|row| row.subject == subject && row.measure == measure)
            .unwrap()
    }

    #[test]
    fn ratios_are_of_b_by_a() {
        let (a, mut b) = (example::broken(), example::broken());
        b.verdict = Verdict::Passed;
        b.loads[0].report.counts.acknowledged = 6_000;
        b.loads[0].report.latency = example::quantiles(3.0);
        b.viewers[0].latency = example::quantiles(42.0);
        b.processes[0].peak_memory_bytes *= 4;
        let comparison = Comparison::of(&a, &b);
        assert_eq!(comparison.verdicts, ["a promise was broken", "passed"]);
        assert_eq!(comparison.warnings, Vec::<String>::new());
        for (subject, measure, ratio) in [
            ("load customers", "acknowledged", 0.5),
            ("load customers", "acknowledged/s", 1.0),
            ("load customers", "refused", 1.0),
            ("load customers", "p50 ms", 2.0),
            ("load customers", "p99 ms", 2.0),
            ("load customers", "max ms", 2.0),
            ("viewers sockets", "p99 ms", 2.0),
            ("process node", "CPU s per 1,000 acknowledged", 2.0),
            ("process node", "peak memory MiB", 4.0),
        ] {
            let row = found(&comparison, subject, measure);
            assert_eq!(row.ratio, Some(ratio), "{row:?}");
        }
        let cells = found(&comparison, "load customers", "p50 ms").cells();
        assert_eq!(cells[2..], ["1.5", "3", "2.00"]);
        assert_eq!(
            found(&comparison, "process node", "CPU s per 1,000 acknowledged").a,
            Some(0.35)
        );
    }

    #[test]
    fn what_was_not_measured_has_no_ratio() {
        let (mut a, mut b) = (example::broken(), example::broken());
        a.loads[0].report.counts.refused = 0;
        b.loads[0].report.counts.acknowledged = 0;
        b.loads[0].report.latency = Quantiles::default();
        b.viewers[0].name = "others".to_owned();
        let comparison = Comparison::of(&a, &b);
        for (subject, measure, a, b) in [
            ("load customers", "refused", Some(0.0), Some(10.0)),
            ("load customers", "p99 ms", Some(12.0), None),
            ("viewers sockets", "p50 ms", Some(21.0), None),
            ("viewers others", "p50 ms", None, Some(21.0)),
            ("process node", "CPU s per 1,000 acknowledged", Some(0.35), None),
        ] {
            let row = found(&comparison, subject, measure);
            assert_eq!((row.a, row.b, row.ratio), (a, b, None), "{row:?}");
            assert_eq!(row.cells()[4], "–");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_warned_of() {
        let (a, mut b) = (example::broken(), example::broken());
        b.scenario = "other".to_owned();
        b.machine.cores = 8;
        b.seed = 8;
        b.verdict = Verdict::Vacuous;
        b.faults.pop();
        b.loads.push(b.loads[0].clone());
        b.loads[1].name = "more".to_owned();
        b.loads[0].report.elapsed_seconds = 2.0;
        b.loads[0].report.asked_per_second = None;
        let warnings = warnings(&a, &b);
        for (warning, expected) in warnings.iter().zip([
            "not the same scenario: kill & <b> in A, other in B",
            "not the same machine: 2 × ",
            "not the same customers: the seed is: 7 in A, 8 in B",
            "B proves nothing",
            "not as many faults: 3 in A, 2 in B",
            "load customers ran for s: 20 in A, 2 in B",
            "load customers was asked for orders/s: 600 in A, none in B",
            "only B has a load more",
        ]) {
            assert!(warning.starts_with(expected), "{warning} is not {expected}");
        }
        assert_eq!(warnings.len(), 8, "{warnings:?}");
    }
}
