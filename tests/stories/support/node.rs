//! A node of the real binary, as a child process.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffee_rt::client::{ClientError, NodeClient};
use coffee_rt::config::Version;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use serde_json::{Value, json};
use url::Url;

use super::{DEADLINE, Database, Requests, eventually, kafka};

/// Lines of its log that are kept to explain a failure.
const LOG_LINES: usize = 200;
/// Where the actors are that come and go.
const PARTITIONS: &str = "v3/partitions/";

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

    /// Waits until it takes orders and shows what is stored: with a log it takes them before it has read the store.
    pub async fn until_ready(&self) {
        eventually("the node is ready", async || {
            let ready = self.client.get::<Value>("/readyz").await;
            let ready = ready.map_err(|error| format!("{error}\n{}", self.log()))?;
            if ready["components"]["dashboard"]["state"] == "up" {
                Ok(())
            } else {
                Err(format!("{ready}\n{}", self.log()))
            }
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

    /// Waits until all who carry orders are there: a partition's are when the group has given it to the node.
    pub async fn until_it_carries(&self, database: &Database) {
        eventually("those who carry orders are there", async || {
            let paths = self.actor_paths().await;
            let there = |carrier: &&str| paths.iter().any(|path| path == carrier);
            if database.carriers().iter().all(there) {
                Ok(())
            } else {
                Err(format!("{paths:?}\n{}", self.log()))
            }
        })
        .await;
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
            // Those of a partition are unknown until the group has given it to the node again.
            Err(ClientError::Problem(problem)) if problem.status == 404 && path.starts_with(PARTITIONS) => Ok(false),
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
