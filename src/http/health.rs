//! `GET /livez` and `GET /readyz`.

use std::sync::Arc;

use coffee_rt_actors::store_watch::StoreHealth;
use serde_json::{Map, Value, json};
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter, path};

use super::app::App;
use super::recover::{READ, only};

/// The routes.
pub(super) fn routes(app: Arc<App>) -> BoxedFilter<(Response,)> {
    let live = path!("livez")
        .and(only(READ))
        .map(|| super::json(&json!({"status": "alive"})));
    let ready = path!("readyz").and(only(READ)).map(move || readiness(&app));
    live.or(ready).unify().boxed()
}

fn readiness(app: &App) -> Response {
    let store = app.health.borrow().clone();
    let (state, reason) = match &store {
        StoreHealth::Unknown => ("unknown", None),
        StoreHealth::Up => ("up", None),
        StoreHealth::Away(reason) => ("away", Some(reason)),
    };
    let shown = app.board.dashboard().is_some();
    let mut components = Map::new();
    components.insert(
        "store".to_owned(),
        json!({"state": state, "engine": app.engine, "reason": reason}),
    );
    components.insert(
        "dashboard".to_owned(),
        json!({"state": if shown { "up" } else { "not read yet" }}),
    );
    let mut cannot: Vec<&str> = Vec::new();
    for (version, running) in &app.running {
        let able = store == StoreHealth::Up && running.holds_its_shards() && !app.draining.is_cancelled();
        if !able {
            cannot.push(version.name());
        }
        let in_flight = running.desk.credit.in_flight();
        components.insert(
            version.name().to_owned(),
            json!({"state": if able { "up" } else { "cannot acknowledge" }, "in_flight": in_flight}),
        );
    }
    let detail = match (cannot.is_empty(), app.draining.is_cancelled()) {
        (true, _) => Value::Null,
        (false, true) => json!("the node is stopping"),
        (false, false) => json!(format!("{} cannot acknowledge orders", cannot.join(", "))),
    };
    let status = if cannot.is_empty() { "ready" } else { "not ready" };
    let mut response = super::json(&json!({"status": status, "detail": detail, "components": components}));
    if !cannot.is_empty() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
