//! Bad input gets a clear error and changes nothing: a table of it, sent as raw bytes.

mod bodies;
mod requests;
mod sockets;

pub use sockets::open as open_socket;

use crate::support::wire::order;
use crate::support::{Books, Database, Node, Reply, Wire, on_both_engines};

/// What an input must be answered with.
enum Want {
    /// A problem of that status and kind; with 422 the field it names.
    Problem(u16, &'static str, Option<&'static str>),
    /// A problem that also carries this header.
    Header(u16, &'static str, &'static str, &'static str),
    /// A problem whose detail has this text.
    Detail(u16, &'static str, &'static str),
    /// A status without a body: hyper's parser answers these itself, before there is a request that could be routed, and
    /// has no hook for a body.
    Parser(u16),
    /// Not even that: no answer could be told from the next request's.
    Closed,
}

/// One bad input.
struct Case {
    name: String,
    bytes: Vec<u8>,
    want: Want,
}

on_both_engines!(
    bad_input_is_named_and_changes_nothing,
    bad_frames_close_with_the_right_code
);

/// Every bad input: its name and its bytes.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let table = bodies::cases().into_iter().chain(requests::cases());
    table.map(|case| (case.name, case.bytes)).collect()
}

async fn bad_input_is_named_and_changes_nothing(database: Database) {
    let node = Node::start(&database).await;
    let good = Wire::connect(&node).await.exchange(&order(None, &bodies::good())).await;
    assert_eq!(good.as_ref().map(|reply| reply.status), Ok(200), "{good:?}");
    let mut wrong = Vec::new();
    let table: Vec<Case> = bodies::cases().into_iter().chain(requests::cases()).collect();
    assert!(table.len() >= 60, "{}", table.len());
    println!("{} bad inputs", table.len());
    for case in &table {
        let answer = Wire::connect(&node).await.exchange(&case.bytes).await;
        if let Err(reason) = judge(&case.want, answer) {
            wrong.push(format!("{}: {reason}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_nothing_changed(&node, &database).await;
    node.stop().await;
}

async fn bad_frames_close_with_the_right_code(database: Database) {
    let node = Node::start(&database).await;
    let good = Wire::connect(&node).await.exchange(&order(None, &bodies::good())).await;
    assert_eq!(good.map(|reply| reply.status), Ok(200));
    let table = sockets::frames();
    println!("{} bad frames", table.len());
    for path in ["/ws/dashboard", "/ws/sales", "/ws/actors"] {
        for (name, bytes, code) in &table {
            let mut wire = sockets::open(&node, path).await;
            wire.send(bytes).await;
            let closed = loop {
                match wire.frame().await {
                    Ok((0x8, payload)) => break u16::from_be_bytes([payload[0], payload[1]]),
                    Ok(_) => {}
                    Err(reason) => panic!("{path} {name}: no close frame: {reason}"),
                }
            };
            assert_eq!(closed, *code, "{path} {name}");
        }
    }
    assert_nothing_changed(&node, &database).await;
    node.stop().await;
}

/// One order was stored before; nothing else may be there, and the node works on.
async fn assert_nothing_changed(node: &Node, database: &Database) {
    assert_eq!(Books::read(database).await.rows, 1);
    assert_eq!(database.assert_audit_clean(), 1);
    node.until_ready().await;
    let dashboard: serde_json::Value = node.client.get("/api/dashboard").await.unwrap();
    assert_eq!(dashboard["stored_total"], 1);
}

fn judge(want: &Want, answer: Result<Reply, String>) -> Result<(), String> {
    let (reply, status, kind) = match (want, answer) {
        (Want::Closed, Err(reason)) if reason.starts_with("closed after \"\"") => return Ok(()),
        (Want::Parser(status), Ok(reply)) if reply.status == *status && reply.body.is_empty() => return Ok(()),
        (
            Want::Problem(status, kind, _) | Want::Header(status, kind, ..) | Want::Detail(status, kind, _),
            Ok(reply),
        ) => (reply, *status, *kind),
        (_, answer) => return Err(format!("{answer:?}")),
    };
    let document: serde_json::Value = serde_json::from_str(&reply.body).map_err(|_| format!("{reply:?}"))?;
    let mut right = reply.status == status
        && reply.header("content-type") == Some("application/problem+json")
        && document["type"] == format!("urn:coffee-rt:problem:{kind}")
        && document["status"] == status
        && ["title", "detail"]
            .iter()
            .all(|key| document[key].as_str().is_some_and(|text| !text.is_empty()));
    match want {
        Want::Problem(_, _, Some(field)) => right &= names_only(&document, field),
        Want::Header(_, _, header, value) => right &= reply.header(header) == Some(*value),
        Want::Detail(_, _, text) => right &= document["detail"].as_str().is_some_and(|detail| detail.contains(text)),
        _ => {}
    }
    if right { Ok(()) } else { Err(format!("{reply:?}")) }
}

fn names_only(document: &serde_json::Value, field: &str) -> bool {
    let Some([error]) = document["errors"].as_array().map(Vec::as_slice) else {
        return false;
    };
    error["field"] == field && error["message"].as_str().is_some_and(|message| !message.is_empty())
}
