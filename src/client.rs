//! How commands talk to a running node: JSON over HTTP, frames over a WebSocket, and errors that say what to do next.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use url::Url;

use crate::exchange::{HttpClient, NoAnswer, exchange, http_client};

/// Where a node listens unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8005";
/// How long a node may take to accept a connection.
const CONNECT_TIMEOUT_MILLIS: u64 = 3_000;
/// How long a node may take to answer: longer than its own deadline of 10 s, so that its word counts.
const ANSWER_TIMEOUT_MILLIS: u64 = 12_000;
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// A connected socket of a node.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One node, reached over plain HTTP.
#[derive(Clone, Debug)]
pub struct NodeClient {
    base: Url,
    authorization: Option<HeaderValue>,
    http: HttpClient,
}

/// Why there is no useful answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none that this client can use.
    #[error("{0}")]
    BadAddress(String),
    /// Nobody there, or the connection broke.
    #[error("cannot reach the node at {url}: is it running? start it with: coffee-rt serve ({reason})")]
    Unreachable {
        /// The node.
        url: String,
        /// What the system says.
        reason: String,
    },
    /// No answer in time.
    #[error("the node at {url} did not answer within {seconds} s: look at its log, or at {url}/readyz")]
    TimedOut {
        /// The node.
        url: String,
        /// How long it was given.
        seconds: u64,
    },
    /// The node answered with an error.
    #[error("{0}")]
    Problem(Problem),
    /// An answer that no Coffee-RT node gives.
    #[error("the answer of {url} is not a Coffee-RT node's: {reason}")]
    NotANode {
        /// What was asked.
        url: String,
        /// What is odd about the answer.
        reason: String,
    },
}

/// An RFC 9457 problem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(default, deserialize_with = "number")]
    pub status: u16,
    /// The kind of problem in a few words.
    #[serde(default)]
    pub title: String,
    /// This occurrence, for people.
    #[serde(default)]
    pub detail: String,
    /// With 422: what is wrong with which field.
    #[serde(default)]
    pub errors: Vec<FieldProblem>,
}

/// `/readyz` has a word there; the answer's own status counts.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = Value::deserialize(deserializer)?;
    let number = status.as_u64().and_then(|number| u16::try_from(number).ok());
    Ok(number.unwrap_or_default())
}

/// One field of a refused request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FieldProblem {
    /// Its name.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.detail.is_empty() {
            &self.title
        } else {
            &self.detail
        };
        write!(f, "{text} ({})", self.status)?;
        self.errors
            .iter()
            .try_for_each(|error| write!(f, "\n  {} {}", error.field, error.message))
    }
}

/// The address of a node, refused where it is not plain HTTP.
///
/// # Errors
/// Says what to write instead.
pub fn plain_http(url: &Url) -> Result<&Url, ClientError> {
    let complain = |reason: String| Err(ClientError::BadAddress(reason));
    match url.scheme() {
        "http" if url.has_host() => Ok(url),
        "https" => complain(format!(
            "{url} is not supported: nodes speak plain HTTP, so use http:// (over a tunnel where the way is not safe)"
        )),
        _ => complain(format!("{url} is no node's address: write it like {DEFAULT_URL}")),
    }
}

impl NodeClient {
    /// A client for the node at `base`; connects when first used. The token is sent as a bearer token.
    ///
    /// # Errors
    /// [`ClientError::BadAddress`] where the URL is not plain HTTP or the token cannot be sent.
    pub fn new(base: &Url, token: Option<&str>) -> Result<Self, ClientError> {
        let base = plain_http(base)?.clone();
        let bearer = token
            .map(|token| HeaderValue::from_str(&format!("Bearer {token}")))
            .transpose();
        let mut authorization =
            bearer.map_err(|_| ClientError::BadAddress("the token has characters that no header takes".to_owned()))?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Ok(Self {
            base,
            authorization,
            http: http_client(Duration::from_millis(CONNECT_TIMEOUT_MILLIS)),
        })
    }

    /// The node's address as people write it.
    #[must_use]
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.parsed(path, &self.exchange(Method::GET, path, None).await?)
    }

    /// Gets a JSON document as it stands.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        let body = self.exchange(Method::GET, path, None).await?;
        String::from_utf8(body.to_vec()).map_err(|_| self.odd(path, "it is not UTF-8"))
    }

    /// Posts a JSON document and discards what a success says.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post<B: Serialize + Sync>(&self, path: &str, body: &B) -> Result<(), ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::BadAddress(error.to_string()))?;
        self.exchange(Method::POST, path, Some(body.into())).await.map(drop)
    }

    /// Whether anybody answers HTTP there, ready or not.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] or [`ClientError::TimedOut`].
    pub async fn reach(&self) -> Result<(), ClientError> {
        match self.exchange(Method::GET, "/livez", None).await {
            Ok(_) | Err(ClientError::Problem(_) | ClientError::NotANode { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opens a WebSocket.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn socket(&self, path: &str) -> Result<Socket, ClientError> {
        let address = self.url(path).replacen("http", "ws", 1);
        let mut request = address
            .into_client_request()
            .map_err(|error| ClientError::BadAddress(error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let timeout = Duration::from_millis(CONNECT_TIMEOUT_MILLIS);
        let connecting = tokio_tungstenite::connect_async_with_config(request, None, true);
        match tokio::time::timeout(timeout, Box::pin(connecting)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(SocketError::Http(response))) => {
                let body = response.body().clone().unwrap_or_default();
                Err(self.refusal(path, response.status(), &body))
            }
            Ok(Err(SocketError::Io(error))) => Err(self.unreachable(error.to_string())),
            Ok(Err(error)) => Err(self.odd(path, &error.to_string())),
            Err(_) => Err(self.timed_out(CONNECT_TIMEOUT_MILLIS)),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Bytes, ClientError> {
        let mut request = Request::builder().method(method).uri(self.url(path));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = request.body(Full::new(body.unwrap_or_default()));
        let request = request.map_err(|error| ClientError::BadAddress(error.to_string()))?;
        let timeout = Duration::from_millis(ANSWER_TIMEOUT_MILLIS);
        let answer = exchange(&self.http, request, MAX_ANSWER_BYTES, timeout).await;
        let (head, body) = match answer {
            Ok(answer) => answer.into_parts(),
            Err(NoAnswer::TimedOut) => return Err(self.timed_out(ANSWER_TIMEOUT_MILLIS)),
            Err(NoAnswer::Broken(reason)) => return Err(self.unreachable(reason)),
        };
        if head.status.is_success() {
            Ok(body)
        } else {
            Err(self.refusal(path, head.status, &body))
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address())
    }

    fn parsed<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.odd(path, &error.to_string()))
    }

    fn refusal(&self, path: &str, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => ClientError::Problem(Problem {
                status: status.as_u16(),
                ..problem
            }),
            Err(_) => self.odd(path, &format!("{status} without a problem document")),
        }
    }

    fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable {
            url: self.address().to_owned(),
            reason,
        }
    }

    fn timed_out(&self, millis: u64) -> ClientError {
        ClientError::TimedOut {
            url: self.address().to_owned(),
            seconds: millis / 1_000,
        }
    }

    fn odd(&self, path: &str, reason: &str) -> ClientError {
        ClientError::NotANode {
            url: self.url(path),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_http() {
        let client = |url: &str| NodeClient::new(&Url::parse(url).unwrap(), None);
        assert_eq!(
            client("http://127.0.0.1:8005/").unwrap().url("/livez"),
            "http://127.0.0.1:8005/livez"
        );
        assert_eq!(
            client("http://cafe/base/").unwrap().url("/livez"),
            "http://cafe/base/livez"
        );
        assert!(client("https://cafe").unwrap_err().to_string().contains("use http://"));
        assert!(client("ftp://cafe").unwrap_err().to_string().contains(DEFAULT_URL));
        assert!(NodeClient::new(&Url::parse("http://cafe").unwrap(), Some("line\nbreak")).is_err());
    }

    #[test]
    fn problems_are_shown_by_their_detail() {
        let problem: Problem = serde_json::from_str(
            r#"{"type":"about:blank","title":"Invalid order","status":422,"detail":"1 field is wrong",
                "errors":[{"field":"price","message":"has more than two decimals"}]}"#,
        )
        .unwrap();
        assert_eq!(
            problem.to_string(),
            "1 field is wrong (422)\n  price has more than two decimals"
        );
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_told_how_to_start() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let client = NodeClient::new(&Url::parse(&format!("http://{closed}")).unwrap(), None).unwrap();
        for error in [
            client.reach().await.unwrap_err(),
            client.socket("/ws/actors").await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("start it with: coffee-rt serve"), "{error}");
        }
    }
}
