//! What a node knows about all orders: plain data and plain functions, no actor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Cents, Instant, Item, StoredOrder};
use crate::ports::{
    CACHED_HOURS, CachedMetrics, Delta, DeltaContent, Horizon, RECENT_ORDERS, SHOWN_MINUTES, ShardId, Snapshot,
};
use crate::sales::{CellSales, HourSales, PastMinutes, SHOWN_HOURS};

/// How many of the most popular drinks are named.
const TOP_DRINKS: usize = 5;

/// How many orders, and what they paid together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sold {
    orders: u64,
    amount: Cents,
}

/// The orders of one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hour {
    all: Sold,
    drinks: BTreeMap<Item, u64>,
    /// Of each store and drink.
    cells: BTreeMap<(Item, Item), Sold>,
}

/// Everything that dashboards show, as of a position in every shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    positions: BTreeMap<ShardId, i64>,
    stored_total: u64,
    /// Hours from the horizon on.
    hours: BTreeMap<i64, Hour>,
    /// Minutes from the horizon on.
    minutes: BTreeMap<i64, Sold>,
    horizon: Horizon,
    /// Drinks of all `hours` together.
    drinks: BTreeMap<Item, u64>,
    recent: Vec<StoredOrder>,
}

/// What a delta did to a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was the next one.
    Counted,
    /// It was counted before.
    Known,
    /// One before it, or its content, is missing: only the store can tell.
    Gap,
}

/// What `GET /api/dashboard` and each WebSocket frame hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    /// The present UTC hour; none where it has no orders.
    pub current_hour: Option<CurrentHour>,
    /// The most popular drinks of the last [`crate::ports::TOP_DRINKS_DAYS`] days.
    pub top5_drinks: Vec<Item>,
    /// The last stored orders, newest first.
    pub recent_orders: Vec<StoredOrder>,
    /// How many orders this includes.
    pub stored_total: u64,
    /// When this was made.
    pub server_timestamp: Instant,
}

/// Orders whose own timestamp is in the present UTC hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurrentHour {
    /// 0 to 23.
    pub hour: i64,
    /// The most popular drinks, most popular first.
    pub top_drinks: Vec<Item>,
    /// What was paid.
    pub revenue: Cents,
    /// How many orders.
    pub order_count: u64,
}

/// The orders whose own timestamp is in one UTC hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourMetrics {
    /// Whole UTC hours since 1970.
    pub hour: i64,
    /// The most popular drinks, most popular first.
    pub top_drinks: Vec<Item>,
    /// What was paid.
    pub revenue: Cents,
    /// How many orders.
    pub order_count: u64,
}

impl View {
    /// A view as of a snapshot that was read with this horizon.
    #[must_use]
    pub fn of_snapshot(snapshot: Snapshot, horizon: Horizon) -> Self {
        let mut view = Self {
            positions: snapshot.positions,
            stored_total: snapshot.stored_total,
            recent: snapshot.recent,
            horizon,
            ..Self::default()
        };
        for cell in snapshot.hours {
            let sold = Sold::of(cell.orders, cell.amount);
            view.count_hour(cell.hour, &cell.store, &cell.drink, sold);
        }
        for cell in snapshot.minutes {
            view.count_minute(cell.minute, Sold::of(cell.orders, cell.amount));
        }
        view
    }

    /// Counts a delta if it is the next one of its shard.
    pub fn apply(&mut self, delta: &Delta) -> Applied {
        let position = self.positions.get(&delta.shard).copied().unwrap_or(0);
        if delta.seq <= position {
            return Applied::Known;
        }
        let Some(content) = delta.content.as_ref().filter(|_| delta.seq == position + 1) else {
            return Applied::Gap;
        };
        self.positions.insert(delta.shard, delta.seq);
        self.add(content);
        Applied::Counted
    }

    /// Whether some shard of the store is further than this view was told.
    #[must_use]
    pub fn is_behind(&self, store: &BTreeMap<ShardId, i64>) -> bool {
        store
            .iter()
            .any(|(shard, seq)| self.positions.get(shard).copied().unwrap_or(0) < *seq)
    }

    /// Forgets the hours and minutes that are too old to be shown at `now`.
    pub fn advance(&mut self, now: Instant) {
        let Horizon { hour, minute } = Horizon::at(now);
        self.horizon.hour = self.horizon.hour.max(hour);
        self.horizon.minute = self.horizon.minute.max(minute);
        while self
            .minutes
            .first_key_value()
            .is_some_and(|(minute, _)| *minute < self.horizon.minute)
        {
            self.minutes.pop_first();
        }
        while let Some(oldest) = self
            .hours
            .first_entry()
            .filter(|entry| *entry.key() < self.horizon.hour)
        {
            for (drink, orders) in oldest.remove().drinks {
                if let Some(total) = self.drinks.get_mut(&drink) {
                    *total = total.saturating_sub(orders);
                }
            }
        }
    }

    /// How many orders this view includes.
    #[must_use]
    pub const fn stored_total(&self) -> u64 {
        self.stored_total
    }

    /// What people see at `now`.
    #[must_use]
    pub fn dashboard(&self, now: Instant) -> Dashboard {
        let current = self.hours.get(&now.hour()).map(|hour| CurrentHour {
            hour: now.hour().rem_euclid(24),
            top_drinks: top(&hour.drinks),
            revenue: hour.all.amount,
            order_count: hour.all.orders,
        });
        Dashboard {
            current_hour: current,
            top5_drinks: top(&self.drinks),
            recent_orders: self.recent.clone(),
            stored_total: self.stored_total,
            server_timestamp: now,
        }
    }

    /// What a cache holds at `now`.
    #[must_use]
    pub fn cached_metrics(&self, now: Instant) -> CachedMetrics {
        let cached = now.hour() - CACHED_HOURS + 1..=now.hour();
        let hours = self.hours.range(cached).map(|(hour, orders)| HourMetrics {
            hour: *hour,
            top_drinks: top(&orders.drinks),
            revenue: orders.all.amount,
            order_count: orders.all.orders,
        });
        CachedMetrics {
            dashboard: self.dashboard(now),
            hours: hours.collect(),
        }
    }

    /// The hours that sales pages show at `now`.
    #[must_use]
    pub fn hour_sales(&self, now: Instant) -> Vec<HourSales> {
        let shown = now.hour() - SHOWN_HOURS + 1..=now.hour();
        let hours = self.hours.range(shown).map(|(hour, orders)| HourSales {
            hour: Instant::of_minute(hour * 60),
            order_count: orders.all.orders,
            revenue: orders.all.amount,
        });
        hours.collect()
    }

    /// What each store sold of each drink in the present hour.
    #[must_use]
    pub fn cell_sales(&self, now: Instant) -> Vec<CellSales> {
        let cells = self.hours.get(&now.hour()).map(|hour| &hour.cells);
        let cells = cells.into_iter().flatten().map(|((store, drink), sold)| CellSales {
            store: store.clone(),
            drink: drink.clone(),
            order_count: sold.orders,
            revenue: sold.amount,
        });
        cells.collect()
    }

    /// The last hour minute by minute.
    #[must_use]
    pub fn past_minutes(&self, now: Instant) -> PastMinutes {
        let first = now.minute() - SHOWN_MINUTES + 1;
        let sold = |minute| self.minutes.get(&minute).copied().unwrap_or_default();
        PastMinutes {
            from: Instant::of_minute(first),
            orders: (first..=now.minute()).map(|minute| sold(minute).orders).collect(),
            revenue: (first..=now.minute()).map(|minute| sold(minute).amount).collect(),
        }
    }

    fn add(&mut self, content: &DeltaContent) {
        for cell in &content.cells {
            self.stored_total += cell.orders;
            let sold = Sold::of(cell.orders, cell.amount);
            self.count_hour(cell.minute.div_euclid(60), &cell.store, &cell.drink, sold);
            self.count_minute(cell.minute, sold);
        }
        if !content.recent.is_empty() {
            self.recent.extend(content.recent.iter().cloned());
            self.recent.sort_unstable_by_key(|order| std::cmp::Reverse(order.id));
            self.recent.truncate(RECENT_ORDERS);
        }
    }

    fn count_hour(&mut self, hour: i64, store: &Item, drink: &Item, sold: Sold) {
        if hour < self.horizon.hour || sold.orders == 0 {
            return;
        }
        let counted = self.hours.entry(hour).or_default();
        counted.all.add(sold);
        counted
            .cells
            .entry((store.clone(), drink.clone()))
            .or_default()
            .add(sold);
        add_to(&mut counted.drinks, drink, sold.orders);
        add_to(&mut self.drinks, drink, sold.orders);
    }

    fn count_minute(&mut self, minute: i64, sold: Sold) {
        if minute >= self.horizon.minute && sold.orders > 0 {
            self.minutes.entry(minute).or_default().add(sold);
        }
    }
}

impl Sold {
    const fn of(orders: u64, amount: Cents) -> Self {
        Self { orders, amount }
    }

    fn add(&mut self, more: Self) {
        self.orders += more.orders;
        self.amount += more.amount;
    }
}

fn add_to(totals: &mut BTreeMap<Item, u64>, drink: &Item, orders: u64) {
    match totals.get_mut(drink) {
        Some(total) => *total += orders,
        None => drop(totals.insert(drink.clone(), orders)),
    }
}

/// The names with the most orders; equal ones by name.
fn top(totals: &BTreeMap<Item, u64>) -> Vec<Item> {
    let mut ranked: Vec<_> = totals.iter().filter(|(_, orders)| **orders > 0).collect();
    ranked.sort_by_key(|(_, orders)| std::cmp::Reverse(**orders));
    ranked
        .into_iter()
        .take(TOP_DRINKS)
        .map(|(drink, _)| drink.clone())
        .collect()
}
