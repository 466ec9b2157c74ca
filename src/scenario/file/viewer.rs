//! `[[subscriber]]` and `[[reader]]`: who looks on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Names;
use crate::scenario::span::Span;
use crate::scenario::threshold::Kind;
use crate::scenario::viewers::{Look, MAX_READS_PER_SECOND, MAX_SUBSCRIBERS, MIN_READS_PER_SECOND, Viewer};

/// Those at the dashboard's socket.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSubscriber {
    /// As thresholds and reports name them.
    name: String,
    /// The node, by its number.
    #[serde(default = "super::one")]
    node: usize,
    /// How many.
    #[serde(default = "super::one")]
    count: usize,
    /// From the scenario's start until they come.
    #[serde(default)]
    start: Span,
    /// How long they stay: to the end unless told.
    duration: Option<Span>,
    /// Whether they stop reading once they are connected.
    #[serde(default)]
    stalled: bool,
}

/// Those who ask for a page again and again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReader {
    /// As thresholds and reports name them.
    name: String,
    /// The node, by its number.
    #[serde(default = "super::one")]
    node: usize,
    /// Answers wanted a second, whatever the node does.
    rate: f64,
    /// What they ask for.
    #[serde(default = "dashboard")]
    path: String,
    /// From the scenario's start until they come.
    #[serde(default)]
    start: Span,
    /// How long they stay: to the end unless told.
    duration: Option<Span>,
}

fn dashboard() -> String {
    "/api/dashboard".to_owned()
}

impl RawSubscriber {
    pub(super) fn checked(self, nodes: usize, names: &mut Names) -> Result<Viewer, String> {
        names.add(&self.name, Kind::Viewer)?;
        if !(1..=MAX_SUBSCRIBERS).contains(&self.count) {
            return Err(format!(
                "count must be between 1 and {MAX_SUBSCRIBERS}, not {}",
                self.count
            ));
        }
        Ok(Viewer {
            name: self.name,
            node: super::node_index(self.node, nodes)?,
            start: self.start.0,
            duration: self.duration.map(|duration| duration.0),
            look: Look::Socket {
                count: self.count,
                stalled: self.stalled,
            },
        })
    }
}

impl RawReader {
    pub(super) fn checked(self, nodes: usize, names: &mut Names) -> Result<Viewer, String> {
        names.add(&self.name, Kind::Viewer)?;
        if !(MIN_READS_PER_SECOND..=MAX_READS_PER_SECOND).contains(&self.rate) {
            return Err(format!(
                "rate must be between {MIN_READS_PER_SECOND} and {MAX_READS_PER_SECOND} answers a second"
            ));
        }
        if !self.path.starts_with('/') {
            return Err(format!("path must begin with a slash: {:?}", self.path));
        }
        Ok(Viewer {
            name: self.name,
            node: super::node_index(self.node, nodes)?,
            start: self.start.0,
            duration: self.duration.map(|duration| duration.0),
            look: Look::Page {
                rate_per_second: self.rate,
                path: self.path,
            },
        })
    }
}
