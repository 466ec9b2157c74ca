//! Repeated Idempotency-Keys: one order, one row, one answer, whatever happens in between.

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use uuid::Uuid;

use crate::support::wire::order;
use crate::support::{Books, Database, Node, Reply, Wire, eventually, on_both_engines, seed};

/// Requests with one key at once.
const AT_ONCE: usize = 50;
/// Keys that two different orders race for.
const RACES: usize = 40;
/// Keys whose order is sent again and again while actors and the node are killed.
const KEYS: usize = 60;
/// How often the node itself is killed meanwhile.
const CRASHES: usize = 5;

/// One order, written in different ways.
const SAME: [&str; 5] = [
    r#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#,
    r#"{"drink":"latte","store":"uptown","price":"4.50","timestamp":"2026-11-22T09:00:00Z"}"#,
    r#"{"timestamp":"2026-11-22T11:00:00+02:00","price":45e-1,"store":"uptown","drink":"l\u0061tte"}"#,
    r#"{"drink":"latte","store":"uptown","price":4.500,"timestamp":"2026-11-22T09:00:00.000000"}"#,
    r#" { "drink" : "latte", "store" : "uptown", "price" : 4.50, "timestamp" : "2026-11-22 09:00", "tip" : 1 } "#,
];
/// Other orders: each differs in one field.
const OTHERS: [&str; 4] = [
    r#"{"drink":"americano","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#,
    r#"{"drink":"latte","store":"central","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#,
    r#"{"drink":"latte","store":"uptown","price":4.51,"timestamp":"2026-11-22T09:00:00Z"}"#,
    r#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00.000001Z"}"#,
];

on_both_engines!(
    a_repeated_key_gets_the_same_answer,
    a_key_belongs_to_one_order,
    keys_outlive_actors_and_nodes,
);

async fn send(node: &Node, key: &str, body: &str) -> Result<Reply, String> {
    let wire = Wire::try_connect(node).await.map_err(|error| error.to_string())?;
    wire.exchange(&order(Some(key), body.as_bytes())).await
}

async fn a_repeated_key_gets_the_same_answer(database: Database) {
    let node = Node::start(&database).await;
    let key = Uuid::now_v7();
    let spellings = [
        key.to_string(),
        format!("\"{key}\""),
        key.to_string().to_uppercase(),
        key.simple().to_string(),
    ];
    let first = send(&node, &spellings[0], SAME[0]).await.unwrap();
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["message_id"], spellings[0]);
    for key in &spellings {
        for body in SAME {
            let again = send(&node, key, body).await.unwrap();
            assert_eq!((again.status, &again.body), (200, &first.body), "{key} {body}");
        }
    }
    for round in 1..=20 {
        let key = Uuid::new_v4().to_string();
        let all = (0..AT_ONCE).map(|n| send(&node, &key, SAME[n % SAME.len()]));
        let all = join_all(all).await;
        let first = all[0].clone().unwrap();
        assert_eq!(first.status, 200);
        for answer in all {
            assert_eq!(
                answer.map(|reply| (reply.status, reply.body)),
                Ok((200, first.body.clone()))
            );
        }
        let books = Books::read(&database).await;
        assert_eq!((books.rows, books.times[&key.parse().unwrap()]), (round + 1, 1));
    }
    assert_eq!(database.assert_audit_clean(), 21);
    node.stop().await;
}

async fn a_key_belongs_to_one_order(database: Database) {
    let node = Node::start(&database).await;
    let key = Uuid::now_v7().to_string();
    let first = send(&node, &key, SAME[0]).await.unwrap();
    assert_eq!(first.status, 200);
    for other in OTHERS {
        assert_key_refused(&send(&node, &key, other).await.unwrap());
    }
    assert_eq!(send(&node, &key, SAME[1]).await.map(|reply| reply.body), Ok(first.body));
    let mut firsts_won = 0;
    for race in 0..RACES {
        let key = Uuid::new_v4().to_string();
        let both = (0..10).map(|n| {
            send(
                &node,
                &key,
                if n % 2 == 0 {
                    SAME[0]
                } else {
                    OTHERS[race % OTHERS.len()]
                },
            )
        });
        let both = join_all(both).await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
        let (won, lost): (Vec<_>, Vec<_>) = both.into_iter().partition(|reply| reply.status == 200);
        assert_eq!(
            (won.len(), lost.len()),
            (5, 5),
            "race {race}: one order wins, the other always loses"
        );
        assert!(won.iter().all(|reply| reply.body == won[0].body), "{won:?}");
        lost.iter().for_each(assert_key_refused);
        firsts_won += usize::from(send(&node, &key, SAME[0]).await.unwrap().body == won[0].body);
    }
    println!("the first order won {firsts_won} of {RACES} races");
    let books = Books::read(&database).await;
    assert_eq!((books.rows, books.times.len()), (RACES + 1, RACES + 1));
    assert_eq!(database.assert_audit_clean(), RACES as u64 + 1);
    node.stop().await;
}

fn assert_key_refused(reply: &Reply) {
    let document = reply.json();
    assert_eq!(
        (reply.status, &document["type"]),
        (422, &Value::from("urn:coffee-rt:problem:key-reused"))
    );
    assert_eq!(document["errors"][0]["field"], "Idempotency-Key");
}

async fn keys_outlive_actors_and_nodes(database: Database) {
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed());
    let mut node = Node::start(&database).await;
    let address = node.address();
    let keys: Vec<String> = (0..KEYS).map(|_| Uuid::now_v7().to_string()).collect();
    let mut answers: Vec<Option<String>> = vec![None; KEYS];
    for round in 0..CRASHES * 2 {
        // Every key is sent while actors die, then the node; whoever is answered must always be answered so.
        let sending = keys
            .iter()
            .enumerate()
            .map(|(n, key)| send(&node, key, SAME[(n + round) % SAME.len()]));
        let faults = async {
            for path in ["v1/batcher-0", "v1/ingest", "v1", "v1/batcher-0"] {
                node.inject(path, "kill", 1).await;
                tokio::time::sleep(std::time::Duration::from_millis(rng.random_range(0..10))).await;
            }
        };
        let (replies, ()) = tokio::join!(join_all(sending), faults);
        for (known, reply) in answers.iter_mut().zip(replies) {
            let reply = reply.expect("a dead actor is not seen from outside");
            assert_eq!(reply.status, 200, "{reply:?}");
            assert_eq!(*known.get_or_insert_with(|| reply.body.clone()), reply.body);
        }
        if round % 2 == 1 {
            node = crash_under_repeats(node, &database, &address, &keys, &answers, &mut rng).await;
        }
    }
    for key in &keys {
        assert_key_refused(&send(&node, key, OTHERS[0]).await.unwrap());
    }
    let books = Books::read(&database).await;
    assert!(keys.iter().all(|key| books.times[&key.parse().unwrap()] == 1));
    let orders = (KEYS + CRASHES * KEYS) as u64;
    assert_eq!((books.rows as u64, database.assert_audit_clean()), (orders, orders));
    node.stop().await;
}

/// `kill -9` while known and new keys are sent; then each is sent again to the next node.
async fn crash_under_repeats(
    node: Node,
    database: &Database,
    address: &str,
    keys: &[String],
    answers: &[Option<String>],
    rng: &mut rand::rngs::StdRng,
) -> Node {
    let fresh: Vec<String> = keys.iter().map(|_| Uuid::now_v7().to_string()).collect();
    let pause = std::time::Duration::from_millis(rng.random_range(0..30));
    let before = {
        let sending = keys.iter().chain(&fresh).map(|key| send(&node, key, SAME[0]));
        let crash = async {
            tokio::time::sleep(pause).await;
            node.signal(nix::sys::signal::Signal::SIGKILL);
        };
        tokio::join!(join_all(sending), crash).0
    };
    node.crash();
    let node = Node::spawn(database, address, &[]).await;
    node.until_ready().await;
    let known = answers.iter().cloned().chain(fresh.iter().map(|_| None));
    for ((key, before), known) in keys.iter().chain(&fresh).zip(before).zip(known) {
        let after = eventually("the next node answers", async || send(&node, key, SAME[1]).await).await;
        assert_eq!(after.status, 200, "{after:?}");
        for earlier in known.into_iter().chain(before.ok().map(|reply| reply.body)) {
            assert_eq!(earlier, after.body, "{key}");
        }
    }
    node
}
