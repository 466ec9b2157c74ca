//! `[[load]]`: who orders what, and when.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::Menu;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Follows, Load, Names};
use crate::config::Version;
use crate::load::{
    Arrivals, DEFAULT_CONNECTIONS, MAX_ORDERS, MAX_RATE_PER_SECOND, Options, Pace, Profile, profile_named,
};
use crate::scenario::breakpoint::Goal;
use crate::scenario::span::Span;
use crate::scenario::threshold::Kind;

/// Stands for the rate of a load that follows, until that is known.
const UNKNOWN_RATE: f64 = 1.0;
/// The most that is asked for of a breakpoint.
const MAX_SHARE_OF_BREAKPOINT: f64 = 10.0;

/// Customers of one kind and time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLoad {
    /// As thresholds and reports name it: small letters, digits and dashes.
    name: String,
    /// The API that is called: the first of setup.versions unless told.
    #[schemars(with = "Option<String>", extend("enum" = ["v1", "v2", "v3"]))]
    version: Option<Version>,
    /// The node, by its number.
    #[serde(default = "super::one")]
    node: usize,
    /// Whether orders go to all nodes that say they are ready, each to the next one, as through a balancer.
    #[serde(default)]
    balanced: bool,
    /// From the scenario's start to the first order.
    #[serde(default)]
    start: Span,
    /// For how long orders are due.
    duration: Span,
    /// Orders a second, whatever the node does. Without it each customer waits for an answer.
    rate: Option<f64>,
    /// What the rate grows or falls to, evenly.
    to_rate: Option<f64>,
    /// How orders are spread over a second.
    #[serde(default)]
    #[schemars(with = "String", extend("enum" = ["constant", "exponential"]))]
    arrivals: Arrivals,
    /// Connections, each with one order in flight.
    #[serde(default = "default_connections")]
    connections: usize,
    /// Without a rate: how long a customer waits between an answer and the next order.
    think_time: Option<Span>,
    /// Whether who is answered 503 comes again, with the same key.
    #[serde(default)]
    retry_refused: bool,
    /// Kinds of customers, and the share of each in all visits.
    #[serde(default)]
    profiles: BTreeMap<String, u32>,
    /// How long a day lasts, from midnight on: each kind comes in its hours, and the rate is the mean of a day.
    day: Option<Span>,
    /// Looks for the highest rate that is sustained: rate and duration are those of the first trial.
    breakpoint: Option<RawBreakpoint>,
    /// An earlier load that looks for one: this one begins when it is found, and start counts from then.
    follows: Option<String>,
    /// With follows, in place of a rate: the share of the breakpoint that is asked for, such as 0.8.
    share: Option<f64>,
}

/// Where customers come from, and what they find.
pub(super) struct Town<'a> {
    pub(super) versions: &'a [Version],
    pub(super) nodes: usize,
    pub(super) menu: &'a Menu,
    /// The scenario's own kinds of customers, beside those that are known.
    pub(super) profiles: &'a [Profile],
}

impl Town<'_> {
    fn profiles_named(&self, shares: &BTreeMap<String, u32>) -> Result<Vec<(Profile, u32)>, String> {
        let named = |name: &str| {
            let own = self.profiles.iter().find(|profile| profile.name == name).cloned();
            own.or_else(|| profile_named(name))
        };
        let shares = shares.iter().map(|(name, share)| {
            let profile = named(name).ok_or_else(|| format!("there is no profile {name:?}"))?;
            Ok((profile, *share))
        });
        shares.collect()
    }
}

/// What makes a rate sustained.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawBreakpoint {
    /// No trial is faster, in orders a second.
    to_rate: f64,
    /// What 99 of 100 orders must stay within.
    p99_ms: f64,
}

fn default_connections() -> usize {
    DEFAULT_CONNECTIONS
}

impl RawLoad {
    pub(super) fn checked(self, town: &Town<'_>, earlier: &[Load], names: &mut Names) -> Result<Load, String> {
        names.add(&self.name, Kind::Load)?;
        let node = super::node_index(self.node, town.nodes)?;
        let Some(version) = self.version.or_else(|| town.versions.first().copied()) else {
            return Err("no version runs".to_owned());
        };
        if !town.versions.contains(&version) {
            return Err(format!("the node does not run {version}: add it to setup.versions"));
        }
        let follows = self.follows(earlier)?;
        let rate = self.rate.or(follows.map(|_| UNKNOWN_RATE));
        let pace = match (rate, self.to_rate) {
            (Some(rate), None) => Pace::Open {
                rate_per_second: rate,
                arrivals: self.arrivals,
            },
            (Some(from), Some(to)) => Pace::Ramp {
                from_per_second: from,
                to_per_second: to,
                arrivals: self.arrivals,
            },
            (None, None) => Pace::Closed,
            (None, Some(_)) => return Err("to_rate is where rate goes to: add rate".to_owned()),
        };
        let goal = match (&self.breakpoint, pace) {
            (None, _) => None,
            (
                Some(breakpoint),
                Pace::Open {
                    rate_per_second: from, ..
                },
            ) => Some(breakpoint.checked(from)?),
            (Some(_), _) => {
                return Err("a breakpoint is looked for from a rate on: add rate, without to_rate".to_owned());
            }
        };
        if goal.is_some() && self.day.is_some() {
            return Err("a breakpoint is that of one rate: leave day away".to_owned());
        }
        if self.think_time.is_some() && pace != Pace::Closed {
            return Err("customers with a rate do not wait for answers: leave rate or think_time away".to_owned());
        }
        let mut options = Options::new(placeholder());
        options.version = version;
        options.menu = town.menu.clone();
        options.pace = pace;
        options.duration = Some(self.duration.0);
        options.count = matches!(pace, Pace::Closed).then_some(MAX_ORDERS);
        options.connections = self.connections;
        options.think_time = self.think_time.unwrap_or_default().0;
        options.retry.repeat_refused = self.retry_refused;
        options.day = self.day.map(|day| day.0);
        if !self.profiles.is_empty() {
            options.profiles = town.profiles_named(&self.profiles)?;
        }
        options.validate().map_err(|error| error.to_string())?;
        Ok(Load {
            name: self.name,
            start: self.start.0,
            duration: self.duration.0,
            node,
            balanced: self.balanced,
            options,
            goal,
            follows,
        })
    }

    fn follows(&self, earlier: &[Load]) -> Result<Option<Follows>, String> {
        let (name, share) = match (&self.follows, self.share) {
            (None, None) => return Ok(None),
            (Some(name), Some(share)) => (name, share),
            _ => return Err("follows says whose breakpoint, and share how much of it: give both".to_owned()),
        };
        if self.rate.is_some() || self.to_rate.is_some() || self.breakpoint.is_some() {
            return Err(
                "the rate of a load that follows is a share: leave rate, to_rate and breakpoint away".to_owned(),
            );
        }
        if !(share > 0.0 && share <= MAX_SHARE_OF_BREAKPOINT) {
            return Err(format!("share must be above 0 and at most {MAX_SHARE_OF_BREAKPOINT}"));
        }
        let found = earlier
            .iter()
            .position(|load| load.name == *name && load.goal.is_some());
        let load =
            found.ok_or_else(|| format!("no load before this one is named {name:?} and looks for a breakpoint"))?;
        Ok(Some(Follows { load, share }))
    }
}

impl RawBreakpoint {
    fn checked(&self, from: f64) -> Result<Goal, String> {
        if !(self.to_rate >= from && self.to_rate <= MAX_RATE_PER_SECOND) {
            return Err(format!(
                "breakpoint.to_rate must be between rate and {MAX_RATE_PER_SECOND}"
            ));
        }
        if !(self.p99_ms > 0.0 && self.p99_ms.is_finite()) {
            return Err("breakpoint.p99_ms must be above 0".to_owned());
        }
        Ok(Goal {
            from,
            to: self.to_rate,
            p99_ms: self.p99_ms,
        })
    }
}

/// Replaced by the node's address when the load starts.
#[expect(clippy::expect_used, reason = "the text is a constant")]
fn placeholder() -> url::Url {
    "http://127.0.0.1".parse().expect("a constant that is an address")
}
