//! What no route took, as problems.

use std::convert::Infallible;

use warp::Filter;
use warp::http::{HeaderValue, Method, StatusCode, header};
use warp::reject::{InvalidHeader, MissingHeader, Reject, Rejection};
use warp::reply::Response;

use super::problem::Problem;

/// The path is known, but not with this method.
#[derive(Debug)]
struct WrongMethod {
    allowed: Method,
}

impl Reject for WrongMethod {}

/// Lets one method pass. Stands behind the path, so that a wrong method is told apart from a wrong path.
pub(super) fn only(allowed: Method) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::method()
        .and_then(move |method: Method| {
            let allowed = allowed.clone();
            async move {
                if method == allowed {
                    Ok(())
                } else {
                    Err(warp::reject::custom(WrongMethod { allowed }))
                }
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
    } else if let Some(WrongMethod { allowed }) = rejection.find() {
        let detail = format!("this path takes {allowed}");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail);
        match HeaderValue::from_str(allowed.as_str()) {
            Ok(allowed) => problem.with_header(header::ALLOW, allowed),
            Err(_) => problem,
        }
    } else {
        Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path")
    };
    Ok(problem.into_response())
}
