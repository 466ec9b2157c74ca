//! Requests of every kind, and what was not answered as documented.

use coffee_rt::config::Version;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use super::{Asked, json_request};
use crate::bad_input;
use crate::support::wire::request;
use crate::support::{Reply, Wire, eventually};

/// Pairs of faults, so that one may meet an actor that is dead already; few, so that no supervisor gives up.
const TRIES_TO_MEET_A_DEAD_ACTOR: usize = 5;

/// What did not come as it should.
struct Wrong(Vec<String>);

impl Wrong {
    /// Expects this status of an answer that is as documented.
    fn expect(&mut self, name: &str, status: u16, answer: Result<Reply, String>) {
        match answer {
            Ok(reply) if reply.status == status => {}
            Ok(reply) => self.0.push(format!("{name}: {status} expected: {reply:?}")),
            Err(wrong) => self.0.push(wrong),
        }
    }
}

/// The documents' own examples, repeated, and with another order under the same key.
pub async fn good_orders(asked: &Asked<'_>, version: Version) -> Vec<String> {
    let mut wrong = Wrong(Vec::new());
    let pointer = "/components/requestBodies/Order/content/application~1json/examples";
    let examples = asked.spec.openapi.pointer(pointer).unwrap().as_object().unwrap();
    let head = format!("POST {}", version.order_path());
    for (name, example) in examples {
        let key = format!("Idempotency-Key: {}", Uuid::now_v7());
        let mut order = example["value"].clone();
        for round in ["first", "again"] {
            let bytes = json_request(&head, &[&key], &order);
            let answer = asked.send(name, &bytes).await;
            wrong.expect(&format!("{name}, {round}"), 200, answer);
        }
        order["price"] = json!(1);
        let status = if version == Version::V1 { 422 } else { 200 };
        let bytes = json_request(&head, &[&key], &order);
        wrong.expect(&format!("{name}, key reused"), status, asked.send(name, &bytes).await);
    }
    let bytes = json_request(&head, &[], &examples["a number"]["value"]);
    wrong.expect("no key", 200, asked.send("no key", &bytes).await);
    wrong.0
}

/// The table of bad input, to this version.
pub async fn bad_requests(asked: &Asked<'_>, version: Version) -> Vec<String> {
    let mut wrong = Vec::new();
    let table = bad_input::all();
    assert!(table.len() > 150, "{}", table.len());
    for (name, bytes) in table {
        let bytes = to_version(&bytes, version);
        match asked.send(&name, &bytes).await {
            // What is no HTTP may be closed without a word.
            Err(reason) if reason.contains("closed after") && name == "HTTP/2" => {}
            Err(reason) => wrong.push(reason),
            Ok(_) => {}
        }
    }
    wrong
}

fn to_version(bytes: &[u8], version: Version) -> Vec<u8> {
    let from = format!("POST {} ", Version::V1.order_path());
    match bytes.strip_prefix(from.as_bytes()) {
        Some(rest) => [format!("POST {} ", version.order_path()).as_bytes(), rest].concat(),
        None => bytes.to_vec(),
    }
}

/// What can be read, with and without its body.
pub async fn reads(asked: &Asked<'_>) -> Vec<String> {
    let mut wrong = Wrong(Vec::new());
    for (method, path) in asked.spec.operations() {
        if method != "GET" || path.contains('{') {
            continue;
        }
        let status = if path.starts_with("/ws/") { 426 } else { 200 };
        let head = format!("GET {path}");
        wrong.expect(&head, status, asked.send(&head, &request(&head, &[], b"")).await);
        let without = status_of_head(asked, &path).await;
        let expected = if status == 426 { "405" } else { "200" };
        if without != expected {
            wrong.0.push(format!("HEAD {path}: {without}"));
        }
    }
    wrong.0
}

/// The status of an answer to HEAD, which must have no body.
async fn status_of_head(asked: &Asked<'_>, path: &str) -> String {
    let mut wire = Wire::connect(asked.node).await;
    wire.send(&request(&format!("HEAD {path}"), &["Connection: close"], b""))
        .await;
    let mut answer = String::new();
    wire.stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\n"), "{path} has a body: {answer}");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A method that no path takes, and those that another path takes.
pub async fn wrong_methods(asked: &Asked<'_>) -> Vec<String> {
    let mut wrong = Wrong(Vec::new());
    let operations = asked.spec.operations();
    for (_, path) in &operations {
        for method in ["GET", "POST", "DELETE", "PATCH"] {
            let is_taken = operations.contains(&(method.to_owned(), path.clone()));
            if is_taken || path.starts_with("/assets/") {
                continue;
            }
            let head = format!("{method} {}", path.replace("{path}", "v1/ingest"));
            wrong.expect(&head, 405, asked.send(&head, &request(&head, &[], b"")).await);
        }
    }
    wrong.0
}

pub async fn events(asked: &Asked<'_>) -> Vec<String> {
    let mut wrong = Wrong(Vec::new());
    for (query, status) in [
        ("", 200),
        ("?after=0&limit=2", 200),
        ("?after=18446744073709551615", 200),
        ("?limit=0", 200),
        ("?limit=100000", 200),
        ("?other=1", 200),
        ("?after=x", 400),
        ("?limit=-1", 400),
        ("?after=18446744073709551616", 400),
        ("?after=1&after=2", 400),
    ] {
        let head = format!("GET /api/events{query}");
        wrong.expect(&head, status, asked.send(&head, &request(&head, &[], b"")).await);
    }
    wrong.0
}

pub async fn faults(asked: &Asked<'_>) -> Vec<String> {
    let mut wrong = Wrong(Vec::new());
    let tree: Value = asked.node.client.get("/api/actors").await.unwrap();
    let paths = tree["actors"].as_array().unwrap().iter();
    let paths: Vec<_> = paths.map(|actor| actor["path"].as_str().unwrap()).collect();
    let modes = [
        json!({"mode": "stall", "millis": 1}),
        json!({"mode": "panic"}),
        json!({}),
    ];
    for (path, body) in paths.iter().zip(modes.iter().cycle()) {
        let bytes = json_request(&format!("POST /api/actors/{path}/kill"), &[], body);
        if let Err(reason) = asked.send(path, &bytes).await {
            wrong.0.push(reason);
        }
    }
    let kill = request("POST /api/actors/v1/kill", &[], b"");
    for _ in 0..TRIES_TO_MEET_A_DEAD_ACTOR {
        let (one, other) = tokio::join!(asked.send("kill", &kill), asked.send("kill", &kill));
        let is_met = [&one, &other]
            .iter()
            .any(|answer| answer.as_ref().is_ok_and(|reply| reply.status == 409));
        wrong.0.extend([one, other].into_iter().filter_map(Result::err));
        if is_met || !wrong.0.is_empty() {
            break;
        }
    }
    asked.node.until_ready().await;
    wrong.0
}

pub async fn customers(asked: &Asked<'_>) -> Vec<String> {
    const PATH: &str = "/api/customers";
    let mut wrong = Wrong(Vec::new());
    for (body, status) in [
        ("", 400),
        ("[]", 400),
        ("{", 400),
        ("{}", 422),
        (r#"{"version":"v9","rate_per_second":1,"duration_seconds":1}"#, 422),
        (r#"{"version":"v1","rate_per_second":"1","duration_seconds":1}"#, 422),
        (r#"{"version":"v1","rate_per_second":1,"duration_seconds":1e9}"#, 422),
        (
            r#"{"version":"v1","rate_per_second":5000,"duration_seconds":3600}"#,
            422,
        ),
    ] {
        let bytes = request(&format!("POST {PATH}"), &[], body.as_bytes());
        wrong.expect(body, status, asked.send(body, &bytes).await);
    }
    let large = request(&format!("POST {PATH}"), &[], &vec![b' '; 65_537]);
    wrong.expect("too large", 413, asked.send("too large", &large).await);
    let pointer = "/paths/~1api~1customers/post/requestBody/content/application~1json/examples/half a minute/value";
    let start = json_request(
        &format!("POST {PATH}"),
        &[],
        asked.spec.openapi.pointer(pointer).unwrap(),
    );
    wrong.expect("they come", 202, asked.send("they come", &start).await);
    wrong.expect("others are here", 409, asked.send("others are here", &start).await);
    let read = request(&format!("GET {PATH}"), &[], b"");
    eventually("they order", async || match asked.send("they order", &read).await {
        Ok(reply) if reply.json()["running"]["acknowledged"].as_u64() > Some(0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    wrong.expect("they are here", 200, asked.send("they are here", &read).await);
    let end = request(&format!("DELETE {PATH}"), &[], b"");
    wrong.expect("they go", 200, asked.send("they go", &end).await);
    let gone = eventually("they have gone", async || match asked.send("gone", &read).await {
        Ok(reply) if reply.json()["running"].is_null() => Ok(reply.json()),
        other => Err(format!("{other:?}")),
    });
    let gone = gone.await;
    assert!(gone["last"]["acknowledged"].as_u64() > Some(0), "{gone}");
    assert_eq!(gone["last"]["broken_promises"], 0, "{gone}");
    wrong.0
}

/// The page, known and unknown, and its files where it has some.
pub async fn page(asked: &Asked<'_>) -> Vec<String> {
    let mut wrong = Wrong(Vec::new());
    for path in ["/", "/sales", "/node", "/till", "/docs"] {
        let head = format!("GET {path}");
        let reply = asked.send(path, &request(&head, &[], b"")).await;
        let tag = reply
            .as_ref()
            .ok()
            .and_then(|reply| reply.header("etag").map(str::to_owned));
        let known = format!("If-None-Match: {}", tag.unwrap_or_default());
        wrong.expect(path, 200, reply);
        wrong.expect(path, 304, asked.send(path, &request(&head, &[&known], b"")).await);
    }
    let page = Wire::connect(asked.node)
        .await
        .exchange(&request("GET /", &[], b""))
        .await
        .unwrap();
    let files = page.body.split('"').filter(|text| text.starts_with("/assets/"));
    for file in files {
        let head = format!("GET {file}");
        wrong.expect(file, 200, asked.send(file, &request(&head, &[], b"")).await);
    }
    let nothing = asked
        .send("no file", &request("GET /assets/nothing.js", &[], b""))
        .await;
    wrong.expect("no file", 404, nothing);
    wrong.0
}
