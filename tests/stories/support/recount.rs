//! The dashboard that raw orders ask for, counted by other code than the node's.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::{Database, Node, Subscriber, within};

/// How soon after the last order each dashboard must equal the recount.
pub const QUIET: Duration = Duration::from_secs(2);
const HOUR_US: i64 = 3_600_000_000;
/// The most popular drinks are those of 30 days.
const TOP_DRINKS_HOURS: i64 = 30 * 24;

/// All orders of a PostgreSQL database, highest id first.
pub struct Recount(Vec<(i64, String, String, i64, i64)>);

impl Recount {
    pub async fn read(database: &Database) -> Self {
        let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
        let rows = sqlx::query_as(
            "SELECT id, drink, store, (price * 100)::bigint, (extract(epoch FROM \"timestamp\") * 1000000)::bigint
                FROM coffee_rt.orders ORDER BY id DESC",
        );
        Self(rows.fetch_all(&mut conn).await.unwrap())
    }

    pub fn orders(&self) -> u64 {
        self.0.len() as u64
    }

    /// What the node shows becomes what was recounted, and soon.
    pub async fn assert_shown_by(&self, node: &Node) {
        within(QUIET, "the dashboard equals the recount", async || {
            let shown = node.client.get("/api/dashboard").await;
            self.compare(&shown.map_err(|error| error.to_string())?)
        })
        .await;
    }

    /// The last frame becomes what was recounted, and soon; the socket was never closed.
    pub async fn assert_seen_by(&self, subscriber: &Subscriber) {
        within(QUIET, "the last frame equals the recount", async || {
            self.compare(&subscriber.seen().last)
        })
        .await;
        assert_eq!(subscriber.seen().closed, None);
    }

    /// Compares with a dashboard as the node sends it.
    pub fn compare(&self, shown: &Value) -> Result<(), String> {
        let Some(made) = shown["server_timestamp"].as_str() else {
            return Err(format!("no dashboard: {shown}"));
        };
        let made: jiff::Timestamp = made.parse().map_err(|error| format!("{made}: {error}"))?;
        let hour = made.as_microsecond().div_euclid(HOUR_US);
        let current = self.0.iter().filter(|order| order.4.div_euclid(HOUR_US) == hour);
        let (orders, cents) = current
            .clone()
            .fold((0, 0), |(orders, cents), order| (orders + 1, cents + order.3));
        let month = |order: &&(_, _, _, _, i64)| order.4.div_euclid(HOUR_US) >= hour - TOP_DRINKS_HOURS;
        let expected = json!({
            "current_hour": (orders > 0).then(|| json!({
                "hour": hour.rem_euclid(24), "top_drinks": most_ordered(current), "revenue": cents, "order_count": orders,
            })),
            "top5_drinks": most_ordered(self.0.iter().filter(month)),
            "recent_orders": self.0.iter().take(10).map(|(id, drink, store, cents, at)| json!({
                "id": id, "drink": drink, "store": store, "price": cents, "timestamp": at,
            })).collect::<Vec<_>>(),
            "stored_total": self.0.len(),
        });
        let shown = in_cents_and_micros(shown.clone());
        if shown == expected {
            return Ok(());
        }
        Err(format!("shown {shown:#}\nrecounted {expected:#}"))
    }
}

/// The five most ordered drinks; equal ones by name.
fn most_ordered<'a>(orders: impl Iterator<Item = &'a (i64, String, String, i64, i64)>) -> Vec<&'a str> {
    let mut times: BTreeMap<&str, i64> = BTreeMap::new();
    for order in orders {
        *times.entry(&order.1).or_default() += 1;
    }
    let mut ranked: Vec<_> = times.into_iter().collect();
    ranked.sort_by_key(|(_, times)| -times);
    ranked.into_iter().take(5).map(|(drink, _)| drink).collect()
}

fn in_cents_and_micros(mut shown: Value) -> Value {
    let cents = |amount: &mut Value| *amount = json!((amount.as_f64().unwrap() * 100.0).round() as i64);
    if let Some(current) = shown["current_hour"].as_object_mut() {
        cents(&mut current["revenue"]);
    }
    for order in shown["recent_orders"].as_array_mut().unwrap() {
        cents(&mut order["price"]);
        let at: jiff::Timestamp = order["timestamp"].as_str().unwrap().parse().unwrap();
        order["timestamp"] = json!(at.as_microsecond());
    }
    shown.as_object_mut().unwrap().remove("server_timestamp");
    shown
}
