//! Faults: what is done to actors and to the node itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::host::Host;
use crate::client::NodeClient;

/// How long a node stays away, or stands still, unless told.
const NODE_FAULT_LASTS: Duration = Duration::from_secs(1);

/// One fault at one time.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// From the scenario's start.
    pub(super) at: Duration,
    pub(super) target: Target,
    /// How long it lasts, where it does not end by itself.
    pub(super) lasts: Option<Duration>,
}

/// Whom it hits.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Actor { path: String, mode: ActorMode },
    Node(NodeMode),
}

/// What is done to an actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ActorMode {
    #[default]
    Kill,
    Panic,
    Stall,
}

/// What is done to a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum NodeMode {
    /// SIGKILL, and another start after a while.
    Kill,
    /// SIGSTOP, and SIGCONT after a while.
    Pause,
}

impl Fault {
    /// What it does, in words.
    pub(super) fn describe(&self) -> String {
        match &self.target {
            Target::Actor { path, mode } => format!("{mode:?} {path}").to_lowercase(),
            Target::Node(mode) => format!("{mode:?} node").to_lowercase(),
        }
    }

    /// Injects it, and waits until what it does is over.
    ///
    /// # Errors
    /// Says why it did not hit.
    pub(super) async fn inject(&self, host: &Host) -> Result<(), String> {
        match &self.target {
            Target::Actor { path, mode } => strike(&host.client(), path, *mode, self.lasts).await,
            Target::Node(mode) => {
                let lasts = self.lasts.unwrap_or(NODE_FAULT_LASTS);
                match mode {
                    NodeMode::Kill => host.kill_and_start_after(lasts).await,
                    NodeMode::Pause => host.pause_for(lasts).await,
                }
            }
        }
    }
}

async fn strike(client: &NodeClient, path: &str, mode: ActorMode, lasts: Option<Duration>) -> Result<(), String> {
    let mut fault = json!({ "mode": mode });
    if let Some(lasts) = lasts {
        fault["millis"] = json!(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
    }
    let hit = client.post(&format!("/api/actors/{path}/kill"), &fault).await;
    hit.map_err(|error| error.to_string())
}
