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

fn wrong_fields() -> Vec<Case> {
    let far = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(330);
    let far = format!("\"{far}\"");
    let many_decimals = format!("4.{}1", "0".repeat(60));
    let (just_over, long) = (format!("10000.{}1", "0".repeat(40)), "9".repeat(40_000));
    let deep = "[".repeat(20_000) + &"]".repeat(20_000);
    let table: [(&'static str, &[&str]); 4] = [
        (
            "drink",
            &[
                "3",
                "null",
                "true",
                "[]",
                "{}",
                "\"\"",
                "\"tea\"",
                "\"Latte\"",
                "\" latte\"",
                "[\"latte\"]",
                &deep,
            ],
        ),
        ("store", &["3", "null", "\"moon\"", "\"uptown\\u0000\"", "\"UPTOWN\""]),
        (
            "price",
            &[
                "null",
                "true",
                "[]",
                "{}",
                "[4.5]",
                "\"\"",
                "\"four\"",
                "\"NaN\"",
                "\"inf\"",
                "\"4,50\"",
                "\" 4.5\"",
                "\"4_5\"",
                "\"4.5.0\"",
                "\"0x10\"",
                "\"4.5e\"",
                "\"--1\"",
                "-1",
                "-0.01",
                "10000.01",
                "4.505",
                "0.001",
                "1e-3",
                "1e-400",
                "1e5",
                "1e400",
                "1e99999999999999999999",
                "1e-99999999999999999999",
                "4505e-3",
                &many_decimals,
                &just_over,
                &long,
                "99999999999999999999999999999999",
            ],
        ),
        (
            "timestamp",
            &[
                "1795338000",
                "null",
                "\"\"",
                "\"yesterday\"",
                "\"2026-11-22\"",
                "\"09:00:00\"",
                "\"2026-13-22T09:00:00Z\"",
                "\"2026-02-30T09:00:00Z\"",
                "\"2026-11-22T25:00:00Z\"",
                "\"2026-11-22T09:00:00+99:00\"",
                "\"2026-11-22T09:00:00[Europe/Paris]\"",
                "\"2026-11-22T09:00:00Z Z\"",
                "\"1969-12-31T23:59:59Z\"",
                "\"9999-12-31T23:59:59Z\"",
                "\"10000-01-01T00:00:00Z\"",
                "\"-002026-11-22T09:00:00Z\"",
                &far,
            ],
        ),
    ];
    let mut cases = Vec::new();
    for (field, values) in table {
        let missing = valid()
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != field)
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect::<serde_json::Map<_, _>>();
        let missing = serde_json::to_vec(&missing).unwrap();
        cases.push(case(
            &format!("no {field}"),
            order(None, &missing),
            Problem(422, "invalid", Some(field)),
        ));
        for value in values {
            let name = format!("{field}: {:.60}", value);
            cases.push(case(
                &name,
                order(None, &with(field, value)),
                Problem(422, "invalid", Some(field)),
            ));
        }
    }
    cases.push(case(
        "all fields at once",
        order(None, b"{}"),
        Detail(422, "invalid", "timestamp is missing"),
    ));
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
    vec![
        fault(r#"{"mode":"explode"}"#, field("mode")),
        fault(r#"{"mode":"Kill"}"#, field("mode")),
        fault(r#"{"mode":1}"#, field("mode")),
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
