//! Entries of a log that cannot be stored: each ends in the dead letters, and holds up nobody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::domain::{Cents, Order};
use coffee_rt_actors::ports::{EntryId, MAX_ENTRY_ORDERS, PoisonReason};
use coffee_rt_actors::reader::MAX_ORDERS_IN_HAND;
use coffee_rt_actors::supervision::Fault;
use rand::rngs::StdRng;
use support::log_node::LogNode;
use support::memory_store::Reach;
use support::node::new_order;
use support::{eventually, seeded};
use tokio::time::sleep;

const UNREADABLE: &[u8] = b"\xff not an order";
const OFF_THE_MENU: &[u8] = br#"{"drink":"tea","store":"uptown","price":"4.50","timestamp":"2026-11-22T09:00:00Z"}"#;
/// What the store refuses to keep above.
const HIGHEST: Cents = Cents(10_000);

fn too_dear(random: &mut StdRng) -> Order {
    Order {
        price: Cents(HIGHEST.0 + 1),
        ..new_order(random)
    }
}

impl LogNode {
    fn buried(&self) -> Vec<(EntryId, PoisonReason)> {
        let mut buried: Vec<_> = self.log.dead_letters().iter().map(|l| (l.source, l.reason)).collect();
        buried.sort();
        buried
    }

    /// Appends good orders as another producer does.
    fn write_good(&self, count: usize, random: &mut StdRng) -> Vec<Order> {
        let orders: Vec<_> = (0..count).map(|_| new_order(random)).collect();
        for order in &orders {
            self.log.write(&order.to_record());
        }
        orders
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_order_is_buried_with_its_reason_and_record() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    let mut orders = node.write_good(20, &mut random);
    let unreadable = node.log.write(UNREADABLE);
    orders.extend(node.write_good(20, &mut random));
    let off_the_menu = node.log.write(OFF_THE_MENU);
    orders.extend(node.write_good(20, &mut random));
    node.has_stored(&orders).await;
    let expected = [
        (unreadable, PoisonReason::Unreadable),
        (off_the_menu, PoisonReason::Invalid),
    ];
    assert_eq!(node.buried(), expected);
    let letters = node.log.dead_letters();
    assert!(
        letters
            .iter()
            .any(|letter| letter.record.as_deref() == Some(UNREADABLE))
    );
    assert!(
        letters.iter().any(|letter| letter.detail.contains("cappuccino")),
        "{letters:?}"
    );
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn orders_that_share_an_entry_with_poison_are_stored() {
    for killed in [false, true] {
        let (node, mut random) = (LogNode::start(1).await, seeded());
        node.store
            .behave(|store| (store.highest_price, store.hold_commits) = (Some(HIGHEST), killed));
        let good = [new_order(&mut random), new_order(&mut random)];
        let [first, dear, last] = [&good[0], &too_dear(&mut random), &good[1]].map(Order::to_record);
        let id = node
            .log
            .write_together(&[&first, UNREADABLE, &dear, OFF_THE_MENU, &last]);
        if killed {
            eventually("they are in hand", || node.taken() == 5).await;
            node.grove.hit("v2/pair-0/batcher", Fault::Kill).await;
            node.store.behave(|store| store.hold_commits = false);
        }
        node.has_stored(&good).await;
        eventually("the entry is acknowledged", || node.log.backlog() == 0).await;
        let mut letters: Vec<_> = node.log.dead_letters();
        letters.sort_by_key(|letter| letter.part);
        let found: Vec<_> = letters
            .iter()
            .map(|l| (l.source, l.part, l.reason, l.record.clone().unwrap()))
            .collect();
        let expected = [
            (id, Some(1), PoisonReason::Unreadable, UNREADABLE.to_vec()),
            (id, Some(2), PoisonReason::Refused, dear),
            (id, Some(3), PoisonReason::Invalid, OFF_THE_MENU.to_vec()),
        ];
        assert_eq!(found, expected);
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_orders_under_one_key_the_first_is_stored_and_the_other_buried() {
    for together in [true, false] {
        let (node, mut random) = (LogNode::start(1).await, seeded());
        let mut orders = node.write_good(20, &mut random);
        let other = Order {
            price: Cents(orders[7].price.0 + 1),
            ..orders[7].clone()
        };
        if !together {
            node.has_stored(&orders).await;
        }
        let reused = node.log.write(&other.to_record());
        node.log.write(&orders[7].to_record());
        orders.extend(node.write_good(20, &mut random));
        node.has_stored(&orders).await;
        assert_eq!(
            node.buried(),
            [(reused, PoisonReason::KeyReused)],
            "together: {together}"
        );
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn orders_that_the_store_refuses_are_found_among_the_others_of_their_batch() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.store.behave(|store| {
        (store.highest_price, store.hold_commits) = (Some(HIGHEST), true);
    });
    let (mut orders, mut refused) = (Vec::new(), Vec::new());
    for good in [0, 500, 7, 0, 1, 900] {
        orders.extend(node.write_good(good, &mut random));
        refused.push((
            node.log.write(&too_dear(&mut random).to_record()),
            PoisonReason::Refused,
        ));
    }
    eventually("all is in hand", || node.taken() == orders.len() + refused.len()).await;
    node.store.behave(|store| store.hold_commits = false);
    node.has_stored(&orders).await;
    assert_eq!(node.buried(), refused);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_vanished_is_noted() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.store.behave(|store| store.hold_commits = true);
    node.log.behave(|log| log.reads = Reach::AnswerLost);
    let mut orders = node.write_good(10, &mut random);
    let vanishing = node.log.write(&new_order(&mut random).to_record());
    eventually("it is delivered", || node.log.pending() == 11).await;
    node.log.remove(vanishing);
    orders.extend(node.write_good(20, &mut random));
    node.log.behave(|log| log.reads = Reach::Up);
    node.store.behave(|store| store.hold_commits = false);
    node.has_stored(&orders).await;
    assert_eq!(node.buried(), [(vanishing, PoisonReason::Vanished)]);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_dropped_while_the_dead_letters_are_full() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.log.behave(|log| log.dead_letter_limit = 3);
    for _ in 0..3 {
        node.log.write(UNREADABLE);
    }
    eventually("the dead letters are full", || node.buried().len() == 3).await;
    let waiting: Vec<_> = (0..3)
        .map(|_| (node.log.write(OFF_THE_MENU), PoisonReason::Invalid))
        .collect();
    let orders = node.logged(2 * MAX_ORDERS_IN_HAND - 1_000, &mut random).await;
    eventually("others are stored", || node.store.orders().len() == orders.len()).await;
    eventually("only these wait", || node.log.pending() == 3).await;
    node.grove.hit("v2/pair-0/reader", Fault::Kill).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!((node.log.pending(), node.buried().len()), (3, 3));
    node.log.clear_dead_letters();
    node.has_stored(&orders).await;
    assert_eq!(node.buried(), waiting);
    node.grove.drain().await.unwrap();
}

/// Each of them shares its entry with good orders, which are stored.
#[tokio::test(start_paused = true)]
async fn poison_that_waits_for_room_among_the_dead_letters_takes_no_more_credit_than_its_own() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.log.behave(|log| log.dead_letter_limit = 0);
    let entries = MAX_ORDERS_IN_HAND / MAX_ENTRY_ORDERS + 1;
    let mut orders = Vec::new();
    for _ in 0..entries {
        let good: Vec<_> = (1..MAX_ENTRY_ORDERS).map(|_| new_order(&mut random)).collect();
        let mut records: Vec<_> = good.iter().map(Order::to_record).collect();
        records.push(UNREADABLE.to_vec());
        node.log
            .write_together(&records.iter().map(Vec::as_slice).collect::<Vec<_>>());
        orders.extend(good);
    }
    eventually("the others are stored", || node.store.orders().len() == orders.len()).await;
    eventually("only poison is in hand", || node.taken() == entries).await;
    node.log.behave(|log| log.dead_letter_limit = entries);
    eventually("they are put aside", || node.buried().len() == entries).await;
    eventually("nothing is left", || node.log.backlog() == 0 && node.taken() == 0).await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn poison_is_buried_once_whatever_becomes_of_the_answer_and_the_reader() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.store.behave(|store| store.highest_price = Some(HIGHEST));
    node.log.behave(|log| log.acknowledgements = Reach::AnswerLost);
    let orders = node.write_good(50, &mut random);
    let mut poison = vec![
        (node.log.write(UNREADABLE), PoisonReason::Unreadable),
        (
            node.log.write(&too_dear(&mut random).to_record()),
            PoisonReason::Refused,
        ),
    ];
    eventually("it is buried", || node.buried().len() == 2).await;
    node.grove.hit("v2/pair-0/reader", Fault::Kill).await;
    poison.push((node.log.write(OFF_THE_MENU), PoisonReason::Invalid));
    sleep(Duration::from_secs(2)).await;
    node.log.behave(|log| log.acknowledgements = Reach::Up);
    node.has_stored(&orders).await;
    assert_eq!(node.buried(), poison);
    node.grove.drain().await.unwrap();
}
