//! The network between a node and PostgreSQL loses the replies of commits that took effect, or carries nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use coffee_rt::load::{Driver, Finished, Options, Running};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Books, Database, Node, Proxy, Recount, Requests, Subscriber, check_ledger, customers, eventually, patient, seed,
    within,
};

/// Replies that are lost.
const LOST_REPLIES: u64 = 100;
/// How long the network carries nothing: longer than an order may take.
const FROZEN: Duration = Duration::from_secs(11);
/// How soon after all its connections went mute the node must work as before: a commit is given 5 s.
const MUTE_LIMIT: Duration = Duration::from_secs(12);
/// By then the node has asked its store and waited 2 s for the answer; whoever reads meets the mute connection.
const NOTICE: Duration = Duration::from_secs(3);
/// How soon it must also listen to other nodes again: a quiet listener is checked every 10 s, and given 3 s to answer.
const LISTEN_LIMIT: Duration = Duration::from_secs(16);
/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 400.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_of_a_commit_is_seen_by_nobody() {
    lose_replies(Database::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_of_a_commit_is_seen_by_nobody_behind_a_log() {
    lose_replies(Database::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_of_a_commit_is_seen_by_nobody_behind_a_topic() {
    lose_replies(Database::kafka().await).await;
}

async fn lose_replies(database: Database) {
    let seed = seed();
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let (database, proxy) = proxied(database).await;
    let node = Node::start(&database).await;
    let subscriber = Subscriber::connect(&node.client).await;
    let mut options = customers(&node, seed, ORDERS_PER_SECOND);
    options.retry.max_attempts = 1;
    let finished = under_load(options, async |load| {
        while proxy.lost() < LOST_REPLIES {
            // Sometimes the replies of the repeats are lost too; for more than 3 s of that the store counts as away.
            for _ in 0..*[1, 1, 1, 2, 4].choose(&mut rng).unwrap() {
                lose_a_reply(&proxy, &node).await;
            }
            let before = load.progress().counts.acknowledged;
            eventually("orders are acknowledged again", async || {
                let now = load.progress().counts.acknowledged;
                if now > before { Ok(()) } else { Err(node.log()) }
            })
            .await;
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..100))).await;
        }
    })
    .await;
    assert!(proxy.lost() >= LOST_REPLIES);
    let counts = finished.report.counts;
    println!(
        "{counts:?}, {} replies lost, {:?}",
        proxy.lost(),
        finished.report.latency
    );
    assert_eq!(
        (counts.refused, counts.unknown),
        (0, 0),
        "{:#?}\n{}",
        finished.report,
        node.log()
    );
    assert_well(&finished, &database, &node, &subscriber).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_network_thaws_without_harm() {
    let seed = seed();
    let (database, proxy) = proxied(Database::postgres().await).await;
    let node = Node::start(&database).await;
    let subscriber = Subscriber::connect(&node.client).await;
    let options = patient(customers(&node, seed, ORDERS_PER_SECOND));
    let finished = under_load(options, async |_| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.freeze();
        let began = Instant::now();
        until_not_ready(&node).await;
        println!("not ready after {:?}", began.elapsed());
        tokio::time::sleep(FROZEN.saturating_sub(began.elapsed())).await;
        proxy.thaw();
        let began = Instant::now();
        node.until_ready().await;
        println!("ready {:?} after the thaw", began.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;
    let report = &finished.report;
    println!("{:?}, refused {:?}", report.counts, report.refused_by_status);
    assert_eq!((report.counts.refused, report.counts.unknown), (0, 0), "{report:#?}");
    assert!(report.refused_by_status.values().all(|r| r.without_retry_after == 0));
    assert_well(&finished, &database, &node, &subscriber).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_went_mute_are_replaced() {
    let seed = seed();
    let (database, proxy) = proxied(Database::postgres().await).await;
    let node = Node::start(&database).await;
    let subscriber = Subscriber::connect(&node.client).await;
    let options = patient(customers(&node, seed, ORDERS_PER_SECOND));
    let finished = under_load(options, async |load| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Again and again: a connection that is never given back would be missing in the end.
        for _ in 0..4 {
            proxy.forget_connections();
            tokio::time::sleep(NOTICE).await;
            until_the_store_is_up(&node).await;
        }
        node.until_ready().await;
        let listening = listeners(&database).await;
        let (forgotten, began) = (proxy.forget_connections(), Instant::now());
        let before = load.progress().counts.acknowledged;
        within(MUTE_LIMIT, "orders are acknowledged again", async || {
            let now = load.progress().counts.acknowledged;
            // Those acknowledged before the cut may have been noted after it.
            if now > before + 64 { Ok(()) } else { Err(node.log()) }
        })
        .await;
        println!(
            "{forgotten} mute connections, orders acknowledged again after {:?}",
            began.elapsed()
        );
        node.until_ready().await;
        println!("ready after {:?}", began.elapsed());
        assert!(began.elapsed() < MUTE_LIMIT, "ready only after {:?}", began.elapsed());
        within(LISTEN_LIMIT, "the node listens to others again", async || {
            let now = listeners(&database).await;
            if now.difference(&listening).next().is_some() {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        })
        .await;
        println!("listening after {:?}", began.elapsed());
    })
    .await;
    let counts = finished.report.counts;
    println!("{counts:?}, refused {:?}", finished.report.refused_by_status);
    assert_eq!((counts.refused, counts.unknown), (0, 0), "{:#?}", finished.report);
    assert_well(&finished, &database, &node, &subscriber).await;
    node.stop().await;
}

/// Processes of the server whose clients listen for deltas; it does not notice at once that one is cut off.
async fn listeners(database: &Database) -> BTreeSet<i32> {
    let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    let pids: Vec<i32> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
    pids.into_iter().collect()
}

async fn until_the_store_is_up(node: &Node) {
    let client = Requests::to(node);
    within(MUTE_LIMIT, "the store is up", async || {
        let ready: Value = serde_json::from_str(&client.get("/readyz").await.body).unwrap();
        if ready["components"]["store"]["state"] == "up" {
            Ok(())
        } else {
            Err(format!("{ready}\n{}", node.log()))
        }
    })
    .await;
}

async fn until_not_ready(node: &Node) {
    let client = Requests::to(node);
    within(Duration::from_secs(4), "the node is not ready", async || {
        match client.get("/readyz").await {
            answer if answer.status == 503 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    })
    .await;
}

async fn proxied(mut database: Database) -> (Database, Proxy) {
    let proxy = Proxy::before(database.direct_url().unwrap()).await;
    database.url = Some(proxy.url.clone());
    (database, proxy)
}

async fn lose_a_reply(proxy: &Proxy, node: &Node) {
    let before = proxy.lost();
    proxy.lose_next_reply();
    eventually("a reply is lost", async || {
        if proxy.lost() > before { Ok(()) } else { Err(node.log()) }
    })
    .await;
}

async fn under_load(options: Options, fault: impl AsyncFnOnce(&Running)) -> Finished {
    let stop = CancellationToken::new();
    let load = Driver::new(options).unwrap().start(&stop);
    fault(&load).await;
    stop.cancel();
    load.finish().await
}

/// Every order is acknowledged and there once, and everybody sees all of them.
async fn assert_well(finished: &Finished, database: &Database, node: &Node, subscriber: &Subscriber) {
    let report = &finished.report;
    assert_eq!(report.broken_promises, 0, "{:?}", report.broken);
    node.until_stored().await;
    check_ledger(&finished.ledger, &Books::read(database).await);
    assert_eq!(database.assert_audit_clean(), report.counts.acknowledged);
    let recount = Recount::read(database).await;
    recount.assert_shown_by(node).await;
    recount.assert_seen_by(subscriber).await;
}
