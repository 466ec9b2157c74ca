//! The topic is read again: into a new database, from a time or an offset, and what is stored already changes nothing.

use std::time::Duration;

use coffee_rt_actors::domain::Instant;
use serde_json::Value;

use crate::support::{Database, HeldCommits, Kafka, Node, Requests};

/// Orders before and after a moment.
const ORDERS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_rebuilt_from_the_topic() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    for _ in 1..ORDERS {
        Requests::to(&node).place().await;
    }
    node.until_it_carries(&database).await;
    refuses_beside(&node, &database).await;
    node.until_stored().await;
    node.stop().await;

    let rebuilt = Database::postgres().await.through_topic(database.into_topic());
    let replayed = replay(&rebuilt, "beginning").await;
    assert_eq!(
        (replayed["records"].as_u64(), replayed["partitions"].as_u64()),
        (Some(ORDERS as u64), Some(4))
    );
    assert_eq!(rebuilt.assert_audit_clean(), ORDERS as u64);
    rebuilt.assert_each_record_was_stored_once().await;

    // Once more: every order is a repeated one.
    replay(&rebuilt, "beginning").await;
    assert_eq!(rebuilt.assert_audit_clean(), ORDERS as u64);
    assert_eq!(rebuilt.records(), 2 * ORDERS as u64);

    // A node goes on from there.
    let node = Node::start(&rebuilt).await;
    Requests::to(&node).place().await;
    node.until_stored().await;
    assert_eq!(rebuilt.assert_audit_clean(), 1 + ORDERS as u64);
    assert_eq!(rebuilt.records(), 1 + 2 * ORDERS as u64);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_topic_can_be_read_again() {
    let database = Database::postgres().await.through_topic(Kafka::shared());
    let node = Node::start(&database).await;
    for _ in 0..ORDERS {
        Requests::to(&node).place().await;
    }
    // Records have milliseconds.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let moment = Instant::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    for _ in 0..ORDERS / 2 {
        Requests::to(&node).place().await;
    }
    node.until_stored().await;
    node.stop().await;
    let total = (ORDERS + ORDERS / 2) as u64;
    let ends = database.topic().place().offsets().await;
    let beyond: i64 = ends.iter().map(|(_, next, _)| (next - 50).max(0)).sum();
    for (from, again) in [
        (moment.to_string(), ORDERS as u64 / 2),
        ("50".to_owned(), u64::try_from(beyond).unwrap()),
        ("2030-01-01T00:00:00Z".to_owned(), 0),
    ] {
        let before = database.records();
        assert_eq!(
            replay(&database, &from).await["records"].as_u64(),
            Some(again),
            "{from}"
        );
        assert_eq!(database.records() - before, again, "{from}");
        assert_eq!(database.assert_audit_clean(), total, "{from}");
    }
}

/// Nodes that stopped with records in the topic: no place to begin at is a reason to pass over them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_stored_yet_is_not_passed_over() {
    for from in ["2030-01-01T00:00:00Z", "1000000", "beginning"] {
        let database = Database::kafka().await;
        let node = Node::start(&database).await;
        Requests::to(&node).place().await;
        node.until_stored().await;
        let held = HeldCommits::of(&database).await;
        for _ in 0..ORDERS {
            Requests::to(&node).place().await;
        }
        node.crash();
        held.release().await;
        let before = database.assert_audit_clean();
        assert!(before < 1 + ORDERS as u64, "{before} were stored already");
        replay(&database, from).await;
        assert_eq!(database.assert_audit_clean(), 1 + ORDERS as u64, "{from}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_replayed_is_said() {
    let database = Database::sqlite();
    let (code, text) = database.run(&["replay", "--from", "yesterday"], &[]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("must be beginning, an offset, or a time"), "{text}");
    let (code, text) = database.run(&["replay", "--from", "beginning"], &[]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("KAFKA_BOOTSTRAP_SERVERS"), "{text}");
    let nobody = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")];
    let (code, text) = database.run(&["replay", "--from", "beginning"], &nobody).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("is KAFKA_BOOTSTRAP_SERVERS right?"), "{text}");
}

/// A node that runs would go on from where it is.
async fn refuses_beside(node: &Node, database: &Database) {
    let (code, text) = replay_command(database, "beginning").await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("stop the nodes that read the topic first"), "{text}");
    Requests::to(node).place().await;
}

async fn replay(database: &Database, from: &str) -> Value {
    let (code, text) = replay_command(database, from).await;
    assert_eq!(code, 0, "{text}");
    let begin = text.find("{").unwrap_or_else(|| panic!("no JSON in {text}"));
    let replayed: Value = serde_json::from_str(&text[begin..]).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(
        replayed["audit"]["differences"].as_array().map(Vec::len),
        Some(0),
        "{text}"
    );
    replayed
}

async fn replay_command(database: &Database, from: &str) -> (i32, String) {
    let url = database.direct_url().unwrap();
    let settings = [("DATABASE_URL", url), ("COFFEE_RT_LOG", "error")];
    database.run(&["replay", "--json", "--from", from], &settings).await
}
