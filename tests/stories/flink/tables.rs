//! What is in a database and the dead letters, to be compared, and in the metrics.

use std::collections::BTreeMap;

use coffee_rt::scenario::fingerprint;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::support::Database;

/// All of it that does not depend on who stored.
pub struct Tables {
    pub orders: usize,
    /// Of the orders but for their ids, and of what is counted of them.
    pub hash: String,
    /// The reason of each record that is no order, by partition and offset.
    pub letters: BTreeMap<(i32, i64), String>,
}

impl Tables {
    pub async fn read(database: &Database) -> Self {
        Self::with_letters_beyond(database, 0).await
    }

    /// Without the first letters, which were there before.
    pub async fn with_letters_beyond(database: &Database, first: usize) -> Self {
        let url = database.direct_url().unwrap();
        let mut conn = PgConnection::connect(url).await.unwrap();
        let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM coffee_rt.order_rows")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        let hash = fingerprint(url).await.unwrap().unwrap();
        let place = database.topic().place();
        let letters = place.records_of(&format!("{}.dead-letter", place.topic)).await;
        let letters = letters.iter().skip(first).map(|letter| {
            let header = |name: &str| {
                letter
                    .headers
                    .get(name)
                    .unwrap_or_else(|| panic!("no {name}: {letter:?}"))
            };
            let number = |name: &str| header(name).parse::<i64>().unwrap();
            let partition = i32::try_from(number("partition")).unwrap();
            ((partition, number("offset")), header("reason").clone())
        });
        Self {
            orders: usize::try_from(orders).unwrap(),
            hash,
            letters: letters.collect(),
        }
    }
}

/// How many orders the metrics of all seconds count.
pub async fn in_metrics(database: &Database) -> u64 {
    let place = database.topic().place();
    let windows = place.records_of(&format!("{}.metrics", place.topic)).await;
    let windows = windows.iter().map(|window| {
        let window: Value = serde_json::from_slice(&window.value).unwrap();
        let key = ["window_start", "store", "drink"].map(|field| window[field].to_string());
        (key, window["orders"].as_u64().unwrap())
    });
    // One that a restarted job tells again is the same window.
    let windows: BTreeMap<_, _> = windows.collect();
    windows.values().sum()
}
