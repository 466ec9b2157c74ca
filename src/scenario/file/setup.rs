//! `[setup]`: what a scenario runs on.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::{Item, MAX_MENU_ITEMS, Menu};
use coffee_rt_actors::ports::Engine;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{MAX_NODES, node_index};
use crate::config::{Version, Versions};
use crate::scenario::services::Service;

/// The most orders that are stored before a scenario begins.
pub const MAX_STORED_ORDERS: u64 = 100_000_000;

/// The largest disk that is made of memory.
const MAX_DISK_MB: u32 = 4_096;

/// Settings that say where a node is, what it runs on and what it sells.
const OWN_SETTINGS: [&str; 11] = [
    "COFFEE_RT_VERSIONS",
    "COFFEE_RT_LISTEN",
    "COFFEE_RT_DATABASE_URL",
    "COFFEE_RT_SQLITE_PATH",
    "COFFEE_RT_REDIS_URL",
    "COFFEE_RT_KAFKA_BOOTSTRAP_SERVERS",
    "COFFEE_RT_V3__ENGINE",
    "COFFEE_RT_FLINK__URL",
    "COFFEE_RT_FLINK__GATEWAY_URL",
    "COFFEE_RT_ADMIN_TOKEN",
    "COFFEE_RT_MENU",
];

/// What a scenario runs on.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSetup {
    /// Architecture versions that the nodes run.
    #[schemars(with = "Vec<String>")]
    pub(super) versions: Versions,
    /// Who stores v3's orders: actors unless told, or flink.
    #[schemars(with = "String")]
    pub(super) engine: Engine,
    /// Services that are started for the run; without postgres, a node has an embedded database.
    pub(super) services: Vec<Service>,
    /// Nodes that are started for the run.
    pub(super) nodes: usize,
    /// Settings of the nodes: COFFEE_RT_*.
    pub(super) settings: BTreeMap<String, String>,
    /// Settings of single nodes beside those of all, by the node's number.
    pub(super) node_settings: BTreeMap<String, BTreeMap<String, String>>,
    /// Orders that are stored before the nodes start, spread over 30 days.
    pub(super) stored_orders: u64,
    /// The data of the embedded database and of each service is on a disk of its own with so many MiB, made of memory; needs
    /// root.
    pub(super) disk_mb: Option<u32>,
    /// How many drinks are on the menu, drink-1 and so on, in place of the usual ones.
    drinks: Option<usize>,
    /// How many stores there are, store-1 and so on, in place of the usual ones.
    stores: Option<usize>,
}

impl Default for RawSetup {
    fn default() -> Self {
        Self {
            versions: Versions(vec![Version::V1]),
            engine: Engine::Actors,
            services: Vec::new(),
            nodes: 1,
            settings: BTreeMap::new(),
            node_settings: BTreeMap::new(),
            stored_orders: 0,
            disk_mb: None,
            drinks: None,
            stores: None,
        }
    }
}

/// The services without which a version does not run.
const fn needed(version: Version) -> &'static [Service] {
    match version {
        Version::V1 => &[],
        Version::V2 => &[Service::Redis, Service::Postgres],
        Version::V3 => &[Service::Kafka, Service::Postgres],
    }
}

fn check_settings(place: &str, settings: &BTreeMap<String, String>) -> Result<(), String> {
    let own = |name: &&String| OWN_SETTINGS.iter().any(|own| name.starts_with(own));
    if let Some(name) = settings.keys().find(own) {
        return Err(format!("setup.{place} has {name:?}, which the scenario sets itself"));
    }
    if let Some(name) = settings.keys().find(|name| !name.starts_with("COFFEE_RT_")) {
        return Err(format!(
            "setup.{place} has {name:?}: settings of a node begin with COFFEE_RT_"
        ));
    }
    Ok(())
}

impl RawSetup {
    /// Says what makes no sense.
    pub(super) fn check(&self) -> Result<(), String> {
        let settings = [("settings".to_owned(), &self.settings)].into_iter();
        let of_nodes = self.node_settings.iter();
        let of_nodes = of_nodes.map(|(number, settings)| (format!("node_settings.{number}"), settings));
        settings
            .chain(of_nodes)
            .try_for_each(|(place, settings)| check_settings(&place, settings))?;
        if !(1..=MAX_NODES).contains(&self.nodes) {
            return Err(format!(
                "setup.nodes must be between 1 and {MAX_NODES}, not {}",
                self.nodes
            ));
        }
        if self.stored_orders > MAX_STORED_ORDERS {
            return Err(format!("setup.stored_orders must be at most {MAX_STORED_ORDERS}"));
        }
        if self.disk_mb.is_some_and(|size| !(1..=MAX_DISK_MB).contains(&size)) {
            return Err(format!("setup.disk_mb must be between 1 and {MAX_DISK_MB}"));
        }
        for (name, count) in [("drinks", self.drinks), ("stores", self.stores)] {
            if count.is_some_and(|count| !(1..=MAX_MENU_ITEMS).contains(&count)) {
                return Err(format!("setup.{name} must be between 1 and {MAX_MENU_ITEMS}"));
            }
        }
        let has = |service| self.services.contains(&service);
        if self.nodes > 1 && !has(Service::Postgres) {
            return Err("several nodes need postgres: add it to setup.services".to_owned());
        }
        if let Some(part) = self.services.iter().find(|service| service.whole() != **service) {
            let (part, whole) = (part.name(), part.whole().name());
            return Err(format!(
                "{part} is a part of {whole}: add {whole} to setup.services in its place"
            ));
        }
        for version in &self.versions.0 {
            let needed = needed(*version);
            if !needed.iter().all(|service| has(*service)) {
                let names: Vec<_> = needed.iter().map(|service| service.name()).collect();
                let names = names.join(" and ");
                return Err(format!("{version} needs {names}: add them to setup.services"));
            }
        }
        if self.engine == Engine::Flink && !self.versions.0.contains(&Version::V3) {
            return Err("flink stores v3's orders: add v3 to setup.versions".to_owned());
        }
        if self.engine == Engine::Flink && !has(Service::Flink) {
            return Err("the engine flink needs flink: add it to setup.services".to_owned());
        }
        Ok(())
    }

    /// What each node is told beside the others, by its place from zero.
    pub(super) fn settings_by_node(&self) -> Result<BTreeMap<usize, BTreeMap<String, String>>, String> {
        let placed = self.node_settings.iter().map(|(number, settings)| {
            let place = number
                .parse()
                .map_err(|_| format!("setup.node_settings has {number:?}: name a node by its number"));
            let place: usize = place?;
            if *number != place.to_string() {
                return Err(format!("setup.node_settings has {number:?}: write {place}"));
            }
            Ok((node_index(place, self.nodes)?, settings.clone()))
        });
        placed.collect()
    }

    /// Runs this version in place of others, with the services that it needs.
    pub(super) fn run_only(&mut self, version: Version) {
        self.versions = Versions(vec![version]);
        needed(version).iter().for_each(|service| self.need(*service));
    }

    /// Has this engine store, with the services that it needs and without those that another one does.
    pub(super) fn store_by(&mut self, engine: Engine) {
        self.engine = engine;
        match engine {
            Engine::Actors => self.services.retain(|service| *service != Service::Flink),
            Engine::Flink => self.need(Service::Flink),
        }
    }

    fn need(&mut self, service: Service) {
        if !self.services.contains(&service) {
            self.services.push(service);
        }
    }

    /// What is sold, and where.
    pub(super) fn menu(&self) -> Menu {
        let usual = Menu::default();
        let named = |count: usize, what: &str| {
            (1..=count)
                .map(|number| Item::from(format!("{what}-{number}")))
                .collect()
        };
        Menu {
            drinks: self.drinks.map_or(usual.drinks, |count| named(count, "drink")),
            stores: self.stores.map_or(usual.stores, |count| named(count, "store")),
        }
    }
}
