//! Everything at once: nodes whose actors die, whose partitions move, and whose log and store forget their answers, with
//! poison and repeats in the flow.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use coffee_rt_actors::domain::{Cents, Order};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::ports::EntryId;
use coffee_rt_actors::supervision::Fault;
use coffee_rt_actors::ticket::Acknowledged;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use support::memory_partitions::{MemoryPartitions, Request};
use support::memory_store::Reach;
use support::partition_node::{Cluster, any_order};
use support::{eventually, quiet_injected_panics, seeded};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const CUSTOMERS: usize = 12;
const ORDERS_EACH: usize = 150;
/// What the store refuses to keep above.
const HIGHEST: Cents = Cents(10_000);
/// Longer than all stalls that one supervisor can have in its mailbox.
const QUIET: Duration = Duration::from_millis(500);

/// Places orders one after the other, some of them twice, and puts poison beside them. Tells what is to be stored, and what
/// is to be buried.
async fn be_a_customer(desks: Vec<OrderDesk>, log: MemoryPartitions, seed: u64) -> (Vec<Order>, Vec<EntryId>) {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut good, mut poison) = (Vec::new(), Vec::new());
    for _ in 0..ORDERS_EACH {
        let (order, desk) = (any_order(&mut random), desks.choose(&mut random).unwrap());
        assert_eq!(desk.place(order.clone()).await, Ok(Acknowledged::Logged));
        match random.random_range(0..12) {
            0 => {
                log.append(&order);
            }
            1 => {
                let other = Order {
                    price: Cents((order.price.0 + 1) % HIGHEST.0),
                    ..order.clone()
                };
                poison.push(log.append(&other));
            }
            2 => {
                let dear = Order {
                    price: Cents(HIGHEST.0 + 1),
                    ..any_order(&mut random)
                };
                poison.push(log.append(&dear));
            }
            3 => poison.push(log.write(random.random_range(0..log.partitions()), b"no order")),
            _ => {}
        }
        good.push(order);
        sleep(Duration::from_micros(random.random_range(0..8_000))).await;
    }
    (good, poison)
}

/// Makes log and store slow, absent or forgetful.
fn misbehave(cluster: &Cluster, random: &mut StdRng) {
    use Reach::{AnswerLost, Away, Panics, Up};
    let delay = Duration::from_micros(random.random_range(0..3_000));
    let mut reach = || *[Up, Up, Up, Up, Away, AnswerLost, Panics].choose(random).unwrap();
    cluster.store.behave(|store| {
        (store.commits, store.claims, store.commit_delay) = (reach(), reach(), delay);
    });
    for node in &cluster.nodes {
        node.log.behave(|log| {
            (log.appends, log.begins, log.reads) = (reach(), reach(), reach());
            (log.burials, log.keeps, log.delay) = (reach(), reach(), delay / 2);
        });
    }
    let held = [
        None,
        None,
        None,
        Some(Request::Begin),
        Some(Request::Read),
        Some(Request::Bury),
    ];
    for node in &cluster.nodes {
        let held = *held.choose(random).unwrap();
        node.log.behave(|log| log.held = held);
    }
}

/// Hits any actor of any node. True where it was alive.
fn hit(cluster: &Cluster, random: &mut StdRng) -> bool {
    let grove = &cluster.nodes.choose(random).unwrap().grove;
    let fault = match random.random_range(0..10) {
        0..6 => Fault::Kill,
        6..9 => Fault::Panic,
        _ => Fault::Stall(random.random_range(0..100)),
    };
    let actors = grove.tree.snapshot();
    let hit = actors.choose(random);
    hit.is_some_and(|actor| grove.tree.inject(&actor.path, fault).is_ok())
}

/// Shares the partitions out carelessly: some to nobody, some to several nodes that all think them theirs.
fn move_partitions(cluster: &Cluster, random: &mut StdRng) {
    for node in &cluster.nodes {
        let share: Vec<_> = cluster
            .partitions()
            .filter(|_| random.random_ratio(1, u32::try_from(cluster.nodes.len()).unwrap()))
            .collect();
        node.log.assign(&share);
    }
}

async fn is_calm(cluster: &Cluster) {
    for node in &cluster.nodes {
        // Faults may still wait in the mailboxes of stalled supervisors.
        let (mut changes, mut quiet_since) = (node.grove.tree.subscribe(), Instant::now());
        eventually("nothing changes any more", || {
            if changes.has_changed().unwrap() {
                (_, quiet_since) = (changes.borrow_and_update(), Instant::now());
            }
            quiet_since.elapsed() > QUIET
        })
        .await;
        node.grove.all_running().await;
    }
}

async fn everything_happens(nodes: usize) {
    quiet_injected_panics();
    let mut random = seeded();
    let all = [0, 1, 2, 3];
    let shares: Vec<&[i32]> = (0..nodes).map(|node| if node == 0 { &all[..] } else { &[] }).collect();
    let cluster = Cluster::start(&shares).await;
    cluster.store.behave(|store| store.highest_price = Some(HIGHEST));
    let desks: Vec<_> = cluster.nodes.iter().map(|node| node.desk.clone()).collect();
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(be_a_customer(desks.clone(), cluster.log.clone(), random.random()));
    }
    let (mut faults, mut bought) = (0, Vec::new());
    while !customers.is_empty() {
        bought.extend(std::iter::from_fn(|| customers.try_join_next()));
        faults += usize::from(hit(&cluster, &mut random));
        misbehave(&cluster, &mut random);
        if random.random_ratio(1, 5) {
            move_partitions(&cluster, &mut random);
        }
        sleep(Duration::from_micros(random.random_range(0..15_000))).await;
    }
    cluster.store.behave(|store| {
        *store = Default::default();
        store.highest_price = Some(HIGHEST);
    });
    for (index, node) in cluster.nodes.iter().enumerate() {
        node.log.behave(|log| *log = Default::default());
        node.log.assign(if index == 0 { &all } else { &[] });
    }
    is_calm(&cluster).await;
    let (good, poison): (Vec<_>, Vec<_>) = bought.into_iter().map(Result::unwrap).unzip();
    cluster.has_stored(&good.concat()).await;
    let poison: BTreeSet<_> = poison.concat().iter().map(|id| (id.0, id.1)).collect();
    assert_eq!(cluster.buried().into_keys().collect::<BTreeSet<_>>(), poison);
    assert_eq!(cluster.dead_lettered(), poison.len() as u64);
    let claims: i64 = cluster.partitions().map(|p| cluster.store.partition(p).epoch).sum();
    println!(
        "{} orders, {} poison, {} letters, {faults} faults, {claims} claims",
        cluster.store.orders().len(),
        poison.len(),
        cluster.log.dead_letters().len(),
    );
    assert!(faults > 50, "only {faults} faults hit a live actor");
    cluster.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_to_two_nodes_all_orders_are_stored_once_and_all_poison_is_buried() {
    everything_happens(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_to_three_nodes_all_orders_are_stored_once_and_all_poison_is_buried() {
    everything_happens(3).await;
}
