//! `POST /api/v{1,2,3}/order`, answered before warp's filters: they keep each request, and with it the buffer it was
//! read into, until it is answered, and cost more than the rest of an order's way through this node.

use std::sync::Arc;

use coffee_rt_actors::domain::{Cents, Instant, Order, TraceParent};
use coffee_rt_actors::order_desk::OrderDesk;
use coffee_rt_actors::spans::{self, RequestSpan};
use coffee_rt_actors::ticket::Acknowledged;
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use serde::Serialize;
use uuid::Uuid;
use warp::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use warp::reply::Response;

use super::app::App;
use super::body;
use super::json;
use super::problem::Problem;
use super::recover::wrong_method;
use crate::adapters::redis::STREAM;
use crate::config::Version;

/// The version whose orders are posted to a path.
pub(super) fn version_of(path: &str) -> Option<Version> {
    let version = path.strip_prefix("/api/")?;
    let version = version.strip_suffix('/').unwrap_or(version).strip_suffix("/order")?;
    version.parse().ok()
}

/// Answers a request to a version's order path.
pub(super) async fn answer(app: &App, version: Version, request: Request<Incoming>) -> Response {
    let began = spans::begin();
    let placed = async {
        let (desk, order) = read(app, version, request).await?;
        let name = || format!("POST /api/{version}/order");
        let (span, trace) = RequestSpan::begin(name, began, order.trace);
        let order = Arc::new(Order { trace, ..order });
        let trace_id = order.correlation_id();
        tracing::debug!(%trace_id, message_id = %order.message_id, %version, "an order came");
        let acknowledged = desk.place(order.clone()).await;
        tracing::debug!(%trace_id, %version, acknowledged = acknowledged.is_ok(), "an order is answered");
        if let Some(mut span) = span {
            span.answered(&order, acknowledged.as_ref().err().map(ToString::to_string));
        }
        Ok(acknowledgement(version, &order, acknowledged?))
    };
    placed.await.unwrap_or_else(Problem::into_response)
}

/// Takes the order out of a request, which ends here: the connection reads on in the same buffer.
async fn read(app: &App, version: Version, request: Request<Incoming>) -> Result<(&OrderDesk, Order), Problem> {
    if request.method() != Method::POST {
        return Err(wrong_method("POST"));
    }
    let (head, body) = request.into_parts();
    // Read in any case, so that the client can read the answer.
    let body = body::read(BodyDataStream::new(body), app.body_limits).await?;
    let desk = app.desk(version).ok_or_else(|| not_run(app, version))?;
    if !is_json(&head.headers) {
        let detail = "send the order as Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail)
            .with_header(header::ACCEPT, HeaderValue::from_static("application/json")));
    }
    let message_id = idempotency_key(&head.headers)?.unwrap_or_else(Uuid::now_v7);
    let order = Order::from_json(&body, message_id, &app.menu, Instant::now())?;
    let trace = trace(&head.headers);
    Ok((desk, Order { trace, ..order }))
}

fn acknowledgement(version: Version, order: &Order, acknowledged: Acknowledged) -> Response {
    match acknowledged {
        Acknowledged::Stored { id } => json(&Stored {
            id,
            drink: &order.drink,
            store: &order.store,
            price: order.price,
            timestamp: order.at,
            message_id: order.message_id,
        }),
        Acknowledged::Logged => json(&Logged {
            status: "accepted",
            version: version.name(),
            stream: (version == Version::V2).then_some(STREAM),
            message_id: order.message_id,
        }),
    }
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

/// The answer of versions with a log.
#[derive(Serialize)]
struct Logged {
    status: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'static str>,
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

/// Where in a trace the request belongs, if it says so in a way that is understood.
fn trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut given = headers.get_all("traceparent").iter();
    let (Some(parent), None) = (given.next(), given.next()) else {
        return None;
    };
    TraceParent::parse(parent.to_str().ok()?)
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
