//! Scenarios: each of the project's own, shortened, and what becomes of those that fail.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Database, Node, eventually};

/// The longest that a shortened scenario may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How much shorter the project's own scenarios are.
const SHORTEN: &str = "5";

/// A load that anything can take.
const QUIET: &str = r#"
about = "a quiet shop"
[[load]]
name = "customers"
duration = "3s"
rate = 60
retry_refused = true
"#;

/// A folder with one scenario.
struct Scene {
    folder: TempDir,
    file: PathBuf,
}

impl Scene {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scene.toml");
        std::fs::write(&file, text).unwrap();
        Self { folder, file }
    }

    fn command(&self, file: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coffee-rt"));
        command
            .args(["scenario", "run"])
            .arg(file)
            .args(["--json", "--seed", "7"])
            .args(more);
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end: the exit code, the report and what is said beside it.
    async fn run(&self, more: &[&str]) -> (i32, Value, String) {
        self.run_file(&self.file, more).await
    }

    async fn run_file(&self, file: &Path, more: &[&str]) -> (i32, Value, String) {
        let output = tokio::time::timeout(LIMIT, self.command(file, more).output()).await;
        let Output { status, stdout, stderr } = output.expect("the scenario does not end").unwrap();
        let said = String::from_utf8_lossy(&stderr).into_owned();
        let report = serde_json::from_slice(&stdout).unwrap_or_default();
        (status.code().unwrap_or(-1), report, said)
    }

    fn reported(&self, run: &str) -> Value {
        let report = self.folder.path().join("scenario-runs").join(run).join("report.json");
        serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap()
    }
}

/// Those that need no service.
fn own_scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|it| it == "toml"))
        .collect();
    assert!(!files.is_empty());
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_projects_own_scenarios_keep_their_promises() {
    for file in own_scenarios() {
        let scene = Scene::of("");
        let (code, report, said) = scene.run_file(&file, &["--shorten", SHORTEN]).await;
        // How fast it is, is a question to a quiet machine.
        assert!(code == 0 || code == 1, "{}: {code}\n{report:#}\n{said}", file.display());
        let name = file.file_stem().unwrap().to_string_lossy();
        assert_eq!(scene.reported(&format!("{name}-7")), report);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliberate_faults_are_found() {
    let busy = QUIET.replace("rate = 60", "rate = 600");
    for (drill, promise) in [
        ("skip-deduplication", 0),
        ("acknowledge-before-commit", 0),
        ("count-conflicts", 1),
    ] {
        let text = format!(
            r#"{busy}
[load.profiles]
tourist = 1
[setup.settings]
COFFEE_RT_FAULT_DRILL = "{drill}"
[[fault]]
actor = "v1/batcher-0"
at = "500ms"
every = "60ms"
times = 40
"#
        );
        let (code, report, said) = Scene::of(&text).run(&[]).await;
        assert_eq!(code, 3, "{drill}: {report:#}\n{said}");
        assert_eq!(report["verdict"], "promise_broken");
        assert_eq!(report["promises"][promise]["holds"], false, "{drill}: {report:#}");
        assert!(
            said.contains("repeat with: coffee-rt scenario run") && said.contains("--seed 7"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_fail_has_its_exit_code() {
    let unknown_actor = "[[fault]]\nactor = \"v1/waiter\"\nat = \"1s\"\n";
    for (text, code, why) in [
        (QUIET.to_owned(), 0, ""),
        (
            format!("thresholds = [\"customers.p50_ms < 0\"]{QUIET}"),
            1,
            "repeat with",
        ),
        (QUIET.replace("rate", "rat"), 2, "line 6, column 1: unknown field `rat`"),
        (format!("{QUIET}{unknown_actor}"), 5, "repeat with"),
        (
            format!("{QUIET}[setup.settings]\nCOFFEE_RT_LOG = \"=\"\n"),
            4,
            "the node ended",
        ),
    ] {
        let (found, report, said) = Scene::of(&text).run(&[]).await;
        assert_eq!(found, code, "{text}\n{report:#}\n{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_there_can_be_driven() {
    let database = Database::sqlite();
    let node = Node::start(&database).await;
    let scene = Scene::of(QUIET);
    let mut command = scene.command(&scene.file, &["--url", node.url.as_str()]);
    // Its store is read with the settings of the environment.
    command
        .env("COFFEE_RT_SQLITE_PATH", database.sqlite_file())
        .env_remove("DATABASE_URL");
    let output = tokio::time::timeout(LIMIT, command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        database.assert_audit_clean(),
        report["loads"][0]["acknowledged"].as_u64().unwrap()
    );
    node.stop().await;
}

/// Whatever the scenario is at, nothing of it is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_leaves_no_process_behind() {
    let paused = "[[fault]]\nnode = 1\nmode = \"pause\"\nat = \"0s\"\nlasts = \"60s\"\n";
    let killed = "[[fault]]\nnode = 1\nmode = \"kill\"\nat = \"0s\"\nlasts = \"60s\"\n";
    for fault in ["", paused, killed] {
        let scene = Scene::of(&format!("{}{fault}", QUIET.replace("3s", "60s")));
        let child = scene
            .command(&scene.file, &[])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = scene.folder.path().join("scenario-runs/scene-7/node.log");
        eventually("the node listens", async || match std::fs::read_to_string(&log) {
            Ok(text) if text.contains("listening") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        let process = i32::try_from(child.id().unwrap()).unwrap();
        kill(Pid::from_raw(process), Signal::SIGINT).unwrap();
        let output = tokio::time::timeout(LIMIT, child.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{fault}{said}");
        assert_eq!(nodes_in(scene.folder.path()), Vec::<String>::new(), "{fault}");
    }
}

/// Processes that work in a folder.
fn nodes_in(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let inside = processes.filter(|process| {
        let works_in = std::fs::read_link(process.path().join("cwd"));
        works_in.is_ok_and(|works_in| works_in.starts_with(folder))
    });
    inside
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}
