//! `[experiment]`: what a scenario is to find out, and on what it is run for that.

use coffee_rt_actors::ports::Engine;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{Version, Versions};
use crate::scenario::experiment::{Chart, Experiment};

/// An experiment, and on which versions and engines it is run.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What it is to find out.
    pub experiment: Experiment,
    /// Each of them,
    pub versions: Vec<Version>,
    /// and of v3 each of these.
    pub engines: Vec<Engine>,
    /// Who stores where nothing is chosen.
    usual: Engine,
}

/// What is run in the place of what a file names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// With the services that it needs.
    pub version: Option<Version>,
    /// With the services that it needs.
    pub engine: Option<Engine>,
}

impl Choice {
    /// Such as `v3` or `v3-flink`; nothing where nothing is chosen.
    #[must_use]
    pub fn name(&self) -> String {
        let engine = self.engine.filter(|engine| *engine != Engine::Actors);
        let parts = [self.version.map(Version::name), engine.map(Engine::name)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("-")
    }
}

impl Planned {
    /// Each of the versions, and v3 with each engine.
    pub fn choices(&self) -> impl Iterator<Item = Choice> + '_ {
        self.versions.iter().flat_map(|version| {
            let only = [Engine::Actors];
            let engines = if *version == Version::V3 { &*self.engines } else { &only };
            let choice = |engine: &Engine| Choice {
                version: Some(*version),
                // What would happen anyway is not said.
                engine: Some(*engine).filter(|engine| *engine != self.usual || self.engines.len() > 1),
            };
            engines.iter().map(choice).collect::<Vec<_>>()
        })
    }
}

/// What a scenario is to find out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExperiment {
    /// What is expected, in a sentence or two, and why.
    hypothesis: String,
    /// The plot that shows it.
    #[serde(default)]
    plot: Chart,
    /// Versions on which it is run for SCALE.md: the first of setup.versions unless told.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    versions: Option<Versions>,
    /// Engines that store v3's orders there: setup.engine unless told.
    #[schemars(with = "Option<Vec<String>>")]
    engines: Option<Vec<Engine>>,
}

impl RawExperiment {
    pub(super) fn checked(self, versions: &[Version], usual: Engine) -> Result<Planned, String> {
        let Self { hypothesis, plot, .. } = self;
        let on = self.versions.map(|versions| versions.0);
        let engines = self.engines.unwrap_or_else(|| vec![usual]);
        if engines.is_empty() {
            return Err("experiment.engines is empty: name actors, flink, or both".to_owned());
        }
        Ok(Planned {
            experiment: Experiment { hypothesis, plot },
            versions: on.unwrap_or_else(|| versions[..1].to_vec()),
            engines,
            usual,
        })
    }
}
