//! A real Prometheus scrapes real nodes under load: all that dashboards and alerts ask for is there, and alerts fire.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use coffee_rt::config::Version;
use coffee_rt::load::Driver;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::support::promql::metric_names;
use crate::support::{Database, Kafka, Node, OwnService, Requests, customers, eventually, patient, seed, within};

/// Orders of each version.
const ORDERS_PER_SECOND: f64 = 50.0;
/// From a cause to its alert, where that waits a minute.
const ALERT_LIMIT: Duration = Duration::from_secs(120);

/// Every expression of the dashboards: title of the panel, expression.
fn dashboards() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in files("deploy/grafana/dashboards", "json") {
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = format!("{}: {}", dashboard["title"], panel["title"]);
            let targets = panel["targets"].as_array().into_iter().flatten();
            found.extend(targets.filter_map(|target| Some((title.clone(), target["expr"].as_str()?.to_owned()))));
            if panel["type"] == "row" {
                continue;
            }
            let told = |key: &str| panel[key].as_str().is_some_and(|text| !text.trim().is_empty());
            assert!(told("description"), "{title} has no description");
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            let needs_none = ["alertlist", "text", "logs"].contains(&panel["type"].as_str().unwrap());
            assert!(needs_none || unit.is_string(), "{title} has no unit");
        }
    }
    found
}

fn files(folder: &str, extension: &str) -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// A Prometheus of the story's own.
struct Prometheus {
    _service: OwnService,
    requests: Requests,
}

impl Prometheus {
    async fn watching(nodes: &[&Node]) -> Self {
        let service = OwnService::up("prometheus").await;
        let targets: Vec<_> = nodes.iter().map(|node| node.address()).collect();
        let file = service.variable("PROMETHEUS_TARGETS").await;
        std::fs::write(file, serde_json::json!([{ "targets": targets }]).to_string()).unwrap();
        let requests = Requests::at(service.url.parse().unwrap());
        Self {
            _service: service,
            requests,
        }
    }

    async fn ask(&self, path: &str) -> Value {
        let answer = self.requests.get(path).await.body;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{path}: {answer}"));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// How many series an expression has now.
    async fn series(&self, expression: &str) -> usize {
        let query: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let data = self.ask(&format!("/api/v1/query?query={query}")).await;
        data["result"].as_array().unwrap().len()
    }

    async fn rules(&self) -> Vec<Value> {
        let data = self.ask("/api/v1/rules").await;
        let groups = data["groups"].as_array().unwrap().iter();
        groups
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect()
    }

    async fn until_firing(&self, alert: &str) {
        within(ALERT_LIMIT, alert, async || {
            let data = self.ask("/api/v1/alerts").await;
            let alerts = data["alerts"].as_array().unwrap();
            let fires = |found: &&Value| found["labels"]["alertname"] == alert && found["state"] == "firing";
            alerts.iter().find(fires).map(drop).ok_or_else(|| format!("{alerts:?}"))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dashboards_and_alerts_ask_for_is_there() {
    let database = Database::redis().await.through_topic(Kafka::shared());
    let node = Node::start_with(&database, &[("COFFEE_RT_AUDIT__EVERY_SECONDS", "1")]).await;
    let stop = CancellationToken::new();
    let loads = [Version::V1, Version::V2, Version::V3].map(|version| {
        let mut options = patient(customers(&node, seed(), ORDERS_PER_SECOND));
        options.version = version;
        Driver::new(options).unwrap().start(&stop)
    });
    let prometheus = Prometheus::watching(&[&node]).await;
    eventually("the node is scraped", async || {
        match prometheus.series("rate(orders_created_total[10s]) > 0").await {
            0 => Err("nothing yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;

    let scrape = Requests::to(&node).get("/metrics").await.body;
    let exported: BTreeSet<&str> = scrape
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    // Some are evaluated twice a minute.
    let rules = within(ALERT_LIMIT, "every rule was evaluated", async || {
        let rules = prometheus.rules().await;
        match rules.iter().find(|rule| rule["health"] != "ok") {
            None => Ok(rules),
            Some(rule) => Err(rule.to_string()),
        }
    })
    .await;
    assert!(rules.len() >= 8, "{rules:?}");
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
    let recorded: BTreeSet<_> = rules
        .iter()
        .filter(|rule| rule["type"] == "recording")
        .map(|rule| text(rule, "name"))
        .collect();
    let mut asked = dashboards();
    assert!(asked.len() >= 20, "{asked:?}");
    let scaler =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm/coffee-rt/templates/hpa.yaml"))
            .unwrap();
    assert!(scaler.contains("coffee_rt_log_lag_orders"), "{scaler}");
    asked.push(("the chart's scaler".to_owned(), "coffee_rt_log_lag_orders".to_owned()));
    asked.extend(rules.iter().map(|rule| (text(rule, "name"), text(rule, "query"))));
    for (place, expression) in &asked {
        let names = metric_names(expression);
        assert!(!names.is_empty(), "{place}: {expression}");
        for name in names {
            let known = exported.contains(&*name) || recorded.contains(&name) || name == "up";
            assert!(known, "{place} asks for {name}, which no node exports: {expression}");
        }
    }
    // Variables of dashboards stand for anything.
    for (place, expression) in asked {
        let expression = expression
            .replace("$__rate_interval", "10s")
            .replace("$__range", "1h")
            .replace("$__interval", "10s")
            .replace("$instance", ".*");
        assert!(
            !expression.replace("\"$1\"", "").contains('$'),
            "{place} has a variable that is not known: {expression}"
        );
        prometheus.series(&expression).await;
    }
    stop.cancel();
    for load in loads {
        load.finish().await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_fire_for_what_happens_to_a_real_node() {
    let database = Database::redis().await;
    let node = Node::start_with(&database, &[("COFFEE_RT_AUDIT__EVERY_SECONDS", "1")]).await;
    let prometheus = Prometheus::watching(&[&node]).await;
    Requests::to(&node).place().await;
    node.until_stored().await;
    eventually("the node is scraped", async || {
        match prometheus.series("coffee_rt_audits_total > 0").await {
            0 => Err("nothing yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    // Behind the node's back.
    let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
    conn.execute("UPDATE coffee_rt.rollups SET orders = orders + 1")
        .await
        .unwrap();
    prometheus.until_firing("AuditDifference").await;
    node.stop().await;
    prometheus.until_firing("NodeDown").await;
}
