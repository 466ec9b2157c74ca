//! How often children may fail, and how long a restart waits. Plain functions of time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::RngExt;

/// Which children a failed child takes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nobody.
    OneForOne,
    /// All that were started after it.
    RestForOne,
    /// All.
    OneForAll,
}

/// How many restarts a supervisor grants before it gives up.
///
/// The first `immediate` restarts within `window` happen at once: a handful of failures a second costs no time. Beyond
/// them each restart waits twice as long as the one before. Past `budget` the supervisor escalates. A child that is itself
/// a supervisor and gave up counts against `escalations`, because its own budget spread those failures out in time.
#[derive(Clone, Copy, Debug)]
pub struct RestartPolicy {
    /// The sliding window in which failures count.
    pub window: Duration,
    /// Restarts within the window that are not delayed.
    pub immediate: usize,
    /// Restarts within the window that are granted at all.
    pub budget: usize,
    /// The first delay.
    pub backoff_min: Duration,
    /// The longest delay.
    pub backoff_max: Duration,
    /// The sliding window in which escalations of children count.
    pub escalation_window: Duration,
    /// Escalations of children that are granted in it.
    pub escalations: usize,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            immediate: 150,
            budget: 160,
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_secs(1),
            escalation_window: Duration::from_secs(60),
            escalations: 3,
        }
    }
}

/// The reason of a supervisor that gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{supervisor} gave up: {reason}")]
pub struct Meltdown {
    /// The path of the supervisor.
    pub supervisor: String,
    /// What failed how often, and how it failed last.
    pub reason: String,
}

/// The failures a supervisor has seen lately.
#[derive(Debug, Default)]
pub(super) struct Budget {
    failures: VecDeque<Instant>,
    escalations: VecDeque<Instant>,
}

impl Budget {
    /// Counts a failure. `Some` is the delay before the restart, `None` means that the budget is spent.
    pub(super) fn spend(&mut self, policy: &RestartPolicy, escalated: bool, now: Instant) -> Option<Duration> {
        let failures = record(&mut self.failures, policy.window, now);
        if escalated && record(&mut self.escalations, policy.escalation_window, now) > policy.escalations {
            return None;
        }
        if failures > policy.budget {
            return None;
        }
        let Some(delayed) = failures.checked_sub(policy.immediate + 1) else {
            return Some(Duration::ZERO);
        };
        let factor = 1_u32
            .checked_shl(u32::try_from(delayed).unwrap_or(u32::MAX))
            .unwrap_or(u32::MAX);
        Some(policy.backoff_min.saturating_mul(factor).min(policy.backoff_max))
    }
}

fn record(seen: &mut VecDeque<Instant>, window: Duration, now: Instant) -> usize {
    seen.push_back(now);
    while seen.front().is_some_and(|first| now.duration_since(*first) > window) {
        seen.pop_front();
    }
    seen.len()
}

/// Lengthens a delay by up to a quarter, so that children that failed together do not restart together.
pub(super) fn with_jitter(delay: Duration) -> Duration {
    delay.mul_f64(rand::rng().random_range(1.0..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Option<Instant> {
        start.checked_add(Duration::from_millis(millis))
    }

    #[test]
    fn ten_faults_a_second_for_a_minute_are_restarted_at_once() {
        let (start, policy, mut budget) = (Instant::now(), RestartPolicy::default(), Budget::default());
        for fault in 0..600 {
            assert_eq!(
                budget.spend(&policy, false, at(start, fault * 100).unwrap()),
                Some(Duration::ZERO),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_crash_loop_is_slowed_down_and_then_given_up() {
        let (policy, mut budget, mut now) = (RestartPolicy::default(), Budget::default(), Instant::now());
        let mut delays = Vec::new();
        while let Some(delay) = budget.spend(&policy, false, now) {
            now += delay;
            delays.push(delay);
        }
        assert_eq!(delays.len(), policy.budget);
        assert!(delays.is_sorted());
        assert_eq!(delays.last(), Some(&policy.backoff_max));
    }

    #[test]
    fn escalations_of_children_are_counted_apart() {
        let (start, policy, mut budget) = (Instant::now(), RestartPolicy::default(), Budget::default());
        for n in 0..3 {
            assert!(budget.spend(&policy, true, at(start, n * 15_000).unwrap()).is_some());
        }
        assert_eq!(budget.spend(&policy, true, at(start, 45_000).unwrap()), None);
        assert!(Budget::default().spend(&policy, true, start).is_some());
    }
}
