//! `[[fault]]`: what is done to whom, and when.

use std::time::Duration;

use coffee_rt_actors::ports::Engine;
use coffee_rt_actors::supervision::MAX_STALL_MS;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{MAX_FAULTS, RawSetup};
use crate::scenario::disk::Owner;
use crate::scenario::fault::{ActorMode, Fault, NodeMode, Target};
use crate::scenario::links::Trouble;
use crate::scenario::services::{Service, ServiceMode};
use crate::scenario::span::Span;

/// The longest stall that a node accepts.
const MAX_STALL: Duration = Duration::from_millis(MAX_STALL_MS);
/// The most connections that are held.
const MAX_CONNECTIONS: u32 = 1_000;

/// One fault, of one target: an actor, a node, all nodes in turn, whoever stores, a service, a link, a table, PostgreSQL's connections, or a disk.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFault {
    /// From the scenario's start.
    at: Span,
    /// From one time to the next.
    every: Option<Span>,
    /// How often.
    times: Option<u32>,
    /// How long it lasts: a second unless told. Of a rollout, how long each node is gone: not at all unless told.
    lasts: Option<Span>,
    /// An actor's path, such as v1/batcher-0; a star stands for any characters, and all that are meant are hit.
    actor: Option<String>,
    /// A node by its number: the one whose actor it is, or the one to hit itself.
    node: Option<usize>,
    /// All nodes are restarted in turn, in good order, as in a rollout.
    #[serde(default)]
    rollout: bool,
    /// Whoever stores v3's orders: the first node, or the TaskManager where the engine is flink.
    #[serde(default)]
    worker: bool,
    /// A service of setup.services, or a part of one.
    service: Option<Service>,
    /// The link to a service: postgres or redis.
    link: Option<Service>,
    /// A table of PostgreSQL that nobody reads or writes meanwhile.
    lock_table: Option<String>,
    /// With lock_table: whether it can be read all the same.
    #[serde(default)]
    readable: bool,
    /// Connections that are taken from PostgreSQL.
    hold_connections: Option<u32>,
    /// Whose disk is filled; setup.disk_mb says how large it is.
    fill_disk: Option<Owner>,
    /// What is done to an actor, a node or a service.
    mode: Option<Mode>,
    /// With a link: how much later everything arrives.
    latency: Option<Span>,
    /// With a latency: by how much it varies.
    jitter: Option<Span>,
    /// With a link: connections break, and no new one is made.
    #[serde(default)]
    cut: bool,
    /// With a link: each connection breaks after so many bytes from the service.
    limit_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Kill,
    Panic,
    Stall,
    Stop,
    Pause,
}

impl RawFault {
    /// Each time that it is injected.
    pub(super) fn checked(self, setup: &RawSetup) -> Result<Vec<Fault>, String> {
        let target = self.target(setup)?;
        let times = self.times.unwrap_or(1);
        let every = match (self.every, times) {
            (_, 0) => return Err("times must be above zero".to_owned()),
            (Some(every), _) => every.0,
            (None, 1) => Duration::ZERO,
            (None, _) => return Err("a fault that comes several times needs every".to_owned()),
        };
        if times as usize > MAX_FAULTS {
            return Err(format!("more than {MAX_FAULTS} faults are too many for one scenario"));
        }
        let lasts = self.lasts.map(|lasts| lasts.0);
        let fault = |turn: u32| Fault {
            at: self.at.0 + every * turn,
            target: target.clone(),
            lasts,
        };
        Ok((0..times).map(fault).collect())
    }

    fn target(&self, setup: &RawSetup) -> Result<Target, String> {
        let given = [
            self.actor.is_some(),
            self.actor.is_none() && !self.worker && self.node.is_some(),
            self.worker,
            self.rollout,
            self.service.is_some(),
            self.link.is_some(),
            self.lock_table.is_some(),
            self.hold_connections.is_some(),
            self.fill_disk.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            let targets = "actor, node, worker, rollout, service, link, lock_table, hold_connections and fill_disk";
            return Err(format!("a fault hits one target: give one of {targets}"));
        }
        let on_link = [
            self.latency.is_some(),
            self.jitter.is_some(),
            self.cut,
            self.limit_bytes.is_some(),
        ];
        if self.link.is_none() && on_link.contains(&true) {
            return Err("latency, jitter, cut and limit_bytes are for a link".to_owned());
        }
        if self.worker && self.node.is_some() {
            return Err("worker says whom it hits: leave node away".to_owned());
        }
        if self.readable && self.lock_table.is_none() {
            return Err("readable is for lock_table".to_owned());
        }
        let has_mode = self.actor.is_some() || self.node.is_some() || self.worker || self.service.is_some();
        if self.mode.is_some() && !has_mode {
            return Err("mode is what is done to an actor, a node, a worker or a service".to_owned());
        }
        let node = super::node_index(self.node.unwrap_or(1), setup.nodes)?;
        if let Some(path) = &self.actor {
            return self.actor(node, path);
        }
        if self.rollout {
            return Ok(Target::AllNodes);
        }
        if self.worker && setup.engine == Engine::Flink {
            return self.service(Service::FlinkTaskmanager);
        }
        if let Some(service) = self.service {
            return self.service(has(setup, service)?);
        }
        if let Some(service) = self.link {
            return self.link(has(setup, service)?);
        }
        if let Some(table) = &self.lock_table {
            has(setup, Service::Postgres)?;
            let simple = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            if table.is_empty() || !table.chars().all(simple) {
                return Err(format!("{table:?} is no table: write it like coffee_rt.order_rows"));
            }
            let (name, readable) = (table.clone(), self.readable);
            return Ok(Target::Table { name, readable });
        }
        if let Some(count) = self.hold_connections {
            has(setup, Service::Postgres)?;
            if !(1..=MAX_CONNECTIONS).contains(&count) {
                return Err(format!(
                    "hold_connections must be between 1 and {MAX_CONNECTIONS}, not {count}"
                ));
            }
            return Ok(Target::Connections(count));
        }
        if let Some(owner) = self.fill_disk {
            return disk(setup, owner);
        }
        Ok(Target::Node {
            node,
            mode: match self.mode {
                Some(Mode::Kill) | None => NodeMode::Kill,
                Some(Mode::Stop) => NodeMode::Stop,
                Some(Mode::Pause) => NodeMode::Pause,
                Some(mode) => return Err(unfit(mode, "a node", "kill, stop and pause")),
            },
        })
    }

    fn service(&self, service: Service) -> Result<Target, String> {
        let mode = match self.mode {
            Some(Mode::Kill) | None => ServiceMode::Kill,
            Some(Mode::Stop) => ServiceMode::Stop,
            Some(Mode::Pause) => ServiceMode::Pause,
            Some(mode) => return Err(unfit(mode, "a service", "kill, stop and pause")),
        };
        Ok(Target::Service { service, mode })
    }

    fn actor(&self, node: usize, path: &str) -> Result<Target, String> {
        let mode = match self.mode {
            Some(Mode::Kill) | None => ActorMode::Kill,
            Some(Mode::Panic) => ActorMode::Panic,
            Some(Mode::Stall) => ActorMode::Stall,
            Some(mode) => return Err(unfit(mode, "an actor", "kill, panic and stall")),
        };
        if mode != ActorMode::Stall && self.lasts.is_some() {
            return Err("lasts says how long an actor stalls: it needs mode = \"stall\"".to_owned());
        }
        if self.lasts.is_some_and(|lasts| lasts.0 > MAX_STALL) {
            return Err(format!("an actor stalls for {MAX_STALL:?} at most"));
        }
        let path = path.to_owned();
        Ok(Target::Actor { node, path, mode })
    }

    fn link(&self, service: Service) -> Result<Target, String> {
        if !matches!(service, Service::Postgres | Service::Redis) {
            let reason = "brokers and clusters tell their clients where they are, so a link to them would be passed by";
            return Err(reason.to_owned());
        }
        let jitter = self.jitter.unwrap_or_default().0;
        let trouble = match (self.latency, self.cut, self.limit_bytes) {
            (Some(latency), false, None) => Trouble::Latency {
                latency: latency.0,
                jitter,
            },
            (None, true, None) => Trouble::Cut,
            (None, false, Some(bytes)) => Trouble::LimitData { bytes },
            _ => return Err("one thing happens to a link: give one of latency, cut and limit_bytes".to_owned()),
        };
        Ok(Target::Link { service, trouble })
    }
}

fn disk(setup: &RawSetup, owner: Owner) -> Result<Target, String> {
    if setup.disk_mb.is_none() {
        return Err("a disk that is filled must not be shared: give setup.disk_mb, its size".to_owned());
    }
    match owner.service() {
        Some(service) => has(setup, service).map(drop)?,
        None if setup.services.contains(&Service::Postgres) => {
            return Err("the node's own disk is that of its embedded database: fill that of postgres".to_owned());
        }
        None => {}
    }
    Ok(Target::Disk(owner))
}

fn has(setup: &RawSetup, service: Service) -> Result<Service, String> {
    let missing = || {
        format!(
            "the scenario has no {0} of its own: add \"{0}\" to setup.services",
            service.whole().name()
        )
    };
    let is_there = setup.services.contains(&service.whole());
    is_there.then_some(service).ok_or_else(missing)
}

fn unfit(mode: Mode, target: &str, fit: &str) -> String {
    format!(
        "{} cannot be done to {target}: {fit} can",
        format!("{mode:?}").to_lowercase()
    )
}
