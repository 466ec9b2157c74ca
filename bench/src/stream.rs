//! The Redis stream before a store, as an outside program sees it.

use std::sync::Arc;

use anyhow::{Context, bail};
use coffee_rt::adapters::redis::{RedisStream, STREAM, SURPLUS};
use coffee_rt_actors::domain::{Instant, Menu, Order};
use coffee_rt_actors::ports::OrderLog;
use parking_lot::Mutex;
use redis::{Client, Connection, cmd, pipe};
use uuid::Uuid;

use crate::http::order_body;

/// Where Redis is, as `deploy/local/services env` prints it. Whatever is in it is deleted.
const URL_VARIABLE: &str = "COFFEE_RT_TEST_REDIS_URL";
/// Orders written at once.
const FILL_BATCH: u64 = 1_000;

/// An empty stream.
pub struct Stream {
    /// Of its Redis.
    pub url: String,
    connection: Mutex<Connection>,
}

impl Stream {
    /// Connects, and deletes whatever is there.
    pub fn create() -> anyhow::Result<Self> {
        let url = std::env::var(URL_VARIABLE).with_context(|| {
            format!("no {URL_VARIABLE}: run deploy/local/services up redis, then eval \"$(deploy/local/services env)\"")
        })?;
        if !url.contains("//127.0.0.1:") {
            bail!("{URL_VARIABLE} is not on this machine, and measuring deletes what is in it");
        }
        let mut connection = Client::open(url.as_str())?.get_connection()?;
        cmd("FLUSHALL").exec(&mut connection)?;
        Ok(Self {
            url,
            connection: Mutex::new(connection),
        })
    }

    /// The server's version.
    pub fn version(&self) -> anyhow::Result<String> {
        let info: String = cmd("INFO").arg("server").query(&mut *self.connection.lock())?;
        let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(line.context("no redis_version")?.to_owned())
    }

    /// Orders that are not stored yet.
    pub fn length(&self) -> anyhow::Result<u64> {
        let mut both = pipe();
        both.cmd("XLEN").arg(STREAM).cmd("GET").arg(SURPLUS);
        let (entries, more): (u64, Option<u64>) = both.query(&mut *self.connection.lock())?;
        Ok(entries + more.unwrap_or_default())
    }

    /// Appends that many orders, as a node does that is fully at work.
    pub async fn fill(&self, orders: u64) -> anyhow::Result<()> {
        let menu = Menu::default();
        let log = RedisStream::new(&self.url, &menu, u64::MAX, 1)?;
        let order = || Order::from_json(order_body().as_bytes(), Uuid::now_v7(), &menu, Instant::now()).map(Arc::new);
        for _ in 0..orders / FILL_BATCH {
            let batch: Result<Vec<_>, _> = (0..FILL_BATCH).map(|_| order()).collect();
            log.append(&batch?).await?;
        }
        Ok(())
    }
}
