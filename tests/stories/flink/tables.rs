//! What is in a database, the dead letters and the metrics, to be compared.

use std::collections::BTreeMap;

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
    /// Orders in the metrics of each second.
    pub windows: usize,
}

/// Where a topic's records begin to be of interest.
#[derive(Default)]
pub struct Since {
    pub letters: usize,
}

impl Tables {
    pub async fn read(database: &Database) -> Self {
        Self::since(database, &Since::default()).await
    }

    /// Without the letters that were there before.
    pub async fn since(database: &Database, since: &Since) -> Self {
        let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
        let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM coffee_rt.order_rows")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        let hash = sqlx::query_scalar(
            "SELECT md5((
                SELECT string_agg(concat_ws('|', o.message_id, o.ordered_us, o.price_cents, d.name, s.name), ';' ORDER BY o.message_id)
                FROM coffee_rt.order_rows AS o JOIN coffee_rt.drinks AS d ON d.id = o.drink_id JOIN coffee_rt.stores AS s ON s.id = o.store_id
            ) || (
                SELECT string_agg(concat_ws('|', minute, store, drink, orders, cents), ';' ORDER BY minute, store, drink)
                FROM (
                    SELECT minute, s.name AS store, d.name AS drink, sum(orders) AS orders, sum(cents) AS cents
                    FROM coffee_rt.rollups JOIN coffee_rt.drinks AS d ON d.id = drink_id JOIN coffee_rt.stores AS s ON s.id = store_id
                    GROUP BY 1, 2, 3
                ) AS counted
            ))",
        );
        let hash: String = hash.fetch_one(&mut conn).await.unwrap();
        let place = database.topic().place();
        let letters = place.records_of(&format!("{}.dead-letter", place.topic)).await;
        let letters = letters.iter().skip(since.letters).map(|letter| {
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
        let windows = place.records_of(&format!("{}.metrics", place.topic)).await;
        let windows = windows.iter().map(|window| {
            let window: Value = serde_json::from_slice(&window.value).unwrap();
            let key = ["window_start", "store", "drink"].map(|field| window[field].to_string());
            (key, window["orders"].as_u64().unwrap())
        });
        // One that a restarted job tells again is the same window.
        let windows: BTreeMap<_, _> = windows.collect();
        Self {
            orders: usize::try_from(orders).unwrap(),
            hash,
            letters: letters.collect(),
            windows: usize::try_from(windows.values().sum::<u64>()).unwrap(),
        }
    }
}
