//! The topic loses records, is made anew, or is put back to an older state: what is there is stored once, what was lost is
//! told, and orders go on.

use uuid::Uuid;

use crate::support::wire::{ORDER, record};
use crate::support::{Books, Database, Node, OwnService, Requests, eventually};

/// Orders in the topic before something happens to it.
const BEFORE: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_were_removed_before_they_were_stored_are_told() {
    let database = Database::kafka().await;
    // The node makes the topic.
    let node = Node::start(&database).await;
    Requests::to(&node).place().await;
    node.until_stored().await;
    node.stop().await;
    let topic = database.topic();
    let missed = (0..10).map(|_| (3, record(Uuid::now_v7())));
    topic.produce_to(missed.collect()).await;
    let (_, next, _) = topic.place().offsets().await[3];
    topic.remove_before(3, next - 4).await;
    let node = Node::start(&database).await;
    node.until_stored().await;
    assert_eq!(positions_lost(&node).await, 1.0, "{}", node.log());
    let stored = database.assert_audit_clean();
    // The first order may have been in that partition, and then it is where the store was.
    assert_eq!(stored, 1 + 4, "{}", node.log());
    node.stop().await;
}

/// Also where it has grown beyond the store's position again, and where nothing in the records tells them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_made_anew_is_noticed_and_read() {
    let named = || record(Uuid::now_v7());
    let nameless = || ORDER.to_vec();
    for (again, record) in [BEFORE / 2, BEFORE, 3 * BEFORE]
        .into_iter()
        .flat_map(|again| [(again, named as fn() -> Vec<u8>), (again, nameless)])
    {
        let database = Database::kafka().await;
        let node = Node::start(&database).await;
        let topic = database.topic();
        let orders = |count| (0..count).map(|_| (1, record())).collect::<Vec<_>>();
        topic.produce_to(orders(BEFORE)).await;
        node.until_stored().await;
        node.stop().await;
        topic.make_anew(4).await;
        topic.produce_to(orders(again)).await;
        let node = Node::start(&database).await;
        node.until_stored().await;
        assert_eq!(database.assert_audit_clean(), (BEFORE + again) as u64, "{again}");
        assert_eq!(positions_lost(&node).await, 1.0, "{again}: {}", node.log());
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_made_anew_under_a_running_node_is_taken_on() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    place_some(&node, BEFORE).await;
    node.until_stored().await;
    database.topic().make_anew(4).await;
    taken_on(&database, &node).await;
    node.stop().await;
}

/// What the menu makes of the last record that was dealt with says nothing about the topic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_menu_that_has_grown_does_not_have_the_topic_read_again() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    let tea = String::from_utf8(ORDER.to_vec()).unwrap().replace("latte", "tea");
    database
        .topic()
        .produce_to(vec![(1, ORDER.to_vec()), (1, tea.into_bytes())])
        .await;
    node.until_stored().await;
    node.stop().await;
    let node = Node::start_with(&database, &[("COFFEE_RT_MENU__DRINKS", "[latte, tea]")]).await;
    Requests::to(&node).place().await;
    node.until_stored().await;
    assert_eq!(positions_lost(&node).await, 0.0, "{}", node.log());
    assert_eq!((database.assert_audit_clean(), database.records()), (2, 3));
    node.stop().await;
}

/// The producer's next record has a number that such a broker does not expect: it fails for good, and another one is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_put_back_to_an_older_state_is_taken_on() {
    let database = Database::postgres().await.through_own(OwnService::up("kafka").await);
    let broker = database.log_server();
    let node = Node::start_with(&database, &[("COFFEE_RT_VERSIONS", "v3")]).await;
    place_some(&node, BEFORE).await;
    broker.stop().await;
    broker.keep_copy().await;
    broker.start().await;
    place_some(&node, BEFORE).await;
    node.until_stored().await;
    broker.kill().await;
    broker.put_copy_back().await;
    broker.start().await;
    taken_on(&database, &node).await;
    assert!(node.log().contains("the producer failed for good"), "{}", node.log());
    node.stop().await;
}

/// Places orders, each until it is acknowledged.
async fn place_some(node: &Node, count: usize) {
    let client = Requests::to(node);
    for _ in 0..count {
        eventually("an order is acknowledged", async || {
            let answer = client.post(Uuid::now_v7(), std::str::from_utf8(ORDER).unwrap()).await;
            match answer.status {
                200 => Ok(()),
                _ => Err(format!("{answer:?}\n{}", node.log())),
            }
        })
        .await;
    }
}

/// What is placed after the topic changed is stored, beside what was stored before, and the change is told.
async fn taken_on(database: &Database, node: &Node) {
    let before = Books::read(database).await.rows;
    // Meanwhile the topic may grow beyond the reader's place before that one asks again.
    place_some(node, 3 * BEFORE).await;
    eventually("the change is told", async || match positions_lost(node).await {
        lost if lost >= 1.0 => Ok(()),
        lost => Err(format!("{lost}\n{}", node.log())),
    })
    .await;
    node.until_stored().await;
    let stored = Books::read(database).await.rows;
    assert!(
        stored >= before + 3 * BEFORE,
        "{before} and then {stored}\n{}",
        node.log()
    );
    let noticed = "a record was put where another one had been";
    assert!(node.log().contains(noticed), "{}", node.log());
    database.assert_audit_clean();
}

async fn positions_lost(node: &Node) -> f64 {
    node.metric(r#"coffee_rt_log_positions_lost_total{version="v3"}"#).await
}
