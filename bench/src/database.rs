//! A database of its own for each measurement, and the node's recount of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::sleep;
use uuid::Uuid;

use crate::node::node_program;
use crate::stream::Stream;
use crate::topic::{Mixed, Topic};

/// Where the server of PostgreSQL is, as `deploy/local/services env` prints it.
const URL_VARIABLES: [&str; 2] = ["COFFEE_RT_TEST_POSTGRES_URL", "DATABASE_URL"];
/// Databases and logs are made here, on the disk that the build uses.
const WORK_FOLDER: &str = "target/bench";

/// Of a server before the first round, so that it has its memory and code in place.
pub const WARM_UP: Duration = Duration::from_secs(2);
/// The same with a broker that has just started: it compiles its code while it is used. In the first 5 s of load it took
/// 62 µs of the processors for an order, and 10 µs after 40 s.
const BROKER_WARM_UP: Duration = Duration::from_secs(60);

/// How long a log may take to be stored before its orders are counted.
const DRAIN_LIMIT: Duration = Duration::from_secs(120);
/// How often it is asked what is not stored.
const POLL: Duration = Duration::from_millis(10);

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
    /// The server, behind a Kafka topic.
    Kafka,
}

/// A fresh database in a fresh folder; both are deleted in the end.
pub struct Database {
    folder: TempDir,
    /// Of PostgreSQL: the server, and the name.
    postgres: Option<(String, String)>,
    /// The log before it.
    log: Option<Log>,
}

/// Where orders are before they are in the database.
enum Log {
    Stream(Stream),
    Topic(Topic),
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
        match self {
            Self::Sqlite | Self::Postgres => "v1",
            Self::Redis => "v2",
            Self::Kafka => "v3",
        }
    }

    /// How long it is under load before the first round.
    pub fn warm_up(self) -> Duration {
        match self {
            Self::Kafka => BROKER_WARM_UP,
            _ => WARM_UP,
        }
    }

    /// Where it takes orders.
    pub fn order_path(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => Self::V1_PATH,
            Self::Redis => "/api/v2/order",
            Self::Kafka => "/api/v3/order",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
        }
    }

    /// Whether orders are in a log before they are stored.
    pub fn has_log(self) -> bool {
        matches!(self, Self::Redis | Self::Kafka)
    }
}

impl Database {
    /// Makes one.
    pub async fn create(engine: Engine) -> anyhow::Result<Self> {
        let folder = work_folder()?;
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres | Engine::Redis | Engine::Kafka => {
                let server = postgres_url()?;
                let name = format!("bench_{}", Uuid::new_v4().simple());
                administrate(&server, format!("CREATE DATABASE {name}")).await?;
                Some((server, name))
            }
        };
        let log = match engine {
            Engine::Sqlite | Engine::Postgres => None,
            Engine::Redis => Some(Log::Stream(Stream::create()?)),
            Engine::Kafka => Some(Log::Topic(Topic::create()?)),
        };
        Ok(Self { folder, postgres, log })
    }

    /// Deletes it.
    pub async fn delete(self) -> anyhow::Result<()> {
        if let Some(Log::Topic(topic)) = &self.log {
            topic.delete().await?;
        }
        match &self.postgres {
            Some((server, name)) => administrate(server, format!("DROP DATABASE {name} WITH (FORCE)")).await,
            None => Ok(()),
        }
    }

    /// Writes that many orders to the log before it, and tells how many are there.
    pub async fn fill_log(&self, orders: u64) -> anyhow::Result<u64> {
        match self.log.as_ref().context("a log")? {
            Log::Stream(stream) => stream.fill(orders).await?,
            Log::Topic(topic) => tokio::task::block_in_place(|| topic.fill(orders))?,
        }
        self.unstored().await
    }

    /// Writes that many records to the topic before it, repeated orders and garbage among them.
    pub fn fill_mixed(&self, records: u64) -> anyhow::Result<Mixed> {
        match &self.log {
            Some(Log::Topic(topic)) => tokio::task::block_in_place(|| topic.fill_mixed(records)),
            _ => bail!("no topic to fill"),
        }
    }

    /// Another database behind the same topic, for nodes of another group.
    pub async fn beside(&self) -> anyhow::Result<Self> {
        let Some(Log::Topic(topic)) = &self.log else {
            bail!("no topic to share");
        };
        Ok(Self {
            log: Some(Log::Topic(topic.beside()?)),
            ..Self::create(Engine::Postgres).await?
        })
    }

    /// The recount must find no difference.
    pub async fn assert_sound(&self) -> anyhow::Result<Audit> {
        let audit: Audit = serde_json::from_slice(&self.command(&["audit", "--json"]).await?)?;
        if audit.differences.is_empty() {
            return Ok(audit);
        }
        Err(WrongCount(format!("the recount differs: {:?}", audit.differences)).into())
    }

    /// Orders in the log that are not stored yet.
    pub async fn unstored(&self) -> anyhow::Result<u64> {
        let topic = match &self.log {
            None => return Ok(0),
            Some(Log::Stream(stream)) => return stream.length(),
            Some(Log::Topic(topic)) => topic,
        };
        let ends: u64 = tokio::task::block_in_place(|| topic.ends())?.values().sum();
        let mut conn = PgConnection::connect(&self.url().context("a URL")?).await?;
        let stored: i64 = sqlx::query_scalar("SELECT coalesce(sum(records), 0)::bigint FROM coffee_rt.shards")
            .fetch_one(&mut conn)
            .await?;
        conn.close().await?;
        Ok(ends.saturating_sub(u64::try_from(stored)?))
    }

    /// Waits until all is stored.
    pub async fn until_stored(&self, limit: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + limit;
        loop {
            match self.unstored().await? {
                0 => return Ok(()),
                left if Instant::now() > until => bail!("{left} orders are not stored after {limit:?}"),
                _ => sleep(POLL).await,
            }
        }
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
        match &self.log {
            None => {}
            Some(Log::Stream(stream)) => {
                flags.extend(["--redis-url", &stream.url, "--versions", "v2"].map(str::to_owned));
            }
            Some(Log::Topic(topic)) => {
                flags.extend(["--kafka-bootstrap-servers", &topic.servers, "--versions", "v3"].map(str::to_owned));
            }
        }
        flags
    }

    /// The node's settings that no flag is for.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match &self.log {
            Some(Log::Topic(topic)) => vec![
                ("COFFEE_RT_V3__TOPIC", topic.name.clone()),
                ("COFFEE_RT_V3__GROUP", topic.group.clone()),
            ],
            _ => Vec::new(),
        }
    }

    /// Runs one of the node's commands on it and returns what it prints.
    pub async fn command(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        self.command_with(arguments, &[]).await
    }

    /// The same with more settings.
    pub async fn command_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(node_program()?);
        command.args(arguments).args(self.flags());
        command
            .env_clear()
            .envs(self.variables())
            .envs(settings.iter().copied());
        command.current_dir(self.folder()).kill_on_drop(true);
        let output = command.output().await?;
        // 1 says that the answer is no, and is an answer.
        if !matches!(output.status.code(), Some(0 | 1)) {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.stdout)
    }

    /// Recounts it and checks that its orders are those that were acknowledged, and at most `unanswered` more.
    pub async fn check(&self, acknowledged: u64, unanswered: u64) -> anyhow::Result<Audit> {
        self.until_stored(DRAIN_LIMIT).await?;
        let audit = self.assert_sound().await?;
        if !(acknowledged..=acknowledged + unanswered).contains(&audit.orders) {
            let reason = format!("{acknowledged} orders were acknowledged, {} are stored", audit.orders);
            return Err(WrongCount(reason).into());
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
