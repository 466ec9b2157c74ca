//! A database of its own for each measurement, and the node's recount of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

use crate::node::node_program;
use crate::stream::Stream;

/// Where the server of PostgreSQL is, as `deploy/local/services env` prints it.
const URL_VARIABLES: [&str; 2] = ["COFFEE_RT_TEST_POSTGRES_URL", "DATABASE_URL"];
/// Databases and logs are made here, on the disk that the build uses.
const WORK_FOLDER: &str = "target/bench";

/// How long a stream may take to be stored before its orders are counted.
const DRAIN_LIMIT: Duration = Duration::from_secs(120);

/// Which store is measured, and by which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The embedded file.
    Sqlite,
    /// The server.
    Postgres,
    /// The server, behind a Redis stream.
    Redis,
}

/// A fresh database in a fresh folder; both are deleted in the end.
pub struct Database {
    folder: TempDir,
    /// Of PostgreSQL: the server, and the name.
    postgres: Option<(String, String)>,
    /// The stream before it.
    stream: Option<Stream>,
}

/// What a recount says.
#[derive(Debug, Deserialize)]
pub struct Audit {
    /// Raw orders.
    pub orders: u64,
    differences: Vec<serde_json::Value>,
}

/// Acknowledgements and rows do not match: a promise is broken, and no figure counts.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongCount(pub String);

impl Engine {
    /// Where v1 takes orders.
    pub const V1_PATH: &'static str = "/api/v1/order";

    /// The version that is measured.
    pub fn version(self) -> &'static str {
        if self == Self::Redis { "v2" } else { "v1" }
    }

    /// Where it takes orders.
    pub fn order_path(self) -> &'static str {
        if self == Self::Redis {
            "/api/v2/order"
        } else {
            Self::V1_PATH
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

impl Database {
    /// Makes one.
    pub async fn create(engine: Engine) -> anyhow::Result<Self> {
        let folder = work_folder()?;
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres | Engine::Redis => {
                let server = postgres_url()?;
                let name = format!("bench_{}", Uuid::new_v4().simple());
                administrate(&server, format!("CREATE DATABASE {name}")).await?;
                Some((server, name))
            }
        };
        let stream = match engine {
            Engine::Redis => Some(Stream::create()?),
            _ => None,
        };
        Ok(Self {
            folder,
            postgres,
            stream,
        })
    }

    /// Deletes it.
    pub async fn delete(self) -> anyhow::Result<()> {
        match &self.postgres {
            Some((server, name)) => administrate(server, format!("DROP DATABASE {name} WITH (FORCE)")).await,
            None => Ok(()),
        }
    }

    /// The stream before it, if there is one.
    pub fn stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    /// The ids of all stored orders by their keys.
    pub async fn ids(&self) -> anyhow::Result<HashMap<Uuid, u64>> {
        let url = self.url().context("ids are given by the answers")?;
        let mut conn = PgConnection::connect(&url).await?;
        let rows: Vec<(Uuid, i64)> = sqlx::query_as("SELECT message_id, id FROM coffee_rt.orders")
            .fetch_all(&mut conn)
            .await?;
        conn.close().await?;
        rows.into_iter()
            .map(|(key, id)| Ok((key, u64::try_from(id)?)))
            .collect()
    }

    /// Its folder, for the file and for logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of SQLite.
    pub fn file(&self) -> PathBuf {
        self.folder().join("orders.db")
    }

    /// The URL, where it is PostgreSQL's.
    pub fn url(&self) -> Option<String> {
        let (server, name) = self.postgres.as_ref()?;
        let (base, _) = server.rsplit_once('/')?;
        Some(format!("{base}/{name}"))
    }

    /// The node's flags that choose it.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = match self.url() {
            Some(url) => vec!["--database-url".to_owned(), url],
            None => vec!["--sqlite-path".to_owned(), self.file().display().to_string()],
        };
        if let Some(stream) = &self.stream {
            flags.extend(["--redis-url", &stream.url, "--versions", "v2"].map(str::to_owned));
        }
        flags
    }

    /// Runs one of the node's commands on it and returns what it prints.
    pub async fn command(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(node_program()?);
        command.args(arguments).args(self.flags());
        command.env_clear().current_dir(self.folder()).kill_on_drop(true);
        let output = command.output().await?;
        // 1 says that the answer is no, and is an answer.
        if !matches!(output.status.code(), Some(0 | 1)) {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.stdout)
    }

    /// Recounts it and checks that its orders are those that were acknowledged, and at most `unanswered` more.
    pub async fn check(&self, acknowledged: u64, unanswered: u64) -> anyhow::Result<Audit> {
        if let Some(stream) = &self.stream {
            stream.until_empty(DRAIN_LIMIT).await?;
        }
        let audit: Audit = serde_json::from_slice(&self.command(&["audit", "--json"]).await?)?;
        let complain = |reason: String| Err(WrongCount(reason).into());
        if !audit.differences.is_empty() {
            return complain(format!("the recount differs: {:?}", audit.differences));
        }
        if !(acknowledged..=acknowledged + unanswered).contains(&audit.orders) {
            return complain(format!(
                "{acknowledged} orders were acknowledged, {} are stored",
                audit.orders
            ));
        }
        Ok(audit)
    }
}

/// A folder for one measurement.
pub fn work_folder() -> anyhow::Result<TempDir> {
    std::fs::create_dir_all(WORK_FOLDER)?;
    // The node runs in it, so its own paths must not be relative to another.
    Ok(TempDir::new_in(std::fs::canonicalize(WORK_FOLDER)?)?)
}

/// The server's URL.
pub fn postgres_url() -> anyhow::Result<String> {
    URL_VARIABLES
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .context("no PostgreSQL: run deploy/local/services up postgres, then eval \"$(deploy/local/services env)\"")
}

async fn administrate(server: &str, statement: String) -> anyhow::Result<()> {
    let mut conn = PgConnection::connect(server).await.context("PostgreSQL")?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await?;
    Ok(conn.close().await?)
}
