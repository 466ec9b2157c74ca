//! A database of a story's own, with the log before it, and the command line on both.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use coffee_rt::config::Version;
use serde_json::Value;
use sqlx::Connection;

use super::store_support::PostgresDatabase;
use super::{AWAY, DEADLINE, Kafka, OwnService};

/// A database of a story's own, and the Redis or Kafka through which orders go; gone with it.
pub struct Database {
    folder: tempfile::TempDir,
    postgres: Option<PostgresDatabase>,
    pub(super) redis: Option<OwnService>,
    pub(super) kafka: Option<Kafka>,
    /// Where the node connects; another address than the database's own where something stands between.
    pub url: Option<String>,
}

impl Database {
    pub fn sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            postgres: None,
            redis: None,
            kafka: None,
            url: None,
        }
    }

    pub async fn postgres() -> Self {
        let database = PostgresDatabase::create().await;
        let url = Some(database.url.clone());
        Self {
            postgres: Some(database),
            url,
            ..Self::sqlite()
        }
    }

    /// PostgreSQL, to which orders go through a Redis of the story's own.
    pub async fn redis() -> Self {
        Self::postgres().await.through(OwnService::up("redis").await)
    }

    /// PostgreSQL, to which orders go through a topic of the story's own.
    pub async fn kafka() -> Self {
        Self::postgres().await.through_topic(Kafka::shared())
    }

    /// The topic, without the database behind it.
    pub fn into_topic(mut self) -> Kafka {
        self.kafka.take().expect("a database with a topic")
    }

    /// Puts a Redis or a Kafka of the story's own before it.
    pub fn through_own(self, log: OwnService) -> Self {
        match log.name {
            "kafka" => self.through_topic(Kafka::on(log)),
            _ => self.through(log),
        }
    }

    /// The Redis or Kafka of the story's own.
    pub fn log_server(&self) -> &OwnService {
        match &self.kafka {
            Some(kafka) => kafka.server(),
            None => self.redis_server(),
        }
    }

    /// Puts a topic before it, through which orders go.
    pub fn through_topic(mut self, kafka: Kafka) -> Self {
        self.kafka = Some(kafka);
        self
    }

    /// The Kafka through whose topic orders go.
    pub fn topic(&self) -> &Kafka {
        self.kafka.as_ref().expect("a database with a topic")
    }

    /// Puts a Redis before it, through which orders go.
    pub fn through(mut self, redis: OwnService) -> Self {
        self.redis = Some(redis);
        self
    }

    /// The Redis through whose stream orders go.
    pub fn redis_server(&self) -> &OwnService {
        self.redis.as_ref().expect("a database with a Redis")
    }

    /// A client of that Redis, as any other program may be.
    pub fn redis_client(&self) -> redis::Connection {
        self.redis_server().redis_client()
    }

    /// How many entries its stream has, and how many orders beyond one for each.
    pub fn entries_and_surplus(&self) -> (usize, usize) {
        let mut ask = redis::pipe();
        ask.cmd("XLEN").arg("orders:stream").cmd("GET").arg("orders:surplus");
        let (entries, surplus): (usize, Option<usize>) = ask.query(&mut self.redis_client()).unwrap();
        (entries, surplus.unwrap_or_default())
    }

    /// The version that the story is about.
    pub fn version(&self) -> Version {
        match (&self.redis, &self.kafka) {
            (_, Some(_)) => Version::V3,
            (Some(_), None) => Version::V2,
            (None, None) => Version::V1,
        }
    }

    /// The paths of those who have its orders in hand before they are safe.
    pub fn carriers(&self) -> &'static [&'static str] {
        match self.version() {
            Version::V1 => &["v1/batcher-0"],
            Version::V2 => &["v2/appender", "v2/pair-0/batcher"],
            Version::V3 => &[
                "v3/appender",
                "v3/partitions/partition-0/batcher",
                "v3/partitions/partition-1/batcher",
                "v3/partitions/partition-2/batcher",
                "v3/partitions/partition-3/batcher",
            ],
        }
    }

    /// A database of a PostgreSQL that the story itself started.
    pub fn at(url: &str) -> Self {
        Self {
            url: Some(url.to_owned()),
            ..Self::sqlite()
        }
    }

    pub fn sqlite_file(&self) -> PathBuf {
        self.folder.path().join("data/coffee-rt.db")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database's own address, whatever stands between it and the node.
    pub fn direct_url(&self) -> Option<&str> {
        self.postgres
            .as_ref()
            .map(|database| database.url.as_str())
            .or(self.url.as_deref())
    }

    /// Runs the command line on this database and returns its exit code and output.
    pub fn command(&self, args: &[&str]) -> (i32, String) {
        let output = self.coffee_rt(self.direct_url()).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), text)
    }

    /// Runs the command line with more settings in its environment, on this database's file but not its URL, and returns
    /// its exit code and output.
    pub async fn run(&self, args: &[&str], settings: &[(&str, &str)]) -> (i32, String) {
        self.run_within(DEADLINE, args, settings).await
    }

    /// The same for a command that may take its time.
    pub async fn run_within(&self, limit: Duration, args: &[&str], settings: &[(&str, &str)]) -> (i32, String) {
        let mut command = tokio::process::Command::from(self.coffee_rt(None));
        let output = command
            .args(args)
            .envs(settings.iter().copied())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(limit, output).await;
        let output = output.unwrap_or_else(|_| panic!("{args:?} does not end")).unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), text)
    }

    /// The audit must find no difference. Returns how many orders it counted.
    pub fn assert_audit_clean(&self) -> u64 {
        self.audited("orders")
    }

    /// How many records of partitions a clean audit accounts for.
    pub fn records(&self) -> u64 {
        self.audited("records")
    }

    fn audited(&self, figure: &str) -> u64 {
        let until = Instant::now() + DEADLINE;
        let text = loop {
            match self.command(&["audit", "--json"]) {
                (AWAY, _) if Instant::now() < until => {}
                (code, text) => {
                    assert_eq!(code, 0, "{text}");
                    break text;
                }
            }
        };
        serde_json::from_str::<Value>(&text).unwrap()[figure].as_u64().unwrap()
    }

    /// Every record of the topic is accounted for in the store, and just once: nothing was read anew after it was stored.
    pub async fn assert_each_record_was_stored_once(&self) {
        let topic = self.topic().place().offsets().await;
        let url = self.direct_url().unwrap();
        let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
        let sql = "SELECT slot, next_offset, records FROM coffee_rt.shards WHERE source = 'v3' AND next_offset > 0 ORDER BY 1";
        let stored: Vec<(i32, i64, i64)> = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
        let written = topic.iter().zip(0..).filter(|((_, next, _), _)| *next > 0);
        let written: Vec<_> = written.map(|((_, next, _), slot)| (slot, *next, *next)).collect();
        assert_eq!(stored, written, "partition, next offset, records");
        assert!(!stored.is_empty(), "nothing was stored: this proves nothing");
    }

    /// The node's program with this database's settings.
    pub(super) fn coffee_rt(&self, url: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coffee-rt"));
        command
            .current_dir(self.folder.path())
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL")
            .env_remove("KAFKA_BOOTSTRAP_SERVERS")
            .env("COFFEE_RT_LOG", "info");
        if let Some(redis) = &self.redis {
            command.env("REDIS_URL", &redis.url);
        }
        if let Some(kafka) = &self.kafka {
            command.envs(kafka.settings());
        }
        if let Some(url) = url {
            command.env("DATABASE_URL", url);
        }
        command
    }
}
