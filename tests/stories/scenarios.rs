//! Scenarios: each of the project's own, shortened, and what becomes of those that fail.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use coffee_rt::client::NodeClient;
use coffee_rt::scenario::books::{Before, Books};
use coffee_rt::scenario::{Choice, Scenario};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Database, Node, eventually, within};

/// The longest that a shortened scenario may take.
pub const LIMIT: Duration = Duration::from_secs(120);
/// How much shorter the project's own scenarios are here, and those in which a broker or a node must come back before the next
/// fault.
const SHORTEN: &str = "5";
const SHORTEN_WITH_RESTARTS: &str = "2";

/// A load that anything can take.
pub const QUIET: &str = r#"
about = "a quiet shop"
[[load]]
name = "customers"
duration = "3s"
rate = 60
retry_refused = true
"#;

/// A folder with one scenario.
pub struct Scene {
    folder: TempDir,
    file: PathBuf,
}

impl Scene {
    pub fn of(text: &str) -> Self {
        Self::within(tempfile::tempdir().unwrap(), text)
    }

    /// One that needs services: they are started by the checkout that the file is in.
    pub fn in_checkout(text: &str) -> Self {
        Self::within(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(), text)
    }

    fn within(folder: TempDir, text: &str) -> Self {
        let file = folder.path().join("scene.toml");
        std::fs::write(&file, text).unwrap();
        Self { folder, file }
    }

    fn command(&self, file: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coffee-rt"));
        command.args(["scenario", "run"]).arg(file).arg("--json").args(more);
        if !more.contains(&"--seed") {
            command.args(["--seed", "7"]);
        }
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Begins, with what it says kept.
    fn piped(&self, file: &Path) -> tokio::process::Child {
        let mut command = self.command(file, &[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it to its end: the exit code, the report and what is said beside it.
    pub async fn run(&self, more: &[&str]) -> (i32, Value, String) {
        self.run_file(&self.file, more).await
    }

    async fn run_file(&self, file: &Path, more: &[&str]) -> (i32, Value, String) {
        let output = tokio::time::timeout(LIMIT, self.command(file, more).output()).await;
        let Output { status, stdout, stderr } = output.expect("the scenario does not end").unwrap();
        let said = String::from_utf8_lossy(&stderr).into_owned();
        let report = serde_json::from_slice(&stdout).unwrap_or_default();
        (status.code().unwrap_or(-1), report, said)
    }
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Runs each of the project's own scenarios, shortened.
macro_rules! own_scenarios {
    ($($name:ident),+ $(,)?) => {
        /// Each file of the folder has its story here.
        const OWN: &[&str] = &[$(stringify!($name)),+];
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() { keeps_its_promises(stringify!($name)).await })+
    };
}
own_scenarios!(
    aggregator_restart,
    baseline,
    breakpoint,
    broker_outage,
    compare_engines,
    day,
    embedded,
    full_disk,
    full_store,
    kill_actors,
    kill_node,
    label_cardinality,
    lock_contention,
    mixed,
    pool_exhaustion,
    redis_outage,
    redis_warmth,
    rollout,
    slow_links,
    slow_store,
    soak,
    sockets,
    spike,
    stalled_readers,
);

async fn keeps_its_promises(story: &str) {
    let (scene, name) = (Scene::of(""), story.replace('_', "-"));
    let file = own_folder().join(format!("{name}.toml"));
    let shorten = match story {
        "broker_outage" | "kill_node" => SHORTEN_WITH_RESTARTS,
        _ => SHORTEN,
    };
    let (code, report, said) = scene.run_file(&file, &["--shorten", shorten]).await;
    // How fast it is, is a question to a quiet machine.
    assert!(code == 0 || code == 1, "{name}: {code}\n{report:#}\n{said}");
    for threshold in report["thresholds"].as_array().unwrap() {
        // Whether requests fail is none.
        let is_of_speed = !threshold["name"].as_str().unwrap().contains("failed_requests");
        assert!(is_of_speed || threshold["holds"] == true, "{name}: {threshold}");
    }
    let folder = scene.folder.path().join("scenario-runs").join(format!("{name}-7"));
    let written: Value = serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(written, report);
    let [page, junit] = ["report.html", "junit.xml"].map(|file| std::fs::read_to_string(folder.join(file)).unwrap());
    assert!(page.contains("<svg") && junit.contains("<testsuite"), "{page}\n{junit}");
    let moments = |load: &Value| load["moments"].as_array().unwrap().len();
    let loads = report["loads"].as_array().unwrap();
    // A search whose first rate is too fast for the machine ends with that one trial, which has one moment.
    let ended_at_once = |load: &Value| {
        load["breakpoint"]["trials"]
            .as_array()
            .is_some_and(|trials| trials.len() == 1)
    };
    assert!(
        loads.iter().any(|load| moments(load) > 1) || loads.iter().any(ended_at_once),
        "{report:#}"
    );
    let seen = |viewer: &&Value| viewer["name"] != "asleep";
    for viewer in report["viewers"].as_array().unwrap().iter().filter(seen) {
        assert!(viewer["latency"]["p99_ms"].as_f64().unwrap() > 0.0, "{viewer:#}");
    }
    for process in report["processes"].as_array().unwrap() {
        let (cpu, memory) = (
            process["cpu_seconds"].as_f64().unwrap(),
            process["peak_memory_bytes"].as_u64().unwrap(),
        );
        assert!(cpu > 0.0 && memory > 1_000_000, "{process:#}");
    }
}

#[test]
fn every_scenario_has_its_story_and_follows_the_published_schema() {
    let published = std::fs::read_to_string(own_folder().join("schema.json")).unwrap();
    let schema = coffee_rt::scenario::Scenario::schema();
    let hint = "write it anew: target/debug/coffee-rt scenario schema > scenarios/schema.json";
    assert_eq!(serde_json::from_str::<Value>(&published).unwrap(), schema, "{hint}");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut names = Vec::new();
    for file in std::fs::read_dir(own_folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if file.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario: Value = toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&scenario)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
        names.push(file.file_stem().unwrap().to_string_lossy().replace('-', "_"));
    }
    names.sort_unstable();
    assert_eq!(names, OWN);
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let examples = readme.split("```toml\n").filter_map(|rest| rest.split("```").next());
    let example = examples.into_iter().find(|text| text.starts_with("about =")).unwrap();
    Scenario::parse(example, Choice::default()).unwrap();
    let unknown = serde_json::json!({"about": "x", "load": [{"name": "a", "duration": "1s", "speed": 3}]});
    assert!(!validator.is_valid(&unknown));
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
    let rollback = "rollback = [[\"touch\", \"rolled-back\"]]";
    let paused = "[[fault]]\nnode = 1\nmode = \"pause\"\nat = \"0s\"\nlasts = \"60s\"\n";
    let killed = "[[fault]]\nnode = 1\nmode = \"kill\"\nat = \"0s\"\nlasts = \"60s\"\n";
    for fault in ["", paused, killed] {
        let scene = Scene::of(&format!("{rollback}{}{fault}", QUIET.replace("3s", "60s")));
        let child = scene.piped(&scene.file);
        let log = scene.folder.path().join("scenario-runs/scene-7/node.log");
        eventually("the node listens", async || match std::fs::read_to_string(&log) {
            Ok(text) if text.contains("listening") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        interrupt(child).await;
        assert_eq!(nodes_in(scene.folder.path()), Vec::<String>::new(), "{fault}");
        assert!(scene.folder.path().join("rolled-back").exists(), "{fault}");
    }
}

/// A run does not go on without its node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_by_itself_is_told_at_once() {
    let scene = Scene::of(&QUIET.replace("3s", "600s"));
    let child = scene.piped(&scene.file);
    let runs = scene.folder.path().join("scenario-runs");
    eventually("orders are stored", async || {
        let file = runs.join("scene-7/data/coffee-rt.db");
        let books = Books::read(None, &file, &Before::default()).await;
        let stored = books.map_err(|error| error.to_string())?.rows;
        (stored > 0).then_some(()).ok_or_else(|| "none yet".to_owned())
    })
    .await;
    let node = nodes_in(&runs).pop().unwrap();
    kill(Pid::from_raw(node.parse().unwrap()), Signal::SIGKILL).unwrap();
    let said = until_given_up(child).await;
    assert!(said.contains("the node ended by itself with signal: 9"), "{said}");
}

/// In the middle of a disturbed link, everything that the scenario started ends, the disturbance with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_leaves_no_service_behind() {
    let scene = Scene::of("");
    let file = own_folder().join("slow-store.toml");
    let child = scene.piped(&file);
    let home = scene.folder.path().join("scenario-runs/slow-store-7/services");
    let port = |service: &str| std::fs::read_to_string(home.join(service).join("port"));
    // The proxy may have to be built first.
    within(LIMIT, "the link is slow", async || {
        let url = format!(
            "http://127.0.0.1:{}",
            port("toxiproxy").map_err(|error| error.to_string())?.trim()
        );
        let proxy = NodeClient::new(&url.parse().unwrap(), None).unwrap();
        let toxics: Value = proxy
            .get("/proxies/postgres/toxics")
            .await
            .map_err(|error| error.to_string())?;
        if toxics.as_array().is_some_and(|toxics| !toxics.is_empty()) {
            Ok(())
        } else {
            Err(toxics.to_string())
        }
    })
    .await;
    let ports = ["postgres", "toxiproxy"].map(|service| port(service).unwrap().trim().parse::<u16>().unwrap());
    interrupt(child).await;
    assert_eq!(nodes_in(scene.folder.path()), Vec::<String>::new());
    for port in ports {
        assert!(
            std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
            "somebody listens on {port}"
        );
    }
}

/// While services are being started, too: the script that does it is not cut off, and ends what it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_leaves_no_half_started_service_behind() {
    let scene = Scene::of("");
    let child = scene.piped(&own_folder().join("redis-outage.toml"));
    let home = scene.folder.path().join("scenario-runs/redis-outage-7/services");
    eventually("the script is at work", async || match home.join("lock").exists() {
        true => Ok(()),
        false => Err("it has not begun".to_owned()),
    })
    .await;
    interrupt(child).await;
    let mut services = 0;
    for service in std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path()) {
        if let Ok(port) = std::fs::read_to_string(service.join("port")) {
            let port: u16 = port.trim().parse().unwrap();
            assert!(
                std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
                "{} is there",
                service.display()
            );
            assert!(!service.join("data").exists(), "{} has data", service.display());
            services += 1;
        }
    }
    println!("{services} services had a port");
    assert_eq!(nodes_in(scene.folder.path()), Vec::<String>::new());
}

/// What a report of the whole run says, although a node did not end as it should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_rollback_does_not_hide_the_verdict() {
    let text = format!("rollback = [[\"false\"]]{QUIET}");
    let (code, report, said) = Scene::of(&text).run(&[]).await;
    assert_eq!(
        (code, &report["verdict"]),
        (4, &Value::from("environment_failed")),
        "{report:#}\n{said}"
    );
    assert_eq!(report["environment"][1]["holds"], false, "{report:#}");
    assert!(
        report["promises"]
            .as_array()
            .unwrap()
            .iter()
            .all(|promise| promise["holds"] == true)
    );
}

async fn interrupt(child: tokio::process::Child) {
    let process = i32::try_from(child.id().unwrap()).unwrap();
    kill(Pid::from_raw(process), Signal::SIGINT).unwrap();
    until_given_up(child).await;
}

/// Ends as where the environment failed; what was said.
async fn until_given_up(child: tokio::process::Child) -> String {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let output = output.expect("the scenario does not end").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    said
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
