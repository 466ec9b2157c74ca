//! Partitions that move between nodes, and nodes that have not heard of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::batcher::FENCED_PAUSE_MS;
use coffee_rt_actors::domain::Order;
use coffee_rt_actors::supervision::{Fault, MAX_STALL_MS};
use coffee_rt_actors::ticket::Acknowledged;
use rand::RngExt;
use rand::rngs::StdRng;
use support::partition_node::{Cluster, any_order};
use support::{eventually, quiet_injected_panics, seeded};
use tokio::time::sleep;

const BATCHER: &str = "v3/partitions/partition-0/batcher";
const FENCED_PAUSE: Duration = Duration::from_millis(FENCED_PAUSE_MS);

impl Cluster {
    /// Gives each partition to some node, and forgets now and then to take it from the one that had it.
    fn shuffle(&self, random: &mut StdRng, careful: bool) {
        let mut shares = vec![Vec::new(); self.nodes.len()];
        for partition in self.partitions() {
            shares[random.random_range(0..self.nodes.len())].push(partition);
            if !careful && random.random_ratio(1, 4) {
                shares[random.random_range(0..self.nodes.len())].push(partition);
            }
        }
        for (node, share) in self.nodes.iter().zip(&mut shares) {
            share.dedup();
            node.log.assign(share);
        }
    }

    /// Gives each partition to one node.
    fn settle(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            let is_its = |partition: &i32| usize::try_from(*partition).unwrap() % self.nodes.len() == index;
            let share: Vec<_> = self.partitions().filter(is_its).collect();
            node.log.assign(&share);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn partitions_that_move_between_three_nodes_lose_and_double_nothing() {
    for careful in [true, false] {
        let (cluster, mut random) = (Cluster::start(&[&[0, 1], &[2, 3], &[]]).await, seeded());
        cluster
            .store
            .behave(|store| store.commit_delay = Duration::from_millis(3));
        let (mut orders, mut placing) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            cluster.shuffle(&mut random, careful);
            for _ in 0..random.random_range(0..40) {
                let order = any_order(&mut random);
                let node = &cluster.nodes[random.random_range(0..3)];
                placing.push(node.place(&order));
                orders.push(order);
            }
            sleep(Duration::from_micros(random.random_range(0..20_000))).await;
        }
        for placing in placing {
            assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Logged));
        }
        cluster.settle();
        cluster.has_stored(&orders).await;
        assert_eq!(cluster.log.dead_letters(), []);
        cluster.drain().await;
    }
}

/// Two nodes with commits under way: of the one that claimed first nothing is stored.
#[tokio::test(start_paused = true)]
async fn a_node_that_lost_its_partition_writes_nothing_and_waits_before_it_claims_again() {
    for hears_of_it in [true, false] {
        let (cluster, mut random) = (Cluster::start(&[&[0], &[]]).await, seeded());
        let (stale, owner) = (&cluster.nodes[0], &cluster.nodes[1]);
        cluster.store.behave(|store| store.hold_commits = true);
        let orders = cluster.appended(1_000, &mut random);
        eventually("its commit is under way", || cluster.store.commits_begun() == 1).await;
        owner.log.assign(&[0]);
        eventually("so is the owner's", || cluster.store.commits_begun() == 2).await;
        cluster.store.behave(|store| store.hold_commits = false);
        cluster.is_done().await;
        cluster.stores_just(&orders);
        let row = cluster.store.partition(0);
        assert_eq!((row.epoch, row.inserted, row.repeated), (2, 1_000, 0));
        sleep(FENCED_PAUSE * 9 / 10).await;
        assert_eq!(cluster.store.partition(0).epoch, 2);
        if hears_of_it {
            stale.log.assign(&[]);
        }
        sleep(3 * FENCED_PAUSE).await;
        assert_eq!(cluster.store.partition(0).epoch, if hears_of_it { 2 } else { 3 });
        cluster.has_stored(&orders).await;
        cluster.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_that_both_think_a_partition_theirs_take_turns_and_store_all_once() {
    let (cluster, mut random) = (Cluster::start(&[&[0], &[0]]).await, seeded());
    let mut orders = Vec::new();
    for _ in 0..3_000 {
        orders.extend(cluster.appended(3, &mut random));
        sleep(Duration::from_millis(10)).await;
    }
    cluster.has_stored(&orders).await;
    let claims = cluster.store.partition(0).epoch;
    // Thirty seconds, in which each claims once a second at most.
    assert!((10..=65).contains(&claims), "{claims} claims");
    assert_eq!(cluster.store.partition(0).repeated, 0);
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stood_still_while_its_partition_moved_stores_nothing_of_what_it_had() {
    quiet_injected_panics();
    for path in [BATCHER, "v3/partitions/partition-0/reader", "v3/partitions"] {
        let (cluster, mut random) = (Cluster::start(&[&[0], &[]]).await, seeded());
        let mut orders: Vec<Order> = cluster.appended(10, &mut random);
        cluster.is_done().await;
        cluster.nodes[0]
            .grove
            .tree
            .inject(path, Fault::Stall(MAX_STALL_MS))
            .unwrap();
        orders.extend(cluster.appended(500, &mut random));
        sleep(Duration::from_millis(100)).await;
        cluster.nodes[1].log.assign(&[0]);
        orders.extend(cluster.appended(500, &mut random));
        cluster.has_stored(&orders).await;
        let row = cluster.store.partition(0);
        sleep(2 * Duration::from_millis(MAX_STALL_MS)).await;
        assert_eq!((row.inserted, row.repeated), (1_010, 0), "{path}");
        cluster.nodes[0].log.assign(&[]);
        orders.extend(cluster.appended(500, &mut random));
        cluster.has_stored(&orders).await;
        cluster.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_comes_back_while_a_commit_is_under_way_is_stored_once() {
    let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
    let mut orders = Vec::new();
    for round in 0..20 {
        cluster.store.behave(|store| store.hold_commits = true);
        orders.extend(cluster.appended(300, &mut random));
        eventually("all is in hand", || cluster.taken() == 300).await;
        cluster.node().log.assign(&[1]);
        let gone = || cluster.node().grove.tree.state("v3/partitions/partition-0").is_none();
        eventually("it is gone", gone).await;
        if round % 2 == 0 {
            cluster.node().grove.hit("v3/partitions", Fault::Kill).await;
        }
        cluster.node().log.assign(&[0, 1]);
        eventually("it is back", || !gone()).await;
        cluster.store.behave(|store| store.hold_commits = false);
        cluster.has_stored(&orders).await;
    }
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_node_had_that_was_shut_down_is_stored_by_another() {
    let (mut cluster, mut random) = (Cluster::start(&[&[0], &[1], &[2]]).await, seeded());
    let mut orders = Vec::new();
    while cluster.nodes.len() > 1 {
        cluster.store.behave(|store| store.hold_commits = true);
        orders.extend(cluster.logged(600, &mut random).await);
        eventually("all is in hand", || cluster.taken() == 600).await;
        let gone = cluster.nodes.remove(0);
        gone.grove.drain().await.unwrap();
        cluster.settle();
        cluster.store.behave(|store| store.hold_commits = false);
        cluster.has_stored(&orders).await;
    }
    cluster.drain().await;
}
