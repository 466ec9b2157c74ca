//! How long a scenario is, and the same scenario shorter or longer.

use std::time::Duration;

use super::{Load, Scenario};
use crate::load::{MAX_ORDERS, MIN_DAY};

/// The trials of a search have no more orders than so many at the highest rate: doubling up to it makes two, and those
/// between the last two rates are at most four.
const SEARCH_TRIALS: f64 = 6.0;

impl Scenario {
    /// From the start to the last order and the last fault.
    #[must_use]
    pub fn length(&self) -> Duration {
        let faults = self.faults.iter().map(|fault| fault.at);
        faults.fold(last_order(&self.loads), Duration::max)
    }

    /// Whether it is known before when the last order is due.
    pub(in crate::scenario) fn has_known_end(&self) -> bool {
        let known = |load: &Load| load.goal.is_none() && load.follows.is_none();
        self.loads.iter().all(known)
    }

    /// The same scenario with each time divided: loads are shorter, and faults come earlier, and there is less of what is there
    /// before. How long a fault lasts stays.
    #[must_use]
    pub fn shortened(mut self, times: u32) -> Self {
        let times = times.max(1);
        self.stored_orders /= u64::from(times);
        if let Some(backlog) = &mut self.backlog {
            backlog.records = (backlog.records / u64::from(times)).max(1);
        }
        self.change_times(|time| time / times);
        self
    }

    /// The same scenario with each time multiplied: a soak for hours in place of minutes.
    ///
    /// # Errors
    /// Where that is more than can be remembered.
    pub fn lengthened(mut self, times: u32) -> Result<Self, String> {
        self.change_times(|time| time * times.max(1));
        all_orders(&self.loads)?;
        Ok(self)
    }

    fn change_times(&mut self, change: impl Fn(Duration) -> Duration) {
        for load in &mut self.loads {
            load.start = change(load.start);
            load.duration = change(load.duration);
            load.options.duration = Some(load.duration);
            load.options.day = load.options.day.map(|day| change(day).max(MIN_DAY));
        }
        for viewer in &mut self.viewers {
            viewer.start = change(viewer.start);
            viewer.duration = viewer.duration.map(&change);
        }
        for fault in &mut self.faults {
            fault.at = change(fault.at);
        }
    }
}

/// When the last order is due, of loads that begin at their time.
pub(super) fn last_order(loads: &[Load]) -> Duration {
    let ends = loads.iter().map(|load| load.start + load.duration);
    ends.max().unwrap_or_default()
}

/// The orders of all loads, as far as rates say how many there are, must fit the memory.
pub(super) fn all_orders(loads: &[Load]) -> Result<(), String> {
    // A search remembers all of its trials, and one that follows it may get the highest rate.
    let orders = loads.iter().filter_map(|load| {
        let seconds = load.duration.as_secs_f64();
        match (load.goal, load.follows) {
            (Some(goal), _) => Some(goal.to * SEARCH_TRIALS * seconds),
            (None, Some(follows)) => Some(loads.get(follows.load)?.goal?.to * follows.share * seconds),
            (None, None) => load.options.expected_orders(),
        }
    });
    let orders: f64 = orders.sum();
    if orders > MAX_ORDERS as f64 {
        return Err(format!(
            "{orders:.0} orders of all loads are more than are remembered ({MAX_ORDERS}): shorten them or lower their rates"
        ));
    }
    Ok(())
}
