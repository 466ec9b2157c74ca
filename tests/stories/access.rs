//! Who may do what, and what a node says about itself: tokens, caps, the tree, metrics, settings, commands.

mod commands;
mod drawings;
mod metrics;

use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::support::wire::request;
use crate::support::{Database, Node, Reply, Wire, eventually, on_both_engines};

const TOKEN: &str = "b4rista s3cret";

on_both_engines!(
    faults_need_no_token_on_loopback,
    faults_need_the_token_where_there_is_one
);

async fn inject(node: &Node, authorization: &[&str]) -> Reply {
    let bytes = request("POST /api/actors/v1/ingest/kill", authorization, br#"{"mode":"kill"}"#);
    Wire::connect(node).await.exchange(&bytes).await.unwrap()
}

async fn ingest_restarts(node: &Node) -> u64 {
    let tree: Value = node.client.get("/api/actors").await.unwrap();
    let ingest = tree["actors"]
        .as_array()
        .unwrap()
        .iter()
        .find(|actor| actor["path"] == "v1/ingest")
        .unwrap();
    ingest["restarts"].as_u64().unwrap()
}

async fn until_restarts(node: &Node, wanted: u64) {
    eventually("the ingest came back", async || match ingest_restarts(node).await {
        restarts if restarts == wanted => Ok(()),
        restarts => Err(restarts.to_string()),
    })
    .await;
}

async fn faults_need_no_token_on_loopback(database: Database) {
    let node = Node::start(&database).await;
    assert_eq!(inject(&node, &[]).await.status, 202);
    until_restarts(&node, 1).await;
    node.stop().await;
}

async fn faults_need_the_token_where_there_is_one(database: Database) {
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let node = Node::spawn(&database, listen, &[("COFFEE_RT_ADMIN_TOKEN", TOKEN)]).await;
        node.until_ready().await;
        let long = format!("Authorization: Bearer {TOKEN}{TOKEN}");
        for wrong in [
            &[][..],
            &["Authorization: Bearer"],
            &["Authorization: Bearer "],
            &["Authorization: Bearer b4rista"],
            &["Authorization: Bearer B4RISTA S3CRET"],
            &["Authorization: Basic b4rista s3cret"],
            &["Authorization: b4rista s3cret"],
            &[&long],
        ] {
            let reply = inject(&node, wrong).await;
            assert_eq!(
                (reply.status, reply.header("www-authenticate")),
                (401, Some("Bearer")),
                "{wrong:?}"
            );
            assert_eq!(reply.json()["type"], "urn:coffee-rt:problem:wrong-token", "{wrong:?}");
        }
        assert_eq!(ingest_restarts(&node).await, 0);
        for right in [
            format!("Authorization: Bearer {TOKEN}"),
            format!("authorization: bearer {TOKEN}"),
        ] {
            let before = ingest_restarts(&node).await;
            assert_eq!(inject(&node, &[&right]).await.status, 202);
            until_restarts(&node, before + 1).await;
        }
        assert!(!node.log().contains(TOKEN), "the token is in the log");
        node.stop().await;
    }
}

#[tokio::test]
async fn faults_are_off_beyond_loopback_without_a_token() {
    let database = Database::sqlite();
    // An empty variable is no token.
    for settings in [&[][..], &[("COFFEE_RT_ADMIN_TOKEN", "")]] {
        let node = Node::spawn(&database, "0.0.0.0:0", settings).await;
        node.until_ready().await;
        for authorization in [&[][..], &["Authorization: Bearer "], &["Authorization: Bearer x"]] {
            let reply = inject(&node, authorization).await;
            assert_eq!(reply.status, 403, "{settings:?} {authorization:?} {reply:?}");
            assert!(
                reply.json()["detail"]
                    .as_str()
                    .unwrap()
                    .contains("COFFEE_RT_ADMIN_TOKEN")
            );
        }
        assert_eq!(ingest_restarts(&node).await, 0);
        node.stop().await;
    }
}

#[tokio::test]
async fn what_can_be_read_can_be_asked_for_without_its_body() {
    let database = Database::sqlite();
    let node = Node::start(&database).await;
    for path in [
        "/",
        "/livez",
        "/readyz",
        "/metrics",
        "/api/dashboard",
        "/api/sales",
        "/api/history",
        "/api/actors",
        "/api/events",
        "/api/node",
        "/api/customers",
    ] {
        let mut wire = Wire::connect(&node).await;
        wire.send(&request(&format!("HEAD {path}"), &["Connection: close"], b""))
            .await;
        let mut answer = String::new();
        wire.stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"),
            "{path}: {answer}"
        );
        assert!(!answer.contains("content-length: 0"), "{path}: {answer}");
    }
    node.stop().await;
}

#[tokio::test]
async fn connections_are_capped() {
    let database = Database::sqlite();
    let node = Node::start_with(&database, &[("COFFEE_RT_LIMITS__CONNECTIONS", "3")]).await;
    let live = request("GET /livez", &[], b"");
    // The pool of the client that waited for readiness may hold one of the three.
    let mut open = Vec::new();
    let refused = loop {
        let mut wire = Wire::connect(&node).await;
        wire.send(&live).await;
        match wire.reply().await.unwrap() {
            reply if reply.status == 200 => open.push(wire),
            reply => break reply,
        }
        assert!(open.len() <= 3, "more connections than the limit");
    };
    assert!(open.len() >= 2);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.json()["type"], "urn:coffee-rt:problem:too-many-connections");
    open[0].send(&live).await;
    assert_eq!(open[0].reply().await.unwrap().status, 200, "who is in stays in");
    open.pop();
    eventually("a place is free again", async || {
        let mut wire = Wire::connect(&node).await;
        wire.send(&live).await;
        match wire.reply().await {
            Ok(reply) if reply.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    drop(open);
    node.stop().await;
}

#[tokio::test]
async fn sockets_are_capped() {
    let database = Database::sqlite();
    let node = Node::start_with(&database, &[("COFFEE_RT_LIMITS__SOCKETS", "2")]).await;
    let handshake = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut sockets = Vec::new();
    for path in ["dashboard", "actors"] {
        let mut wire = Wire::connect(&node).await;
        wire.send(&request(&format!("GET /ws/{path}"), &handshake, b"")).await;
        assert_eq!(wire.reply().await.unwrap().status, 101);
        sockets.push(wire);
    }
    for path in ["dashboard", "actors"] {
        let reply = Wire::connect(&node)
            .await
            .exchange(&request(&format!("GET /ws/{path}"), &handshake, b""))
            .await;
        let reply = reply.unwrap();
        assert_eq!(
            (reply.status, reply.header("retry-after")),
            (503, Some("1")),
            "{reply:?}"
        );
        assert_eq!(reply.json()["type"], "urn:coffee-rt:problem:too-many-sockets");
    }
    for socket in &mut sockets {
        assert_eq!(socket.frame().await.unwrap().0, 1, "who is in gets frames");
    }
    sockets.pop();
    eventually("a place is free again", async || {
        let bytes = request("GET /ws/dashboard", &handshake, b"");
        match Wire::connect(&node).await.exchange(&bytes).await {
            Ok(reply) if reply.status == 101 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    node.stop().await;
}
