//! PostgreSQL stops, crashes, or is not there yet: the node says so, waits, and goes on by itself.

use std::time::{Duration, Instant};

use coffee_rt::load::Driver;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    Books, Database, Node, OwnService, Recount, Requests, Subscriber, check_ledger, customers, eventually, patient,
    seed, within,
};

/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 200.0;
/// How long PostgreSQL is away.
const OUTAGE: Duration = Duration::from_secs(5);
/// How soon the node must show that its store is away: it asks every 0.5 s and waits up to 2 s.
const NOTICE_LIMIT: Duration = Duration::from_secs(4);
/// How soon after PostgreSQL is back the node must be ready.
const RECOVERY_LIMIT: Duration = Duration::from_secs(5);
const ORDER: &str = r#"{"drink":"latte","store":"uptown","price":4.50,"timestamp":"2026-01-01T00:00:00Z"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_outlives_its_database() {
    let seed = seed();
    let server = OwnService::up("postgres").await;
    let database = Database::at(&server.url);
    let node = Node::start(&database).await;
    let subscribers = [
        Subscriber::connect(&node.client).await,
        Subscriber::connect(&node.client).await,
    ];
    let stop = CancellationToken::new();
    let options = patient(customers(&node, seed, ORDERS_PER_SECOND));
    let load = Driver::new(options).unwrap().start(&stop);

    tokio::time::sleep(Duration::from_secs(1)).await;
    server.stop().await;
    while_away(&node).await;
    come_back(&server, &node, "stop").await;
    database.assert_audit_clean();
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.kill().await;
    until_not_ready(&node).await;
    come_back(&server, &node, "kill").await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    stop.cancel();
    let finished = load.finish().await;
    let report = &finished.report;
    println!("{:?}, refused {:?}", report.counts, report.refused_by_status);
    assert_eq!(report.broken_promises, 0, "{:?}", report.broken);
    assert_eq!((report.counts.refused, report.counts.unknown), (0, 0), "{report:#?}");
    assert_eq!(
        report.refused_by_status.keys().collect::<Vec<_>>(),
        [&503],
        "an outage of {OUTAGE:?} is longer than orders wait"
    );
    assert_eq!(report.refused_by_status[&503].without_retry_after, 0);
    check_ledger(&finished.ledger, &Books::read(&database).await);
    assert_eq!(database.assert_audit_clean(), report.counts.acknowledged);
    let recount = Recount::read(&database).await;
    recount.assert_shown_by(&node).await;
    for subscriber in &subscribers {
        recount.assert_seen_by(subscriber).await;
    }
    assert_nothing_restarted(&node).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_waits_for_its_database() {
    let server = OwnService::up("postgres").await;
    server.stop().await;
    let database = Database::at(&server.url);
    let node = Node::spawn(&database, "127.0.0.1:0", &[]).await;
    until_not_ready(&node).await;
    let customer = Requests::to(&node);
    let key = Uuid::now_v7();
    let began = Instant::now();
    customer.post(key, ORDER).await.assert_refused_for_now();
    println!("refused after {:?}", began.elapsed());
    assert_alive(&node).await;
    come_back(&server, &node, "absence").await;
    let stored = customer.post(key, ORDER).await;
    assert_eq!(stored.status, 200, "{stored:?}");
    assert_eq!(database.assert_audit_clean(), 1);
    assert_nothing_restarted(&node).await;
    node.stop().await;
}

/// Not ready but alive for the whole outage, and orders are refused at once after the first seconds.
async fn while_away(node: &Node) {
    let (client, until) = (Requests::to(node), Instant::now() + OUTAGE);
    until_not_ready(node).await;
    while Instant::now() < until {
        assert_alive(node).await;
        let ready = client.get("/readyz").await;
        assert_eq!(ready.status, 503, "ready without a store: {ready:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until_not_ready(node: &Node) {
    let client = Requests::to(node);
    within(NOTICE_LIMIT, "the node is not ready", async || {
        match client.get("/readyz").await {
            answer if answer.status == 503 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    })
    .await;
}

async fn come_back(server: &OwnService, node: &Node, after: &str) {
    server.start().await;
    let began = Instant::now();
    within(RECOVERY_LIMIT, "the node is ready again", async || {
        let ready = node.client.get::<Value>("/readyz").await;
        ready.map(drop).map_err(|error| format!("{error}\n{}", node.log()))
    })
    .await;
    println!("ready {:?} after the database came back from {after}", began.elapsed());
}

async fn assert_alive(node: &Node) {
    node.client.get::<Value>("/livez").await.unwrap();
}

/// An absent store is no failure of an actor.
async fn assert_nothing_restarted(node: &Node) {
    eventually("the tree can be read", async || {
        let tree: Value = node
            .client
            .get("/api/actors")
            .await
            .map_err(|error| error.to_string())?;
        for actor in tree["actors"].as_array().unwrap() {
            assert_eq!(actor["restarts"], 0, "{actor}");
        }
        Ok(())
    })
    .await;
}
