//! What the container's image runs, as it runs it: the user, the settings and the commands of its Dockerfile, and a file system
//! that cannot be written.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tokio::process::Command;

use crate::support::{DEADLINE, Database};

/// The container's file system and settings.
struct Image {
    folder: tempfile::TempDir,
    dockerfile: String,
    settings: Vec<(String, String)>,
}

impl Image {
    fn new(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/docker/Dockerfile");
        let mut image = Self {
            folder,
            dockerfile: std::fs::read_to_string(file).unwrap(),
            settings: Vec::new(),
        };
        // The image's own release build, where it was made.
        let built = std::env::var("COFFEE_RT_TEST_IMAGE_BIN");
        let built = built.unwrap_or_else(|_| env!("CARGO_BIN_EXE_coffee-rt").to_owned());
        // By another process: a child of another story, begun meanwhile, would hold the file open for writing.
        let copied = std::process::Command::new("cp")
            .arg(built)
            .arg(image.program())
            .status()
            .unwrap();
        assert!(copied.success(), "{copied}");
        std::fs::create_dir(image.home()).unwrap();
        for (path, mode) in [
            (image.folder.path(), 0o755),
            (&image.program(), 0o755),
            (&image.home(), 0o555),
        ] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let given = image
            .line("ENV ")
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        image.settings = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let url = database.direct_url().unwrap().to_owned();
        image.settings.push(("DATABASE_URL".to_owned(), url));
        image
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("coffee-rt")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The rest of the Dockerfile's last line that begins so.
    fn line(&self, instruction: &str) -> &str {
        let found = self
            .dockerfile
            .lines()
            .rev()
            .find_map(|line| line.trim().strip_prefix(instruction));
        found.unwrap_or_else(|| panic!("no {instruction}in the Dockerfile"))
    }

    /// Who may choose another user runs it as the image's.
    fn command(&self, arguments: &[&str]) -> Command {
        let (user, group) = self.line("USER ").split_once(':').unwrap();
        assert!(
            user != "0" && user.parse::<u32>().is_ok(),
            "{user} is no user by number, as Kubernetes wants it"
        );
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args([
                &format!("--reuid={user}"),
                &format!("--regid={group}"),
                "--clear-groups",
                "--",
            ]);
            command.arg(self.program());
            command
        } else {
            Command::new(self.program())
        };
        command
            .args(arguments)
            .current_dir(self.home())
            .env_clear()
            .kill_on_drop(true);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        tokio::time::timeout(DEADLINE, self.command(arguments).output())
            .await
            .unwrap()
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_needs_neither_root_nor_a_file_that_it_can_write() {
    let database = Database::postgres().await;
    let mut image = Image::new(&database);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = image
        .settings
        .iter_mut()
        .find(|(name, _)| name == "COFFEE_RT_LISTEN")
        .unwrap();
    assert!(
        listen.1.starts_with("0.0.0.0:"),
        "{listen:?} is not reachable from outside the container"
    );
    listen.1 = format!("0.0.0.0:{port}");
    let url = format!("http://127.0.0.1:{port}");
    let mut node = image.command(&["serve"]).spawn().unwrap();

    let health_check = image.line("HEALTHCHECK").split_once("CMD ").unwrap().1;
    let words: Vec<String> = serde_json::from_str(health_check).unwrap();
    assert_eq!(words, ["coffee-rt", "ready"]);
    let ready = image.run(&["ready", "--wait", "20s", "--url", &url]).await;
    assert!(ready.status.success(), "{ready:?}");
    let customers = image
        .run(&["simulate", "--count", "200", "--rate", "400", "--url", &url])
        .await;
    assert!(customers.status.success(), "{customers:?}");
    assert_eq!(database.assert_audit_clean(), 200);

    kill(
        Pid::from_raw(i32::try_from(node.id().unwrap()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(45), node.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(ended.success(), "{ended}");
    let gone = image.run(&["ready", "--url", &url]).await;
    assert_eq!(gone.status.code(), Some(4), "{gone:?}");
    let written: Vec<_> = std::fs::read_dir(image.home()).unwrap().collect();
    assert!(written.is_empty(), "{written:?}");
}
