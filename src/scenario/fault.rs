//! Faults: what is done to actors, nodes, services, links and the database.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::disk::Owner;
use super::links::Trouble;
use super::services::{Service, ServiceMode};
use super::world::{World, node_name};
use crate::client::{ClientError, NodeClient};

/// In an actor's path, stands for any characters.
const ANY: char = '*';
/// How long a fault lasts unless told.
pub(super) const FAULT_LASTS: Duration = Duration::from_secs(1);

/// How long a fault waits for an actor that is being restarted.
const RESTART_LIMIT: Duration = Duration::from_secs(1);
/// How often it is looked whether it is back.
const RESTART_POLL: Duration = Duration::from_millis(20);

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
    Actor {
        node: usize,
        path: String,
        mode: ActorMode,
    },
    Node {
        node: usize,
        mode: NodeMode,
    },
    /// Each node in turn, in good order; the next one when the last one is ready again.
    AllNodes,
    Service {
        service: Service,
        mode: ServiceMode,
    },
    Link {
        service: Service,
        trouble: Trouble,
    },
    Table {
        name: String,
        readable: bool,
    },
    Connections(u32),
    Disk(Owner),
}

impl Target {
    /// What it disturbs, where another fault cannot do so at the same time.
    pub(super) fn exclusive(&self) -> Option<String> {
        match self {
            Self::Node { node, .. } => Some(node_name(*node)),
            Self::Service { service, .. } => Some(service.whole().name().to_owned()),
            // A service that runs out of disk may end, too.
            Self::Disk(owner) => Some(
                owner
                    .service()
                    .map_or_else(|| "disk".to_owned(), |service| service.name().to_owned()),
            ),
            Self::Link {
                service,
                trouble: Trouble::Cut,
            } => Some(format!("link to {}", service.name())),
            Self::AllNodes => Some("rollout".to_owned()),
            Self::Actor { .. } | Self::Link { .. } | Self::Table { .. } | Self::Connections(_) => None,
        }
    }
}

/// What is done to an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ActorMode {
    Kill,
    Panic,
    Stall,
}

/// What is done to a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeMode {
    /// SIGKILL, and another start after a while.
    Kill,
    /// In good order, and another start after a while.
    Stop,
    /// SIGSTOP, and SIGCONT after a while.
    Pause,
}

/// What there is, as the node tells it.
#[derive(Deserialize)]
struct Tree {
    actors: Vec<Actor>,
}

#[derive(Deserialize)]
struct Actor {
    path: String,
}

impl Fault {
    /// What it does, in words.
    pub(super) fn describe(&self) -> String {
        let verb = |mode: &dyn std::fmt::Debug| format!("{mode:?}").to_lowercase();
        match &self.target {
            Target::Actor { node: 0, path, mode } => format!("{} {path}", verb(mode)),
            Target::Actor { node, path, mode } => format!("{} {path} of {}", verb(mode), node_name(*node)),
            Target::Node { node, mode } => format!("{} {}", verb(mode), node_name(*node)),
            Target::AllNodes => "restart all nodes in turn".to_owned(),
            Target::Service { service, mode } => format!("{} {}", verb(mode), service.name()),
            Target::Link { service, trouble } => {
                let what = match trouble {
                    Trouble::Cut => "cut the link to".to_owned(),
                    Trouble::Latency { latency, .. } => format!("{latency:?} more on the link to"),
                    Trouble::LimitData { bytes } => format!("{bytes} bytes a connection on the link to"),
                };
                format!("{what} {}", service.name())
            }
            Target::Table { name, readable: true } => format!("lock {name} for writers"),
            Target::Table { name, .. } => format!("lock {name}"),
            Target::Connections(count) => format!("hold {count} connections to postgres"),
            Target::Disk(owner) => format!("fill the disk of {}", owner.name()),
        }
    }

    /// Injects it, and waits until what it does is over. Says whom it hit, where that was open before.
    ///
    /// # Errors
    /// Says why it did not hit.
    pub(super) async fn inject(&self, world: &World) -> Result<String, String> {
        let lasts = self.lasts.unwrap_or(FAULT_LASTS);
        let hit = match &self.target {
            Target::Actor { node, path, mode } => {
                return strike(world.host(*node).client(), path, *mode, self.lasts).await;
            }
            Target::Connections(count) => return world.database()?.hold_connections(*count, lasts).await,
            Target::Node { node, mode } => match mode {
                NodeMode::Kill => world.host(*node).kill_and_start_after(lasts).await,
                NodeMode::Stop => world.host(*node).stop_and_start_after(lasts).await,
                NodeMode::Pause => world.host(*node).pause_for(lasts).await,
            },
            Target::AllNodes => restart_in_turn(world, self.lasts.unwrap_or_default()).await,
            Target::Service { service, mode } => world.services()?.disturb(*service, *mode, lasts).await,
            Target::Link { service, trouble } => world.links.disturb(*service, *trouble, lasts).await,
            Target::Table { name, readable } => world.database()?.lock(name, *readable, lasts).await,
            Target::Disk(owner) => match owner.service() {
                Some(service) => world.services()?.fill_disk(service, lasts).await,
                None => world.disk()?.fill(lasts).await,
            },
        };
        hit.map(|()| String::new())
    }
}

async fn restart_in_turn(world: &World, pause: Duration) -> Result<(), String> {
    for (node, host) in world.hosts().enumerate() {
        let mode = NodeMode::Stop;
        let _turn = world.turn(&Target::Node { node, mode }).await;
        host.stop_and_start_after(pause).await?;
    }
    Ok(())
}

/// The paths of all actors that a node has.
pub(super) async fn actor_paths(client: &NodeClient) -> Result<Vec<String>, String> {
    let tree = client.get::<Tree>("/api/actors").await;
    let tree = tree.map_err(|error| error.to_string())?;
    Ok(tree.actors.into_iter().map(|actor| actor.path).collect())
}

/// Every actor that the path means by now.
async fn strike(client: &NodeClient, path: &str, mode: ActorMode, lasts: Option<Duration>) -> Result<String, String> {
    let mut fault = json!({ "mode": mode });
    if let Some(lasts) = lasts {
        fault["millis"] = json!(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
    }
    if !path.contains(ANY) {
        return hit(client, path, &fault).await.map(|()| String::new());
    }
    let paths = actor_paths(client).await?;
    let meant: Vec<_> = paths.into_iter().filter(|known| matches(path, known)).collect();
    if meant.is_empty() {
        return Err(format!("no actor is meant by {path}"));
    }
    // One may be between two generations, or below one that was hit just now.
    let hits = join_all(meant.iter().map(|path| hit(client, path, &fault))).await;
    let hit = meant
        .iter()
        .zip(&hits)
        .filter(|(_, hit)| hit.is_ok())
        .map(|(path, _)| &**path);
    let hit: Vec<_> = hit.collect();
    match hits.into_iter().find_map(Result::err) {
        Some(error) if hit.is_empty() => Err(error),
        _ => Ok(hit.join(", ")),
    }
}

/// Waits a while for one that is just being restarted.
async fn hit(client: &NodeClient, path: &str, fault: &Value) -> Result<(), String> {
    let until = Instant::now() + RESTART_LIMIT;
    loop {
        match client.post(&format!("/api/actors/{path}/kill"), fault).await {
            Err(ClientError::Problem(problem)) if problem.status == 409 && Instant::now() < until => {
                tokio::time::sleep(RESTART_POLL).await;
            }
            hit => return hit.map_err(|error| error.to_string()),
        }
    }
}

/// Whether a path is one that a pattern means: each star stands for any characters, slashes too.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once(ANY) {
        None => pattern == path,
        Some((before, after)) => path.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(place, _)| place).chain([rest.len()]);
            ends.into_iter().any(|place| matches(after, &rest[place..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, path, meant) in [
            ("v1/batcher-0", "v1/batcher-0", true),
            ("v1/batcher-0", "v1/batcher-01", false),
            ("*/batcher*", "v1/batcher-0", true),
            ("*/batcher*", "v3/partitions/partition-2/batcher", true),
            ("*/batcher*", "v1", false),
            ("v3/*", "v3/ingest", true),
            ("v3/*/reader", "v3/partitions/partition-0/reader", true),
            ("v3/*/reader", "v3/reader", false),
        ] {
            assert_eq!(matches(pattern, path), meant, "{pattern} {path}");
        }
    }
}
