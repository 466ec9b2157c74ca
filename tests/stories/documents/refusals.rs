//! Answers of nodes that want a token, have little room, or have lost their store or their log.

use coffee_rt::config::Version;
use serde_json::{Value, json};
use uuid::Uuid;

use super::spec::Spec;
use super::{Asked, json_request};
use crate::bad_input::open_socket;
use crate::support::wire::{ORDER, request};
use crate::support::{Database, Node, OwnService, Wire, eventually};

const TOKEN: &str = "b4rista";
const STALL_MS: u64 = 3_000;

/// The answer must be documented, and of this status and kind.
async fn expect(asked: &Asked<'_>, name: &str, bytes: &[u8], status: u16, kind: &str) {
    let reply = asked.send(name, bytes).await.unwrap();
    let told = (
        reply.status,
        reply.json()["type"].as_str().unwrap_or_default().to_owned(),
    );
    assert_eq!(
        told,
        (status, format!("urn:coffee-rt:problem:{kind}")),
        "{name}: {reply:?}"
    );
}

fn order_to(version: Version) -> Vec<u8> {
    let key = format!("Idempotency-Key: {}", Uuid::now_v7());
    let headers = ["Content-Type: application/json", &key];
    request(&format!("POST {}", version.order_path()), &headers, ORDER)
}

/// What only operators may do, each done wrong and right.
fn commands() -> Vec<(&'static str, serde_json::Value, u16)> {
    let crowd = json!({"version": "v1", "rate_per_second": 1, "duration_seconds": 1});
    vec![
        ("POST /api/actors/v1/ingest/kill", json!({"mode": "kill"}), 202),
        ("POST /api/customers", crowd, 202),
        ("DELETE /api/customers", json!({}), 200),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_operators_are_as_documented() {
    let database = Database::sqlite();
    let node = Node::start_with(&database, &[("COFFEE_RT_ADMIN_TOKEN", TOKEN)]).await;
    let spec = Spec::of(&node).await;
    let asked = Asked {
        node: &node,
        spec: &spec,
    };
    let right = format!("Authorization: Bearer {TOKEN}");
    for (head, body, status) in commands() {
        expect(&asked, head, &json_request(head, &[], &body), 401, "wrong-token").await;
        let foreign = json_request(head, &[&right, "Origin: https://shop.example"], &body);
        expect(&asked, head, &foreign, 403, "foreign-origin").await;
        let reply = asked.send(head, &json_request(head, &[&right], &body)).await.unwrap();
        assert_eq!(reply.status, status, "{head}: {reply:?}");
    }
    node.stop().await;

    let node = Node::spawn(&database, "0.0.0.0:0", &[]).await;
    node.until_ready().await;
    let asked = Asked {
        node: &node,
        spec: &spec,
    };
    for (head, body, _) in commands() {
        expect(&asked, head, &json_request(head, &[&right], &body), 403, "faults-off").await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_node_with_little_room_are_as_documented() {
    let settings = [
        ("COFFEE_RT_LIMITS__CREDIT_ORDERS", "1"),
        ("COFFEE_RT_LIMITS__ORDER_DEADLINE_MS", "500"),
        ("COFFEE_RT_LIMITS__READ_DEADLINE_MS", "1000"),
        ("COFFEE_RT_LIMITS__SOCKETS", "1"),
    ];
    let database = Database::sqlite();
    let node = Node::start_with(&database, &settings).await;
    let spec = Spec::of(&node).await;
    let asked = Asked {
        node: &node,
        spec: &spec,
    };

    let _socket = open_socket(&node, "/ws/actors").await;
    for path in ["/ws/dashboard", "/ws/sales", "/ws/actors"] {
        let handshake = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let bytes = request(&format!("GET {path}"), &handshake, b"");
        expect(&asked, path, &bytes, 503, "too-many-sockets").await;
    }
    for head in ["POST /api/v1/order", "POST /api/actors/v1/kill", "POST /api/customers"] {
        let half = format!("{head} HTTP/1.1\r\nHost: cafe\r\nContent-Length: 9\r\n\r\n{{");
        expect(&asked, head, half.as_bytes(), 408, "slow-body").await;
    }
    node.inject_surely("v1/batcher-0", "stall", STALL_MS).await;
    let (first, second) = (order_to(Version::V1), order_to(Version::V1));
    tokio::join!(expect(&asked, "the stalled", &first, 503, "too-late"), async {
        eventually("the first is under way", async || {
            match asked.node.client.get::<Value>("/readyz").await {
                Ok(ready) if ready["components"]["v1"]["in_flight"] == 1 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        expect(&asked, "one too many", &second, 503, "overloaded").await;
    });
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_connections_left_answers_as_documented() {
    let node = Node::start_with(&Database::sqlite(), &[("COFFEE_RT_LIMITS__CONNECTIONS", "3")]).await;
    let spec = Spec::of(&node).await;
    let asked = Asked {
        node: &node,
        spec: &spec,
    };
    let live = request("GET /livez", &[], b"");
    let mut open = Vec::new();
    let is_full = async |open: &mut Vec<Wire>| {
        let mut wire = Wire::connect(&node).await;
        wire.send(&live).await;
        let is_full = wire.reply().await.unwrap().status == 503;
        open.push(wire);
        is_full
    };
    while !is_full(&mut open).await {}
    for (method, path) in spec.operations() {
        let head = format!("{method} {}", path.replace("{path}", "v1").replace("{file}", "a.js"));
        // The answer comes before anything is asked.
        let mut wire = Wire::connect(&node).await;
        let reply = wire.reply().await.unwrap();
        assert_eq!(reply.status, 503, "{head}: {reply:?}");
        asked.judge(format!("{head} HTTP/1.1\r\n").as_bytes(), &reply).unwrap();
    }
    drop(open);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_without_store_or_log_are_as_documented() {
    let (store, log) = (OwnService::up("postgres").await, OwnService::up("redis").await);
    let redis_url = log.url.clone();
    let database = Database::at(&store.url).through(log);
    let settings = [("COFFEE_RT_LIMITS__ORDER_DEADLINE_MS", "2000")];
    let node = Node::start_with(&database, &settings).await;
    let spec = Spec::of(&node).await;
    let asked = Asked {
        node: &node,
        spec: &spec,
    };

    store.stop().await;
    until_readiness_says(&asked, "degraded").await;
    until_refused(&asked, Version::V1, "store-away").await;
    let stored = asked.send("v2 takes orders", &order_to(Version::V2)).await.unwrap();
    assert_eq!(stored.status, 200, "{stored:?}");

    let late = Node::spawn(&database, "127.0.0.1:0", &[("REDIS_URL", &redis_url)]).await;
    let asked_late = Asked {
        node: &late,
        spec: &spec,
    };
    for path in ["/api/dashboard", "/api/sales", "/api/history"] {
        expect(
            &asked_late,
            path,
            &request(&format!("GET {path}"), &[], b""),
            503,
            "not-ready",
        )
        .await;
    }
    for path in ["/api/actors", "/api/node", "/api/events", "/readyz", "/metrics"] {
        asked_late
            .send(path, &request(&format!("GET {path}"), &[], b""))
            .await
            .unwrap();
    }
    drop(late);

    database.redis_server().stop().await;
    until_readiness_says(&asked, "\"away\"").await;
    until_refused(&asked, Version::V2, "log-away").await;
    asked
        .send("the tree", &request("GET /api/actors", &[], b""))
        .await
        .unwrap();
}

/// Asks until `/readyz`, which is 503 by then, has this text; each answer is held against the documents.
async fn until_readiness_says(asked: &Asked<'_>, text: &str) {
    let bytes = request("GET /readyz", &[], b"");
    eventually("readiness shows it", async || {
        let reply = asked.send("/readyz", &bytes).await?;
        let is_shown = reply.status == 503 && reply.body.contains(text);
        if is_shown { Ok(()) } else { Err(format!("{reply:?}")) }
    })
    .await;
}

/// Places orders until one is refused for this; each answer is held against the documents.
async fn until_refused(asked: &Asked<'_>, version: Version, kind: &str) {
    eventually("orders are refused", async || {
        let reply = asked.send("an order", &order_to(version)).await.unwrap();
        let is_it = reply.json()["type"] == format!("urn:coffee-rt:problem:{kind}");
        if is_it { Ok(()) } else { Err(format!("{reply:?}")) }
    })
    .await;
}
