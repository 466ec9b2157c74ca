//! Simulated customers that a page sends.

use serde_json::{Value, json};

use super::get;
use crate::support::wire::request;
use crate::support::{Database, Node, Reply, Wire, eventually, on_both_engines};

/// Their orders.
const ORDERS_PER_SECOND: f64 = 200.0;

on_both_engines!(customers_come_when_asked_and_go_when_told);

pub async fn send_customers(node: &Node, seconds: f64) -> Reply {
    let wish = json!({
        "version": node.version.name(), "rate_per_second": ORDERS_PER_SECOND, "duration_seconds": seconds,
    });
    customers(node, "POST", &[], &wish.to_string()).await
}

async fn customers(node: &Node, method: &str, headers: &[&str], body: &str) -> Reply {
    let bytes = request(&format!("{method} /api/customers"), headers, body.as_bytes());
    Wire::connect(node).await.exchange(&bytes).await.unwrap()
}

/// Waits until the customers have gone, and returns how they fared.
pub async fn until_customers_are_gone(node: &Node) -> Value {
    eventually("the customers have gone", async || {
        let state = get(node, "/api/customers").await;
        if state["running"].is_null() && !state["last"].is_null() {
            Ok(state["last"].clone())
        } else {
            Err(state.to_string())
        }
    })
    .await
}

async fn customers_come_when_asked_and_go_when_told(database: Database) {
    let node = Node::start(&database).await;
    let wish = r#"{"version":"v1","rate_per_second":200,"duration_seconds":600}"#;
    for (body, status, field) in [
        ("", 400, None),
        ("[]", 400, None),
        ("{}", 422, Some("version")),
        (
            r#"{"version":"v3","rate_per_second":1,"duration_seconds":1}"#,
            422,
            Some("version"),
        ),
        (
            r#"{"version":"v1","rate_per_second":"9","duration_seconds":1}"#,
            422,
            Some("rate_per_second"),
        ),
        (
            r#"{"version":"v1","rate_per_second":1,"duration_seconds":-1}"#,
            422,
            Some("duration_seconds"),
        ),
        (
            r#"{"version":"v1","rate_per_second":5000,"duration_seconds":3600}"#,
            422,
            Some("rate_per_second"),
        ),
    ] {
        let reply = customers(&node, "POST", &[], body).await;
        let named = reply.json()["errors"][0]["field"].as_str().map(str::to_owned);
        assert_eq!((reply.status, named.as_deref()), (status, field), "{body}: {reply:?}");
    }
    let foreign = customers(&node, "POST", &["Origin: http://elsewhere.example"], wish).await;
    assert_eq!(
        (foreign.status, foreign.json()["type"].as_str()),
        (403, Some("urn:coffee-rt:problem:foreign-origin"))
    );
    assert_eq!(
        get(&node, "/api/customers").await,
        json!({"running": null, "last": null})
    );

    assert_eq!(customers(&node, "POST", &[], wish).await.status, 202);
    let second = customers(&node, "POST", &[], wish).await;
    assert_eq!(
        (second.status, second.json()["type"].as_str()),
        (409, Some("urn:coffee-rt:problem:customers-here"))
    );
    eventually("orders are acknowledged", async || {
        let running = get(&node, "/api/customers").await["running"].clone();
        match running["acknowledged"].as_u64() {
            Some(some) if some > 0 && running["p99_ms"].as_f64() > Some(0.0) => Ok(()),
            _ => Err(running.to_string()),
        }
    })
    .await;
    assert_eq!(customers(&node, "DELETE", &[], "").await.status, 200);
    let fared = until_customers_are_gone(&node).await;
    assert!(fared["elapsed_seconds"].as_f64() < Some(60.0), "{fared}");
    assert_eq!(
        (&fared["refused"], &fared["unknown"]),
        (&json!(0), &json!(0)),
        "{fared}"
    );
    assert_eq!(Some(database.assert_audit_clean()), fared["acknowledged"].as_u64());
    // The next ones may come; they do not hold up the end of the node.
    assert_eq!(customers(&node, "POST", &[], wish).await.status, 202);
    node.stop().await;
}

#[tokio::test]
async fn customers_need_the_operators_token() {
    let database = Database::sqlite();
    let node = Node::start_with(&database, &[("COFFEE_RT_ADMIN_TOKEN", "b4rista")]).await;
    let wish = r#"{"version":"v1","rate_per_second":1,"duration_seconds":1}"#;
    for method in ["POST", "DELETE"] {
        assert_eq!(customers(&node, method, &[], wish).await.status, 401, "{method}");
        let right = customers(&node, method, &["Authorization: Bearer b4rista"], wish).await;
        assert!([200, 202].contains(&right.status), "{method}: {right:?}");
    }
    assert_eq!(get(&node, "/api/node").await["faults"], "token");
    node.stop().await;
}
