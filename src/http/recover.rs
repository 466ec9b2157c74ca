//! What no route took, as problems.

use std::convert::Infallible;

use warp::Filter;
use warp::http::{HeaderValue, Method, StatusCode, header};
use warp::reject::{InvalidHeader, InvalidQuery, MissingHeader, Reject, Rejection};
use warp::reply::Response;

use super::problem::Problem;

/// The path is known, but not with this method.
#[derive(Debug)]
struct WrongMethod {
    allowed: &'static str,
}

impl Reject for WrongMethod {}

/// What can be read can also be asked for without its body (RFC 9110, 9.1), which hyper leaves out.
pub(super) const READ: &str = "GET, HEAD";

/// Lets these methods pass, written as in `Allow`. Stands behind the path, so that a wrong method is told apart from a
/// wrong path.
pub(super) fn only(allowed: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::method()
        .and_then(move |method: Method| async move {
            if allowed.split(", ").any(|name| name == method.as_str()) {
                Ok(())
            } else {
                Err(warp::reject::custom(WrongMethod { allowed }))
            }
        })
        .untuple_one()
}

/// Turns a rejection into a problem.
pub(super) async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    let problem = if let Some(header) = rejection.find::<MissingHeader>() {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "missing-header",
            format!("the header {} is missing", header.name()),
        )
    } else if let Some(header) = rejection.find::<InvalidHeader>() {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-header",
            format!("the header {} cannot be read", header.name()),
        )
    } else if rejection.find::<InvalidQuery>().is_some() {
        let detail = "what stands behind the ? cannot be read: a number is none, or too large";
        Problem::new(StatusCode::BAD_REQUEST, "invalid-query", detail)
    } else if let Some(WrongMethod { allowed }) = rejection.find() {
        wrong_method(allowed)
    } else {
        Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path")
    };
    Ok(problem.into_response())
}

/// The path is known, but takes only these methods.
pub(super) fn wrong_method(allowed: &'static str) -> Problem {
    let detail = format!("this path takes {allowed}");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
        .with_header(header::ALLOW, HeaderValue::from_static(allowed))
}
