//! The clients of the socket measurement: one light process that reads every frame and places the orders itself, so that
//! one clock times both.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, sleep_until};

use crate::Engine;
use crate::http::{Connection, DashboardSocket};
use crate::report::percentile_ms;

/// Between two orders.
const ORDER_INTERVAL: Duration = Duration::from_secs(1);
/// How long the last frame may take, after which it counts as missed.
const LAST_FRAME_LIMIT: Duration = Duration::from_secs(2);

/// What the clients saw.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Frames that showed a new order, over all clients.
    pub frames: usize,
    /// Orders that some client saw in no frame of their own.
    pub missed: usize,
    /// From the acknowledgement to the frame.
    pub p50_ms: f64,
    /// As above.
    pub p99_ms: f64,
    /// As above.
    pub worst_ms: f64,
}

/// When some client saw the frame that includes so many orders.
type Arrivals = Arc<Mutex<Vec<(Instant, u64)>>>;

/// Connects, says so, waits for a word, places orders, tells what was seen.
pub async fn run(address: SocketAddr, clients: u32, orders: u32) -> anyhow::Result<()> {
    raise_file_limit()?;
    let arrivals = Arrivals::default();
    for _ in 0..clients {
        let mut socket = DashboardSocket::open(address).await?;
        let mut last = socket.next_total().await?;
        let arrivals = arrivals.clone();
        tokio::spawn(async move {
            while let Ok(total) = socket.next_total().await {
                if total > last {
                    last = total;
                    let seen = (Instant::now(), total);
                    arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
                }
            }
        });
    }
    println!("connected");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    let mut customer = Connection::open(address).await?;
    let (began, mut acknowledged) = (Instant::now(), Vec::new());
    for order in 0..orders {
        sleep_until((began + ORDER_INTERVAL * order).into()).await;
        let placed = customer.place_order(Engine::V1_PATH).await?;
        let id = placed.id.context("an answer without an id")?;
        acknowledged.push((id, Instant::now()));
    }
    sleep(LAST_FRAME_LIMIT).await;
    let seen = judge(
        &acknowledged,
        &arrivals.lock().unwrap_or_else(PoisonError::into_inner),
        clients,
    );
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

fn judge(acknowledged: &[(u64, Instant)], arrivals: &[(Instant, u64)], clients: u32) -> Seen {
    let wait = |(at, total): &(Instant, u64)| {
        let (_, acknowledged) = acknowledged.iter().find(|(id, _)| id == total)?;
        Some(at.saturating_duration_since(*acknowledged))
    };
    let mut waits: Vec<_> = arrivals.iter().filter_map(wait).collect();
    Seen {
        frames: waits.len(),
        missed: (acknowledged.len() * clients as usize).saturating_sub(waits.len()),
        p50_ms: percentile_ms(&mut waits, 50),
        p99_ms: percentile_ms(&mut waits, 99),
        worst_ms: percentile_ms(&mut waits, 100),
    }
}

/// Every client is a file; the soft limit is often 1,024 where the hard one is far higher.
fn raise_file_limit() -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}
