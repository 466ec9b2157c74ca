//! What a scenario stands on: its services, the links to them, and its nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use coffee_rt_actors::domain::{Item, Menu};
use coffee_rt_actors::ports::Engine;
use futures_util::future::{join_all, try_join_all};
use url::Url;

use super::backlog::{BacklogOutcome, Stage};
use super::database::Database;
use super::disk::Disk;
use super::fault::Target;
use super::file::Scenario;
use super::fill::fill;
use super::host::{Host, Recipe};
use super::links::Links;
use super::partitions::until_all_are_read;
use super::processes::Running;
use super::services::{Service, Services};
use super::turns::{Turn, Turns};
use crate::config::{Config, Flags, Version};

/// The embedded database, which has a folder since it may be a disk, and the services' home, in the run's folder.
const DISK_FOLDER: &str = "data";
const DATABASE_FILE: &str = "data/coffee-rt.db";
const SERVICES_FOLDER: &str = "services";

/// How often it is looked whether all nodes live.
const NODES_POLL: Duration = Duration::from_millis(250);

/// Where a scenario runs.
#[derive(Clone, Debug)]
pub struct Environment {
    /// A node that is there, in place of those of the scenario's own.
    pub url: Option<Url>,
    /// Its operator's token.
    pub token: Option<String>,
    /// The program of a node that is started.
    pub program: PathBuf,
    /// The scenario's file: services are started by the checkout that it is in.
    pub file: PathBuf,
    /// Where such a node lives.
    pub folder: PathBuf,
    /// Decides who orders what and when.
    pub seed: u64,
    /// The command that repeats the run.
    pub repeat_with: String,
}

/// Everything that runs for a scenario.
pub(super) struct World {
    hosts: Vec<Host>,
    pub(super) links: Links,
    services: Option<Services>,
    disk: Option<Disk>,
    wanted: Vec<Service>,
    turns: Turns,
    drained: Option<BacklogOutcome>,
    /// Settings with which the nodes' store can be read.
    pub(super) settings: Config,
}

impl World {
    /// Starts what the scenario wants, and waits until it is ready and has stored its backlog.
    pub(super) async fn start(scenario: &Scenario, environment: &Environment, stage: &Stage) -> Result<Self, String> {
        if let Some(url) = &environment.url {
            return Self::there(scenario, url, environment.token.as_deref());
        }
        let linked: BTreeSet<_> = scenario
            .faults
            .iter()
            .filter_map(|fault| linked(&fault.target))
            .collect();
        let mut wanted = scenario.services.clone();
        if !linked.is_empty() {
            wanted.push(Service::Toxiproxy);
        }
        let (mut services, mut links) = (None, Links::none());
        let mut settings = Config {
            sqlite_path: environment.folder.join(DATABASE_FILE),
            menu: scenario.menu.clone(),
            ..Config::default()
        };
        if !wanted.is_empty() {
            let up = Services::up(
                &wanted,
                scenario.disk_mb,
                &environment.file,
                &environment.folder.join(SERVICES_FOLDER),
            )
            .await?;
            links = Links::before(linked, &up).await?;
            if wanted.contains(&Service::Postgres) {
                settings.database_url = Some(up.address(Service::Postgres)?.into());
            }
            if wanted.contains(&Service::Kafka) {
                settings.kafka_bootstrap_servers = Some(up.address(Service::Kafka)?.to_owned());
            }
            services = Some(up);
        }
        let disk = match scenario.disk_mb.filter(|_| settings.database_url.is_none()) {
            Some(size) => Some(Disk::up(&environment.folder.join(DISK_FOLDER), size, &environment.file).await?),
            None => None,
        };
        let given = given(scenario, services.as_ref(), &links)?;
        let recipe = |number: usize| {
            let mut settings = given.clone();
            settings.extend(scenario.node_settings.get(&number).cloned().unwrap_or_default());
            Recipe {
                program: environment.program.clone(),
                folder: environment.folder.clone(),
                log: format!("{}.log", node_name(number)),
                settings,
            }
        };
        if scenario.stored_orders > 0 || scenario.backlog.is_some() {
            recipe(0).run(&["migrate"]).await?;
        }
        if scenario.stored_orders > 0 {
            let url = settings.database_url.as_ref().map(|url| url.reveal());
            let filled = fill(url, &settings.sqlite_path, scenario.stored_orders).await;
            filled.map_err(|error| format!("orders could not be stored: {error}"))?;
        }
        let orders = match &scenario.backlog {
            Some(backlog) => backlog.write(&settings, environment.seed, stage).await?,
            None => 0,
        };
        let hosts = (0..scenario.nodes).map(|number| Host::start(recipe(number)));
        let mut world = Self {
            hosts: hosts.collect::<Result<_, _>>()?,
            links,
            services,
            disk,
            wanted,
            turns: Turns::default(),
            drained: None,
            settings,
        };
        world.drained = world.until_ready(scenario, orders, stage).await?;
        Ok(world)
    }

    /// Waits until orders can be placed, and until the backlog is stored, where there is one.
    async fn until_ready(
        &self,
        scenario: &Scenario,
        orders: u64,
        stage: &Stage,
    ) -> Result<Option<BacklogOutcome>, String> {
        let ready = try_join_all(self.hosts.iter().map(Host::until_ready));
        let Some(backlog) = &scenario.backlog else {
            ready.await?;
            if scenario.versions.contains(&Version::V3) && scenario.engine == Engine::Actors {
                until_all_are_read(&self.hosts).await?;
            }
            return Ok(None);
        };
        let drained = async { tokio::try_join!(ready, backlog.drained(self, orders, stage)) };
        tokio::select! {
            drained = drained => Ok(Some(drained?.1)),
            ended = self.until_a_node_ends() => Err(ended),
        }
    }

    /// A node that is there.
    fn there(scenario: &Scenario, url: &Url, token: Option<&str>) -> Result<Self, String> {
        let has_own = scenario.nodes > 1 || scenario.stored_orders > 0 || scenario.menu != Menu::default();
        if has_own || scenario.backlog.is_some() || scenario.engine != Engine::Actors {
            let own = "several nodes, stored orders, a backlog, another engine or a menu of its own";
            return Err(format!(
                "a scenario with {own} starts its nodes itself: leave --url away"
            ));
        }
        Ok(Self {
            hosts: vec![Host::there(url.clone(), token)?],
            links: Links::none(),
            services: None,
            disk: None,
            wanted: Vec::new(),
            turns: Turns::default(),
            drained: None,
            settings: Config::load(&Flags::default()).map_err(|error| error.to_string())?,
        })
    }

    /// How the backlog was stored, where there was one.
    pub(super) fn drained(&self) -> Option<&BacklogOutcome> {
        self.drained.as_ref()
    }

    /// A node by its number from zero.
    pub(super) fn host(&self, number: usize) -> &Host {
        &self.hosts[number]
    }

    /// All nodes.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter()
    }

    /// Never returns while all nodes live. Says how the first one ended that did so by itself.
    pub(super) async fn until_a_node_ends(&self) -> String {
        loop {
            tokio::time::sleep(NODES_POLL).await;
            if let Some(ended) = self.hosts.iter().find_map(Host::ended) {
                return ended;
            }
        }
    }

    /// Waits until no other fault disturbs the same thing, where only one can.
    pub(super) async fn turn(&self, target: &Target) -> Option<Turn> {
        Some(self.turns.of(target.exclusive()?).await)
    }

    /// The services that the scenario started.
    pub(super) fn services(&self) -> Result<&Services, String> {
        let none = || "only services that the scenario starts can be disturbed: leave --url away".to_owned();
        self.services.as_ref().ok_or_else(none)
    }

    /// The disk of the embedded database.
    pub(super) fn disk(&self) -> Result<&Disk, String> {
        let none = || "only the disk of a node that the scenario starts can be filled: leave --url away".to_owned();
        self.disk.as_ref().ok_or_else(none)
    }

    /// The store of those who read a topic that is the scenario's own and keep accounts of it: a job on Flink keeps none.
    pub(super) fn store_of_topic(&self) -> Option<&str> {
        let url = self.settings.database_url.as_ref()?;
        let wanted = |service| self.wanted.contains(&service);
        (wanted(Service::Kafka) && !wanted(Service::Flink)).then(|| url.reveal())
    }

    /// Its own PostgreSQL.
    pub(super) fn database(&self) -> Result<Database<'_>, String> {
        self.services()?.address(Service::Postgres).map(Database)
    }

    /// What runs for it: names, and processes where they run now.
    pub(super) fn processes(&self) -> Vec<Running> {
        let hosts = self.hosts.iter().enumerate().filter(|(_, host)| host.is_own());
        let hosts = hosts.map(|(number, host)| (node_name(number), host.process()));
        let services = self.services.iter().flat_map(|services| {
            let own = self.wanted.iter().filter(|service| **service != Service::Toxiproxy);
            let instances = own.flat_map(|service| service.instances());
            instances.map(|instance| (instance.to_owned(), services.process(instance)))
        });
        hosts.chain(services).collect()
    }

    /// Ends everything, in good order where that is possible. Says what went wrong first.
    pub(super) async fn stop(self) -> Result<(), String> {
        if let Some(services) = &self.services {
            // A node that waits for a store that stands still would not end.
            services.wake();
        }
        let hosts = join_all(self.hosts.into_iter().map(Host::stop)).await;
        let ended = hosts.into_iter().collect::<Result<(), _>>();
        let ended = match self.services {
            Some(services) => ended.and(services.down().await),
            None => ended,
        };
        match self.disk {
            Some(disk) => ended.and(disk.down().await),
            None => ended,
        }
    }
}

/// `node`, `node-2` and so on, as thresholds and reports name them.
pub(super) fn node_name(number: usize) -> String {
    if number == 0 {
        "node".to_owned()
    } else {
        format!("node-{}", number + 1)
    }
}

fn linked(target: &Target) -> Option<Service> {
    match target {
        Target::Link { service, .. } => Some(*service),
        _ => None,
    }
}

/// The nodes' settings.
fn given(scenario: &Scenario, services: Option<&Services>, links: &Links) -> Result<BTreeMap<String, String>, String> {
    let versions: Vec<_> = scenario.versions.iter().map(Version::to_string).collect();
    let mut given = BTreeMap::from([
        ("COFFEE_RT_VERSIONS".to_owned(), versions.join(",")),
        ("COFFEE_RT_SQLITE_PATH".to_owned(), DATABASE_FILE.to_owned()),
    ]);
    if let Some(services) = services {
        for service in &scenario.services {
            let address = links.address(*service).map_or_else(|| services.address(*service), Ok)?;
            for (number, name) in service.variables().iter().enumerate() {
                let told = services.variables.get(*name).map(String::as_str);
                let value = if number == 0 { Some(address) } else { told };
                given.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
            }
        }
    }
    if scenario.engine != Engine::Actors {
        given.insert("COFFEE_RT_V3__ENGINE".to_owned(), scenario.engine.name().to_owned());
    }
    if scenario.menu != Menu::default() {
        let list = |items: &[Item]| format!("[{}]", items.join(", "));
        given.insert("COFFEE_RT_MENU__DRINKS".to_owned(), list(&scenario.menu.drinks));
        given.insert("COFFEE_RT_MENU__STORES".to_owned(), list(&scenario.menu.stores));
    }
    given.extend(scenario.settings.clone());
    Ok(given)
}
