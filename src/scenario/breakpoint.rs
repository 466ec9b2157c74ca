//! The search for the highest rate that a node sustains: trials at one rate each, doubled until one fails, then between.

use serde::{Deserialize, Serialize};

use crate::load::Report;

/// The search ends where the lowest rate that failed is so close to the highest that was sustained.
const PRECISION: f64 = 1.1;
/// Of the orders that were due, how many must be acknowledged in time.
const MIN_SHARE: f64 = 0.99;
/// What the driver itself may add to the latency, of the bound: beyond it nothing is said of the node.
const MAX_OWN_SHARE: f64 = 0.5;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    /// Of the first trial, orders a second.
    pub(super) from: f64,
    /// No trial is faster.
    pub(super) to: f64,
    /// What 99 of 100 orders must stay within.
    pub(super) p99_ms: f64,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Orders that were due a second.
    pub rate_per_second: f64,
    /// Orders that were acknowledged a second.
    pub acknowledged_per_second: f64,
    /// From due to acknowledged.
    pub p99_ms: f64,
    /// Why the rate was not sustained, if it was not.
    pub failed: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breakpoint {
    /// The highest rate that was sustained; none where not even the first was.
    pub rate_per_second: Option<f64>,
    /// In their order.
    pub trials: Vec<Trial>,
}

impl Goal {
    /// The next trial's rate; none at the end of the search.
    pub(super) fn next(&self, trials: &[Trial]) -> Option<f64> {
        let sustained = best(trials);
        let failed = trials
            .iter()
            .filter(|trial| trial.failed.is_some())
            .map(|trial| trial.rate_per_second);
        match (sustained, failed.reduce(f64::min)) {
            (None, None) => Some(self.from),
            (None, Some(_)) => None,
            (Some(sustained), None) => (sustained < self.to).then(|| (sustained * 2.0).min(self.to)),
            (Some(sustained), Some(failed)) => (failed / sustained > PRECISION).then(|| (sustained * failed).sqrt()),
        }
    }

    /// Whether a rate was sustained, where so much waits behind the node after the trial.
    pub(super) fn judge(&self, rate_per_second: f64, report: &Report, backlog: Option<String>) -> Trial {
        let due = report.counts.sent + report.not_sent;
        let share = report.counts.acknowledged as f64 / (due as f64).max(1.0);
        let (p99, own) = (report.latency.p99_ms, report.start_delay.p99_ms);
        let failed = if own > self.p99_ms * MAX_OWN_SHARE {
            Some(format!(
                "{own:.1} ms before orders were sent: no connection was free, or the driver is too slow"
            ))
        } else if share < MIN_SHARE {
            Some(format!("{:.1} % of the orders were acknowledged", share * 100.0))
        } else if p99 > self.p99_ms {
            Some(format!("p99 was {p99:.1} ms"))
        } else {
            backlog
        };
        Trial {
            rate_per_second,
            acknowledged_per_second: report.achieved_per_second,
            p99_ms: p99,
            failed,
        }
    }
}

impl Breakpoint {
    pub(super) fn of(trials: Vec<Trial>) -> Self {
        Self {
            rate_per_second: best(&trials),
            trials,
        }
    }
}

fn best(trials: &[Trial]) -> Option<f64> {
    let sustained = trials.iter().filter(|trial| trial.failed.is_none());
    sustained.map(|trial| trial.rate_per_second).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Counts, Quantiles};

    const GOAL: Goal = Goal {
        from: 100.0,
        to: 10_000.0,
        p99_ms: 100.0,
    };

    /// Searches where every rate above a limit fails.
    fn search(limit: f64) -> Breakpoint {
        let mut trials = Vec::new();
        while let Some(rate) = GOAL.next(&trials) {
            trials.push(Trial {
                rate_per_second: rate,
                acknowledged_per_second: rate,
                p99_ms: 1.0,
                failed: (rate > limit).then(|| "too fast".to_owned()),
            });
            assert!(trials.len() < 20, "{trials:?}");
        }
        Breakpoint::of(trials)
    }

    #[test]
    fn the_highest_rate_is_found_to_within_a_tenth() {
        for limit in [100.0, 101.0, 777.0, 3_200.0, 9_999.0] {
            let found = search(limit).rate_per_second.unwrap();
            assert!(found <= limit && found * 1.11 >= limit, "{limit}: {found}");
        }
        assert_eq!(search(20_000.0).rate_per_second, Some(10_000.0));
        assert_eq!(search(99.0).rate_per_second, None);
    }

    #[test]
    fn a_trial_fails_for_a_reason() {
        let report = |acknowledged, p99_ms, start_delay_ms| Report {
            counts: Counts {
                sent: 1_000,
                acknowledged,
                ..Counts::default()
            },
            latency: Quantiles {
                p99_ms,
                ..Quantiles::default()
            },
            start_delay: Quantiles {
                p99_ms: start_delay_ms,
                ..Quantiles::default()
            },
            ..Report::default()
        };
        for (report, backlog, why) in [
            (report(1_000, 99.0, 1.0), None, None),
            (report(1_000, 101.0, 1.0), None, Some("p99 was 101.0 ms")),
            (report(980, 9.0, 1.0), None, Some("98.0 % of the orders")),
            (report(1_000, 99.0, 60.0), None, Some("60.0 ms before orders were sent")),
            (
                report(1_000, 9.0, 1.0),
                Some("7 orders wait".to_owned()),
                Some("7 orders wait"),
            ),
        ] {
            let failed = GOAL.judge(100.0, &report, backlog).failed;
            match why {
                Some(why) => assert!(failed.as_ref().is_some_and(|failed| failed.contains(why)), "{failed:?}"),
                None => assert_eq!(failed, None),
            }
        }
    }
}
