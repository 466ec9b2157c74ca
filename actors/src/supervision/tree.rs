//! The picture of what runs: written by supervisors, read by anyone. Reading sends no message to any actor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ractor::ActorCell;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant as Deadline;

use super::address::Gauge;
use super::ended::Ended;
use super::fault::{Fault, FaultError};
use super::journal::{EventKind, Journal, TreeEvent};
use super::policy::Strategy;

/// Rates are averaged over at least this time.
const RATE_SPAN: Duration = Duration::from_millis(1_000);

/// What a node of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Restarts its children.
    Supervisor,
    /// Does the application's work.
    Worker,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Not started yet.
    Starting,
    /// Alive.
    Running,
    /// Dead; its supervisor is about to start the next generation.
    Restarting,
    /// Stopped on purpose.
    Stopped,
}

/// Work in hand, and the limit to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Units of work taken and not finished.
    pub in_flight: u64,
    /// How many are allowed, where there is a limit.
    pub limit: Option<u64>,
}

/// Reads a worker's load from shared counters.
pub type LoadProbe = Arc<dyn Fn() -> Load + Send + Sync>;

/// One node as shown to people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct ActorStatus {
    /// Such as `v1/batcher-0`.
    pub path: Arc<str>,
    /// The supervisor's path; none for the root.
    pub parent: Option<Arc<str>>,
    /// Supervisor or worker.
    pub kind: NodeKind,
    /// Of a supervisor.
    pub strategy: Option<Strategy>,
    /// How it is.
    pub state: NodeState,
    /// Grows with each start; 1 is the first.
    pub generation: u64,
    /// Starts after the first.
    pub restarts: u64,
    /// Since this generation started.
    pub uptime_seconds: f64,
    /// Messages waiting.
    pub mailbox: u64,
    /// Messages handled by all generations.
    pub handled_total: u64,
    /// Lately.
    pub handled_per_second: f64,
    /// Units of work in hand.
    pub in_flight: u64,
    /// The limit to `in_flight`.
    pub limit: Option<u64>,
    /// Why the last generation died.
    pub last_failure: Option<String>,
}

/// How a running actor is reached by the tree.
#[derive(Clone)]
pub(super) struct Control {
    pub(super) cell: ActorCell,
    pub(super) ended: Ended,
    pub(super) inject: Arc<dyn Fn(Fault) + Send + Sync>,
}

/// What never changes about a node.
pub(super) struct Placement {
    pub(super) parent: Option<Arc<str>>,
    pub(super) kind: NodeKind,
    pub(super) strategy: Option<Strategy>,
    /// Child indices from the root down: the order in which nodes are shown.
    pub(super) position: Vec<usize>,
    pub(super) load: Option<LoadProbe>,
}

struct Node {
    placement: Placement,
    state: NodeState,
    generation: u64,
    since: Instant,
    /// Of the present generation; none before the first.
    gauge: Option<Arc<Gauge>>,
    handled_before: u64,
    rate: Rate,
    last_failure: Option<String>,
    control: Option<Control>,
}

struct Rate {
    at: Instant,
    handled: u64,
    per_second: f64,
}

/// All nodes of a running tree.
pub struct Tree {
    nodes: Mutex<BTreeMap<Arc<str>, Node>>,
    version: watch::Sender<u64>,
    journal: Arc<Journal>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: Mutex::default(),
            version: watch::Sender::new(0),
            journal: Arc::default(),
        }
    }
}

impl Tree {
    /// Wakes whenever a node starts, dies or stops.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Every node, parents before their children, children in the order of their start.
    #[must_use]
    pub fn snapshot(&self) -> Vec<ActorStatus> {
        let now = Instant::now();
        let mut nodes = self.nodes.lock();
        let mut rows: Vec<_> = nodes.iter_mut().map(|(path, node)| node.status(path, now)).collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        rows.into_iter().map(|(_, status)| status).collect()
    }

    /// Events after the one of that number, oldest first, at most `limit`; and the number of the newest. Those before the
    /// last [`KEPT_EVENTS`](super::KEPT_EVENTS) are forgotten.
    #[must_use]
    pub fn events_after(&self, seq: u64, limit: usize) -> (Vec<TreeEvent>, u64) {
        self.journal.after(seq, limit)
    }

    /// The last events, oldest first.
    #[must_use]
    pub fn latest_events(&self, count: usize) -> Vec<TreeEvent> {
        self.journal.latest(count)
    }

    pub(super) fn journal(&self) -> Arc<Journal> {
        self.journal.clone()
    }

    /// The state of one node.
    #[must_use]
    pub fn state(&self, path: &str) -> Option<NodeState> {
        self.nodes.lock().get(path).map(|node| node.state)
    }

    /// Injects a fault into the actor of that path.
    ///
    /// # Errors
    /// Where there is no such actor, or it is dead at the moment.
    pub fn inject(&self, path: &str, fault: Fault) -> Result<(), FaultError> {
        let nodes = self.nodes.lock();
        let node = nodes
            .get(path)
            .ok_or_else(|| FaultError::UnknownPath(path.to_owned()))?;
        let control = match (&node.control, node.state) {
            (Some(control), NodeState::Running) => control.clone(),
            _ => return Err(FaultError::NotRunning(path.to_owned())),
        };
        let told = fault.to_string();
        self.journal
            .note(&path.into(), EventKind::Fault, node.generation, Some(&told));
        drop(nodes);
        if fault == Fault::Kill {
            control.cell.kill();
        } else {
            (control.inject)(fault);
        }
        Ok(())
    }

    pub(super) fn declare(&self, path: &Arc<str>, placement: Placement) {
        let mut nodes = self.nodes.lock();
        nodes.entry(path.clone()).or_insert_with(|| Node {
            placement,
            state: NodeState::Starting,
            generation: 0,
            since: Instant::now(),
            gauge: None,
            handled_before: 0,
            rate: Rate {
                at: Instant::now(),
                handled: 0,
                per_second: 0.0,
            },
            last_failure: None,
            control: None,
        });
    }

    /// Notes a new generation and returns its number.
    pub(super) fn started(&self, path: &str, control: Control, gauge: Arc<Gauge>) -> u64 {
        let generation = self.update(path, |node| {
            node.state = NodeState::Running;
            node.generation += 1;
            node.since = Instant::now();
            let (path, before) = (path.into(), node.gauge.take());
            node.handled_before += before.map_or(0, |gauge| gauge.handled());
            node.control = Some(control);
            self.journal.started(&path, node.generation, gauge.first_work());
            node.gauge = Some(gauge);
            node.generation
        });
        generation.unwrap_or_default()
    }

    /// Notes a death and its reason; what lives below a dead supervisor is dying too.
    pub(super) fn failed(&self, path: &str, reason: &str) {
        self.update(path, |node| {
            node.state = NodeState::Restarting;
            node.last_failure = Some(reason.to_owned());
            self.note(path, EventKind::Failed, node);
        });
        self.each_below(path, |below, node| {
            node.state = NodeState::Restarting;
            node.last_failure = Some(format!("died with {path}"));
            self.note(below, EventKind::Failed, node);
        });
    }

    /// The generation of a node and why the one before it died.
    pub(super) fn last_start(&self, path: &str) -> (u64, String) {
        let nodes = self.nodes.lock();
        nodes.get(path).map_or_else(Default::default, |node| {
            (
                node.generation,
                node.last_failure
                    .clone()
                    .unwrap_or_else(|| "restarted with a sibling".to_owned()),
            )
        })
    }

    /// Notes that a node and what lives below it were ended on purpose.
    pub(super) fn stopped(&self, path: &str) {
        let end = |path: &str, node: &mut Node| {
            if node.state == NodeState::Stopped {
                return;
            }
            node.state = NodeState::Stopped;
            node.last_failure = Some("ended by its supervisor".to_owned());
            self.note(path, EventKind::Stopped, node);
        };
        self.each_below(path, end);
        self.update(path, |node| end(path, node));
    }

    /// Takes children that are not there any more, and what was below them, out of the picture.
    pub(super) fn keep_only(&self, parent: &str, children: &[Arc<str>]) {
        let kept = |path: &str| {
            let is_or_below = |child: &Arc<str>| {
                let rest = path.strip_prefix(&**child);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            !path.starts_with(&format!("{parent}/")) || children.iter().any(is_or_below)
        };
        self.nodes.lock().retain(|path, _| kept(path));
        self.version.send_modify(|version| *version += 1);
    }

    /// Ends everything below a dead supervisor and waits for it. False where something does not end in time.
    pub(super) async fn end_below(&self, path: &str, limit: Duration) -> bool {
        let deadline = Deadline::now() + limit;
        loop {
            // Nothing is taken out of the nodes: were this cancelled, whoever comes next must find the dying ones too.
            let mut dying = Vec::new();
            self.each_below(path, |_, node| {
                dying.extend(node.control.clone().filter(|control| !control.ended.is_over()));
            });
            if dying.is_empty() {
                return true;
            }
            for control in &dying {
                control.cell.kill();
            }
            for control in dying {
                if !control.ended.by(deadline).await {
                    return false;
                }
            }
            // A supervisor among them may have started another child before it died: look again.
        }
    }

    fn note(&self, path: &str, kind: EventKind, node: &Node) {
        self.journal
            .note(&path.into(), kind, node.generation, node.last_failure.as_deref());
    }

    fn update<R>(&self, path: &str, change: impl FnOnce(&mut Node) -> R) -> Option<R> {
        let result = self.nodes.lock().get_mut(path).map(change);
        self.version.send_modify(|version| *version += 1);
        result
    }

    fn each_below(&self, path: &str, mut change: impl FnMut(&str, &mut Node)) {
        let mut nodes = self.nodes.lock();
        let mut parents = vec![Arc::<str>::from(path)];
        while let Some(parent) = parents.pop() {
            for (child, node) in nodes
                .iter_mut()
                .filter(|(_, n)| n.placement.parent.as_ref() == Some(&parent))
            {
                parents.push(child.clone());
                change(child, node);
            }
        }
    }
}

impl Node {
    fn status(&mut self, path: &Arc<str>, now: Instant) -> (Vec<usize>, ActorStatus) {
        let handled_total = self.handled_before + self.gauge.as_ref().map_or(0, |gauge| gauge.handled());
        let span = now.duration_since(self.rate.at);
        if span >= RATE_SPAN {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
            let per_second = (handled_total - self.rate.handled) as f64 / span.as_secs_f64();
            self.rate = Rate {
                at: now,
                handled: handled_total,
                per_second,
            };
        }
        let running = self.state == NodeState::Running;
        let load = self.placement.load.as_ref().map(|probe| probe()).unwrap_or_default();
        let status = ActorStatus {
            path: path.clone(),
            parent: self.placement.parent.clone(),
            kind: self.placement.kind,
            strategy: self.placement.strategy,
            state: self.state,
            generation: self.generation,
            restarts: self.generation.saturating_sub(1),
            uptime_seconds: if running {
                now.duration_since(self.since).as_secs_f64()
            } else {
                0.0
            },
            mailbox: self
                .gauge
                .as_ref()
                .filter(|_| running)
                .map_or(0, |gauge| gauge.mailbox()),
            handled_total,
            handled_per_second: self.rate.per_second,
            in_flight: load.in_flight,
            limit: load.limit,
            last_failure: self.last_failure.clone(),
        };
        (self.placement.position.clone(), status)
    }
}
