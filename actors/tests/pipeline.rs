//! The story of an order from the desk to the board, over a store in memory, with actors dying on the way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use coffee_rt_actors::backoff::RETRY_BATCH_MS;
use coffee_rt_actors::domain::{Cents, Order};
use coffee_rt_actors::supervision::Fault;
use coffee_rt_actors::ticket::{Acknowledged, Refusal};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use support::memory_store::Reach;
use support::node::{Node, new_order};
use support::{eventually, quiet_injected_panics, seeded, vandal};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::{Instant, sleep};

const CREDIT: usize = 4_096;
const CUSTOMERS: usize = 24;
const ORDERS_EACH: usize = 150;

type Placing = JoinHandle<Result<Acknowledged, Refusal>>;

impl Node {
    fn place(&self, order: &Order) -> Placing {
        let (desk, order) = (self.desk.clone(), order.clone());
        tokio::spawn(async move { desk.place(order).await })
    }

    async fn placed(&self, order: &Order) -> i64 {
        let id = self.desk.place(order.clone()).await.unwrap().id().unwrap();
        assert_eq!(self.store.id_of(order.message_id), Some(id));
        id
    }
}

/// Places orders one after the other, some of them with a twin at the same time.
async fn be_a_customer(desk: coffee_rt_actors::order_desk::OrderDesk, seed: u64) -> Vec<(Order, i64)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut acknowledged = Vec::new();
    for _ in 0..ORDERS_EACH {
        let order = new_order(&mut random);
        let answer = if random.random_ratio(1, 5) {
            let (one, other) = tokio::join!(desk.place(order.clone()), desk.place(order.clone()));
            assert_eq!(one, other, "twins");
            one.expect("an order failed")
        } else {
            desk.place(order.clone()).await.expect("an order failed")
        };
        acknowledged.push((order, answer.id().unwrap()));
        sleep(Duration::from_micros(random.random_range(0..8_000))).await;
    }
    acknowledged
}

/// Injects faults into everything, and makes the store slow or forgetful now and then, until told to stop.
async fn be_a_vandal(node: &Node, random: &mut StdRng, enough: mpsc::Receiver<()>) -> usize {
    let suffered = vandal::be_a_vandal(&node.grove, random, enough, |random| {
        let reach = *[Reach::Up, Reach::Up, Reach::Up, Reach::Away, Reach::AnswerLost]
            .choose(random)
            .unwrap();
        let delay = Duration::from_micros(random.random_range(0..3_000));
        let claims = *[Reach::Up, Reach::Up, Reach::AnswerLost].choose(random).unwrap();
        node.store.behave(|store| {
            (store.commits, store.claims, store.commit_delay) = (reach, claims, delay);
        });
        node.cache.behave(reach, delay);
    });
    let suffered = suffered.await;
    node.store.behave(|store| *store = Default::default());
    node.cache.behave(Reach::Up, Duration::ZERO);
    suffered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_order_fails_is_lost_or_doubled_while_everything_dies() {
    quiet_injected_panics();
    let mut random = seeded();
    let node = Node::start(CREDIT).await;
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
    let acknowledged: Vec<_> = acknowledged.into_iter().flatten().collect();
    node.grove.all_running().await;
    node.is_consistent().await;
    let stored: HashMap<i64, Order> = node.store.orders().into_iter().collect();
    assert_eq!(
        (acknowledged.len(), stored.len()),
        (CUSTOMERS * ORDERS_EACH, CUSTOMERS * ORDERS_EACH)
    );
    for (order, id) in &acknowledged {
        assert_eq!(stored.get(id), Some(order));
    }
    assert_eq!(
        stored.values().map(|o| o.message_id).collect::<HashSet<_>>().len(),
        stored.len()
    );
    println!("{} orders, {suffered} faults", stored.len());
    assert!(suffered > 50, "only {suffered} faults hit a live actor");
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lost_answers_of_the_store_are_asked_for_again() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    node.store
        .behave(|store| (store.commits, store.claims) = (Reach::AnswerLost, Reach::AnswerLost));
    let orders: Vec<_> = (0..300).map(|_| new_order(&mut random)).collect();
    let placing: Vec<_> = orders.iter().map(|order| node.place(order)).collect();
    node.grove.tree.inject("v1/batcher-0", Fault::Kill).unwrap();
    sleep(Duration::from_millis(RETRY_BATCH_MS / 2)).await;
    node.store.behave(|store| store.claims = Reach::Up);
    sleep(Duration::from_millis(RETRY_BATCH_MS / 4)).await;
    assert!(
        !node.store.orders().is_empty(),
        "commits took effect although nobody heard"
    );
    node.store.behave(|store| store.commits = Reach::Up);
    for (order, placing) in orders.iter().zip(placing) {
        let answer = placing.await.unwrap();
        let id = node.store.id_of(order.message_id).unwrap();
        assert_eq!(answer, Ok(Acknowledged::Stored { id }));
    }
    assert_eq!(node.store.orders().len(), orders.len());
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_absent_store_is_said_to_be_away_and_missed_no_longer_than_it_is() {
    // Also where it can still be claimed: then only the commits say so.
    for claims in [Reach::Away, Reach::Up, Reach::AnswerLost] {
        let (node, mut random) = (Node::start(CREDIT).await, seeded());
        node.store
            .behave(|store| (store.commits, store.claims) = (Reach::Away, claims));
        let began = Instant::now();
        let placing: Vec<_> = (0..50).map(|_| node.place(&new_order(&mut random))).collect();
        for placing in placing {
            assert!(
                matches!(placing.await.unwrap(), Err(Refusal::StoreAway(_))),
                "{claims:?}"
            );
        }
        let (waited, limit) = (began.elapsed(), Duration::from_millis(RETRY_BATCH_MS));
        assert!(
            waited >= limit && waited < limit + Duration::from_secs(1),
            "{claims:?} {waited:?}"
        );
        assert!(
            node.store.commits_begun() < 100,
            "{} attempts",
            node.store.commits_begun()
        );
        if claims == Reach::Away {
            let began = Instant::now();
            let refused = node.desk.place(new_order(&mut random)).await;
            assert!(matches!(refused, Err(Refusal::StoreAway(_))));
            assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
        }
        node.store.behave(|store| *store = Default::default());
        let began = Instant::now();
        while node.desk.place(new_order(&mut random)).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(1), "{claims:?}: still refused");
            sleep(Duration::from_millis(1)).await;
        }
        node.placed(&new_order(&mut random)).await;
        node.is_consistent().await;
        node.grove.drain().await.unwrap();
    }
}

/// An attempt after a failed one goes on when the store counts as away: when an order came decides what becomes of it.
#[tokio::test(start_paused = true)]
async fn a_long_attempt_refuses_who_came_late_at_once_and_nobody_who_came_in_time() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    let first = new_order(&mut random);
    // Of the same batcher: only that one misses the store.
    let shard = |order: &Order| order.message_id.as_u64_pair().1 % 2;
    let orders: Vec<_> = std::iter::repeat_with(|| new_order(&mut random))
        .filter(|order| shard(order) == shard(&first))
        .take(40)
        .collect();
    let (early, late) = orders.split_at(20);
    node.store.behave(|store| store.commits = Reach::Away);
    let mut placing = vec![node.place(&first)];
    eventually("a commit has failed", || node.store.commits_begun() >= 2).await;
    node.store
        .behave(|store| (store.commits, store.hold_commits) = (Reach::Up, true));
    sleep(Duration::from_secs(1)).await;
    placing.extend(early.iter().map(|order| node.place(order)));
    sleep(Duration::from_millis(RETRY_BATCH_MS)).await;
    let began = Instant::now();
    for order in late {
        let refused = node.desk.place(order.clone()).await;
        assert!(matches!(refused, Err(Refusal::StoreAway(_))), "{refused:?}");
    }
    assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
    node.store.behave(|store| store.hold_commits = false);
    for placing in placing {
        let answer = placing.await.unwrap();
        assert!(matches!(answer, Ok(Acknowledged::Stored { .. })), "{answer:?}");
    }
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_store_reaches_the_customer_and_nobody_else() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    node.store.behave(|store| store.commits = Reach::Refused);
    let refused = node.desk.place(new_order(&mut random)).await;
    assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
    node.store.behave(|store| store.commits = Reach::Up);
    node.placed(&new_order(&mut random)).await;
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_credit_an_order_is_refused_at_once() {
    let (node, mut random) = (Node::start(5).await, seeded());
    node.store.behave(|store| store.hold_commits = true);
    let held: Vec<_> = (0..5).map(|_| node.place(&new_order(&mut random))).collect();
    eventually("all credit is taken", || node.desk.credit.in_flight() == 5).await;
    assert_eq!(node.grove.node("v1/ingest").in_flight, 5);
    let began = Instant::now();
    assert_eq!(node.desk.place(new_order(&mut random)).await, Err(Refusal::Overloaded));
    assert!(began.elapsed().is_zero());
    node.store.behave(|store| store.hold_commits = false);
    for placing in held {
        placing.await.unwrap().unwrap();
    }
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_let_in_is_not_refused_for_credit_when_an_actor_dies() {
    let (node, mut random) = (Node::start(1).await, seeded());
    node.store.behave(|store| store.hold_commits = true);
    let order = new_order(&mut random);
    let placing = node.place(&order);
    eventually("it is being committed", || node.store.commits_begun() == 1).await;
    node.grove.tree.inject("v1/batcher-0", Fault::Kill).unwrap();
    node.grove.tree.inject("v1/batcher-1", Fault::Kill).unwrap();
    // Somebody else is quicker.
    let taken = loop {
        match node.desk.credit.try_take() {
            Some(permit) => break permit,
            None => yield_now().await,
        }
    };
    node.store.behave(|store| store.hold_commits = false);
    sleep(Duration::from_secs(1)).await;
    assert!(!placing.is_finished());
    drop(taken);
    let id = node.store.id_of(order.message_id).unwrap();
    assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Stored { id }));
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_actor_lets_go_at_once_although_its_supervisor_is_stalled() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    node.store.behave(|store| store.hold_commits = true);
    let order = new_order(&mut random);
    let placing = node.place(&order);
    eventually("it is being committed", || node.store.commits_begun() == 1).await;
    node.grove.tree.inject("v1", Fault::Stall(2_000)).unwrap();
    yield_now().await;
    let began = Instant::now();
    for path in ["v1/batcher-0", "v1/batcher-1"] {
        node.grove.tree.inject(path, Fault::Kill).unwrap();
    }
    eventually("its credit is back", || node.desk.credit.in_flight() == 0).await;
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    node.store.behave(|store| store.hold_commits = false);
    let answer = placing.await.unwrap();
    let id = node.store.id_of(order.message_id).unwrap();
    assert_eq!(answer, Ok(Acknowledged::Stored { id }));
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_key_is_one_row_whatever_comes_with_it() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    let order = new_order(&mut random);
    let other = Order {
        price: Cents(order.price.0 + 1),
        ..order.clone()
    };
    // The first opens a batch; the others wait for the next one, together.
    node.store.behave(|store| store.hold_commits = true);
    let decoys: Vec<_> = (0..20).map(|_| node.place(&new_order(&mut random))).collect();
    eventually("both batchers commit", || node.store.commits_begun() == 2).await;
    let same: Vec<_> = (0..20).map(|_| node.place(&order)).collect();
    let late = node.place(&other);
    eventually("all are waiting", || node.desk.credit.in_flight() == 41).await;
    node.store.behave(|store| store.hold_commits = false);
    let mut ids = HashSet::new();
    for placing in same {
        let id = placing.await.unwrap().unwrap().id().unwrap();
        ids.insert(id);
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(late.await.unwrap(), Err(Refusal::KeyReused));
    assert_eq!(node.desk.place(other.clone()).await, Err(Refusal::KeyReused));
    assert_eq!(node.placed(&order).await, node.store.id_of(order.message_id).unwrap());
    for decoy in decoys {
        decoy.await.unwrap().unwrap();
    }
    assert_eq!(node.store.orders().len(), 21);
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_told_apart_from_the_strangers_it_shares_a_batch_with() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    let order = new_order(&mut random);
    let strangers = [1, 2].map(|more| Order {
        price: Cents(order.price.0 + more),
        ..order.clone()
    });
    let id = node.placed(&order).await;
    node.store.behave(|store| store.hold_commits = true);
    let begun = node.store.commits_begun();
    let decoys: Vec<_> = (0..20).map(|_| node.place(&new_order(&mut random))).collect();
    eventually("both batchers commit", || node.store.commits_begun() == begun + 2).await;
    // A stranger comes first, so the store is offered the stranger.
    let refused: Vec<_> = strangers.iter().map(|stranger| node.place(stranger)).collect();
    let repeats: Vec<_> = (0..3).map(|_| node.place(&order)).collect();
    let refused = refused
        .into_iter()
        .chain(strangers.iter().map(|stranger| node.place(stranger)));
    let refused: Vec<_> = refused.collect();
    eventually("all are waiting", || node.desk.credit.in_flight() == 27).await;
    node.store.behave(|store| store.hold_commits = false);
    for repeat in repeats {
        assert_eq!(repeat.await.unwrap(), Ok(Acknowledged::Stored { id }));
    }
    for stranger in refused {
        assert_eq!(stranger.await.unwrap(), Err(Refusal::KeyReused));
    }
    for decoy in decoys {
        decoy.await.unwrap().unwrap();
    }
    assert_eq!(node.store.orders().len(), 21);
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_killed_batcher_is_followed_by_one_that_knows_what_was_committed() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    for path in ["v1/batcher-0", "v1/batcher-1", "v1/ingest", "v1", "root"] {
        node.store.behave(|store| store.hold_commits = true);
        let begun = node.store.commits_begun();
        let orders: Vec<_> = (0..40).map(|_| new_order(&mut random)).collect();
        let placing: Vec<_> = orders.iter().map(|order| node.place(order)).collect();
        eventually("both batchers commit", || node.store.commits_begun() == begun + 2).await;
        node.grove.hit(path, Fault::Kill).await;
        node.store.behave(|store| store.hold_commits = false);
        for (order, placing) in orders.iter().zip(placing) {
            let answer = placing.await.unwrap();
            let id = node.store.id_of(order.message_id).unwrap();
            assert_eq!(answer, Ok(Acknowledged::Stored { id }), "{path}");
        }
        node.is_consistent().await;
    }
    assert_eq!(node.store.orders().len(), 5 * 40);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fenced_batcher_claims_its_shard_again() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    for _ in 0..10 {
        for writer in &node.writers {
            writer.claim().await.unwrap();
        }
        node.placed(&new_order(&mut random)).await;
    }
    assert_eq!(node.grove.node("v1/batcher-0").generation, 1);
    node.is_consistent().await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_was_let_in() {
    for lost in [false, true] {
        let (mut node, mut random) = (Node::start(CREDIT).await, seeded());
        node.store.behave(|store| store.hold_commits = true);
        let orders: Vec<_> = (0..2_500).map(|_| new_order(&mut random)).collect();
        let placing: Vec<_> = orders.iter().map(|order| node.place(order)).collect();
        eventually("all are under way", || node.desk.credit.in_flight() == orders.len()).await;
        node.grove.ask_to_drain();
        sleep(Duration::from_secs(1)).await;
        let commits = if lost { Reach::AnswerLost } else { Reach::Up };
        node.store
            .behave(|store| (store.hold_commits, store.commits) = (false, commits));
        sleep(Duration::from_millis(100)).await;
        node.store.behave(|store| store.commits = Reach::Up);
        for (order, placing) in orders.iter().zip(placing) {
            let answer = placing.await.unwrap();
            let id = node.store.id_of(order.message_id).unwrap();
            assert_eq!(answer, Ok(Acknowledged::Stored { id }), "answers lost: {lost}");
        }
        assert_eq!(node.desk.credit.in_flight(), 0);
        assert_eq!(node.store.orders().len(), orders.len());
        node.grove.outcome().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_a_store_tells_the_customers() {
    let (node, mut random) = (Node::start(CREDIT).await, seeded());
    node.store
        .behave(|store| (store.commits, store.claims) = (Reach::Away, Reach::Away));
    let placing: Vec<_> = (0..100).map(|_| node.place(&new_order(&mut random))).collect();
    eventually("all are under way", || node.desk.credit.in_flight() == 100).await;
    let began = Instant::now();
    node.grove.drain().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    for placing in placing {
        let refused = placing.await.unwrap();
        assert!(matches!(refused, Err(Refusal::StoreAway(_))), "{refused:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
