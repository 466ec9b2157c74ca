//! A PostgreSQL, Redis, Kafka, Flink or Prometheus of a story's own, to be stopped and killed; gone with it, also where the story fails.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Where a copy of a server's data is, in its home.
const COPY: &str = "copy";

/// The server and its data.
pub struct OwnService {
    home: tempfile::TempDir,
    /// As `deploy/local/services` calls it.
    pub name: &'static str,
    /// What a node is given to find it.
    pub url: String,
}

impl OwnService {
    /// A Kafka of three brokers: `kafka-1` to `kafka-3`.
    pub async fn three_brokers() -> Self {
        Self::up_with("kafka", &["--brokers", "3"]).await
    }

    /// A Kafka that wants a login, too.
    pub async fn secure_kafka() -> Self {
        Self::up_with("kafka", &["--secure"]).await
    }

    /// A client of a Redis, as any other program may be.
    pub fn redis_client(&self) -> redis::Connection {
        let client = redis::Client::open(&*self.url).unwrap();
        client.get_connection().unwrap()
    }

    /// SIGKILL of one broker of three, or one process of Flink.
    pub async fn kill_one(&self, broker: &'static str) {
        self.run("kill", Some(broker), &[]).await;
    }

    /// Starts one of these again.
    pub async fn start_one(&self, broker: &'static str) {
        self.run("start", Some(broker), &[]).await;
    }

    pub async fn up(name: &'static str) -> Self {
        Self::up_with(name, &[]).await
    }

    async fn up_with(name: &'static str, options: &'static [&'static str]) -> Self {
        let variable = match name {
            "postgres" => "DATABASE_URL",
            "redis" => "REDIS_URL",
            "kafka" => "KAFKA_BOOTSTRAP_SERVERS",
            "prometheus" => "PROMETHEUS_URL",
            "flink" => "COFFEE_RT_FLINK__URL",
            _ => panic!("no variable is known for {name}"),
        };
        let mut server = Self {
            home: tempfile::tempdir().unwrap(),
            name,
            url: String::new(),
        };
        server.run("up", Some(name), options).await;
        server.url = server.variable(variable).await;
        server
    }

    /// One of those that its clients are given.
    pub async fn variable(&self, name: &str) -> String {
        let env = self.run("env", None, &[]).await;
        let export = format!("export {name}=");
        let value = env.lines().find_map(|line| line.strip_prefix(&export));
        value.unwrap_or_else(|| panic!("no {name} in {env}")).to_owned()
    }

    /// In good order, data kept.
    pub async fn stop(&self) {
        self.run("stop", Some(self.name), &[]).await;
    }

    pub async fn start(&self) {
        self.run("start", Some(self.name), &[]).await;
    }

    /// Keeps a copy of the data, while it is stopped.
    pub async fn keep_copy(&self) {
        self.copy(self.name, COPY).await;
    }

    /// Puts the data back to that copy, while it is stopped.
    pub async fn put_copy_back(&self) {
        tokio::fs::remove_dir_all(self.home.path().join(self.name))
            .await
            .unwrap();
        self.copy(COPY, self.name).await;
    }

    async fn copy(&self, from: &str, to: &str) {
        let place = |name| self.home.path().join(name);
        let mut copy = tokio::process::Command::new("cp");
        copy.arg("-a").arg(place(from)).arg(place(to));
        assert!(copy.status().await.unwrap().success(), "{copy:?}");
    }

    /// It hangs: connections stay, nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// It goes on where it was.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.home.path().join(self.name).join("pid")).unwrap();
        kill(Pid::from_raw(pid.trim().parse().unwrap()), signal).unwrap();
    }

    /// SIGKILL of the server and all its processes.
    pub async fn kill(&self) {
        self.run("kill", Some(self.name), &[]).await;
    }

    async fn run(&self, command: &'static str, name: Option<&'static str>, options: &'static [&'static str]) -> String {
        let home = self.home.path().to_owned();
        let told = tokio::task::spawn_blocking(move || services(&home, command, name, options));
        told.await.unwrap().unwrap()
    }
}

impl Drop for OwnService {
    fn drop(&mut self) {
        if let Err(error) = services(self.home.path(), "down", None, &[]) {
            eprintln!("a server of {} stays behind: {error}", self.name);
        }
    }
}

fn services(home: &Path, command: &str, name: Option<&str>, options: &[&str]) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/local/services");
    let mut services = Command::new(script);
    services.arg(command).args(name).args(options);
    let output = services.arg("--home").arg(home).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!(
        "services {command}: {}: {said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}
