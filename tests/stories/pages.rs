//! What the web page reads and does: sales and their past, events and flows of the tree, simulated customers, its files.

mod customers;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::customers::{send_customers, until_customers_are_gone};
use crate::support::wire::request;
use crate::support::{Database, Node, Requests, Wire, eventually, on_every_way};

/// How long they come.
const SECONDS: f64 = 3.0;
/// The least of them that prove anything.
const ENOUGH: u64 = 200;

on_every_way!(
    sales_add_up_while_actors_die,
    events_tell_of_a_kill_from_the_fault_to_the_first_work,
);

/// An answer that must be there.
async fn get(node: &Node, path: &str) -> Value {
    let answer = node.client.get(path).await;
    answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", node.log()))
}

fn sum<'a>(values: impl IntoIterator<Item = &'a Value>) -> u64 {
    values.into_iter().map(|value| value.as_u64().unwrap_or_default()).sum()
}

/// In cents, which are exact.
fn amount<'a>(values: impl IntoIterator<Item = &'a Value>) -> i64 {
    let cents = |value: &Value| (value.as_f64().unwrap() * 100.0).round() as i64;
    values.into_iter().map(cents).sum()
}

fn field<'a>(rows: &'a Value, name: &'static str) -> impl Iterator<Item = &'a Value> {
    rows.as_array().unwrap().iter().map(move |row| &row[name])
}

async fn sales_add_up_while_actors_die(database: Database) {
    let node = Node::start(&database).await;
    // The second in which counting began is not known as a whole.
    eventually("a whole second was counted", async || {
        let history: Value = node
            .client
            .get("/api/history")
            .await
            .map_err(|error| error.to_string())?;
        match history["seconds"]["orders"].as_array().unwrap().last() {
            Some(orders) if *orders == 0 => Ok(()),
            last => Err(format!("{last:?}")),
        }
    })
    .await;
    node.until_it_carries(&database).await;
    assert_eq!(get(&node, "/api/sales").await["accepted_at"], Value::Null);
    let began = jiff::Timestamp::now();
    assert_eq!(send_customers(&node, SECONDS).await.status, 202);
    for path in ["shared/aggregator", "shared/fan-out", "shared"]
        .iter()
        .chain(database.carriers())
    {
        node.inject(path, "kill", 1).await;
    }
    let fared = until_customers_are_gone(&node).await;
    let acknowledged = fared["acknowledged"].as_u64().unwrap();
    assert!(acknowledged >= ENOUGH, "{fared}");
    assert_eq!(fared["broken_promises"], 0);
    node.until_stored().await;
    let stored = database.assert_audit_clean();
    assert!(stored >= acknowledged, "{stored} of {acknowledged}");

    eventually("the sales add up", async || {
        let (sales, history) = (get(&node, "/api/sales").await, get(&node, "/api/history").await);
        adds_up(&sales, &history, stored).map_err(|wrong| format!("{wrong}: {sales} {history}"))
    })
    .await;
    let accepted_at = get(&node, "/api/sales").await["accepted_at"].clone();
    let accepted_at: jiff::Timestamp = accepted_at.as_str().unwrap().parse().unwrap();
    // Redis and Kafka tell of milliseconds.
    assert!(accepted_at.as_millisecond() >= began.as_millisecond() && accepted_at <= jiff::Timestamp::now());
    let flow = get(&node, "/api/actors").await["flows"][node.version.name()].clone();
    assert!(flow["accepted_total"].as_u64().unwrap() >= acknowledged, "{flow}");
    assert_eq!(flow["in_flight"], 0, "{flow}");
    assert!(
        flow["batches"]["orders"].as_u64() >= flow["stored_total"].as_u64(),
        "{flow}"
    );
    assert_eq!(
        flow["log"].is_null(),
        flow["appends"].is_null() && flow["read_total"].is_null(),
        "{flow}"
    );
    node.stop().await;
}

/// Whether all figures of a fresh database tell of the same orders. All were placed now, within the hour or two that are shown.
fn adds_up(sales: &Value, history: &Value, stored: u64) -> Result<(), String> {
    let counted = BTreeMap::from([
        ("hours", sum(field(&sales["hours"], "order_count"))),
        ("minutes", sum(history["minutes"]["orders"].as_array().unwrap())),
        (
            "seconds",
            sum(history["seconds"]["orders"].as_array().unwrap()) + present_second(sales, history),
        ),
        ("total", sales["stored_total"].as_u64().unwrap()),
    ]);
    if counted.values().any(|orders| *orders != stored) {
        return Err(format!("{counted:?} of {stored}"));
    }
    let (hours, minutes) = (&sales["hours"], &history["minutes"]["revenue"]);
    if amount(field(hours, "revenue")) != amount(minutes.as_array().unwrap()) {
        return Err("the revenue of hours and minutes differs".to_owned());
    }
    let (cells, hour) = (&sales["cells"], &sales["current_hour"]);
    let of_cells = (sum(field(cells, "order_count")), amount(field(cells, "revenue")));
    let of_hour = if hour.is_null() {
        (0, 0)
    } else {
        (sum([&hour["order_count"]]), amount([&hour["revenue"]]))
    };
    if of_cells == of_hour {
        Ok(())
    } else {
        Err(format!("{of_cells:?} in cells, {of_hour:?} in the hour"))
    }
}

/// Orders in seconds that the history, read a moment later, does not count as past.
fn present_second(sales: &Value, history: &Value) -> u64 {
    let past = &history["seconds"];
    let next = past["from"].as_i64().unwrap() + past["orders"].as_array().unwrap().len() as i64;
    let later = |second: &&Value| second["at"].as_i64().unwrap() >= next;
    let seconds = sales["seconds"].as_array().unwrap();
    sum(seconds.iter().filter(later).map(|second| &second["orders"]))
}

async fn events_tell_of_a_kill_from_the_fault_to_the_first_work(database: Database) {
    let node = Node::start(&database).await;
    let requests = Requests::to(&node);
    requests.place().await;
    node.until_stored().await;
    let before = get(&node, "/api/events").await["newest_seq"].as_u64().unwrap();
    let victim = *database.carriers().last().unwrap();
    node.inject(victim, "kill", 1).await;
    let story = eventually("the one that was killed works again", async || {
        // Each partition gets some: the key is the store.
        for store in ["uptown", "downtown", "central", "southend"] {
            let order = json!({"drink": "latte", "store": store, "price": 4.5, "timestamp": "2026-11-22T09:00:00Z"});
            let answer = requests.post(uuid::Uuid::now_v7(), &order.to_string()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let events = get(&node, &format!("/api/events?after={before}")).await["events"].clone();
        let of_victim = events
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["path"] == victim);
        let story: Vec<Value> = of_victim.cloned().collect();
        match story.last() {
            Some(last) if last["kind"] == "first_work" => Ok(story),
            _ => Err(format!("{story:?}")),
        }
    })
    .await;
    let told: Vec<_> = story
        .iter()
        .map(|event| (event["kind"].as_str().unwrap(), &event["generation"]))
        .collect();
    let first = json!(1);
    let second = json!(2);
    assert_eq!(
        told,
        [
            ("fault", &first),
            ("failed", &first),
            ("started", &second),
            ("first_work", &second)
        ]
    );
    assert_eq!(story[0]["detail"], "kill");
    let times = json!(story);
    let times = field(&times, "at").map(|at| at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    let times: Vec<_> = times.collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_events_can_be_paged(&node).await;
    let picture = get(&node, "/api/actors").await;
    let last = picture["events"].as_array().unwrap().last().unwrap()["seq"]
        .as_u64()
        .unwrap();
    assert!(last >= story.last().unwrap()["seq"].as_u64().unwrap());
    node.stop().await;
}

/// Page by page they are all there, once.
async fn assert_events_can_be_paged(node: &Node) {
    let mut seqs: Vec<u64> = Vec::new();
    loop {
        let after = seqs.last().copied().unwrap_or_default();
        let page = get(node, &format!("/api/events?after={after}&limit=7")).await;
        let found: Vec<_> = field(&page["events"], "seq").map(|seq| seq.as_u64().unwrap()).collect();
        assert!(found.len() <= 7);
        if found.is_empty() {
            break;
        }
        seqs.extend(found);
    }
    assert!(seqs.len() > 14, "{seqs:?}");
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let bytes = request("GET /api/events?after=latte", &[], b"");
    let refused = Wire::connect(node).await.exchange(&bytes).await.unwrap();
    assert_eq!(
        (refused.status, refused.json()["type"].as_str()),
        (400, Some("urn:coffee-rt:problem:invalid-query"))
    );
}

#[tokio::test]
async fn the_page_comes_out_of_the_binary_and_asks_nobody_else() {
    let database = Database::sqlite();
    let node = Node::start(&database).await;
    let ask = async |what: &str, headers: &[&str]| {
        let bytes = request(what, headers, b"");
        Wire::connect(&node).await.exchange(&bytes).await.unwrap()
    };
    let page = ask("GET /", &[]).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(page.body.contains("<title>Coffee-RT"), "{page:?}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        !page.body.contains("http://") && !page.body.contains("https://"),
        "{page:?}"
    );
    for view in ["/sales", "/node", "/till", "/docs"] {
        assert_eq!(ask(&format!("GET {view}"), &[]).await.body, page.body, "{view}");
    }
    // A node that was built without npm has another page; where tests run it is there.
    let script = page.body.split("src=\"").nth(1).and_then(|rest| rest.split('"').next());
    let script = script.unwrap_or_else(|| panic!("no script: was the page built? {page:?}"));
    let script = ask(&format!("GET {script}"), &[]).await;
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, Some("text/javascript; charset=utf-8"))
    );
    assert!(script.header("cache-control").unwrap().contains("immutable"));
    let tag = format!("If-None-Match: {}", page.header("etag").unwrap());
    let again = ask("GET /", &[&tag]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    for nothing in ["GET /assets/nothing.js", "GET /assets/", "GET /index", "GET /sales/x"] {
        assert_eq!(
            ask(nothing, &[]).await.json()["type"],
            "urn:coffee-rt:problem:not-found",
            "{nothing}"
        );
    }
    assert_eq!(ask("POST /", &[]).await.header("allow"), Some("GET, HEAD"));
    node.stop().await;
}
