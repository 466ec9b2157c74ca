//! The story of an order from the desk through a log in partitions to the store, both in memory, both away now and then.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::log_watch::LogHealth;
use coffee_rt_actors::partition_reader::MAX_RECORDS_IN_HAND;
use coffee_rt_actors::ports::BYTES_PER_WEIGHT;
use support::memory_store::Reach;
use support::partition_node::{Cluster, PartitionNode};
use support::{eventually, quiet_injected_panics, seeded};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

impl Cluster {
    /// Checks that no actor died.
    fn is_unhurt(&self) {
        for actor in self.node().grove.tree.snapshot() {
            assert_eq!(actor.generation, 1, "{}: {:?}", actor.path, actor.last_failure);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn orders_are_acknowledged_in_the_log_and_stored_and_counted_once_soon_after() {
    let (cluster, mut random) = (Cluster::start(&[&[0, 1, 2]]).await, seeded());
    cluster.store.behave(|store| store.hold_commits = true);
    let orders = cluster.logged(3_000, &mut random).await;
    assert_eq!(cluster.store.orders().len(), 0);
    cluster.store.behave(|store| store.hold_commits = false);
    let began = Instant::now();
    cluster.is_done().await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    cluster.has_stored(&orders).await;
    let mut inserted = 0;
    for partition in cluster.partitions() {
        let (row, end) = (cluster.store.partition(partition), cluster.log.end(partition));
        assert_eq!((row.records, row.inserted), (end.unsigned_abs(), end.unsigned_abs()));
        assert_eq!(row.epoch, 1);
        assert_eq!(cluster.node().log.stored(partition), Some(end));
        assert!(end > 0, "partition {partition} got no orders");
        inserted += row.inserted;
    }
    assert_eq!(inserted, 3_000);
    eventually(
        "the log is shown to be dealt with",
        || matches!(&*cluster.node().health.borrow(), LogHealth::Up(status) if status.partitions.len() == 3 && status.backlog == 0),
    )
    .await;
    cluster.is_unhurt();
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn orders_wait_in_the_log_while_the_store_is_away_and_are_stored_once_it_is_back() {
    for commits in [Reach::Away, Reach::AnswerLost, Reach::Panics] {
        quiet_injected_panics();
        let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
        cluster
            .store
            .behave(|store| (store.commits, store.claims) = (commits, Reach::Away));
        let mut orders = cluster.logged(500, &mut random).await;
        sleep(MINUTE).await;
        cluster.store.behave(|store| store.claims = Reach::Up);
        orders.extend(cluster.logged(6_000, &mut random).await);
        sleep(MINUTE).await;
        if commits != Reach::AnswerLost {
            assert_eq!((cluster.position(0), cluster.position(1)), (0, 0), "{commits:?}");
        }
        assert!(cluster.taken() <= 2 * MAX_RECORDS_IN_HAND);
        cluster.store.behave(|store| store.commits = Reach::Up);
        cluster.has_stored(&orders).await;
        assert_eq!(cluster.log.dead_letters(), []);
        cluster.is_unhurt();
        cluster.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_does_not_make_the_whole_log_be_read_and_thrown_away() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    let mut orders = cluster.logged(10, &mut random).await;
    cluster.is_done().await;
    cluster
        .store
        .behave(|store| (store.commits, store.claims) = (Reach::Away, Reach::Away));
    orders.extend(cluster.appended(50_000, &mut random));
    sleep(MINUTE).await;
    let (read, most) = (cluster.node().read(), MAX_RECORDS_IN_HAND as u64);
    assert!(read <= 10 + 2 * most, "{read} records were read");
    assert!(cluster.taken() <= MAX_RECORDS_IN_HAND);
    cluster.store.behave(|store| *store = Default::default());
    cluster.has_stored(&orders).await;
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_given_no_more_than_a_reader_may_have_in_hand() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    cluster.store.behave(|store| store.hold_commits = true);
    let orders = cluster.appended(MAX_RECORDS_IN_HAND + 2_500, &mut random);
    eventually("all credit is taken", || cluster.taken() == MAX_RECORDS_IN_HAND).await;
    sleep(MINUTE).await;
    assert_eq!(cluster.taken(), MAX_RECORDS_IN_HAND);
    assert_eq!(cluster.node().read(), MAX_RECORDS_IN_HAND as u64);
    cluster.store.behave(|store| store.hold_commits = false);
    cluster.has_stored(&orders).await;
    assert_eq!(cluster.node().read(), orders.len() as u64);
    cluster.drain().await;
}

/// Their number alone would allow a hundred times as many bytes.
#[tokio::test(start_paused = true)]
async fn large_records_in_hand_are_limited_by_their_bytes() {
    const BYTES: usize = 256 * 1024;
    const MOST: u64 = (MAX_RECORDS_IN_HAND / (BYTES / BYTES_PER_WEIGHT)) as u64 + 1;
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    cluster.store.behave(|store| store.hold_commits = true);
    for _ in 0..2 * MOST {
        cluster.log.write(0, &vec![b'x'; BYTES]);
    }
    let orders = cluster.appended(10, &mut random);
    eventually("all credit is taken", || cluster.taken() == MAX_RECORDS_IN_HAND).await;
    sleep(MINUTE).await;
    assert_eq!(cluster.taken(), MAX_RECORDS_IN_HAND);
    let read = cluster.node().read();
    assert!((MOST / 2..=MOST).contains(&read), "{read} of at most {MOST}");
    cluster.store.behave(|store| store.hold_commits = false);
    cluster.has_stored(&orders).await;
    assert_eq!(cluster.log.dead_letters().len() as u64, 2 * MOST);
    cluster.drain().await;
}

/// Each claim says that the store is there, and each commit that it is not.
#[tokio::test(start_paused = true)]
async fn a_store_that_takes_claims_and_fails_commits_is_asked_less_and_less_often() {
    for commits in [Reach::Away, Reach::Panics] {
        quiet_injected_panics();
        let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
        cluster.store.behave(|store| store.commits = commits);
        let orders = cluster.logged(2_000, &mut random).await;
        sleep(MINUTE).await;
        let claims = cluster.store.partition(0).epoch;
        assert!((60..=150).contains(&claims), "{claims} claims");
        cluster.is_unhurt();
        cluster.store.behave(|store| store.commits = Reach::Up);
        let began = Instant::now();
        cluster.has_stored(&orders).await;
        assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
        cluster.drain().await;
    }
}

/// The commit was made and its answer lost; then there is nothing more to store, and nothing that would show it.
#[tokio::test(start_paused = true)]
async fn a_partition_without_new_orders_is_ready_after_a_commit_in_doubt() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    eventually("it is claimed", || cluster.node().lanes[0].is_ready()).await;
    cluster.store.behave(|store| store.commits = Reach::AnswerLost);
    let orders = cluster.logged(10, &mut random).await;
    eventually("it is stored", || cluster.store.orders().len() == 10).await;
    cluster.has_stored(&orders).await;
    eventually("it is ready again", || cluster.node().lanes[0].is_ready()).await;
    cluster.store.behave(|store| store.commits = Reach::Away);
    let more = cluster.logged(10, &mut random).await;
    eventually("it is not ready", || !cluster.node().lanes[0].is_ready()).await;
    for _ in 0..1_000 {
        sleep(Duration::from_millis(7)).await;
        assert!(!cluster.node().lanes[0].is_ready(), "nothing has been committed");
    }
    cluster.store.behave(|store| store.commits = Reach::Up);
    cluster.has_stored(&[orders, more].concat()).await;
    assert!(cluster.node().lanes[0].is_ready());
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_leaves_what_is_not_stored_to_the_next_node() {
    let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
    cluster.store.behave(|store| store.hold_commits = true);
    let orders = cluster.logged(3_000, &mut random).await;
    eventually("all is in hand", || cluster.taken() == 3_000).await;
    let (log, store, began) = (cluster.log.clone(), cluster.store.clone(), Instant::now());
    cluster.drain().await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert_eq!(store.orders().len(), 0);
    store.behave(|store| store.hold_commits = false);
    let nodes = vec![PartitionNode::start(&log, &store, &[0, 1]).await];
    let cluster = Cluster { log, store, nodes };
    cluster.has_stored(&orders).await;
    cluster.drain().await;
}
