//! `GET /` and the files of the web page, out of the binary.

use bytes::Bytes;
use coffee_rt_ui::Asset;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::path::FullPath;
use warp::reply::Response;

use super::paths::VIEWS;
use super::recover::{READ, only};

/// Names below this change with their content.
const HASHED: &str = "assets/";
/// Nothing but the page's own files, and no connection to anybody but this node.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The route.
pub(super) fn route() -> BoxedFilter<(Response,)> {
    warp::path::full()
        .and_then(|path: FullPath| async move { find(path.as_str()).ok_or_else(warp::reject::not_found) })
        .and(only(READ))
        .and(warp::header::headers_cloned())
        .map(|asset: &'static Asset, headers: HeaderMap| answer(asset, &headers))
        .boxed()
}

/// Whether a path is the page's, for its label.
pub(super) fn is_of_page(path: &str) -> bool {
    find(path).is_some()
}

fn find(path: &str) -> Option<&'static Asset> {
    let file = if VIEWS.contains(&path) {
        "index.html"
    } else {
        path.strip_prefix('/')?
    };
    coffee_rt_ui::asset(file)
}

fn answer(asset: &'static Asset, asked: &HeaderMap) -> Response {
    let (encoding, body) = encoded(asset, asked);
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| {
        tags.split(',')
            .any(|tag| tag.trim().trim_start_matches("W/") == asset.tag)
    });
    let mut response = Response::new(
        if is_known {
            Bytes::new()
        } else {
            Bytes::from_static(body)
        }
        .into(),
    );
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    let mut set = |name, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    set(header::CONTENT_TYPE, content_type(asset.path));
    set(header::ETAG, asset.tag);
    set(header::VARY, "accept-encoding");
    let is_hashed = asset.path.starts_with(HASHED);
    set(
        header::CACHE_CONTROL,
        if is_hashed {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        },
    );
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    if let Some(encoding) = encoding {
        set(header::CONTENT_ENCODING, encoding);
    }
    response
}

/// The smallest form that the client takes.
fn encoded(asset: &'static Asset, asked: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let accepted = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let takes = |name: &str| {
        let mut codings = accepted.unwrap_or_default().split(',').map(str::trim);
        codings.any(|coding| match coding.split_once(';') {
            Some((coding, weight)) => coding.trim() == name && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00"),
            None => coding == name,
        })
    };
    match (asset.brotli, asset.gzip) {
        (Some(brotli), _) if takes("br") => (Some("br"), brotli),
        (_, Some(gzip)) if takes("gzip") => (Some("gzip"), gzip),
        _ => (None, asset.plain),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "webmanifest") => "application/json",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset = Asset {
        path: "assets/a.js",
        tag: "\"0123\"",
        plain: b"plain",
        gzip: Some(b"gz"),
        brotli: Some(b"br"),
    };
    static FILE: Asset = ASSET;

    fn asked(headers: &[(header::HeaderName, &'static str)]) -> Response {
        let headers = headers.iter().cloned();
        answer(
            &FILE,
            &headers
                .map(|(name, value)| (name, HeaderValue::from_static(value)))
                .collect(),
        )
    }

    #[test]
    fn the_smallest_form_that_is_taken_is_sent() {
        for (accepted, encoding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip;q=0.5", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("identity", None),
            ("brotli", None),
        ] {
            let response = asked(&[(header::ACCEPT_ENCODING, accepted)]);
            let found = response.headers().get(header::CONTENT_ENCODING);
            assert_eq!(found.and_then(|found| found.to_str().ok()), encoding, "{accepted}");
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        for (tags, status) in [("\"0123\"", 304), ("\"a\", W/\"0123\"", 304), ("\"4567\"", 200)] {
            assert_eq!(asked(&[(header::IF_NONE_MATCH, tags)]).status(), status, "{tags}");
        }
    }

    #[test]
    fn views_are_the_page_and_other_paths_are_not() {
        for view in VIEWS {
            assert_eq!(find(view).map(|asset| asset.path), Some("index.html"));
        }
        for other in ["/sales/", "/assets/", "/nothing", "/../Cargo.toml", "//"] {
            assert!(find(other).is_none(), "{other}");
        }
    }
}
