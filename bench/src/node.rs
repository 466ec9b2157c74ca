//! The processes that are measured: the node, and the reference.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::http::{Connection, get_request};

/// How long a process may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked.
const READY_POLL: Duration = Duration::from_millis(1);
/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running process that answers HTTP. Dropped, it is killed.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to the first answer that it is ready.
    pub ready_after: Duration,
}

impl Server {
    /// Starts the reference.
    pub async fn reference(folder: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("reference").arg(address.to_string());
        Self::start(command, address, folder, "reference").await
    }

    /// Starts a node on a database.
    pub async fn node(database: &Database) -> anyhow::Result<Self> {
        Self::node_with(database, &[]).await
    }

    /// Starts a node on a database with some settings of its own.
    pub async fn node_with(database: &Database, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = node_command(database)?;
        command.args(["--listen", &address.to_string()]);
        command.envs(settings.iter().copied());
        Self::start(command, address, database.folder(), "node").await
    }

    async fn start(mut command: Command, address: SocketAddr, folder: &Path, name: &str) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = std::fs::File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let mut server = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        while !is_ready(address).await {
            if let Some(status) = server.child.try_wait()? {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("{name} ended with {status}: {log}");
            }
            if began.elapsed() > READY_LIMIT {
                bail!("{name} is not ready after {READY_LIMIT:?}");
            }
            sleep(READY_POLL).await;
        }
        server.ready_after = began.elapsed();
        Ok(server)
    }

    /// The process.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the process has ended")
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?)
    }

    /// Ends it in good order.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid()?)?), Signal::SIGTERM)?;
        timeout(STOP_LIMIT, self.child.wait())
            .await
            .context("a process did not end")??;
        Ok(())
    }
}

/// The node's program with a database's settings and nothing of the surrounding environment.
pub fn node_command(database: &Database) -> anyhow::Result<Command> {
    let mut command = Command::new(node_program()?);
    command
        .env_clear()
        .envs(database.variables())
        .current_dir(database.folder());
    command.args(["serve", "--log", "warn"]).args(database.flags());
    Ok(command)
}

/// The node's program: built beside this one.
pub fn node_program() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("COFFEE_RT_BENCH_NODE") {
        return Ok(path.into());
    }
    let path = std::env::current_exe()?.with_file_name("coffee-rt");
    if !path.is_file() {
        bail!("there is no {}; build it with: cargo build --release", path.display());
    }
    Ok(path)
}

async fn is_ready(address: SocketAddr) -> bool {
    let ask = async { Connection::open(address).await?.exchange(&get_request("/readyz")).await };
    ask.await.is_ok_and(|answer| answer.status == 200)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
