//! Two nodes share a PostgreSQL: each shows what both stored, whatever dies on either and between them.

use std::collections::BTreeSet;
use std::time::Duration;

use coffee_rt::load::{Driver, Finished, Running};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    Books, Database, Node, Recount, Requests, Subscriber, check_ledgers, customers, eventually, seed,
};

/// Load on each node.
const ORDERS_PER_SECOND: f64 = 200.0;
/// Actors killed while both nodes serve.
const KILLS: usize = 60;
/// Rounds in which the server ends connections: listeners in each, everything in the last ones.
const TERMINATIONS: usize = 10;
/// How often a node is killed and comes back.
const CRASHES: usize = 4;
/// Keys that both nodes get at the same moment, twice each.
const SHARED_KEYS: usize = 100;

/// Who listens to the bus.
const LISTENERS: &str = "query LIKE 'LISTEN %'";
const EVERYBODY: &str = "true";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_show_the_same_whatever_dies_between_them() {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let database = Database::postgres().await;
    let nodes = [Node::start(&database).await, Node::start(&database).await];
    let subscribers = [
        Subscriber::connect(&nodes[0].client).await,
        Subscriber::connect(&nodes[1].client).await,
    ];
    let stop = CancellationToken::new();
    let loads = [start(&nodes[0], seed, 1, &stop), start(&nodes[1], seed + 1, 1, &stop)];

    let shards = eventually("each node has committed", async || {
        let shards = shards(&database).await;
        if shards.len() == 2 && shards.iter().all(|(_, _, commits)| *commits > 0) {
            Ok(shards)
        } else {
            Err(format!("{shards:?}"))
        }
    })
    .await;
    println!("shards as (slot, epoch, commits): {shards:?}");
    assert_eq!(
        shards
            .iter()
            .map(|(slot, epoch, _)| (*slot, *epoch))
            .collect::<Vec<_>>(),
        [(0, 1), (1, 1)],
        "each node has a shard of its own and claimed it once"
    );
    kill_actors(&nodes, &mut rng).await;
    let mut ended = 0;
    for n in 0..TERMINATIONS {
        let whom = if n + 3 < TERMINATIONS { LISTENERS } else { EVERYBODY };
        ended += terminate(&database, whom).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..800))).await;
    }
    println!("{KILLS} kills, {ended} connections ended");

    let finished = finish(loads, &stop).await;
    for (finished, node) in finished.iter().zip(&nodes) {
        let report = &finished.report;
        let counts = (report.counts.refused, report.counts.unknown);
        assert_eq!(counts, (0, 0), "{report:#?}\n{}", node.log());
    }
    assert_well(&finished, &database, &nodes, &subscribers).await;
    let slots = self::shards(&database).await;
    println!("shards at the end: {slots:?}");
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_dies_and_the_other_goes_on() {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let database = Database::postgres().await;
    let stays = Node::start(&database).await;
    let mut dies = Node::start(&database).await;
    let address = dies.address();
    let subscriber = Subscriber::connect(&stays.client).await;
    let stop = CancellationToken::new();
    let loads = [start(&stays, seed, 1, &stop), start(&dies, seed + 1, 200, &stop)];
    for _ in 0..CRASHES {
        tokio::time::sleep(Duration::from_millis(rng.random_range(300..1_500))).await;
        dies.crash();
        dies = Node::spawn(&database, &address, &[]).await;
        dies.until_ready().await;
        database.assert_audit_clean();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let finished = finish(loads, &stop).await;
    for finished in &finished {
        assert_eq!(finished.report.counts.unknown, 0, "{:#?}", finished.report);
        assert_eq!(finished.report.counts.refused, 0, "{:#?}", finished.report);
    }
    let nodes = [stays, dies];
    let subscribers = [subscriber, Subscriber::connect(&nodes[1].client).await];
    assert_well(&finished, &database, &nodes, &subscribers).await;
    let shards = shards(&database).await;
    println!("shards after {CRASHES} crashes: {shards:?}");
    // The server may still hold a dead node's slot for a moment: the next one then takes another, never one more each time.
    assert!(shards.len() <= 3, "crashes multiply shards: {shards:?}");
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_nodes_answer_a_key_alike() {
    let database = Database::postgres().await;
    let nodes = [Node::start(&database).await, Node::start(&database).await];
    let posters = nodes.each_ref().map(Requests::to);
    let mut keys = BTreeSet::new();
    let mut rounds = Vec::new();
    for n in 0..SHARED_KEYS {
        let key = Uuid::now_v7();
        keys.insert(key);
        let now = jiff::Timestamp::now();
        let order = format!(
            r#"{{"drink":"latte","store":"uptown","price":{}.25,"timestamp":"{now}"}}"#,
            n % 9 + 1
        );
        for poster in posters.iter().chain(&posters) {
            let (poster, order) = (poster.clone(), order.clone());
            rounds.push((key, tokio::spawn(async move { poster.post(key, &order).await })));
        }
    }
    let mut answers = std::collections::BTreeMap::new();
    for (key, round) in rounds {
        let answer = round.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let first = answers.entry(key).or_insert_with(|| answer.clone());
        assert_eq!(*first, answer, "two answers for one key");
    }
    let books = Books::read(&database).await;
    assert_eq!((books.rows, books.times.len()), (SHARED_KEYS, SHARED_KEYS));
    assert!(keys.iter().all(|key| books.times[key] == 1));
    assert_eq!(database.assert_audit_clean(), SHARED_KEYS as u64);
    let recount = Recount::read(&database).await;
    for node in nodes {
        recount.assert_shown_by(&node).await;
        node.stop().await;
    }
}

fn start(node: &Node, seed: u64, max_attempts: u32, stop: &CancellationToken) -> Running {
    let mut options = customers(node, seed, ORDERS_PER_SECOND);
    options.retry.max_attempts = max_attempts;
    options.retry.deadline = Duration::from_secs(60);
    options.retry.repeat_refused = true;
    Driver::new(options).unwrap().start(stop)
}

async fn finish(loads: [Running; 2], stop: &CancellationToken) -> [Finished; 2] {
    stop.cancel();
    let [first, second] = loads;
    let finished = [first.finish().await, second.finish().await];
    for finished in &finished {
        println!("{:?}, {:?}", finished.report.counts, finished.report.latency);
    }
    finished
}

/// Those that pass deltas on, and one that stores.
async fn kill_actors(nodes: &[Node; 2], rng: &mut impl rand::Rng) {
    let paths = [
        "shared/bus-sender",
        "shared/bus-receiver",
        "shared/aggregator",
        "shared/fan-out",
        "shared/store-watch",
        "v1/batcher-0",
    ];
    for _ in 0..KILLS {
        let (node, path) = (nodes.choose(rng).unwrap(), paths.choose(rng).unwrap());
        node.inject_surely(path, "kill", 1).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(10..150))).await;
    }
}

/// Ends the nodes' connections, as soon as there are some. Returns how many.
async fn terminate(database: &Database, whom: &str) -> i64 {
    let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = 'coffee-rt' AND datname = current_database() AND {whom}"
    );
    eventually("somebody is there to end", async || {
        let ended = sqlx::query_scalar(sqlx::AssertSqlSafe(&*sql)).fetch_one(&mut conn);
        match ended.await.unwrap() {
            0 => Err(whom.to_owned()),
            ended => Ok(ended),
        }
    })
    .await
}

/// Slot, epoch and commits of each shard.
async fn shards(database: &Database) -> Vec<(i32, i64, i64)> {
    let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
    sqlx::query_as("SELECT slot, epoch, seq FROM coffee_rt.shards WHERE source = 'v1' ORDER BY slot")
        .fetch_all(&mut conn)
        .await
        .unwrap()
}

/// Nothing is lost or doubled, and both nodes show all of it.
async fn assert_well(finished: &[Finished; 2], database: &Database, nodes: &[Node; 2], subscribers: &[Subscriber; 2]) {
    let recount = Recount::read(database).await;
    for (node, subscriber) in nodes.iter().zip(subscribers) {
        recount.assert_shown_by(node).await;
        recount.assert_seen_by(subscriber).await;
    }
    let books = Books::read(database).await;
    check_ledgers(&finished.each_ref().map(|finished| &finished.ledger), &books);
    let acknowledged: u64 = finished.iter().map(|f| f.report.counts.acknowledged).sum();
    assert_eq!(database.assert_audit_clean(), acknowledged);
    assert_eq!(recount.orders(), acknowledged);
}
