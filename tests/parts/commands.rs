//! The client commands as a person or a script runs them: their output and exit codes.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::node_double::{Act, NodeDouble, State, problem, serve};
use bytes::Bytes;
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::DropGuard;
use url::Url;
use warp::Filter;
use warp::http::Response;

/// Longer than any command takes here, even on a crowded machine.
const DEADLINE: Duration = Duration::from_secs(30);

async fn coffee_rt(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coffee-rt"));
    command
        .args(arguments)
        .env("COFFEE_RT_URL", url)
        .env_remove("COFFEE_RT_ADMIN_TOKEN")
        .env("NO_COLOR", "1");
    command.stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(DEADLINE, command.output())
        .await
        .expect("the command ends in time")
        .unwrap()
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn nobody_there() -> String {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    format!("http://{closed}")
}

const SHORT_RUN: [&str; 8] = [
    "simulate",
    "--count",
    "60",
    "--rate",
    "2000",
    "--seed",
    "3",
    "--profiles=regular=1,tourist=1",
];

#[tokio::test]
async fn simulate_reports_what_became_of_the_orders() {
    let node = NodeDouble::well().await;
    let (code, out, err) = told(&coffee_rt(node.url.as_str(), &SHORT_RUN).await);
    assert_eq!(code, Some(0), "{out}{err}");
    for part in ["60 orders acknowledged", "seed 3", "p99.9", "tourist", "all"] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let json = [&SHORT_RUN[..], &["--json", "--version", "2"]].concat();
    let (code, out, _) = told(&coffee_rt(node.url.as_str(), &json).await);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &report["acknowledged"], &report["version"]),
        (Some(0), &json!(60), &json!("v2"))
    );
    assert!(report["latency"]["p99_ms"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn simulate_ends_with_the_code_that_fits() {
    let liar = NodeDouble::start(|_| Act::WrongId(7)).await;
    let (code, out, err) = told(&coffee_rt(liar.url.as_str(), &SHORT_RUN).await);
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("the id 7 was given to"), "{out}");

    let refuses = NodeDouble::start(|_| Act::Refuse(404, 0)).await;
    let (code, _, err) = told(&coffee_rt(refuses.url.as_str(), &SHORT_RUN).await);
    assert_eq!(code, Some(5));
    assert!(err.contains("404") && err.contains("told to refuse"), "{err}");

    let (code, _, err) = told(&coffee_rt(&nobody_there().await, &SHORT_RUN).await);
    assert_eq!(code, Some(4));
    assert!(err.contains("start it with: coffee-rt serve"), "{err}");

    for wrong in [
        &["simulate", "--rate", "0"][..],
        &["simulate", "--duration", "soon"],
        &["simulate", "--connections", "0"],
    ] {
        assert_eq!(
            told(&coffee_rt(refuses.url.as_str(), wrong).await).0,
            Some(2),
            "{wrong:?}"
        );
    }
    assert_eq!(told(&coffee_rt("https://cafe.example", &SHORT_RUN).await).0, Some(2));
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_a_simulation_with_its_report() {
    let node = NodeDouble::well().await;
    let child = Command::new(env!("CARGO_BIN_EXE_coffee-rt"))
        .args([
            "simulate",
            "--duration",
            "10m",
            "--rate",
            "200",
            "--json",
            "--url",
            node.url.as_str(),
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    tokio::time::timeout(DEADLINE, async {
        while node.requests() < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("orders arrive");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT).unwrap();
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output())
        .await
        .expect("it ends")
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["unknown"]), (Some(0), &json!(0)));
    assert_eq!(report["acknowledged"], report["sent"]);
}

fn tree(generation: u64) -> Value {
    let row = |path: &str, parent: Value, kind: &str, generation: u64| {
        json!({"path": path, "parent": parent, "kind": kind, "strategy": null, "state": "running",
            "generation": generation, "restarts": generation - 1, "uptime_seconds": 1.5, "mailbox": 0,
            "handled_total": 123, "handled_per_second": 12.5, "in_flight": 0, "limit": 4096, "last_failure": null})
    };
    json!({"actors": [
        row("root", Value::Null, "supervisor", 1),
        row("v1", json!("root"), "supervisor", 1),
        row("v1/batcher-0", json!("v1"), "worker", generation),
    ]})
}

/// A node with three actors, one of which comes back at the third look after it was killed.
async fn node_with_actors(allowed: bool) -> (Url, DropGuard) {
    let (looks, generation) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(3)));
    let (struck, counted) = (Arc::clone(&generation), Arc::clone(&looks));
    let get = warp::path!("api" / "actors").and(warp::get()).map(move || {
        let back = counted.fetch_add(1, Ordering::SeqCst) >= 2;
        let generation = if back { generation.load(Ordering::SeqCst) } else { 3 };
        Response::new(Bytes::from(tree(generation).to_string()))
    });
    let kill = warp::path!("api" / "actors" / "v1" / "batcher-0" / "kill")
        .and(warp::post())
        .and(warp::body::json())
        .map(move |fault: Value| {
            if !allowed {
                return problem(403, 0, "fault injection is off: set COFFEE_RT_ADMIN_TOKEN");
            }
            assert!(["kill", "panic", "stall"].contains(&fault["mode"].as_str().unwrap()));
            looks.store(0, Ordering::SeqCst);
            struck.fetch_add(1, Ordering::SeqCst);
            Response::new(Bytes::from_static(b"{}"))
        });
    serve(get.or(kill).unify().boxed(), Arc::new(State::default())).await
}

#[tokio::test]
async fn kill_waits_until_the_actor_works_again() {
    let (url, _node) = node_with_actors(true).await;
    let (code, out, err) = told(&coffee_rt(url.as_str(), &["kill", "v1/batcher-0"]).await);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.starts_with("v1/batcher-0 killed, running again after ") && out.contains("(generation 4)"),
        "{out}"
    );
    let panics = ["kill", "v1/batcher-0", "--mode", "panic", "--json"];
    let (code, out, _) = told(&coffee_rt(url.as_str(), &panics).await);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &answer["generation"]), (Some(0), &json!(5)));
    let stalls = ["kill", "v1/batcher-0", "--mode", "stall", "--millis", "200"];
    let (code, out, _) = told(&coffee_rt(url.as_str(), &stalls).await);
    assert_eq!((code, out.trim()), (Some(0), "v1/batcher-0 stalls for 200 ms"));
}

#[tokio::test]
async fn kill_says_why_it_cannot() {
    let (url, _node) = node_with_actors(false).await;
    let (code, _, err) = told(&coffee_rt(url.as_str(), &["kill", "v1/bacher-0"]).await);
    assert_eq!(code, Some(1));
    assert!(err.contains("nearest are: v1/batcher-0"), "{err}");
    let (code, _, err) = told(&coffee_rt(url.as_str(), &["kill", "v1/batcher-0"]).await);
    assert_eq!(code, Some(4));
    assert!(err.contains("fault injection is off"), "{err}");
    let (code, ..) = told(&coffee_rt(url.as_str(), &["kill", "v1/batcher-0", "--millis", "5"]).await);
    assert_eq!(code, Some(2));
}

#[tokio::test]
async fn tree_shows_who_supervises_whom() {
    let (url, _node) = node_with_actors(true).await;
    let (code, out, err) = told(&coffee_rt(url.as_str(), &["tree"]).await);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains("\nroot ") && out.contains("\n└─ v1 ") && out.contains("\n   └─ v1/batcher-0 "),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'), "no colours in a pipe");
    let (_, out, _) = told(&coffee_rt(url.as_str(), &["tree", "--json"]).await);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), tree(3));
    assert_eq!(told(&coffee_rt(&nobody_there().await, &["tree"]).await).0, Some(4));
}

/// A node that sends two frames and breaks the connection, again and again.
async fn node_that_pushes(frame: impl Fn(u64) -> Value + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut total = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            for _ in 0..2 {
                total += 1;
                socket.send(Message::text(frame(total).to_string())).await.unwrap();
            }
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn watch_connects_again_and_ends_after_its_frames() {
    let url = node_that_pushes(|total| {
        json!({"current_hour": {"hour": 9, "top_drinks": ["latte"], "revenue": 12.5, "order_count": 3},
            "top5_drinks": ["latte"], "recent_orders": [], "server_timestamp": "2026-11-22T09:00:00Z",
            "stored_total": total})
    })
    .await;
    let (code, out, err) = told(&coffee_rt(&url, &["watch", "--frames", "3"]).await);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(
        out.contains("09h 3 orders, revenue 12.5") && err.contains("trying again"),
        "{out}{err}"
    );
    let (_, out, _) = told(&coffee_rt(&url, &["watch", "--frames", "1", "--json"]).await);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["current_hour"]["hour"], 9);
    assert_eq!(told(&coffee_rt(&nobody_there().await, &["watch"]).await).0, Some(4));
}

#[cfg(unix)]
#[tokio::test]
async fn tree_watches_until_it_is_told_to_end() {
    let url = node_that_pushes(tree).await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_coffee-rt"))
        .args(["tree", "--watch", "--json", "--url", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for generation in 1..=5 {
        let line = tokio::time::timeout(DEADLINE, lines.next_line())
            .await
            .expect("a tree arrives")
            .unwrap()
            .unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), tree(generation));
    }
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT).unwrap();
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output())
        .await
        .expect("it ends")
        .unwrap();
    let (code, _, err) = told(&output);
    assert_eq!(code, Some(0));
    assert!(err.contains("trying again") && err.contains("connected again"), "{err}");
}
