//! Orders in an embedded SQLite file: one node writes it, others may only read.

mod audit;
mod commit;
mod errors;
mod reader;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::Menu;
use coffee_rt_actors::ports::{AuditReport, Horizon, OrderStore, ShardId, ShardWriter, Snapshot, StoreError};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::catalog::Catalog;
use super::migrations::{Migration, compare};
use super::repeats::Repeats;
use errors::classify;
use writer::SqliteWriter;
pub use writer::WAL_LIMIT_BYTES;

/// Connections that reads share, beside the one that writes.
pub const READ_CONNECTIONS: u32 = 2;
/// How long a statement waits for another program's lock on the file.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read waits for one of the [`READ_CONNECTIONS`].
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is copied into the file at this many pages, where no reader needs it.
const CHECKPOINT_PAGES: &str = "4000";

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("migrations/sqlite");
    // Those of a newer version are made so that this one works on, after a rollback.
    migrator.set_ignore_missing(true);
    migrator
});

/// An SQLite file with orders.
pub struct SqliteStore {
    core: Arc<Core>,
}

/// What the store shares with its writers.
struct Core {
    path: PathBuf,
    reads: SqlitePool,
    catalog: Catalog,
    /// The one connection that writes; `None` until it is opened, and after a failure that it may not have survived.
    writing: Arc<Mutex<Option<SqliteConnection>>>,
    repeats: Repeats,
    slots: parking_lot::Mutex<BTreeMap<&'static str, BTreeSet<i32>>>,
    /// How long the write-ahead log was when a reader last kept it from being emptied; 0 where none did.
    log_bytes_tried: AtomicU64,
    /// Held for as long as the store may write.
    lock: Option<File>,
}

impl SqliteStore {
    /// Opens a file for reading and writing, alone: creates it and its folders, migrates it, adds the menu's names.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where another node has the file or it cannot be used, [`StoreError::Away`] where it is
    /// busy.
    pub async fn open(path: &Path, menu: &Menu) -> Result<Arc<Self>, StoreError> {
        let lock = lock(path)?;
        let mut conn = connect(&write_options(path)).await?;
        MIGRATOR
            .run_direct(None, &mut conn, false)
            .await
            .map_err(|error| match error {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => classify(&error),
                error => StoreError::Refused(error.to_string()),
            })?;
        let catalog = add_names(&mut conn, menu).await.map_err(|error| classify(&error))?;
        Ok(Self::assemble(path, catalog, Some(conn), Some(lock)))
    }

    /// Opens an existing file for reading, also while a node writes it. Writers of this store refuse all work.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where there is no usable file.
    pub async fn open_read_only(path: &Path) -> Result<Arc<Self>, StoreError> {
        if !path.is_file() {
            return Err(StoreError::Refused(format!("there is no file {}", path.display())));
        }
        let store = Self::assemble(path, Catalog::default(), None, None);
        if store.core.version().await? < latest_version() {
            let advice = "is of an older version: start a node with it, or run `coffee-rt migrate`";
            return Err(StoreError::Refused(format!("{} {advice}", path.display())));
        }
        Ok(store)
    }

    /// Which migrations a file has; one that is not there has none. Changes nothing, also while a node writes it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where it is no such file, [`StoreError::Away`] where it is busy.
    pub async fn migrations(path: &Path) -> Result<Vec<Migration>, StoreError> {
        let applied = if path.is_file() {
            let store = Self::assemble(path, Catalog::default(), None, None);
            store.core.migrations().await?
        } else {
            Vec::new()
        };
        Ok(compare(&MIGRATOR, &applied))
    }

    fn assemble(path: &Path, catalog: Catalog, conn: Option<SqliteConnection>, lock: Option<File>) -> Arc<Self> {
        let reads = SqlitePoolOptions::new()
            .max_connections(READ_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(read_options(path));
        let core = Core {
            path: path.to_owned(),
            reads,
            catalog,
            writing: Arc::new(Mutex::new(conn)),
            repeats: Repeats::default(),
            slots: parking_lot::Mutex::default(),
            log_bytes_tried: AtomicU64::new(0),
            lock,
        };
        Arc::new(Self { core: Arc::new(core) })
    }
}

fn latest_version() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

/// SQLite itself would let two nodes share a file, but their dashboards would not know of each other's orders.
fn lock(path: &Path) -> Result<File, StoreError> {
    let refuse = |what: &str, error: std::io::Error| StoreError::Refused(format!("cannot {what}: {error}"));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| refuse(&format!("create the folder {}", folder.display()), e))?;
    }
    let name = with_suffix(path, ".lock");
    let file = File::create(&name).map_err(|e| refuse(&format!("create {}", name.display()), e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Refused(format!(
            "{} is in use by another node",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(refuse(&format!("lock {}", name.display()), error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn read_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

fn write_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", writer::WAL_LIMIT_BYTES.to_string())
        .disable_statement_logging()
}

async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    options.connect().await.map_err(|error| classify(&error))
}

async fn add_names(conn: &mut SqliteConnection, menu: &Menu) -> Result<Catalog, sqlx::Error> {
    let drink = "INSERT INTO drinks (name) VALUES (?) ON CONFLICT DO NOTHING";
    let store = "INSERT INTO stores (name) VALUES (?) ON CONFLICT DO NOTHING";
    for (sql, names) in [(drink, &menu.drinks), (store, &menu.stores)] {
        for name in names {
            sqlx::query(sql).bind(name.as_ref()).execute(&mut *conn).await?;
        }
    }
    let drinks = sqlx::query_as("SELECT id, name FROM drinks")
        .fetch_all(&mut *conn)
        .await?;
    let stores = sqlx::query_as("SELECT id, name FROM stores")
        .fetch_all(&mut *conn)
        .await?;
    Ok(Catalog::new(drinks, stores))
}

#[async_trait]
impl OrderStore for SqliteStore {
    fn engine(&self) -> &'static str {
        "sqlite"
    }

    fn shard_writer(&self, source: &'static str) -> Arc<dyn ShardWriter> {
        Arc::new(SqliteWriter::of_free_slot(self.core.clone(), source))
    }

    fn partition_writer(&self, source: &'static str, partition: i32) -> Arc<dyn ShardWriter> {
        Arc::new(SqliteWriter::of_partition(self.core.clone(), source, partition))
    }

    async fn log_positions(&self, source: &'static str) -> Result<BTreeMap<i32, i64>, StoreError> {
        self.core.log_positions(source).await
    }

    async fn move_position(&self, source: &'static str, partition: i32, next_offset: i64) -> Result<(), StoreError> {
        let claimed = self.core.clone().claim(source, partition, Some(next_offset)).await;
        claimed.map(|_| ())
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
