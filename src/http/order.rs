//! `POST /api/v{1,2,3}/order`.

use std::sync::Arc;

use bytes::Buf;
use coffee_rt_actors::domain::{Cents, Instant, Order};
use coffee_rt_actors::ticket::Acknowledged;
use futures_util::Stream;
use serde::Serialize;
use uuid::Uuid;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::reply::Response;
use warp::{Filter, path};

use super::app::App;
use super::body;
use super::json;
use super::problem::Problem;
use super::recover::only;
use crate::config::Version;

/// The route.
pub(super) fn route(app: Arc<App>) -> BoxedFilter<(Response,)> {
    path("api")
        .and(path::param::<Version>())
        .and(path("order"))
        .and(path::end())
        .and(only("POST"))
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |version, headers: HeaderMap, body| {
            let app = app.clone();
            async move {
                let placed = place(&app, version, &headers, body).await;
                placed.unwrap_or_else(Problem::into_response)
            }
        })
        .boxed()
}

async fn place<B: Buf>(
    app: &App,
    version: Version,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Response, Problem> {
    // Read in any case, so that the client can read the answer.
    let body = body::read(body, app.body_limits).await?;
    let desk = app.desk(version).ok_or_else(|| not_run(app, version))?;
    if !is_json(headers) {
        let detail = "send the order as Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail)
            .with_header(header::ACCEPT, HeaderValue::from_static("application/json")));
    }
    let message_id = idempotency_key(headers)?.unwrap_or_else(Uuid::now_v7);
    let order = Arc::new(Order::from_json(&body, message_id, &app.menu, Instant::now())?);
    let Acknowledged::Stored { id } = desk.place(order.clone()).await?;
    Ok(json(&Stored {
        id,
        drink: &order.drink,
        store: &order.store,
        price: order.price,
        timestamp: order.at,
        message_id: order.message_id,
    }))
}

/// The answer of v1.
#[derive(Serialize)]
struct Stored<'a> {
    id: i64,
    drink: &'a str,
    store: &'a str,
    price: Cents,
    timestamp: Instant,
    message_id: Uuid,
}

fn not_run(app: &App, version: Version) -> Problem {
    let running: Vec<_> = app.versions().map(Version::name).collect();
    let detail = format!(
        "this node runs {}; {version} needs {}",
        running.join(", "),
        version.needs()
    );
    Problem::new(StatusCode::NOT_FOUND, "version-not-run", detail)
}

/// Whether the body claims to be JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
        || media.len() > 17 && media[..12].eq_ignore_ascii_case("application/") && media.ends_with("+json")
}

/// The client's key, if it sent one.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<Uuid>, Problem> {
    const NAME: &str = "Idempotency-Key";
    let mut given = headers.get_all(NAME).iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(Problem::invalid_field(NAME, "is there more than once"));
    }
    // The draft has a structured-field string, in quotes; most clients send the bare UUID.
    let bare = key.to_str().ok().map(|value| value.trim().trim_matches('"'));
    match bare.and_then(|bare| Uuid::parse_str(bare).ok()) {
        Some(key) => Ok(Some(key)),
        None => Err(Problem::invalid_field(NAME, "must be a UUID")),
    }
}
