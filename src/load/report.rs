//! What a run showed, in numbers: while it runs and at its end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use coffee_rt_actors::domain::Cents;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::flat;
use super::ledger::{Counts, Ledger};
use super::options::Options;

/// The longest time that is told apart; longer ones count as this.
const MAX_RECORDED_MICROS: u64 = 600_000_000;
/// Times are kept to this many digits.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Times in milliseconds that this share of orders stayed within.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// All but one of a hundred.
    pub p99_ms: f64,
    /// All but one of a thousand.
    pub p999_ms: f64,
    /// All.
    pub max_ms: f64,
}

/// Refusals with one status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// How many answers.
    pub answers: u64,
    /// How many of them did not say when to come again.
    pub without_retry_after: u64,
    /// What the first of them said.
    pub detail: String,
}

/// What became of one profile's orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileReport {
    /// The profile.
    pub name: Cow<'static, str>,
    /// Its orders.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A run under way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Since the first order was due.
    pub elapsed_seconds: f64,
    /// Orders so far.
    #[serde(flatten)]
    pub counts: Counts,
    /// Orders with a customer now.
    pub in_flight: u64,
    /// Orders that are due and wait for a customer.
    pub waiting: u64,
    /// Answers so far that refused an order for now.
    pub refusals: u64,
    /// Promises broken so far.
    pub broken_promises: u64,
    /// From due to acknowledged, of the whole run.
    pub latency: Quantiles,
}

/// What happened since the last lap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lap {
    /// How long that is.
    pub seconds: f64,
    /// Orders that were acknowledged.
    pub acknowledged: u64,
    /// Answers that refused an order for now.
    pub refusals: u64,
    /// From due to acknowledged, of those orders.
    pub latency: Quantiles,
}

/// A run that ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `v1`, `v2` or `v3`.
    pub version: String,
    /// Repeats the same customers and moments.
    pub seed: u64,
    /// The rate asked for; none where customers went back to back.
    pub asked_per_second: Option<f64>,
    /// Acknowledged orders by elapsed time.
    pub achieved_per_second: f64,
    /// From the first order to the last answer.
    pub elapsed_seconds: f64,
    /// Distinct orders.
    #[serde(flatten)]
    pub counts: Counts,
    /// Orders that were due but found no customer before the end.
    pub not_sent: u64,
    /// Requests that ended, repeats included.
    pub requests: u64,
    /// Repeats of acknowledged orders that got the same answer.
    pub repeats_confirmed: u64,
    /// What the acknowledged orders cost together.
    #[serde(deserialize_with = "flat::cents")]
    pub acknowledged_amount: Cents,
    /// From due to acknowledged.
    pub latency: Quantiles,
    /// From due to sent: what the driver itself, or a lack of connections, added to the latency.
    pub start_delay: Quantiles,
    /// From sent to refused, without the customer's own pause.
    pub refusal: Quantiles,
    /// By status.
    #[serde(deserialize_with = "flat::by_status")]
    pub refused_by_status: BTreeMap<u16, Refusals>,
    /// Why the last attempt without an answer had none.
    pub last_unknown: Option<String>,
    /// By profile.
    pub profiles: Vec<ProfileReport>,
    /// How many promises the node broke.
    pub broken_promises: u64,
    /// The first of them in words.
    pub broken: Vec<String>,
}

/// Durations of one kind.
#[derive(Debug)]
pub(crate) struct Timings(Histogram<u64>);

impl Timings {
    pub(crate) fn new() -> Self {
        let times = Histogram::new_with_bounds(1, MAX_RECORDED_MICROS, SIGNIFICANT_DIGITS);
        Self(times.expect("the bounds are constants that a histogram takes"))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.max(1));
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let millis = |micros: u64| micros as f64 / 1_000.0;
        let at = |quantile: f64| millis(self.0.value_at_quantile(quantile));
        Quantiles {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: millis(self.0.max()),
        }
    }
}

/// Everything a run writes down.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) ledger: Ledger,
    pub(super) latency: Timings,
    pub(super) start_delay: Timings,
    pub(super) refusal: Timings,
    /// When each order was acknowledged, where somebody wants to know.
    pub(super) moments: Option<Vec<(Uuid, Instant)>>,
    lap: LapBooks,
}

/// What was written down since the last lap.
#[derive(Debug)]
struct LapBooks {
    since: Instant,
    latency: Timings,
    refusals_before: u64,
}

impl Books {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            ledger: Ledger::new(options.menu.clone()),
            latency: Timings::new(),
            start_delay: Timings::new(),
            refusal: Timings::new(),
            moments: options.keep_moments.then(Vec::new),
            lap: LapBooks {
                since: Instant::now(),
                latency: Timings::new(),
                refusals_before: 0,
            },
        }
    }

    /// Notes the first acknowledgement of an order.
    pub(super) fn acknowledged(&mut self, message_id: Uuid, waited: Duration) {
        if let Some(moments) = &mut self.moments {
            moments.push((message_id, Instant::now()));
        }
        self.latency.record(waited);
        self.lap.latency.record(waited);
    }

    /// Answers so far that refused an order.
    pub(super) fn refusals(&self) -> u64 {
        let refusals = self.ledger.refusals().values();
        refusals.map(|refusals| refusals.answers).sum()
    }

    /// Ends a lap, and begins the next.
    pub(super) fn lap(&mut self) -> Lap {
        let (now, refusals) = (Instant::now(), self.refusals());
        let lap = Lap {
            seconds: (now - self.lap.since).as_secs_f64(),
            acknowledged: self.lap.latency.0.len(),
            refusals: refusals - self.lap.refusals_before,
            latency: self.lap.latency.quantiles(),
        };
        self.lap.latency.0.reset();
        (self.lap.since, self.lap.refusals_before) = (now, refusals);
        lap
    }

    pub(super) fn report(&self, options: &Options, elapsed: Duration, not_sent: u64) -> Report {
        let (ledger, counts) = (&self.ledger, self.ledger.counts());
        let elapsed_seconds = elapsed.as_secs_f64();
        Report {
            version: options.version.to_string(),
            seed: options.seed,
            asked_per_second: options.asked_per_second(),
            achieved_per_second: counts.acknowledged as f64 / elapsed_seconds.max(f64::EPSILON),
            elapsed_seconds,
            counts,
            not_sent,
            requests: ledger.requests(),
            repeats_confirmed: ledger.repeats_confirmed(),
            acknowledged_amount: ledger.acknowledged_amount(),
            latency: self.latency.quantiles(),
            start_delay: self.start_delay.quantiles(),
            refusal: self.refusal.quantiles(),
            refused_by_status: ledger.refusals().clone(),
            last_unknown: ledger.last_unknown().map(str::to_owned),
            profiles: options
                .profiles
                .iter()
                .enumerate()
                .map(|(place, (profile, _))| ProfileReport {
                    name: profile.name.clone(),
                    counts: ledger.counts_of(place),
                })
                .collect(),
            broken_promises: ledger.broken_total(),
            broken: ledger.broken().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut timings = Timings::new();
        assert_eq!(timings.quantiles(), Quantiles::default());
        for millis in 1..=1000 {
            timings.record(Duration::from_millis(millis));
        }
        let quantiles = timings.quantiles();
        assert!(
            (quantiles.p50_ms - 500.0).abs() < 1.0 && (quantiles.p999_ms - 999.0).abs() < 1.0,
            "{quantiles:?}"
        );
        timings.record(Duration::from_secs(86_400));
        assert!(timings.quantiles().max_ms >= 600_000.0);
    }
}
