//! The node's own documents, `/api/openapi.json` and `/api/asyncapi.json`, are true: real answers and frames of every kind
//! are held against them, and what is not documented fails.

mod asked;
mod frames;
mod refusals;
mod sound;
mod spec;

use coffee_rt::config::Version;
use serde_json::Value;

use crate::support::wire::request;
use crate::support::{Database, Kafka, Node, Reply, Requests, Wire};
use spec::Spec;

/// What the story of all answers does not bring about; `refusals` does, but for those of the store that refuses an order.
const NOT_BROUGHT_ABOUT: [&str; 6] = ["101", "401", "408", "409", "500", "503"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_as_documented_on_sqlite() {
    every_answer_is_as_documented(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_as_documented_with_all_versions() {
    let database = Database::redis().await.through_topic(Kafka::shared());
    every_answer_is_as_documented(database).await;
}

async fn every_answer_is_as_documented(database: Database) {
    let node = Node::start(&database).await;
    let spec = Spec::of(&node).await;
    let asked = Asked {
        node: &node,
        spec: &spec,
    };
    let mut wrong = Vec::new();
    for version in running(&node).await {
        wrong.extend(asked::good_orders(&asked, version).await);
        wrong.extend(asked::bad_requests(&asked, version).await);
    }
    wrong.extend(asked::reads(&asked).await);
    wrong.extend(asked::wrong_methods(&asked).await);
    wrong.extend(asked::events(&asked).await);
    wrong.extend(asked::faults(&asked).await);
    wrong.extend(asked::customers(&asked).await);
    wrong.extend(asked::page(&asked).await);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_all_labelled(&node, &spec).await;
    assert_all_seen(&node, &spec).await;
    node.stop().await;
}

/// Requests to a node, and what its documents say of them.
struct Asked<'a> {
    node: &'a Node,
    spec: &'a Spec,
}

impl Asked<'_> {
    /// Sends a request, however odd, and holds its answer against the documents.
    async fn send(&self, name: &str, bytes: &[u8]) -> Result<Reply, String> {
        let reply = Wire::connect(self.node).await.exchange(bytes).await;
        let reply = reply.map_err(|reason| format!("{name}: {reason}"))?;
        let judged = self.judge(bytes, &reply);
        judged.map(|()| reply).map_err(|wrong| format!("{name}: {wrong}"))
    }

    fn judge(&self, bytes: &[u8], reply: &Reply) -> Result<(), String> {
        // hyper's parser answers these itself, without a body.
        if matches!(reply.status, 400 | 431) && reply.body.is_empty() {
            return Ok(());
        }
        let line = String::from_utf8_lossy(bytes.split(|byte| *byte == b'\r').next().unwrap_or_default());
        let (method, rest) = line.split_once(' ').unwrap_or_default();
        let path = rest.split(' ').next().unwrap_or_default();
        let Some(template) = self.spec.template_of(path) else {
            return self.spec.judge_as("NotFound", reply);
        };
        let operation = (method.to_owned(), template.to_owned());
        match self.spec.operations().contains(&operation) {
            true => self.spec.judge(method, template, reply),
            false => self.spec.judge_as("WrongMethod", reply),
        }
    }
}

/// The versions that the node says it runs.
async fn running(node: &Node) -> Vec<Version> {
    let described: Value = node.client.get("/api/node").await.unwrap();
    let names = described["versions"].as_array().unwrap().iter();
    names
        .map(|version| version["name"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// Every documented path has a label of its own in the metrics: the list that routes are made from knows it.
async fn assert_all_labelled(node: &Node, spec: &Spec) {
    let metrics = Requests::to(node).get("/metrics").await.body;
    for (method, path) in spec.operations() {
        // The page has one label for all that is part of it.
        let is_of_page = spec.openapi["paths"][&path]["get"]["tags"][0] == "page";
        let endpoint = if is_of_page { "/" } else { &path };
        let label = format!("http_requests_total{{endpoint=\"{endpoint}\",method=\"{method}\"");
        assert!(metrics.contains(&label), "{label} is not in {metrics}");
    }
}

/// Every documented answer came, but for those that need a node in trouble, a version that does not run, or the page.
async fn assert_all_seen(node: &Node, spec: &Spec) {
    let running = running(node).await;
    let is_excused = |operation: &str, status: &str| {
        let version = [Version::V1, Version::V2, Version::V3]
            .into_iter()
            .find(|version| operation.ends_with(version.order_path()));
        let runs = version.is_none_or(|version| running.contains(&version));
        NOT_BROUGHT_ABOUT.contains(&status)
            || (!runs && status != "404")
            || (runs && version.is_some() && status == "404")
            || operation == "GET /assets/{file}"
            || (operation.ends_with("/api/customers") && status == "403")
    };
    let unseen = spec.unseen();
    println!("not seen: {unseen:?}");
    let missed: Vec<_> = unseen
        .iter()
        .filter(|(operation, status)| !is_excused(operation, status))
        .collect();
    assert!(missed.is_empty(), "documented, but never answered: {missed:?}");
}

/// A request with a JSON body.
fn json_request(head: &str, headers: &[&str], body: &Value) -> Vec<u8> {
    let headers = [headers, &["Content-Type: application/json"]].concat();
    request(head, &headers, body.to_string().as_bytes())
}
