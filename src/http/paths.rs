//! Every path that the node answers, in one place: what routes, metrics and documents know must be the same.

use std::future::ready;

use warp::path::FullPath;
use warp::{Filter, Rejection};

use crate::config::Version;

/// Where faults are injected; the path between may have slashes of its own.
pub(super) const KILL: &str = "/api/actors/{path}/kill";
/// Paths that the page shows views at.
pub(super) const VIEWS: [&str; 5] = ["/", "/sales", "/node", "/till", "/docs"];
/// All paths but the page's, as OpenAPI writes them.
pub(super) const ENDPOINTS: [&str; 19] = [
    Version::V1.order_path(),
    Version::V2.order_path(),
    Version::V3.order_path(),
    "/api/dashboard",
    "/api/sales",
    "/api/history",
    "/api/actors",
    KILL,
    "/api/events",
    "/api/customers",
    "/api/node",
    "/api/openapi.json",
    "/api/asyncapi.json",
    "/ws/dashboard",
    "/ws/sales",
    "/ws/actors",
    "/livez",
    "/readyz",
    "/metrics",
];

/// Takes one of the [`ENDPOINTS`], with or without a slash behind it.
///
/// # Panics
/// Where it is none of them, so that no route can be left out of the list.
pub(super) fn at(path: &'static str) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    assert!(ENDPOINTS.contains(&path), "{path} is not among the endpoints");
    warp::path::full()
        .and_then(move |asked: FullPath| {
            ready(if is_at(asked.as_str(), path) {
                Ok(())
            } else {
                Err(warp::reject::not_found())
            })
        })
        .untuple_one()
}

fn is_at(asked: &str, path: &str) -> bool {
    asked.strip_suffix('/').unwrap_or(asked) == path
}

/// The endpoint of a path that is asked for, if it has one.
pub(super) fn endpoint_of(asked: &str) -> Option<&'static str> {
    let found = ENDPOINTS.into_iter().find(|endpoint| *endpoint == asked);
    found.or_else(|| asked.starts_with("/api/actors/").then_some(KILL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_whole() {
        for (asked, taken) in [
            ("/api/node", true),
            ("/api/node/", true),
            ("/api/node//", false),
            ("//api/node", false),
            ("/api/nodes", false),
            ("/api", false),
            ("/API/NODE", false),
        ] {
            assert_eq!(is_at(asked, "/api/node"), taken, "{asked}");
        }
    }

    #[test]
    #[should_panic(expected = "not among the endpoints")]
    fn a_route_that_nobody_knows_is_refused() {
        let _ = at("/api/secret");
    }

    #[test]
    fn paths_have_endpoints() {
        assert_eq!(endpoint_of("/api/v1/order"), Some("/api/v1/order"));
        assert_eq!(endpoint_of("/api/actors/v1/ingest/kill"), Some(KILL));
        assert_eq!(endpoint_of("/api/v9/order"), None);
    }
}
