//! A small node for tests of its clients: it keeps orders in a map and misbehaves exactly as told.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use coffee_rt_actors::domain::{Instant, Menu, Order};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;
use uuid::Uuid;
use warp::Filter;
use warp::http::{Response, StatusCode};

/// What the node does with one request.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Stores the order and answers.
    Answer,
    /// Stores the order and answers after a while.
    AnswerAfter(Duration),
    /// Stores nothing and answers with that status and a `Retry-After` in seconds.
    Refuse(u16, u64),
    /// Stores nothing and closes the connection without an answer.
    CutBefore,
    /// Stores the order and closes the connection without an answer.
    CutAfter,
    /// Stores the order and closes the connection in the middle of the answer.
    CutWithin,
    /// Stores the order and answers with another id than the stored one.
    WrongId(i64),
    /// Stores the order, answers and closes the connection properly.
    AnswerAndClose,
}

/// One request: its number from 0 and how many came before with the same key.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub number: usize,
    pub same_key_before: usize,
}

type Script = dyn Fn(Seen) -> Act + Send + Sync;

pub struct NodeDouble {
    pub url: Url,
    pub state: Arc<State>,
    _stop: DropGuard,
}

#[derive(Default)]
pub struct State {
    pub stored: Mutex<HashMap<Uuid, (Order, i64)>>,
    pub keys: Mutex<HashMap<Uuid, usize>>,
    pub requests: AtomicUsize,
    pub connections: AtomicUsize,
    pub busy: AtomicUsize,
    pub busiest: AtomicUsize,
}

impl NodeDouble {
    /// A node that does with each request what the script says.
    pub async fn start(script: impl Fn(Seen) -> Act + Send + Sync + 'static) -> Self {
        let state = Arc::new(State::default());
        let (script, orders): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&state));
        let order = warp::path!("api" / String / "order")
            .and(warp::post())
            .and(warp::header::<Uuid>("idempotency-key"))
            .and(warp::body::bytes())
            .then(move |version: String, key: Uuid, body: Bytes| {
                let (script, state) = (Arc::clone(&script), Arc::clone(&orders));
                async move { take_order(&state, &*script, &version, key, &body).await }
            });
        let live = warp::path!("livez").map(|| Response::new(Bytes::from_static(b"{}")));
        let (url, stop) = serve(order.or(live).unify().boxed(), Arc::clone(&state)).await;
        Self {
            url,
            state,
            _stop: stop,
        }
    }

    /// A node that works.
    pub async fn well() -> Self {
        Self::start(|_| Act::Answer).await
    }

    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }
}

/// Serves routes on a port of their own; a response with the header `x-cut` closes the connection instead.
pub async fn serve(routes: warp::filters::BoxedFilter<(Response<Bytes>,)>, state: Arc<State>) -> (Url, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            state.connections.fetch_add(1, Ordering::SeqCst);
            stream.set_nodelay(true).unwrap();
            let service = TowerToHyperService::new(warp::service(routes.clone()));
            tokio::spawn(async move {
                let cutting = hyper::service::service_fn(move |request| {
                    let answer = hyper::service::Service::call(&service, request);
                    async move {
                        let answer = answer.await.unwrap_or_else(|never: Infallible| match never {});
                        if answer.headers().contains_key("x-cut") {
                            Err(std::io::Error::other("cut"))
                        } else {
                            Ok(answer)
                        }
                    }
                });
                let _ = auto::Builder::new(TokioExecutor::new())
                    .http1_only()
                    .serve_connection(TokioIo::new(stream), cutting)
                    .await;
            });
        }
    }));
    (Url::parse(&format!("http://{address}")).unwrap(), guard)
}

/// A request being handled; also ends where its connection does.
struct Busy<'a>(&'a State);

impl<'a> Busy<'a> {
    fn enter(state: &'a State) -> Self {
        let busy = state.busy.fetch_add(1, Ordering::SeqCst) + 1;
        state.busiest.fetch_max(busy, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn take_order(state: &State, script: &Script, version: &str, key: Uuid, body: &[u8]) -> Response<Bytes> {
    let number = state.requests.fetch_add(1, Ordering::SeqCst);
    let same_key_before = {
        let mut keys = state.keys.lock();
        let seen = keys.entry(key).or_default();
        *seen += 1;
        *seen - 1
    };
    let act = script(Seen {
        number,
        same_key_before,
    });
    {
        let _busy = Busy::enter(state);
        if let Act::AnswerAfter(pause) = act {
            tokio::time::sleep(pause).await;
        }
    }
    let cut = || Response::builder().header("x-cut", "1").body(Bytes::new()).unwrap();
    match act {
        Act::CutBefore => return cut(),
        Act::Refuse(status, seconds) => return problem(status, seconds, "told to refuse"),
        _ => {}
    }
    let order = match Order::from_json(body, key, &Menu::default(), Instant::now()) {
        Ok(order) => order,
        Err(error) => return problem(422, 0, &error.to_string()),
    };
    let id = {
        let mut stored = state.stored.lock();
        let next = stored.len() as i64 + 1;
        let (first, id) = stored.entry(key).or_insert_with(|| (order.clone(), next));
        if !first.same_payload(&order) {
            return problem(422, 0, "the key belongs to another order");
        }
        *id
    };
    let shown = match act {
        Act::CutAfter => return cut(),
        Act::WrongId(wrong) => wrong,
        _ => id,
    };
    let answer = answer(version, &order, shown);
    match act {
        Act::CutWithin => {
            // A body shorter than announced: hyper ends the connection in its middle.
            Response::builder()
                .header("content-length", answer.len() + 10)
                .body(answer)
                .unwrap()
        }
        Act::AnswerAndClose => Response::builder().header("connection", "close").body(answer).unwrap(),
        _ => Response::new(answer),
    }
}

fn answer(version: &str, order: &Order, id: i64) -> Bytes {
    let text = if version == "v1" {
        let mut stored = serde_json::to_value(order.stored_as(id)).unwrap();
        stored["message_id"] = order.message_id.to_string().into();
        stored
    } else {
        serde_json::json!({"status": "accepted", "version": version, "message_id": order.message_id})
    };
    Bytes::from(text.to_string())
}

/// An RFC 9457 problem.
pub fn problem(status: u16, retry_after_seconds: u64, detail: &str) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap();
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    Response::builder()
        .status(status)
        .header("content-type", "application/problem+json")
        .header("retry-after", retry_after_seconds)
        .body(Bytes::from(body.to_string()))
        .unwrap()
}
