//! `GET /livez` and `GET /readyz`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use coffee_rt_actors::log_watch::LogHealth;
use coffee_rt_actors::ports::{Engine, EngineView, LogStatus};
use coffee_rt_actors::store_watch::StoreHealth;
use serde_json::{Map, Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::app::{App, Readiness};
use super::paths::at;
use super::picture::StoreState;
use super::recover::{READ, only};

/// The routes.
pub(super) fn routes(app: Arc<App>) -> BoxedFilter<(Response,)> {
    let live = at("/livez")
        .and(only(READ))
        .map(|| super::json(&json!({"status": "alive"})));
    let ready = at("/readyz").and(only(READ)).map(move || readiness(&app));
    live.or(ready).unify().boxed()
}

fn readiness(app: &App) -> Response {
    let store = app.health.borrow().clone();
    let StoreState { state, reason } = StoreState::of(&store);
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
        let (able, mut component) = match &running.readiness {
            Readiness::Shards(held) => {
                let able = store == StoreHealth::Up && held.iter().all(|held| held.load(Ordering::Relaxed));
                (able, Map::new())
            }
            Readiness::Log(log) => log_component(&log.borrow(), &store),
        };
        if let Some(engine) = &running.engine {
            tell_engine(&engine.borrow(), able, &mut component);
        }
        let able = able && !app.leaving.is_cancelled();
        if !able {
            cannot.push(version.name());
        }
        let state = if able { "up" } else { "cannot acknowledge" };
        component.insert("state".to_owned(), json!(state));
        component.insert("in_flight".to_owned(), json!(running.desk.credit.in_flight()));
        components.insert(version.name().to_owned(), Value::Object(component));
    }
    let detail = match (cannot.is_empty(), app.leaving.is_cancelled()) {
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

/// Who stores, and how the job is where one does. What is not known is null.
fn tell_engine(view: &EngineView, able: bool, component: &mut Map<String, Value>) {
    component.insert("engine".to_owned(), json!(view.engine));
    if view.engine == Some(Engine::Flink) {
        component.insert("job".to_owned(), json!(view.job));
    }
    if let Some(trouble) = view.trouble.as_ref().filter(|_| able) {
        component.entry("degraded").or_insert_with(|| json!(trouble));
    }
}

/// How far the store is behind in each partition, for logs that have some.
fn partition_lags(status: &LogStatus) -> Option<Map<String, Value>> {
    let lags = status.partitions.iter();
    let lags: Map<_, _> = lags
        .map(|lag| (lag.partition.to_string(), json!({"lag": lag.records})))
        .collect();
    (!lags.is_empty()).then_some(lags)
}

/// Whether a log takes orders, and how it is.
fn log_component(log: &LogHealth, store: &StoreHealth) -> (bool, Map<String, Value>) {
    let mut component = Map::new();
    let shown = match log {
        LogHealth::Unknown => json!({"state": "unknown"}),
        LogHealth::Away(reason) => json!({"state": "away", "reason": reason}),
        LogHealth::Up(status) => json!({
            "state": if log.takes_orders() { "up" } else { "full" },
            "backlog": status.backlog,
            "backlog_limit": status.backlog_limit,
            "lag": status.lag,
            "pending": status.pending,
            "partitions": partition_lags(status),
            "dead_letters": status.dead_letters,
            "durability": status.durability,
            "acknowledged_means": status.durability.meaning(),
        }),
    };
    component.insert("log".to_owned(), shown);
    if log.takes_orders() && *store != StoreHealth::Up {
        let degraded = "orders are accepted and wait in the log for the store";
        component.insert("degraded".to_owned(), json!(degraded));
    }
    (log.takes_orders(), component)
}
