//! `GET /api/actors`, `GET /api/events`, `POST /api/actors/{path}/kill` and `WS /ws/actors`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use coffee_rt_actors::board::Frame;
use coffee_rt_actors::supervision::{DEFAULT_STALL_MS, Fault, FaultError, MAX_STALL_MS};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::path::Tail;
use warp::reply::Response;
use warp::{Filter, path};

use super::app::App;
use super::body;
use super::feed::Feed;
use super::operator::{Caller, caller};
use super::paths::at;
use super::picture::Picture;
use super::problem::Problem;
use super::recover::{READ, only};
use super::socket;

/// The tree is sent at least this often: its rates and uptimes change.
const REFRESH: Duration = Duration::from_millis(250);
/// The least time between two pictures of the tree.
const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// The most events in one answer.
const MAX_EVENTS: usize = 1_000;

/// The routes.
pub(super) fn routes(app: Arc<App>) -> BoxedFilter<(Response,)> {
    let (read, shown, told) = (app.clone(), app.clone(), app.clone());
    let feed = Feed::new(app.tree.subscribe(), MIN_INTERVAL, REFRESH, move || {
        serde_json::to_vec(&Picture::of(&shown)).ok().map(Frame::from)
    });
    let list = at("/api/actors")
        .and(only(READ))
        .map(move || super::json(&Picture::of(&read)));
    let events = at("/api/events")
        .and(only(READ))
        .and(warp::query::<EventsQuery>())
        .map(move |query: EventsQuery| {
            let (events, newest_seq) = told.tree.events_after(query.after, query.limit.min(MAX_EVENTS));
            super::json(&json!({"events": events, "newest_seq": newest_seq}))
        });
    let socket = at("/ws/actors").and(socket::upgrade(app.clone(), move || feed.subscribe()));
    list.or(events).unify().or(kill(app)).unify().or(socket).unify().boxed()
}

/// Which events are asked for.
#[derive(Deserialize)]
#[serde(default)]
struct EventsQuery {
    after: u64,
    limit: usize,
}

impl Default for EventsQuery {
    fn default() -> Self {
        Self {
            after: 0,
            limit: MAX_EVENTS,
        }
    }
}

fn kill(app: Arc<App>) -> BoxedFilter<(Response,)> {
    path("api")
        .and(path("actors"))
        .and(path::tail())
        .and_then(|tail: Tail| async move {
            match tail.as_str().strip_suffix("/kill") {
                Some(actor) if !actor.is_empty() => Ok(actor.to_owned()),
                _ => Err(warp::reject::not_found()),
            }
        })
        .and(only("POST"))
        .and(caller())
        .and(warp::body::stream())
        .then(move |actor: String, caller: Caller, body| {
            let app = app.clone();
            async move {
                let injected = inject(&app, &actor, &caller, body).await;
                injected.unwrap_or_else(Problem::into_response)
            }
        })
        .boxed()
}

async fn inject<B: Buf>(
    app: &App,
    actor: &str,
    caller: &Caller,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Response, Problem> {
    let body = body::read(body, app.body_limits).await?;
    caller.is_operator(app)?;
    let fault = read_fault(&body)?;
    app.tree.inject(actor, fault).map_err(|error| match error {
        FaultError::UnknownPath(_) => Problem::new(StatusCode::NOT_FOUND, "unknown-actor", error.to_string()),
        FaultError::NotRunning(_) => Problem::new(StatusCode::CONFLICT, "not-running", error.to_string()),
    })?;
    tracing::info!(actor, ?fault, "fault injected");
    let mut response = super::json(&json!({"path": actor, "injected": fault}));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Reads `{"mode":"kill"|"panic"|"stall","millis":…}`; nothing said is a kill.
fn read_fault(body: &[u8]) -> Result<Fault, Problem> {
    if body.is_empty() {
        return Ok(Fault::Kill);
    }
    let given = match serde_json::from_slice(body) {
        Ok(Value::Object(given)) => given,
        Ok(_) => {
            let message = "must be a JSON object with mode and millis";
            return Err(Problem::invalid_field("body", message));
        }
        Err(error) => {
            let detail = format!("the body is not JSON: {error}");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed-json", detail));
        }
    };
    let millis = match given.get("millis") {
        None => Some(DEFAULT_STALL_MS),
        Some(millis) => millis.as_u64().filter(|millis| (1..=MAX_STALL_MS).contains(millis)),
    };
    let millis = millis
        .ok_or_else(|| Problem::invalid_field("millis", format!("must be a whole number from 1 to {MAX_STALL_MS}")))?;
    match given.get("mode").map(Value::as_str) {
        Some(Some("kill")) => Ok(Fault::Kill),
        Some(Some("panic")) => Ok(Fault::Panic),
        Some(Some("stall")) => Ok(Fault::Stall(millis)),
        None if given.is_empty() => Ok(Fault::Kill),
        // A misspelt field must not kill.
        None => Err(Problem::invalid_field("mode", "is missing")),
        Some(_) => Err(Problem::invalid_field("mode", "must be kill, panic or stall")),
    }
}
