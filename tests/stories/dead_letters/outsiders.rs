//! Who else has to do with the stream: a producer that is no node, and an operator.

use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NINE, STREAM};
use crate::support::{Books, Database, OwnService, eventually};

/// A producer that is no node, and an operator.
pub struct Outsiders<'a> {
    database: &'a Database,
    redis: &'a OwnService,
    connection: MultiplexedConnection,
}

impl<'a> Outsiders<'a> {
    pub async fn of(database: &'a Database, redis: &'a OwnService) -> Self {
        let client = redis::Client::open(redis.url.as_str()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        Self {
            database,
            redis,
            connection,
        }
    }

    /// Adds an entry under an id, or the next one for `*`.
    pub async fn add_as(&mut self, id: &str, fields: &[(&[u8], &[u8])]) -> String {
        let mut add = redis::cmd("XADD");
        add.arg(STREAM).arg(id);
        for (name, value) in fields {
            add.arg(*name).arg(*value);
        }
        add.query_async(&mut self.connection).await.unwrap()
    }

    pub async fn add(&mut self, fields: &[(&[u8], &[u8])]) -> String {
        self.add_as("*", fields).await
    }

    pub async fn add_order(&mut self, order: &str) -> String {
        self.add(&[(b"order", order.as_bytes())]).await
    }

    /// How many entries the stream holds.
    pub async fn in_stream(&mut self) -> u64 {
        let length = redis::cmd("XLEN").arg(STREAM).to_owned();
        length.query_async(&mut self.connection).await.unwrap()
    }

    /// Runs `dead-letters`, and returns its exit code and output.
    pub async fn tell(&self, args: &[&str]) -> (i32, String) {
        self.tell_with(args, &[]).await
    }

    /// The same with more settings.
    pub async fn tell_with(&self, args: &[&str], settings: &[(&str, &str)]) -> (i32, String) {
        let args = [&["dead-letters"], args].concat();
        let settings = [&[("REDIS_URL", self.redis.url.as_str())], settings].concat();
        self.database.run(&args, &settings).await
    }

    /// What `dead-letters --json` lists.
    pub async fn listed(&self) -> Vec<Value> {
        let (code, text) = self.tell(&["--json"]).await;
        assert_eq!(code, 0, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The id of the letter that tells of that entry.
    pub async fn letter_of(&self, source_id: &str) -> String {
        let listed = self.listed().await;
        let letter = listed.iter().find(|letter| letter["source_id"] == source_id);
        letter.unwrap_or_else(|| panic!("{source_id} is not in {listed:#?}"))["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn until_stored(&self, rows: usize) -> Books {
        eventually("the orders are stored", async || {
            let books = Books::read(self.database).await;
            if books.rows == rows {
                Ok(books)
            } else {
                Err(format!("{} rows", books.rows))
            }
        })
        .await
    }

    pub async fn until_dead(&self, letters: usize) {
        eventually("the dead letters are there", async || {
            let listed = self.listed().await;
            if listed.len() == letters {
                Ok(())
            } else {
                Err(format!("{listed:#?}"))
            }
        })
        .await;
    }
}

/// An order as nodes write it, with a message_id or without.
pub fn order(drink: &str, price: &str, key: Option<Uuid>) -> String {
    let mut order = json!({"drink": drink, "store": "uptown", "price": price, "timestamp": NINE});
    if let Some(key) = key {
        order["message_id"] = json!(key);
    }
    order.to_string()
}
