//! What is really in the store, read behind the node's back, and what customers were told.

use std::collections::HashMap;
use std::path::Path;

use coffee_rt_actors::domain::{Cents, Instant, Item};
use coffee_rt_actors::ports::StoreError;
use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Connection, PgConnection, Row, SqliteConnection};
use uuid::Uuid;

use crate::load::{Fate, Ledger, LedgerOrder};

/// A stored order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// The customer's key.
    pub message_id: Uuid,
    /// A drink of the menu.
    pub drink: Item,
    /// A store of the menu.
    pub store: Item,
    /// What was paid.
    pub price: Cents,
    /// When it was ordered.
    pub at: Instant,
}

/// What was stored before anybody came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The highest id; later orders get higher ones.
    last_id: i64,
    /// How many orders.
    pub orders: usize,
}

/// The stored orders, from the view that outside readers use.
#[derive(Debug, Default)]
pub struct Books {
    /// How often each `message_id` stands there.
    pub times: HashMap<Uuid, usize>,
    /// How many rows there are.
    pub rows: usize,
    /// The rows, by their ids.
    pub(super) orders: Vec<StoredOrder>,
    /// Of the rows from before anybody came, how many are left; they are not among the others.
    left_from_before: usize,
}

/// Names that are said again and again, each kept once.
#[derive(Default)]
struct Names(Vec<Item>);

impl Before {
    /// Looks into a PostgreSQL, or an SQLite file where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn read(database_url: Option<&str>, sqlite_path: &Path) -> Result<Self, StoreError> {
        let read = async {
            let (last_id, orders): (i64, i64) = match database_url {
                Some(url) => {
                    let ask = "SELECT coalesce(max(id), 0)::bigint, count(*) FROM coffee_rt.orders";
                    sqlx::query_as(ask)
                        .fetch_one(&mut PgConnection::connect(url).await?)
                        .await?
                }
                None => {
                    let ask = "SELECT coalesce(max(id), 0), count(*) FROM orders";
                    sqlx::query_as(ask).fetch_one(&mut sqlite(sqlite_path).await?).await?
                }
            };
            Ok::<_, sqlx::Error>(Self {
                last_id,
                orders: usize::try_from(orders).unwrap_or_default(),
            })
        };
        read.await.map_err(away)
    }
}

impl Books {
    /// Reads what came since then from a PostgreSQL, or an SQLite file where there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn read(database_url: Option<&str>, sqlite_path: &Path, since: &Before) -> Result<Self, StoreError> {
        let read = match database_url {
            Some(url) => Self::postgres(url, since).await,
            None => Self::sqlite(sqlite_path, since).await,
        };
        read.map_err(away)
    }

    async fn postgres(url: &str, since: &Before) -> Result<Self, sqlx::Error> {
        let mut conn = PgConnection::connect(url).await?;
        let (mut books, mut names) = (Self::default(), Names::default());
        // One snapshot, so that no row is in both answers or in neither.
        let mut reading = conn
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM coffee_rt.orders WHERE id <= $1");
        let left = left.bind(since.last_id).fetch_one(&mut *reading).await?;
        books.left_from_before = usize::try_from(left).unwrap_or_default();
        let rows = "SELECT message_id, drink, store, (price * 100)::bigint,
            (extract(epoch FROM \"timestamp\") * 1000000)::bigint FROM coffee_rt.orders WHERE id > $1 ORDER BY id";
        let mut rows = sqlx::query(rows).bind(since.last_id).fetch(&mut *reading);
        while let Some(row) = rows.try_next().await? {
            books.add(StoredOrder::of_postgres(&row, &mut names)?);
        }
        Ok(books)
    }

    async fn sqlite(path: &Path, since: &Before) -> Result<Self, sqlx::Error> {
        let mut conn = sqlite(path).await?;
        let (mut books, mut names) = (Self::default(), Names::default());
        let mut reading = conn.begin().await?;
        let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM orders WHERE id <= ?1");
        let left = left.bind(since.last_id).fetch_one(&mut *reading).await?;
        books.left_from_before = usize::try_from(left).unwrap_or_default();
        let rows = "SELECT message_id, drink, store, CAST(round(price * 100) AS INTEGER), \"timestamp\"
            FROM orders WHERE id > ?1 ORDER BY id";
        let mut rows = sqlx::query(rows).bind(since.last_id).fetch(&mut *reading);
        while let Some(row) = rows.try_next().await? {
            books.add(StoredOrder::of_sqlite(&row, &mut names)?);
        }
        Ok(books)
    }

    fn add(&mut self, order: StoredOrder) {
        *self.times.entry(order.message_id).or_default() += 1;
        self.rows += 1;
        self.orders.push(order);
    }

    /// How often an order stands there.
    #[must_use]
    pub fn times(&self, message_id: Uuid) -> usize {
        self.times.get(&message_id).copied().unwrap_or_default()
    }
}

impl StoredOrder {
    fn of_postgres(row: &PgRow, names: &mut Names) -> Result<Self, sqlx::Error> {
        Ok(Self {
            message_id: row.try_get(0)?,
            drink: names.shared(row.try_get(1)?),
            store: names.shared(row.try_get(2)?),
            price: Cents(row.try_get(3)?),
            at: Instant(row.try_get(4)?),
        })
    }

    fn of_sqlite(row: &SqliteRow, names: &mut Names) -> Result<Self, sqlx::Error> {
        let undecodable = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
        let message_id: &str = row.try_get(0)?;
        Ok(Self {
            message_id: message_id.parse().map_err(|error| undecodable(Box::new(error)))?,
            drink: names.shared(row.try_get(1)?),
            store: names.shared(row.try_get(2)?),
            price: Cents(row.try_get(3)?),
            at: Instant::parse(row.try_get(4)?).map_err(|error| undecodable(Box::new(error)))?,
        })
    }

    /// What is stored otherwise than it was ordered, if anything is.
    fn altered(&self, ordered: &LedgerOrder) -> Option<String> {
        let same = self.drink == ordered.drink
            && self.store == ordered.store
            && self.price == ordered.price
            && self.at == ordered.at;
        (!same).then(|| {
            let said =
                |drink: &Item, store: &Item, price: Cents, at: Instant| format!("{drink}, {store}, {price}, {at}");
            format!(
                "{} was ordered as {} and is stored as {}",
                self.message_id,
                said(&ordered.drink, &ordered.store, ordered.price, ordered.at),
                said(&self.drink, &self.store, self.price, self.at)
            )
        })
    }
}

impl Names {
    fn shared(&mut self, name: &str) -> Item {
        if let Some(known) = self.0.iter().find(|known| known.as_ref() == name) {
            return known.clone();
        }
        let new = Item::from(name);
        self.0.push(new.clone());
        new
    }
}

async fn sqlite(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).read_only(true)).await
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn away(error: sqlx::Error) -> StoreError {
    StoreError::Away(error.to_string())
}

/// Compares what customers were told with what is stored; says every way in which a promise is broken. `before` is what
/// was stored before any of them came.
#[must_use]
pub fn broken_promises(ledgers: &[&Ledger], books: &Books, before: &Before) -> Vec<String> {
    let mut broken: Vec<String> = ledgers.iter().flat_map(|ledger| ledger.broken()).cloned().collect();
    if books.left_from_before != before.orders {
        let (was, left) = (before.orders, books.left_from_before);
        broken.push(format!("of {was} orders that were stored before there are {left}"));
    }
    let mut known = 0;
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
    let sent = |stored: &StoredOrder| ledgers.iter().find_map(|ledger| ledger.order(stored.message_id));
    broken.extend(books.orders.iter().filter_map(|stored| stored.altered(&sent(stored)?)));
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(message_id: Uuid) -> StoredOrder {
        StoredOrder {
            message_id,
            drink: "latte".into(),
            store: "uptown".into(),
            price: Cents(450),
            at: Instant(1_795_338_000_000_000),
        }
    }

    #[test]
    fn an_order_is_stored_as_it_was_ordered_or_that_is_told() {
        let ordered = LedgerOrder {
            message_id: Uuid::nil(),
            drink: "latte".into(),
            store: "uptown".into(),
            price: Cents(450),
            at: Instant(1_795_338_000_000_000),
            fate: Fate::Unknown,
        };
        assert_eq!(stored(Uuid::nil()).altered(&ordered), None);
        for change in [
            |order: &mut StoredOrder| order.drink = "tea".into(),
            |order: &mut StoredOrder| order.store = "moon".into(),
            |order: &mut StoredOrder| order.price = Cents(451),
            |order: &mut StoredOrder| order.at = Instant(order.at.0 + 1),
        ] {
            let mut order = stored(Uuid::nil());
            change(&mut order);
            let told = order.altered(&ordered).unwrap();
            assert!(told.contains("was ordered as latte, uptown, 4.5, 2026-"), "{told}");
        }
    }

    #[test]
    fn what_is_gone_and_what_nobody_sent_is_told() {
        let mut books = Books::default();
        books.add(stored(Uuid::now_v7()));
        books.left_from_before = 2;
        let before = Before { last_id: 3, orders: 3 };
        assert_eq!(
            broken_promises(&[], &books, &before),
            [
                "of 3 orders that were stored before there are 2",
                "1 stored orders were never sent"
            ]
        );
    }
}
