//! A scenario's checks can fail: with a deliberate fault in the node, each promise is found broken by the run of a file, with
//! the exit code for it.

use serde_json::Value;

use crate::scenarios::Scene;

/// The exit code of a broken promise.
const BROKEN: i32 = 3;
/// Places of promises in a report: of all, of those without a topic, and of those with one.
const STORED_ONCE: usize = 0;
const COUNTED: usize = 1;
const READ_ONCE: usize = 3;
const TRUE_MEANWHILE: usize = 3;

/// What nodes run and stand on.
const V1: &str = "versions = [\"v1\"]\nservices = [\"postgres\"]";
const V2: &str = "versions = [\"v2\"]\nservices = [\"postgres\", \"redis\"]";
const V3: &str = "versions = [\"v3\"]\nservices = [\"postgres\", \"kafka\"]";

/// Customers of whom many tap twice.
const TOURISTS: &str = "duration = \"6s\"\nrate = 600\nprofiles = { tourist = 1 }";
/// Those who carry orders die again and again.
const KILLS: &str = "mode = \"kill\"\nat = \"500ms\"\nevery = \"60ms\"\ntimes = 40";

/// A scenario of a few seconds.
fn text(setup: &str, drill: &str, load: &str, faults: &[String]) -> String {
    let faults: String = faults.iter().map(|fault| format!("[[fault]]\n{fault}\n")).collect();
    format!(
        "about = \"a drill\"
[setup]
{setup}
settings = {{ COFFEE_RT_FAULT_DRILL = \"{drill}\" }}
[[load]]
name = \"customers\"
retry_refused = true
{load}
{faults}"
    )
}

/// The promise is broken, and that is what is said of the run.
async fn assert_found(scene: Scene, drill: &str, promise: usize) {
    let (code, report, said) = scene.run(&[]).await;
    assert_eq!(code, BROKEN, "{drill}: {report:#}\n{said}");
    assert_eq!(report["verdict"], "promise_broken");
    assert_eq!(
        report["promises"][promise]["holds"], false,
        "{drill}: {:#}",
        report["promises"]
    );
    println!("{drill}: {}", report["promises"][promise]["found"][0]);
    let repeated = said.contains("repeat with: coffee-rt scenario run") && said.contains("--seed 7");
    assert!(repeated, "{said}");
}

fn killing(actor: &str) -> Vec<String> {
    vec![format!("actor = \"{actor}\"\n{KILLS}")]
}

/// A log stands still for a while, amid the kills.
fn pause(service: &str) -> String {
    format!("service = \"{service}\"\nmode = \"pause\"\nat = \"1s\"\nlasts = \"1s\"")
}

/// Commits wait, from so many milliseconds after the load's beginning on.
fn lock(at: u32, more: &str) -> String {
    format!("lock_table = \"coffee_rt.order_rows\"\nat = \"{at}ms\"\nlasts = \"5s\"\n{more}")
}

/// The node dies while commits wait: what it read meanwhile must not be gone with it. What its connections have begun, the
/// database does when the lock is released, before another node can claim what was the dead one's: that takes 6 s.
fn crash_before_commit() -> Vec<String> {
    vec![lock(300, ""), crash(4_500)]
}

fn crash(at: u32) -> String {
    format!("node = 1\nat = \"{at}ms\"\nlasts = \"500ms\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliberate_faults_of_v1_are_found() {
    for (drill, promise) in [("skip-deduplication", STORED_ONCE), ("count-conflicts", COUNTED)] {
        let scene = Scene::of(&text("", drill, TOURISTS, &killing("v1/batcher-0")));
        assert_found(scene, drill, promise).await;
    }
}

/// However fast a store or a log is: while it stands still, those who are killed have orders in hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledging_too_early_is_found() {
    let drill = "acknowledge-before-commit";
    for (setup, carrier, stands_still) in [
        (V1, "v1/batcher-0", lock(1_000, "")),
        (V2, "v2/appender", pause("redis")),
        (V3, "v3/appender", pause("kafka")),
    ] {
        let faults = [killing(carrier), vec![stands_still]].concat();
        let scene = Scene::in_checkout(&text(setup, drill, TOURISTS, &faults));
        assert_found(scene, drill, STORED_ONCE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliberate_faults_of_v2_are_found() {
    for (drill, faults, promise) in [
        ("count-conflicts", killing("v2/pair-0/*"), COUNTED),
        ("settle-before-commit", crash_before_commit(), STORED_ONCE),
        // What waits for its commit must not be shown either.
        (
            "delta-before-commit",
            vec![lock(300, "readable = true")],
            TRUE_MEANWHILE,
        ),
    ] {
        assert_found(Scene::in_checkout(&text(V2, drill, TOURISTS, &faults)), drill, promise).await;
    }
}

/// The record that is lost may be a repeated one, whose order is stored nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_the_position_before_the_commit_is_found() {
    let drill = "advance-before-commit";
    let text = text(V3, drill, TOURISTS, &[crash(1_500)]);
    assert_found(Scene::in_checkout(&text), drill, READ_ONCE).await;
}

/// Two groups read one topic into one store: without the fence each record is stored by both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_without_a_fence_are_found() {
    let setup = format!("{V3}\nnodes = 2\nnode_settings.2 = {{ COFFEE_RT_V3__GROUP = \"another\" }}");
    let load = "duration = \"6s\"\nrate = 100";
    let scene = |drill| Scene::in_checkout(&text(&setup, drill, load, &[]));
    assert_found(scene("skip-fence"), "skip-fence", READ_ONCE).await;
    let (code, report, said) = scene("").run(&[]).await;
    assert_eq!(code, 0, "{report:#}\n{said}");
}

/// The same scenarios without a drill break nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_drill_nothing_is_found() {
    let scene = Scene::of(&text("", "", TOURISTS, &killing("v1/batcher-0")));
    let (code, report, said) = scene.run(&[]).await;
    assert_eq!(code, 0, "{report:#}\n{said}");
    let promises = report["promises"].as_array().unwrap();
    assert!(
        promises.iter().all(|promise| promise["holds"] == Value::Bool(true)),
        "{promises:#?}"
    );
    assert!(
        !promises[TRUE_MEANWHILE]["name"].as_str().unwrap().contains("(0 looks)"),
        "{promises:#?}"
    );
}
