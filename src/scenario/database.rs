//! The PostgreSQL behind the nodes, hindered from outside. What is held here ends with its connection.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A PostgreSQL, by its own address.
pub(super) struct Database<'a>(pub(super) &'a str);

impl Database<'_> {
    /// Nobody writes a table for a while, nor reads it unless told.
    pub(super) async fn lock(&self, table: &str, readable: bool, lasts: Duration) -> Result<(), String> {
        let told = |error: sqlx::Error| format!("{table} cannot be locked: {error}");
        let mut conn = self.connect().await?;
        // The name was checked when the file was read.
        let mode = if readable { "EXCLUSIVE" } else { "ACCESS EXCLUSIVE" };
        let lock = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE");
        conn.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.map_err(told)?;
        tokio::time::sleep(lasts).await;
        conn.close().await.map_err(told)
    }

    /// So many connections are taken for a while, or as many as the server has left. Says how many those were.
    pub(super) async fn hold_connections(&self, count: u32, lasts: Duration) -> Result<String, String> {
        let tried = join_all((0..count).map(|_| self.connect())).await;
        let (held, refused): (Vec<_>, Vec<_>) = tried.into_iter().partition(Result::is_ok);
        if let (true, Some(Err(error))) = (held.is_empty(), refused.into_iter().next()) {
            return Err(error);
        }
        let got = held.len();
        tokio::time::sleep(lasts).await;
        for conn in held.into_iter().flatten() {
            conn.close().await.map_err(|error| error.to_string())?;
        }
        Ok(format!("{got} were to be had"))
    }

    async fn connect(&self) -> Result<PgConnection, String> {
        let connected = tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect(self.0)).await;
        let connected = connected.map_err(|_| format!("no connection to postgres within {CONNECT_LIMIT:?}"))?;
        connected.map_err(|error| format!("no connection to postgres: {error}"))
    }
}
