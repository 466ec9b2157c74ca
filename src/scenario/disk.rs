//! The disk of a node's embedded database: a small one of its own, so that it can be filled.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::process::Command;

use super::services::{Service, beside};

/// Makes, fills and removes it; in every checkout.
const SCRIPT: &str = "deploy/local/small-disk";
/// How long a command of it may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// Whose data fills a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Owner {
    /// The node's embedded database.
    Node,
    /// The store.
    Postgres,
    /// The log of v2.
    Redis,
    /// The log of v3.
    Kafka,
}

impl Owner {
    /// None for a node.
    pub(super) const fn service(self) -> Option<Service> {
        match self {
            Self::Node => None,
            Self::Postgres => Some(Service::Postgres),
            Self::Redis => Some(Service::Redis),
            Self::Kafka => Some(Service::Kafka),
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.service().map_or("node", Service::name)
    }
}

/// A disk that is there. End it with [`Disk::down`]; one that is dropped is ended, too.
pub(super) struct Disk {
    script: PathBuf,
    folder: PathBuf,
    up: bool,
}

impl Disk {
    /// Mounts a new one at a folder. The script is looked for above the scenario's file.
    pub(super) async fn up(folder: &Path, mebibytes: u32, near: &Path) -> Result<Self, String> {
        let disk = Self {
            script: beside(near, SCRIPT)?,
            folder: folder.to_owned(),
            up: true,
        };
        disk.run("up", &[&mebibytes.to_string()]).await?;
        Ok(disk)
    }

    /// Leaves no room for a while.
    pub(super) async fn fill(&self, lasts: Duration) -> Result<(), String> {
        self.run("fill", &[]).await?;
        tokio::time::sleep(lasts).await;
        self.run("free", &[]).await
    }

    /// Unmounts it, with all that is on it.
    pub(super) async fn down(mut self) -> Result<(), String> {
        let down = self.run("down", &[]).await;
        self.up = down.is_err();
        down
    }

    fn command(&self, command: &str, more: &[&str]) -> std::process::Command {
        let mut disk = std::process::Command::new(&self.script);
        disk.arg(command).arg(&self.folder).args(more).stdin(Stdio::null());
        disk
    }

    async fn run(&self, command: &str, more: &[&str]) -> Result<(), String> {
        let output = tokio::time::timeout(COMMAND_LIMIT, Command::from(self.command(command, more)).output()).await;
        let output = output.map_err(|_| format!("small-disk {command} takes longer than {COMMAND_LIMIT:?}"))?;
        let output = output.map_err(|error| format!("{}: {error}", self.script.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let complain = || format!("small-disk {command}: {}: {}", output.status, said.trim());
        output.status.success().then_some(()).ok_or_else(complain)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if !self.up {
            return;
        }
        let ended = self.command("down", &[]).status();
        if !ended.is_ok_and(|status| status.success()) {
            let (script, folder) = (self.script.display(), self.folder.display());
            eprintln!("coffee-rt: a disk stays behind: remove it with: {script} down {folder}");
        }
    }
}
