//! Actors that die between the log and the store: what they had is read again, and nothing is lost or doubled.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::domain::Order;
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::supervision::Fault;
use coffee_rt_actors::ticket::Acknowledged;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use support::log_node::LogNode;
use support::memory_store::Reach;
use support::node::new_order;
use support::{eventually, quiet_injected_panics, seeded, vandal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const CUSTOMERS: usize = 24;
const ORDERS_EACH: usize = 150;

/// Places orders one after the other, some of them with a twin at the same time.
async fn be_a_customer(desk: OrderDesk, seed: u64) -> Vec<Order> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut acknowledged = Vec::new();
    for _ in 0..ORDERS_EACH {
        let order = new_order(&mut random);
        if random.random_ratio(1, 5) {
            let twins = tokio::join!(desk.place(order.clone()), desk.place(order.clone()));
            assert_eq!(twins, (Ok(Acknowledged::Logged), Ok(Acknowledged::Logged)));
        } else {
            assert_eq!(desk.place(order.clone()).await, Ok(Acknowledged::Logged));
        }
        acknowledged.push(order);
        sleep(Duration::from_micros(random.random_range(0..8_000))).await;
    }
    acknowledged
}

/// Injects faults into everything, and makes log and store slow, absent or forgetful, until told to stop.
async fn be_a_vandal(node: &LogNode, random: &mut StdRng, enough: mpsc::Receiver<()>) -> usize {
    const REACHES: [Reach; 6] = [
        Reach::Up,
        Reach::Up,
        Reach::Up,
        Reach::Away,
        Reach::AnswerLost,
        Reach::Panics,
    ];
    let suffered = vandal::be_a_vandal(&node.grove, random, enough, |random| {
        let mut reach = || *REACHES.choose(random).unwrap();
        node.store
            .behave(|store| (store.commits, store.claims) = (reach(), reach()));
        node.log.behave(|log| {
            (log.appends, log.reads, log.acknowledgements, log.keeps) = (reach(), reach(), reach(), reach());
        });
        let delay = Duration::from_micros(random.random_range(0..3_000));
        node.store.behave(|store| store.commit_delay = delay);
        node.log.behave(|log| log.delay = delay / 2);
        if random.random_ratio(1, 50) {
            node.log.lose_position();
        }
    });
    let suffered = suffered.await;
    node.store.behave(|store| *store = Default::default());
    node.log.behave(|log| *log = Default::default());
    suffered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_order_is_lost_or_doubled_or_left_in_the_log_while_everything_dies() {
    quiet_injected_panics();
    let mut random = seeded();
    let node = LogNode::start(2).await;
    let (end, enough) = mpsc::channel(1);
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(be_a_customer(node.desk.clone(), random.random()));
    }
    let buying = async {
        let acknowledged = customers.join_all().await;
        end.send(()).await.unwrap();
        acknowledged
    };
    let (acknowledged, suffered) = tokio::join!(buying, be_a_vandal(&node, &mut random, enough));
    let acknowledged = acknowledged.concat();
    node.grove.all_running().await;
    assert_eq!(acknowledged.len(), CUSTOMERS * ORDERS_EACH);
    node.has_stored(&acknowledged).await;
    assert_eq!(node.log.dead_letters(), []);
    println!(
        "{} orders, {} entries, {suffered} faults, {} positions lost",
        acknowledged.len(),
        node.log.appended(),
        node.positions_lost()
    );
    assert!(suffered > 50, "only {suffered} faults hit a live actor");
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_actor_had_in_hand_is_read_again_and_not_doubled() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    let mut orders = Vec::new();
    for path in ["v2/pair-0/reader", "v2/pair-0/batcher", "v2/pair-0", "v2", "root"] {
        node.store.behave(|store| store.hold_commits = true);
        orders.extend(node.logged(1_200, &mut random).await);
        eventually("all is in hand", || node.taken() == 1_200).await;
        node.grove.hit(path, Fault::Kill).await;
        eventually("all is in hand again", || node.taken() >= 1_200).await;
        assert_eq!(node.log.pending(), 1_200, "{path}");
        node.store.behave(|store| store.hold_commits = false);
        node.has_stored(&orders).await;
    }
    assert_eq!(node.log.dead_letters(), []);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_is_acknowledged_although_the_reader_died_meanwhile() {
    for acknowledgements in [Reach::Away, Reach::AnswerLost, Reach::Panics] {
        quiet_injected_panics();
        let (node, mut random) = (LogNode::start(1).await, seeded());
        node.log.behave(|log| log.acknowledgements = acknowledgements);
        let orders = node.logged(1_200, &mut random).await;
        eventually("all is stored", || node.store.orders().len() == 1_200).await;
        node.grove.hit("v2/pair-0/reader", Fault::Kill).await;
        sleep(Duration::from_secs(2)).await;
        node.log.behave(|log| log.acknowledgements = Reach::Up);
        node.has_stored(&orders).await;
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_fails_is_repeated_by_the_same_reader() {
    for acknowledgements in [Reach::Away, Reach::AnswerLost, Reach::Panics] {
        quiet_injected_panics();
        let (node, mut random) = (LogNode::start(1).await, seeded());
        node.log.behave(|log| log.acknowledgements = acknowledgements);
        let orders = node.logged(100, &mut random).await;
        eventually("all is stored", || node.store.orders().len() == 100).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(node.taken(), 100, "{acknowledgements:?}");
        node.log.behave(|log| log.acknowledgements = Reach::Up);
        node.has_stored(&orders).await;
        assert_eq!(node.grove.node("v2/pair-0/reader").generation, 1);
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_goes_on_after_a_log_that_could_not_be_read() {
    for reads in [Reach::Away, Reach::AnswerLost, Reach::Panics] {
        quiet_injected_panics();
        let (node, mut random) = (LogNode::start(1).await, seeded());
        node.log.behave(|log| log.reads = reads);
        let orders = node.logged(1_200, &mut random).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!((node.taken(), node.store.orders().len()), (0, 0), "{reads:?}");
        node.log.behave(|log| log.reads = Reach::Up);
        node.has_stored(&orders).await;
        assert_eq!(node.grove.node("v2/pair-0/reader").generation, 1);
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_node_left_is_taken_over_and_stored() {
    let (node, mut random) = (LogNode::start(2).await, seeded());
    let mut orders = node.logged(10, &mut random).await;
    node.has_stored(&orders).await;
    let left: Vec<_> = (0..1_500).map(|_| new_order(&mut random)).collect();
    node.log.abandon(&left);
    orders.extend(left);
    let began = Instant::now();
    orders.extend(node.logged(10, &mut random).await);
    node.has_stored(&orders).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    node.grove.drain().await.unwrap();
}

/// What the reader hears of last was read before the dead node's entries were given to it.
#[tokio::test(start_paused = true)]
async fn what_is_taken_over_while_a_reader_begins_again_is_not_passed_over() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    let left: Vec<_> = (0..100).map(|_| new_order(&mut random)).collect();
    node.log.behave(|log| log.pending_delay = Duration::from_secs(1));
    node.grove.hit("v2/pair-0/reader", Fault::Kill).await;
    sleep(Duration::from_millis(200)).await;
    node.log.abandon(&left);
    let began = Instant::now();
    node.has_stored(&left).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    node.grove.drain().await.unwrap();
}

/// The log watch dies, or hears nothing, after it took over what a dead node left.
#[tokio::test(start_paused = true)]
async fn what_was_taken_over_and_forgotten_is_found() {
    for killed in [false, true] {
        let (node, mut random) = (LogNode::start(1).await, seeded());
        let left: Vec<_> = (0..100).map(|_| new_order(&mut random)).collect();
        if killed {
            node.log.behave(|log| log.delay = Duration::from_millis(20));
        } else {
            node.log.behave(|log| log.keeps = Reach::AnswerLost);
        }
        node.log.abandon(&left);
        eventually("it is taken over", || node.log.pending_of(0) == 100).await;
        if killed {
            node.grove.hit("v2/log-watch", Fault::Kill).await;
        }
        node.log.behave(|log| *log = Default::default());
        node.has_stored(&left).await;
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn entries_that_never_arrived_are_found_under_load() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    let mut orders: Vec<_> = (0..100).map(|_| new_order(&mut random)).collect();
    let records: Vec<_> = orders.iter().map(Order::to_record).collect();
    node.log.misdeliver(0, &records);
    let began = Instant::now();
    // The load alone never leaves as many pending.
    while node.log.pending() >= records.len() {
        assert!(began.elapsed() < Duration::from_secs(10), "not found");
        orders.extend(node.logged(3, &mut random).await);
        sleep(Duration::from_millis(20)).await;
    }
    node.has_stored(&orders).await;
    node.grove.drain().await.unwrap();
}
