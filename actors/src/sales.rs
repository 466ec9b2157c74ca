//! What sales pages show beyond the dashboard: finer figures of the last two days, the last hour, the last five minutes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::domain::{Cents, Instant, Item};
use crate::view::Dashboard;

/// How many hours are shown one by one, the present one included: today and yesterday wherever the viewer is.
pub const SHOWN_HOURS: i64 = 48;
/// How many seconds are shown one by one, the present one not included.
pub const SHOWN_SECONDS: i64 = 300;
/// How many of the last seconds each frame tells, the present one included: who misses a few frames misses no second.
const SECONDS_IN_A_FRAME: i64 = 10;

/// What `GET /api/sales` and each frame of `WS /ws/sales` hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sales {
    /// As everybody sees it.
    #[serde(flatten)]
    pub dashboard: Dashboard,
    /// When the newest order in here was accepted; none where that is not known.
    pub accepted_at: Option<Instant>,
    /// Those of the last [`SHOWN_HOURS`] that have orders, by the orders' own time, ascending.
    pub hours: Vec<HourSales>,
    /// Of the present UTC hour; what is not there has no orders.
    pub cells: Vec<CellSales>,
    /// The last seconds, by the node's clock, ascending; the present one is not over.
    pub seconds: Vec<SecondSales>,
}

/// One hour's orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourSales {
    /// Its beginning.
    pub hour: Instant,
    /// How many.
    pub order_count: u64,
    /// What was paid.
    pub revenue: Cents,
}

/// One store's orders of one drink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellSales {
    /// A store.
    pub store: Item,
    /// A drink.
    pub drink: Item,
    /// How many.
    pub order_count: u64,
    /// What was paid.
    pub revenue: Cents,
}

/// What was stored within one second, as this node learnt of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondSales {
    /// Seconds since 1970.
    pub at: i64,
    /// How many.
    pub orders: u64,
}

/// What `GET /api/history` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When this was made.
    pub server_timestamp: Instant,
    /// The last [`SHOWN_SECONDS`] that are over.
    pub seconds: PastSeconds,
    /// The last [`crate::ports::SHOWN_MINUTES`], the present one last.
    pub minutes: PastMinutes,
}

/// What was stored in each of the last seconds, as this node learnt of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastSeconds {
    /// The first of them, in seconds since 1970.
    pub from: i64,
    /// One for each; none where this node was not there yet.
    pub orders: Vec<Option<u64>>,
}

/// The orders of each of the last minutes, by their own time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastMinutes {
    /// The first of them.
    pub from: Instant,
    /// How many in each.
    pub orders: Vec<u64>,
    /// What was paid in each.
    pub revenue: Vec<Cents>,
}

/// Counts what is stored second by second, as this node learns of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The first second that was counted as a whole.
    whole_from: Option<i64>,
    /// Seconds with orders, ascending.
    seconds: VecDeque<SecondSales>,
}

impl Pulse {
    /// Begins to count: what is there already was stored before.
    pub fn begin(&mut self, now: Instant) {
        self.whole_from.get_or_insert(now.second() + 1);
    }

    /// Counts orders.
    pub fn count(&mut self, now: Instant, orders: u64) {
        let at = now.second();
        match self.seconds.back_mut() {
            // A clock that was set back counts on in the second it had reached.
            Some(last) if last.at >= at => last.orders += orders,
            _ => self.seconds.push_back(SecondSales { at, orders }),
        }
        while self.seconds.front().is_some_and(|first| first.at < at - SHOWN_SECONDS) {
            self.seconds.pop_front();
        }
    }

    /// The last seconds, for a frame.
    #[must_use]
    pub fn latest(&self, now: Instant) -> Vec<SecondSales> {
        let first = now.second() - SECONDS_IN_A_FRAME + 1;
        let counted = |at| self.whole_from.filter(|from| at >= *from).map(|_| self.of(at));
        (first..=now.second())
            .filter_map(|at| counted(at).map(|orders| SecondSales { at, orders }))
            .collect()
    }

    /// The seconds that are over.
    #[must_use]
    pub fn past(&self, now: Instant) -> PastSeconds {
        let from = now.second() - SHOWN_SECONDS;
        let mut orders: Vec<_> = (from..now.second())
            .map(|at| self.whole_from.filter(|first| at >= *first).map(|_| 0))
            .collect();
        for second in &self.seconds {
            let place = usize::try_from(second.at - from).ok().and_then(|at| orders.get_mut(at));
            if let Some(Some(counted)) = place {
                *counted = second.orders;
            }
        }
        PastSeconds { from, orders }
    }

    fn of(&self, at: i64) -> u64 {
        let newest_first = self.seconds.iter().rev();
        let found = newest_first.take_while(|second| second.at >= at).last();
        found.filter(|second| second.at == at).map_or(0, |second| second.orders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: Instant = Instant(1_795_348_800_400_000);

    fn later(seconds: i64) -> Instant {
        Instant(BEGAN.0 + seconds * 1_000_000)
    }

    #[test]
    fn what_was_not_counted_is_not_known() {
        let mut pulse = Pulse::default();
        assert_eq!(pulse.latest(BEGAN), []);
        assert!(pulse.past(BEGAN).orders.iter().all(Option::is_none));
        pulse.begin(BEGAN);
        pulse.count(BEGAN, 7);
        pulse.count(later(1), 2);
        pulse.count(later(1), 3);
        pulse.count(later(3), 1);
        let past = pulse.past(later(4));
        assert_eq!(
            (past.from, past.orders.len()),
            (BEGAN.second() + 4 - SHOWN_SECONDS, 300)
        );
        // The second it began in was not counted as a whole.
        assert_eq!(past.orders[296..], [None, Some(5), Some(0), Some(1)]);
        let latest: Vec<_> = pulse.latest(later(4)).iter().map(|second| second.orders).collect();
        assert_eq!(latest, [5, 0, 1, 0]);
        // A second beginning is not another one.
        pulse.begin(later(4));
        assert_eq!(pulse.past(later(4)), past);
    }

    #[test]
    fn it_does_not_grow() {
        let mut pulse = Pulse::default();
        pulse.begin(BEGAN);
        for second in 1..10_000 {
            pulse.count(later(second), 1);
        }
        assert!(pulse.seconds.len() <= 301, "{}", pulse.seconds.len());
        assert!(pulse.past(later(9_999)).orders.iter().all(|orders| *orders == Some(1)));
    }

    #[test]
    fn a_clock_that_is_set_back_loses_nothing() {
        let mut pulse = Pulse::default();
        pulse.begin(BEGAN);
        pulse.count(later(5), 1);
        pulse.count(later(3), 1);
        assert_eq!(pulse.past(later(6)).orders[299], Some(2));
    }
}
