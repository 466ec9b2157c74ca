//! The checks can fail: with a deliberate fault in the node, the same checks that the other stories make report a broken
//! promise, and without one they pass.

use std::process::Command;
use std::time::Duration;

use coffee_rt::load::{Driver, profile_named};
use coffee_rt::scenario::books::{Before, broken_promises};
use coffee_rt_actors::supervision::MAX_STALL_MS;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    Books, DEADLINE, Database, HeldCommits, Node, Requests, customers, eventually, on_both_engines, seed, through_a_log,
};

/// Load of the scenario.
const ORDERS_PER_SECOND: f64 = 600.0;
/// Orders that are acknowledged between two faults.
const BETWEEN_FAULTS: u64 = 40;
/// How often those who carry orders are killed.
const KILLS: u64 = 20;
/// Orders placed while a commit is held up.
const HELD_UP: usize = 9;
/// How long a correct dashboard may take to show what is stored.
const CATCH_UP: Duration = Duration::from_secs(5);
/// How long it must show that and nothing else.
const STAYS: Duration = Duration::from_millis(1_500);
const _: () = assert!(CATCH_UP.as_secs() < DEADLINE.as_secs());

through_a_log!(
    without_a_drill_all_promises_hold,
    acknowledging_before_the_commit_is_found,
    counting_conflicts_is_found,
);
on_both_engines!(
    without_a_drill_all_promises_hold,
    acknowledging_before_the_commit_is_found,
    skipping_deduplication_is_found,
    counting_conflicts_is_found,
);

async fn without_a_drill_all_promises_hold(database: Database) {
    assert_eq!(broken_in_scenario(&database, "").await, Vec::<String>::new());
}

async fn acknowledging_before_the_commit_is_found(database: Database) {
    let broken = broken_in_scenario(&database, "acknowledge-before-commit").await;
    assert_found(&broken, "was acknowledged and is lost");
}

async fn skipping_deduplication_is_found(database: Database) {
    let broken = broken_in_scenario(&database, "skip-deduplication").await;
    assert_found(&broken, "is lost");
    assert_found(&broken, "stored orders were never sent");
}

async fn counting_conflicts_is_found(database: Database) {
    let broken = broken_in_scenario(&database, "count-conflicts").await;
    assert_found(&broken, "audit:");
    assert_found(&broken, "dashboard:");
}

/// While a lock holds up the commit of an order, the position must not be behind it when the node dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_the_position_before_the_commit_is_found() {
    for (drill, stored) in [("", 1), ("advance-before-commit", 0)] {
        let (database, key) = (Database::kafka().await, Uuid::now_v7());
        let node = Node::start_with(&database, &[("COFFEE_RT_FAULT_DRILL", drill)]).await;
        let mut held = HeldCommits::of_order(&database, key).await;
        Requests::to(&node).place_as(key).await;
        held.until_one_waits().await;
        node.crash();
        held.end_those_that_wait().await;
        held.release().await;
        let node = Node::start(&database).await;
        node.until_stored().await;
        assert_eq!(Books::read(&database).await.rows, stored, "{drill:?}");
        node.stop().await;
    }
}

/// While a lock holds up every commit, entries that wait for the next one must still be in the log when the node dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_entries_before_the_commit_is_found() {
    for (drill, unsettled) in [("", 1 + HELD_UP), ("settle-before-commit", 0)] {
        let database = Database::redis().await;
        let node = Node::start_with(&database, &[("COFFEE_RT_FAULT_DRILL", drill)]).await;
        let held = hold_up_commits(&database, &node).await;
        for _ in 0..HELD_UP {
            Requests::to(&node).place().await;
        }
        // Not asked of `/readyz`, which may show what was before.
        eventually("the entries are read", async || {
            let read = node.metric(r#"coffee_rt_log_read_total{version="v2"}"#).await;
            let (entries, surplus) = database.entries_and_surplus();
            if read >= (1 + HELD_UP) as f64 && entries + surplus == unsettled {
                Ok(())
            } else {
                Err(format!(
                    "{read} read, {entries} entries and {surplus} orders more in the stream"
                ))
            }
        })
        .await;
        node.crash();
        held.release().await;
        let node = Node::start(&database).await;
        node.until_stored().await;
        let stored = Books::read(&database).await.rows;
        let lost = (1 + HELD_UP).saturating_sub(stored);
        println!("{drill:?}: {lost} of {} acknowledged orders lost", 1 + HELD_UP);
        assert_eq!(lost > 0, !drill.is_empty(), "{drill}: {lost} lost");
        node.stop().await;
    }
}

/// While a lock holds up every commit, a dashboard may show nothing that is not stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telling_a_commit_before_it_is_made_is_found() {
    for (drill, shown) in [("", 0), ("delta-before-commit", 1)] {
        let database = Database::redis().await;
        let node = Node::start_with(&database, &[("COFFEE_RT_FAULT_DRILL", drill)]).await;
        let held = hold_up_commits(&database, &node).await;
        eventually("the dashboard shows what it was told", async || {
            let dashboard: Value = node.client.get("/api/dashboard").await.map_err(|e| e.to_string())?;
            match dashboard["stored_total"].as_u64().unwrap() {
                total if total == shown => Ok(()),
                total => Err(format!("{total} instead of {shown}")),
            }
        })
        .await;
        held.release().await;
        node.until_stored().await;
        node.stop().await;
    }
}

/// Places an order whose commit then waits.
async fn hold_up_commits(database: &Database, node: &Node) -> HeldCommits {
    let mut held = HeldCommits::of(database).await;
    Requests::to(node).place().await;
    held.until_one_waits().await;
    held
}

fn assert_found(broken: &[String], what: &str) {
    let found: Vec<_> = broken.iter().filter(|broken| broken.contains(what)).collect();
    assert!(!found.is_empty(), "{what} is not in {broken:#?}");
    println!(
        "{} broken promises of {}, such as {}",
        found.len(),
        broken.len(),
        found[0]
    );
}

/// Customers who tap twice and repeat what was not answered, while those who carry orders are killed again and again and in the end
/// the node. Returns every promise that was broken.
async fn broken_in_scenario(database: &Database, drill: &str) -> Vec<String> {
    let node = Node::start_with(database, &[("COFFEE_RT_FAULT_DRILL", drill)]).await;
    node.until_it_carries(database).await;
    repeated_when_stored(&node).await;
    let before = Before::read(database.direct_url(), &database.sqlite_file())
        .await
        .unwrap();
    let mut options = customers(&node, seed(), ORDERS_PER_SECOND);
    let mut tapping = profile_named("commuter").unwrap();
    tapping.double_taps_per_mille = 500;
    options.profiles = vec![(tapping, 1)];
    options.retry.repeat_refused = true;
    let stop = CancellationToken::new();
    let load = Driver::new(options).unwrap().start(&stop);
    let counts = || load.progress().counts;
    for kill in 1..=KILLS {
        until_at_least("acknowledged orders", kill * BETWEEN_FAULTS, || counts().acknowledged).await;
        // However fast the store is: what comes while they stand still is in their hands when they die.
        for carrier in database.carriers() {
            node.inject(carrier, "stall", MAX_STALL_MS).await;
        }
        let sent = counts().sent;
        // With a drill they are answered all the same.
        let in_hand = || counts().unknown + counts().sent - sent;
        until_at_least("orders in their hands", HELD_UP as u64, in_hand).await;
        for carrier in database.carriers() {
            node.inject(carrier, "kill", 1).await;
        }
    }
    let enough = (KILLS + 1) * BETWEEN_FAULTS;
    until_at_least("acknowledged orders", enough, || counts().acknowledged).await;
    let address = node.address();
    node.crash();
    let node = Node::spawn(database, &address, &[("COFFEE_RT_FAULT_DRILL", drill)]).await;
    node.until_ready().await;
    stop.cancel();
    let finished = load.finish().await;
    assert!(
        finished.report.counts.acknowledged > KILLS * BETWEEN_FAULTS,
        "too little to prove anything"
    );

    node.until_stored().await;
    let books = Books::since(database, &before).await;
    let mut broken = broken_promises(&[&finished.ledger], &books, &before);
    broken.extend(audit_differences(database));
    broken.extend(dashboard_difference(&node, (before.orders + books.rows) as u64).await);
    broken
}

async fn until_at_least(what: &str, wanted: u64, count: impl Fn() -> u64) {
    eventually(what, async || match count() {
        enough if enough >= wanted => Ok(()),
        few => Err(format!("{few} of {wanted}")),
    })
    .await;
}

/// Places an order, and again when it is stored: of those who tap twice, both taps may be in one batch, which counts them once.
async fn repeated_when_stored(node: &Node) {
    let key = Uuid::now_v7();
    for _ in 0..2 {
        Requests::to(node).place_as(key).await;
        node.until_stored().await;
    }
}

/// What the stories' audit fails at, in words.
fn audit_differences(database: &Database) -> Vec<String> {
    let (code, text) = database.command(&["audit", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let differences = report["differences"].as_array().unwrap();
    assert_eq!(code, i32::from(!differences.is_empty()), "{text}");
    differences
        .iter()
        .map(|difference| format!("audit: {difference}"))
        .collect()
}

async fn dashboard_difference(node: &Node, rows: u64) -> Option<String> {
    let until = std::time::Instant::now() + CATCH_UP;
    let mut right_since = None;
    loop {
        let (dashboard, now): (Value, _) = (
            node.client.get("/api/dashboard").await.unwrap(),
            std::time::Instant::now(),
        );
        match dashboard["stored_total"].as_u64().unwrap() {
            // One that shows too much may pass the right number while it catches up.
            total if total == rows => {
                if now - *right_since.get_or_insert(now) > STAYS {
                    return None;
                }
            }
            total if now > until => return Some(format!("dashboard: {total} of {rows} rows")),
            _ => right_since = None,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The compiler itself says no. Only as far as it expands macros: the crate's dependencies are not given to it.
#[test]
fn no_release_build_has_drills() {
    const REFUSAL: &str = "release builds have none of them";
    let compiler_says = |feature: &[&str], debug_assertions: &str| {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(rustc)
            .args([
                "--edition",
                "2024",
                "--crate-type",
                "lib",
                "--emit",
                "metadata",
                "-C",
                debug_assertions,
            ])
            .args(feature)
            .arg("--out-dir")
            .arg(folder.path())
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/actors/src/lib.rs"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stderr).contains(REFUSAL)
    };
    let with_drills = ["--cfg", "feature=\"fault-drills\""];
    assert!(
        compiler_says(&with_drills, "debug-assertions=off"),
        "a release build with drills"
    );
    assert!(
        !compiler_says(&with_drills, "debug-assertions=on"),
        "a test build with drills"
    );
    assert!(
        !compiler_says(&[], "debug-assertions=off"),
        "a release build without drills"
    );
}
