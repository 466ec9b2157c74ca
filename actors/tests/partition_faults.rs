//! Actors that die between a partition and the store, and answers that are lost: nothing of it is lost or doubled.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::batcher::BatcherMsg;
use coffee_rt_actors::credit::Credit;
use coffee_rt_actors::domain::{Order, Position};
use coffee_rt_actors::partition_ticket::PartitionTicket;
use coffee_rt_actors::ports::EntryId;
use coffee_rt_actors::supervision::Fault;
use coffee_rt_actors::ticket::{Acknowledged, Place};
use support::memory_partitions::Request;
use support::memory_store::Reach;
use support::partition_node::{Cluster, any_order};
use support::{eventually, quiet_injected_panics, seeded};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);
const PATHS: [&str; 9] = [
    "v3/partitions/partition-0/batcher",
    "v3/partitions/partition-0/reader",
    "v3/partitions/partition-0",
    "v3/partitions",
    "v3/log-watch",
    "v3/appender",
    "v3/ingest",
    "v3",
    "root",
];

#[tokio::test(start_paused = true)]
async fn whatever_dies_or_stalls_under_load_nothing_is_lost_or_doubled() {
    quiet_injected_panics();
    for fault in [Fault::Kill, Fault::Panic, Fault::Stall(500)] {
        let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
        cluster
            .store
            .behave(|store| store.commit_delay = Duration::from_millis(2));
        cluster.node().log.behave(|log| log.delay = Duration::from_millis(1));
        let mut orders = Vec::new();
        for path in PATHS {
            let placed: Vec<_> = (0..200).map(|_| any_order(&mut random)).collect();
            let mut placing = Vec::new();
            for (count, order) in placed.iter().enumerate() {
                placing.push(cluster.node().place(order));
                if count % 50 == 49 {
                    // Where it is dead from the last one, it is hit while it comes back.
                    let _ = cluster.node().grove.tree.inject(path, fault);
                }
                sleep(Duration::from_micros(150)).await;
            }
            for placing in placing {
                assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Logged), "{path} {fault:?}");
            }
            cluster.node().grove.all_running().await;
            orders.extend(placed);
        }
        cluster.has_stored(&orders).await;
        assert_eq!(cluster.log.dead_letters(), []);
        cluster.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_actor_had_in_hand_is_read_again_and_not_doubled() {
    let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
    let mut orders = Vec::new();
    for path in PATHS {
        cluster.store.behave(|store| store.hold_commits = true);
        orders.extend(cluster.appended(1_200, &mut random));
        eventually("all is in hand", || cluster.taken() == 1_200).await;
        cluster.node().grove.hit(path, Fault::Kill).await;
        cluster.store.behave(|store| store.hold_commits = false);
        cluster.has_stored(&orders).await;
    }
    let repeated = |partition| cluster.store.partition(partition).repeated;
    let repeated: u64 = cluster.partitions().map(repeated).sum();
    assert_eq!(repeated, 0, "the position moves with the orders");
    assert_eq!(cluster.log.dead_letters(), []);
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_is_found_in_the_position() {
    let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
    cluster.store.behave(|store| store.commits = Reach::AnswerLost);
    let orders = cluster.logged(5_000, &mut random).await;
    cluster.has_stored(&orders).await;
    for partition in cluster.partitions() {
        let row = cluster.store.partition(partition);
        assert_eq!((row.repeated, row.dead_lettered), (0, 0));
        assert_eq!(cluster.node().log.stored(partition), Some(cluster.log.end(partition)));
    }
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_was_lost_is_in_the_log_twice_and_stored_once() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    cluster.node().log.behave(|log| log.appends = Reach::AnswerLost);
    let orders: Vec<_> = (0..100).map(|_| any_order(&mut random)).collect();
    let placing: Vec<_> = orders.iter().map(|order| cluster.node().place(order)).collect();
    eventually("some are appended again", || cluster.log.end(0) >= 3).await;
    cluster.node().log.behave(|log| log.appends = Reach::Up);
    for placing in placing {
        assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Logged));
    }
    cluster.has_stored(&orders).await;
    let row = cluster.store.partition(0);
    assert_eq!((row.inserted, row.inserted + row.repeated), (100, row.records));
    cluster.drain().await;
}

/// What it took of its stream is lost to the stream, and not to the partition.
#[tokio::test(start_paused = true)]
async fn a_reader_that_dies_while_a_request_is_under_way_loses_nothing() {
    for held in [Request::Begin, Request::Read, Request::Bury] {
        for path in &PATHS[..4] {
            let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
            eventually("it reads", || cluster.node().log.begun(0) == 1).await;
            cluster.node().log.behave(|log| log.held = Some(held));
            if held == Request::Begin {
                cluster.node().grove.hit(path, Fault::Kill).await;
            }
            cluster.log.write(0, b"no order");
            let mut orders = cluster.appended(500, &mut random);
            sleep(SECOND).await;
            cluster.node().grove.hit(path, Fault::Kill).await;
            orders.extend(cluster.appended(500, &mut random));
            cluster.node().log.behave(|log| log.held = None);
            cluster.has_stored(&orders).await;
            assert_eq!(cluster.dead_lettered(), 1, "{held:?} {path}");
            cluster.drain().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_cannot_be_read_is_read_once_it_can() {
    quiet_injected_panics();
    for reads in [Reach::Away, Reach::AnswerLost, Reach::Panics] {
        for begins in [Reach::Up, reads] {
            let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
            let node = cluster.node();
            node.log.behave(|log| (log.reads, log.begins) = (reads, begins));
            let orders = cluster.appended(1_200, &mut random);
            node.grove.hit(PATHS[0], Fault::Kill).await;
            sleep(60 * SECOND).await;
            assert_eq!((cluster.taken(), cluster.store.orders().len()), (0, 0), "{reads:?}");
            let claims = cluster.store.partition(1).epoch;
            assert!(claims < 150, "{claims} claims in a minute");
            node.log.behave(|log| *log = Default::default());
            cluster.has_stored(&orders).await;
            assert_eq!(node.grove.node("v3/partitions/partition-1/reader").generation, 1);
            cluster.drain().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tickets_of_another_claim_are_not_stored_and_give_their_credit_back() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    let orders = cluster.logged(10, &mut random).await;
    cluster.is_done().await;
    cluster.node().grove.hit(PATHS[1], Fault::Kill).await;
    eventually("it reads again", || cluster.node().log.begun(0) == 2).await;
    let (credit, stranger) = (Credit::new(4), any_order(&mut random));
    let ticket = |epoch| PartitionTicket {
        id: EntryId(0, 100),
        place: Place {
            epoch,
            next: Position {
                next_offset: 101,
                mark: 0,
            },
        },
        order: Ok(Order::clone(&stranger).into()),
        permit: credit.try_take().unwrap(),
    };
    let present = cluster.store.partition(0).epoch;
    let stale = vec![ticket(present - 1), ticket(present + 1)];
    assert!(cluster.node().lanes[0].batcher.send(BatcherMsg::Accept(stale)).is_ok());
    eventually("the credit is back", || credit.in_flight() == 0).await;
    cluster.has_stored(&orders).await;
    cluster.drain().await;
}

/// The claim waits for a commit of the batcher's last generation; meanwhile reader after reader asks for one.
#[tokio::test(start_paused = true)]
async fn readers_that_die_while_a_claim_is_under_way_need_no_more_than_that_one() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    cluster.store.behave(|store| store.hold_commits = true);
    let orders = cluster.logged(1_000, &mut random).await;
    eventually("a commit is under way", || cluster.store.commits_begun() == 1).await;
    cluster.node().grove.hit(PATHS[0], Fault::Kill).await;
    for _ in 0..20 {
        cluster.node().grove.hit(PATHS[1], Fault::Kill).await;
        sleep(Duration::from_millis(10)).await;
    }
    cluster.store.behave(|store| store.hold_commits = false);
    cluster.has_stored(&orders).await;
    assert_eq!(cluster.store.partition(0).epoch, 2);
    cluster.drain().await;
}

/// On real threads: the store may answer before the supervisor has told anybody where the reader is.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_reader_that_comes_back_always_hears_of_the_claim() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    let mut orders = Vec::new();
    for _ in 0..300 {
        cluster.node().grove.hit(PATHS[1], Fault::Kill).await;
        orders.extend(cluster.appended(5, &mut random));
        cluster.is_done().await;
    }
    cluster.has_stored(&orders).await;
    cluster.drain().await;
}
