//! One request to another program and its whole answer, over plain HTTP, within limits of size and time.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Keeps connections for the next request.
pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// Nobody there, or the connection broke: the innermost cause.
    #[error("{0}")]
    Broken(String),
}

/// A client that connects when it is first used.
pub(crate) fn http_client(connect_timeout: Duration) -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(connect_timeout));
    Client::builder(TokioExecutor::new()).build(connector)
}

/// Sends a request and reads the answer, whatever its status.
pub(crate) async fn exchange(
    http: &HttpClient,
    request: Request<Full<Bytes>>,
    max_answer_bytes: usize,
    timeout: Duration,
) -> Result<Response<Bytes>, NoAnswer> {
    let answer = async {
        let answered = http.request(request).await.map_err(|error| broken(&error))?;
        let (head, body) = answered.into_parts();
        let body = Limited::new(body, max_answer_bytes).collect().await;
        let body = body.map_err(|error| broken(error.as_ref()))?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    let answered = tokio::time::timeout(timeout, Box::pin(answer)).await;
    answered.unwrap_or(Err(NoAnswer::TimedOut))
}

fn broken(error: &(dyn Error + 'static)) -> NoAnswer {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    NoAnswer::Broken(cause.to_string())
}
