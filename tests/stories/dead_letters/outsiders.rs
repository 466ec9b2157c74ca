//! Who else has to do with the log: a producer that is no node, and an operator.

use coffee_rt::config::Version;
use redis::aio::MultiplexedConnection;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::producer::Foreign;
use super::{NINE, STREAM};
use crate::support::{Books, DEADLINE, Database, answered, eventually};

/// A producer that is no node, and an operator.
pub struct Outsiders<'a> {
    pub database: &'a Database,
    /// Where the log is Redis's.
    redis: Option<MultiplexedConnection>,
}

impl<'a> Outsiders<'a> {
    pub async fn of(database: &'a Database) -> Self {
        let redis = if database.version() == Version::V2 {
            let client = redis::Client::open(database.redis_server().url.as_str()).unwrap();
            Some(client.get_multiplexed_async_connection().await.unwrap())
        } else {
            None
        };
        Self { database, redis }
    }

    /// Adds an order in a way that is unusual and right: under the highest number that there is, or as the Python original
    /// writes it.
    pub async fn add_unusual(&mut self) -> String {
        let fields = separate(b"4.50");
        if self.redis.is_some() {
            let highest = format!("1-{}", u64::MAX);
            return self.add_to_stream(&highest, &fields).await;
        }
        let order = json!({
            "message_id": Uuid::new_v4(), "drink": "latte", "store": "central", "price": 4.5,
            "timestamp": "2026-11-22T09:00:00.123456", "version": "v3",
        });
        self.add_to_topic(Foreign::value(order.to_string().as_bytes())).await
    }

    /// Adds fields that nobody made a record of. To a topic they go as JSON where they are text, else the first one as a
    /// record's key and value.
    pub async fn add(&mut self, fields: &[(&[u8], &[u8])]) -> String {
        if self.redis.is_some() {
            return self.add_to_stream("*", fields).await;
        }
        let text = |bytes| String::from_utf8(Vec::from(bytes)).ok();
        let texts = fields
            .iter()
            .map(|(name, value)| Some((text(*name)?, text(*value)?.into())));
        let record = match texts.collect::<Option<Map<String, Value>>>() {
            Some(object) => Foreign::value(Value::Object(object).to_string().as_bytes()),
            None => Foreign {
                key: Some(fields[0].0.to_vec()),
                ..Foreign::value(fields[0].1)
            },
        };
        self.add_to_topic(record).await
    }

    /// Whether a letter's entry has what was added as this field.
    pub fn shows(&self, entry: &Value, name: &str, value: &str) -> bool {
        let order = entry["order"].as_str().unwrap_or_default();
        let as_json = format!("{}:{}", json!(name), json!(value));
        entry[name] == value || order.contains(&as_json) || (entry["key"] == name && order == value)
    }

    pub async fn add_order(&mut self, order: &str) -> String {
        if self.redis.is_some() {
            return self.add(&[(b"order", order.as_bytes())]).await;
        }
        self.add_to_topic(Foreign::value(order.as_bytes())).await
    }

    async fn add_to_stream(&mut self, id: &str, fields: &[(&[u8], &[u8])]) -> String {
        let mut add = redis::cmd("XADD");
        add.arg(STREAM).arg(id);
        for (name, value) in fields {
            add.arg(*name).arg(*value);
        }
        add.query_async(self.redis.as_mut().unwrap()).await.unwrap()
    }

    async fn add_to_topic(&self, record: Foreign) -> String {
        let place = self.database.topic().place();
        record.produce(&place.servers, &place.topic).await
    }

    /// How many orders the log holds that are not stored.
    pub async fn in_log(&mut self) -> u64 {
        if self.redis.is_some() {
            let (entries, surplus) = self.database.entries_and_surplus();
            return (entries + surplus) as u64;
        }
        let offsets = self.database.topic().place().offsets().await;
        let behind = |(oldest, next, stored): (i64, i64, Option<i64>)| next - stored.unwrap_or(oldest);
        u64::try_from(offsets.into_iter().map(behind).sum::<i64>()).unwrap()
    }

    /// Runs `dead-letters`, and returns its exit code and output.
    pub async fn tell(&self, args: &[&str]) -> (i32, String) {
        self.tell_with(args, &[]).await
    }

    /// The same with more settings.
    pub async fn tell_with(&self, args: &[&str], settings: &[(&str, &str)]) -> (i32, String) {
        let args = [&["dead-letters"], args].concat();
        self.database.run(&args, settings).await
    }

    /// What `dead-letters --json` lists.
    pub async fn listed(&self) -> Vec<Value> {
        let text = answered(DEADLINE, "dead-letters", async || self.tell(&["--json"]).await);
        serde_json::from_str(&text.await).unwrap()
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

    /// Waits until so many letters are there, and all before them is stored: letters are written before that.
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
        eventually("what is before the dead letters is stored", async || {
            if self.redis.is_none() {
                return self.database.topic().place().is_stored().await;
            }
            match self.database.entries_and_surplus() {
                (0, 0) => Ok(()),
                left => Err(format!("{left:?}")),
            }
        })
        .await;
    }
}

/// An order's fields one by one.
pub fn separate(price: &'static [u8]) -> [(&'static [u8], &'static [u8]); 4] {
    [
        (b"drink", b"latte"),
        (b"store", b"central"),
        (b"price", price),
        (b"timestamp", NINE.as_bytes()),
    ]
}

/// An order as nodes write it, with a message_id or without.
pub fn order(drink: &str, price: &str, key: Option<Uuid>) -> String {
    let mut order = json!({"drink": drink, "store": "uptown", "price": price, "timestamp": NINE});
    if let Some(key) = key {
        order["message_id"] = json!(key);
    }
    order.to_string()
}
