//! The metrics under the Python original's keys in a real Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::own_service::OwnService;
use crate::store_support::{DEADLINE, orders};
use coffee_rt::adapters::redis::{RedisCache, STORED_TOTAL_MS};
use coffee_rt_actors::domain::{Cents, Instant, Item};
use coffee_rt_actors::ports::{CacheWrite, CachedMetrics, Horizon, HourCell, MetricsCache, Snapshot};
use coffee_rt_actors::view::View;
use redis::{Commands, FromRedisValue};
use serde_json::json;

const HOUR_SECONDS: i64 = 3_600;

struct Fixture {
    server: OwnService,
    cache: RedisCache,
}

impl Fixture {
    async fn start() -> Self {
        let server = OwnService::up("redis").await;
        let cache = RedisCache::new(&server.url).unwrap();
        Self { server, cache }
    }

    async fn write(&self, metrics: &CachedMetrics) -> CacheWrite {
        self.cache.write(metrics).await.unwrap()
    }

    fn hour(&self, hour: i64) -> BTreeMap<String, String> {
        self.server.redis_client().hgetall(hourly(hour)).unwrap()
    }

    fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]).query(&mut self.server.redis_client()).unwrap()
    }
}

fn hourly(hour: i64) -> String {
    format!("metrics:hourly:{}", hour.rem_euclid(24))
}

fn now() -> Instant {
    Instant::now()
}

/// What a node knows at `now` after so many orders in each of these hours.
fn metrics(now: Instant, hours: &[(i64, u64)]) -> CachedMetrics {
    let cell = |(hour, orders): &(i64, u64)| HourCell {
        hour: *hour,
        store: Item::from("uptown"),
        drink: Item::from(if orders % 2 == 0 { "latte" } else { "americano" }),
        orders: *orders,
        amount: Cents(i64::try_from(*orders).unwrap() * 425),
    };
    let stored_total = hours.iter().map(|(_, orders)| orders).sum();
    let recent = orders(usize::try_from(stored_total).unwrap().min(10));
    let snapshot = Snapshot {
        stored_total,
        hours: hours.iter().map(cell).collect(),
        recent: (1..=10)
            .rev()
            .zip(&recent)
            .map(|(id, order)| order.stored_as(id))
            .collect(),
        ..Snapshot::default()
    };
    View::of_snapshot(snapshot, Horizon::at(now)).cached_metrics(now)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_hold_what_the_dashboard_shows() {
    let fixture = Fixture::start().await;
    let (now, hour) = (now(), now().hour());
    let written = metrics(now, &[(hour - 1, 3), (hour, 4)]);
    assert_eq!(fixture.write(&written).await, CacheWrite::Written);

    let start = Instant(hour * HOUR_SECONDS * 1_000_000).to_string();
    let expected = [
        ("hour_start", start.as_str()),
        ("order_count", "4"),
        ("revenue", "17"),
        ("top_drinks", r#"["latte"]"#),
        ("stored_total", "7"),
        ("updated_at", &now.to_string()),
    ];
    assert_eq!(
        fixture.hour(hour),
        expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    );
    assert_eq!(fixture.hour(hour - 1)["revenue"], "12.75");
    let mut client = fixture.server.redis_client();
    let top: Vec<String> = client.lrange("metrics:top5", 0, -1).unwrap();
    assert_eq!(top, ["latte", "americano"]);
    let recent: Vec<String> = client.lrange("orders:recent", 0, -1).unwrap();
    let recent: Vec<serde_json::Value> = recent.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(json!(recent), json!(written.dashboard.recent_orders));
    assert_eq!((recent.len(), &recent[0]["id"]), (7, &json!(10)));
    let mut keys: Vec<String> = client.keys("*").unwrap();
    keys.sort();
    let mut expected = [
        hourly(hour),
        hourly(hour - 1),
        "metrics:stored_total".to_owned(),
        "metrics:top5".to_owned(),
        "orders:recent".to_owned(),
    ];
    expected.sort();
    assert_eq!(keys, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hour_is_there_when_the_same_hour_of_the_next_day_begins() {
    let fixture = Fixture::start().await;
    let (now, hour) = (now(), now().hour());
    let day: Vec<(i64, u64)> = (hour - 30..=hour).map(|hour| (hour, 1)).collect();
    fixture.write(&metrics(now, &day)).await;
    for cached in hour - 22..=hour {
        let expires: i64 = fixture.ask(&["EXPIRETIME", &hourly(cached)]);
        assert_eq!(expires, (cached + 23) * HOUR_SECONDS, "of hour {cached}");
    }
    assert_eq!(fixture.hour(hour - 23), BTreeMap::new());
    // A node whose clock is two days behind leaves nothing of these days behind.
    let past = Instant(now.0 - 48 * HOUR_SECONDS * 1_000_000);
    let day: Vec<_> = day.iter().map(|(hour, orders)| (hour - 48, orders + 1)).collect();
    assert_eq!(fixture.write(&metrics(past, &day)).await, CacheWrite::Written);
    let left: Vec<String> = fixture.server.redis_client().keys("metrics:hourly:*").unwrap();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lags_overwrites_nothing_until_the_newer_one_is_gone() {
    let fixture = Fixture::start().await;
    let (now, hour) = (now(), now().hour());
    let newer = metrics(now, &[(hour - 2, 5), (hour, 5)]);
    let older = metrics(now, &[(hour, 9)]);
    assert_eq!(fixture.write(&newer).await, CacheWrite::Written);
    assert_eq!(fixture.write(&older).await, CacheWrite::Outdated);
    assert_eq!(fixture.hour(hour)["order_count"], "5");
    let recent: Vec<String> = fixture.server.redis_client().lrange("orders:recent", 0, -1).unwrap();
    assert_eq!(recent.len(), 10);
    assert_eq!(fixture.write(&newer).await, CacheWrite::Written);

    // A store that begins anew has fewer orders: it waits for the other number to expire.
    let left: i64 = fixture.ask(&["PTTL", "metrics:stored_total"]);
    assert!((1..=i64::try_from(STORED_TOTAL_MS).unwrap()).contains(&left), "{left}");
    let _: i64 = fixture.ask(&["PEXPIRE", "metrics:stored_total", "1"]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(fixture.write(&older).await, CacheWrite::Written);
    assert_eq!(fixture.hour(hour)["order_count"], "9");
    assert_eq!(fixture.hour(hour - 2), BTreeMap::new());
    let _: i64 = fixture.ask(&["DEL", "metrics:stored_total"]);
    assert_eq!(fixture.write(&metrics(now, &[])).await, CacheWrite::Written);
    let keys: Vec<String> = fixture.server.redis_client().keys("*").unwrap();
    assert_eq!(keys, ["metrics:stored_total"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_changed_is_written_and_whatever_was_there_gives_way() {
    let fixture = Fixture::start().await;
    let (now, hour) = (now(), now().hour());
    let mut client = fixture.server.redis_client();
    let _: () = client.set("metrics:top5", "another program's").unwrap();
    let _: () = client.set(hourly(hour), "another program's").unwrap();
    let _: () = client.hset("orders:recent", "a", "b").unwrap();
    // Of yesterday, by a program that let it stay.
    let _: () = client.hset(hourly(hour - 1), "order_count", "2").unwrap();
    fixture.write(&metrics(now, &[(hour - 1, 2), (hour, 1)])).await;
    let later = Instant(now.0 + 1);
    fixture.write(&metrics(later, &[(hour - 1, 2), (hour, 2)])).await;
    let (before, present) = (fixture.hour(hour - 1), fixture.hour(hour));
    assert_eq!((&*before["order_count"], &*before["stored_total"]), ("2", "3"));
    assert_eq!(before["updated_at"], now.to_string());
    assert_eq!((&*present["order_count"], &*present["stored_total"]), ("2", "4"));
    assert_eq!(present["updated_at"], later.to_string());
    assert!(fixture.ask::<i64>(&["TTL", &hourly(hour - 1)]) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_lost_everything_is_written_again() {
    let fixture = Fixture::start().await;
    let (now, hour) = (now(), now().hour());
    let written = metrics(now, &[(hour, 4)]);
    fixture.write(&written).await;
    let _: () = fixture.ask(&["FLUSHALL"]);
    let _: () = fixture.ask(&["SCRIPT", "FLUSH"]);
    assert_eq!(fixture.write(&written).await, CacheWrite::Written);
    assert_eq!(fixture.hour(hour)["order_count"], "4");

    fixture.server.kill().await;
    let away = fixture.cache.write(&written).await.unwrap_err().to_string();
    assert!(away.starts_with("the cache is away"), "{away}");
    fixture.server.start().await;
    let began = std::time::Instant::now();
    while fixture.cache.write(&written).await.is_err() {
        assert!(began.elapsed() < DEADLINE, "the cache does not heal");
    }
    assert_eq!(fixture.hour(hour)["order_count"], "4");
}
