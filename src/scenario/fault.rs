//! Faults: what is done to actors, nodes, services, links and the database.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::links::Trouble;
use super::services::{Service, ServiceMode};
use super::world::{World, node_name};
use crate::client::NodeClient;

/// How long a fault lasts unless told.
pub(super) const FAULT_LASTS: Duration = Duration::from_secs(1);

/// One fault at one time.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// From the scenario's start.
    pub(super) at: Duration,
    pub(super) target: Target,
    /// How long it lasts, where that is told.
    pub(super) lasts: Option<Duration>,
}

/// Whom it hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Actor { node: usize, path: String, mode: ActorMode },
    Node { node: usize, mode: NodeMode },
    Service { service: Service, mode: ServiceMode },
    Link { service: Service, trouble: Trouble },
    Table(String),
    Connections(u32),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeMode {
    /// SIGKILL, and another start after a while.
    Kill,
    /// SIGSTOP, and SIGCONT after a while.
    Pause,
}

impl Fault {
    /// What it does, in words.
    pub(super) fn describe(&self) -> String {
        let verb = |mode: &dyn std::fmt::Debug| format!("{mode:?}").to_lowercase();
        match &self.target {
            Target::Actor { node: 0, path, mode } => format!("{} {path}", verb(mode)),
            Target::Actor { node, path, mode } => format!("{} {path} of {}", verb(mode), node_name(*node)),
            Target::Node { node, mode } => format!("{} {}", verb(mode), node_name(*node)),
            Target::Service { service, mode } => format!("{} {}", verb(mode), service.name()),
            Target::Link { service, trouble } => {
                let what = match trouble {
                    Trouble::Cut => "cut the link to".to_owned(),
                    Trouble::Latency { latency, .. } => format!("{latency:?} more on the link to"),
                    Trouble::LimitData { bytes } => format!("{bytes} bytes a connection on the link to"),
                };
                format!("{what} {}", service.name())
            }
            Target::Table(table) => format!("lock {table}"),
            Target::Connections(count) => format!("hold {count} connections to postgres"),
        }
    }

    /// Injects it, and waits until what it does is over.
    ///
    /// # Errors
    /// Says why it did not hit.
    pub(super) async fn inject(&self, world: &World) -> Result<(), String> {
        let lasts = self.lasts.unwrap_or(FAULT_LASTS);
        match &self.target {
            Target::Actor { node, path, mode } => strike(world.host(*node).client(), path, *mode, self.lasts).await,
            Target::Node { node, mode } => match mode {
                NodeMode::Kill => world.host(*node).kill_and_start_after(lasts).await,
                NodeMode::Pause => world.host(*node).pause_for(lasts).await,
            },
            Target::Service { service, mode } => world.services()?.disturb(*service, *mode, lasts).await,
            Target::Link { service, trouble } => world.links.disturb(*service, *trouble, lasts).await,
            Target::Table(table) => world.database()?.lock(table, lasts).await,
            Target::Connections(count) => world.database()?.hold_connections(*count, lasts).await,
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
