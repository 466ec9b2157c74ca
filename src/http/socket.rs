//! WebSockets: the upgrade, and the loop that sends frames.
//!
//! A socket holds no queue: it asks for the newest frame when the last one is written, so a slow client skips frames and
//! cannot hold memory or others back.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::board::Frame;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, Method, StatusCode, header};
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::app::App;
use super::problem::Problem;
use super::recover::only;

/// A client has nothing to say but pongs and goodbye.
const READ_BUFFER_BYTES: usize = 512;
/// The largest message taken from a client; a larger one closes the socket.
const MAX_MESSAGE_BYTES: usize = 4_096;
/// What is written and not yet taken by the kernel; one frame at a time, so a little more than the largest frame.
const MAX_WRITE_BUFFER_BYTES: usize = 1024 * 1024;
/// A client that takes no bytes for so long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// How often a client is asked for a sign of life; after two unanswered it is gone.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long the goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A source of frames for one socket.
pub(super) trait Frames: Send + 'static {
    /// Waits for the next frame. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Frame> + Send;
}

/// What a WebSocket handshake has in its headers.
struct Handshake {
    key: String,
    on_upgrade: OnUpgrade,
}

/// Upgrades a GET request to a socket that is sent these frames.
pub(super) fn upgrade<F: Frames>(
    app: Arc<App>,
    frames: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> BoxedFilter<(Response,)> {
    only(Method::GET)
        .and(handshake())
        .map(move |handshake: Result<Handshake, Problem>| {
            handshake
                .and_then(|handshake| accept(&app, handshake, frames()))
                .unwrap_or_else(Problem::into_response)
        })
        .boxed()
}

fn handshake() -> impl Filter<Extract = (Result<Handshake, Problem>,), Error = Rejection> + Clone {
    warp::header::optional::<String>("connection")
        .and(warp::header::optional::<String>("upgrade"))
        .and(warp::header::optional::<String>("sec-websocket-version"))
        .and(warp::header::optional::<String>("sec-websocket-key"))
        .and(warp::ext::optional::<OnUpgrade>())
        .map(
            |connection: Option<String>,
             upgrade: Option<String>,
             version: Option<String>,
             key: Option<String>,
             on_upgrade| {
                let names = |value: &Option<String>, wanted: &str| {
                    value
                        .as_ref()
                        .is_some_and(|v| v.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted)))
                };
                if !names(&connection, "upgrade") || !names(&upgrade, "websocket") {
                    let problem =
                        Problem::new(StatusCode::UPGRADE_REQUIRED, "not-a-socket", "this path is a WebSocket");
                    return Err(problem.with_header(header::UPGRADE, HeaderValue::from_static("websocket")));
                }
                if version.as_deref() != Some("13") {
                    let problem = Problem::new(
                        StatusCode::BAD_REQUEST,
                        "socket-version",
                        "only WebSocket version 13 is spoken",
                    );
                    return Err(problem.with_header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
                }
                match (key, on_upgrade) {
                    (Some(key), Some(on_upgrade)) if is_key(&key) => Ok(Handshake { key, on_upgrade }),
                    _ => Err(Problem::new(
                        StatusCode::BAD_REQUEST,
                        "socket-key",
                        "Sec-WebSocket-Key must be 16 bytes in base64",
                    )),
                }
            },
        )
}

/// 16 bytes in base64 are 22 characters and two signs of padding (RFC 6455, 4.1).
fn is_key(key: &str) -> bool {
    key.len() == 24
        && key.ends_with("==")
        && key.as_bytes()[..22]
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/'))
}

fn accept<F: Frames>(app: &Arc<App>, handshake: Handshake, frames: F) -> Result<Response, Problem> {
    let Ok(permit) = app.sockets.clone().try_acquire_owned() else {
        return Err(Problem::unavailable(
            "too-many-sockets",
            "all WebSockets of this node are taken",
        ));
    };
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(handshake.key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    let (app, on_upgrade) = (app.clone(), handshake.on_upgrade);
    app.open
        .clone()
        .spawn(async move { run(&app, on_upgrade, frames, permit).await });
    Ok(response)
}

async fn run<F: Frames>(app: &App, on_upgrade: OnUpgrade, frames: F, _permit: OwnedSemaphorePermit) {
    let Ok(Ok(upgraded)) = timeout(SEND_LIMIT, on_upgrade).await else {
        return;
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        return;
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let stream = parts.io.into_inner();
    let mut socket =
        WebSocketStream::from_partially_read(stream, parts.read_buf.to_vec(), Role::Server, Some(config)).await;
    app.metrics.sockets.opened.inc();
    let farewell = tokio::select! {
        farewell = serve(&mut socket, frames) => farewell,
        () = app.draining.cancelled() => Some((CloseCode::Away, "the node is stopping")),
    };
    if let Some((code, reason)) = farewell {
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        let _ = timeout(CLOSE_LIMIT, goodbye(&mut socket, frame)).await;
    }
    app.metrics.sockets.closed.inc();
}

/// Sends frames until the client leaves or errs; says what the goodbye is, if there is to be one.
async fn serve<F: Frames>(socket: &mut WebSocketStream<TcpStream>, mut frames: F) -> Option<(CloseCode, &'static str)> {
    let mut ping_at = Instant::now() + PING_INTERVAL;
    let mut unanswered = 0;
    loop {
        let message = tokio::select! {
            frame = frames.next() => Message::Text(Utf8Bytes::try_from(frame).ok()?),
            received = socket.next() => match received {
                Some(Ok(Message::Close(_))) => {
                    // The answer to a goodbye lies ready, but is not sent by itself.
                    let _ = timeout(CLOSE_LIMIT, socket.flush()).await;
                    return None;
                }
                None => return None,
                Some(Ok(_)) => {
                    unanswered = 0;
                    continue;
                }
                Some(Err(error)) => return farewell_to(&error),
            },
            () = sleep_until(ping_at) => {
                unanswered += 1;
                if unanswered > 2 {
                    return None;
                }
                ping_at = Instant::now() + PING_INTERVAL;
                Message::Ping(bytes::Bytes::new())
            }
        };
        if !matches!(timeout(SEND_LIMIT, socket.send(message)).await, Ok(Ok(()))) {
            return None;
        }
    }
}

fn farewell_to(error: &Error) -> Option<(CloseCode, &'static str)> {
    match error {
        Error::Capacity(_) => Some((CloseCode::Size, "messages to this socket are at most 4096 bytes")),
        Error::Utf8(_) => Some((CloseCode::Invalid, "text must be UTF-8")),
        Error::Protocol(_) => Some((CloseCode::Protocol, "not the WebSocket protocol")),
        _ => None,
    }
}

async fn goodbye(socket: &mut WebSocketStream<TcpStream>, frame: CloseFrame) {
    if socket.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}
