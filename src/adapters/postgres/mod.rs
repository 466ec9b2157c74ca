//! Orders in PostgreSQL: several nodes may share one database.

mod audit;
mod bus;
mod claim;
mod commit;
mod errors;
mod flink;
mod reader;
mod schema;
mod session;
mod writer;

pub use bus::{DELTA_CHANNEL, PostgresBus};
pub use commit::COMMIT_NEW;
pub use flink::{JobLock, MenuNumbers, Turn};

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::Menu;
use coffee_rt_actors::ports::{AuditReport, Horizon, OrderStore, ShardId, ShardWriter, Snapshot, StoreError};
use parking_lot::RwLock;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::OnceCell;

use super::catalog::Catalog;
use super::migrations::Migration;
use super::within;
use errors::unreachable;
use reader::ReadConnections;
use session::Shards;
use writer::PostgresWriter;

/// Connections that reads share; each writer has one of its own.
pub const READ_CONNECTIONS: usize = 3;
/// How long a connection may take to be ready for its first statement.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long migrations and the catalog may take, including the wait for another node's migration.
pub const PREPARE_TIMEOUT: Duration = Duration::from_secs(30);
/// The server gives a statement up this long after it began: a little later than its client does.
const STATEMENT_TIMEOUT_MILLIS: u64 = 6_000;

/// Why a database URL cannot be used; never shows the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database URL {0}")]
pub struct UrlError(String);

/// A PostgreSQL database with the schema `coffee_rt`.
pub struct PostgresStore {
    core: Arc<Core>,
}

/// What the store shares with its writers.
struct Core {
    options: PgConnectOptions,
    reads: ReadConnections,
    menu: Menu,
    prepared: OnceCell<()>,
    catalog: RwLock<Arc<Catalog>>,
}

impl PostgresStore {
    /// Reads the URL and does no I/O: a server that is absent is tried again by each call. Migrations and the catalog
    /// run on the first contact that succeeds.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn connect_lazy(url: &str, menu: &Menu) -> Result<Arc<Self>, UrlError> {
        let options = connect_options(url)?;
        let core = Core {
            options,
            reads: ReadConnections::default(),
            menu: menu.clone(),
            prepared: OnceCell::new(),
            catalog: RwLock::default(),
        };
        Ok(Arc::new(Self { core: Arc::new(core) }))
    }

    /// Brings the schema up to date and adds the menu's names. Safe beside running nodes.
    ///
    /// # Errors
    /// [`StoreError::Away`] where the server cannot be reached, else [`StoreError::Refused`].
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.core.prepare().await
    }

    /// Which migrations the database has. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Away`] where the server cannot be reached, else [`StoreError::Refused`].
    pub async fn migrations(&self) -> Result<Vec<Migration>, StoreError> {
        let mut conn = self.core.connect(&[]).await?;
        within(PREPARE_TIMEOUT, "read the schema's state", schema::status(&mut conn)).await
    }
}

impl Core {
    /// Migrates and fills the catalog once; after a failure the next call tries again.
    async fn prepare(&self) -> Result<(), StoreError> {
        let once = || async {
            let mut conn = self.connect(&[]).await?;
            let work = async {
                schema::migrate(&mut conn).await?;
                schema::add_names(&mut conn, &self.menu).await?;
                schema::read_catalog(&mut conn).await
            };
            let catalog = within(PREPARE_TIMEOUT, "prepare the schema", work).await?;
            *self.catalog.write() = Arc::new(catalog);
            Ok(())
        };
        self.prepared.get_or_try_init(once).await.copied()
    }

    /// Opens a connection outside the pool.
    async fn connect(&self, settings: &[(&str, &str)]) -> Result<PgConnection, StoreError> {
        connect(&with_settings(self.options.clone(), settings)).await
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().clone()
    }

    async fn reload_catalog(&self, conn: &mut PgConnection) -> Result<Arc<Catalog>, StoreError> {
        let catalog = Arc::new(schema::read_catalog(conn).await?);
        *self.catalog.write() = catalog.clone();
        Ok(catalog)
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let work = async { options.connect().await.map_err(|error| unreachable(&error)) };
    within(CONNECT_TIMEOUT, "connect", work).await
}

/// Reads a database URL, strictly: a URL of another product must not become a PostgreSQL address by accident.
fn connect_options(url: &str) -> Result<PgConnectOptions, UrlError> {
    let parsed = url::Url::parse(url).map_err(|error| UrlError(format!("is not a URL: {error}")))?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err(UrlError("must start with postgres:// or postgresql://".to_owned()));
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| UrlError(format!("is not usable: {error}")))?;
    Ok(options.application_name("coffee-rt").disable_statement_logging())
}

/// The name of the database that a URL leads to: without one in it, the user's.
///
/// # Errors
/// Says what is wrong with the URL.
pub fn database_name(url: &str) -> Result<String, UrlError> {
    let options = connect_options(url)?;
    let name = options.get_database().unwrap_or_else(|| options.get_username());
    Ok(name.to_owned())
}

/// Adds session settings. The client cannot set socket options through sqlx, so the server is asked to notice a
/// vanished client (which holds a slot); the client's own guard is a timeout around each wait.
fn with_settings(options: PgConnectOptions, settings: &[(&str, &str)]) -> PgConnectOptions {
    let statement_timeout = STATEMENT_TIMEOUT_MILLIS.to_string();
    options
        .options([
            ("synchronous_commit", "on"),
            ("statement_timeout", statement_timeout.as_str()),
            ("idle_in_transaction_session_timeout", "10000"),
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "15000"),
        ])
        .options(settings.iter().copied())
}

#[async_trait]
impl OrderStore for PostgresStore {
    fn engine(&self) -> &'static str {
        "postgres"
    }

    fn shard_writer(&self, source: &'static str) -> Arc<dyn ShardWriter> {
        let partition = None;
        Arc::new(PostgresWriter::new(self.core.clone(), Shards { source, partition }))
    }

    fn partition_writer(&self, source: &'static str, partition: i32) -> Arc<dyn ShardWriter> {
        let partition = Some(partition);
        Arc::new(PostgresWriter::new(self.core.clone(), Shards { source, partition }))
    }

    async fn log_positions(&self, source: &'static str) -> Result<BTreeMap<i32, i64>, StoreError> {
        self.core.log_positions(source).await
    }

    async fn move_position(&self, source: &'static str, partition: i32, next_offset: i64) -> Result<(), StoreError> {
        writer::move_position(&self.core, source, partition, next_offset).await
    }

    async fn snapshot(&self, horizon: Horizon) -> Result<Snapshot, StoreError> {
        self.core.snapshot(horizon).await
    }

    async fn positions(&self) -> Result<BTreeMap<ShardId, i64>, StoreError> {
        self.core.positions().await
    }

    async fn audit(&self) -> Result<AuditReport, StoreError> {
        self.core.audit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_urls_are_told_without_their_password() {
        for (url, want) in [
            (
                "mysql://u:secret@h/db",
                "the database URL must start with postgres:// or postgresql://",
            ),
            ("secret", "the database URL is not a URL: relative URL without a base"),
            (
                "postgres://u:secret@h:99999/db",
                "the database URL is not a URL: invalid port number",
            ),
        ] {
            assert_eq!(connect_options(url).unwrap_err().to_string(), want);
        }
        let bad_mode = connect_options("postgres://u:secret@h/db?sslmode=maybe")
            .unwrap_err()
            .to_string();
        assert!(bad_mode.contains("maybe") && !bad_mode.contains("secret"), "{bad_mode}");
        assert!(connect_options("postgres://u:secret@h/db").is_ok());
    }
}
