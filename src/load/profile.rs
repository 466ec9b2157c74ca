//! Who orders: profiles of customers as plain data, and what one visit buys as a pure function of a seeded generator.

use std::borrow::Cow;
use std::time::Duration;

use coffee_rt_actors::domain::Menu;
use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::Deserialize;

use super::day::HOURS;

/// The most orders of one visit.
pub const MAX_ORDERS_PER_VISIT: u32 = 1_000;
/// The highest weight of a drink, a store or an hour.
pub const MAX_WEIGHT: u32 = 1_000_000;

/// What an order costs, in cents: anything between the ends, most often near `usual`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRange {
    /// The lowest price.
    pub low_cents: u32,
    /// The most likely price.
    pub usual_cents: u32,
    /// The highest price.
    pub high_cents: u32,
}

/// How a customer's client writes its JSON; each form means the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WireStyle {
    /// A number for the price, a UTC timestamp.
    #[default]
    Plain,
    /// A decimal string for the price, a timestamp two hours east of UTC.
    Abroad,
}

/// One kind of customer. Weights belong to the menu's entries by position and start over where the menu is longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// As `--profiles` and reports name it.
    pub name: Cow<'static, str>,
    /// How often each drink is chosen.
    pub drink_weights: Cow<'static, [u32]>,
    /// How often each store is visited.
    pub store_weights: Cow<'static, [u32]>,
    /// How many come in each hour from midnight on, where a run has a day; none where all hours are alike.
    pub hour_weights: Option<[u32; HOURS]>,
    /// What one order costs.
    pub price: PriceRange,
    /// Fewest and most orders of one visit; all go to one store at one moment.
    pub orders_per_visit: (u32, u32),
    /// Of 1,000 orders, how many are sent twice at once with one key.
    pub double_taps_per_mille: u32,
    /// Shortest and longest pause between a request's head and its body.
    pub pause_millis: (u64, u64),
    /// How its client writes JSON.
    pub wire: WireStyle,
}

/// One order as a customer decides on it; not yet a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Place of the profile in the options.
    pub profile: u8,
    /// Place of the drink on the menu.
    pub drink: u8,
    /// Place of the store on the menu.
    pub store: u8,
    /// What is paid.
    pub cents: u32,
    /// How many times it is sent at once with the same key.
    pub taps: u32,
    /// Pause between the request's head and its body.
    pub pause: Duration,
    /// How the JSON is written.
    pub wire: WireStyle,
}

/// What one visit of a customer buys: at least one order, all in one store.
pub(super) fn visit(index: u8, profile: &Profile, menu: &Menu, rng: &mut impl Rng) -> Vec<Purchase> {
    let store = pick(&profile.store_weights, menu.stores.len(), rng);
    let (fewest, most) = profile.orders_per_visit;
    let orders = rng.random_range(fewest.max(1)..=most.max(fewest).max(1));
    (0..orders)
        .map(|_| Purchase {
            profile: index,
            drink: pick(&profile.drink_weights, menu.drinks.len(), rng),
            store,
            cents: price(profile.price, rng),
            taps: if rng.random_range(0..1000) < profile.double_taps_per_mille {
                2
            } else {
                1
            },
            pause: Duration::from_millis(
                rng.random_range(profile.pause_millis.0..=profile.pause_millis.1.max(profile.pause_millis.0)),
            ),
            wire: profile.wire,
        })
        .collect()
}

/// A place below `len` (a menu's list: at most 64), chosen by weights that repeat over it; evenly where all are zero.
pub(super) fn pick(weights: &[u32], len: usize, rng: &mut impl Rng) -> u8 {
    let weight = |place: usize| {
        if weights.is_empty() {
            1
        } else {
            u64::from(weights[place % weights.len()])
        }
    };
    let total: u64 = (0..len).map(weight).sum();
    let chosen = if total == 0 {
        rng.random_range(0..len)
    } else {
        let mut ticket = rng.random_range(0..total);
        let lucky = (0..len).find(|place| match ticket.checked_sub(weight(*place)) {
            Some(rest) => {
                ticket = rest;
                false
            }
            None => true,
        });
        lucky.unwrap_or(0)
    };
    u8::try_from(chosen).unwrap_or(u8::MAX)
}

/// A triangular distribution with its peak at the usual price.
fn price(range: PriceRange, rng: &mut impl Rng) -> u32 {
    let (low, usual, high) = (
        f64::from(range.low_cents),
        f64::from(range.usual_cents),
        f64::from(range.high_cents),
    );
    if high <= low {
        return range.low_cents;
    }
    let (luck, peak) = (rng.random::<f64>(), (usual - low) / (high - low));
    let drawn = if luck < peak {
        low + ((high - low) * (usual - low) * luck).sqrt()
    } else {
        high - ((high - low) * (high - usual) * (1.0 - luck)).sqrt()
    };
    // Rounded, positive and far below 2^32: the cast is exact.
    (drawn.round() as u32).clamp(range.low_cents, range.high_cents)
}

#[cfg(test)]
mod tests {
    use super::super::known::PROFILES;
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn weights_decide_how_often_a_place_is_picked() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut counts = [0; 4];
        for _ in 0..10_000 {
            counts[usize::from(pick(&[1, 0, 3], 4, &mut rng))] += 1;
        }
        // The weights start over at the fourth place: 1, 0, 3, 1.
        assert_eq!(counts[1], 0);
        assert!(
            (1_800..2_200).contains(&counts[0]) && (1_800..2_200).contains(&counts[3]),
            "{counts:?}"
        );
        assert!((5_800..6_200).contains(&counts[2]), "{counts:?}");
        assert!((0..100).all(|_| pick(&[0], 3, &mut rng) < 3));
    }

    #[test]
    fn a_visit_stays_in_one_store_and_in_its_ranges() {
        let mut rng = StdRng::seed_from_u64(1);
        for profile in PROFILES {
            for _ in 0..200 {
                let bought = visit(2, &profile, &Menu::default(), &mut rng);
                let (fewest, most) = profile.orders_per_visit;
                assert!((fewest as usize..=most as usize).contains(&bought.len()));
                for purchase in &bought {
                    assert_eq!((purchase.store, purchase.profile), (bought[0].store, 2));
                    assert!((profile.price.low_cents..=profile.price.high_cents).contains(&purchase.cents));
                    assert!(purchase.drink < 3 && purchase.store < 4);
                }
            }
        }
    }

    #[test]
    fn prices_gather_at_the_usual_one() {
        let (mut rng, range) = (StdRng::seed_from_u64(3), PROFILES[3].price);
        let drawn: Vec<u32> = (0..10_000).map(|_| price(range, &mut rng)).collect();
        let near = drawn
            .iter()
            .filter(|cents| cents.abs_diff(range.usual_cents) < 200)
            .count();
        let far = drawn
            .iter()
            .filter(|cents| cents.abs_diff(range.high_cents) < 200)
            .count();
        assert!(near > far * 10, "{near} near the usual price, {far} near the highest");
        assert_eq!(
            price(
                PriceRange {
                    low_cents: 5,
                    usual_cents: 5,
                    high_cents: 5
                },
                &mut rng
            ),
            5
        );
    }
}
