//! The supervision tree as the node tells it, and as people see it.

use std::collections::BTreeMap;

use console::style;
use serde::Deserialize;

use super::screen::{span, table};
use crate::client::{ClientError, NodeClient};

/// Where the tree is asked for.
pub(super) const ACTORS_PATH: &str = "/api/actors";
/// Where it is pushed when it changes.
pub(super) const ACTORS_SOCKET: &str = "/ws/actors";
/// The path of the root.
const ROOT: &str = "root";

/// The document of `GET /api/actors`.
#[derive(Clone, Debug, Deserialize)]
pub struct ActorTree {
    /// Every actor, parents before children.
    pub actors: Vec<ActorRow>,
}

/// What an actor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Starts and restarts others.
    Supervisor,
    /// Does the work.
    Worker,
}

/// One actor.
#[derive(Clone, Debug, Deserialize)]
pub struct ActorRow {
    /// Such as `v1/batcher-0`.
    pub path: String,
    /// Its supervisor's path.
    pub parent: Option<String>,
    /// What it is for.
    pub kind: Kind,
    /// Of a supervisor: whom it restarts together.
    #[serde(default)]
    pub strategy: Option<String>,
    /// `starting`, `running`, `restarting` or `stopped`.
    pub state: String,
    /// Grows with each start.
    pub generation: u64,
    /// Starts after failures.
    #[serde(default)]
    pub restarts: u64,
    /// Since this generation started.
    #[serde(default)]
    pub uptime_seconds: f64,
    /// Messages that wait.
    #[serde(default)]
    pub mailbox: u64,
    /// Messages handled.
    #[serde(default)]
    pub handled_total: u64,
    /// Messages handled each second, lately.
    #[serde(default)]
    pub handled_per_second: f64,
    /// Work under way.
    #[serde(default)]
    pub in_flight: u64,
    /// The most work under way, where there is a limit.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Why its last generation ended.
    #[serde(default)]
    pub last_failure: Option<String>,
}

impl ActorRow {
    /// Whether it works.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }
}

impl ActorTree {
    /// Asks a node for its tree.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn fetch(client: &NodeClient) -> Result<Self, ClientError> {
        client.get(ACTORS_PATH).await
    }

    /// The actor of that path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&ActorRow> {
        self.actors.iter().find(|actor| actor.path == path)
    }

    /// The paths most like a mistyped one, best first.
    #[must_use]
    pub fn nearest(&self, wanted: &str, most: usize) -> Vec<&str> {
        let mut paths: Vec<&str> = self.actors.iter().map(|actor| actor.path.as_str()).collect();
        let unlike = |path: &str| {
            let leaf = path.rsplit('/').next().unwrap_or(path);
            edits(wanted, path).min(edits(wanted, leaf) + 1)
        };
        paths.sort_by_cached_key(|path| unlike(path));
        paths.truncate(most);
        paths
    }

    /// The tree as lines: one actor each, children below their parent in the node's order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut children: BTreeMap<&str, Vec<&ActorRow>> = BTreeMap::new();
        let mut tops = Vec::new();
        for actor in &self.actors {
            match actor
                .parent
                .as_deref()
                .filter(|parent| self.find(parent).is_some() && *parent != actor.path)
            {
                Some(parent) => children.entry(parent).or_default().push(actor),
                None => tops.push(actor),
            }
        }
        let titles = [
            "actor",
            "kind",
            "state",
            "up",
            "restarts",
            "gen",
            "mailbox",
            "in flight",
            "per s",
            "last failure",
        ];
        let mut rows = vec![titles.map(|title| style(title).dim().to_string()).to_vec()];
        for top in tops {
            add_rows(top, "", "", &mut children, &mut rows);
        }
        table(&rows, 3..9)
    }
}

/// Each parent's children are taken out as they are shown, so that a cycle cannot go on for ever.
fn add_rows<'a>(
    actor: &'a ActorRow,
    branch: &str,
    below: &str,
    children: &mut BTreeMap<&'a str, Vec<&'a ActorRow>>,
    rows: &mut Vec<Vec<String>>,
) {
    rows.push(cells(actor, branch));
    let mine = children.remove(actor.path.as_str()).unwrap_or_default();
    let last = mine.len().saturating_sub(1);
    for (place, child) in mine.into_iter().enumerate() {
        let (branch, deeper) = if place == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        add_rows(
            child,
            &format!("{below}{branch}"),
            &format!("{below}{deeper}"),
            children,
            rows,
        );
    }
}

fn cells(actor: &ActorRow, branch: &str) -> Vec<String> {
    let name = if actor.path == ROOT {
        style(&actor.path).bold()
    } else {
        style(&actor.path)
    };
    let state = match actor.state.as_str() {
        "running" => style(&actor.state).green(),
        "stopped" => style(&actor.state).red(),
        _ => style(&actor.state).yellow(),
    };
    let kind = match (actor.kind, &actor.strategy) {
        (Kind::Supervisor, Some(strategy)) => format!("supervisor {strategy}"),
        (Kind::Supervisor, None) => "supervisor".to_owned(),
        (Kind::Worker, _) => "worker".to_owned(),
    };
    let in_flight = match actor.limit {
        Some(limit) => format!("{}/{limit}", actor.in_flight),
        None => actor.in_flight.to_string(),
    };
    vec![
        format!("{branch}{name}"),
        kind,
        state.to_string(),
        span(actor.uptime_seconds),
        actor.restarts.to_string(),
        actor.generation.to_string(),
        actor.mailbox.to_string(),
        in_flight,
        format!("{:.1}", actor.handled_per_second),
        actor.last_failure.clone().unwrap_or_default(),
    ]
}

/// Levenshtein's distance: how many letters to insert, delete or replace.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut above[0], row + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = above[column + 1];
            above[column + 1] = replaced.min(diagonal + 1).min(above[column] + 1);
        }
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(rows: &[(&str, Option<&str>)]) -> ActorTree {
        let actors = rows.iter().map(|(path, parent)| {
            serde_json::from_value(serde_json::json!({
                "path": path, "parent": parent, "kind": if parent.is_some() { "worker" } else { "supervisor" },
                "strategy": null, "state": "running", "generation": 3, "restarts": 2, "uptime_seconds": 1.5,
                "mailbox": 0, "handled_total": 123, "handled_per_second": 12.5, "in_flight": 7, "limit": 4096,
                "last_failure": "killed"
            }))
            .unwrap()
        });
        ActorTree {
            actors: actors.collect(),
        }
    }

    #[test]
    fn children_stand_below_their_parent() {
        let tree = tree(&[
            ("root", None),
            ("v1", Some("root")),
            ("v1/batcher-0", Some("v1")),
            ("v1/batcher-1", Some("v1")),
            ("http", Some("root")),
            ("lost", Some("nobody")),
        ]);
        let lines = tree.lines();
        let starts = [
            "actor",
            "root",
            "├─ v1",
            "│  ├─ v1/batcher-0",
            "│  └─ v1/batcher-1",
            "└─ http",
            "lost",
        ];
        assert_eq!(lines.len(), starts.len());
        for (line, start) in lines.iter().map(|line| console::strip_ansi_codes(line)).zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
        assert!(
            lines[3].contains("7/4096") && lines[3].ends_with("killed"),
            "{}",
            lines[3]
        );
    }

    #[test]
    fn a_cycle_ends() {
        assert_eq!(tree(&[("a", Some("b")), ("b", Some("a"))]).lines().len(), 1);
    }

    #[test]
    fn mistyped_paths_find_their_neighbours() {
        let tree = tree(&[
            ("root", None),
            ("v1/batcher-0", Some("root")),
            ("v1/ingest", Some("root")),
        ]);
        assert_eq!(tree.nearest("v1/bacher-0", 1), ["v1/batcher-0"]);
        assert_eq!(tree.nearest("ingest", 1), ["v1/ingest"]);
        assert_eq!(
            (edits("kitten", "sitting"), edits("", "abc"), edits("abc", "abc")),
            (3, 3, 0)
        );
    }
}
