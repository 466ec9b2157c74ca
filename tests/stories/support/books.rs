//! What is really in the store, read behind the node's back, and what customers were told.

use std::collections::HashMap;

use coffee_rt::load::{Fate, Ledger};
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::Database;

/// Every stored order, from the view that outside readers use.
pub struct Books {
    /// How often each `message_id` stands there.
    pub times: HashMap<Uuid, usize>,
    /// How many rows there are.
    pub rows: usize,
}

impl Books {
    pub async fn read(database: &Database) -> Self {
        let ids: Vec<String> = match database.direct_url() {
            Some(url) => {
                let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
                let rows = sqlx::query("SELECT message_id::text FROM coffee_rt.orders")
                    .fetch_all(&mut conn)
                    .await
                    .unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(database.sqlite_file())
                    .read_only(true);
                let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
                let rows = sqlx::query("SELECT message_id FROM orders")
                    .fetch_all(&mut conn)
                    .await
                    .unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        };
        let mut times = HashMap::new();
        for id in &ids {
            *times.entry(id.parse().unwrap()).or_default() += 1;
        }
        Self { times, rows: ids.len() }
    }
}

/// Compares what customers were told with what is stored; says every way in which a promise is broken.
pub fn broken_promises(ledgers: &[&Ledger], books: &Books) -> Vec<String> {
    let mut broken: Vec<String> = ledgers.iter().flat_map(|ledger| ledger.broken()).cloned().collect();
    let mut known = 0;
    for order in ledgers.iter().flat_map(|ledger| ledger.orders()) {
        let times = books.times.get(&order.message_id).copied().unwrap_or(0);
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

/// Nothing acknowledged may be missing, nothing may be there twice, nothing may be there that nobody sent.
pub fn check_ledger(ledger: &Ledger, books: &Books) {
    check_ledgers(&[ledger], books);
}

/// The same for the customers of several nodes.
pub fn check_ledgers(ledgers: &[&Ledger], books: &Books) {
    let broken = broken_promises(ledgers, books);
    assert!(
        broken.is_empty(),
        "{} broken promises, first: {:#?}",
        broken.len(),
        &broken[..broken.len().min(10)]
    );
    assert!(
        ledgers.iter().all(|ledger| ledger.counts().acknowledged > 0),
        "nothing was acknowledged: this proves nothing"
    );
}
