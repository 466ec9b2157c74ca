//! A node of the real binary, as a child process.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffee_rt::client::{ClientError, NodeClient};
use coffee_rt::config::Version;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sqlx::Connection;
use url::Url;

use super::store_support::PostgresDatabase;
use super::{DEADLINE, Kafka, OwnService, Requests, eventually, kafka};

/// Lines of its log that are kept to explain a failure.
const LOG_LINES: usize = 200;

/// A database of a story's own, and the Redis or Kafka through which orders go; gone with it.
pub struct Database {
    folder: tempfile::TempDir,
    postgres: Option<PostgresDatabase>,
    redis: Option<OwnService>,
    kafka: Option<Kafka>,
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
        let (code, text) = self.command(&["audit", "--json"]);
        assert_eq!(code, 0, "{text}");
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

    fn coffee_rt(&self, url: Option<&str>) -> Command {
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

/// A running node. Dropping it kills the process.
pub struct Node {
    child: Child,
    /// The version that its story is about.
    pub version: Version,
    /// Where its Redis is, if it has one.
    redis_url: Option<String>,
    /// Where its topic is, if it has one.
    topic: Option<kafka::Place>,
    pub url: Url,
    pub client: NodeClient,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Node {
    /// Starts a node and waits until it is ready.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// Starts a node with more settings in its environment and waits until it is ready.
    pub async fn start_with(database: &Database, settings: &[(&str, &str)]) -> Self {
        let node = Self::spawn(database, "127.0.0.1:0", settings).await;
        node.until_ready().await;
        node
    }

    /// Starts a node and waits only until it listens.
    pub async fn spawn(database: &Database, listen: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = database.coffee_rt(database.url.as_deref());
        command
            .args(["serve", "--listen", listen, "--log-format", "json"])
            .envs(settings.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (found, address) = tokio::sync::oneshot::channel();
        keep_log(child.stderr.take().unwrap(), log.clone(), None);
        keep_log(child.stdout.take().unwrap(), log.clone(), Some(found));
        let address = tokio::time::timeout(DEADLINE, address).await;
        let Ok(Ok(address)) = address else {
            panic!("the node does not listen:\n{}", shown(&log))
        };
        let url: Url = format!("http://{address}").parse().unwrap();
        Self {
            child,
            version: database.version(),
            redis_url: database.redis.as_ref().map(|redis| redis.url.clone()),
            topic: database.kafka.as_ref().map(|kafka| kafka.place().clone()),
            client: NodeClient::new(&url, None).unwrap(),
            url,
            log,
        }
    }

    pub async fn until_ready(&self) {
        eventually("the node is ready", async || {
            self.client
                .get::<Value>("/readyz")
                .await
                .map_err(|error| format!("{error}\n{}", self.log()))
                .map(drop)
        })
        .await;
    }

    /// How its log is, as `/readyz` shows it.
    pub async fn log_state(&self) -> Value {
        let ready = Requests::to(self).get("/readyz").await;
        let ready: Value = serde_json::from_str(&ready.body).unwrap();
        ready["components"][self.version.name()]["log"].clone()
    }

    /// The value of a metric, with its labels as they stand in the text.
    pub async fn metric(&self, name_and_labels: &str) -> f64 {
        let text = Requests::to(self).get("/metrics").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(name_and_labels));
        line.unwrap_or_else(|| panic!("no {name_and_labels} in {text}"))
            .trim()
            .parse()
            .unwrap()
    }

    /// Waits until everything that was acknowledged is in the store; in v1 it is at once. Asks Redis and Kafka: what the
    /// node shows may be half a second old.
    pub async fn until_stored(&self) {
        if let Some(topic) = &self.topic {
            eventually("the topic is stored", async || {
                let stored = topic.is_stored().await;
                stored.map_err(|offsets| format!("{offsets}\n{}", self.log()))
            })
            .await;
        }
        let Some(url) = &self.redis_url else { return };
        let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
        eventually("the stream is empty", async || {
            match redis::cmd("XLEN").arg("orders:stream").query::<u64>(&mut redis) {
                Ok(0) => Ok(()),
                length => Err(format!("{length:?}, {}\n{}", self.log_state().await, self.log())),
            }
        })
        .await;
    }

    /// `127.0.0.1:PORT`, to start the next node on the same port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.url.port().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Every path in its tree.
    pub async fn actor_paths(&self) -> Vec<String> {
        let tree: Value = self.client.get("/api/actors").await.unwrap();
        let actors = tree["actors"].as_array().unwrap();
        actors
            .iter()
            .map(|actor| actor["path"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Injects a fault; false where the actor is dead at the moment.
    pub async fn inject(&self, path: &str, mode: &str, millis: u64) -> bool {
        let injected = self.try_inject(path, mode, millis).await;
        injected.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()))
    }

    /// Injects a fault as soon as the actor is alive.
    pub async fn inject_surely(&self, path: &str, mode: &str, millis: u64) {
        eventually("the fault is injected", async || {
            if self.inject(path, mode, millis).await {
                Ok(())
            } else {
                Err(format!("{path} is not running"))
            }
        })
        .await;
    }

    /// Injects a fault in a node that may be gone.
    pub async fn try_inject(&self, path: &str, mode: &str, millis: u64) -> Result<bool, ClientError> {
        let body = json!({"mode": mode, "millis": millis});
        match self.client.post(&format!("/api/actors/{path}/kill"), &body).await {
            Ok(()) => Ok(true),
            Err(ClientError::Problem(problem)) if problem.status == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Memory it holds, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The last lines it logged.
    pub fn log(&self) -> String {
        shown(&self.log)
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// `kill -9`.
    pub fn crash(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the process ends by itself.
    pub async fn until_exit(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the node does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGTERM, then waits for a well-ordered end.
    pub async fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.until_exit().await;
        assert!(status.success(), "{status}\n{}", self.log());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shown(log: &Mutex<VecDeque<String>>) -> String {
    log.lock().iter().cloned().collect::<Vec<_>>().join("\n")
}

fn keep_log(
    output: impl std::io::Read + Send + 'static,
    log: Arc<Mutex<VecDeque<String>>>,
    mut found: Option<tokio::sync::oneshot::Sender<String>>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "listening"
                && let (Some(found), Some(address)) = (found.take(), event["address"].as_str())
            {
                let _ = found.send(address.to_owned());
            }
            let mut log = log.lock();
            if log.len() == LOG_LINES {
                log.pop_front();
            }
            log.push_back(line);
        }
    });
}
