//! What is different where letters stand in a topic: nothing can be taken out of it, and anyone may write to it.

use std::ops::RangeInclusive;

use serde_json::{Value, json};
use uuid::Uuid;

use super::NINE;
use super::outsiders::{Outsiders, order};
use super::producer::Foreign;
use crate::support::{Books, Database, Node, Requests, eventually};

impl Outsiders<'_> {
    fn dead_topic(&self) -> String {
        format!("{}.dead-letter", self.database.topic().place().topic)
    }

    /// Puts a record among the letters, and returns its id.
    async fn add_letter(&self, record: Foreign) -> String {
        let servers = &self.database.topic().place().servers;
        record.produce(servers, &self.dead_topic()).await
    }
}

/// Waits until the node shows so many.
async fn until_shown(node: &Node, letters: u64) {
    until_shown_within(node, letters..=letters).await;
}

async fn until_shown_within(node: &Node, letters: RangeInclusive<u64>) {
    eventually("the node shows how many there are", async || {
        let shown = &node.log_state().await["dead_letters"];
        if shown.as_u64().is_some_and(|shown| letters.contains(&shown)) {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_others_among_the_letters_are_shown_as_they_are() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    let outsiders = Outsiders::of(&database).await;
    let tombstone = Foreign {
        key: Some(b"uptown".to_vec()),
        ..Foreign::default()
    };
    let ids = [
        outsiders.add_letter(Foreign::default()).await,
        outsiders.add_letter(tombstone).await,
        outsiders.add_letter(Foreign::value(b"\x1b[2J\xff")).await,
        outsiders
            .add_letter(Foreign::value(b"hello").with("reason", b"\xfe").with("trace", b"\x00"))
            .await,
        // Almost notes.
        outsiders.add_letter(Foreign::default().with("resolves", b"0-0")).await,
        outsiders
            .add_letter(Foreign::default().with("resolves", b"0-99").with("fate", b"discarded"))
            .await,
        outsiders
            .add_letter(Foreign::value(order("latte", "2.50", None).as_bytes()))
            .await,
    ];
    let listed = outsiders.listed().await;
    let found: Vec<_> = listed.iter().map(|letter| (&letter["id"], &letter["entry"])).collect();
    let entries = [
        json!({}),
        json!({"key": "uptown"}),
        json!({"order": r"\x1b[2J\xff"}),
        json!({"order": "hello", "header.trace": "\0"}),
        json!({"header.resolves": "0-0"}),
        json!({"header.resolves": "0-99", "header.fate": "discarded"}),
        json!({"order": order("latte", "2.50", None)}),
    ];
    let want: Vec<_> = ids.iter().map(|id| json!(id)).collect();
    assert_eq!(found, want.iter().zip(&entries).collect::<Vec<_>>());
    let (code, text) = outsiders.tell(&[]).await;
    assert!(code == 0 && !text.contains('\x1b'), "{text}");
    assert!(text.ends_with("7 of 7 dead letters, newest last\n"), "{text}");

    // Only one of them is an order, though nobody gave it a message_id.
    let (code, text) = outsiders.tell(&["resubmit", "--all"]).await;
    assert!(code == 1 && text.ends_with("1 of 7 done\n"), "{text}");
    assert_eq!(outsiders.until_stored(1).await.rows, 1);
    let mut args = vec!["discard", "--yes"];
    args.extend(ids.iter().map(String::as_str));
    let (code, text) = outsiders.tell(&args).await;
    assert!(code == 1 && text.ends_with("6 of 7 done\n"), "{text}");
    assert!(outsiders.listed().await.is_empty());
    // Nothing is left of letters, nor of notes about them.
    until_shown(&node, 0).await;
    node.stop().await;
}

/// A letter as nodes write it, of an order without a message_id.
fn buried(drink: &str) -> Foreign {
    Foreign::value(order(drink, "2.50", None).as_bytes())
        .with("reason", b"invalid")
        .with("detail", b"drink must be one of latte")
        .with("topic", b"orders")
        .with("partition", b"0")
        .with("offset", b"17")
        .with("timestamp", b"1795348800000")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_is_submitted_twice_is_stored_once() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    let mut outsiders = Outsiders::of(&database).await;

    // A record may be buried twice, and two operators may be at it at the same time.
    for _ in 0..2 {
        outsiders.add_letter(buried("tea")).await;
    }
    let all = ["resubmit", "--all", "--dry-run", "--json"];
    let (code, text) = outsiders
        .tell_with(&all, &[("COFFEE_RT_MENU__DRINKS", "[latte, tea]")])
        .await;
    let fates: Value = serde_json::from_str(&text).unwrap();
    let keys = [&fates[0], &fates[1]].map(|fate| &fate["order"]["message_id"]);
    assert!(code == 0 && keys[0].is_string() && keys[0] == keys[1], "{code}: {text}");
    let fix = ["resubmit", "0-0", "0-1", "--set", "drink=latte"];
    let told = tokio::join!(outsiders.tell(&fix), outsiders.tell(&fix), outsiders.tell(&fix));
    for (code, text) in [told.0, told.1, told.2] {
        assert!(code == 0 || text.contains("is not there"), "{code}: {text}");
    }
    outsiders.until_stored(1).await;
    assert!(outsiders.listed().await.is_empty());

    // The same for an order that is to be another one.
    let key = Uuid::now_v7();
    outsiders.add_order(&order("latte", "3.00", Some(key))).await;
    outsiders.until_stored(2).await;
    let reused = outsiders.add_order(&order("latte", "3.10", Some(key))).await;
    outsiders.until_dead(1).await;
    let id = outsiders.letter_of(&reused).await;
    let fix = ["resubmit", &id, "--new-key"];
    let told = tokio::join!(outsiders.tell(&fix), outsiders.tell(&fix), outsiders.tell(&fix));
    for (code, text) in [told.0, told.1, told.2] {
        assert!(code == 0 || text.contains("is not there"), "{code}: {text}");
    }
    outsiders.until_stored(3).await;

    // And where there are two letters of one record.
    let twice = [
        outsiders.add_letter(buried("latte")).await,
        outsiders.add_letter(buried("latte")).await,
    ];
    let fix = ["resubmit", &twice[0], &twice[1], "--new-key"];
    let (code, text) = outsiders.tell(&fix).await;
    assert!(code == 0 && text.ends_with("2 of 2 done\n"), "{code}: {text}");
    outsiders.until_stored(4).await;
    eventually("everything is stored", async || match outsiders.in_log().await {
        0 => Ok(()),
        records => Err(format!("{records} records")),
    })
    .await;
    assert_eq!(Books::read(&database).await.rows, 4);
    assert!(outsiders.listed().await.is_empty(), "none came back");
    assert_eq!(database.assert_audit_clean(), 4);
    node.stop().await;
}

/// More than a producer takes unless told.
const VAST_BYTES: usize = 1_020_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vast_record_holds_up_nothing() {
    let database = Database::kafka().await;
    let node = Node::start_with(&database, &[("COFFEE_RT_V3__PARTITIONS", "1")]).await;
    let mut outsiders = Outsiders::of(&database).await;
    let place = database.topic().place();
    let vast = Foreign::value(&vec![b'x'; VAST_BYTES]);
    let source_id = vast.produce(&place.servers, &place.topic).await;
    outsiders.add_order(&order("latte", "2.50", None)).await;
    outsiders.until_stored(1).await;
    outsiders.until_dead(1).await;
    let letter = &outsiders.listed().await[0];
    assert_eq!(
        (&letter["reason"], &letter["source_id"]),
        (&json!("unreadable"), &json!(source_id))
    );
    let detail = letter["detail"].as_str().unwrap();
    assert!(detail.contains("bytes of it are not in this letter"), "{detail}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_topic_does_not_grow_by_what_is_resolved() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    let mut outsiders = Outsiders::of(&database).await;
    for _ in 0..3 {
        outsiders.add_order(&format!(r#"{{"timestamp":"{NINE}"}}"#)).await;
    }
    outsiders.until_dead(3).await;
    let first = outsiders.listed().await[0]["id"].as_str().unwrap().to_owned();
    for id in ["0-1", "0-2"] {
        assert_eq!(outsiders.tell(&["discard", id, "--yes"]).await.0, 0);
    }
    // The oldest letter is there, and with it what is behind: two letters and two notes. On a busy machine each letter may be
    // there twice: one whose delivery was in doubt was copied again before the position moved over its record.
    assert_eq!((first.as_str(), outsiders.listed().await.len()), ("0-0", 1));
    until_shown_within(&node, 5..=8).await;
    assert_eq!(outsiders.tell(&["discard", "0-0", "--yes"]).await.0, 0);
    until_shown(&node, 0).await;
    assert_eq!(outsiders.tell(&[]).await, (0, "no dead letters\n".to_owned()));
    let (code, text) = outsiders.tell(&["discard", "0-1", "--yes"]).await;
    assert!(code == 1 && text.contains("is not there"), "{code}: {text}");
    node.stop().await;
}

/// A broker that makes topics by itself would keep letters for a week.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_kept_until_they_are_resolved() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    let topic = database.topic();
    let letters = format!("{}.dead-letter", topic.place().topic);
    assert_eq!(topic.setting(&letters, "retention.ms").await, "-1");
    assert_eq!(topic.place().offsets().await.len(), 4, "partitions of orders");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_letters_that_was_deleted_is_made_again() {
    let database = Database::kafka().await;
    let node = Node::start(&database).await;
    let mut outsiders = Outsiders::of(&database).await;
    outsiders.add_order("no order").await;
    outsiders.until_dead(1).await;
    database.topic().delete(&outsiders.dead_topic()).await;
    outsiders.add_order("no order either").await;
    Requests::to(&node).place().await;
    node.until_stored().await;
    until_shown(&node, 1).await;
    assert_eq!(outsiders.listed().await.len(), 1, "{}", node.log());
    assert_eq!(database.assert_audit_clean(), 1);
    node.stop().await;
}
