//! `/metrics`: well-formed, with the original's names, and with labels that no client can multiply.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::wire::{order, request};
use crate::support::{Database, Node, Subscriber, Wire, on_both_engines};

/// The original's names, as far as this build has their parts, and our own.
const NAMES: [&str; 15] = [
    "http_requests_total",
    "http_request_duration_seconds",
    "orders_created_total",
    "order_value_total",
    "websocket_connections_total",
    "db_connection_status_total",
    "cafe_order_api_info",
    "coffee_rt_actor_restarts_total",
    "coffee_rt_actor_mailbox_messages",
    "coffee_rt_actor_in_flight",
    "coffee_rt_batch_orders",
    "coffee_rt_commit_seconds",
    "coffee_rt_view_hydrations_total",
    "coffee_rt_frames_total",
    "coffee_rt_freshness_seconds",
];
/// Requests that try to make labels of their own.
const STRANGE_REQUESTS: usize = 300;
/// Methods, endpoints and statuses of such requests are few, and so are their combinations.
const MOST_REQUEST_SERIES: usize = 60;

on_both_engines!(metrics_are_well_formed_and_bounded);

async fn metrics_are_well_formed_and_bounded(database: Database) {
    let node = Node::start(&database).await;
    let body = br#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#;
    for _ in 0..3 {
        let reply = Wire::connect(&node).await.exchange(&order(None, body)).await.unwrap();
        assert_eq!(reply.status, 200);
    }
    drop(Subscriber::connect(&node.client).await);
    let before = scrape(&node).await;
    for name in NAMES {
        assert!(before.families.contains(name), "{name} is not in {:?}", before.families);
    }
    let labels = r#"orders_created_total{drink="latte",store="uptown",version="v1"}"#;
    assert_eq!(before.samples.get(labels), Some(&3.0));
    assert_eq!(before.samples.get(r#"order_value_total{store="uptown"}"#), Some(&13.5));
    let answered = r#"http_requests_total{endpoint="/api/v1/order",method="POST",status_code="200"}"#;
    assert_eq!(before.samples.get(answered), Some(&3.0));

    let mut last = 0;
    for round in 0..2 {
        for n in 0..STRANGE_REQUESTS {
            let method = ["GET", "POST", "BREW", "PROPFIND", "M-SEARCH"][n % 5];
            let path = match n % 4 {
                0 => format!("/{round}/{n}?x={n}"),
                1 => format!("/api/v1/order/{round}{n}"),
                2 => format!("/api/actors/{round}/{n}/kill"),
                _ => format!("/api/v{n}/order"),
            };
            let reply = Wire::connect(&node)
                .await
                .exchange(&request(&format!("{method} {path}"), &[], b""))
                .await;
            assert!((400..500).contains(&reply.unwrap().status), "{method} {path}");
        }
        let after = scrape(&node).await;
        let series = after
            .samples
            .keys()
            .filter(|key| key.starts_with("http_requests_total{"))
            .count();
        assert!(series <= MOST_REQUEST_SERIES, "{series} series");
        if round == 1 {
            assert_eq!(after.samples.len(), last, "series grow with requests");
        }
        last = after.samples.len();
    }
    println!("{last} series, {} families", before.families.len());
    node.stop().await;
}

struct Scrape {
    families: BTreeSet<String>,
    /// By name and labels as written.
    samples: BTreeMap<String, f64>,
}

/// Reads the text format strictly: a type before samples, no series twice, numbers that are numbers.
async fn scrape(node: &Node) -> Scrape {
    let reply = Wire::connect(node)
        .await
        .exchange(&request("GET /metrics", &[], b""))
        .await
        .unwrap();
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(reply.body.ends_with('\n'));
    let (mut families, mut samples) = (BTreeSet::new(), BTreeMap::new());
    for line in reply.body.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned()), "{name} has two types");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| {
                let family = name.strip_suffix(part)?;
                families.contains(family).then_some(family)
            });
            assert!(families.contains(family.unwrap_or(name)), "{line} has no type");
            assert!(name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_'), "{line}");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{series} is there twice"
            );
        }
    }
    Scrape { families, samples }
}
