//! `/api/customers`: simulated customers that this node sends to itself, so that a page can show it at work.
//!
//! The same load driver as `coffee-rt simulate`, over HTTP like everybody. One crowd at a time; it ends with the node.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use coffee_rt_actors::domain::{Instant, Menu};
use futures_util::Stream;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use url::Url;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use super::app::App;
use super::body;
use super::operator::{Caller, caller};
use super::paths::at;
use super::problem::Problem;
use super::recover::only;
use crate::config::Version;
use crate::load::{Arrivals, Driver, Options, Pace, Progress, Running};

/// The highest rate of orders.
pub(super) const MAX_RATE_PER_SECOND: f64 = 5_000.0;
/// The longest time that orders are placed.
pub(super) const MAX_DURATION_SECONDS: f64 = 3_600.0;
/// The most orders of one crowd: each is remembered until it has ended, about 100 bytes.
pub(super) const MAX_ORDERS: u64 = 200_000;
/// The shortest time, and the lowest rate, that make sense.
const LEAST: f64 = 0.1;
/// How often the progress is noted.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The crowd of a node, if there is one, and how the last one fared.
#[derive(Default)]
pub(super) struct Customers(Mutex<State>);

#[derive(Default)]
struct State {
    running: Option<(Run, CancellationToken)>,
    last: Option<Run>,
}

/// How a crowd fares.
#[derive(Clone, Debug, Serialize)]
struct Run {
    #[serde(flatten)]
    wish: Wish,
    started_at: Instant,
    elapsed_seconds: f64,
    sent: u64,
    acknowledged: u64,
    refused: u64,
    /// Neither acknowledged nor refused; while the crowd is there, most of these are under way.
    unknown: u64,
    p50_ms: f64,
    p99_ms: f64,
    broken_promises: u64,
}

/// The crowd that is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Wish {
    version: Version,
    rate_per_second: f64,
    duration_seconds: f64,
}

/// What is shown of it.
#[derive(Serialize)]
struct Shown {
    running: Option<Run>,
    last: Option<Run>,
}

/// The routes.
pub(super) fn routes(app: Arc<App>) -> BoxedFilter<(Response,)> {
    at("/api/customers")
        .and(only("GET, HEAD, POST, DELETE"))
        .and(warp::method())
        .and(caller())
        .and(warp::body::stream())
        .then(move |method: Method, caller: Caller, body| {
            let app = app.clone();
            async move {
                let answer = match method {
                    Method::POST => start(&app, &caller, body).await,
                    Method::DELETE => stop(&app, &caller),
                    _ => Ok(super::json(&app.customers.show())),
                };
                answer.unwrap_or_else(Problem::into_response)
            }
        })
        .boxed()
}

async fn start<B: Buf>(
    app: &Arc<App>,
    caller: &Caller,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Response, Problem> {
    let body = body::read(body, app.body_limits).await?;
    caller.is_operator(app)?;
    let wish = Wish::read(&body)?;
    let desk = app.desk(wish.version);
    desk.ok_or_else(|| Problem::invalid_field("version", format!("must run here, and {} does not", wish.version)))?;
    let driver = Driver::new(wish.options(app.url.clone(), app.menu.clone()));
    let driver = driver.map_err(|error| Problem::invalid_field("rate_per_second", error.to_string()))?;
    app.customers.begin(wish, driver, &app.draining)?;
    tracing::info!(
        version = wish.version.name(),
        rate = wish.rate_per_second,
        "customers come"
    );
    let mut response = super::json(&app.customers.show());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn stop(app: &App, caller: &Caller) -> Result<Response, Problem> {
    caller.is_operator(app)?;
    if let Some((_, stop)) = &app.customers.0.lock().running {
        stop.cancel();
    }
    Ok(super::json(&app.customers.show()))
}

impl Customers {
    fn show(&self) -> Shown {
        let state = self.0.lock();
        Shown {
            running: state.running.as_ref().map(|(run, _)| run.clone()),
            last: state.last.clone(),
        }
    }

    /// Sends a crowd, unless there is one.
    fn begin(self: &Arc<Self>, wish: Wish, driver: Driver, draining: &CancellationToken) -> Result<(), Problem> {
        let mut state = self.0.lock();
        if state.running.is_some() {
            let detail = "there are customers already; end them with DELETE, or wait";
            return Err(Problem::new(StatusCode::CONFLICT, "customers-here", detail));
        }
        let stop = CancellationToken::new();
        state.running = Some((Run::begun(wish), stop.clone()));
        let (customers, draining) = (self.clone(), draining.clone());
        tokio::spawn(async move {
            // Whatever ends this task, a panic too, makes room for the next crowd.
            let _gone = Gone(&customers);
            let running = driver.start(&stop);
            tokio::select! {
                () = customers.accompany(running) => {}
                // Orders under way are the node's to finish; nobody waits for the answers.
                () = draining.cancelled() => {}
            }
        });
        Ok(())
    }

    /// Notes how a crowd fares until it has ended.
    async fn accompany(&self, mut running: Running) {
        loop {
            let ended = tokio::time::timeout(PROGRESS_INTERVAL, running.wait()).await.is_ok();
            if let Some((run, _)) = &mut self.0.lock().running {
                run.note(&running.progress());
            }
            if ended {
                return;
            }
        }
    }
}

struct Gone<'a>(&'a Customers);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        if let Some((run, _)) = state.running.take() {
            tracing::info!(
                acknowledged = run.acknowledged,
                refused = run.refused,
                "customers have gone"
            );
            state.last = Some(run);
        }
    }
}

impl Run {
    fn begun(wish: Wish) -> Self {
        Self {
            wish,
            started_at: Instant::now(),
            elapsed_seconds: 0.0,
            sent: 0,
            acknowledged: 0,
            refused: 0,
            unknown: 0,
            p50_ms: 0.0,
            p99_ms: 0.0,
            broken_promises: 0,
        }
    }

    fn note(&mut self, progress: &Progress) {
        self.elapsed_seconds = progress.elapsed_seconds;
        self.sent = progress.counts.sent;
        self.acknowledged = progress.counts.acknowledged;
        self.refused = progress.counts.refused;
        self.unknown = progress.counts.unknown;
        self.p50_ms = progress.latency.p50_ms;
        self.p99_ms = progress.latency.p99_ms;
        self.broken_promises = progress.broken_promises;
    }
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let given: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
            let detail = format!("the body is not a JSON object: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "malformed-json", detail)
        })?;
        let version = given.get("version").and_then(Value::as_str);
        let version = version.and_then(|name| name.parse().ok());
        let number = |field: &'static str, most: f64| {
            let number = given.get(field).and_then(Value::as_f64);
            number
                .filter(|number| (LEAST..=most).contains(number))
                .ok_or_else(|| Problem::invalid_field(field, format!("must be a number from {LEAST} to {most}")))
        };
        let wish = Self {
            version: version.ok_or_else(|| Problem::invalid_field("version", "must be v1, v2 or v3"))?,
            rate_per_second: number("rate_per_second", MAX_RATE_PER_SECOND)?,
            duration_seconds: number("duration_seconds", MAX_DURATION_SECONDS)?,
        };
        if wish.rate_per_second * wish.duration_seconds > MAX_ORDERS as f64 {
            let message = format!("must be lower or for a shorter time: {MAX_ORDERS} orders are the most");
            return Err(Problem::invalid_field("rate_per_second", message));
        }
        Ok(wish)
    }

    fn options(self, url: Url, menu: Menu) -> Options {
        Options {
            version: self.version,
            pace: Pace::Open {
                rate_per_second: self.rate_per_second,
                arrivals: Arrivals::Exponential,
            },
            duration: Some(Duration::from_secs_f64(self.duration_seconds)),
            count: Some(MAX_ORDERS),
            seed: rand::random_range(0..1_000_000),
            menu,
            ..Options::new(url)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let read = |body: &str| Wish::read(body.as_bytes());
        let wish = read(r#"{"version":"v2","rate_per_second":50,"duration_seconds":1.5}"#).unwrap();
        assert_eq!(
            (wish.version, wish.rate_per_second, wish.duration_seconds),
            (Version::V2, 50.0, 1.5)
        );
        for (body, field) in [
            ("[]", "not a JSON object"),
            ("{}", "version"),
            (
                r#"{"version":"v4","rate_per_second":1,"duration_seconds":1}"#,
                "version",
            ),
            (r#"{"version":"v1","duration_seconds":1}"#, "rate_per_second"),
            (
                r#"{"version":"v1","rate_per_second":"1","duration_seconds":1}"#,
                "rate_per_second",
            ),
            (
                r#"{"version":"v1","rate_per_second":5001,"duration_seconds":1}"#,
                "rate_per_second",
            ),
            (
                r#"{"version":"v1","rate_per_second":1,"duration_seconds":0}"#,
                "duration_seconds",
            ),
            (
                r#"{"version":"v1","rate_per_second":100,"duration_seconds":3600}"#,
                "rate_per_second",
            ),
        ] {
            let problem = format!("{:?}", read(body).unwrap_err());
            assert!(problem.contains(field), "{body}: {problem}");
        }
    }
}
