//! Whatever happens to deltas on their way, a view ends up equal to a recount of the raw orders.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use coffee_rt_actors::domain::{Cents, Instant, Item, Order};
use coffee_rt_actors::ports::{
    Delta, DeltaContent, Horizon, HourCell, MinuteCell, Outcome, RECENT_ORDERS, ShardId, Snapshot,
};
use coffee_rt_actors::sales::{CellSales, HourSales, PastMinutes};
use coffee_rt_actors::view::{Applied, Dashboard, View};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

const NOW: Instant = Instant(1_795_348_800_000_000);
const HOUR_MICROS: i64 = 3_600_000_000;
const SHARDS: i32 = 3;

/// What the world does next.
#[derive(Clone, Debug)]
enum Step {
    /// A shard commits orders; some of them were stored before.
    Commit {
        shard: i32,
        orders: Vec<(OrderShape, bool)>,
    },
    /// The oldest delta under way arrives; `repeat` leaves it under way too.
    Arrive { repeat: bool },
    /// A later delta overtakes the others.
    Overtake { which: prop::sample::Index },
    /// A delta is lost.
    Lose { which: prop::sample::Index },
    /// A delta loses its content, as where it is too large to carry.
    Strip { which: prop::sample::Index },
    /// The view is read from the store.
    Rehydrate,
    /// Positions are compared, and the view is read anew where it is behind.
    Compare,
    /// Hours too old to be shown are forgotten.
    Advance,
}

#[derive(Clone, Debug)]
struct OrderShape {
    hours_ago: i64,
    drink: usize,
    cents: i64,
}

fn order_shape() -> impl Strategy<Value = OrderShape> {
    // The present hour, around the edge of the 30 days, and before it.
    let hours_ago = prop_oneof![0..3_i64, 718..723_i64, 720..2_000_i64];
    (hours_ago, 0..7_usize, 0..1_000_000_i64).prop_map(|(hours_ago, drink, cents)| OrderShape {
        hours_ago,
        drink,
        cents,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let commit = (0..SHARDS, vec((order_shape(), prop::bool::weighted(0.1)), 0..14));
    prop_oneof![
        6 => commit.prop_map(|(shard, orders)| Step::Commit { shard, orders }),
        6 => prop::bool::weighted(0.2).prop_map(|repeat| Step::Arrive { repeat }),
        1 => index().prop_map(|which| Step::Overtake { which }),
        1 => index().prop_map(|which| Step::Lose { which }),
        1 => index().prop_map(|which| Step::Strip { which }),
        1 => Just(Step::Rehydrate),
        1 => Just(Step::Compare),
        1 => Just(Step::Advance),
    ]
}

/// Raw orders and commits: all that a recount needs.
#[derive(Default)]
struct History {
    orders: Vec<Order>,
    positions: BTreeMap<ShardId, i64>,
}

impl History {
    fn commit(&mut self, shard: ShardId, shapes: &[(OrderShape, bool)]) -> Delta {
        let mut orders = Vec::new();
        let mut outcomes = Vec::new();
        for (shape, repeated) in shapes {
            let order = Order {
                message_id: Uuid::now_v7(),
                drink: Item::from(format!("drink {}", shape.drink)),
                store: Item::from(if shape.cents % 2 == 0 { "uptown" } else { "central" }),
                price: Cents(shape.cents),
                at: Instant(NOW.0 - shape.hours_ago * HOUR_MICROS - shape.cents),
                accepted_at: NOW,
                trace: None,
            };
            orders.push(Arc::new(order.clone()));
            outcomes.push(if *repeated {
                Outcome::Repeated { id: 1 }
            } else {
                self.orders.push(order);
                Outcome::Stored {
                    id: i64::try_from(self.orders.len()).unwrap(),
                }
            });
        }
        let seq = self.positions.entry(shard).or_default();
        *seq += 1;
        Delta {
            shard,
            seq: *seq,
            content: Some(DeltaContent::of_commit(&orders, &outcomes)),
        }
    }

    /// Counted order by order, by nothing that the view uses.
    fn snapshot(&self, horizon: Horizon) -> Snapshot {
        let counted = self.orders.iter().filter(|order| order.at.hour() >= horizon.hour);
        let minutes = self.orders.iter().filter(|order| order.at.minute() >= horizon.minute);
        let last = i64::try_from(self.orders.len()).unwrap();
        let numbered = (1..=last).rev().zip(self.orders.iter().rev()).take(RECENT_ORDERS);
        Snapshot {
            positions: self.positions.clone(),
            stored_total: self.orders.len() as u64,
            hours: counted
                .map(|order| HourCell {
                    hour: order.at.hour(),
                    store: order.store.clone(),
                    drink: order.drink.clone(),
                    orders: 1,
                    amount: order.price,
                })
                .collect(),
            minutes: minutes
                .map(|order| MinuteCell {
                    minute: order.at.minute(),
                    orders: 1,
                    amount: order.price,
                })
                .collect(),
            recent: numbered.map(|(id, order)| order.stored_as(id)).collect(),
        }
    }

    fn view(&self, now: Instant) -> View {
        let horizon = Horizon::at(now);
        View::of_snapshot(self.snapshot(horizon), horizon)
    }
}

/// The world, and a view that is treated as an aggregator treats it.
struct World {
    history: History,
    view: View,
    under_way: VecDeque<Delta>,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let history = History::default();
        Self {
            view: history.view(NOW),
            history,
            under_way: VecDeque::new(),
            now: NOW,
        }
    }

    fn take(&mut self, step: &Step) {
        let at = |which: &prop::sample::Index, all: &VecDeque<Delta>| (!all.is_empty()).then(|| which.index(all.len()));
        match step {
            Step::Commit { shard, orders } => {
                let delta = self.history.commit(ShardId(*shard), orders);
                self.under_way.push_back(delta);
            }
            Step::Arrive { repeat } => {
                if let Some(delta) = self.under_way.pop_front() {
                    self.arrive(&delta);
                    if *repeat {
                        self.under_way.push_back(delta);
                    }
                }
            }
            Step::Overtake { which } => {
                if let Some(delta) = at(which, &self.under_way).and_then(|index| self.under_way.remove(index)) {
                    self.arrive(&delta);
                }
            }
            Step::Lose { which } => {
                let _ = at(which, &self.under_way).and_then(|index| self.under_way.remove(index));
            }
            Step::Strip { which } => {
                if let Some(index) = at(which, &self.under_way) {
                    self.under_way[index].content = None;
                }
            }
            Step::Rehydrate => self.view = self.history.view(self.now),
            Step::Compare => self.compare(),
            Step::Advance => {
                self.now = Instant(self.now.0 + HOUR_MICROS);
                self.view.advance(self.now);
            }
        }
    }

    fn arrive(&mut self, delta: &Delta) {
        let before = self.shown();
        match self.view.apply(delta) {
            Applied::Counted => {}
            Applied::Known => assert_eq!(self.shown(), before, "a known delta changed the view"),
            Applied::Gap => {
                assert_eq!(self.shown(), before, "a delta beyond a gap changed the view");
                self.view = self.history.view(self.now);
            }
        }
    }

    fn compare(&mut self) {
        if self.view.is_behind(&self.history.positions) {
            self.view = self.history.view(self.now);
        }
    }

    /// What is shown of each of the last hours: the edges of the 30 days come into sight through the drinks.
    fn shown(&self) -> Shown {
        let mut view = self.view.clone();
        view.advance(self.now);
        shown(&view, self.now)
    }
}

type Shown = (Dashboard, Vec<HourSales>, Vec<CellSales>, PastMinutes);

/// Everything that people see of a view.
fn shown(view: &View, now: Instant) -> Shown {
    (
        view.dashboard(now),
        view.hour_sales(now),
        view.cell_sales(now),
        view.past_minutes(now),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_view_equals_a_recount_after_quiet(steps in vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            prop_assert!(world.view.stored_total() <= world.history.orders.len() as u64);
        }
        while let Some(delta) = world.under_way.pop_front() {
            world.arrive(&delta);
        }
        world.compare();
        prop_assert!(!world.view.is_behind(&world.history.positions));
        let recount = world.history.view(world.now);
        prop_assert_eq!(world.shown(), shown(&recount, world.now));
        // The same for every hour that is to come, until nothing is left to be shown.
        for later in [1, 24, 24 * 29, 24 * 30, 24 * 31] {
            let later = Instant(world.now.0 + later * HOUR_MICROS);
            world.view.advance(later);
            prop_assert_eq!(shown(&world.view, later), shown(&world.history.view(later), later));
        }
    }

    /// Without anything lost, nothing is ever read from the store.
    #[test]
    fn deltas_in_order_leave_no_gap(commits in vec((0..SHARDS, vec((order_shape(), any::<bool>()), 0..14)), 0..40)) {
        let (mut history, mut view) = (History::default(), History::default().view(NOW));
        for (shard, orders) in &commits {
            let delta = history.commit(ShardId(*shard), orders);
            prop_assert_eq!(view.apply(&delta), Applied::Counted);
            prop_assert_eq!(view.apply(&delta), Applied::Known);
        }
        prop_assert_eq!(view, history.view(NOW));
    }
}
