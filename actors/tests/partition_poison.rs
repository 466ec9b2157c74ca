//! Records of a partition that cannot be stored: each is in the dead letters before the position passes over it, and holds
//! up nobody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::domain::{Cents, Order};
use coffee_rt_actors::ports::{EntryId, PoisonReason};
use coffee_rt_actors::supervision::Fault;
use rand::rngs::StdRng;
use support::memory_partitions::Request;
use support::memory_store::Reach;
use support::partition_node::{Cluster, any_order};
use support::{eventually, quiet_injected_panics, seeded};
use tokio::time::sleep;

const MINUTE: Duration = Duration::from_secs(60);
const UNREADABLE: &[u8] = b"\xff not an order";
const OFF_THE_MENU: &[u8] = br#"{"drink":"tea","store":"uptown","price":"4.50","timestamp":"2026-11-22T09:00:00Z"}"#;
/// What the store refuses to keep above.
const HIGHEST: Cents = Cents(10_000);

fn too_dear(random: &mut StdRng) -> Order {
    Order {
        price: Cents(HIGHEST.0 + 1),
        ..any_order(random)
    }
}

/// Another order under the same key, and in the same partition.
fn contradicting(order: &Order) -> Order {
    Order {
        price: Cents(order.price.0 + 1),
        ..order.clone()
    }
}

impl Cluster {
    /// Waits until everything is dealt with, and checks what is stored, and that each of these is buried just once.
    async fn has_dealt_with(&self, orders: &[Order], poison: &[(EntryId, PoisonReason)]) {
        self.has_stored(orders).await;
        let expected = poison.iter().map(|(id, reason)| ((id.0, id.1), (*reason, 1))).collect();
        assert_eq!(self.buried(), expected);
        self.has_counted(poison);
    }

    /// Checks that store and metrics have counted each of these just once.
    fn has_counted(&self, poison: &[(EntryId, PoisonReason)]) {
        assert_eq!(self.dead_lettered(), poison.len() as u64);
        for reason in PoisonReason::ALL {
            let of_reason = poison.iter().filter(|(_, its)| *its == reason).count();
            assert_eq!(self.node().buried(reason), of_reason as u64, "{reason:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_order_is_buried_with_its_reason_and_record() {
    let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
    let mut orders = cluster.appended(40, &mut random);
    let unreadable = (cluster.log.write(0, UNREADABLE), PoisonReason::Unreadable);
    orders.extend(cluster.appended(40, &mut random));
    let off_the_menu = (cluster.log.write(1, OFF_THE_MENU), PoisonReason::Invalid);
    orders.extend(cluster.appended(40, &mut random));
    cluster.has_dealt_with(&orders, &[unreadable, off_the_menu]).await;
    let letters = cluster.log.dead_letters();
    assert!(letters.iter().any(|letter| letter.value == UNREADABLE));
    assert!(letters.iter().any(|letter| letter.detail.contains("cappuccino")));
    assert!(letters.iter().all(|letter| letter.key.is_some()));
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn poison_alone_moves_the_position_too() {
    let (cluster, _) = (Cluster::start(&[&[0, 1]]).await, seeded());
    let poison: Vec<_> = (0..2_500)
        .map(|_| (cluster.log.write(1, UNREADABLE), PoisonReason::Unreadable))
        .collect();
    cluster.has_dealt_with(&[], &poison).await;
    assert_eq!(cluster.position(1), 2_500);
    cluster.drain().await;
}

/// In one batch, in a later one, and with the order that it contradicts standing there once more behind it.
#[tokio::test(start_paused = true)]
async fn of_two_orders_under_one_key_the_first_is_stored_and_the_other_buried() {
    for together in [true, false] {
        let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
        cluster.store.behave(|store| store.hold_commits = together);
        let mut orders = cluster.appended(20, &mut random);
        if !together {
            cluster.is_done().await;
        }
        let mut poison = Vec::new();
        for order in [&orders[7], &orders[7], &orders[3]] {
            poison.push((cluster.log.append(&contradicting(order)), PoisonReason::KeyReused));
            cluster.log.append(order);
        }
        orders.extend(cluster.appended(20, &mut random));
        sleep(Duration::from_millis(100)).await;
        cluster.store.behave(|store| store.hold_commits = false);
        cluster.has_dealt_with(&orders, &poison).await;
        assert_eq!(cluster.store.partition(0).repeated, 3, "together: {together}");
        cluster.drain().await;
    }
}

/// Whoever comes first has the key. Twenty times, so that both sides do.
#[tokio::test(start_paused = true)]
async fn of_two_orders_under_one_key_in_two_partitions_one_is_stored_and_the_other_buried() {
    for _ in 0..20 {
        let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
        let order = any_order(&mut random);
        let ids = [
            cluster.log.append_to(0, &order),
            cluster.log.append_to(1, &contradicting(&order)),
        ];
        cluster.is_done().await;
        let (_, stored) = cluster.store.orders().remove(0);
        let loser = ids[usize::from(stored == order)];
        cluster
            .has_dealt_with(&[stored], &[(loser, PoisonReason::KeyReused)])
            .await;
        cluster.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn orders_that_the_store_refuses_are_found_among_the_others_of_their_batch() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    cluster.store.behave(|store| {
        (store.highest_price, store.hold_commits) = (Some(HIGHEST), true);
    });
    let (mut orders, mut refused) = (Vec::new(), Vec::new());
    for good in [0, 500, 7, 0, 1, 900] {
        orders.extend(cluster.appended(good, &mut random));
        refused.push((cluster.log.append(&too_dear(&mut random)), PoisonReason::Refused));
    }
    eventually("all is in hand", || cluster.taken() == orders.len() + refused.len()).await;
    cluster.store.behave(|store| store.hold_commits = false);
    cluster.has_dealt_with(&orders, &refused).await;
    cluster.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_position_stays_before_poison_that_cannot_be_buried() {
    quiet_injected_panics();
    for burials in [Reach::Away, Reach::Panics] {
        let (cluster, mut random) = (Cluster::start(&[&[0, 1]]).await, seeded());
        cluster.node().log.behave(|log| log.burials = burials);
        let poison = [(cluster.log.write(1, UNREADABLE), PoisonReason::Unreadable)];
        let orders = cluster.appended(200, &mut random);
        sleep(MINUTE).await;
        assert_eq!((cluster.position(0), cluster.position(1)), (cluster.log.end(0), 0));
        let claims = cluster.store.partition(1).epoch;
        assert!(claims < 150, "{claims} claims in a minute");
        cluster.node().grove.hit("v3/partitions", Fault::Kill).await;
        cluster.node().log.behave(|log| log.burials = Reach::Up);
        cluster.has_dealt_with(&orders, &poison).await;
        cluster.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn poison_whose_burial_got_no_answer_is_buried_again_and_counted_once() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    cluster.store.behave(|store| store.highest_price = Some(HIGHEST));
    cluster.node().log.behave(|log| log.burials = Reach::AnswerLost);
    let mut orders = cluster.appended(50, &mut random);
    let mut poison = vec![(cluster.log.write(0, UNREADABLE), PoisonReason::Unreadable)];
    eventually("it is buried again", || cluster.log.dead_letters().len() == 2).await;
    assert_eq!(cluster.dead_lettered(), 0);
    // Now it is there once more, and nobody hears of it.
    cluster.node().log.behave(|log| {
        (log.burials, log.held) = (Reach::Up, Some(Request::Bury));
    });
    eventually("it is buried once more", || cluster.log.dead_letters().len() >= 3).await;
    cluster
        .node()
        .grove
        .hit("v3/partitions/partition-0/batcher", Fault::Kill)
        .await;
    sleep(MINUTE).await;
    assert!(cluster.position(0) <= 50);
    cluster.node().log.behave(|log| *log = Default::default());
    orders.extend(cluster.appended(50, &mut random));
    poison.push((cluster.log.append(&too_dear(&mut random)), PoisonReason::Refused));
    cluster.has_stored(&orders).await;
    cluster.has_counted(&poison);
    assert_eq!(cluster.buried().len(), poison.len());
    cluster.drain().await;
}

/// It refuses to move the position over an order that is buried already: the order was not to blame. Then it is tried
/// again as one that is away, not at once.
#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_everything_does_not_flood_the_dead_letters() {
    let (cluster, mut random) = (Cluster::start(&[&[0]]).await, seeded());
    cluster.store.behave(|store| store.commits = Reach::Refused);
    let orders = cluster.appended(100, &mut random);
    let poison = cluster.log.write(0, UNREADABLE);
    sleep(MINUTE).await;
    let letters = cluster.log.dead_letters().len();
    assert!(letters < 300, "{letters} dead letters in a minute");
    assert_eq!((cluster.position(0), cluster.store.orders().len()), (0, 0));
    cluster.store.behave(|store| store.commits = Reach::Up);
    cluster.has_stored(&orders).await;
    cluster.has_counted(&[(poison, PoisonReason::Unreadable)]);
    cluster.drain().await;
}
