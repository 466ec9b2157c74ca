//! A log that is full refuses orders until some are stored.

use uuid::Uuid;

use crate::support::wire::ORDER;
use crate::support::{Database, HeldCommits, Node, Requests, eventually, through_a_log};

/// The most that the log may hold.
const LIMIT: u64 = 50;

through_a_log!(a_full_log_refuses_orders_until_some_are_stored);

async fn a_full_log_refuses_orders_until_some_are_stored(database: Database) {
    let version = database.version().name();
    let setting = format!("COFFEE_RT_{}__BACKLOG_ORDERS", version.to_uppercase());
    let node = Node::start_with(&database, &[(&setting, &LIMIT.to_string())]).await;
    let held = HeldCommits::of(&database).await;
    let customer = Requests::to(&node);
    let place = async || {
        let order = std::str::from_utf8(ORDER).unwrap();
        customer.post(Uuid::now_v7(), order).await
    };
    for _ in 0..LIMIT {
        assert_eq!(place().await.status, 200);
    }
    eventually("the full log shows", async || match node.log_state().await {
        log if log["state"] == "full" && log["backlog"] == LIMIT => Ok(()),
        log => Err(log.to_string()),
    })
    .await;
    let refused = place().await;
    refused.assert_refused_for_now();
    assert!(refused.body.contains("backlog-full"), "{refused:?}");
    assert_eq!(customer.get("/readyz").await.status, 503);
    if version == "v3" {
        assert_eq!(lag_of_partitions(&node).await, LIMIT as f64);
    }
    held.release().await;
    node.until_stored().await;
    eventually("there is room in the log", async || match node.log_state().await {
        log if log["backlog"] == 0 => Ok(()),
        log => Err(log.to_string()),
    })
    .await;
    assert_eq!(place().await.status, 200);
    node.until_stored().await;
    assert_eq!(database.assert_audit_clean(), LIMIT + 1);
    if version == "v3" {
        // The node may have asked when that order was not stored yet.
        eventually("no partition lags", async || match lag_of_partitions(&node).await {
            0.0 => Ok(()),
            lag => Err(lag.to_string()),
        })
        .await;
    }
    node.stop().await;
}

async fn lag_of_partitions(node: &Node) -> f64 {
    let mut lag = 0.0;
    for partition in 0..4 {
        let name = format!("coffee_rt_log_partition_lag_orders{{partition=\"{partition}\",version=\"v3\"}}");
        lag += node.metric(&name).await;
    }
    lag
}
