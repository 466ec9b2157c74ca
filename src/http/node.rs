//! `GET /api/node`: what a page must know about the node before it shows anything of it.

use std::sync::Arc;

use coffee_rt_actors::domain::{Instant, Menu};
use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::app::{App, FaultAccess};
use super::customers::{MAX_DURATION_SECONDS, MAX_ORDERS, MAX_RATE_PER_SECOND};
use super::paths::at;
use super::recover::{READ, only};

#[derive(Serialize)]
struct Node<'a> {
    /// Of the software.
    version: &'static str,
    engine: &'static str,
    started_at: Instant,
    versions: Vec<Running>,
    menu: &'a Menu,
    /// Who may inject faults and send customers.
    faults: &'static str,
    customers: CustomerLimits,
}

#[derive(Serialize)]
struct Running {
    name: &'static str,
    order_path: &'static str,
}

#[derive(Serialize)]
struct CustomerLimits {
    max_rate_per_second: f64,
    max_duration_seconds: f64,
    max_orders: u64,
}

/// The route.
pub(super) fn route(app: Arc<App>) -> BoxedFilter<(Response,)> {
    at("/api/node")
        .and(only(READ))
        .map(move || super::json(&describe(&app)))
        .boxed()
}

fn describe(app: &App) -> Node<'_> {
    let versions = app.versions().map(|version| Running {
        name: version.name(),
        order_path: version.order_path(),
    });
    Node {
        version: env!("CARGO_PKG_VERSION"),
        engine: app.engine,
        started_at: app.started_at,
        versions: versions.collect(),
        menu: &app.menu,
        faults: match app.fault_access {
            FaultAccess::Open => "open",
            FaultAccess::Token(_) => "token",
            FaultAccess::Off => "off",
        },
        customers: CustomerLimits {
            max_rate_per_second: MAX_RATE_PER_SECOND,
            max_duration_seconds: MAX_DURATION_SECONDS,
            max_orders: MAX_ORDERS,
        },
    }
}
