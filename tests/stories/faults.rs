//! Every actor and supervisor is killed, panicked and stalled under load, and nobody outside notices.

use std::time::Duration;

use coffee_rt::load::Driver;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::{Books, Database, Node, Subscriber, check_ledger, customers, eventually, on_every_way, seed};

/// All faults together.
const FAULTS: usize = 200;
/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 400.0;

on_every_way!(no_fault_in_the_tree_is_seen_from_outside);

async fn no_fault_in_the_tree_is_seen_from_outside(database: Database) {
    let seed = seed();
    let node = Node::start(&database).await;
    node.until_it_carries(&database).await;
    let subscribers = [
        Subscriber::connect(&node.client).await,
        Subscriber::connect(&node.client).await,
    ];
    let stop = CancellationToken::new();
    let mut options = customers(&node, seed, ORDERS_PER_SECOND);
    options.retry.max_attempts = 1;
    let load = Driver::new(options).unwrap().start(&stop);

    let injected = inject_everywhere(&node, &database, seed).await;
    assert_eq!(injected, FAULTS);
    stop.cancel();
    let finished = load.finish().await;

    let report = &finished.report;
    assert_eq!(report.broken_promises, 0, "{:?}", report.broken);
    assert_eq!(
        (report.counts.refused, report.counts.unknown),
        (0, 0),
        "{report:#?}\n{}",
        node.log()
    );
    node.until_stored().await;
    let books = Books::read(&database).await;
    check_ledger(&finished.ledger, &books);
    assert_eq!(books.rows as u64, report.counts.acknowledged);
    assert_eq!(database.assert_audit_clean(), report.counts.acknowledged);
    for subscriber in &subscribers {
        eventually("the dashboard equals the recount", async || {
            match subscriber.stored_total() {
                total if total == report.counts.acknowledged => Ok(()),
                total => Err(format!("{total} of {}", report.counts.acknowledged)),
            }
        })
        .await;
        assert_eq!(subscriber.seen().closed, None);
    }
    assert_counts_of_the_dashboard(&node, &database).await;
    node.stop().await;
}

/// Each actor in turn is killed, panicked and stalled, in random order, until [`FAULTS`] were injected.
async fn inject_everywhere(node: &Node, database: &Database, seed: u64) -> usize {
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let paths = node.actor_paths().await;
    let mut round: Vec<(String, &str)> = Vec::new();
    let mut injected = 0;
    while injected < FAULTS {
        let (path, mode) = match round.pop() {
            Some(next) => next,
            None => {
                let all = paths
                    .iter()
                    .flat_map(|path| ["kill", "panic", "stall"].map(|mode| (path.clone(), mode)));
                round = all.collect();
                round.shuffle(&mut rng);
                continue;
            }
        };
        let millis = rng.random_range(20..300);
        node.inject_surely(&path, mode, millis).await;
        injected += 1;
        if injected % 50 == 0 {
            database.assert_audit_clean();
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(10..150))).await;
    }
    injected
}

/// The hour's figures on the dashboard are those of the rows.
async fn assert_counts_of_the_dashboard(node: &Node, database: &Database) {
    let dashboard: Value = node.client.get("/api/dashboard").await.unwrap();
    assert_eq!(dashboard["recent_orders"].as_array().unwrap().len(), 10);
    let ids: Vec<i64> = dashboard["recent_orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["id"].as_i64().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!(
        dashboard["stored_total"].as_u64().unwrap(),
        database.assert_audit_clean()
    );
}
