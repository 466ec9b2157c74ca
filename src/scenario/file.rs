//! The scenario file: TOML, refused with line and column where it makes no sense.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use coffee_rt_actors::domain::Menu;
use coffee_rt_actors::ports::Engine;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::backlog::{Backlog, NAME as BACKLOG};
use super::breakpoint::Goal;
use super::expression::Expression;
use super::fault::Fault;
use super::services::Service;
use super::threshold::{Kind, Threshold};
use super::viewers::Viewer;
use super::world::node_name;
use crate::config::Version;
use crate::load::{MAX_PROFILES, Options};

mod backlog;
mod error;
mod experiment;
mod fault;
mod length;
mod load;
mod profile;
mod setup;
mod viewer;

pub use error::FileError;
pub use experiment::{Choice, Planned};
pub use setup::MAX_STORED_ORDERS;

use backlog::RawBacklog;
use error::{each, each_after};
use experiment::RawExperiment;
use fault::RawFault;
use length::{all_orders, last_order};
use load::{RawLoad, Town};
use profile::RawProfile;
use setup::RawSetup;
use viewer::{RawReader, RawSubscriber};

/// The most loads, and the most groups of viewers, of one scenario.
pub const MAX_LOADS: usize = 32;
/// The most times that all faults of a scenario are injected together.
pub const MAX_FAULTS: usize = 1_000;
/// The most nodes of one scenario.
pub const MAX_NODES: usize = 8;
/// The most commands that a scenario runs at its end.
pub const MAX_ROLLBACKS: usize = 16;

/// A scenario that makes sense.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, for people.
    pub about: String,
    /// What it is to find out, and on which versions.
    pub experiment: Option<Planned>,
    /// Versions that the nodes run.
    pub versions: Vec<Version>,
    /// Who stores v3's orders.
    pub engine: Engine,
    /// Services that are started for it; a node without PostgreSQL has an embedded database.
    pub services: Vec<Service>,
    /// How many nodes are started.
    pub nodes: usize,
    /// Orders that are there before.
    pub stored_orders: u64,
    /// Records that are in the topic before.
    pub(super) backlog: Option<Backlog>,
    /// How large the disks of embedded database and services are, where they are of their own.
    pub(super) disk_mb: Option<u32>,
    /// What is sold.
    pub(super) menu: Menu,
    /// Settings of the nodes, as their environment has them.
    pub(super) settings: BTreeMap<String, String>,
    /// Those of single nodes, by their place from zero.
    pub(super) node_settings: BTreeMap<usize, BTreeMap<String, String>>,
    /// Who orders what and when.
    pub loads: Vec<Load>,
    /// Who looks on.
    pub(super) viewers: Vec<Viewer>,
    /// Faults by their times.
    pub(super) faults: Vec<Fault>,
    /// What must hold before and after.
    pub(super) steady_state: Vec<Expression>,
    /// What must hold of the run.
    pub(super) thresholds: Vec<Threshold>,
    /// Commands that are run at the end, whatever happened.
    pub(super) rollback: Vec<Vec<String>>,
}

/// Customers of one kind and time.
#[derive(Clone, Debug)]
pub struct Load {
    /// As thresholds and reports name it.
    pub name: String,
    /// From the scenario's start to its first order.
    pub start: Duration,
    /// For how long orders are due.
    pub duration: Duration,
    /// Whose customers they are, from zero.
    pub(super) node: usize,
    /// Whether the other nodes get their part as well, while they are ready.
    pub(super) balanced: bool,
    /// Its options, with a placeholder for the node's address.
    pub(super) options: Options,
    /// Where the highest sustained rate is looked for.
    pub(super) goal: Option<Goal>,
    /// Whose breakpoint decides on the rate.
    pub(super) follows: Option<Follows>,
}

/// A load that begins when another one's breakpoint is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Follows {
    /// The other one's place.
    pub(super) load: usize,
    /// Of the rate that was found.
    pub(super) share: f64,
}

/// Load, faults and checks.
#[derive(Deserialize, JsonSchema)]
#[schemars(title = "Coffee-RT scenario")]
#[serde(deny_unknown_fields)]
struct RawScenario {
    /// What it shows, for people.
    about: String,
    /// What it is to find out, for SCALE.md.
    experiment: Option<RawExperiment>,
    /// What it runs on.
    #[serde(default)]
    setup: RawSetup,
    /// Kinds of customers, beside those that are known: commuter, regular, office-run and tourist.
    #[serde(default)]
    #[schemars(with = "Vec<RawProfile>")]
    profile: Vec<Spanned<RawProfile>>,
    /// What is in v3's topic when the nodes start; the loads begin when it is stored.
    backlog: Option<RawBacklog>,
    /// Who orders what, and when.
    #[schemars(with = "Vec<RawLoad>")]
    load: Vec<Spanned<RawLoad>>,
    /// Who looks on at the dashboard's socket.
    #[serde(default)]
    #[schemars(with = "Vec<RawSubscriber>")]
    subscriber: Vec<Spanned<RawSubscriber>>,
    /// Who asks for the dashboard again and again.
    #[serde(default)]
    #[schemars(with = "Vec<RawReader>")]
    reader: Vec<Spanned<RawReader>>,
    /// What is done to whom, and when.
    #[serde(default)]
    #[schemars(with = "Vec<RawFault>")]
    fault: Vec<Spanned<RawFault>>,
    /// What must hold of the first node before the loads and after them: ready, lag, backlog, in_flight, or a metric's name,
    /// such as "lag <= 0".
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    steady_state: Vec<Spanned<String>>,
    /// What must hold of loads, viewers and processes, such as "customers.p99_ms < 100".
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    thresholds: Vec<Spanned<String>>,
    /// Commands with their arguments that are run at the end, also after Ctrl-C.
    #[serde(default)]
    rollback: Vec<Vec<String>>,
}

fn one() -> usize {
    1
}

/// What the scenario's names stand for.
#[derive(Default)]
struct Names(BTreeMap<String, Kind>);

impl Names {
    fn add(&mut self, name: &str, kind: Kind) -> Result<(), String> {
        check_name(name)?;
        match self.0.insert(name.to_owned(), kind) {
            Some(_) => Err(format!("there are two named {name}")),
            None => Ok(()),
        }
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let simple = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(simple) {
        return Err(format!(
            "the name {name:?} has others than small letters, digits and dashes"
        ));
    }
    Ok(())
}

/// Nodes count from one in files, from zero here.
fn node_index(number: usize, nodes: usize) -> Result<usize, String> {
    let index = number.checked_sub(1).filter(|index| *index < nodes);
    index.ok_or_else(|| format!("there is no node {number}: setup.nodes says how many there are ({nodes})"))
}

/// Each time of each fault, in their order. None comes when the last load is over.
fn all_faults(
    text: &str,
    raw: Vec<Spanned<RawFault>>,
    setup: &RawSetup,
    over: Duration,
) -> Result<Vec<Fault>, FileError> {
    let mut so_many = 0;
    let faults = each(text, raw, |fault| {
        let faults = fault.checked(setup)?;
        so_many += faults.len();
        let too_many = || format!("more than {MAX_FAULTS} faults are too many for one scenario");
        if so_many > MAX_FAULTS {
            Err(too_many())
        } else {
            Ok(faults)
        }
    })?;
    let mut faults: Vec<Fault> = faults.into_iter().flatten().collect();
    faults.sort_by_key(|fault| fault.at);
    if let Some(late) = faults.last().filter(|fault| fault.at >= over) {
        let at = late.at;
        let reason = format!("a fault at {at:?} proves nothing: the last load is over after {over:?}");
        return Err(FileError::new(text, None, &reason));
    }
    Ok(faults)
}

impl Scenario {
    /// Reads a scenario, with what is chosen in the place of what it names.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(text: &str, choice: Choice) -> Result<Self, FileError> {
        let raw: RawScenario =
            toml::from_str(text).map_err(|error| FileError::new(text, error.span(), error.message()))?;
        let complain = |reason: String| FileError::new(text, None, &reason);
        let mut setup = raw.setup;
        setup.services.sort_unstable();
        setup.services.dedup();
        if let Some(version) = choice.version {
            setup.run_only(version);
        }
        if let Some(engine) = choice.engine {
            setup.store_by(engine);
        }
        setup.check().map_err(complain)?;
        if !(1..=MAX_LOADS).contains(&raw.load.len()) {
            return Err(complain(format!(
                "a scenario needs 1 to {MAX_LOADS} loads, not {}",
                raw.load.len()
            )));
        }
        if raw.subscriber.len() + raw.reader.len() > MAX_LOADS {
            return Err(complain(format!(
                "a scenario has {MAX_LOADS} groups of viewers at most"
            )));
        }
        if raw.rollback.len() > MAX_ROLLBACKS || raw.rollback.iter().any(Vec::is_empty) {
            return Err(complain(format!(
                "rollback has {MAX_ROLLBACKS} commands at most, and no empty one"
            )));
        }
        let mut names = Names::default();
        let processes = (0..setup.nodes).map(node_name);
        let instances = setup.services.iter().flat_map(|service| service.instances());
        let processes = processes.chain(instances.map(str::to_owned));
        names.0.extend(processes.map(|name| (name, Kind::Process)));
        let (versions, nodes) = (&setup.versions.0, setup.nodes);
        let menu = setup.menu();
        let backlog = raw.backlog.map(|backlog| backlog.checked(&setup));
        let backlog = backlog.transpose().map_err(complain)?;
        names.0.extend(backlog.map(|_| (BACKLOG.to_owned(), Kind::Backlog)));
        if raw.profile.len() > MAX_PROFILES {
            return Err(complain(format!(
                "a scenario has {MAX_PROFILES} profiles of its own at most"
            )));
        }
        let profiles = each_after(text, raw.profile, |profile, earlier| profile.checked(&menu, earlier))?;
        let town = Town {
            versions,
            nodes,
            menu: &menu,
            profiles: &profiles,
        };
        let loads = each_after(text, raw.load, |load, earlier| load.checked(&town, earlier, &mut names))?;
        all_orders(&loads).map_err(complain)?;
        let mut viewers = each(text, raw.subscriber, |subscriber| subscriber.checked(nodes, &mut names))?;
        viewers.extend(each(text, raw.reader, |reader| reader.checked(nodes, &mut names))?);
        let faults = all_faults(text, raw.fault, &setup, last_order(&loads))?;
        let node_settings = setup.settings_by_node().map_err(complain)?;
        let experiment = raw.experiment.map(|raw| raw.checked(versions, setup.engine));
        let experiment = experiment.transpose().map_err(complain)?;
        let kind = |name: &str| names.0.get(name).copied();
        Ok(Self {
            about: raw.about,
            experiment,
            loads,
            viewers,
            faults,
            steady_state: each(text, raw.steady_state, |text| Expression::parse(&text))?,
            thresholds: each(text, raw.thresholds, |text| Threshold::parse(&text, kind))?,
            rollback: raw.rollback,
            versions: setup.versions.0,
            engine: setup.engine,
            backlog,
            services: setup.services,
            nodes: setup.nodes,
            stored_orders: setup.stored_orders,
            disk_mb: setup.disk_mb,
            menu,
            settings: setup.settings,
            node_settings,
        })
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn schema() -> Value {
        schemars::schema_for!(RawScenario).to_value()
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests;
