//! A PostgreSQL, Redis or Kafka of a story's own, to be stopped and killed; gone with it, also where the story fails.

use std::path::Path;
use std::process::Command;

/// The server and its data.
pub struct OwnService {
    home: tempfile::TempDir,
    /// As `deploy/local/services` calls it.
    name: &'static str,
    /// What a node is given to find it.
    pub url: String,
}

impl OwnService {
    pub async fn up(name: &'static str) -> Self {
        let variable = match name {
            "postgres" => "DATABASE_URL",
            "redis" => "REDIS_URL",
            "kafka" => "KAFKA_BOOTSTRAP_SERVERS",
            _ => panic!("no variable is known for {name}"),
        };
        let mut server = Self {
            home: tempfile::tempdir().unwrap(),
            name,
            url: String::new(),
        };
        server.tell("up", true).await;
        let env = server.tell("env", false).await;
        let export = format!("export {variable}=");
        let url = env.lines().find_map(|line| line.strip_prefix(&export));
        url.unwrap_or_else(|| panic!("no {variable} in {env}"))
            .clone_into(&mut server.url);
        server
    }

    /// In good order, data kept.
    pub async fn stop(&self) {
        self.tell("stop", true).await;
    }

    pub async fn start(&self) {
        self.tell("start", true).await;
    }

    /// SIGKILL of the server and all its processes.
    pub async fn kill(&self) {
        self.tell("kill", true).await;
    }

    async fn tell(&self, command: &'static str, named: bool) -> String {
        let (home, name) = (self.home.path().to_owned(), named.then_some(self.name));
        let told = tokio::task::spawn_blocking(move || services(&home, command, name));
        told.await.unwrap().unwrap()
    }
}

impl Drop for OwnService {
    fn drop(&mut self) {
        if let Err(error) = services(self.home.path(), "down", None) {
            eprintln!("a server of {} stays behind: {error}", self.name);
        }
    }
}

fn services(home: &Path, command: &str, name: Option<&str>) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/local/services");
    let mut services = Command::new(script);
    services.arg(command).args(name);
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
