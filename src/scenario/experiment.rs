//! What a scenario is to find out, as SCALE.md tells it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was expected before anything was measured, and what of a run shows whether it was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// What is expected, in a sentence or two, and why.
    pub hypothesis: String,
    /// The plot that shows it.
    pub plot: Chart,
}

/// One of a report's plots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Chart {
    /// Orders acknowledged and refused, by second.
    #[default]
    Throughput,
    /// From due to acknowledged, by second.
    Latency,
    /// From acknowledged to shown, by second.
    Freshness,
    /// Processor time, by second.
    Cpu,
    /// Memory, by second.
    Memory,
}
