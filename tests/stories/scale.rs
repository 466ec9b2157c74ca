//! SCALE.md: experiments are run once, and told in a document that anyone can make again.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::scenarios::{LIMIT, QUIET};
use crate::support::Flink;

/// Three JVMs start for it.
const LIMIT_OF_ENGINES: Duration = Duration::from_secs(300);

/// Runs experiments in a folder; what was said.
async fn scale(folder: &Path, files: &[&str]) -> String {
    let output = output(folder, &[files, &["--shorten", "2"]].concat()).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn output(folder: &Path, arguments: &[&str]) -> Output {
    output_within(LIMIT, folder, arguments).await
}

async fn output_within(limit: Duration, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coffee-rt"));
    command.args(["scenario", "scale"]).args(arguments);
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(limit, command.output()).await.unwrap().unwrap()
}

/// The project's own comparison of v3's engines, much shortened: the same topic through each, and what SCALE.md tells of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_are_compared() {
    let (folder, _turn) = (tempfile::tempdir().unwrap(), Flink::turn().await);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/compare-engines.toml");
    let run = output_within(LIMIT_OF_ENGINES, folder.path(), &[file, "--shorten", "20"]).await;
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{run:?}");
    assert!(
        said.contains("1 of 2: compare-engines on v3") && said.contains("2 of 2: compare-engines on v3-flink"),
        "{said}"
    );
    for ran in ["v3", "v3-flink"] {
        let report = folder
            .path()
            .join(format!("scenario-runs/scale/compare-engines-{ran}/report.json"));
        let report: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
        // How fast it is, is a question to a quiet machine.
        assert!(
            ["passed", "threshold_missed"].contains(&report["verdict"].as_str().unwrap()),
            "{report:#}"
        );
        assert_eq!(report["backlog"]["orders"], report["backlog"]["stored"], "{report:#}");
        let thresholds = report["thresholds"].as_array().unwrap();
        let of_truth = ["customers.failed_requests", "screens-at-the-kill.never_shown"];
        let named = |name: &str| {
            thresholds
                .iter()
                .find(|check| check["name"].as_str().unwrap().starts_with(name))
        };
        for name in of_truth {
            assert_eq!(named(name).unwrap()["holds"], true, "{report:#}");
        }
    }
    let document = std::fs::read_to_string(folder.path().join("SCALE.md")).unwrap();
    let words = document.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("### Which engine for v3") && words.contains("made the same tables of them"),
        "{document}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn experiments_are_run_once_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let experiment =
        |hypothesis: &str| format!("{QUIET}[experiment]\nhypothesis = \"{hypothesis}\"\nplot = \"latency\"\n");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("quiet.toml", &experiment("Nobody waits"));
    write(
        "missed.toml",
        &format!(
            "thresholds = [\"customers.p99_ms < 0\"]{}",
            experiment("All wait | for ever")
        ),
    );
    write("no-experiment.toml", QUIET);
    let files = ["quiet.toml", "missed.toml", "no-experiment.toml"];
    let said = scale(folder.path(), &files).await;
    assert!(
        said.contains("1 of 2: quiet on v1") && said.contains("2 of 2: missed on v1"),
        "{said}"
    );

    let document = || std::fs::read_to_string(folder.path().join("SCALE.md")).unwrap();
    let first = document();
    for part in [
        "### quiet",
        "**Expected:** Nobody waits.",
        "### missed",
        "customers.p99",
        "## Capacity model",
    ] {
        assert!(first.contains(part), "{part} is not in\n{first}");
    }
    for plot in ["quiet-v1.svg", "missed-v1.svg"] {
        let picture = std::fs::read_to_string(folder.path().join("docs/scale").join(plot)).unwrap();
        roxmltree::Document::parse(&picture).unwrap();
        assert!(first.contains(&format!("docs/scale/{plot}")), "{first}");
    }

    // What is there is told again and not run again; what was cut off is.
    std::fs::rename(
        folder.path().join("scenario-runs/scale/missed-v1"),
        folder.path().join("scenario-runs/scale/missed-v1.part"),
    )
    .unwrap();
    let said = scale(folder.path(), &files).await;
    assert!(
        !said.contains("1 of 2") && said.contains("2 of 2: missed on v1"),
        "{said}"
    );
    let said = scale(folder.path(), &files[..1]).await;
    assert!(
        said.contains("1 experiments: SCALE.md") && !said.contains(" of "),
        "{said}"
    );
    assert!(
        document().contains("### quiet") && !document().contains("### missed"),
        "{}",
        document()
    );

    // Reports of other settings are not taken for these, and nothing is deleted that may still be served.
    let other = output(folder.path(), &["quiet.toml", "--shorten", "3"]).await;
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    let left = folder
        .path()
        .join("scenario-runs/scale/missed-v1.part/services/postgres");
    std::fs::remove_dir_all(folder.path().join("scenario-runs/scale/missed-v1")).unwrap();
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("pid"), "1").unwrap();
    let refused = output(folder.path(), &["missed.toml"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(
        said.contains("deploy/local/services down --home") && left.exists(),
        "{said}"
    );
}
