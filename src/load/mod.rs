//! One load driver for people, scenarios and tests: customers place orders at a steady rate, whatever the node does, and
//! a ledger keeps what became of each.
//!
//! ```text
//! Plan ──arrivals──▶ pacer (own thread) ──orders──▶ waiting line ──▶ customers (one connection each) ──▶ node
//!                                                                        └──▶ Ledger ──▶ Progress, Report
//! ```
//! Latency counts from the moment an order was due, so a node that stalls cannot hide behind a client that waits.

mod answer;
mod attempt;
mod balancer;
mod day;
mod driver;
mod flat;
mod known;
mod ledger;
mod line;
mod options;
mod order;
mod pace;
mod plan;
mod profile;
mod report;

pub use day::{HOURS, MIN_DAY};
pub use driver::{Driver, Finished, Running};
pub use known::{PROFILES, profile_named};
pub use ledger::{Counts, Fate, Ledger, LedgerOrder};
pub use options::{
    DEFAULT_CONNECTIONS, DEFAULT_TIMEOUT_MILLIS, MAX_CONNECTIONS, MAX_ORDERS, MAX_PROFILES, MAX_RATE_PER_SECOND,
    Options, OptionsError, RetryPolicy,
};
pub use pace::{Arrivals, Pace};
pub use plan::{Arrival, Plan};
pub use profile::{MAX_ORDERS_PER_VISIT, MAX_WEIGHT, PriceRange, Profile, Purchase, WireStyle};
pub(crate) use report::Timings;
pub use report::{Lap, ProfileReport, Progress, Quantiles, Refusals, Report};
