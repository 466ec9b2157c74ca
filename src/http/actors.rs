//! `GET /api/actors`, `POST /api/actors/{path}/kill` and `WS /ws/actors`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use coffee_rt_actors::board::Frame;
use coffee_rt_actors::supervision::{DEFAULT_STALL_MS, Fault, FaultError, MAX_STALL_MS, Tree};
use futures_util::Stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, StatusCode, header};
use warp::path::Tail;
use warp::reply::Response;
use warp::{Filter, path};

use super::app::{App, FaultAccess};
use super::body;
use super::problem::Problem;
use super::recover::{READ, only};
use super::socket::{self, Frames};

/// The tree is sent at least this often: its rates and uptimes change.
const REFRESH: Duration = Duration::from_secs(1);
/// The least time between two pictures of the tree.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// The routes.
pub(super) fn routes(app: Arc<App>) -> BoxedFilter<(Response,)> {
    let (read, faults) = (app.clone(), app.clone());
    let pictures = Arc::new(Pictures {
        tree: app.tree.clone(),
        last: Mutex::new(None),
    });
    let list = path!("api" / "actors")
        .and(only(READ))
        .map(move || super::json(&json!({"actors": read.tree.snapshot()})));
    let kill = path("api")
        .and(path("actors"))
        .and(path::tail())
        .and_then(|tail: Tail| async move {
            match tail.as_str().strip_suffix("/kill") {
                Some(actor) if !actor.is_empty() => Ok(actor.to_owned()),
                _ => Err(warp::reject::not_found()),
            }
        })
        .and(only("POST"))
        .and(warp::header::optional::<String>("authorization"))
        .and(warp::header::optional::<String>("origin"))
        .and(warp::header::optional::<String>("host"))
        .and(warp::body::stream())
        .then(
            move |actor: String, authorization: Option<String>, origin, host, body| {
                let app = faults.clone();
                async move {
                    let caller = Caller {
                        authorization,
                        origin,
                        host,
                    };
                    inject(&app, &actor, &caller, body)
                        .await
                        .unwrap_or_else(Problem::into_response)
                }
            },
        );
    let socket = path!("ws" / "actors").and(socket::upgrade(app, move || TreeFrames::of(&pictures)));
    list.or(kill).unify().or(socket).unify().boxed()
}

/// Who asks for a fault.
struct Caller {
    authorization: Option<String>,
    origin: Option<String>,
    host: Option<String>,
}

impl Caller {
    /// A page of another site in the operator's browser reaches loopback too; the browser names the site in `Origin`.
    fn is_no_foreign_page(&self) -> Result<(), Problem> {
        let Some(origin) = &self.origin else { return Ok(()) };
        let site = origin.split_once("://").map(|(_, site)| site);
        if site.is_some() && site == self.host.as_deref() {
            return Ok(());
        }
        let detail = format!("a page of {origin} must not inject faults here");
        Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail))
    }
}

async fn inject<B: Buf>(
    app: &App,
    actor: &str,
    caller: &Caller,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Response, Problem> {
    let body = body::read(body, app.body_limits).await?;
    caller.is_no_foreign_page()?;
    authorize(&app.fault_access, caller.authorization.as_deref())?;
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

fn authorize(access: &FaultAccess, authorization: Option<&str>) -> Result<(), Problem> {
    match access {
        FaultAccess::Open => Ok(()),
        FaultAccess::Off => {
            let detail = "fault injection is off: this node listens beyond loopback and has no COFFEE_RT_ADMIN_TOKEN";
            Err(Problem::new(StatusCode::FORBIDDEN, "faults-off", detail))
        }
        FaultAccess::Token(token) => {
            let given = authorization.and_then(|value| value.split_once(' '));
            let right = given
                .is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && token.matches(given.trim()));
            if right {
                return Ok(());
            }
            let detail = "send COFFEE_RT_ADMIN_TOKEN as Authorization: Bearer …";
            Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong-token", detail)
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
        }
    }
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

/// Pictures of the tree, made once for all sockets.
struct Pictures {
    tree: Arc<Tree>,
    last: Mutex<Option<(Instant, u64, Frame)>>,
}

impl Pictures {
    /// The picture of this version of the tree, or a later one; at most [`MIN_INTERVAL`] old.
    fn of(&self, version: u64) -> Frame {
        let mut last = self.last.lock();
        if let Some((made, of, frame)) = &*last
            && *of >= version
            && made.elapsed() < MIN_INTERVAL
        {
            return frame.clone();
        }
        let frame = Frame::from(json!({"actors": self.tree.snapshot()}).to_string());
        *last = Some((Instant::now(), version, frame.clone()));
        frame
    }
}

/// A socket's view of the tree: a picture at once, then at each change and each second.
struct TreeFrames {
    pictures: Arc<Pictures>,
    versions: watch::Receiver<u64>,
    /// When a picture was sent, and of which version.
    sent: Option<(Instant, u64)>,
}

impl TreeFrames {
    fn of(pictures: &Arc<Pictures>) -> Self {
        Self {
            pictures: pictures.clone(),
            versions: pictures.tree.subscribe(),
            sent: None,
        }
    }
}

impl Frames for TreeFrames {
    async fn next(&mut self) -> Frame {
        if let Some((at, sent)) = self.sent {
            let changed = async {
                // Compared with what was sent, so that a wait that is cancelled forgets no change.
                let _ = self.versions.wait_for(|version| *version != sent).await;
                sleep_until(at + MIN_INTERVAL).await;
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(at + REFRESH) => {}
            }
        }
        let version = *self.versions.borrow_and_update();
        self.sent = Some((Instant::now(), version));
        self.pictures.of(version)
    }
}
