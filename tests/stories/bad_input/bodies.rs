//! Bodies that are no orders, and bodies that are no faults.

use serde_json::{Value, json};

use super::Want::{Detail, Problem};
use super::{Case, Want};
use crate::support::wire::{order, request};

const KILL: &str = "POST /api/actors/v1/batcher-0/kill";
const LIMIT_BYTES: usize = 64 * 1024;

pub fn good() -> Vec<u8> {
    serde_json::to_vec(&valid()).unwrap()
}

fn valid() -> Value {
    json!({"drink": "latte", "store": "uptown", "price": 4.5, "timestamp": "2026-11-22T09:00:00Z"})
}

pub fn cases() -> Vec<Case> {
    let mut cases = not_json();
    cases.extend(wrong_fields());
    cases.extend(too_large());
    cases.extend(faults());
    cases
}

fn case(name: &str, bytes: Vec<u8>, want: Want) -> Case {
    Case {
        name: name.to_owned(),
        bytes,
        want,
    }
}

/// A valid order with one field written so.
fn with(field: &str, raw: &str) -> Vec<u8> {
    let order = valid();
    let fields: Vec<_> = ["drink", "store", "price", "timestamp"]
        .into_iter()
        .map(|name| match name == field {
            true => format!("\"{name}\":{raw}"),
            false => format!("\"{name}\":{}", order[name]),
        })
        .collect();
    format!("{{{}}}", fields.join(",")).into_bytes()
}

fn not_json() -> Vec<Case> {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let malformed: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("white space", b" \n".to_vec()),
        ("half an object", b"{\"drink\":\"latte\"".to_vec()),
        ("a word", b"latte".to_vec()),
        ("something after it", [good(), b" x".to_vec()].concat()),
        ("two of them", [good(), good()].concat()),
        ("a byte order mark", [b"\xef\xbb\xbf".to_vec(), good()].concat()),
        ("single quotes", b"{'drink':'latte'}".to_vec()),
        ("a comma too much", b"{\"drink\":\"latte\",}".to_vec()),
        ("a form", b"drink=latte&store=uptown".to_vec()),
        ("UTF-16", good().iter().flat_map(|byte| [*byte, 0]).collect()),
        ("a zero byte", [good(), vec![0]].concat()),
        (
            "invalid UTF-8 in a field",
            with("drink", "\"X\"")
                .iter()
                .map(|b| if *b == b'X' { 0xff } else { *b })
                .collect(),
        ),
        (
            "invalid UTF-8 in a field nobody reads",
            b"{\"tip\":\"\xc3\x28\"}".to_vec(),
        ),
        ("invalid UTF-8 beside a good order", {
            let text = String::from_utf8(good()).unwrap().replace('}', ",\"tip\":\"X\"}");
            text.bytes()
                .map(|byte| if byte == b'X' { 0xff } else { byte })
                .collect()
        }),
        ("brackets without end", vec![b'['; LIMIT_BYTES]),
        ("a bare NaN", with("price", "NaN")),
        ("a bare Infinity", with("price", "Infinity")),
        ("a price with a leading zero", with("price", "04.5")),
        ("a hexadecimal price", with("price", "0x1F")),
        ("a control character", with("drink", "\"lat\nte\"")),
    ];
    let no_object: Vec<(&str, String)> = vec![
        ("an array", "[]".into()),
        (
            "the fields as an array",
            r#"["latte","uptown",4.5,"2026-11-22T09:00:00Z"]"#.into(),
        ),
        ("two orders", format!("[{},{}]", valid(), valid())),
        ("null", "null".into()),
        ("a number", "3".into()),
        ("a string", "\"latte\"".into()),
        ("deep nesting", nested(LIMIT_BYTES / 2)),
        (
            "a field twice",
            r#"{"drink":"latte","drink":"latte","store":"uptown","price":1,"timestamp":"2026-11-22T09:00:00Z"}"#.into(),
        ),
        (
            "a field twice, once escaped",
            r#"{"price":1,"drink":"latte","store":"uptown","pric\u0065":1000,"timestamp":"2026-11-22T09:00:00Z"}"#
                .into(),
        ),
    ];
    let malformed = malformed
        .into_iter()
        .map(|(name, body)| (name, body, Problem(400, "malformed-json", None)));
    let no_object = no_object
        .into_iter()
        .map(|(name, body)| (name, body.into_bytes(), Problem(422, "invalid", Some("body"))));
    malformed
        .chain(no_object)
        .map(|(name, body, want)| case(&format!("body: {name}"), order(None, &body), want))
        .collect()
}

const WRONG_DRINKS: &str = r#"3 | null | true | [] | {} | "" | "tea" | "Latte" | " latte" | ["latte"]"#;
const WRONG_STORES: &str = r#"3 | null | "moon" | "uptown\u0000" | "UPTOWN""#;
const WRONG_PRICES: &str = r#"null | true | [] | {} | [4.5] | "" | "four" | "NaN" | "inf" | "4,50" | " 4.5" | "4_5" |
    "4.5.0" | "0x10" | "4.5e" | "--1" | -1 | -0.01 | 10000.01 | 4.505 | 0.001 | 1e-3 | 1e-400 | 1e5 | 1e400 | 4505e-3 |
    1e99999999999999999999 | 1e-99999999999999999999 | 99999999999999999999999999999999"#;
const WRONG_TIMESTAMPS: &str = r#"1795338000 | null | "" | "yesterday" | "2026-11-22" | "09:00:00" |
    "2026-13-22T09:00:00Z" | "2026-02-30T09:00:00Z" | "2026-11-22T25:00:00Z" | "2026-11-22T09:00:00+99:00" |
    "2026-11-22T09:00:00[Europe/Paris]" | "2026-11-22T09:00:00Z Z" | "1969-12-31T23:59:59Z" | "9999-12-31T23:59:59Z" |
    "10000-01-01T00:00:00Z" | "-002026-11-22T09:00:00Z""#;

fn wrong_fields() -> Vec<Case> {
    let far = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(330);
    let zeros = "0".repeat(60);
    // What is too long to write down, or depends on the clock.
    let long = [
        ("drink", "[".repeat(20_000) + &"]".repeat(20_000)),
        ("price", format!("4.{zeros}1")),
        ("price", format!("10000.{zeros}1")),
        ("price", "9".repeat(40_000)),
        ("timestamp", format!("\"{far}\"")),
    ];
    let mut cases = vec![case(
        "all fields at once",
        order(None, b"{}"),
        Detail(422, "invalid", "timestamp is missing"),
    )];
    for (field, values) in [
        ("drink", WRONG_DRINKS),
        ("store", WRONG_STORES),
        ("price", WRONG_PRICES),
        ("timestamp", WRONG_TIMESTAMPS),
    ] {
        let wrong = |name: &str, body: &[u8]| {
            let name = format!("{field}: {name:.60}");
            case(&name, order(None, body), Problem(422, "invalid", Some(field)))
        };
        let mut rest = valid();
        rest.as_object_mut().unwrap().remove(field);
        cases.push(wrong("missing", rest.to_string().as_bytes()));
        let long = long
            .iter()
            .filter(|(of, _)| *of == field)
            .map(|(_, value)| value.as_str());
        for value in values.split('|').map(str::trim).chain(long) {
            cases.push(wrong(value, &with(field, value)));
        }
    }
    cases
}

fn too_large() -> Vec<Case> {
    let padded = |bytes: usize| {
        let mut body = good();
        body.resize(bytes, b' ');
        body
    };
    let chunked = |body: &[u8]| {
        let head = "POST /api/v1/order HTTP/1.1\r\nHost: cafe\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut bytes = head.as_bytes().to_vec();
        for chunk in body.chunks(1000) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    };
    let limit = || Detail(413, "too-large", "65536 bytes");
    vec![
        case("64 KiB and one byte", order(None, &padded(LIMIT_BYTES + 1)), limit()),
        case(
            "64 KiB and one byte in chunks",
            chunked(&padded(LIMIT_BYTES + 1)),
            limit(),
        ),
        case("8 MiB", order(None, &padded(8 << 20)), limit()),
        case("8 MiB in chunks", chunked(&padded(8 << 20)), limit()),
        case("9 MiB", order(None, &padded(9 << 20)), limit()),
        case(
            "64 KiB and one byte as a fault",
            request(KILL, &[], &padded(LIMIT_BYTES + 1)),
            limit(),
        ),
    ]
}

fn faults() -> Vec<Case> {
    let field = |name| Problem(422, "invalid", Some(name));
    let fault = |body: &str, want| case(&format!("fault: {body}"), request(KILL, &[], body.as_bytes()), want);
    let foreign = |origin: &str| {
        let header = format!("origin: {origin}");
        let bytes = request(KILL, &[header.as_str()], br#"{"mode":"kill"}"#);
        case(
            &format!("fault: from a page of {origin}"),
            bytes,
            Problem(403, "foreign-origin", None),
        )
    };
    vec![
        foreign("https://shop.example"),
        foreign("null"),
        fault(r#"{"mode":"explode"}"#, field("mode")),
        fault(r#"{"mode":"Kill"}"#, field("mode")),
        fault(r#"{"mode":1}"#, field("mode")),
        fault(r#"{"mode":null}"#, field("mode")),
        fault(r#"{"mod":"panic"}"#, field("mode")),
        fault(r#"{"mode":["kill"]}"#, field("mode")),
        fault(r#"{"mode":"stall","millis":0}"#, field("millis")),
        fault(r#"{"mode":"stall","millis":5001}"#, field("millis")),
        fault(r#"{"mode":"stall","millis":-1}"#, field("millis")),
        fault(r#"{"mode":"stall","millis":1.5}"#, field("millis")),
        fault(r#"{"mode":"stall","millis":"x"}"#, field("millis")),
        fault(r#"{"mode":"stall","millis":99999999999999999999}"#, field("millis")),
        fault("[]", field("body")),
        fault("\"kill\"", field("body")),
        fault("{\"mode\":", Problem(400, "malformed-json", None)),
        fault(&"[".repeat(5_000), Problem(400, "malformed-json", None)),
        case(
            "no such actor",
            request("POST /api/actors/v1/barista/kill", &[], b"{}"),
            Problem(404, "unknown-actor", None),
        ),
        case(
            "an empty name",
            request("POST /api/actors//kill", &[], b"{}"),
            Problem(404, "not-found", None),
        ),
        case(
            "no name",
            request("POST /api/actors/kill", &[], b"{}"),
            Problem(404, "not-found", None),
        ),
        case(
            "no verb",
            request("POST /api/actors/v1/batcher-0", &[], b"{}"),
            Problem(404, "not-found", None),
        ),
        case(
            "an escaped slash",
            request("POST /api/actors/v1%2Fbatcher-0/kill", &[], b"{}"),
            Problem(404, "unknown-actor", None),
        ),
        case(
            "out of the tree",
            request("POST /api/actors/../../etc/passwd/kill", &[], b"{}"),
            Problem(404, "unknown-actor", None),
        ),
    ]
}
