//! Requests with the wrong headers, paths, methods or framing, and WebSocket handshakes that are none.

use super::Want::{Closed, Detail, Header, Parser, Problem};
use super::{Case, Want, bodies};
use crate::support::wire::request;

const ORDER: &str = "POST /api/v1/order";
const JSON: &str = "Content-Type: application/json";

pub fn cases() -> Vec<Case> {
    let mut cases = headers();
    cases.extend(paths());
    cases.extend(methods());
    cases.extend(framing());
    cases.extend(handshakes());
    cases
}

fn headers() -> Vec<Case> {
    let with = |headers: &[&str], want| {
        let name = format!("headers: {:.60}", headers.join(", "));
        Case {
            name,
            bytes: request(ORDER, headers, &bodies::good()),
            want,
        }
    };
    let not_json = || Header(415, "not-json", "accept", "application/json");
    let key = || Problem(422, "invalid", Some("Idempotency-Key"));
    let large = format!("X-Large: {}", "x".repeat(20_000));
    let many: Vec<String> = (0..200).map(|n| format!("X-{n}: x")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    vec![
        with(&[], not_json()),
        with(&["Content-Type:"], not_json()),
        with(&["Content-Type: text/plain"], not_json()),
        with(&["Content-Type: application/x-www-form-urlencoded"], not_json()),
        with(&["Content-Type: json"], not_json()),
        with(&["Content-Type: application/jsonp"], not_json()),
        with(&["Content-Type: applicatio\u{f1}/json"], not_json()),
        with(&[JSON, "Idempotency-Key: 42"], key()),
        with(&[JSON, "Idempotency-Key:"], key()),
        with(&[JSON, "Idempotency-Key: \"\""], key()),
        with(&[JSON, "Idempotency-Key: 0199a7f0-0000-7000-8000-00000000000g"], key()),
        with(
            &[
                JSON,
                "Idempotency-Key: 0199a7f0-0000-7000-8000-000000000000, 0199a7f0-0000-7000-8000-000000000001",
            ],
            key(),
        ),
        with(
            &[
                JSON,
                "Idempotency-Key: 0199a7f0-0000-7000-8000-000000000000",
                "Idempotency-Key: 0199a7f0-0000-7000-8000-000000000001",
            ],
            key(),
        ),
        with(&[JSON, "Idempotency-Key: \u{f1}"], key()),
        with(&[JSON, &large], Parser(431)),
        with(&many, Parser(431)),
        Case {
            name: "a token that is no text".into(),
            bytes: request("POST /api/actors/v1/ingest/kill", &["Authorization: \u{f1}"], b""),
            want: Problem(400, "invalid-header", None),
        },
        Case {
            name: "GET with a token that is no text".into(),
            bytes: request("GET /api/customers", &["Authorization: \u{f1}"], b""),
            want: Problem(400, "invalid-header", None),
        },
        Case {
            name: "DELETE with a token that is no text".into(),
            bytes: request("DELETE /api/customers", &["Authorization: \u{f1}"], b""),
            want: Problem(400, "invalid-header", None),
        },
        Case {
            name: "an origin that is no text".into(),
            bytes: request("POST /api/actors/v1/ingest/kill", &["Origin: \u{f1}"], b""),
            want: Problem(400, "invalid-header", None),
        },
    ]
}

fn paths() -> Vec<Case> {
    let at = |head: &str, want| Case {
        name: format!("path: {head:.60}"),
        bytes: request(head, &[JSON], &bodies::good()),
        want,
    };
    let nothing = || Problem(404, "not-found", None);
    vec![
        at("POST /", Problem(405, "wrong-method", None)),
        at("POST /api", nothing()),
        at("POST /order", nothing()),
        at("POST /api/v1", nothing()),
        at("POST /api/v1/orders", nothing()),
        at("POST /api/v1/order/7", nothing()),
        at("POST /api/v1/order//", nothing()),
        at("POST //api/v1/order", nothing()),
        at("POST /api/v1%2Forder", nothing()),
        at("POST /api%2Fv1%2Forder", nothing()),
        at("POST /API/V1/ORDER", nothing()),
        at("POST /api/v9/order", nothing()),
        at("POST /api/v01/order", nothing()),
        at("POST /api/../api/v1/order", nothing()),
        at("POST /api/v1/%ff", nothing()),
        at(&format!("POST /{}", "x".repeat(8_000)), nothing()),
        at("POST /api/v2/order", Detail(404, "version-not-run", "REDIS_URL")),
        at(
            "POST /api/v3/order",
            Detail(404, "version-not-run", "KAFKA_BOOTSTRAP_SERVERS"),
        ),
        at("GET /ws", nothing()),
        at("GET /ws/orders", nothing()),
        at("GET /favicon.ico", nothing()),
        at("OPTIONS *", nothing()),
    ]
}

fn methods() -> Vec<Case> {
    let take = |head: &str, allowed| Case {
        name: format!("method: {head}"),
        bytes: request(head, &[JSON], b"{}"),
        want: Header(405, "wrong-method", "allow", allowed),
    };
    vec![
        take("GET /api/v1/order", "POST"),
        take("PUT /api/v1/order", "POST"),
        take("DELETE /api/v1/order", "POST"),
        take("BREW /api/v1/order", "POST"),
        take("GET /api/v2/order", "POST"),
        take("POST /api/dashboard", "GET, HEAD"),
        take("POST /api/actors", "GET, HEAD"),
        take("GET /api/actors/v1/ingest/kill", "POST"),
        take("DELETE /api/actors/v1/ingest/kill", "POST"),
        take("POST /livez", "GET, HEAD"),
        take("PUT /readyz", "GET, HEAD"),
        take("POST /metrics", "GET, HEAD"),
        take("POST /ws/dashboard", "GET"),
        take("POST /ws/actors", "GET"),
        take("OPTIONS /api/v1/order", "POST"),
    ]
}

/// What is no HTTP/1.1, or whose end cannot be told for certain. A length beside chunks is not among them: hyper goes by
/// the chunks and closes the connection after its answer, as RFC 9112 (6.3) allows.
fn framing() -> Vec<Case> {
    let head = format!("{ORDER} HTTP/1.1\r\nHost: cafe\r\n{JSON}\r\n");
    let body = String::from_utf8(bodies::good()).unwrap();
    let raw = |name: &str, text: String, want: Want| Case {
        name: name.to_owned(),
        bytes: text.into_bytes(),
        want,
    };
    let length = body.len();
    vec![
        raw("no HTTP", "latte please\r\n\r\n".into(), Parser(400)),
        raw(
            "a TLS handshake",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n".into(),
            Parser(400),
        ),
        raw("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), Closed),
        raw("HTTP/3.0", format!("{ORDER} HTTP/3.0\r\n\r\n"), Parser(400)),
        raw(
            "a header without a colon",
            format!("{head}nonsense\r\n\r\n"),
            Parser(400),
        ),
        raw(
            "a space before the colon",
            format!("{head}Content-Length : {length}\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "a zero byte in a header",
            format!("{head}X: \u{0}\r\n\r\n"),
            Parser(400),
        ),
        raw(
            "a negative length",
            format!("{head}Content-Length: -5\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "a length in words",
            format!("{head}Content-Length: five\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "a length beyond 64 bits",
            format!("{head}Content-Length: 99999999999999999999\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "two lengths",
            format!("{head}Content-Length: {length}\r\nContent-Length: 3\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "two lengths in one",
            format!("{head}Content-Length: {length}, 3\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "an unknown coding",
            format!("{head}Transfer-Encoding: gzip\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "chunks not last",
            format!("{head}Transfer-Encoding: chunked, gzip\r\n\r\n{body}"),
            Parser(400),
        ),
        raw(
            "a chunk of nonsense",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"),
            Problem(400, "broken-body", None),
        ),
        raw(
            "a chunk too long",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
            Problem(400, "broken-body", None),
        ),
        raw(
            "chunks in HTTP/1.0",
            format!("{ORDER} HTTP/1.0\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Parser(400),
        ),
    ]
}

fn handshakes() -> Vec<Case> {
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const VERSION: &str = "Sec-WebSocket-Version: 13";
    const UPGRADE: [&str; 2] = ["Connection: Upgrade", "Upgrade: websocket"];
    let mut cases = Vec::new();
    for path in ["/ws/dashboard", "/ws/sales", "/ws/actors"] {
        let mut shake = |name: &str, headers: &[&str], want| {
            let mut bytes = format!("GET {path} HTTP/1.1\r\nHost: cafe\r\n").into_bytes();
            for header in headers {
                bytes.extend_from_slice(format!("{header}\r\n").as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
            cases.push(Case {
                name: format!("{path}: {name}"),
                bytes,
                want,
            });
        };
        let [connection, upgrade] = UPGRADE;
        let none = || Header(426, "not-a-socket", "upgrade", "websocket");
        let version = || Header(400, "socket-version", "sec-websocket-version", "13");
        let key = || Problem(400, "socket-key", None);
        shake("a plain request", &[], none());
        shake("no Upgrade", &[connection, VERSION, KEY], none());
        shake("no Connection", &[upgrade, VERSION, KEY], none());
        shake("another protocol", &[connection, "Upgrade: h2c", VERSION, KEY], none());
        shake("no version", &[connection, upgrade, KEY], version());
        shake(
            "an old version",
            &[connection, upgrade, "Sec-WebSocket-Version: 8", KEY],
            version(),
        );
        shake("no key", &[connection, upgrade, VERSION], key());
        shake(
            "a short key",
            &[connection, upgrade, VERSION, "Sec-WebSocket-Key: bGF0dGU="],
            key(),
        );
        shake(
            "a key that is no base64",
            &[
                connection,
                upgrade,
                VERSION,
                "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==",
            ],
            key(),
        );
    }
    cases
}
