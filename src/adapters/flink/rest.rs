//! JSON over HTTP, as Flink's JobManager and its SQL gateway speak it.

use std::time::Duration;

use bytes::Bytes;
use coffee_rt_actors::ports::EngineError;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::exchange::{HttpClient, NoAnswer, exchange, http_client};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an answer may take: the gateway compiles statements before it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How much of an error's text is told: Flink sends whole stack traces.
const MAX_ERROR_CHARS: usize = 600;

/// One of Flink's interfaces.
pub(super) struct Rest {
    name: &'static str,
    base: String,
    http: HttpClient,
}

impl Rest {
    pub(super) fn new(name: &'static str, url: &Url) -> Self {
        Self {
            name,
            base: url.as_str().trim_end_matches('/').to_owned(),
            http: http_client(CONNECT_TIMEOUT),
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        self.read(path, &self.call(Method::GET, path, None).await?)
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, EngineError> {
        self.read(path, &self.call(Method::POST, path, Some(body)).await?)
    }

    /// What such a request answers is of no interest.
    pub(super) async fn order(&self, method: Method, path: &str) -> Result<(), EngineError> {
        self.call(method, path, None).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, EngineError> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())));
        let request = request.map_err(|error| EngineError::Refused(format!("{}: {error}", self.name)))?;
        let answer = exchange(&self.http, request, MAX_ANSWER_BYTES, ANSWER_TIMEOUT).await;
        let (head, body) = answer.map_err(|error| self.away(&error))?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let told = format!("{} answered {}: {}", self.name, head.status, reason(&body));
        // A JobManager that has just started does not know yet what it will know.
        Err(if head.status == StatusCode::SERVICE_UNAVAILABLE {
            EngineError::Away(told)
        } else {
            EngineError::Refused(told)
        })
    }

    fn read<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, EngineError> {
        let read = serde_json::from_slice(body);
        read.map_err(|error| EngineError::Refused(format!("{} answers {path} in an unknown way: {error}", self.name)))
    }

    fn away(&self, error: &NoAnswer) -> EngineError {
        EngineError::Away(format!("{} at {} cannot be reached: {error}", self.name, self.base))
    }
}

/// The last cause in an answer with errors: above it there are only those who passed it on.
fn reason(body: &[u8]) -> String {
    let errors = serde_json::from_slice::<Value>(body).ok();
    let texts = errors.as_ref().and_then(|errors| errors["errors"].as_array());
    let text = texts.and_then(|texts| texts.iter().rev().find_map(Value::as_str));
    let text = text.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    let innermost = text.lines().rev().find(|line| line.starts_with("Caused by: "));
    let cause = innermost.or_else(|| text.lines().next()).unwrap_or_default();
    cause.chars().take(MAX_ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_cause_is_told() {
        let trace = "org.Outer: failed\n\tat a.b(C.java:1)\nCaused by: org.Inner: no table orders\n\tat d.e(F.java:2)";
        let body = serde_json::json!({"errors": ["Internal server error.", trace]}).to_string();
        assert_eq!(reason(body.as_bytes()), "Caused by: org.Inner: no table orders");
        assert_eq!(reason(b"gone"), "gone");
    }
}
