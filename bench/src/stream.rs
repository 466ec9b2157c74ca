//! The Redis stream before a store, as an outside program sees it.

use anyhow::{Context, bail};
use parking_lot::Mutex;
use redis::{Client, Connection, cmd, pipe};
use uuid::Uuid;

use crate::http::order_body;

/// Where Redis is, as `deploy/local/services env` prints it. Whatever is in it is deleted.
const URL_VARIABLE: &str = "COFFEE_RT_TEST_REDIS_URL";
const STREAM: &str = "orders:stream";
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

    /// Entries that are not stored yet.
    pub fn length(&self) -> anyhow::Result<u64> {
        Ok(cmd("XLEN").arg(STREAM).query(&mut *self.connection.lock())?)
    }

    /// Appends that many orders.
    pub fn fill(&self, orders: u64) -> anyhow::Result<()> {
        let mut connection = self.connection.lock();
        for _ in 0..orders / FILL_BATCH {
            let mut batch = pipe();
            for _ in 0..FILL_BATCH {
                let record = order_body().replacen('{', &format!(r#"{{"message_id":"{}","#, Uuid::now_v7()), 1);
                batch.cmd("XADD").arg(STREAM).arg("*").arg("order").arg(record).ignore();
            }
            batch.exec(&mut connection)?;
        }
        Ok(())
    }
}
