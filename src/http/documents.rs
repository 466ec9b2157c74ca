//! `GET /api/openapi.json` and `GET /api/asyncapi.json`: what this node answers and sends, for programs to read.

use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, header};
use warp::reply::Response;

use super::paths::at;
use super::recover::{READ, only};

/// HTTP.
const OPENAPI: &str = include_str!("openapi.json");
/// WebSockets.
const ASYNCAPI: &str = include_str!("asyncapi.json");

/// The routes.
pub(super) fn routes() -> BoxedFilter<(Response,)> {
    let openapi = at("/api/openapi.json")
        .and(only(READ))
        .map(|| document(OPENAPI, "application/vnd.oai.openapi+json;version=3.1"));
    let asyncapi = at("/api/asyncapi.json")
        .and(only(READ))
        .map(|| document(ASYNCAPI, "application/vnd.aai.asyncapi+json;version=3.0"));
    openapi.or(asyncapi).unify().boxed()
}

fn document(text: &'static str, content_type: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::paths::{ENDPOINTS, VIEWS};
    use super::*;

    /// Where the page's files are.
    const ASSETS: &str = "/assets/{file}";

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_path_is_documented_and_no_other() {
        let document = read(OPENAPI);
        let documented: BTreeSet<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
        let known = ENDPOINTS.into_iter().chain(VIEWS).chain([ASSETS]);
        assert_eq!(documented, known.map(str::to_owned).collect());
    }

    #[test]
    fn every_socket_has_a_channel_and_no_other() {
        let document = read(ASYNCAPI);
        let channels = document["channels"].as_object().unwrap().values();
        let addresses: BTreeSet<_> = channels.map(|channel| channel["address"].as_str().unwrap()).collect();
        let sockets = ENDPOINTS.into_iter().filter(|path| path.starts_with("/ws/"));
        assert_eq!(addresses, sockets.collect());
    }

    #[test]
    fn they_are_of_this_version() {
        for document in [OPENAPI, ASYNCAPI] {
            assert_eq!(read(document)["info"]["version"], env!("CARGO_PKG_VERSION"));
        }
    }
}
