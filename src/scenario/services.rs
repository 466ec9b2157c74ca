//! Services of a scenario's own: real ones, started for the run in its folder and gone with it.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::processes::family;

/// Starts and stops services; in every checkout.
const SCRIPT: &str = "deploy/local/services";
/// How long a command of it may take: the first one may have to install the service.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);

/// What a node can be given to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// The store.
    Postgres,
    /// The log of v2, and the nodes' bus.
    Redis,
    /// The log of v3.
    Kafka,
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
            Self::Toxiproxy => "toxiproxy",
        }
    }

    /// Where a node, or the scenario, is told to find it.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "DATABASE_URL",
            Self::Redis => "REDIS_URL",
            Self::Kafka => "KAFKA_BOOTSTRAP_SERVERS",
            Self::Toxiproxy => "TOXIPROXY_URL",
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
    script: PathBuf,
    home: PathBuf,
    /// What the script says of them.
    pub(super) variables: BTreeMap<String, String>,
    /// The script's own process, where it is at work.
    at_work: Mutex<Option<i32>>,
    /// Whether something may be left to end.
    up: bool,
}

impl Services {
    /// Starts them, in a new folder. The script is looked for above the scenario's file.
    /// With a size, the data of each is on a disk of its own.
    pub(super) async fn up(wanted: &[Service], disk_mb: Option<u32>, near: &Path, home: &Path) -> Result<Self, String> {
        let mut services = Self {
            script: beside(near, SCRIPT)?,
            home: home.to_owned(),
            variables: BTreeMap::new(),
            at_work: Mutex::default(),
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
        let found = self.variables.get(service.variable()).map(String::as_str);
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

    /// Its main process, where it runs.
    pub(super) fn process(&self, service: Service) -> Option<i32> {
        let file = self.home.join(service.name()).join("pid");
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    }

    /// Ends them all and deletes their data.
    pub(super) async fn down(mut self) -> Result<(), String> {
        self.until_idle();
        self.wake();
        let down = self.run("down", &[]).await.map(drop);
        self.up = down.is_err();
        down
    }

    /// Those that stand still could not end.
    pub(super) fn wake(&self) {
        for service in [Service::Postgres, Service::Redis, Service::Kafka, Service::Toxiproxy] {
            // One that does not run needs no waking.
            let _ = self.signal(service, Signal::SIGCONT);
        }
    }

    fn signal(&self, service: Service, signal: Signal) -> Result<(), String> {
        let process = self.process(service);
        let process = process.ok_or_else(|| format!("{} does not run", service.name()))?;
        for member in family(process) {
            // A child that ends meanwhile is none to signal.
            let told = kill(Pid::from_raw(member), signal);
            if member == process {
                told.map_err(|error| format!("{}: {error}", service.name()))?;
            }
        }
        Ok(())
    }

    /// A command that nobody waits for any more is not cut off in its middle: what it starts must be known before it is ended.
    fn until_idle(&self) {
        if let Some(script) = self.at_work.lock().take() {
            // It may be gone.
            let _ = waitpid(Pid::from_raw(script), None);
        }
    }

    fn command(&self, command: &str, names: &[&str]) -> std::process::Command {
        let mut services = std::process::Command::new(&self.script);
        services.arg(command).args(names).arg("--home").arg(&self.home);
        // Ctrl-C is meant for the scenario, and a second one is no reason to leave half of it running.
        services.stdin(Stdio::null()).process_group(0);
        services
    }

    async fn run(&self, command: &str, names: &[&str]) -> Result<String, String> {
        let mut services = Command::from(self.command(command, names));
        let told = |error: std::io::Error| format!("{}: {error}", self.script.display());
        let script = services
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(told)?;
        *self.at_work.lock() = script.id().and_then(|id| i32::try_from(id).ok());
        let output = tokio::time::timeout(COMMAND_LIMIT, script.wait_with_output()).await;
        let output = output.map_err(|_| format!("services {command} takes longer than {COMMAND_LIMIT:?}"))?;
        *self.at_work.lock() = None;
        let output = output.map_err(told)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!(
            "services {command} {}: {}: {said}",
            names.join(" "),
            output.status
        ))
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if !self.up {
            return;
        }
        self.until_idle();
        self.wake();
        let mut down = self.command("down", &[]);
        let ended = down.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !ended.is_ok_and(|status| status.success()) {
            let (script, home) = (self.script.display(), self.home.display());
            eprintln!("coffee-rt: services stay behind: end them with: {script} down --home {home}");
        }
    }
}

/// A script of the checkout that a file is in.
pub(super) fn beside(file: &Path, script: &str) -> Result<PathBuf, String> {
    let file = file
        .canonicalize()
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let mut scripts = file.ancestors().map(|folder| folder.join(script));
    scripts.find(|script| script.is_file()).ok_or_else(|| {
        format!(
            "there is no {script} above {}: a scenario that needs services or a disk of its own runs in a checkout",
            file.display()
        )
    })
}
