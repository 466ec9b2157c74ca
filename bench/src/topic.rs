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

/// A topic that no other measurement uses.
pub struct Topic {
    /// Of its Kafka.
    pub servers: String,
    /// Its name, and its group's.
    pub name: String,
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
        Ok(Self { servers, name, client })
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
        let mut settings = config(&self.servers);
        settings
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4");
        let producer: BaseProducer = settings.create()?;
        for n in 0..orders {
            let store = STORES[usize::try_from(n)? % STORES.len()];
            let id = format!(r#"{{"message_id":"{}","#, Uuid::now_v7());
            let record = order_body().replacen('{', &id, 1).replace("uptown", store);
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
        if there < orders {
            bail!("{there} of {orders} records are in the topic");
        }
        Ok(())
    }

    /// Deletes it.
    pub async fn delete(&self) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = config(&self.servers).create()?;
        let letters = format!("{}.dead-letter", self.name);
        admin
            .delete_topics(&[&self.name, &letters], &AdminOptions::new())
            .await?;
        Ok(())
    }
}

fn config(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}
