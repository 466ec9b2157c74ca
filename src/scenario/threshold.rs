//! Thresholds such as `customers.p99_ms < 100`: what is measured of a load, and how it must compare.

use std::fmt;

use crate::load::Report;

/// What can be measured of a load.
type Measure = (&'static str, fn(&Report) -> f64);
const MEASURES: [Measure; 12] = [
    ("sent", |report| report.counts.sent as f64),
    ("acknowledged", |report| report.counts.acknowledged as f64),
    ("refused", |report| report.counts.refused as f64),
    ("unknown", |report| report.counts.unknown as f64),
    ("acknowledged_per_second", |report| report.achieved_per_second),
    ("acknowledged_share", |report| {
        share(report.counts.acknowledged, report.counts.sent)
    }),
    ("p50_ms", |report| report.latency.p50_ms),
    ("p90_ms", |report| report.latency.p90_ms),
    ("p99_ms", |report| report.latency.p99_ms),
    ("p999_ms", |report| report.latency.p999_ms),
    ("max_ms", |report| report.latency.max_ms),
    ("start_delay_p99_ms", |report| report.start_delay.p99_ms),
];

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / (whole as f64).max(1.0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Comparison {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "<" => Self::Below,
            "<=" => Self::AtMost,
            ">" => Self::Above,
            ">=" => Self::AtLeast,
            _ => return None,
        })
    }

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

/// One threshold: `LOAD.MEASURE COMPARISON NUMBER`.
#[derive(Clone)]
pub(super) struct Threshold {
    text: String,
    /// Whose load.
    pub(super) load: String,
    measure: fn(&Report) -> f64,
    comparison: Comparison,
    bound: f64,
}

impl Threshold {
    /// Reads one; says what is wrong with it.
    pub(super) fn parse(text: String) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [subject, comparison, bound] = words[..] else {
            return Err(format!(
                "{text:?} is no threshold: write it like \"customers.p99_ms < 100\""
            ));
        };
        let Some((load, name)) = subject.rsplit_once('.') else {
            return Err(format!("{subject:?} names no load: write it like customers.p99_ms"));
        };
        let Some((_, measure)) = MEASURES.iter().find(|(known, _)| *known == name) else {
            let known = MEASURES.map(|(name, _)| name).join(", ");
            return Err(format!("nothing named {name:?} is measured: choose from {known}"));
        };
        let complain = || format!("{comparison:?} is no comparison: choose from <, <=, >, >=");
        let bound = bound.parse::<f64>().ok().filter(|bound| bound.is_finite());
        Ok(Self {
            load: load.to_owned(),
            measure: *measure,
            comparison: Comparison::named(comparison).ok_or_else(complain)?,
            bound: bound.ok_or_else(|| format!("{:?} is no number", words[2]))?,
            text,
        })
    }

    /// The value that was measured, and whether it is within bounds.
    pub(super) fn judge(&self, report: &Report) -> (f64, bool) {
        let value = (self.measure)(report);
        (value, self.comparison.holds(value, self.bound))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Counts, Quantiles};

    fn threshold(text: &str) -> Result<Threshold, String> {
        Threshold::parse(text.to_owned())
    }

    #[test]
    fn a_threshold_compares_what_was_measured() {
        let report = Report {
            counts: Counts {
                sent: 4,
                acknowledged: 3,
                ..Counts::default()
            },
            latency: Quantiles {
                p99_ms: 80.0,
                ..Quantiles::default()
            },
            ..Report::default()
        };
        for (text, value, holds) in [
            ("a.p99_ms < 80", 80.0, false),
            ("a.p99_ms <= 80", 80.0, true),
            ("a.acknowledged_share > 0.75", 0.75, false),
            ("a.acknowledged_share >= 0.75", 0.75, true),
            ("a.refused < 1", 0.0, true),
        ] {
            assert_eq!(threshold(text).unwrap().judge(&report), (value, holds), "{text}");
        }
    }

    #[test]
    fn what_is_no_threshold_is_explained() {
        for (text, why) in [
            ("p99_ms < 3", "names no load"),
            ("a.p98_ms < 3", "choose from sent, acknowledged"),
            ("a.p99_ms = 3", "no comparison"),
            ("a.p99_ms < x", "no number"),
            ("a.p99_ms < inf", "no number"),
            ("a.p99_ms <3", "no threshold"),
        ] {
            let error = threshold(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
