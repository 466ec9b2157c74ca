//! The scenario file: TOML, refused with line and column where it makes no sense.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::breakpoint::Goal;
use super::expression::Expression;
use super::fault::Fault;
use super::services::Service;
use super::threshold::{Kind, Threshold};
use super::viewers::Viewer;
use super::world::node_name;
use crate::config::{Version, Versions};
use crate::load::Options;

mod fault;
mod load;
mod viewer;

use fault::RawFault;
use load::RawLoad;
use viewer::{RawReader, RawSubscriber};

/// The most loads, and the most groups of viewers, of one scenario.
pub const MAX_LOADS: usize = 32;
/// The most times that all faults of a scenario are injected together.
pub const MAX_FAULTS: usize = 1_000;
/// The most nodes of one scenario.
pub const MAX_NODES: usize = 8;
/// The most commands that a scenario runs at its end.
pub const MAX_ROLLBACKS: usize = 16;

/// Settings that say where a node is, what it runs on and what it sells.
const OWN_SETTINGS: [&str; 8] = [
    "COFFEE_RT_VERSIONS",
    "COFFEE_RT_LISTEN",
    "COFFEE_RT_DATABASE_URL",
    "COFFEE_RT_SQLITE_PATH",
    "COFFEE_RT_REDIS_URL",
    "COFFEE_RT_KAFKA_BOOTSTRAP_SERVERS",
    "COFFEE_RT_ADMIN_TOKEN",
    "COFFEE_RT_MENU",
];

/// A scenario that makes sense.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, for people.
    pub about: String,
    /// Versions that the nodes run.
    pub versions: Vec<Version>,
    /// Services that are started for it; a node without PostgreSQL has an embedded database.
    pub services: Vec<Service>,
    /// How many nodes are started.
    pub nodes: usize,
    /// Settings of the nodes, as their environment has them.
    pub(super) settings: BTreeMap<String, String>,
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
    /// Its options, with a placeholder for the node's address.
    pub(super) options: Options,
    /// Where the highest sustained rate is looked for.
    pub(super) goal: Option<Goal>,
}

/// What is wrong with a scenario's file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{reason}")]
pub struct FileError {
    place: String,
    reason: String,
}

/// Load, faults and checks.
#[derive(Deserialize, JsonSchema)]
#[schemars(title = "Coffee-RT scenario")]
#[serde(deny_unknown_fields)]
struct RawScenario {
    /// What it shows, for people.
    about: String,
    /// What it runs on.
    #[serde(default)]
    setup: RawSetup,
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

/// What a scenario runs on.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RawSetup {
    /// Architecture versions that the nodes run.
    #[schemars(with = "Vec<String>")]
    versions: Versions,
    /// Services that are started for the run; without postgres, a node has an embedded database.
    services: Vec<Service>,
    /// Nodes that are started for the run.
    nodes: usize,
    /// Settings of the nodes: COFFEE_RT_*.
    settings: BTreeMap<String, String>,
}

impl Default for RawSetup {
    fn default() -> Self {
        Self {
            versions: Versions(vec![Version::V1]),
            services: Vec::new(),
            nodes: 1,
            settings: BTreeMap::new(),
        }
    }
}

fn one() -> usize {
    1
}

/// What the scenario's names stand for.
#[derive(Default)]
struct Names(BTreeMap<String, Kind>);

impl Names {
    fn add(&mut self, name: &str, kind: Kind) -> Result<(), String> {
        let simple = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(simple) {
            return Err(format!(
                "the name {name:?} has others than small letters, digits and dashes"
            ));
        }
        match self.0.insert(name.to_owned(), kind) {
            Some(_) => Err(format!("there are two named {name}")),
            None => Ok(()),
        }
    }
}

/// Nodes count from one in files, from zero here.
fn node_index(number: usize, nodes: usize) -> Result<usize, String> {
    let index = number.checked_sub(1).filter(|index| *index < nodes);
    index.ok_or_else(|| format!("there is no node {number}: setup.nodes says how many there are ({nodes})"))
}

/// The services without which a version does not run.
const fn needed(version: Version) -> &'static [Service] {
    match version {
        Version::V1 => &[],
        Version::V2 => &[Service::Redis, Service::Postgres],
        Version::V3 => &[Service::Kafka, Service::Postgres],
    }
}

impl RawSetup {
    fn check(&self) -> Result<(), String> {
        let own = |name: &&String| OWN_SETTINGS.iter().any(|own| name.starts_with(own));
        if let Some(name) = self.settings.keys().find(own) {
            return Err(format!("setup.settings has {name:?}, which the scenario sets itself"));
        }
        if let Some(name) = self.settings.keys().find(|name| !name.starts_with("COFFEE_RT_")) {
            return Err(format!(
                "setup.settings has {name:?}: settings of a node begin with COFFEE_RT_"
            ));
        }
        if !(1..=MAX_NODES).contains(&self.nodes) {
            return Err(format!(
                "setup.nodes must be between 1 and {MAX_NODES}, not {}",
                self.nodes
            ));
        }
        let has = |service| self.services.contains(&service);
        if self.nodes > 1 && !has(Service::Postgres) {
            return Err("several nodes need postgres: add it to setup.services".to_owned());
        }
        for version in &self.versions.0 {
            let needed = needed(*version);
            if !needed.iter().all(|service| has(*service)) {
                let names: Vec<_> = needed.iter().map(|service| service.name()).collect();
                let names = names.join(" and ");
                return Err(format!("{version} needs {names}: add them to setup.services"));
            }
        }
        Ok(())
    }

    fn run_only(&mut self, version: Version) {
        self.versions = Versions(vec![version]);
        for service in needed(version) {
            if !self.services.contains(service) {
                self.services.push(*service);
            }
        }
    }
}

impl Scenario {
    /// Reads a scenario; of a version, in place of those that it names, with the services that this one needs.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(text: &str, version: Option<Version>) -> Result<Self, FileError> {
        let raw: RawScenario =
            toml::from_str(text).map_err(|error| FileError::new(text, error.span(), error.message()))?;
        let complain = |reason: String| FileError::new(text, None, &reason);
        let mut setup = raw.setup;
        setup.services.sort_unstable();
        setup.services.dedup();
        if let Some(version) = version {
            setup.run_only(version);
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
        let processes = processes.chain(setup.services.iter().map(|service| service.name().to_owned()));
        names.0.extend(processes.map(|name| (name, Kind::Process)));
        let (versions, nodes) = (&setup.versions.0, setup.nodes);
        let loads = each(text, raw.load, |load| load.checked(versions, nodes, &mut names))?;
        let mut viewers = each(text, raw.subscriber, |subscriber| subscriber.checked(nodes, &mut names))?;
        viewers.extend(each(text, raw.reader, |reader| reader.checked(nodes, &mut names))?);
        let mut so_many = 0;
        let faults = each(text, raw.fault, |fault| {
            let faults = fault.checked(&setup)?;
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
        let over = loads
            .iter()
            .map(|load| load.start + load.duration)
            .max()
            .unwrap_or_default();
        if let Some(late) = faults.last().filter(|fault| fault.at >= over) {
            let at = late.at;
            return Err(complain(format!(
                "a fault at {at:?} proves nothing: the last load is over after {over:?}"
            )));
        }
        let kind = |name: &str| names.0.get(name).copied();
        Ok(Self {
            about: raw.about,
            loads,
            viewers,
            faults,
            steady_state: each(text, raw.steady_state, |text| Expression::parse(&text))?,
            thresholds: each(text, raw.thresholds, |text| Threshold::parse(&text, kind))?,
            rollback: raw.rollback,
            versions: setup.versions.0,
            services: setup.services,
            nodes: setup.nodes,
            settings: setup.settings,
        })
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn schema() -> Value {
        schemars::schema_for!(RawScenario).to_value()
    }

    /// From the start to the last order and the last fault.
    #[must_use]
    pub fn length(&self) -> Duration {
        let loads = self.loads.iter().map(|load| load.start + load.duration);
        loads
            .chain(self.faults.iter().map(|fault| fault.at))
            .max()
            .unwrap_or_default()
    }

    /// The same scenario with each time divided: loads are shorter, and faults come earlier. How long a fault lasts stays.
    #[must_use]
    pub fn shortened(mut self, times: u32) -> Self {
        let times = times.max(1);
        for load in &mut self.loads {
            load.start /= times;
            load.duration /= times;
            load.options.duration = Some(load.duration);
        }
        for viewer in &mut self.viewers {
            viewer.start /= times;
            viewer.duration = viewer.duration.map(|duration| duration / times);
        }
        for fault in &mut self.faults {
            fault.at /= times;
        }
        self
    }
}

/// Checks each of several, and says where the first is that makes no sense.
fn each<R, T>(
    text: &str,
    raw: Vec<Spanned<R>>,
    mut check: impl FnMut(R) -> Result<T, String>,
) -> Result<Vec<T>, FileError> {
    let checked = raw.into_iter().map(|raw| {
        let span = raw.span();
        check(raw.into_inner()).map_err(|reason| FileError::new(text, Some(span), &reason))
    });
    checked.collect()
}

impl FileError {
    fn new(text: &str, span: Option<Range<usize>>, reason: &str) -> Self {
        let place = span.map(|span| {
            let before = text.get(..span.start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}: ")
        });
        Self {
            place: place.unwrap_or_default(),
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Pace;

    const SOUND: &str = r#"
about = "shows it"
thresholds = ["customers.p99_ms < 100"]
[[load]]
name = "customers"
duration = "10s"
rate = 50
to_rate = 500
[[fault]]
at = "4s"
actor = "v1/batcher-0"
times = 3
every = "1s"
[[fault]]
at = "2s"
node = 1
lasts = "1s"
"#;

    #[test]
    fn a_file_becomes_loads_and_faults_by_their_times() {
        let scenario = Scenario::parse(SOUND, None).unwrap();
        let times: Vec<_> = scenario.faults.iter().map(|fault| fault.at.as_secs()).collect();
        assert_eq!(times, [2, 4, 5, 6]);
        assert_eq!(scenario.length(), Duration::from_secs(10));
        assert_eq!(scenario.versions, [Version::V1]);
        assert!(matches!(scenario.loads[0].options.pace, Pace::Ramp { .. }));
        let other = Scenario::parse(
            &SOUND.replace("[[load]]", "[setup]\nversions = [\"v1\", \"v3\"]\n[[load]]"),
            Some(Version::V2),
        );
        let other = other.unwrap();
        assert_eq!(other.versions, [Version::V2]);
        assert_eq!(other.services, [Service::Redis, Service::Postgres]);
        assert_eq!(other.loads[0].options.version, Version::V2);
        let shorter = scenario.shortened(5);
        assert_eq!(shorter.length(), Duration::from_secs(2));
        assert_eq!(shorter.faults[1].at, Duration::from_millis(800));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (from, to, place, why) in [
            ("rate = 50", "rat = 50", "line 7, column 1", "unknown field `rat`"),
            ("rate = 50", "rate = -1", "line 4, column 1", "rate must be above 0"),
            ("rate = 50\nto", "to", "line 4, column 1", "add rate"),
            (
                "customers.p99",
                "people.p99",
                "line 3, column 15",
                "no load, subscriber",
            ),
            ("p99_ms < 100", "p98_ms < 100", "line 3, column 15", "choose from"),
            ("\"4s\"", "\"soon\"", "line 10, column 6", "no length of time"),
            ("times = 3", "times = 0", "line 9, column 1", "above zero"),
            ("times = 3", "times = 2000", "line 9, column 1", "too many"),
            ("every = \"1s\"", "", "line 9, column 1", "needs every"),
            ("actor = \"v1/batcher-0\"", "", "line 9, column 1", "give one of actor"),
            ("node = 1", "node = 2", "line 14, column 1", "nodes"),
            (
                "duration = \"10s\"",
                "duration = \"10s\"\nversion = \"v2\"",
                "line 4, column 1",
                "setup.versions",
            ),
        ] {
            let error = Scenario::parse(&SOUND.replacen(from, to, 1), None)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(place) && error.contains(why), "{to}: {error}");
        }
        for (setup, why) in [
            ("versions = [\"v2\"]", "v2 needs redis and postgres"),
            ("services = [\"mysql\"]", "unknown variant"),
            ("nodes = 2", "several nodes need postgres"),
            ("nodes = 9", "between 1 and"),
            ("settings = { PATH = \"/\" }", "begin with COFFEE_RT_"),
            ("settings = { COFFEE_RT_SQLITE_PATH = \"/x\" }", "sets itself"),
        ] {
            let error = Scenario::parse(&format!("{SOUND}[setup]\n{setup}"), None)
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{setup}: {error}");
        }
        for (fault, why) in [
            ("service = \"redis\"", "add \"redis\" to setup.services"),
            (
                "service = \"postgres\"\nmode = \"panic\"",
                "panic cannot be done to a service",
            ),
            ("link = \"postgres\"", "give one of latency"),
            (
                "link = \"postgres\"\ncut = true\nlatency = \"1s\"",
                "give one of latency",
            ),
            ("lock_table = \"orders; DROP\"", "is no table"),
            ("lock_table = \"orders\"\ncut = true", "are for a link"),
            ("hold_connections = 0", "between 1 and"),
            (
                "actor = \"v1/ingest\"\nmode = \"stop\"",
                "stop cannot be done to an actor",
            ),
            ("actor = \"v1/ingest\"\nlasts = \"1s\"", "stalls"),
        ] {
            let setup = "[setup]\nservices = [\"postgres\"]";
            let text = format!("{SOUND}{setup}\n[[fault]]\nat = \"1s\"\n{fault}");
            let error = Scenario::parse(&text, None).unwrap_err().to_string();
            assert!(error.contains(why), "{fault}: {error}");
        }
        assert!(Scenario::parse("about = \"x\"\nload = []", None).is_err());
    }
}
