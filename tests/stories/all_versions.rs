//! One node runs all three trees beside each other, on one store and with one dashboard.

use std::time::Duration;

use coffee_rt::config::Version;
use coffee_rt::load::Driver;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Books, Database, Kafka, Node, Recount, Requests, Subscriber, check_ledgers, customers, eventually, patient, seed,
};

/// Load on each version.
const ORDERS_PER_SECOND: f64 = 150.0;
/// Actors killed meanwhile.
const KILLS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_versions_in_one_node_store_each_order_once() {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let database = Database::redis().await.through_topic(Kafka::shared());
    let node = Node::start(&database).await;
    node.until_it_carries(&database).await;
    let subscriber = Subscriber::connect(&node.client).await;
    let stop = CancellationToken::new();
    let loads = [Version::V1, Version::V2, Version::V3].map(|version| {
        let mut options = patient(customers(&node, seed.wrapping_add(version as u64), ORDERS_PER_SECOND));
        options.version = version;
        Driver::new(options).unwrap().start(&stop)
    });
    let paths = node.actor_paths().await;
    for _ in 0..KILLS {
        let path = paths.choose(&mut rng).unwrap();
        node.inject_surely(path, ["kill", "panic"].choose(&mut rng).unwrap(), 1)
            .await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(20..150))).await;
    }
    stop.cancel();
    let mut finished = Vec::new();
    for load in loads {
        finished.push(load.finish().await);
    }
    node.until_stored().await;
    let ledgers: Vec<_> = finished.iter().map(|one| &one.ledger).collect();
    check_ledgers(&ledgers, &Books::read(&database).await);
    let acknowledged: u64 = finished.iter().map(|one| one.report.counts.acknowledged).sum();
    assert_eq!(database.assert_audit_clean(), acknowledged);
    eventually("all versions are shown", async || all_are_shown(&node).await).await;
    let recount = Recount::read(&database).await;
    recount.assert_shown_by(&node).await;
    recount.assert_seen_by(&subscriber).await;
    node.stop().await;
}

/// Readiness, metrics and the tree cover each version; what is asked for now and then is up to date a moment later.
async fn all_are_shown(node: &Node) -> Result<(), String> {
    let ready = Requests::to(node).get("/readyz").await;
    let metrics = Requests::to(node).get("/metrics").await.body;
    let paths = node.actor_paths().await;
    let shown: Value = serde_json::from_str(&ready.body).unwrap();
    let all = ["v1", "v2", "v3"].iter().all(|version| {
        let created = format!("version=\"{version}\"}}");
        let counted = metrics
            .lines()
            .filter(|line| line.starts_with("orders_created_total{"))
            .any(|line| line.contains(&created));
        counted && shown["components"][version]["state"] == "up" && paths.iter().any(|path| path == version)
    });
    let no_lag = metrics.contains("coffee_rt_log_partition_lag_orders{partition=\"3\",version=\"v3\"} 0");
    if ready.status == 200 && all && no_lag {
        Ok(())
    } else {
        Err(format!("{ready:?}\n{paths:?}\n{metrics}"))
    }
}
