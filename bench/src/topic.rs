//! The Kafka topic before a store, as an outside program sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use uuid::Uuid;

use crate::http::order_body;

/// Where Kafka is, as `deploy/local/services env` prints it.
const SERVERS_VARIABLE: &str = "COFFEE_RT_TEST_KAFKA_SERVERS";
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The stores of the default menu in turn: the keys of the records.
const STORES: [&str; 4] = ["uptown", "downtown", "central", "southend"];

/// Records that are no orders.
const GARBAGE: [&str; 4] = [
    "not json at all",
    r#"{"drink":"iced tea","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#,
    r#"{"drink":"latte","store":"uptown","price":10000.01,"timestamp":"2026-11-22T09:00:00Z"}"#,
    r#"{"drink":"latte","price":4.5,"timestamp":"2026-02-31T09:00:00Z"}"#,
];

/// What was written.
#[derive(Clone, Copy)]
pub struct Mixed {
    /// Orders that differ from each other.
    pub orders: u64,
}

/// A topic that no other measurement uses.
pub struct Topic {
    /// Of its Kafka.
    pub servers: String,
    /// Its name.
    pub name: String,
    /// Of the nodes that share it.
    pub group: String,
    /// Whether it is deleted with its database.
    own: bool,
    client: BaseConsumer,
}

impl Topic {
    /// Names one; the node makes it.
    pub fn create() -> anyhow::Result<Self> {
        let servers = std::env::var(SERVERS_VARIABLE).with_context(|| {
            format!(
                "no {SERVERS_VARIABLE}: run deploy/local/services up kafka, then eval \"$(deploy/local/services env)\""
            )
        })?;
        let client = config(&servers).create()?;
        let name = format!("bench-{}", Uuid::new_v4().simple());
        Ok(Self {
            servers,
            group: name.clone(),
            name,
            own: true,
            client,
        })
    }

    /// The same topic, for nodes of another group.
    pub fn beside(&self) -> anyhow::Result<Self> {
        Ok(Self {
            servers: self.servers.clone(),
            name: self.name.clone(),
            group: format!("{}-beside", self.group),
            own: false,
            client: config(&self.servers).create()?,
        })
    }

    /// The offset that comes next in each partition: how many records it has ever had.
    pub fn ends(&self) -> anyhow::Result<BTreeMap<i32, u64>> {
        let metadata = self.client.fetch_metadata(Some(&self.name), ANSWER)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let ends = partitions.map(|partition| {
            let (_, next) = self.client.fetch_watermarks(&self.name, partition.id(), ANSWER)?;
            Ok((partition.id(), u64::try_from(next)?))
        });
        ends.collect()
    }

    /// Produces that many orders.
    pub fn fill(&self, orders: u64) -> anyhow::Result<()> {
        self.produce(orders, |_, order| order)
    }

    /// Produces that many records: in twenty there is one order that came just before, in a hundred one that is none.
    pub fn fill_mixed(&self, records: u64) -> anyhow::Result<Mixed> {
        let (mut last, mut orders) = (String::new(), 0);
        self.produce(records, |n, order| match n % 100 {
            13 => GARBAGE[usize::try_from(n / 100).unwrap_or_default() % GARBAGE.len()].to_owned(),
            // Under the key of another store, and so in another partition, too.
            17 | 37 | 57 | 77 | 97 if !last.is_empty() => last.clone(),
            _ => {
                last.clone_from(&order);
                orders += 1;
                order
            }
        })?;
        Ok(Mixed { orders })
    }

    fn produce(&self, records: u64, mut record: impl FnMut(u64, String) -> String) -> anyhow::Result<()> {
        let mut settings = config(&self.servers);
        settings
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4");
        let producer: BaseProducer = settings.create()?;
        for n in 0..records {
            let store = STORES[usize::try_from(n)? % STORES.len()];
            let id = format!(r#"{{"message_id":"{}","#, Uuid::now_v7());
            let record = record(n, order_body().replacen('{', &id, 1).replace("uptown", store));
            loop {
                let sent = BaseRecord::to(&self.name).key(store).payload(&record);
                match producer.send(sent) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                        producer.poll(Duration::from_millis(10));
                    }
                    Err((error, _)) => return Err(error.into()),
                }
            }
            producer.poll(Duration::ZERO);
        }
        producer.flush(Duration::from_secs(60))?;
        let there: u64 = self.ends()?.values().sum();
        if there < records {
            bail!("{there} of {records} records are in the topic");
        }
        Ok(())
    }

    /// Deletes it.
    pub async fn delete(&self) -> anyhow::Result<()> {
        if !self.own {
            return Ok(());
        }
        let admin: AdminClient<DefaultClientContext> = config(&self.servers).create()?;
        let [letters, metrics] = ["dead-letter", "metrics"].map(|end| format!("{}.{end}", self.name));
        admin
            .delete_topics(&[&self.name, &letters, &metrics], &AdminOptions::new())
            .await?;
        Ok(())
    }
}

fn config(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}
