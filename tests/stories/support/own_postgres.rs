//! A PostgreSQL of a story's own, to be stopped and killed; gone with it, also where the story fails.

use std::path::Path;
use std::process::Command;

/// The server and its data.
pub struct OwnPostgres {
    home: tempfile::TempDir,
    /// Its database for a node.
    pub url: String,
}

impl OwnPostgres {
    pub async fn up() -> Self {
        let mut server = Self {
            home: tempfile::tempdir().unwrap(),
            url: String::new(),
        };
        server.tell("up", true).await;
        let env = server.tell("env", false).await;
        let url = env.lines().find_map(|line| line.strip_prefix("export DATABASE_URL="));
        url.unwrap_or_else(|| panic!("no DATABASE_URL in {env}"))
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
        let home = self.home.path().to_owned();
        let told = tokio::task::spawn_blocking(move || services(&home, command, named));
        told.await.unwrap().unwrap()
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if let Err(error) = services(self.home.path(), "down", false) {
            eprintln!("a PostgreSQL stays behind: {error}");
        }
    }
}

fn services(home: &Path, command: &str, named: bool) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/local/services");
    let mut services = Command::new(script);
    services.arg(command).args(named.then_some("postgres"));
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
