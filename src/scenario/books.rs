//! What is really in the store, read behind the node's back, and what customers were told.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use coffee_rt_actors::ports::StoreError;
use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, PgConnection, Row, SqliteConnection};
use uuid::Uuid;

use crate::config::Config;
use crate::load::{Fate, Ledger};

/// Every stored order, from the view that outside readers use.
#[derive(Debug, Default)]
pub struct Books {
    /// How often each `message_id` stands there.
    pub times: HashMap<Uuid, usize>,
    /// How many rows there are.
    pub rows: usize,
    /// The `message_id` of each row, by id.
    pub(super) by_id: Vec<Uuid>,
}

impl Books {
    /// Reads a PostgreSQL, or an SQLite file where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn read(database_url: Option<&str>, sqlite_path: &Path) -> Result<Self, StoreError> {
        let read = match database_url {
            Some(url) => Self::postgres(url).await,
            None => Self::sqlite(SqliteConnectOptions::new().filename(sqlite_path).read_only(true)).await,
        };
        read.map_err(|error| StoreError::Away(error.to_string()))
    }

    /// Reads what a node with these settings stores in.
    pub(super) async fn of(settings: &Config) -> Result<Self, StoreError> {
        let url = settings.database_url.as_ref().map(|url| url.reveal());
        Self::read(url, &settings.sqlite_path).await
    }

    async fn postgres(url: &str) -> Result<Self, sqlx::Error> {
        let mut conn = PgConnection::connect(url).await?;
        let mut books = Self::default();
        let mut rows = sqlx::query("SELECT message_id::text FROM coffee_rt.orders ORDER BY id").fetch(&mut conn);
        while let Some(row) = rows.try_next().await? {
            books.add(row.try_get(0)?)?;
        }
        Ok(books)
    }

    async fn sqlite(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let mut conn = SqliteConnection::connect_with(&options).await?;
        let mut books = Self::default();
        let mut rows = sqlx::query("SELECT message_id FROM orders ORDER BY id").fetch(&mut conn);
        while let Some(row) = rows.try_next().await? {
            books.add(row.try_get(0)?)?;
        }
        Ok(books)
    }

    fn add(&mut self, message_id: &str) -> Result<(), sqlx::Error> {
        let message_id = message_id
            .parse()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        *self.times.entry(message_id).or_default() += 1;
        self.rows += 1;
        self.by_id.push(message_id);
        Ok(())
    }

    /// How often an order stands there.
    #[must_use]
    pub fn times(&self, message_id: Uuid) -> usize {
        self.times.get(&message_id).copied().unwrap_or_default()
    }
}

/// Compares what customers were told with what is stored; says every way in which a promise is broken. `before` is what
/// was stored before any of them came.
#[must_use]
pub fn broken_promises(ledgers: &[&Ledger], books: &Books, before: &HashSet<Uuid>) -> Vec<String> {
    let mut broken: Vec<String> = ledgers.iter().flat_map(|ledger| ledger.broken()).cloned().collect();
    let mut known = before.iter().filter(|message_id| books.times(**message_id) > 0).count();
    if known < before.len() {
        broken.push(format!(
            "{} orders that were stored before are gone",
            before.len() - known
        ));
    }
    for order in ledgers.iter().flat_map(|ledger| ledger.orders()) {
        let times = books.times(order.message_id);
        known += usize::from(times > 0);
        match (order.fate, times) {
            (Fate::Acknowledged { .. }, 0) => broken.push(format!("{} was acknowledged and is lost", order.message_id)),
            (Fate::Refused(status), 1..) if status != 503 => {
                broken.push(format!("{} was refused with {status} and is stored", order.message_id));
            }
            (_, 2..) => broken.push(format!("{} is stored {times} times", order.message_id)),
            _ => {}
        }
    }
    if known < books.times.len() {
        broken.push(format!("{} stored orders were never sent", books.times.len() - known));
    }
    broken
}
