//! A stream delivers entries again and again, belongs to dead readers, or is lost.

use redis::Value as Reply;
use uuid::Uuid;

use crate::support::wire::ORDER;
use crate::support::{Books, Database, Node, Recount, Requests, eventually};

const STREAM: &str = "orders:stream";
const GROUP: &str = "order-workers";
/// Entries that a dead reader has taken.
const TAKEN: usize = 60;

fn order() -> &'static str {
    std::str::from_utf8(ORDER).unwrap()
}

/// Appends an order as another producer would, with its key inside.
fn append(redis: &mut redis::Connection, key: Uuid) {
    let record = order().replacen('{', &format!(r#"{{"message_id":"{key}","#), 1);
    let _: Reply = redis::cmd("XADD")
        .arg(STREAM)
        .arg("*")
        .arg("order")
        .arg(record)
        .query(redis)
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_counted_once_however_often_it_is_delivered() {
    let database = Database::redis().await;
    let node = Node::start(&database).await;
    let (mut redis, customer) = (database.redis_client(), Requests::to(&node));
    let keys: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    for _ in 0..10 {
        for key in &keys {
            append(&mut redis, *key);
            assert_eq!(customer.post(*key, order()).await.status, 200);
        }
    }
    node.until_stored().await;
    node.crash();

    // Taken by a reader that then dies, and delivered to nobody.
    for key in keys.iter().cycle().take(2 * TAKEN) {
        append(&mut redis, *key);
    }
    let mut take = redis::cmd("XREADGROUP");
    take.arg("GROUP")
        .arg(GROUP)
        .arg("ghost")
        .arg("COUNT")
        .arg(TAKEN)
        .arg("STREAMS")
        .arg(STREAM)
        .arg(">");
    let _: Reply = take.query(&mut redis).unwrap();
    let node = Node::start(&database).await;
    node.until_stored().await;
    let claimed = node.metric(r#"coffee_rt_log_claimed_total{version="v2"}"#).await;
    assert!(claimed >= TAKEN as f64, "{claimed}");

    let books = Books::read(&database).await;
    assert_eq!((books.rows, books.times.len()), (keys.len(), keys.len()));
    assert_eq!(database.assert_audit_clean(), keys.len() as u64);
    Recount::read(&database).await.assert_shown_by(&node).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_lost_its_data_is_reported_and_read_from_its_beginning() {
    let database = Database::redis().await;
    let node = Node::start(&database).await;
    let customer = Requests::to(&node);
    assert_eq!(customer.post(Uuid::now_v7(), order()).await.status, 200);
    node.until_stored().await;
    let lost = r#"coffee_rt_log_positions_lost_total{version="v2"}"#;
    assert_eq!(node.metric(lost).await, 0.0);
    let _: Reply = redis::cmd("FLUSHALL").query(&mut database.redis_client()).unwrap();
    eventually("the loss is reported", async || match node.metric(lost).await {
        times if times >= 1.0 => Ok(()),
        _ => Err(node.log()),
    })
    .await;
    for _ in 0..10 {
        assert_eq!(customer.post(Uuid::now_v7(), order()).await.status, 200);
    }
    node.until_stored().await;
    assert_eq!(node.metric(lost).await, 1.0, "reported once, not again and again");
    assert_eq!(database.assert_audit_clean(), 11);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_acknowledgement_means_is_read_from_redis() {
    let database = Database::redis().await;
    let node = Node::start(&database).await;
    let mut redis = database.redis_client();
    for (setting, value, durability) in [
        ("appendfsync", "everysec", "within_a_second"),
        ("appendfsync", "no", "when_flushed"),
        ("appendonly", "no", "memory_only"),
        ("appendonly", "yes", "when_flushed"),
        ("appendfsync", "always", "on_disk"),
    ] {
        let _: Reply = redis::cmd("CONFIG")
            .arg("SET")
            .arg(setting)
            .arg(value)
            .query(&mut redis)
            .unwrap();
        eventually("the setting shows", async || match node.log_state().await {
            log if log["durability"] == durability => Ok(()),
            log => Err(log.to_string()),
        })
        .await;
        let log = node.log();
        assert!(log.contains("the log answers"), "{log}");
    }
    let _: Reply = redis::cmd("CONFIG").arg("RESETSTAT").query(&mut redis).unwrap();
    node.stop().await;
}
