//! Two nodes on a PostgreSQL have a Redis for the bus and the cache: whatever happens to it, no order waits for it, and
//! afterwards both nodes and the cache show all of them.

use std::time::Duration;

use coffee_rt::config::Version;
use coffee_rt::load::{Driver, Finished, Running};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use redis::Commands;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    Books, Database, Node, Recount, Requests, Subscriber, check_ledgers, customers, eventually, seed, within,
};

/// Load on each node.
const ORDERS_PER_SECOND: f64 = 100.0;
/// Actors killed while both nodes serve.
const KILLS: usize = 40;
/// Times that the server ends all subscriptions.
const CUTS: usize = 5;
/// How long Redis is away.
const OUTAGE: Duration = Duration::from_secs(2);
/// Orders placed one by one at the end. Without a bus the node that did not store one would read the store for each.
const LAST_ORDERS: usize = 20;
const MOST_READS: f64 = 5.0;
/// How soon the cache must equal the recount: a failed write is tried again after 1 s.
const CACHE_LIMIT: Duration = Duration::from_secs(3);

/// Those that use Redis, those beside them, and all together.
const PATHS: [&str; 6] = [
    "shared/bus-sender",
    "shared/bus-receiver",
    "shared/cache",
    "shared/aggregator",
    "shared/fan-out",
    "shared",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_show_the_same_whatever_happens_to_their_redis() {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let database = Database::redis().await;
    let nodes = [start(&database).await, start(&database).await];
    let subscribers = [
        Subscriber::connect(&nodes[0].client).await,
        Subscriber::connect(&nodes[1].client).await,
    ];
    let stop = CancellationToken::new();
    let loads = [
        load(&nodes[0], seed).start(&stop),
        load(&nodes[1], seed + 1).start(&stop),
    ];
    kill_actors(&nodes, &mut rng).await;
    cut_subscriptions(&database, &mut rng).await;
    database.redis_server().kill().await;
    tokio::time::sleep(OUTAGE).await;
    database.redis_server().start().await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    stop.cancel();
    let finished = finish(loads).await;
    for node in &nodes {
        assert!(metric(node, r#"coffee_rt_cache_writes_total{outcome="failed"} "#).await >= 1.0);
        assert!(metric(node, r#"coffee_rt_cache_writes_total{outcome="written"} "#).await >= 1.0);
    }
    assert_well(&finished, &database, &nodes, &subscribers).await;
    assert_the_bus_carries(&nodes).await;
    assert_cached(&database).await;
    let [first, second] = nodes;
    first.stop().await;
    // What the last node stored just before it stops is in the cache too.
    let answer = Requests::to(&second).post(Uuid::now_v7(), &order()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    second.stop().await;
    let recount = Recount::read(&database).await;
    recount.compare(&cached(&database)).unwrap();
}

/// A node that stores orders directly, so that it needs Redis for nothing else.
async fn start(database: &Database) -> Node {
    let mut node = Node::start_with(database, &[("COFFEE_RT_VERSIONS", "v1")]).await;
    node.version = Version::V1;
    node
}

fn load(node: &Node, seed: u64) -> Driver {
    let mut options = customers(node, seed, ORDERS_PER_SECOND);
    options.retry.max_attempts = 1;
    Driver::new(options).unwrap()
}

async fn finish(loads: [Running; 2]) -> [Finished; 2] {
    let [first, second] = loads;
    let finished = [first.finish().await, second.finish().await];
    for finished in &finished {
        let report = &finished.report;
        println!("{:?}, {:?}", report.counts, report.latency);
        let counts = (report.counts.refused, report.counts.unknown);
        assert_eq!(counts, (0, 0), "{report:#?}");
    }
    finished
}

async fn kill_actors(nodes: &[Node; 2], rng: &mut impl rand::Rng) {
    for _ in 0..KILLS {
        let (node, path) = (nodes.choose(rng).unwrap(), PATHS.choose(rng).unwrap());
        node.inject_surely(path, "kill", 1).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(10..150))).await;
    }
}

async fn cut_subscriptions(database: &Database, rng: &mut impl rand::Rng) {
    let mut cut = 0;
    for _ in 0..CUTS {
        cut += redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "pubsub"])
            .query::<i64>(&mut database.redis_client())
            .unwrap();
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..800))).await;
    }
    println!("{cut} subscriptions cut");
    assert!(cut > 0);
}

/// Nothing is lost or doubled, and both nodes and the cache show all of it.
async fn assert_well(finished: &[Finished; 2], database: &Database, nodes: &[Node; 2], subscribers: &[Subscriber; 2]) {
    let recount = Recount::read(database).await;
    for (node, subscriber) in nodes.iter().zip(subscribers) {
        recount.assert_shown_by(node).await;
        recount.assert_seen_by(subscriber).await;
    }
    assert_cached(database).await;
    let books = Books::read(database).await;
    check_ledgers(&finished.each_ref().map(|finished| &finished.ledger), &books);
    let acknowledged: u64 = finished.iter().map(|f| f.report.counts.acknowledged).sum();
    assert_eq!(database.assert_audit_clean(), acknowledged);
}

/// Orders that one node stores appear on the other, though it does not read the store for them.
async fn assert_the_bus_carries(nodes: &[Node; 2]) {
    let reads = async || {
        let name = "coffee_rt_view_hydrations_total ";
        metric(&nodes[0], name).await + metric(&nodes[1], name).await
    };
    let before = reads().await;
    let total = async |node: &Node| {
        let shown: Value = node.client.get("/api/dashboard").await.unwrap();
        shown["stored_total"].as_u64().unwrap()
    };
    let stored = total(&nodes[0]).await;
    for n in 0..LAST_ORDERS {
        let answer = Requests::to(&nodes[n % 2]).post(Uuid::now_v7(), &order()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for node in nodes {
            eventually("the order is shown", async || match total(node).await {
                shown if shown == stored + n as u64 + 1 => Ok(()),
                shown => Err(shown.to_string()),
            })
            .await;
        }
    }
    let reads = reads().await - before;
    println!("{LAST_ORDERS} orders, {reads} reads of the store");
    assert!(
        reads <= MOST_READS,
        "the bus does not carry: {reads} reads of the store"
    );
}

/// What the cache holds becomes what was recounted, and soon.
async fn assert_cached(database: &Database) {
    within(CACHE_LIMIT, "the cache equals the recount", async || {
        Recount::read(database).await.compare(&cached(database))
    })
    .await;
}

/// The keys put together as the dashboard that they stand for.
fn cached(database: &Database) -> Value {
    let mut client = database.redis_client();
    let now = jiff::Timestamp::now();
    let number = now.as_second() / 3_600 % 24;
    let hour: std::collections::BTreeMap<String, String> = client.hgetall(format!("metrics:hourly:{number}")).unwrap();
    let current = hour.get("order_count").map(|orders| {
        let drinks: Value = serde_json::from_str(&hour["top_drinks"]).unwrap();
        json!({"hour": number, "top_drinks": drinks, "revenue": hour["revenue"].parse::<f64>().unwrap(),
            "order_count": orders.parse::<u64>().unwrap()})
    });
    let recent: Vec<String> = client.lrange("orders:recent", 0, -1).unwrap();
    let recent: Vec<Value> = recent.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let top: Vec<String> = client.lrange("metrics:top5", 0, -1).unwrap();
    let total: Option<u64> = client.get("metrics:stored_total").unwrap();
    json!({"current_hour": current, "top5_drinks": top, "recent_orders": recent, "stored_total": total,
        "server_timestamp": now.to_string()})
}

async fn metric(node: &Node, series: &str) -> f64 {
    let text = Requests::to(node).get("/metrics").await.body;
    let value = text.lines().find_map(|line| line.strip_prefix(series));
    value
        .unwrap_or_else(|| panic!("no {series} in {text}"))
        .parse()
        .unwrap()
}

fn order() -> String {
    let now = jiff::Timestamp::now();
    format!(r#"{{"drink":"latte","store":"uptown","price":4.50,"timestamp":"{now}"}}"#)
}
