//! One connection of a customer and one attempt at an order: what was sent, and what the answer means.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use coffee_rt_actors::domain::Menu;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;
use url::{Position, Url};
use uuid::Uuid;

use super::answer::{Answer, understand};
use super::balancer::Balancer;
use super::options::Options;
use super::order::Outgoing;
use crate::config::Version;

/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How often one attempt may find that the node closed an idle connection before anything was sent.
const MAX_FRESH_CONNECTIONS: u32 = 3;

/// Where attempts go and what their answers are compared with.
#[derive(Debug)]
pub(super) struct Target {
    host: String,
    port: u16,
    authority: HeaderValue,
    path: String,
    version: Version,
    timeout: Duration,
    menu: Menu,
}

impl Target {
    /// A node by its address; complains where that is no plain HTTP address.
    pub(super) fn new(url: &Url, options: &Options) -> Result<Self, String> {
        let version = &options.version;
        let base = crate::client::plain_http(url).map_err(|error| error.to_string())?;
        let authority = &base[Position::BeforeHost..Position::AfterPort];
        Ok(Self {
            host: base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: base.port_or_known_default().unwrap_or(80),
            authority: HeaderValue::from_str(authority).map_err(|_| format!("{authority} is no host"))?,
            path: format!("{}{}", base.path().trim_end_matches('/'), version.order_path()),
            version: *version,
            timeout: options.timeout,
            menu: options.menu.clone(),
        })
    }

    fn request(&self, outgoing: &Outgoing) -> Result<Request<OrderBody>, String> {
        let mut key = Uuid::encode_buffer();
        let key = &*outgoing.message_id.hyphenated().encode_lower(&mut key);
        Request::builder()
            .method(Method::POST)
            .uri(self.path.as_str())
            .header(HOST, self.authority.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("idempotency-key", key)
            .body(OrderBody::new(outgoing))
            .map_err(|error| error.to_string())
    }
}

/// A customer's connection to each node, opened when needed and kept while it works.
pub(super) struct Connection {
    balancer: Arc<Balancer>,
    open: Vec<Option<Open>>,
}

struct Open {
    sender: SendRequest<OrderBody>,
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    pub(super) fn new(balancer: Arc<Balancer>) -> Self {
        Self {
            open: (0..balancer.len()).map(|_| None).collect(),
            balancer,
        }
    }

    /// Sends an order once. Where the caller is dropped or the time is over, the connection is closed with it, so that
    /// a late answer can never be taken for another order's.
    pub(super) async fn attempt(&mut self, outgoing: &Outgoing) -> Answer {
        let (place, target) = self.balancer.next();
        let exchange = exchange(target, &mut self.open[place], outgoing);
        match tokio::time::timeout(target.timeout, exchange).await {
            Ok(Ok((response, body))) => understand(target.version, &target.menu, outgoing, &response, &body),
            Ok(Err(reason)) => Answer::Unknown(reason),
            Err(_) => Answer::Unknown(format!("no answer within {:?}", target.timeout)),
        }
    }
}

async fn exchange(
    target: &Target,
    kept: &mut Option<Open>,
    outgoing: &Outgoing,
) -> Result<(Response<()>, Bytes), String> {
    let mut request = target.request(outgoing)?;
    for _ in 0..MAX_FRESH_CONNECTIONS {
        let mut open = match kept.take() {
            Some(open) if !open.sender.is_closed() => open,
            _ => connect(target)
                .await
                .map_err(|error| format!("cannot connect: {error}"))?,
        };
        if open.sender.ready().await.is_err() {
            continue;
        }
        match open.sender.try_send_request(request).await {
            Ok(response) => {
                let answer = read(response).await?;
                *kept = Some(open);
                return Ok(answer);
            }
            Err(mut error) => match error.take_message() {
                // Nothing of it was sent: the node had closed the idle connection.
                Some(unsent) => request = unsent,
                None => return Err(format!("the connection broke: {}", error.into_error())),
            },
        }
    }
    Err("the node keeps closing connections before a request".to_owned())
}

async fn connect(target: &Target) -> Result<Open, String> {
    let stream = TcpStream::connect((target.host.as_str(), target.port))
        .await
        .map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let driver = tokio::spawn(async move {
        // How the connection ends shows in the request that it carries.
        let _ = connection.await;
    });
    Ok(Open {
        sender,
        _driver: AbortOnDropHandle::new(driver),
    })
}

async fn read(response: Response<Incoming>) -> Result<(Response<()>, Bytes), String> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| format!("the answer broke off: {error}"))?;
    Ok((Response::from_parts(head, ()), body.to_bytes()))
}

/// A body whose customer pauses before sending it.
pub(super) struct OrderBody {
    text: Option<Bytes>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl OrderBody {
    fn new(outgoing: &Outgoing) -> Self {
        let pause = outgoing.purchase.pause;
        Self {
            text: Some(outgoing.body.clone()),
            pause: (!pause.is_zero()).then(|| Box::pin(tokio::time::sleep(pause))),
        }
    }
}

impl Body for OrderBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            std::task::ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(self.text.take().map(|text| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_apart() {
        let target = |url: &str| {
            let url = Url::parse(url).unwrap();
            Target::new(&url, &Options::new(url.clone()))
        };
        let secure = target("https://cafe.example").unwrap_err();
        let target = target("http://[::1]:8005/base/").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("::1", 8005, "/base/api/v1/order")
        );
        assert_eq!(target.authority, "[::1]:8005");
        assert!(secure.contains("http://"));
    }
}
