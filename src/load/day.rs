//! A day of customers, shorter than a real one: who comes in which hour, and how many.

use std::time::Duration;

use super::profile::Profile;

/// Hours of a day.
pub const HOURS: usize = 24;
/// The shortest day: each hour has some milliseconds.
pub const MIN_DAY: Duration = Duration::from_millis(500);

/// A moment that is nearer to an hour's begin than this, in hours, belongs to it: sums of such lengths are not exact.
const ROUNDING: f64 = 1e-9;

/// One day that comes again and again. A rate is that of all hours together; each hour has its part of it.
#[derive(Clone, Debug)]
pub(super) struct Day {
    hour_seconds: f64,
    /// By hour: the share of each profile in the visits.
    shares: [Vec<u32>; HOURS],
    /// By hour: orders, in relation to the mean of all hours.
    busyness: [f64; HOURS],
}

impl Day {
    /// A day that lasts so long, of these profiles with their shares of all visits. None where nobody ever comes.
    pub(super) fn new(lasts: Duration, profiles: &[(Profile, u32)]) -> Option<Self> {
        let visits = |hour| {
            profiles
                .iter()
                .map(move |(profile, share)| visits(profile, *share, hour))
        };
        let lengths: Vec<_> = profiles.iter().map(|(profile, _)| mean_orders(profile)).collect();
        let orders: Vec<f64> = (0..HOURS)
            .map(|hour| visits(hour).zip(&lengths).map(|(visits, length)| visits * length).sum())
            .collect();
        let mean = orders.iter().sum::<f64>() / HOURS as f64;
        let most = (0..HOURS).flat_map(visits).fold(0.0, f64::max);
        (mean > 0.0 && !lasts.is_zero()).then(|| Self {
            hour_seconds: lasts.as_secs_f64() / HOURS as f64,
            // Scaled to whole weights; positive and at most 2^32 - 1, so the cast is exact.
            shares: std::array::from_fn(|hour| {
                visits(hour)
                    .map(|visits| (visits / most * f64::from(u32::MAX)).round() as u32)
                    .collect()
            }),
            busyness: std::array::from_fn(|hour| orders[hour] / mean),
        })
    }

    /// The share of each profile in the visits of that moment.
    pub(super) fn shares_at(&self, seconds: f64) -> &[u32] {
        &self.shares[self.hours_before(seconds) as usize % HOURS]
    }

    /// When so many more orders are due after a moment, at that rate: the inverse of the cumulative rate, by hours
    /// (Çinlar's method). Never in an hour in which nobody comes; at the end where that is earlier.
    pub(super) fn due_after(&self, seconds: f64, orders: f64, rate_per_second: f64, end: f64) -> f64 {
        let (mut due, mut left) = (seconds, orders);
        let mut hours = self.hours_before(seconds);
        while due < end {
            let rate = rate_per_second * self.busyness[hours as usize % HOURS];
            let hour_ends = (hours + 1) as f64 * self.hour_seconds;
            if rate > 0.0 && due + left / rate < hour_ends {
                return due + left / rate;
            }
            left -= rate * (hour_ends - due).max(0.0);
            left = left.max(0.0);
            (due, hours) = (hour_ends, hours + 1);
        }
        end
    }

    /// The busiest hour, in relation to the mean.
    pub(super) fn peak(&self) -> f64 {
        self.busyness.into_iter().fold(0.0, f64::max)
    }

    /// The mean until a moment, in relation to that of whole days.
    pub(super) fn mean_until(&self, seconds: f64) -> f64 {
        let hours = seconds / self.hour_seconds;
        let whole_days = (hours / HOURS as f64).floor();
        let rest = hours - whole_days * HOURS as f64;
        let part = |hour: usize| (rest - hour as f64).clamp(0.0, 1.0);
        let of_rest: f64 = (0..HOURS).map(|hour| self.busyness[hour] * part(hour)).sum();
        (whole_days * HOURS as f64 + of_rest) / hours
    }

    /// Whole hours before a moment.
    fn hours_before(&self, seconds: f64) -> u64 {
        (seconds / self.hour_seconds + ROUNDING) as u64
    }
}

/// Visits of an hour, where a profile with share one has one in the mean hour.
fn visits(profile: &Profile, share: u32, hour: usize) -> f64 {
    let share = f64::from(share);
    match profile.hour_weights {
        None => share,
        Some(weights) => {
            let all: f64 = weights.into_iter().map(f64::from).sum();
            if all == 0.0 {
                0.0
            } else {
                share * f64::from(weights[hour]) * HOURS as f64 / all
            }
        }
    }
}

fn mean_orders(profile: &Profile) -> f64 {
    let (fewest, most) = profile.orders_per_visit;
    f64::from(fewest + most.max(fewest)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::super::known::{PROFILES, profile_named};
    use super::*;

    fn only(hours: std::ops::Range<usize>) -> Profile {
        Profile {
            hour_weights: Some(std::array::from_fn(|hour| u32::from(hours.contains(&hour)))),
            ..profile_named("commuter").unwrap()
        }
    }

    #[test]
    fn all_orders_of_a_day_are_due_in_it() {
        let profiles: Vec<_> = PROFILES.into_iter().map(|profile| (profile, 1)).collect();
        let day = Day::new(Duration::from_secs(48), &profiles).unwrap();
        let mean = day.busyness.iter().sum::<f64>() / HOURS as f64;
        assert!((mean - 1.0).abs() < 1e-9);
        // 48 seconds at 10 a second on average.
        let due = day.due_after(0.0, 480.0 - 1e-6, 10.0, 1_000.0);
        assert!((40.0..=48.0).contains(&due), "{due}");
        assert!(day.due_after(due, 1.0, 10.0, 1_000.0) > 48.0);
        for (seconds, whole) in [(48.0, 1.0), (96.0, 1.0)] {
            assert!((day.mean_until(seconds) - whole).abs() < 1e-9, "{seconds}");
        }
        assert!(day.mean_until(8.0) < 0.05 && day.peak() > 2.0);
    }

    #[test]
    fn nobody_is_due_in_an_hour_in_which_nobody_comes() {
        let day = Day::new(Duration::from_secs(24), &[(only(6..8), 1)]).unwrap();
        assert_eq!(day.peak(), 12.0);
        for (from, orders, due) in [
            (0.0, 0.0, 6.0),
            (0.0, 12.0, 7.0),
            (7.5, 3.0, 7.75),
            // Half an hour is left of the first day, and the rest comes on the second one.
            (7.5, 12.0, 30.5),
        ] {
            let found = day.due_after(from, orders, 1.0, 1_000.0);
            assert!((found - due).abs() < 1e-9, "{orders} after {from}: {found}");
        }
        assert_eq!(day.due_after(8.0, 1.0, 1.0, 20.0), 20.0);
        assert!(Day::new(Duration::from_secs(24), &[(only(0..0), 1)]).is_none());
    }

    #[test]
    fn shares_follow_the_hours_and_keep_their_part_of_all_visits() {
        let always = Profile {
            hour_weights: None,
            ..profile_named("regular").unwrap()
        };
        let day = Day::new(Duration::from_secs(24), &[(only(6..12), 1), (always, 3)]).unwrap();
        // Four times its share in a quarter of the day.
        let ratio = |hour: f64| {
            day.shares_at(hour)
                .iter()
                .map(|share| f64::from(*share))
                .collect::<Vec<_>>()
        };
        let (morning, evening) = (ratio(6.5), ratio(20.5));
        assert!((morning[0] / morning[1] - 4.0 / 3.0).abs() < 1e-6, "{morning:?}");
        assert_eq!(evening[0], 0.0);
        assert!(evening[1] > 0.0);
    }
}
