//! What a node says of itself at `/readyz`.

use serde_json::Value;

use crate::client::{ClientError, NodeClient};
use crate::config::Version;

/// The answer of a node that is ready.
#[derive(Default)]
pub(super) struct Readiness(pub(super) Value);

impl Readiness {
    /// Asks.
    ///
    /// # Errors
    /// Also where it is not ready.
    pub(super) async fn of(client: &NodeClient) -> Result<Self, ClientError> {
        client.get("/readyz").await.map(Self)
    }

    /// Whether its store answers. Orders may be accepted without, where they wait in a log.
    pub(super) fn has_store(&self) -> bool {
        self.store()["state"] == "up"
    }

    /// How its store is.
    pub(super) fn store(&self) -> &Value {
        &self.0["components"]["store"]
    }

    /// Whether nothing is left to be stored.
    pub(super) fn is_idle(&self) -> bool {
        self.has_store()
            && ["backlog", "lag"]
                .iter()
                .all(|figure| self.of_logs(figure) == Some(0.0))
    }

    /// A figure of its versions' logs; see [`Self::sum`].
    pub(super) fn of_logs(&self, figure: &str) -> Option<f64> {
        self.sum(|version| version.get("log")?.get(figure))
    }

    /// The numbers of its topic's partitions; none where they are not known.
    pub(super) fn partitions(&self) -> Option<impl Iterator<Item = &String>> {
        let partitions = self.0["components"][Version::V3.name()]["log"]["partitions"].as_object()?;
        Some(partitions.keys())
    }

    /// Orders under way in its versions.
    pub(super) fn in_flight(&self) -> Option<f64> {
        self.sum(|version| version.get("in_flight"))
    }

    /// The sum over all versions; zero where none could have it, none where one that could does not know.
    fn sum(&self, figure: impl Fn(&Value) -> Option<&Value>) -> Option<f64> {
        let components = self.0["components"].as_object()?;
        components.values().filter_map(figure).map(Value::as_f64).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn readiness(v2: &Value) -> Readiness {
        Readiness(json!({"components": {
            "store": {"state": "up"},
            "v1": {"in_flight": 2},
            "v2": v2,
        }}))
    }

    #[test]
    fn partitions_are_known_or_not() {
        let v3 = |log: Value| Readiness(json!({"components": {"v3": {"log": log}}}));
        let known = v3(json!({"partitions": {"0": {"lag": 1}, "1": {"lag": null}}}));
        assert_eq!(known.partitions().unwrap().collect::<Vec<_>>(), ["0", "1"]);
        assert!(v3(json!({"partitions": null})).partitions().is_none());
        assert!(Readiness::default().partitions().is_none());
    }

    #[test]
    fn what_is_left_is_summed_and_unknown_is_not_zero() {
        let busy = readiness(&json!({"in_flight": 1, "log": {"lag": 3, "backlog": 0}}));
        assert_eq!((busy.of_logs("lag"), busy.in_flight()), (Some(3.0), Some(3.0)));
        assert!(!busy.is_idle());
        let unknown = readiness(&json!({"in_flight": 0, "log": {"lag": null, "backlog": 0}}));
        assert_eq!(unknown.of_logs("lag"), None);
        assert!(!unknown.is_idle());
        assert!(readiness(&json!({"log": {"lag": 0, "backlog": 0}})).is_idle());
        assert!(!Readiness::default().is_idle());
    }
}
