//! The steady state: what must hold of a node before the loads come, and again when they are gone.

use std::time::{Duration, Instant};

use super::expression::Expression;
use super::outcome::Check;
use super::readiness::Readiness;
use crate::client::NodeClient;

/// How long a node may take to be steady.
const STEADY_LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked.
const STEADY_POLL: Duration = Duration::from_millis(250);

/// Waits until everything holds, or for too long; one check for each.
pub(super) async fn checks(expressions: &[Expression], client: &NodeClient, when: &str) -> Vec<Check> {
    let deadline = Instant::now() + STEADY_LIMIT;
    loop {
        let now = Figures::read(client).await;
        let checks: Vec<_> = expressions
            .iter()
            .map(|expression| now.check(expression, when))
            .collect();
        if checks.iter().all(|check| check.holds) || Instant::now() > deadline {
            return checks;
        }
        tokio::time::sleep(STEADY_POLL).await;
    }
}

/// What waits behind a node that does not store it in time; none where nothing does.
pub(super) async fn backlog_after(client: &NodeClient, patience: Duration) -> Option<String> {
    let deadline = Instant::now() + patience;
    loop {
        let ready = Readiness::of(client).await.ok();
        match ready.and_then(|ready| ready.of_logs("backlog")) {
            Some(0.0) => return None,
            _ if Instant::now() < deadline => tokio::time::sleep(STEADY_POLL).await,
            Some(waiting) => return Some(format!("{waiting} orders waited after {patience:?}")),
            None => return Some("the node was not ready afterwards".to_owned()),
        }
    }
}

/// What a node says of itself.
#[derive(Default)]
struct Figures {
    /// None where it is not ready.
    ready: Option<Readiness>,
    metrics: String,
}

impl Figures {
    async fn read(client: &NodeClient) -> Self {
        Self {
            ready: Readiness::of(client).await.ok(),
            metrics: client.get_text("/metrics").await.unwrap_or_default(),
        }
    }

    fn check(&self, expression: &Expression, when: &str) -> Check {
        let value = self.value(&expression.subject);
        Check {
            name: format!("{expression} {when}"),
            holds: value.is_some_and(|value| expression.holds(value)),
            found: vec![value.map_or("not known".to_owned(), |value| format!("{value}"))],
        }
    }

    fn value(&self, subject: &str) -> Option<f64> {
        match subject {
            "ready" => Some(if self.ready.is_some() { 1.0 } else { 0.0 }),
            "lag" | "backlog" => self.ready.as_ref()?.of_logs(subject),
            "in_flight" => self.ready.as_ref()?.in_flight(),
            metric => self.metric(metric),
        }
    }

    /// The sum over all labels.
    fn metric(&self, name: &str) -> Option<f64> {
        let samples = self.metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            if !rest.starts_with([' ', '{']) {
                return None;
            }
            rest.rsplit_once(' ')?.1.parse::<f64>().ok()
        });
        samples.reduce(|sum, sample| sum + sample)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_summed_over_versions_and_labels() {
        let figures = Figures {
            ready: Some(Readiness(json!({"components": {
                "store": {"state": "up"},
                "v2": {"in_flight": 1, "log": {"lag": 3, "backlog": 5}},
                "v3": {"in_flight": 2, "log": {"lag": 4, "backlog": 6}},
            }}))),
            metrics: "# HELP x y\nx_total{a=\"1 2\"} 3\nx_total{a=\"2\"} 4\nx_total_more 9\n".to_owned(),
        };
        for (subject, value) in [
            ("ready", Some(1.0)),
            ("lag", Some(7.0)),
            ("in_flight", Some(3.0)),
            ("x_total", Some(7.0)),
            ("y_total", None),
        ] {
            assert_eq!(figures.value(subject), value, "{subject}");
        }
        let unknown = Figures {
            ready: Some(Readiness(
                json!({"components": {"v2": {"in_flight": 0, "log": {"lag": null}}}}),
            )),
            metrics: String::new(),
        };
        assert_eq!(unknown.value("lag"), None);
        assert_eq!(unknown.value("in_flight"), Some(0.0));
        assert_eq!(Figures::default().value("ready"), Some(0.0));
        assert_eq!(Figures::default().value("lag"), None);
        let check = figures.check(&Expression::parse("y_total < 3").unwrap(), "after");
        assert_eq!((check.holds, &*check.name), (false, "y_total < 3 after"));
    }
}
