//! What a load run is asked to do, and which wishes make no sense.

use std::time::Duration;

use coffee_rt_actors::domain::Menu;
use url::Url;

use super::day::{Day, MIN_DAY};
use super::known::PROFILES;
use super::pace::{Arrivals, Pace};
use super::profile::{MAX_WEIGHT, Profile};
use crate::config::Version;

/// Connections of a run, unless told otherwise.
pub const DEFAULT_CONNECTIONS: usize = 128;
/// The most connections, and so the most orders in flight. When all are busy, orders wait and their latency shows it.
pub const MAX_CONNECTIONS: usize = 8_192;
/// The highest rate a run may ask for.
pub const MAX_RATE_PER_SECOND: f64 = 200_000.0;
/// The most orders of one run: the ledger remembers each, about 100 bytes.
pub const MAX_ORDERS: u64 = 8_000_000;
/// How long one attempt may take: longer than the node's own deadline of 10 s, so that the node's word counts.
pub const DEFAULT_TIMEOUT_MILLIS: u64 = 12_000;
/// The most profiles in one run.
pub const MAX_PROFILES: usize = 16;
/// The highest share of one profile.
const MAX_SHARE: u32 = MAX_WEIGHT;

/// What is done about orders that got no acknowledgement. Each repeat carries the order's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts for one order, the first included.
    pub max_attempts: u32,
    /// No repeat starts later than this after the first attempt.
    pub deadline: Duration,
    /// Wait before the first repeat; doubles with each.
    pub first_backoff: Duration,
    /// The longest wait between attempts, also where the node asks for more by `Retry-After`.
    pub max_backoff: Duration,
    /// Whether an answer of 503 is repeated too; other refusals never are.
    pub repeat_refused: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 20,
            deadline: Duration::from_secs(15),
            first_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_secs(1),
            repeat_refused: false,
        }
    }
}

/// What a run is asked to do. Start from [`Options::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node, such as `http://127.0.0.1:8005`.
    pub url: Url,
    /// Further nodes: each request goes to the next one that says at `/readyz` that it is ready, as behind a balancer.
    pub more_urls: Vec<Url>,
    /// Which API is called.
    pub version: Version,
    /// When orders are sent.
    pub pace: Pace,
    /// Orders are due for this long; orders under way are still finished.
    pub duration: Option<Duration>,
    /// This many distinct orders are sent at most.
    pub count: Option<u64>,
    /// Customers, each with one order in flight, on a connection of its own to each node: 1 to [`MAX_CONNECTIONS`].
    pub connections: usize,
    /// How long a customer waits between an answer and the next order; only with [`Pace::Closed`].
    pub think_time: Duration,
    /// How long one attempt may take before its outcome counts as unknown.
    pub timeout: Duration,
    /// How long orders that were due in time may still wait for a connection at the end of the run.
    pub drain: Duration,
    /// Decides who orders what and when; message ids are always new.
    pub seed: u64,
    /// What is done about orders that got no acknowledgement.
    pub retry: RetryPolicy,
    /// Who orders, and the share of each in all visits.
    pub profiles: Vec<(Profile, u32)>,
    /// How long a day lasts, from midnight on: profiles come in their hours, and a rate is the mean of a day.
    pub day: Option<Duration>,
    /// What can be ordered and where.
    pub menu: Menu,
    /// Whether it is kept when each order was acknowledged: 32 bytes an order.
    pub keep_moments: bool,
}

/// A wish that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionsError(pub String);

impl Options {
    /// One hundred orders a second to v1, evenly, by all profiles, without an end: set `duration` or `count`.
    #[must_use]
    pub fn new(url: Url) -> Self {
        let timeout = Duration::from_millis(DEFAULT_TIMEOUT_MILLIS);
        Self {
            url,
            more_urls: Vec::new(),
            version: Version::V1,
            pace: Pace::Open {
                rate_per_second: 100.0,
                arrivals: Arrivals::Constant,
            },
            duration: None,
            count: None,
            connections: DEFAULT_CONNECTIONS,
            think_time: Duration::ZERO,
            timeout,
            drain: timeout,
            seed: 1,
            retry: RetryPolicy::default(),
            profiles: PROFILES.into_iter().zip([5, 3, 1, 1]).collect(),
            day: None,
            menu: Menu::default(),
            keep_moments: false,
        }
    }

    /// Changes how many distinct orders are due each second, where that does not depend on answers.
    pub fn set_rate(&mut self, rate: f64) {
        if let Pace::Open { rate_per_second, .. } = &mut self.pace {
            *rate_per_second = rate;
        }
    }

    pub(super) fn day(&self) -> Option<Day> {
        self.day.and_then(|lasts| Day::new(lasts, &self.profiles))
    }

    /// Orders each second on average; none where the node's answers decide.
    pub(crate) fn asked_per_second(&self) -> Option<f64> {
        let rate = self.pace.mean_rate()?;
        let part = |(day, duration): (Day, Duration)| day.mean_until(duration.as_secs_f64());
        Some(rate * self.day().zip(self.duration).map_or(1.0, part))
    }

    /// Orders of the whole run by its rate and duration; none where one of them is not known.
    pub(crate) fn expected_orders(&self) -> Option<f64> {
        Some(self.asked_per_second()? * self.duration?.as_secs_f64())
    }

    /// Checks that the run has an end, fits the ledger and can be done.
    ///
    /// # Errors
    /// Says what makes no sense.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let complain = |reason: String| Err(OptionsError(reason));
        self.menu.validate().map_err(|error| OptionsError(error.to_string()))?;
        if self.duration.is_none() && self.count.is_none() {
            return complain("a run needs an end: a duration, a count or both".to_owned());
        }
        if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            return complain(format!(
                "connections must be between 1 and {MAX_CONNECTIONS}, not {}",
                self.connections
            ));
        }
        if self.timeout.is_zero() || self.retry.max_attempts == 0 {
            return complain("the timeout and the number of attempts must be above zero".to_owned());
        }
        let shares = self.profiles.iter().map(|(_, share)| *share);
        if self.profiles.len() > MAX_PROFILES || shares.clone().any(|s| s > MAX_SHARE) || shares.sum::<u32>() == 0 {
            return complain(format!(
                "a run needs 1 to {MAX_PROFILES} profiles with shares up to {MAX_SHARE}, one of them above zero"
            ));
        }
        if matches!(self.pace, Pace::Ramp { .. }) && self.duration.is_none() {
            return complain("a rate that changes needs a duration in which it does".to_owned());
        }
        self.validate_day()?;
        if self.pace.mean_rate().is_some() {
            let peak = self.day().map_or(1.0, |day| day.peak());
            let ends = [0.0, 1.0].map(|share| self.pace.rate_at(share).unwrap_or_default());
            if !ends
                .iter()
                .all(|rate| *rate > 0.0 && *rate * peak <= MAX_RATE_PER_SECOND)
            {
                return complain(format!(
                    "the rate must be above 0 and at most {MAX_RATE_PER_SECOND} orders a second, in the busiest hour too"
                ));
            }
            let orders = self
                .expected_orders()
                .unwrap_or(f64::MAX)
                .min(self.count.map_or(f64::MAX, |count| count as f64));
            if orders > MAX_ORDERS as f64 {
                return complain(format!(
                    "{orders:.0} orders are more than the ledger keeps ({MAX_ORDERS}): shorten the run or lower the rate"
                ));
            }
        }
        Ok(())
    }

    fn validate_day(&self) -> Result<(), OptionsError> {
        let complain = |reason: String| Err(OptionsError(reason));
        match self.day {
            None => Ok(()),
            Some(_) if self.pace == Pace::Closed => {
                complain("customers without a rate come when they are answered: a day needs a rate".to_owned())
            }
            Some(lasts) if lasts < MIN_DAY => complain(format!("a day must last {MIN_DAY:?} at least, not {lasts:?}")),
            Some(_) if self.day().is_none() => complain("no profile has an hour in which it comes".to_owned()),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_wishes_are_refused() {
        let sound = Options {
            count: Some(10),
            ..Options::new(Url::parse("http://127.0.0.1:8005").unwrap())
        };
        assert_eq!(sound.validate(), Ok(()));
        let rate = |rate_per_second| Pace::Open {
            rate_per_second,
            arrivals: Arrivals::Constant,
        };
        for (wrong, why) in [
            (
                Options {
                    count: None,
                    ..sound.clone()
                },
                "needs an end",
            ),
            (
                Options {
                    connections: 0,
                    ..sound.clone()
                },
                "connections",
            ),
            (
                Options {
                    pace: rate(0.0),
                    ..sound.clone()
                },
                "rate",
            ),
            (
                Options {
                    pace: rate(f64::NAN),
                    ..sound.clone()
                },
                "rate",
            ),
            (
                Options {
                    pace: rate(1e9),
                    ..sound.clone()
                },
                "rate",
            ),
            (
                Options {
                    profiles: vec![(PROFILES[0].clone(), 0)],
                    ..sound.clone()
                },
                "profiles",
            ),
            (
                Options {
                    count: Some(MAX_ORDERS + 1),
                    ..sound.clone()
                },
                "ledger",
            ),
            (
                Options {
                    day: Some(Duration::from_secs(60)),
                    pace: Pace::Closed,
                    ..sound.clone()
                },
                "needs a rate",
            ),
            (
                Options {
                    day: Some(Duration::from_secs(60)),
                    pace: rate(MAX_RATE_PER_SECOND),
                    ..sound.clone()
                },
                "busiest hour",
            ),
            (
                Options {
                    day: Some(Duration::from_millis(1)),
                    ..sound.clone()
                },
                "a day must last",
            ),
            (
                Options {
                    timeout: Duration::ZERO,
                    ..sound
                },
                "timeout",
            ),
        ] {
            let complaint = wrong.validate().unwrap_err().to_string();
            assert!(complaint.contains(why), "{complaint}");
        }
    }

    #[test]
    fn versions_have_numbers() {
        assert_eq!(
            [0, 1, 3, 4].map(Version::of_number),
            [None, Some(Version::V1), Some(Version::V3), None]
        );
    }
}
