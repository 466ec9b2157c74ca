//! A tree that fails without end is given up, with a reason; one that fails ten times a second is not.

use std::time::{Duration, Instant};

use coffee_rt::load::Driver;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::support::{Books, Database, Node, check_ledger, customers, eventually, on_every_way, seed};

/// Faults that must not melt the tree down.
const FAULTS_PER_SECOND: u64 = 10;
const FAULT_SECONDS: u64 = 20;
/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 200.0;
/// The exit code of a node whose tree gave up (`EX_SOFTWARE`).
const MELTDOWN: i32 = 70;
/// Looking takes as long as killing, and kills must come fast.
const KILLS_BETWEEN_LOOKS: u32 = 10;
/// Longer than every backoff of all rounds together.
const MELTDOWN_LIMIT: Duration = Duration::from_secs(60);

on_every_way!(ten_faults_a_second_are_borne);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_crash_loop_ends_the_node() {
    let database = Database::sqlite();
    let mut node = Node::start(&database).await;
    let (began, mut kills, mut restarts) = (Instant::now(), 0, 0);
    while began.elapsed() < MELTDOWN_LIMIT {
        if kills % KILLS_BETWEEN_LOOKS == 0 {
            let Ok(tree) = node.client.get::<Value>("/api/actors").await else {
                break;
            };
            let v1 = restarts_of(&tree, "v1");
            if v1 > restarts {
                restarts = v1;
                println!("v1 restarted by the root after {kills} kills and {:?}", began.elapsed());
            }
        }
        match node.try_inject("v1/batcher-0", "kill", 1).await {
            Ok(true) => kills += 1,
            Ok(false) => tokio::time::sleep(Duration::from_millis(2)).await,
            Err(_) => break,
        }
    }
    let status = node.until_exit().await;
    println!("{status} after {kills} kills and {:?}", began.elapsed());
    assert_eq!(status.code(), Some(MELTDOWN), "{}", node.log());
    assert_eq!(restarts, 3, "the root brings its branch back before it gives up");
    eventually("the reason is told", async || {
        let log = node.log();
        let line = log
            .lines()
            .find(|line| line.starts_with("coffee-rt: "))
            .ok_or(log.clone())?;
        println!("{line}");
        assert!(line.contains("root gave up") && line.contains("v1"), "{line}");
        Ok(())
    })
    .await;
}

async fn ten_faults_a_second_are_borne(database: Database) {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let node = Node::start(&database).await;
    node.until_it_carries(&database).await;
    let stop = CancellationToken::new();
    let mut options = customers(&node, seed, ORDERS_PER_SECOND);
    options.retry.max_attempts = 1;
    let load = Driver::new(options).unwrap().start(&stop);
    let paths = node.actor_paths().await;
    let (began, mut injected) = (Instant::now(), 0);
    let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / FAULTS_PER_SECOND));
    // Not several at once where the machine stood still.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..FAULTS_PER_SECOND * FAULT_SECONDS {
        ticks.tick().await;
        let path = paths.choose(&mut rng).unwrap();
        let mode = if rng.random_bool(0.5) { "kill" } else { "panic" };
        injected += u64::from(node.inject(path, mode, 1).await);
    }
    println!("{injected} faults within {:?}", began.elapsed());
    assert!(injected > FAULTS_PER_SECOND * FAULT_SECONDS * 9 / 10, "{injected}");
    stop.cancel();
    let finished = load.finish().await;
    let report = &finished.report;
    println!("{:?}, {:?}", report.counts, report.latency);
    assert_eq!((report.counts.refused, report.counts.unknown), (0, 0), "{report:#?}");
    assert_eq!(report.broken_promises, 0, "{:?}", report.broken);
    node.until_stored().await;
    check_ledger(&finished.ledger, &Books::read(&database).await);
    assert_eq!(database.assert_audit_clean(), report.counts.acknowledged);
    assert!(!node.log().contains("gave up"), "{}", node.log());
    node.until_ready().await;
    node.stop().await;
}

fn restarts_of(tree: &Value, path: &str) -> u64 {
    let actors = tree["actors"].as_array().unwrap();
    let actor = actors.iter().find(|actor| actor["path"] == path);
    actor.unwrap()["restarts"].as_u64().unwrap()
}
