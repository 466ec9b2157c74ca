//! Three nodes share a log and a database, and one of them is killed every few seconds for two minutes.

use std::time::{Duration, Instant};

use coffee_rt::config::Version;
use coffee_rt::load::Driver;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Books, Database, Node, Recount, Subscriber, check_ledgers, customers, eventually, patient, seed, through_a_log,
};

/// Load on each node.
const ORDERS_PER_SECOND: f64 = 100.0;
/// How long nodes are killed.
const KILLING: Duration = Duration::from_secs(120);
/// Between two kills.
const PAUSE_MS: std::ops::Range<u64> = 1_000..4_000;

through_a_log!(nodes_join_leave_and_die);

async fn nodes_join_leave_and_die(database: Database) {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(&database).await);
    }
    let stop = CancellationToken::new();
    let loads: Vec<_> = nodes
        .iter()
        .zip(0..)
        .map(|(node, n)| {
            let mut options = patient(customers(node, seed.wrapping_add(n), ORDERS_PER_SECOND));
            options.duration = Some(KILLING * 2);
            Driver::new(options).unwrap().start(&stop)
        })
        .collect();

    let (began, mut kills) = (Instant::now(), 0);
    while began.elapsed() < KILLING {
        tokio::time::sleep(Duration::from_millis(rng.random_range(PAUSE_MS))).await;
        let victim = nodes.swap_remove(rng.random_range(0..nodes.len()));
        let address = victim.address();
        // Now and then one leaves in good order.
        if rng.random_bool(0.2) {
            victim.stop().await;
        } else {
            victim.crash();
        }
        let next = Node::spawn(&database, &address, &[]).await;
        next.until_ready().await;
        nodes.push(next);
        kills += 1;
        database.assert_audit_clean();
    }
    stop.cancel();
    let mut finished = Vec::new();
    for load in loads {
        finished.push(load.finish().await);
    }
    for node in &nodes {
        node.until_stored().await;
    }

    let acknowledged: u64 = finished.iter().map(|one| one.report.counts.acknowledged).sum();
    println!("{kills} nodes gone, {acknowledged} orders acknowledged");
    for one in &finished {
        assert_eq!(one.report.broken_promises, 0, "{:?}", one.report.broken);
        assert_eq!(
            (one.report.counts.refused, one.report.counts.unknown),
            (0, 0),
            "{:#?}",
            one.report
        );
    }
    let recount = Recount::read(&database).await;
    for node in &nodes {
        recount.assert_shown_by(node).await;
        recount.assert_seen_by(&Subscriber::connect(&node.client).await).await;
    }
    let ledgers: Vec<_> = finished.iter().map(|one| &one.ledger).collect();
    check_ledgers(&ledgers, &Books::read(&database).await);
    assert_eq!(database.assert_audit_clean(), acknowledged);
    if database.version() == Version::V3 {
        database.assert_each_record_was_stored_once().await;
    } else {
        assert_no_consumers_stay(&database).await;
    }
    for node in nodes {
        node.stop().await;
    }
}

/// Consumers of dead nodes are forgotten once nothing of theirs is left.
async fn assert_no_consumers_stay(database: &Database) {
    let mut redis = database.redis_client();
    eventually("only living consumers are left", async || {
        let mut ask = ::redis::cmd("XINFO");
        let consumers: Vec<::redis::Value> = ask
            .arg("CONSUMERS")
            .arg("orders:stream")
            .arg("order-workers")
            .query(&mut redis)
            .unwrap();
        match consumers.len() {
            3 => Ok(()),
            count => Err(format!("{count} consumers")),
        }
    })
    .await;
}
