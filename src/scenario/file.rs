//! The scenario file: TOML, refused with line and column where it makes no sense.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{ActorMode, Fault, NodeMode, Target};
use super::span::Span;
use super::threshold::Threshold;
use crate::config::{Version, Versions};
use crate::load::{Arrivals, DEFAULT_CONNECTIONS, MAX_ORDERS, Options, Pace, profile_named};

/// The most loads of one scenario.
pub const MAX_LOADS: usize = 32;
/// The most times that all faults of a scenario are injected together.
pub const MAX_FAULTS: usize = 1_000;
/// The longest stall that a node accepts.
const MAX_STALL: Duration = Duration::from_secs(5);

/// A scenario that makes sense.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, for people.
    pub about: String,
    /// Versions that the node runs.
    pub versions: Vec<Version>,
    /// Whether the node uses the services that the environment names, rather than an embedded database of its own.
    pub uses_services: bool,
    /// Settings of the node, as its environment has them.
    pub(super) settings: BTreeMap<String, String>,
    /// Who orders what and when.
    pub loads: Vec<Load>,
    /// Faults by their times.
    pub(super) faults: Vec<Fault>,
    /// What must hold of the loads.
    pub(super) thresholds: Vec<Threshold>,
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
    /// Its options, with a placeholder for the node's address.
    pub(super) options: Options,
}

/// What is wrong with a scenario's file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{reason}")]
pub struct FileError {
    place: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    about: String,
    #[serde(default)]
    setup: RawSetup,
    load: Vec<Spanned<RawLoad>>,
    #[serde(default)]
    fault: Vec<Spanned<RawFault>>,
    #[serde(default)]
    thresholds: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawSetup {
    versions: Versions,
    database: Database,
    settings: BTreeMap<String, String>,
}

impl Default for RawSetup {
    fn default() -> Self {
        Self {
            versions: Versions(vec![Version::V1]),
            database: Database::Embedded,
            settings: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Database {
    Embedded,
    Environment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLoad {
    name: String,
    version: Option<Version>,
    #[serde(default)]
    start: Span,
    duration: Span,
    rate: Option<f64>,
    to_rate: Option<f64>,
    #[serde(default)]
    arrivals: Arrivals,
    #[serde(default = "default_connections")]
    connections: usize,
    #[serde(default)]
    retry_refused: bool,
    #[serde(default)]
    profiles: BTreeMap<String, u32>,
}

fn default_connections() -> usize {
    DEFAULT_CONNECTIONS
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    at: Span,
    every: Option<Span>,
    times: Option<u32>,
    actor: Option<String>,
    node: Option<NodeMode>,
    mode: Option<ActorMode>,
    lasts: Option<Span>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let raw: RawScenario =
            toml::from_str(text).map_err(|error| FileError::new(text, error.span(), error.message()))?;
        let at = |span: Range<usize>| move |reason: String| FileError::new(text, Some(span), &reason);
        let versions = raw.setup.versions.0;
        if let Some(name) = raw.setup.settings.keys().find(|name| !name.starts_with("COFFEE_RT_")) {
            let reason = format!("setup.settings has {name:?}: settings of a node begin with COFFEE_RT_");
            return Err(FileError::new(text, None, &reason));
        }
        if !(1..=MAX_LOADS).contains(&raw.load.len()) {
            let reason = format!("a scenario needs 1 to {MAX_LOADS} loads, not {}", raw.load.len());
            return Err(FileError::new(text, None, &reason));
        }
        let (mut loads, mut names) = (Vec::new(), BTreeSet::new());
        for load in raw.load {
            let span = load.span();
            let load = load.into_inner().checked(&versions).map_err(at(span.clone()))?;
            if !names.insert(load.name.clone()) {
                return Err(at(span)(format!("there are two loads named {}", load.name)));
            }
            loads.push(load);
        }
        let mut faults = Vec::new();
        for fault in raw.fault {
            let span = fault.span();
            faults.extend(fault.into_inner().checked().map_err(at(span.clone()))?);
            if faults.len() > MAX_FAULTS {
                return Err(at(span)(format!(
                    "more than {MAX_FAULTS} faults are too many for one scenario"
                )));
            }
        }
        faults.sort_by_key(|fault| fault.at);
        let mut thresholds = Vec::new();
        for threshold in raw.thresholds {
            let span = threshold.span();
            let threshold = Threshold::parse(threshold.into_inner()).map_err(at(span.clone()))?;
            if !names.contains(&threshold.load) {
                return Err(at(span)(format!("there is no load named {:?}", threshold.load)));
            }
            thresholds.push(threshold);
        }
        Ok(Self {
            about: raw.about,
            versions,
            settings: raw.setup.settings,
            uses_services: raw.setup.database == Database::Environment,
            loads,
            faults,
            thresholds,
        })
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
        for fault in &mut self.faults {
            fault.at /= times;
        }
        self
    }
}

impl RawLoad {
    fn checked(self, versions: &[Version]) -> Result<Load, String> {
        let Some(version) = self.version.or_else(|| versions.first().copied()) else {
            return Err("no version runs".to_owned());
        };
        if !versions.contains(&version) {
            return Err(format!("the node does not run {version}: add it to setup.versions"));
        }
        let simple = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(simple) {
            return Err(format!(
                "the name {:?} has others than small letters, digits and dashes",
                self.name
            ));
        }
        let pace = match (self.rate, self.to_rate) {
            (Some(rate), None) => Pace::Open {
                rate_per_second: rate,
                arrivals: self.arrivals,
            },
            (Some(from), Some(to)) => Pace::Ramp {
                from_per_second: from,
                to_per_second: to,
                arrivals: self.arrivals,
            },
            (None, None) => Pace::Closed,
            (None, Some(_)) => return Err("to_rate is where rate goes to: add rate".to_owned()),
        };
        let mut profiles = Vec::new();
        for (name, share) in &self.profiles {
            let profile = profile_named(name).ok_or_else(|| format!("there is no profile {name:?}"))?;
            profiles.push((profile, *share));
        }
        let mut options = Options::new(placeholder());
        options.version = version;
        options.pace = pace;
        options.duration = Some(self.duration.0);
        options.count = matches!(pace, Pace::Closed).then_some(MAX_ORDERS);
        options.connections = self.connections;
        options.retry.repeat_refused = self.retry_refused;
        if !profiles.is_empty() {
            options.profiles = profiles;
        }
        options.validate().map_err(|error| error.to_string())?;
        Ok(Load {
            name: self.name,
            start: self.start.0,
            duration: self.duration.0,
            options,
        })
    }
}

/// Replaced by the node's address when the load starts.
#[expect(clippy::expect_used, reason = "the text is a constant")]
fn placeholder() -> url::Url {
    "http://127.0.0.1".parse().expect("a constant that is an address")
}

impl RawFault {
    /// Each time that it is injected.
    fn checked(self) -> Result<Vec<Fault>, String> {
        let target = match (self.actor, self.node) {
            (Some(path), None) => {
                let mode = self.mode.unwrap_or_default();
                if mode != ActorMode::Stall && self.lasts.is_some() {
                    return Err("lasts says how long an actor stalls: it needs mode = \"stall\"".to_owned());
                }
                if self.lasts.is_some_and(|lasts| lasts.0 > MAX_STALL) {
                    return Err(format!("an actor stalls for {MAX_STALL:?} at most"));
                }
                Target::Actor { path, mode }
            }
            (None, Some(node)) => {
                if self.mode.is_some() {
                    return Err("mode is what is done to an actor; a node is killed or paused by node".to_owned());
                }
                Target::Node(node)
            }
            _ => return Err("a fault hits one actor or the node: give actor or node".to_owned()),
        };
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
node = "kill"
lasts = "1s"
"#;

    #[test]
    fn a_file_becomes_loads_and_faults_by_their_times() {
        let scenario = Scenario::parse(SOUND).unwrap();
        let times: Vec<_> = scenario.faults.iter().map(|fault| fault.at.as_secs()).collect();
        assert_eq!(times, [2, 4, 5, 6]);
        assert_eq!(scenario.length(), Duration::from_secs(10));
        assert_eq!(scenario.versions, [Version::V1]);
        assert!(matches!(scenario.loads[0].options.pace, Pace::Ramp { .. }));
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
            ("customers.p99", "people.p99", "line 3, column 15", "no load named"),
            ("p99_ms < 100", "p98_ms < 100", "line 3, column 15", "choose from"),
            ("\"4s\"", "\"soon\"", "line 10, column 6", "no length of time"),
            ("times = 3", "times = 0", "line 9, column 1", "above zero"),
            ("times = 3", "times = 2000", "line 9, column 1", "too many"),
            ("every = \"1s\"", "", "line 9, column 1", "needs every"),
            (
                "actor = \"v1/batcher-0\"",
                "",
                "line 9, column 1",
                "one actor or the node",
            ),
            (
                "node = \"kill\"",
                "node = \"burn\"",
                "line 16, column 8",
                "unknown variant",
            ),
            (
                "duration = \"10s\"",
                "duration = \"10s\"\nversion = \"v2\"",
                "line 4, column 1",
                "setup.versions",
            ),
        ] {
            let error = Scenario::parse(&SOUND.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(why), "{to}: {error}");
        }
        assert!(Scenario::parse("about = \"x\"\nload = []").is_err());
    }
}
