//! The disk of a node's embedded database: a small one of its own, so that it can be filled.

use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::script::Script;
use super::services::Service;

/// Makes, fills and removes it; in every checkout.
const SCRIPT: &str = "deploy/local/small-disk";

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
    script: Script,
    folder: String,
    up: bool,
}

impl Disk {
    /// Mounts a new one at a folder. The script is looked for above the scenario's file.
    pub(super) async fn up(folder: &Path, mebibytes: u32, near: &Path) -> Result<Self, String> {
        let disk = Self {
            script: Script::near(near, SCRIPT)?,
            folder: folder.to_string_lossy().into_owned(),
            up: true,
        };
        disk.script.run(&["up", &disk.folder, &mebibytes.to_string()]).await?;
        Ok(disk)
    }

    /// Leaves no room for a while.
    pub(super) async fn fill(&self, lasts: Duration) -> Result<(), String> {
        self.script.run(&["fill", &self.folder]).await?;
        tokio::time::sleep(lasts).await;
        self.script.run(&["free", &self.folder]).await.map(drop)
    }

    /// Unmounts it, with all that is on it.
    pub(super) async fn down(mut self) -> Result<(), String> {
        self.script.until_idle();
        let down = self.script.run(&["down", &self.folder]).await.map(drop);
        self.up = down.is_err();
        down
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let down = ["down", &*self.folder];
        if self.up && !self.script.run_at_last(&down) {
            eprintln!(
                "coffee-rt: a disk stays behind: remove it with: {}",
                self.script.line(&down)
            );
        }
    }
}
