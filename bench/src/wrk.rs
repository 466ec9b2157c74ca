//! The load generator: wrk, with a script that writes valid orders.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::report::precise;

/// Connections, each with one order under way.
pub const CONNECTIONS: u32 = 256;
/// Threads of the generator.
const THREADS: u32 = 2;
/// The script.
const ORDERS: &str = include_str!("../orders.lua");

/// What a run of the generator saw.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Run {
    /// Requests answered.
    pub requests: u64,
    /// How long it ran.
    pub micros: u64,
    /// Answers that were errors.
    pub refused: u64,
    /// Requests without an answer.
    pub broken: u64,
    /// The 99th percentile of the answer times.
    pub p99_micros: u64,
}

impl Run {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        precise(self.requests) / (precise(self.micros) / 1e6)
    }
}

/// Posts orders to a path of an address for a while; fails unless every request was answered well.
pub async fn run(address: SocketAddr, path: &str, duration: Duration, folder: &Path) -> anyhow::Result<Run> {
    let script = folder.join("orders.lua");
    std::fs::write(&script, ORDERS)?;
    let output = Command::new("wrk")
        .arg(format!("-t{THREADS}"))
        .arg(format!("-c{CONNECTIONS}"))
        .arg(format!("-d{}s", duration.as_secs().max(1)))
        .arg("-s")
        .arg(&script)
        .arg(format!("http://{address}"))
        .args(["--", path])
        .kill_on_drop(true)
        .output()
        .await
        .context("wrk cannot be started; install it with: deploy/local/services install wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    let run: Run = serde_json::from_str(line.with_context(|| format!("wrk said: {text}"))?)?;
    if run.refused + run.broken > 0 || run.requests == 0 {
        bail!("not every order was answered well: {run:?}");
    }
    Ok(run)
}
