//! `GET /metrics`, and what HTTP counts.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::supervision::Tree;
use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, exponential_buckets,
};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, Method, Request, StatusCode, header};
use warp::reply::Response;

use super::app::App;
use super::page;
use super::paths::{self, at};
use super::recover::{READ, only};
use crate::config::Version;

/// What HTTP counts.
#[derive(Clone)]
pub(super) struct HttpMetrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    /// Of WebSockets.
    pub sockets: SocketMetrics,
    orders: [OrderMetrics; 3],
}

/// Handles for the requests that come most often: orders of a version that are acknowledged.
#[derive(Clone)]
struct OrderMetrics {
    path: &'static str,
    answered: IntCounter,
    seconds: prometheus::Histogram,
}

/// What WebSockets count.
#[derive(Clone)]
pub(super) struct SocketMetrics {
    /// Sockets opened.
    pub opened: IntCounter,
    /// Sockets closed.
    pub closed: IntCounter,
}

impl HttpMetrics {
    /// Makes and registers all metrics.
    pub(super) fn register(registry: &Registry, tree: Arc<Tree>) -> prometheus::Result<Self> {
        let opts = Opts::new("http_requests_total", "Requests answered");
        let requests = IntCounterVec::new(opts, &["method", "endpoint", "status_code"])?;
        let opts = HistogramOpts::new(
            "http_request_duration_seconds",
            "Time from a request's header to its answer",
        )
        .buckets(exponential_buckets(0.000_25, 2.0, 16)?);
        let seconds = HistogramVec::new(opts, &["method", "endpoint"])?;
        let opts = Opts::new("websocket_connections_total", "WebSockets opened and closed");
        let sockets = IntCounterVec::new(opts, &["action"])?;
        let info = IntGaugeVec::new(Opts::new("cafe_order_api_info", "The running node"), &["version"])?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(sockets.clone()))?;
        registry.register(Box::new(info))?;
        registry.register(Box::new(TreeCollector::new(tree)?))?;
        let help = "When the node started, in seconds since 1970";
        let started = IntGauge::new("coffee_rt_start_time_seconds", help)?;
        started.set(Instant::now().second());
        registry.register(Box::new(started))?;
        Ok(Self {
            registry: registry.clone(),
            sockets: SocketMetrics {
                opened: sockets.with_label_values(&["connect"]),
                closed: sockets.with_label_values(&["disconnect"]),
            },
            orders: [Version::V1, Version::V2, Version::V3].map(|version| {
                let path = version.order_path();
                // There from the start: of a counter that begins with a burst, the burst would not be seen.
                requests.with_label_values(&["POST", path, "503"]);
                OrderMetrics {
                    path,
                    answered: requests.with_label_values(&["POST", path, "200"]),
                    seconds: seconds.with_label_values(&["POST", path]),
                }
            }),
            requests,
            seconds,
        })
    }

    /// Orders of a version that were answered with this status.
    pub(super) fn orders_answered(&self, version: Version, status: u16) -> u64 {
        let labels = ["POST", version.order_path(), &status.to_string()];
        self.requests.with_label_values(&labels).get()
    }

    /// Counts an answered request.
    pub(super) fn count(&self, labels: Labels, status: StatusCode, took: Duration) {
        let Labels { method, endpoint } = labels;
        if let Some(order) = self.orders.iter().find(|order| order.path == endpoint)
            && (method, status) == ("POST", StatusCode::OK)
        {
            order.answered.inc();
            order.seconds.observe(took.as_secs_f64());
            return;
        }
        self.requests
            .with_label_values(&[method, endpoint, status.as_str()])
            .inc();
        self.seconds
            .with_label_values(&[method, endpoint])
            .observe(took.as_secs_f64());
    }
}

/// The route.
pub(super) fn route(app: Arc<App>) -> BoxedFilter<(Response,)> {
    at("/metrics")
        .and(only(READ))
        .map(move || {
            let mut text = Vec::new();
            if let Err(error) = TextEncoder::new().encode(&app.metrics.registry.gather(), &mut text) {
                tracing::error!(%error, "metrics cannot be written");
            }
            let mut response = Response::new(text.into());
            let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response
        })
        .boxed()
}

/// A request's labels: bounded whatever clients send.
#[derive(Clone, Copy)]
pub(super) struct Labels {
    method: &'static str,
    endpoint: &'static str,
}

impl Labels {
    /// Kept instead of the request, which the handler takes.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        Self {
            method: method_label(request.method()),
            endpoint: endpoint_label(request.uri().path()),
        }
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

fn endpoint_label(path: &str) -> &'static str {
    match paths::endpoint_of(path) {
        Some(endpoint) => endpoint,
        None if page::is_of_page(path) => "/",
        None => "other",
    }
}

/// Shows the tree's own counters when they are asked for, so that no label is written twice.
struct TreeCollector {
    tree: Arc<Tree>,
    /// Scrapes take turns: the counters are filled anew for each.
    turn: Mutex<()>,
    restarts: IntCounterVec,
    mailbox: IntGaugeVec,
    in_flight: IntGaugeVec,
}

impl TreeCollector {
    fn new(tree: Arc<Tree>) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["actor"]);
        Ok(Self {
            tree,
            turn: Mutex::new(()),
            restarts: IntCounterVec::new(
                Opts::new(
                    "coffee_rt_actor_restarts_total",
                    "Restarts of an actor since the node started",
                ),
                &["actor"],
            )?,
            mailbox: gauge("coffee_rt_actor_mailbox_messages", "Messages that wait for an actor")?,
            in_flight: gauge("coffee_rt_actor_in_flight", "Units of work an actor has in hand")?,
        })
    }
}

impl Collector for TreeCollector {
    fn desc(&self) -> Vec<&Desc> {
        [self.restarts.desc(), self.mailbox.desc(), self.in_flight.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _turn = self.turn.lock();
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        // An actor that is gone, as a partition that moved away, has none.
        self.restarts.reset();
        self.mailbox.reset();
        self.in_flight.reset();
        for actor in self.tree.snapshot() {
            self.restarts.with_label_values(&[&actor.path]).inc_by(actor.restarts);
            self.mailbox.with_label_values(&[&actor.path]).set(gauge(actor.mailbox));
            self.in_flight
                .with_label_values(&[&actor.path])
                .set(gauge(actor.in_flight));
        }
        [
            self.restarts.collect(),
            self.mailbox.collect(),
            self.in_flight.collect(),
        ]
        .concat()
    }
}
