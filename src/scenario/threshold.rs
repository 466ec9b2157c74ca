//! Thresholds: what must hold of a load, of those who look on, or of a process.

use std::fmt;

use super::backlog::BacklogOutcome;
use super::expression::Expression;
use super::outcome::{Check, LoadOutcome, ProcessOutcome, ViewerOutcome};

const BYTES_IN_MB: f64 = 1_000_000.0;

/// What can be measured of something, by name.
/// NaN, which no comparison takes, stands for what was not measured.
type Measures<T> = &'static [(&'static str, fn(&T) -> f64)];

const OF_LOADS: Measures<LoadOutcome> = &[
    ("sent", |load| load.report.counts.sent as f64),
    ("acknowledged", |load| load.report.counts.acknowledged as f64),
    ("refused", |load| load.report.counts.refused as f64),
    ("unknown", |load| load.report.counts.unknown as f64),
    ("acknowledged_per_second", |load| load.report.achieved_per_second),
    ("not_sent", |load| load.report.not_sent as f64),
    ("failed_requests", |load| {
        let report = &load.report;
        let answered = report.counts.acknowledged + report.repeats_confirmed;
        report.requests.saturating_sub(answered) as f64
    }),
    ("acknowledged_share", |load| {
        let due = load.report.counts.sent + load.report.not_sent;
        load.report.counts.acknowledged as f64 / (due as f64).max(1.0)
    }),
    ("p50_ms", |load| measured(load.report.latency.p50_ms)),
    ("p90_ms", |load| measured(load.report.latency.p90_ms)),
    ("p99_ms", |load| measured(load.report.latency.p99_ms)),
    ("p999_ms", |load| measured(load.report.latency.p999_ms)),
    ("max_ms", |load| measured(load.report.latency.max_ms)),
    ("start_delay_p99_ms", |load| load.report.start_delay.p99_ms),
    ("breakpoint_per_second", |load| {
        let found = load.breakpoint.as_ref().and_then(|found| found.rate_per_second);
        found.unwrap_or(f64::NAN)
    }),
];
const OF_VIEWERS: Measures<ViewerOutcome> = &[
    ("frames", |viewer| viewer.frames as f64),
    ("failures", |viewer| viewer.failures as f64),
    ("never_shown", |viewer| viewer.never_shown as f64),
    ("p50_ms", |viewer| measured(viewer.latency.p50_ms)),
    ("p99_ms", |viewer| measured(viewer.latency.p99_ms)),
    ("max_ms", |viewer| measured(viewer.latency.max_ms)),
];
const OF_PROCESSES: Measures<ProcessOutcome> = &[
    ("cpu_seconds", |process| process.cpu_seconds),
    ("peak_memory_mb", |process| {
        process.peak_memory_bytes as f64 / BYTES_IN_MB
    }),
];

const OF_BACKLOGS: Measures<BacklogOutcome> = &[
    ("orders_per_second", |backlog| {
        backlog.orders_per_second.unwrap_or(f64::NAN)
    }),
    ("first_after_seconds", |backlog| backlog.first_after_seconds),
    ("last_after_seconds", |backlog| backlog.last_after_seconds),
];

/// Nothing takes no time and no memory: a zero means that there was nothing to measure.
fn measured(value: f64) -> f64 {
    if value > 0.0 { value } else { f64::NAN }
}

/// What a name of a scenario stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Load,
    Viewer,
    Process,
    Backlog,
}

#[derive(Clone, Copy)]
enum Measure {
    Load(fn(&LoadOutcome) -> f64),
    Viewer(fn(&ViewerOutcome) -> f64),
    Process(fn(&ProcessOutcome) -> f64),
    Backlog(fn(&BacklogOutcome) -> f64),
}

/// One threshold: `NAME.MEASURE COMPARISON NUMBER`.
#[derive(Clone)]
pub(super) struct Threshold {
    expression: Expression,
    name: String,
    measure: Measure,
}

impl Threshold {
    /// Reads one, where `kind` knows the scenario's names.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn parse(text: &str, kind: impl Fn(&str) -> Option<Kind>) -> Result<Self, String> {
        let expression = Expression::parse(text)?;
        let subject = &expression.subject;
        let Some((name, measure)) = subject.rsplit_once('.') else {
            return Err(format!("{subject:?} names no load: write it like customers.p99_ms"));
        };
        let kind =
            kind(name).ok_or_else(|| format!("there is no load, subscriber, reader or process named {name:?}"))?;
        let found = match kind {
            Kind::Load => find(OF_LOADS, measure).map(Measure::Load),
            Kind::Viewer => find(OF_VIEWERS, measure).map(Measure::Viewer),
            Kind::Process => find(OF_PROCESSES, measure).map(Measure::Process),
            Kind::Backlog => find(OF_BACKLOGS, measure).map(Measure::Backlog),
        };
        Ok(Self {
            name: name.to_owned(),
            measure: found?,
            expression,
        })
    }

    /// Whether it holds. What was not measured holds nothing.
    pub(super) fn judge(
        &self,
        loads: &[LoadOutcome],
        viewers: &[ViewerOutcome],
        processes: &[ProcessOutcome],
        backlog: Option<&BacklogOutcome>,
    ) -> Check {
        let value = match self.measure {
            Measure::Load(measure) => loads.iter().find(|load| load.name == self.name).map(measure),
            Measure::Viewer(measure) => viewers.iter().find(|viewer| viewer.name == self.name).map(measure),
            Measure::Process(measure) => processes.iter().find(|process| process.name == self.name).map(measure),
            Measure::Backlog(measure) => backlog.map(measure),
        };
        let value = value.filter(|value| !value.is_nan());
        Check {
            name: self.to_string(),
            holds: value.is_some_and(|value| self.expression.holds(value)),
            found: vec![value.map_or("not measured".to_owned(), |value| format!("{value:.3}"))],
        }
    }
}

fn find<T>(known: Measures<T>, wanted: &str) -> Result<fn(&T) -> f64, String> {
    let found = known.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, measure)| *measure).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        format!(
            "nothing named {wanted:?} is measured there: choose from {}",
            names.join(", ")
        )
    })
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl fmt::Debug for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Quantiles;

    fn threshold(text: &str) -> Result<Threshold, String> {
        Threshold::parse(text, |name| match name {
            "customers" => Some(Kind::Load),
            "watchers" => Some(Kind::Viewer),
            "node" => Some(Kind::Process),
            "backlog" => Some(Kind::Backlog),
            _ => None,
        })
    }

    #[test]
    fn each_kind_has_measures_of_its_own() {
        let process = ProcessOutcome {
            name: "node".to_owned(),
            cpu_seconds: 2.5,
            peak_memory_bytes: 30_000_000,
            moments: Vec::new(),
        };
        let watchers = ViewerOutcome {
            name: "watchers".to_owned(),
            count: 1,
            frames: 0,
            failures: 3,
            never_shown: 0,
            latency: Quantiles::default(),
            moments: Vec::new(),
        };
        for (text, holds, found) in [
            ("node.peak_memory_mb <= 30", true, "30.000"),
            ("node.cpu_seconds < 2.5", false, "2.500"),
            ("watchers.p99_ms < 50", false, "not measured"),
            ("watchers.failures < 3", false, "3.000"),
            ("customers.sent > 0", false, "not measured"),
            ("backlog.orders_per_second > 0", false, "not measured"),
        ] {
            let (viewers, processes) = (std::slice::from_ref(&watchers), std::slice::from_ref(&process));
            let check = threshold(text).unwrap().judge(&[], viewers, processes, None);
            assert_eq!((check.holds, &*check.found[0]), (holds, found), "{text}");
        }
    }

    #[test]
    fn what_is_no_threshold_is_explained() {
        for (text, why) in [
            ("p99_ms < 3", "names no load"),
            ("people.p99_ms < 3", "no load, subscriber, reader or process"),
            ("customers.p98_ms < 3", "choose from sent, acknowledged"),
            ("watchers.sent < 3", "choose from frames, failures"),
        ] {
            let error = threshold(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
