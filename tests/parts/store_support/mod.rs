//! A fresh database of either engine for one test, and orders to put into it.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test file uses its part")]

pub mod bus;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use coffee_rt::adapters::postgres::PostgresStore;
use coffee_rt::adapters::sqlite::SqliteStore;
use coffee_rt_actors::domain::{Advance, Cents, Instant, Item, Menu, Order, OrderBatch, Position};
use coffee_rt_actors::ports::{OrderStore, Outcome};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row, SqliteConnection};
use uuid::Uuid;

/// How long a test waits for a condition before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// 2026-11-22T09:00:00Z.
pub const NINE: i64 = 1_795_338_000_000_000;

/// Each story once for each engine.
macro_rules! contract {
    ($($story:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(crate::store_support::sqlite().await).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() { super::$story(crate::store_support::postgres().await).await; })*
        }
    };
}
pub(crate) use contract;

pub enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(PostgresDatabase),
}

/// A database of its own, with an open store.
pub struct Fixture {
    pub store: Arc<dyn OrderStore>,
    pub place: Place,
}

pub async fn sqlite() -> Fixture {
    Fixture::open(Place::Sqlite(tempfile::tempdir().unwrap())).await
}

pub async fn postgres() -> Fixture {
    Fixture::open(Place::Postgres(PostgresDatabase::create().await)).await
}

impl Place {
    /// A store of this place; of SQLite's there is one at a time.
    pub async fn store(&self) -> Arc<dyn OrderStore> {
        match self {
            Self::Sqlite(folder) => {
                let file = folder.path().join("data/coffee-rt.db");
                SqliteStore::open(&file, &Menu::default()).await.unwrap()
            }
            Self::Postgres(database) => {
                let store = PostgresStore::connect_lazy(&database.url, &Menu::default()).unwrap();
                store.migrate().await.unwrap();
                store
            }
        }
    }
}

impl Fixture {
    async fn open(place: Place) -> Self {
        let store = place.store().await;
        Self { store, place }
    }

    /// The same database after a restart of its node; no writer may be left.
    pub async fn reopened(self) -> Self {
        let Self { store, place } = self;
        drop(store);
        Self::open(place).await
    }

    pub fn sqlite_file(&self) -> PathBuf {
        match &self.place {
            Place::Sqlite(folder) => folder.path().join("data/coffee-rt.db"),
            Place::Postgres(_) => panic!("not SQLite"),
        }
    }

    /// Runs a statement behind the store's back; `{s}` stands for the schema.
    pub async fn run(&self, sql: &str) {
        match &self.place {
            Place::Sqlite(_) => {
                let mut conn = self.sqlite_connection().await;
                conn.execute(AssertSqlSafe(sql.replace("{s}", ""))).await.unwrap();
                conn.close().await.unwrap();
            }
            Place::Postgres(database) => {
                let mut conn = PgConnection::connect(&database.url).await.unwrap();
                conn.execute(AssertSqlSafe(sql.replace("{s}", "coffee_rt.")))
                    .await
                    .unwrap();
            }
        }
    }

    /// Reads one text behind the store's back; `{s}` stands for the schema.
    pub async fn text(&self, sql: &str) -> String {
        match &self.place {
            Place::Sqlite(_) => {
                let mut conn = self.sqlite_connection().await;
                conn.fetch_one(AssertSqlSafe(sql.replace("{s}", "")))
                    .await
                    .unwrap()
                    .get(0)
            }
            Place::Postgres(database) => {
                let mut conn = PgConnection::connect(&database.url).await.unwrap();
                conn.fetch_one(AssertSqlSafe(sql.replace("{s}", "coffee_rt.")))
                    .await
                    .unwrap()
                    .get(0)
            }
        }
    }

    async fn sqlite_connection(&self) -> SqliteConnection {
        sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.sqlite_file())
            .connect()
            .await
            .unwrap()
    }

    /// Order rows in the store, by a count of its own.
    pub async fn rows(&self) -> u64 {
        self.text("SELECT cast(count(*) AS text) FROM {s}order_rows")
            .await
            .parse()
            .unwrap()
    }

    /// The audit must find nothing.
    pub async fn assert_audit_clean(&self) {
        let report = self.store.audit().await.unwrap();
        assert_eq!(report.differences, []);
        assert_eq!(report.orders, self.rows().await);
    }
}

/// A database that is dropped with this value.
pub struct PostgresDatabase {
    pub url: String,
    admin_url: String,
    pub name: String,
}

impl PostgresDatabase {
    pub async fn create() -> Self {
        let database = Self::absent();
        database.make().await;
        database
    }

    /// A database that does not exist until [`Self::make`].
    pub fn absent() -> Self {
        let admin_url = std::env::var("COFFEE_RT_TEST_POSTGRES_URL").unwrap_or_else(|_| {
            panic!("COFFEE_RT_TEST_POSTGRES_URL is not set: run `make test`, which starts a PostgreSQL for the tests")
        });
        let name = format!("coffee_rt_test_{}", Uuid::new_v4().simple());
        let mut url = url::Url::parse(&admin_url).unwrap();
        url.set_path(&name);
        Self {
            url: url.to_string(),
            admin_url,
            name,
        }
    }

    pub async fn make(&self) {
        let mut admin = PgConnection::connect(&self.admin_url).await.unwrap();
        admin
            .execute(AssertSqlSafe(format!("CREATE DATABASE {}", self.name)))
            .await
            .unwrap();
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let (url, sql) = (
            self.admin_url.clone(),
            format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
        let drop = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { PgConnection::connect(&url).await?.execute(AssertSqlSafe(sql)).await })?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        if let Ok(Err(error)) = std::thread::spawn(drop).join() {
            eprintln!("a test database stays behind: {error}");
        }
    }
}

pub fn order(id: Uuid, drink: &str, store: &str, cents: i64, at_us: i64) -> Order {
    Order {
        message_id: id,
        drink: Item::from(drink),
        store: Item::from(store),
        price: Cents(cents),
        at: Instant(at_us),
        accepted_at: Instant(at_us),
        trace: None,
    }
}

/// Different orders over the whole menu and several minutes.
pub fn orders(count: usize) -> Vec<Order> {
    let menu = Menu::default();
    let pick = |items: &[Item], n: usize| items[n % items.len()].clone();
    let one = |n: usize| Order {
        message_id: Uuid::now_v7(),
        drink: pick(&menu.drinks, n),
        store: pick(&menu.stores, n / 3),
        price: Cents(i64::try_from(n % 997).unwrap() + 1),
        at: Instant(NINE + i64::try_from(n).unwrap() * 7_000_003),
        accepted_at: Instant(NINE + 60_000_000),
        trace: None,
    };
    (0..count).map(one).collect()
}

pub fn batch(orders: &[Order]) -> Arc<OrderBatch> {
    Arc::new(OrderBatch::build(orders.iter().cloned().map(Arc::new).collect()))
}

pub fn stored(outcomes: &[Outcome]) -> usize {
    outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Stored { .. }))
        .count()
}

/// A batch of a log's records, which moves over that many.
pub fn records(orders: &[Order], to: Position, records: usize, dead_lettered: u64) -> Arc<OrderBatch> {
    let advance = Advance {
        to,
        records: records as u64,
        dead_lettered,
    };
    let batch = OrderBatch::build(orders.iter().cloned().map(Arc::new).collect());
    Arc::new(batch.with_advance(Some(advance)))
}

/// A position whose mark can be told from others.
pub fn at(next_offset: i64) -> Position {
    Position {
        next_offset,
        mark: next_offset * 1_000 + 7,
    }
}

/// A story of this program must pass without a drill, and with it fail and say this.
pub fn assert_caught(story: &str, drill: &str, sign: &str) {
    let run = |drill: &str| {
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", story, "--nocapture"])
            .env("COFFEE_RT_FAULT_DRILL", drill)
            .output()
            .unwrap()
    };
    let sound = run("");
    let ran = String::from_utf8_lossy(&sound.stdout).contains("1 passed");
    assert!(sound.status.success() && ran, "{story}: {sound:?}");
    let drilled = run(drill);
    let said = String::from_utf8_lossy(&drilled.stderr).into_owned() + &String::from_utf8_lossy(&drilled.stdout);
    assert!(!drilled.status.success() && said.contains(sign), "{said}");
}
