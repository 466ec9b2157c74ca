//! Partitions move between nodes and are added: each order is stored once.

use std::time::Duration;

use coffee_rt::adapters::kafka::SESSION_TIMEOUT_MS;
use coffee_rt::load::Driver;
use nix::sys::signal::Signal;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::wire::record;
use crate::support::{
    Books, Database, Node, Recount, Requests, check_ledgers, customers, eventually, patient, seed, within,
};

/// Load on each node.
const ORDERS_PER_SECOND: f64 = 200.0;
/// How long a node is paused: longer than the group waits for it.
const PAUSE: Duration = Duration::from_millis(SESSION_TIMEOUT_MS + 3_000);
/// How often.
const PAUSES: usize = 3;
/// Orders in the topic before something happens to it.
const BEFORE: usize = 40;
/// Between two of them where nodes fight for a partition.
const BETWEEN: Duration = Duration::from_millis(100);
/// How long the nodes may take to notice partitions that were added.
const NOTICED: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_paused_past_its_session_harms_nothing() {
    let (database, seed) = (Database::kafka().await, seed());
    let nodes = [Node::start(&database).await, Node::start(&database).await];
    until_shared_out(&nodes, 4).await;
    let stop = CancellationToken::new();
    let load = |node: &Node, seed| {
        let options = patient(customers(node, seed, ORDERS_PER_SECOND));
        Driver::new(options).unwrap().start(&stop)
    };
    let loads = [load(&nodes[0], seed), load(&nodes[1], seed.wrapping_add(1))];
    for pause in 0..PAUSES {
        let paused = &nodes[pause % 2];
        paused.signal(Signal::SIGSTOP);
        tokio::time::sleep(PAUSE).await;
        paused.signal(Signal::SIGCONT);
        until_shared_out(&nodes, 4).await;
    }
    stop.cancel();
    let [first, second] = loads;
    let finished = [first.finish().await, second.finish().await];
    for node in &nodes {
        node.until_stored().await;
    }
    check_ledgers(
        &finished.each_ref().map(|one| &one.ledger),
        &Books::read(&database).await,
    );
    database.assert_audit_clean();
    database.assert_each_record_was_stored_once().await;
    let recount = Recount::read(&database).await;
    for node in nodes {
        recount.assert_shown_by(&node).await;
        node.stop().await;
    }
}

/// Two nodes that both take every partition for their own, as a zombie does, store each record once; without the fence
/// they do not, and the accounts show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_without_a_fence_are_found() {
    for (drill, twice) in [("", false), ("skip-fence", true)] {
        let database = Database::kafka().await;
        let drill_setting = ("COFFEE_RT_FAULT_DRILL", drill);
        let first = Node::start_with(&database, &[drill_setting]).await;
        let settings = [drill_setting, ("COFFEE_RT_V3__GROUP", "another")];
        let other = Node::start_with(&database, &settings).await;
        for node in [&first, &other] {
            until_shared_out(std::slice::from_ref(node), 4).await;
        }
        for _ in 0..BEFORE {
            Requests::to(&first).place().await;
            tokio::time::sleep(BETWEEN).await;
        }
        eventually("all is stored", async || match database.assert_audit_clean() {
            stored if stored == BEFORE as u64 => Ok(()),
            stored => Err(format!("{stored}\n{}", first.log())),
        })
        .await;
        eventually("both have read all", async || {
            let read = r#"coffee_rt_log_read_total{version="v3"}"#;
            let read = [first.metric(read).await, other.metric(read).await];
            let enough = read.iter().all(|read| *read >= 1.0) && read.iter().sum::<f64>() >= BEFORE as f64;
            if enough { Ok(()) } else { Err(format!("{read:?}")) }
        })
        .await;
        if twice {
            eventually("a record is stored twice", async || match database.records() {
                records if records > BEFORE as u64 => Ok(()),
                records => Err(records.to_string()),
            })
            .await;
        }
        let accounted = database.records();
        println!("{drill:?}: {accounted} records accounted for, {BEFORE} in the topic");
        assert_eq!(accounted > BEFORE as u64, twice, "{drill:?}: {accounted}");
        assert!(accounted >= BEFORE as u64, "{drill:?}: {accounted}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_are_read() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    Requests::to(&node).place().await;
    node.until_stored().await;
    database.topic().add_partitions(6).await;
    within(NOTICED, "the node has the new partitions", async || {
        shared_out(&[&node], 6).await
    })
    .await;
    let records = (0..6).map(|partition| (partition, record(Uuid::now_v7())));
    database.topic().produce_to(records.collect()).await;
    node.until_stored().await;
    assert_eq!(database.assert_audit_clean(), 7);
    database.assert_each_record_was_stored_once().await;
    node.stop().await;
}

async fn until_shared_out(nodes: &[Node], partitions: usize) {
    let nodes: Vec<_> = nodes.iter().collect();
    eventually("each partition has one node", async || {
        shared_out(&nodes, partitions).await
    })
    .await;
}

/// Whether the nodes together have each partition once, and none has all where there are several.
async fn shared_out(nodes: &[&Node], partitions: usize) -> Result<(), String> {
    let mut held: Vec<Vec<String>> = Vec::new();
    for node in nodes {
        let paths = node.actor_paths().await;
        let readers = paths.into_iter().filter(|path| path.ends_with("/reader"));
        held.push(readers.collect());
    }
    let mut all: Vec<_> = held.iter().flatten().collect();
    all.sort();
    all.dedup();
    let each_once = held.iter().map(Vec::len).sum::<usize>() == partitions && all.len() == partitions;
    if each_once && held.iter().all(|own| !own.is_empty()) {
        Ok(())
    } else {
        Err(format!("{held:?}"))
    }
}
