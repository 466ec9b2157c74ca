//! An order is followed through the log by the trace that its request belongs to.

use serde_json::Value;
use uuid::Uuid;

use crate::support::wire::{ORDER, request};
use crate::support::{Database, Node, Wire, eventually, on_both_engines, through_a_log};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

on_both_engines!(an_order_is_followed_from_its_request_to_its_commit);
through_a_log!(an_order_is_followed_from_its_request_to_its_commit);

async fn an_order_is_followed_from_its_request_to_its_commit(database: Database) {
    let settings = [
        ("COFFEE_RT_LOG", "info,coffee_rt=debug,coffee_rt_actors=debug"),
        ("COFFEE_RT_LOG_FORMAT", "json"),
    ];
    let node = Node::start_with(&database, &settings).await;
    let key = Uuid::now_v7();
    let parent = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01");
    let path = format!("POST {}", node.version.order_path());
    let own_key = format!("Idempotency-Key: {key}");
    let json = "Content-Type: application/json";
    for headers in [[json, &parent], [json, &own_key]] {
        let reply = Wire::connect(&node)
            .await
            .exchange(&request(&path, &headers, ORDER))
            .await;
        assert_eq!(reply.unwrap().status, 200);
    }
    // Without a trace it is the order's own key.
    let own = key.simple().to_string();
    for trace in [TRACE, &own] {
        eventually("the order is followed", async || {
            let log = node.log();
            let events: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let told: Vec<_> = events
                .iter()
                .filter(|event| event["trace_id"] == trace)
                .map(|event| event["message"].as_str().unwrap_or_default())
                .collect();
            let wanted = ["an order came", "an order is committed", "an order is answered"];
            if wanted.iter().all(|wanted| told.contains(wanted)) {
                Ok(())
            } else {
                Err(format!("{trace}: {told:?}\n{log}"))
            }
        })
        .await;
    }
    node.stop().await;
}
