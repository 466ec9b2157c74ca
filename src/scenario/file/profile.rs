//! `[[profile]]`: kinds of customers of the scenario's own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use coffee_rt_actors::domain::{Cents, Item, MAX_PRICE, Menu};
use schemars::JsonSchema;
use serde::Deserialize;

use super::check_name;
use crate::load::{HOURS, MAX_ORDERS_PER_VISIT, MAX_WEIGHT, PriceRange, Profile, WireStyle, profile_named};
use crate::scenario::span::Span;

/// The longest pause: below what an attempt may take.
const MAX_PAUSE_MILLIS: u64 = 10_000;

/// One kind of customer, for the profiles of loads.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    /// As loads name it: small letters, digits and dashes.
    name: String,
    /// How often each drink is chosen; none but these. All alike unless told.
    #[serde(default)]
    drinks: BTreeMap<String, u32>,
    /// How often each store is visited; none but these. All alike unless told.
    #[serde(default)]
    stores: BTreeMap<String, u32>,
    /// How many come in which hours of a load's day, such as "07-10" = 9, which ends at ten; nobody in others. All alike
    /// unless told.
    #[serde(default)]
    hours: BTreeMap<String, u32>,
    /// What one order costs.
    #[serde(default)]
    price: RawPrice,
    /// Fewest and most orders of one visit; all go to one store at one moment.
    #[serde(default = "one_order")]
    orders_per_visit: [u32; 2],
    /// The part of all orders that is sent twice at once with one key, such as 0.02.
    #[serde(default)]
    double_taps: f64,
    /// Shortest and longest pause between a request's head and its body.
    #[serde(default)]
    pause: [Span; 2],
    /// How its client writes JSON: plain, or abroad with the price as text and a time zone.
    #[serde(default)]
    wire: WireStyle,
}

/// Anything between the ends, most often near the usual one.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawPrice {
    low: f64,
    usual: f64,
    high: f64,
}

impl Default for RawPrice {
    fn default() -> Self {
        Self {
            low: 3.0,
            usual: 4.0,
            high: 6.0,
        }
    }
}

const fn one_order() -> [u32; 2] {
    [1, 1]
}

impl RawProfile {
    pub(super) fn checked(self, menu: &Menu, earlier: &[Profile]) -> Result<Profile, String> {
        check_name(&self.name)?;
        if profile_named(&self.name).is_some() || earlier.iter().any(|profile| profile.name == self.name) {
            return Err(format!("there is a profile {} already", self.name));
        }
        let [fewest, most] = self.orders_per_visit;
        if !(1..=most).contains(&fewest) || most > MAX_ORDERS_PER_VISIT {
            return Err(format!(
                "orders_per_visit are the fewest and the most, from 1 to {MAX_ORDERS_PER_VISIT}"
            ));
        }
        if !(0.0..=1.0).contains(&self.double_taps) {
            return Err(format!("double_taps must be between 0 and 1, not {}", self.double_taps));
        }
        let [shortest, longest] = self
            .pause
            .map(|pause| u64::try_from(pause.0.as_millis()).unwrap_or(u64::MAX));
        if shortest > longest || longest > MAX_PAUSE_MILLIS {
            return Err(format!(
                "pause is the shortest and the longest one, at most {MAX_PAUSE_MILLIS} ms"
            ));
        }
        Ok(Profile {
            drink_weights: Cow::Owned(weights("drinks", &self.drinks, &menu.drinks)?),
            store_weights: Cow::Owned(weights("stores", &self.stores, &menu.stores)?),
            hour_weights: hours(&self.hours)?,
            price: self.price.checked()?,
            orders_per_visit: (fewest, most),
            // At most a thousand.
            double_taps_per_mille: (self.double_taps * 1_000.0).round() as u32,
            pause_millis: (shortest, longest),
            wire: self.wire,
            name: Cow::Owned(self.name),
        })
    }
}

impl RawPrice {
    fn checked(self) -> Result<PriceRange, String> {
        let [low, usual, high] = [self.low, self.usual, self.high].map(|price| (price * 100.0).round());
        if !(low >= 1.0 && low <= usual && usual <= high && high <= MAX_PRICE.0 as f64) {
            let most = Cents(MAX_PRICE.0);
            return Err(format!("price must have 0.01 <= low <= usual <= high <= {most}"));
        }
        // Whole numbers, and at most a million.
        let [low_cents, usual_cents, high_cents] = [low, usual, high].map(|cents| cents as u32);
        Ok(PriceRange {
            low_cents,
            usual_cents,
            high_cents,
        })
    }
}

/// By the menu's order.
fn weights(what: &str, given: &BTreeMap<String, u32>, items: &[Item]) -> Result<Vec<u32>, String> {
    let known = |name: &String| items.iter().any(|item| **item == **name);
    if let Some(name) = given.keys().find(|name| !known(name)) {
        return Err(format!("{what} has {name:?}, which is not on the menu"));
    }
    some_weight(what, given)?;
    if given.is_empty() {
        return Ok(Vec::new());
    }
    Ok(items
        .iter()
        .map(|item| given.get(&**item).copied().unwrap_or(0))
        .collect())
}

fn hours(given: &BTreeMap<String, u32>) -> Result<Option<[u32; HOURS]>, String> {
    some_weight("hours", given)?;
    let mut hours = [None; HOURS];
    for (span, weight) in given {
        let ends = span
            .split_once('-')
            .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let Some((from, to)) = ends.filter(|(from, to)| from < to && *to <= HOURS) else {
            return Err(format!("{span:?} are no hours: write them like 07-10, within 00-24"));
        };
        for hour in &mut hours[from..to] {
            if hour.replace(*weight).is_some() {
                return Err(format!("{span:?} has an hour that is told already"));
            }
        }
    }
    Ok((!given.is_empty()).then(|| hours.map(Option::unwrap_or_default)))
}

fn some_weight(what: &str, given: &BTreeMap<String, u32>) -> Result<(), String> {
    let heavy = given.values().any(|weight| *weight > MAX_WEIGHT);
    if heavy || (!given.is_empty() && given.values().all(|weight| *weight == 0)) {
        return Err(format!(
            "{what} needs weights up to {MAX_WEIGHT}, one of them above zero"
        ));
    }
    Ok(())
}
