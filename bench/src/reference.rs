//! The reference: a bare warp route on warp's own server that parses the same body and answers the same shape. It checks,
//! stores and shows nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use warp::Filter;

#[derive(Deserialize)]
struct Order {
    drink: String,
    store: String,
    price: f64,
    timestamp: String,
}

#[derive(Serialize)]
struct Stored {
    id: i64,
    drink: String,
    store: String,
    price: f64,
    timestamp: String,
    message_id: Uuid,
}

/// Serves until the process is ended.
pub async fn serve(listen: SocketAddr) {
    static LAST_ID: AtomicI64 = AtomicI64::new(0);
    let order = warp::post()
        .and(warp::path!("api" / "v1" / "order"))
        .and(warp::body::json::<Order>())
        .map(|order: Order| {
            warp::reply::json(&Stored {
                id: LAST_ID.fetch_add(1, Ordering::Relaxed) + 1,
                drink: order.drink,
                store: order.store,
                price: order.price,
                timestamp: order.timestamp,
                message_id: Uuid::now_v7(),
            })
        });
    let ready = warp::path!("readyz").map(|| "ready");
    warp::serve(order.or(ready)).run(listen).await;
}
