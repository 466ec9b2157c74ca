//! Services of a scenario's own: real ones, started for the run in its folder and gone with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::processes::family;
use super::script::Script;

/// Starts and stops services; in every checkout.
const SCRIPT: &str = "deploy/local/services";

/// What a node can be given to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The store.
    Postgres,
    /// The log of v2, and the nodes' bus.
    Redis,
    /// The log of v3.
    Kafka,
    /// A cluster of Flink, which can store for v3.
    Flink,
    /// Of the cluster, what decides on its job.
    FlinkJobmanager,
    /// Of the cluster, what does the work.
    FlinkTaskmanager,
    /// Stands in the way of a link that is to be disturbed.
    #[serde(skip)]
    Toxiproxy,
}

impl Service {
    /// As the script and the settings call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Flink => "flink",
            Self::FlinkJobmanager => "flink-jobmanager",
            Self::FlinkTaskmanager => "flink-taskmanager",
            Self::Toxiproxy => "toxiproxy",
        }
    }

    /// Where a node, or the scenario, is told to find it: the first says where it is itself.
    pub(super) const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["DATABASE_URL"],
            Self::Redis => &["REDIS_URL"],
            Self::Kafka => &["KAFKA_BOOTSTRAP_SERVERS"],
            Self::Flink => &["COFFEE_RT_FLINK__URL", "COFFEE_RT_FLINK__GATEWAY_URL"],
            Self::FlinkJobmanager | Self::FlinkTaskmanager => &[],
            Self::Toxiproxy => &["TOXIPROXY_URL"],
        }
    }

    /// The service that is started for it: itself, unless it is a part of one.
    pub(super) const fn whole(self) -> Self {
        match self {
            Self::FlinkJobmanager | Self::FlinkTaskmanager => Self::Flink,
            whole => whole,
        }
    }

    /// What runs for it.
    pub(super) fn instances(self) -> Vec<&'static str> {
        match self {
            Self::Flink => vec![
                Self::FlinkJobmanager.name(),
                Self::FlinkTaskmanager.name(),
                "flink-gateway",
            ],
            one => vec![one.name()],
        }
    }
}

/// What is done to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceMode {
    /// In good order, and another start after a while.
    Stop,
    /// SIGKILL, and another start after a while.
    Kill,
    /// All its processes stand still for a while.
    Pause,
}

/// Services that run. End them with [`Services::down`]; those that are dropped are ended, too.
pub(super) struct Services {
    script: Script,
    home: PathBuf,
    /// What the script says of them.
    pub(super) variables: BTreeMap<String, String>,
    /// Whether something may be left to end.
    up: bool,
}

impl Services {
    /// Starts them, in a new folder. The script is looked for above the scenario's file.
    /// With a size, the data of each is on a disk of its own.
    pub(super) async fn up(wanted: &[Service], disk_mb: Option<u32>, near: &Path, home: &Path) -> Result<Self, String> {
        let mut services = Self {
            script: Script::near(near, SCRIPT)?,
            home: home.to_owned(),
            variables: BTreeMap::new(),
            up: true,
        };
        let size = disk_mb.map(|size| format!("--disk-mb={size}"));
        let names = wanted.iter().map(|service| service.name());
        let words: Vec<_> = names.chain(size.as_deref()).collect();
        services.run("up", &words).await?;
        let env = services.run("env", &[]).await?;
        let exports = env
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        services.variables = exports
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(services)
    }

    /// Where a service is.
    pub(super) fn address(&self, service: Service) -> Result<&str, String> {
        let name = service.variables().first();
        let found = name.and_then(|name| self.variables.get(*name)).map(String::as_str);
        found.ok_or_else(|| format!("{} did not say where it is", service.name()))
    }

    /// Does it, waits, and undoes it.
    pub(super) async fn disturb(&self, service: Service, mode: ServiceMode, lasts: Duration) -> Result<(), String> {
        let name = [service.name()];
        match mode {
            ServiceMode::Stop => self.run("stop", &name).await.map(drop)?,
            ServiceMode::Kill => self.run("kill", &name).await.map(drop)?,
            ServiceMode::Pause => self.signal(service, Signal::SIGSTOP)?,
        };
        tokio::time::sleep(lasts).await;
        match mode {
            ServiceMode::Stop | ServiceMode::Kill => self.run("start", &name).await.map(drop),
            ServiceMode::Pause => self.signal(service, Signal::SIGCONT),
        }
    }

    /// Leaves no room on its disk for a while. A service that cannot go on without ends by itself, and is started again.
    pub(super) async fn fill_disk(&self, service: Service, lasts: Duration) -> Result<(), String> {
        let name = [service.name()];
        self.run("fill", &name).await?;
        tokio::time::sleep(lasts).await;
        self.run("free", &name).await?;
        self.run("start", &name).await.map(drop)
    }

    /// The main process of an instance, where it runs.
    pub(super) fn process(&self, instance: &str) -> Option<i32> {
        let file = self.home.join(instance).join("pid");
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    }

    /// Ends them all and deletes their data.
    pub(super) async fn down(mut self) -> Result<(), String> {
        self.script.until_idle();
        self.wake();
        let down = self.run("down", &[]).await.map(drop);
        self.up = down.is_err();
        down
    }

    /// Those that stand still could not end.
    pub(super) fn wake(&self) {
        use Service::{Flink, Kafka, Postgres, Redis, Toxiproxy};
        for service in [Postgres, Redis, Kafka, Flink, Toxiproxy] {
            // One that does not run needs no waking.
            let _ = self.signal(service, Signal::SIGCONT);
        }
    }

    fn signal(&self, service: Service, signal: Signal) -> Result<(), String> {
        let instances = service.instances().into_iter();
        // Each of them, whatever became of the one before.
        let told: Vec<_> = instances.map(|instance| self.signal_one(instance, signal)).collect();
        told.into_iter().collect()
    }

    fn signal_one(&self, instance: &str, signal: Signal) -> Result<(), String> {
        let process = self.process(instance);
        let process = process.ok_or_else(|| format!("{instance} does not run"))?;
        for member in family(process) {
            // A child that ends meanwhile is none to signal.
            let told = kill(Pid::from_raw(member), signal);
            if member == process {
                told.map_err(|error| format!("{instance}: {error}"))?;
            }
        }
        Ok(())
    }

    async fn run(&self, command: &str, names: &[&str]) -> Result<String, String> {
        self.script.run(&self.words(command, names)).await
    }

    fn words<'a>(&'a self, command: &'a str, names: &[&'a str]) -> Vec<&'a str> {
        let home = self.home.to_str().unwrap_or_default();
        [&[command], names, &["--home", home]].concat()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if !self.up {
            return;
        }
        self.script.until_idle();
        self.wake();
        let down = self.words("down", &[]);
        if !self.script.run_at_last(&down) {
            eprintln!(
                "coffee-rt: services stay behind: end them with: {}",
                self.script.line(&down)
            );
        }
    }
}
