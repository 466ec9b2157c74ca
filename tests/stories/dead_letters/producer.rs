//! A program that is no node and produces what it likes.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

/// How long the broker may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A record: nothing in it unless told.
#[derive(Default)]
pub struct Foreign {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Foreign {
    pub fn value(value: &[u8]) -> Self {
        Self {
            value: Some(value.to_vec()),
            ..Self::default()
        }
    }

    pub fn with(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.to_owned(), Some(value.to_vec())));
        self
    }

    /// Produces it, and returns where it stands: `PARTITION-OFFSET`.
    pub async fn produce(self, servers: &str, topic: &str) -> String {
        let (servers, topic) = (servers.to_owned(), topic.to_owned());
        let place = tokio::task::spawn_blocking(move || self.send(&servers, &topic));
        let (partition, offset) = place.await.unwrap();
        format!("{partition}-{offset}")
    }

    fn send(&self, servers: &str, topic: &str) -> (i32, i64) {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", servers)
            .set("message.max.bytes", "1040000");
        let producer = ThreadedProducer::from_config_and_context(&config, Places).unwrap();
        let place = Arc::new(Mutex::new(None));
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, place.clone());
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        record.headers = Some(self.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: value.as_deref(),
            })
        }));
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(ANSWER).unwrap();
        place.lock().take().unwrap()
    }
}

/// Tells where records stand.
struct Places;

impl ClientContext for Places {}

impl ProducerContext for Places {
    type DeliveryOpaque = Arc<Mutex<Option<(i32, i64)>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Self::DeliveryOpaque) {
        let delivered = result.as_ref().unwrap_or_else(|(error, _)| panic!("{error}"));
        *place.lock() = Some((delivered.partition(), delivered.offset()));
    }
}
