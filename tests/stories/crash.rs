//! `kill -9` of the node under load, again and again: every acknowledged order is there afterwards.

use std::time::Duration;

use coffee_rt::load::Driver;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::support::{Books, Database, Node, check_ledger, customers, on_every_way, patient, seed};

/// How often the node is killed.
const CRASHES: usize = 20;
/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 400.0;

on_every_way!(a_killed_node_keeps_its_promises);

async fn a_killed_node_keeps_its_promises(database: Database) {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut node = Node::start(&database).await;
    let address = node.address();
    let stop = CancellationToken::new();
    let options = patient(customers(&node, seed, ORDERS_PER_SECOND));
    let load = Driver::new(options).unwrap().start(&stop);
    for _ in 0..CRASHES {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..400))).await;
        node.crash();
        node = Node::spawn(&database, &address, &[]).await;
        node.until_ready().await;
        database.assert_audit_clean();
    }
    stop.cancel();
    let finished = load.finish().await;
    assert_eq!(finished.report.broken_promises, 0, "{:?}", finished.report.broken);
    assert_eq!(finished.report.counts.unknown, 0, "{:#?}", finished.report);
    node.until_stored().await;
    let books = Books::read(&database).await;
    check_ledger(&finished.ledger, &books);
    assert_eq!(database.assert_audit_clean(), finished.report.counts.acknowledged);
    node.stop().await;
}
