//! Errors as RFC 9457 problem details.

use coffee_rt_actors::domain::{FieldError, OrderError};
use coffee_rt_actors::ticket::Refusal;
use serde::Serialize;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

/// When a refused client should come again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An answer that says what is wrong.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of that status and kind; the kind is a short name such as `overloaded`.
    #[must_use]
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:coffee-rt:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 503 with `Retry-After`.
    #[must_use]
    pub fn unavailable(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))
    }

    /// 422 for one field.
    #[must_use]
    pub fn invalid_field(field: &'static str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError {
            field,
            message: message.into(),
        }])
    }

    /// 422 that names every field.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail: Vec<_> = errors
            .iter()
            .map(|error| format!("{} {}", error.field, error.message))
            .collect();
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail.join("; "))
        }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The answer.
    #[must_use]
    pub fn into_response(self) -> Response {
        let mut response = Response::new(serde_json::to_vec(&self).unwrap_or_default().into());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.extend(self.headers);
        response
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Malformed(_) => Self::new(StatusCode::BAD_REQUEST, "malformed-json", error.to_string()),
            OrderError::Invalid(errors) => Self::invalid(errors),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Overloaded => Self::unavailable("overloaded", detail),
            Refusal::BacklogFull => Self::unavailable("backlog-full", detail),
            Refusal::LogAway(_) => {
                tracing::debug!(detail, "order refused");
                Self::unavailable(
                    "log-away",
                    "the log is away; repeating the order with the same Idempotency-Key is safe",
                )
            }
            Refusal::StoreAway(_) => {
                tracing::debug!(detail, "order refused");
                // The reason is for the operator's log and readyz, not for customers.
                Self::unavailable(
                    "store-away",
                    "the store is away; repeating the order with the same Idempotency-Key is safe",
                )
            }
            Refusal::TooLate => Self::unavailable(
                "too-late",
                "no answer within the deadline; repeating the order with the same Idempotency-Key is safe",
            ),
            Refusal::KeyReused => Self {
                kind: "urn:coffee-rt:problem:key-reused".to_owned(),
                ..Self::invalid_field("Idempotency-Key", "was used for a different order")
            },
            Refusal::Rejected(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "rejected", detail),
        }
    }
}
