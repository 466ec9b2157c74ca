//! A node under test: one that the scenario starts in a folder of its own, or one that is there.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};
use url::Url;

use super::readiness::Readiness;
use crate::client::NodeClient;

/// How long a node may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked.
const READY_POLL: Duration = Duration::from_millis(20);
/// How long it may take to end in good order, beside the time in which it leaves.
const STOP_LIMIT: Duration = Duration::from_secs(40);
/// The setting of that time.
const LEAVE_SETTING: &str = "COFFEE_RT_LIMITS__LEAVE_MS";
/// How the names begin of settings that a node would take from the environment.
const SETTINGS: [&str; 7] = [
    "COFFEE_RT_",
    "DATABASE_URL",
    "POSTGRES_",
    "REDIS_",
    "KAFKA_",
    "APP_",
    "DASHBOARD_",
];

/// How a node is started.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    /// Where it works.
    pub(super) folder: PathBuf,
    /// What it writes there.
    pub(super) log: String,
    /// Its settings; it takes none from elsewhere.
    pub(super) settings: BTreeMap<String, String>,
}

/// A node under test.
pub(super) struct Host {
    client: NodeClient,
    pub(super) url: Url,
    own: Option<OwnNode>,
}

struct OwnNode {
    recipe: Recipe,
    child: Mutex<Child>,
    process: AtomicI32,
}

impl Host {
    /// A node that somebody else started.
    pub(super) fn there(url: Url, token: Option<&str>) -> Result<Self, String> {
        let client = NodeClient::new(&url, token).map_err(|error| error.to_string())?;
        Ok(Self { client, url, own: None })
    }

    /// Starts a node, which is not ready yet.
    pub(super) fn start(recipe: Recipe) -> Result<Self, String> {
        let taken = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let address = taken.map_err(|error| format!("no free port: {error}"))?;
        let url = format!("http://{address}");
        let url: Url = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let child = spawn(&recipe, &url)?;
        Ok(Self {
            client: NodeClient::new(&url, None).map_err(|error| error.to_string())?,
            url,
            own: Some(OwnNode {
                recipe,
                process: AtomicI32::new(process(&child)?),
                child: Mutex::new(child),
            }),
        })
    }

    /// Whether the scenario started it.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Its process, where the scenario started it.
    pub(super) fn process(&self) -> Option<i32> {
        self.own.as_ref().map(|own| own.process.load(Ordering::Relaxed))
    }

    /// One of its settings, where the scenario started it and gave it that.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.own.as_ref()?.recipe.settings.get(name).map(String::as_str)
    }

    pub(super) fn client(&self) -> &NodeClient {
        &self.client
    }

    /// Ends the process at once, and starts another one in its place.
    pub(super) async fn kill_and_start_after(&self, pause: Duration) -> Result<(), String> {
        let own = self.own()?;
        let mut child = own.child.lock().await;
        child.kill().await.map_err(|error| error.to_string())?;
        self.start_again(own, child, pause).await
    }

    /// Ends the process in good order, and starts another one in its place.
    pub(super) async fn stop_and_start_after(&self, pause: Duration) -> Result<(), String> {
        let own = self.own()?;
        let mut child = own.child.lock().await;
        own.recipe.end(&mut child).await?;
        self.start_again(own, child, pause).await
    }

    async fn start_again(
        &self,
        own: &OwnNode,
        mut child: MutexGuard<'_, Child>,
        pause: Duration,
    ) -> Result<(), String> {
        tokio::time::sleep(pause).await;
        *child = spawn(&own.recipe, &self.url)?;
        own.process.store(process(&child)?, Ordering::Relaxed);
        drop(child);
        self.until_ready().await
    }

    /// Lets the process stand still.
    pub(super) async fn pause_for(&self, pause: Duration) -> Result<(), String> {
        let own = self.own()?;
        let child = own.child.lock().await;
        send(&child, Signal::SIGSTOP)?;
        tokio::time::sleep(pause).await;
        send(&child, Signal::SIGCONT)
    }

    /// Ends a node that was started here, in good order. Another one is left alone.
    pub(super) async fn stop(self) -> Result<(), String> {
        let Some(own) = self.own else { return Ok(()) };
        let mut child = own.child.lock().await;
        // One that was left standing still could not end.
        send(&child, Signal::SIGCONT)?;
        own.recipe.end(&mut child).await
    }

    /// How it ended by itself, if it did. Nothing is said of one that is being killed or paused.
    pub(super) fn ended(&self) -> Option<String> {
        let own = self.own.as_ref()?;
        let status = own.child.try_lock().ok()?.try_wait().ok()??;
        Some(format!(
            "the node ended by itself with {status}: see {}",
            own.recipe.log_file().display()
        ))
    }

    fn own(&self) -> Result<&OwnNode, String> {
        self.own.as_ref().ok_or_else(|| {
            "only a node that the scenario starts can be killed, stopped or paused: leave --url away".to_owned()
        })
    }

    /// Waits until orders can be placed and judged.
    pub(super) async fn until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let error = match Readiness::of(&self.client).await {
                // Without its store nothing can be judged.
                Ok(ready) if ready.has_store() => return Ok(()),
                Ok(ready) => ready.store().to_string(),
                Err(error) => error.to_string(),
            };
            if let Some(own) = &self.own
                && let Ok(Some(status)) = own.child.lock().await.try_wait()
            {
                let log = std::fs::read_to_string(own.recipe.log_file()).unwrap_or_default();
                let last: Vec<_> = log.lines().rev().take(5).collect();
                let last: Vec<_> = last.into_iter().rev().collect();
                return Err(format!("the node ended with {status}:\n{}", last.join("\n")));
            }
            if Instant::now() > deadline {
                let log = self
                    .own
                    .as_ref()
                    .map(|own| format!("; see {}", own.recipe.log_file().display()));
                let log = log.unwrap_or_default();
                return Err(format!("the node is not ready after {READY_LIMIT:?}: {error}{log}"));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }
}

/// Kills what still runs, and waits until it is gone: whoever ends a scenario shall find nothing of it.
impl Drop for OwnNode {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        if let (Ok(None), Ok(process)) = (child.try_wait(), process(child)) {
            let process = Pid::from_raw(process);
            // It may end by itself meanwhile.
            let _ = kill(process, Signal::SIGKILL);
            let _ = waitpid(process, None);
        }
    }
}

impl Recipe {
    /// Ends a process of it in good order.
    async fn end(&self, child: &mut Child) -> Result<(), String> {
        send(child, Signal::SIGTERM)?;
        let leave = self.settings.get(LEAVE_SETTING).and_then(|millis| millis.parse().ok());
        let limit = STOP_LIMIT + Duration::from_millis(leave.unwrap_or_default());
        match tokio::time::timeout(limit, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!(
                "the node ended with {status}: see {}",
                self.log_file().display()
            )),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the node did not end within {limit:?}")),
        }
    }

    /// Runs one of the program's other commands to its end.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let complain = |reason: String| format!("coffee-rt {}: {reason}", arguments.join(" "));
        let mut command = self.command(arguments).map_err(|error| complain(error.to_string()))?;
        let status = command.status().await.map_err(|error| complain(error.to_string()))?;
        let told = || complain(format!("{status}: see {}", self.log_file().display()));
        status.success().then_some(()).ok_or_else(told)
    }

    fn command(&self, arguments: &[&str]) -> std::io::Result<Command> {
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let mut command = Command::new(&self.program);
        let environment = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in environment.filter(|name| SETTINGS.iter().any(|setting| name.starts_with(setting))) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .envs(&self.settings)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is meant for the scenario, which ends the node when it is done with it.
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join(&self.log)
    }
}

fn spawn(recipe: &Recipe, url: &Url) -> Result<Child, String> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or_default());
    let command = recipe.command(&["serve", "--listen", &format!("{host}:{port}")]);
    let told = |error: std::io::Error| format!("the node cannot be started: {error}");
    command.and_then(|mut command| command.spawn()).map_err(told)
}

fn process(child: &Child) -> Result<i32, String> {
    let process = child.id().and_then(|id| i32::try_from(id).ok());
    process.ok_or_else(|| "the node has ended".to_owned())
}

fn send(child: &Child, signal: Signal) -> Result<(), String> {
    kill(Pid::from_raw(process(child)?), signal).map_err(|error| error.to_string())
}
