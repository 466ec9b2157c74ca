//! When which order is due: a pure sequence, the same for the same seed.

use std::collections::VecDeque;
use std::time::Duration;

use coffee_rt_actors::domain::Menu;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::day::Day;
use super::options::{MAX_ORDERS, Options};
use super::pace::{Arrivals, Pace};
use super::profile::{Profile, Purchase, pick, visit};

/// One order and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// From the start of the run; zero where the pace is closed.
    pub due: Duration,
    /// What is ordered.
    pub purchase: Purchase,
}

/// The sequence of a run's orders, ended by its duration or count. All orders of one visit are due at one moment; the
/// time until the next visit keeps the rate.
#[derive(Debug)]
pub struct Plan {
    pace: Pace,
    day: Option<Day>,
    duration: Duration,
    orders_left: u64,
    profiles: Vec<Profile>,
    shares: Vec<u32>,
    menu: Menu,
    rng: StdRng,
    due_seconds: f64,
    /// Orders that are due until the next visit, at the rate of then.
    until_next_visit: f64,
    visit: VecDeque<Purchase>,
}

impl Plan {
    /// The plan of a run.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let (profiles, shares) = options.profiles.iter().cloned().unzip();
        Self {
            pace: options.pace,
            day: options.day(),
            duration: options.duration.unwrap_or(Duration::MAX),
            orders_left: options.count.unwrap_or(MAX_ORDERS).min(MAX_ORDERS),
            profiles,
            shares,
            menu: options.menu.clone(),
            rng: StdRng::seed_from_u64(options.seed),
            due_seconds: 0.0,
            until_next_visit: 0.0,
            visit: VecDeque::new(),
        }
    }

    fn next_visit(&mut self) {
        self.due_seconds = self.next_due();
        let shares = self
            .day
            .as_ref()
            .map_or(&*self.shares, |day| day.shares_at(self.due_seconds));
        let index = pick(shares, self.profiles.len(), &mut self.rng);
        self.visit = visit(index, &self.profiles[usize::from(index)], &self.menu, &mut self.rng).into();
        let stretch = match self.pace.arrivals() {
            Some(Arrivals::Constant) => 1.0,
            // 1 - [0, 1) is never zero, so the logarithm is finite.
            Some(Arrivals::Exponential) => -(1.0 - self.rng.random::<f64>()).ln(),
            None => return,
        };
        self.until_next_visit = stretch * self.visit.len() as f64;
    }

    fn next_due(&self) -> f64 {
        let end = self.duration.as_secs_f64();
        let Some(rate) = self.pace.rate_at(self.due_seconds / end) else {
            return 0.0;
        };
        match &self.day {
            Some(day) => day.due_after(self.due_seconds, self.until_next_visit, rate, end),
            None => self.due_seconds + self.until_next_visit / rate,
        }
    }
}

impl Iterator for Plan {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if self.orders_left == 0 {
            return None;
        }
        if self.visit.is_empty() {
            self.next_visit();
        }
        let due = Duration::try_from_secs_f64(self.due_seconds).ok()?;
        if due >= self.duration {
            self.orders_left = 0;
            return None;
        }
        self.orders_left -= 1;
        Some(Arrival {
            due,
            purchase: self.visit.pop_front()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::profile_named;
    use super::*;
    use url::Url;

    fn options(arrivals: Arrivals, profile: &str) -> Options {
        Options {
            pace: Pace::Open {
                rate_per_second: 1_000.0,
                arrivals,
            },
            duration: Some(Duration::from_secs(20)),
            profiles: vec![(profile_named(profile).unwrap(), 1)],
            ..Options::new(Url::parse("http://127.0.0.1:1").unwrap())
        }
    }

    #[test]
    fn a_seed_decides_everything() {
        let options = options(Arrivals::Exponential, "tourist");
        let other = Options {
            seed: 2,
            ..options.clone()
        };
        let plan: Vec<_> = Plan::new(&options).collect();
        assert_eq!(plan, Plan::new(&options).collect::<Vec<_>>());
        assert_ne!(plan, Plan::new(&other).collect::<Vec<_>>());
    }

    #[test]
    fn a_constant_pace_is_a_metronome() {
        let plan: Vec<_> = Plan::new(&options(Arrivals::Constant, "commuter")).collect();
        assert!((19_999..=20_001).contains(&plan.len()), "{}", plan.len());
        for (index, arrival) in plan.iter().enumerate() {
            assert!((arrival.due.as_secs_f64() - index as f64 / 1_000.0).abs() < 1e-6);
        }
    }

    #[test]
    fn bursts_and_chance_keep_the_rate() {
        for (arrivals, profile) in [
            (Arrivals::Exponential, "commuter"),
            (Arrivals::Constant, "office-run"),
            (Arrivals::Exponential, "tourist"),
        ] {
            let plan: Vec<_> = Plan::new(&options(arrivals, profile)).collect();
            assert!((19_000..21_000).contains(&plan.len()), "{profile}: {}", plan.len());
            assert!(plan.is_sorted_by_key(|arrival| arrival.due));
        }
    }

    #[test]
    fn a_day_has_its_hours() {
        let day = Duration::from_secs(10);
        let run = Options {
            day: Some(day),
            ..options(Arrivals::Exponential, "commuter")
        };
        // Two days.
        let plan: Vec<_> = Plan::new(&run).collect();
        assert!((19_000..21_000).contains(&plan.len()), "{}", plan.len());
        let hour = |arrival: &Arrival| (arrival.due.as_secs_f64() / day.as_secs_f64() * 24.0) as usize % 24;
        let in_hour = |wanted| plan.iter().filter(|arrival| hour(arrival) == wanted).count() as f64;
        assert_eq!(in_hour(3) + in_hour(22), 0.0);
        let ratio = in_hour(8) / in_hour(6);
        assert!((ratio - 14.0 / 6.0).abs() < 0.3, "{ratio}");
        assert!(plan.is_sorted_by_key(|arrival| arrival.due));
    }

    #[test]
    fn a_count_ends_it() {
        let counted = Options {
            count: Some(7),
            duration: None,
            ..options(Arrivals::Constant, "office-run")
        };
        assert_eq!(Plan::new(&counted).count(), 7);
    }
}
