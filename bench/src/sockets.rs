//! Thousands of WebSocket clients: what each costs, and how fast a frame reaches all.

use std::process::Stdio;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::crowd::Seen;
use crate::database::{Database, Engine};
use crate::http::Connection;
use crate::node::Server;
use crate::progress::Progress;
use crate::report::{Figure, Wanted};

/// Resident memory of the node for each client.
const GOAL_MEMORY_KB: f64 = 11.0;
/// From an order's acknowledgement to its frame, over all clients and orders.
const GOAL_P99_MS: f64 = 150.0;
/// Orders before memory is looked at, so that what they need is there.
const WARM_UP_ORDERS: u32 = 100;

/// Measures with that many clients, in a process of their own.
pub async fn measure(engine: Engine, clients: u32, orders: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let database = Database::create(engine).await?;
    let node = Server::node(&database).await?;
    let mut customer = Connection::open(node.address).await?;
    for _ in 0..WARM_UP_ORDERS {
        customer.place_order(Engine::V1_PATH).await?;
    }
    drop(customer);
    let (before_kib, kernel_before_kib) = (node.resident_kib()?, kernel_socket_kib()?);
    progress.say(format!("sockets, {}: connecting {clients} clients", engine.name()));
    let mut crowd = Command::new(std::env::current_exe()?)
        .arg("crowd")
        .arg(node.address.to_string())
        .args([clients.to_string(), orders.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(crowd.stdout.take().context("no output")?).lines();
    let _connected = lines.next_line().await?.context("the clients could not connect")?;
    let (with_kib, kernel_with_kib) = (node.resident_kib()?, kernel_socket_kib()?);
    progress.say(format!("sockets, {}: {orders} orders, one each second", engine.name()));
    crowd.stdin.take().context("no input")?.write_all(b"go\n").await?;
    let seen: Seen = serde_json::from_str(&lines.next_line().await?.context("the clients failed")?)?;
    let (after_kib, kernel_after_kib) = (node.resident_kib()?, kernel_socket_kib()?);
    crowd.wait().await?;
    node.stop().await?;
    database.check(u64::from(WARM_UP_ORDERS + orders), 0).await?;
    database.delete().await?;
    let each = |kib: u64, before: u64| {
        f64::from(u32::try_from(kib.saturating_sub(before)).unwrap_or(u32::MAX)) / f64::from(clients)
    };
    let memory = each(after_kib.max(with_kib), before_kib);
    Ok(vec![
        Figure::new(
            format!("memory of each of {clients} WebSocket clients, {}", engine.name()),
            "KiB",
            Wanted::AtMost(GOAL_MEMORY_KB),
            &[memory],
        )
        .beside(format!(
            "before any order {:.1} KiB; socket buffers in the kernel (both ends, /proc/net/sockstat): {:.1} KiB, \
             after the orders {:.1} KiB",
            each(with_kib, before_kib),
            each(kernel_with_kib, kernel_before_kib),
            each(kernel_after_kib, kernel_before_kib)
        )),
        Figure::new(
            format!("a frame each second to {clients} clients, p99, {}", engine.name()),
            "ms",
            Wanted::AtMost(GOAL_P99_MS),
            &[seen.p99_ms],
        )
        .beside(format!(
            "{} frames seen, {} missed; p50 {:.1} ms, worst {:.1} ms",
            seen.frames, seen.missed, seen.p50_ms, seen.worst_ms
        )),
    ])
}

/// Pages that TCP holds for socket buffers.
fn kernel_socket_kib() -> anyhow::Result<u64> {
    const PAGE_KIB: u64 = 4;
    let text = std::fs::read_to_string("/proc/net/sockstat")?;
    let tcp = text
        .lines()
        .find(|line| line.starts_with("TCP:"))
        .context("no TCP line")?;
    let pages = tcp.split_whitespace().skip_while(|word| *word != "mem").nth(1);
    Ok(pages.context("no mem")?.parse::<u64>()? * PAGE_KIB)
}
