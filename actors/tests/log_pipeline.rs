//! The story of an order from the desk through a log to the store, both in memory and both away now and then.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use coffee_rt_actors::backoff::RETRY_BATCH_MS;
use coffee_rt_actors::log_watch::LogHealth;
use coffee_rt_actors::ports::MAX_ENTRY_ORDERS;
use coffee_rt_actors::reader::MAX_ORDERS_IN_HAND;
use coffee_rt_actors::supervision::Fault;
use coffee_rt_actors::ticket::{Acknowledged, Refusal};
use support::log_node::LogNode;
use support::memory_store::Reach;
use support::node::new_order;
use support::{eventually, quiet_injected_panics, seeded};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_order_is_acknowledged_in_the_log_and_stored_soon_after() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.store.behave(|store| store.hold_commits = true);
    let orders = node.logged(3_000, &mut random).await;
    assert_eq!((node.log.appended(), node.store.orders().len()), (3_000, 0));
    node.store.behave(|store| store.hold_commits = false);
    let began = Instant::now();
    node.has_stored(&orders).await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    eventually(
        "the log is shown empty",
        || matches!(&*node.health.borrow(), LogHealth::Up(status) if status.backlog + status.pending == 0),
    )
    .await;
    node.grove.drain().await.unwrap();
    assert!(node.log.left());
}

#[tokio::test(start_paused = true)]
async fn orders_are_accepted_while_the_store_is_away_and_stored_once_it_is_back() {
    for commits in [Reach::Away, Reach::AnswerLost, Reach::Panics] {
        quiet_injected_panics();
        let (node, mut random) = (LogNode::start(2).await, seeded());
        node.store
            .behave(|store| (store.commits, store.claims) = (commits, Reach::Away));
        let mut orders = node.logged(500, &mut random).await;
        sleep(Duration::from_millis(3 * RETRY_BATCH_MS)).await;
        node.store.behave(|store| store.claims = Reach::Up);
        orders.extend(node.logged(6_000, &mut random).await);
        sleep(Duration::from_millis(3 * RETRY_BATCH_MS)).await;
        assert_eq!(node.log.backlog(), orders.len(), "{commits:?}");
        node.store.behave(|store| store.commits = Reach::Up);
        node.has_stored(&orders).await;
        assert_eq!(node.log.dead_letters(), []);
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_absent_log_is_waited_for_then_said_to_be_away_and_missed_no_longer_than_it_is() {
    for appends in [Reach::Away, Reach::Panics] {
        quiet_injected_panics();
        let (node, mut random) = (LogNode::start(1).await, seeded());
        node.log
            .behave(|log| (log.appends, log.keeps, log.reads) = (appends, appends, Reach::Away));
        let (patient, began) = (node.place(&new_order(&mut random)), Instant::now());
        let refused = patient.await.unwrap();
        assert!(matches!(refused, Err(Refusal::LogAway(_))), "{refused:?}");
        let (waited, limit) = (began.elapsed(), Duration::from_millis(RETRY_BATCH_MS));
        assert!(waited >= limit && waited < limit + SECOND, "{waited:?}");
        for _ in 0..100 {
            let began = Instant::now();
            let refused = node.desk.place(new_order(&mut random)).await;
            assert!(matches!(refused, Err(Refusal::LogAway(_))), "{refused:?}");
            assert!(began.elapsed() < Duration::from_millis(10), "{:?}", began.elapsed());
            sleep(Duration::from_millis(100)).await;
        }
        assert!(node.log.appends_begun() < 100, "{} attempts", node.log.appends_begun());
        assert!(!node.health.borrow().takes_orders());
        node.log.behave(|log| *log = Default::default());
        let (order, began) = (new_order(&mut random), Instant::now());
        while node.desk.place(order.clone()).await.is_err() {
            assert!(began.elapsed() < SECOND, "{appends:?}: still refused");
            sleep(Duration::from_millis(1)).await;
        }
        eventually("the log is shown to be up", || node.health.borrow().takes_orders()).await;
        node.has_stored(&[order]).await;
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn orders_wait_for_a_log_that_is_away_for_a_moment() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.log.behave(|log| log.appends = Reach::Away);
    let orders: Vec<_> = (0..2_500).map(|_| new_order(&mut random)).collect();
    let placing: Vec<_> = orders.iter().map(|order| node.place(order)).collect();
    sleep(Duration::from_millis(RETRY_BATCH_MS * 2 / 3)).await;
    node.log.behave(|log| log.appends = Reach::Up);
    for placing in placing {
        assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Logged));
    }
    node.has_stored(&orders).await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_was_lost_is_in_the_log_twice_and_stored_once() {
    let (node, mut random) = (LogNode::start(2).await, seeded());
    node.log.behave(|log| log.appends = Reach::AnswerLost);
    let orders: Vec<_> = (0..100).map(|_| new_order(&mut random)).collect();
    let placing: Vec<_> = orders.iter().map(|order| node.place(order)).collect();
    eventually("some are appended again", || node.log.appends_begun() == 3).await;
    node.log.behave(|log| log.appends = Reach::Up);
    for placing in placing {
        assert_eq!(placing.await.unwrap(), Ok(Acknowledged::Logged));
    }
    assert!(node.log.appended() > 100);
    node.has_stored(&orders).await;
    assert_eq!(node.log.dead_letters(), []);
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_log_refuses_orders_until_it_is_drained() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.log.behave(|log| log.backlog_limit = 100);
    node.store.behave(|store| store.hold_commits = true);
    let mut orders = node.logged(100, &mut random).await;
    let (refused, began) = (node.desk.place(new_order(&mut random)).await, Instant::now());
    assert_eq!(refused, Err(Refusal::BacklogFull));
    assert!(began.elapsed() < Duration::from_millis(10));
    assert_eq!(node.log.appended(), 100);
    eventually("it is shown", || !node.health.borrow().takes_orders()).await;
    node.store.behave(|store| store.hold_commits = false);
    eventually("the backlog is drained", || node.log.backlog() == 0).await;
    orders.extend(node.logged(50, &mut random).await);
    node.has_stored(&orders).await;
    node.grove.drain().await.unwrap();
}

/// The log is full of the very order: saying so would tell the customer that it was not accepted.
#[tokio::test(start_paused = true)]
async fn an_order_that_may_be_in_the_log_is_not_refused_as_if_it_were_not() {
    for dies in [false, true] {
        let (node, mut random) = (LogNode::start(1).await, seeded());
        node.store.behave(|store| store.hold_commits = true);
        node.log
            .behave(|log| (log.backlog_limit, log.appends) = (1, Reach::AnswerLost));
        let order = new_order(&mut random);
        let placing = node.place(&order);
        eventually("it is appended", || node.log.appended() == 1).await;
        if dies {
            node.grove.hit("v2/appender", Fault::Kill).await;
        }
        node.log.behave(|log| log.appends = Reach::Up);
        let answer = placing.await.unwrap();
        assert!(
            matches!(answer, Err(Refusal::LogAway(_) | Refusal::TooLate)),
            "dies: {dies}, {answer:?}"
        );
        node.store.behave(|store| store.hold_commits = false);
        node.has_stored(&[order]).await;
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_position_is_reported_and_everything_read_again_is_counted_once() {
    for noticed_by_readers in [true, false] {
        let (node, mut random) = (LogNode::start(1).await, seeded());
        node.store.behave(|store| store.hold_commits = true);
        let mut orders = node.logged(1_500, &mut random).await;
        eventually("all is in hand", || node.taken() == 1_500).await;
        if !noticed_by_readers {
            node.log.behave(|log| log.reads = Reach::Away);
            sleep(SECOND).await;
        }
        node.log.lose_position();
        eventually("it is reported", || node.positions_lost() == 1).await;
        node.log.behave(|log| log.reads = Reach::Up);
        eventually("all is delivered again", || node.log.pending() == 1_500).await;
        node.store.behave(|store| store.hold_commits = false);
        orders.extend(node.logged(100, &mut random).await);
        node.has_stored(&orders).await;
        assert_eq!(node.positions_lost(), 1);
        node.grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_absent_store_is_given_no_more_than_a_reader_may_have_in_hand() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.store
        .behave(|store| (store.commits, store.claims) = (Reach::Away, Reach::Away));
    let orders = node.logged(MAX_ORDERS_IN_HAND + 2_000, &mut random).await;
    // What is left may be too little for an entry.
    let full = MAX_ORDERS_IN_HAND - MAX_ENTRY_ORDERS + 1..=MAX_ORDERS_IN_HAND;
    eventually("the credit is taken", || full.contains(&node.taken())).await;
    for _ in 0..10 {
        node.grove.hit("v2/pair-0/reader", Fault::Kill).await;
        sleep(SECOND).await;
        assert!(node.taken() <= MAX_ORDERS_IN_HAND);
        assert!(full.contains(&node.log.pending()), "{}", node.log.pending());
    }
    node.store.behave(|store| *store = Default::default());
    node.has_stored(&orders).await;
    node.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_stores_and_acknowledges_what_is_in_hand() {
    for acknowledgements in [Reach::Up, Reach::AnswerLost] {
        let (mut node, mut random) = (LogNode::start(1).await, seeded());
        node.store.behave(|store| store.hold_commits = true);
        let orders = node.logged(2_500, &mut random).await;
        eventually("all is in hand", || node.taken() == 2_500).await;
        node.grove.ask_to_drain();
        sleep(SECOND).await;
        node.log.behave(|log| log.acknowledgements = acknowledgements);
        node.store.behave(|store| store.hold_commits = false);
        sleep(Duration::from_millis(100)).await;
        node.log.behave(|log| log.acknowledgements = Reach::Up);
        let began = Instant::now();
        node.grove.outcome().await.unwrap();
        assert!(began.elapsed() < SECOND, "{acknowledgements:?}: {:?}", began.elapsed());
        assert_eq!((node.log.backlog(), node.log.pending()), (0, 0));
        assert!(node.log.left());
        assert_eq!(node.store.orders().len(), orders.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_the_acknowledgement_under_way_and_no_longer() {
    let (mut node, mut random) = (LogNode::start(1).await, seeded());
    node.log.behave(|log| log.delay = Duration::from_millis(50));
    let orders = node.logged(100, &mut random).await;
    eventually("they are stored", || node.store.orders().len() == 100).await;
    assert!(node.taken() > 0, "they are acknowledged already");
    let began = Instant::now();
    node.grove.ask_to_drain();
    node.grove.outcome().await.unwrap();
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert_eq!(node.log.pending(), 0);
    assert_eq!(node.store.orders().len(), orders.len());
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_a_store_leaves_everything_in_the_log() {
    let (node, mut random) = (LogNode::start(1).await, seeded());
    node.store
        .behave(|store| (store.commits, store.claims) = (Reach::Away, Reach::Away));
    let orders = node.logged(300, &mut random).await;
    eventually("all is in hand", || node.taken() == 300).await;
    let (log, began) = (node.log.clone(), Instant::now());
    node.grove.drain().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!((log.pending(), log.backlog()), (orders.len(), orders.len()));
    assert_eq!(log.dead_letters(), []);
}
