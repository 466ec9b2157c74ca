//! The metrics under the Python original's keys, so that what reads them keeps working.
//!
//! - `metrics:hourly:{hour}`, 0 to 23 in UTC: a hash with `hour_start`, which dates it, `order_count`, `revenue` as a
//!   decimal, `top_drinks` as a JSON array, and `stored_total` and `updated_at` of when the hour changed last. It expires an
//!   hour before the same hour of the next day begins. An hour without orders has no key.
//! - `metrics:top5`: a list of the most popular drinks of the last 30 days, most popular first.
//! - `orders:recent`: a list of the last stored orders as JSON objects, newest first.

use async_trait::async_trait;
use coffee_rt_actors::cache::{MAX_INTERVAL, WRITE_LIMIT};
use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::ports::{CACHED_HOURS, CacheAway, CacheWrite, CachedMetrics, MetricsCache};
use coffee_rt_actors::view::HourMetrics;
use redis::Value;
use serde::Serialize;

use super::link::{ANSWER_TIMEOUT, Link, UrlError, client, reason};
use super::scripts::CACHE;

/// Before the number of an hour: its orders.
pub const HOURLY: &str = "metrics:hourly:";
/// The most popular drinks.
pub const TOP_DRINKS: &str = "metrics:top5";
/// The last stored orders.
pub const RECENT: &str = "orders:recent";
/// How many orders all of it includes; while it is there, metrics of fewer orders are not written.
pub const STORED_TOTAL: &str = "metrics:stored_total";
/// How long it stays. A store with fewer orders than there were, as after a new beginning, has its metrics written then.
pub const STORED_TOTAL_MS: u64 = 10_000;

const SECONDS_PER_HOUR: i64 = 3_600;
/// No key can be taken for the same hour of another day.
const _: () = assert!(CACHED_HOURS < 24);
/// A node that writes keeps those away that lag behind.
const _: () = assert!(STORED_TOTAL_MS as u128 >= 2 * MAX_INTERVAL.as_millis());
/// A connection that went mute must be thrown away by its own limit, which needs somebody who waits for it.
const _: () = assert!(ANSWER_TIMEOUT.as_millis() < WRITE_LIMIT.as_millis());

/// The cache, as one node writes it.
pub struct RedisCache {
    link: Link,
}

impl RedisCache {
    /// Reads the URL and does no I/O.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Ok(Self {
            link: Link::new(client(url)?),
        })
    }
}

#[async_trait]
impl MetricsCache for RedisCache {
    async fn write(&self, metrics: &CachedMetrics) -> Result<CacheWrite, CacheAway> {
        let present = metrics.dashboard.server_timestamp.hour();
        let hours = || present - CACHED_HOURS + 1..=present;
        let hourly: Vec<_> = hours().map(hourly_key).collect();
        let mut keys = vec![STORED_TOTAL, TOP_DRINKS, RECENT];
        keys.extend(hourly.iter().map(String::as_str));
        let mut values = totals(metrics)?;
        for hour in hours() {
            let orders = metrics.hours.iter().find(|orders| orders.hour == hour);
            values.extend(hourly_values(orders)?);
        }
        let written = self.link.run(&CACHE, &keys, |script| {
            script.arg(values);
        });
        match written.await {
            Ok(Value::Int(1)) => Ok(CacheWrite::Written),
            Ok(_) => Ok(CacheWrite::Outdated),
            Err(error) => Err(CacheAway(reason(error))),
        }
    }
}

fn hourly_key(hour: i64) -> String {
    format!("{HOURLY}{}", hour.rem_euclid(24))
}

/// What the script takes before the hours.
fn totals(metrics: &CachedMetrics) -> Result<Vec<String>, CacheAway> {
    let shown = &metrics.dashboard;
    let mut values = vec![
        shown.stored_total.to_string(),
        STORED_TOTAL_MS.to_string(),
        shown.server_timestamp.to_string(),
        shown.top5_drinks.len().to_string(),
        shown.recent_orders.len().to_string(),
    ];
    values.extend(shown.top5_drinks.iter().map(ToString::to_string));
    for order in &shown.recent_orders {
        values.push(to_json(order)?);
    }
    Ok(values)
}

/// What the script takes for an hour.
fn hourly_values(orders: Option<&HourMetrics>) -> Result<[String; 5], CacheAway> {
    let Some(orders) = orders else {
        return Ok(["0", "", "", "", ""].map(str::to_owned));
    };
    let start_seconds = orders.hour * SECONDS_PER_HOUR;
    Ok([
        (start_seconds + CACHED_HOURS * SECONDS_PER_HOUR).to_string(),
        Instant(start_seconds * 1_000_000).to_string(),
        orders.order_count.to_string(),
        orders.revenue.to_string(),
        to_json(&orders.top_drinks)?,
    ])
}

fn to_json(value: &impl Serialize) -> Result<String, CacheAway> {
    serde_json::to_string(value).map_err(|error| CacheAway(error.to_string()))
}
