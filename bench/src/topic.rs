//! The Kafka topic before a store, as an outside program sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use coffee_rt::scenario::{Mixture, Records};
use coffee_rt_actors::domain::Menu;
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

/// Of those that are mixed.
const MIXTURE: Mixture = Mixture {
    repeated: 0.05,
    garbage: 0.01,
};
/// The same ones each time.
const SEED: u64 = 1;

/// A record with its key, and its partition where it does not go by the key.
type Keyed = (Option<&'static str>, Option<i32>, Vec<u8>);

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
        let records = (0..orders).map(|n| {
            let store = STORES[usize::try_from(n).unwrap_or_default() % STORES.len()];
            let id = format!(r#"{{"message_id":"{}","#, Uuid::now_v7());
            let order = order_body().replacen('{', &id, 1).replace("uptown", store);
            (Some(store), None, order.into_bytes())
        });
        self.produce(records)
    }

    /// Produces that many records: in twenty there is one order that came shortly before, in a hundred one that is none.
    pub fn fill_mixed(&self, records: u64) -> anyhow::Result<Mixed> {
        let mut mixed = Records::mixed(SEED, records, MIXTURE, &Menu::default());
        self.produce(
            mixed
                .by_ref()
                .map(|(partition, record)| (None, Some(partition), record)),
        )?;
        Ok(Mixed { orders: mixed.orders() })
    }

    fn produce(&self, records: impl Iterator<Item = Keyed>) -> anyhow::Result<()> {
        let mut settings = config(&self.servers);
        settings
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4");
        let producer: BaseProducer = settings.create()?;
        let mut wanted = 0;
        for (key, partition, record) in records {
            wanted += 1;
            loop {
                let mut sent = BaseRecord::to(&self.name).payload(&record);
                (sent.key, sent.partition) = (key, partition);
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
        if there < wanted {
            bail!("{there} of {wanted} records are in the topic");
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
