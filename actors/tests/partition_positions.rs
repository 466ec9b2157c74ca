//! A position and a partition that do not fit together any more: what is there is read, and what is missing reported.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::domain::Order;
use coffee_rt_actors::partition_reader::MAX_RECORDS_IN_HAND;
use coffee_rt_actors::ports::OrderStore;
use coffee_rt_actors::supervision::Fault;
use rand::rngs::StdRng;
use support::partition_node::Cluster;
use support::{eventually, seeded};
use tokio::time::{Instant, sleep};

const READER: &str = "v3/partitions/partition-0/reader";

/// A node with one partition, of which it has stored 100 orders.
async fn with_a_past(random: &mut StdRng) -> (Cluster, Vec<Order>) {
    let cluster = Cluster::start(&[&[0]]).await;
    let orders = cluster.appended(100, random);
    cluster.has_stored(&orders).await;
    (cluster, orders)
}

impl Cluster {
    /// Takes the partition from the node.
    async fn rests(&self) {
        self.node().log.assign(&[]);
        eventually("nobody reads", || {
            self.node().grove.tree.state("v3/partitions/partition-0").is_none()
        })
        .await;
    }

    fn reads_on(&self) {
        self.node().log.assign(&[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_were_removed_before_they_were_stored_are_reported() {
    let mut random = seeded();
    let (cluster, mut orders) = with_a_past(&mut random).await;
    cluster.rests().await;
    let removed = cluster.appended(300, &mut random);
    cluster.log.remove_before(0, 350);
    orders.extend_from_slice(&removed[250..]);
    cluster.reads_on();
    cluster.has_stored(&orders).await;
    assert_eq!(cluster.node().positions_lost(), 1);
    // Once is enough: from now on there is no gap.
    cluster.node().grove.hit(READER, Fault::Kill).await;
    orders.extend(cluster.appended(10, &mut random));
    cluster.has_stored(&orders).await;
    assert_eq!(cluster.node().positions_lost(), 1);
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn records_that_were_removed_after_they_were_stored_are_not_missed() {
    let mut random = seeded();
    let (cluster, mut orders) = with_a_past(&mut random).await;
    for (kept, more) in [(50, 10), (110, 0), (110, 20)] {
        cluster.rests().await;
        cluster.log.remove_before(0, kept);
        cluster.reads_on();
        orders.extend(cluster.appended(more, &mut random));
        cluster.has_stored(&orders).await;
    }
    assert_eq!(cluster.node().positions_lost(), 0);
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_overtaken_by_the_removal_goes_on_with_what_is_left() {
    let mut random = seeded();
    let (cluster, mut orders) = with_a_past(&mut random).await;
    cluster.store.behave(|store| store.hold_commits = true);
    let more = cluster.appended(MAX_RECORDS_IN_HAND + 2_000, &mut random);
    eventually("all credit is taken", || cluster.taken() == MAX_RECORDS_IN_HAND).await;
    let left = i64::try_from(100 + MAX_RECORDS_IN_HAND + 500).unwrap();
    cluster.log.remove_before(0, left);
    cluster.store.behave(|store| store.hold_commits = false);
    cluster.is_done().await;
    // What was in hand may have been thrown away when the stream ended; what is left in the log is stored in any case.
    orders.extend_from_slice(&more[MAX_RECORDS_IN_HAND + 500..]);
    let stored = cluster.store.orders();
    assert!(
        orders
            .iter()
            .all(|order| stored.iter().any(|(_, other)| other == order))
    );
    assert!(
        stored
            .iter()
            .all(|(_, order)| orders.contains(order) || more.contains(order))
    );
    assert_eq!(cluster.node().positions_lost(), 1);
    cluster.node().shared.is_consistent().await;
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_was_made_anew_is_reported_and_read_from_its_beginning() {
    // Shorter than it was, just as long, and longer.
    for count in [7, 100, 250] {
        for unnoticed in [true, false] {
            let mut random = seeded();
            let (cluster, mut orders) = with_a_past(&mut random).await;
            if unnoticed {
                cluster.rests().await;
            }
            cluster.log.make_anew(0);
            orders.extend(cluster.appended(count, &mut random));
            cluster.reads_on();
            // The old position may be just where the new partition ends.
            eventually("they are stored", || cluster.store.orders().len() == orders.len()).await;
            cluster.has_stored(&orders).await;
            assert!(cluster.node().positions_lost() >= 1, "{count} {unnoticed}");
            assert_eq!(cluster.store.partition(0).repeated, 0);
            cluster.drain().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_lost_its_end_is_reported_and_what_it_has_counted_once() {
    let mut random = seeded();
    let (cluster, mut orders) = with_a_past(&mut random).await;
    cluster.rests().await;
    cluster.log.lose_end(0, 30);
    orders.extend(cluster.appended(200, &mut random));
    cluster.reads_on();
    cluster.has_stored(&orders).await;
    assert_eq!(cluster.node().positions_lost(), 1);
    assert_eq!(cluster.store.partition(0).repeated, 70);
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_position_that_an_operator_moved_is_read_from_again_and_counted_once() {
    let mut random = seeded();
    let (cluster, mut orders) = with_a_past(&mut random).await;
    cluster
        .store
        .behave(|store| store.commit_delay = Duration::from_millis(20));
    orders.extend(cluster.appended(2_000, &mut random));
    sleep(Duration::from_millis(5)).await;
    cluster.store.move_position("v3", 0, 40).await.unwrap();
    cluster.has_stored(&orders).await;
    assert!(cluster.store.partition(0).repeated >= 60);
    // Nothing is under way: it is noticed with the next commit.
    cluster.store.move_position("v3", 0, 0).await.unwrap();
    orders.extend(cluster.appended(1, &mut random));
    let began = Instant::now();
    cluster.has_stored(&orders).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(cluster.node().positions_lost(), 0);
    cluster.drain().await;
}
