//! The Kafka through which a story's orders go: a topic and a group of its own, on the tests' broker or on one that the
//! story itself kills.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::{DEADLINE, OwnService, eventually};

/// How long the broker may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A topic and a group.
pub struct Kafka {
    place: Place,
    own: Option<OwnService>,
}

/// What stands in a topic.
#[derive(Debug)]
pub struct Written {
    pub value: Vec<u8>,
    pub headers: BTreeMap<String, String>,
}

/// Where it is.
#[derive(Clone)]
pub struct Place {
    pub servers: String,
    pub topic: String,
    pub group: String,
}

impl Kafka {
    /// On the broker that all stories share.
    pub fn shared() -> Self {
        let servers = std::env::var("COFFEE_RT_TEST_KAFKA_SERVERS").unwrap_or_else(|_| {
            panic!("COFFEE_RT_TEST_KAFKA_SERVERS is not set: run `make test`, which starts a Kafka for the tests")
        });
        Self::at(servers, None)
    }

    /// On brokers of the story's own.
    pub fn on(own: OwnService) -> Self {
        Self::at(own.url.clone(), Some(own))
    }

    fn at(servers: String, own: Option<OwnService>) -> Self {
        let name = uuid::Uuid::new_v4().simple();
        let place = Place {
            servers,
            topic: format!("orders-{name}"),
            group: format!("order-workers-{name}"),
        };
        Self { place, own }
    }

    /// The brokers, where they are the story's own.
    pub fn server(&self) -> &OwnService {
        self.own.as_ref().expect("a Kafka of the story's own")
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Settings of a node.
    pub fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("KAFKA_BOOTSTRAP_SERVERS", &self.place.servers),
            ("COFFEE_RT_V3__TOPIC", &self.place.topic),
            ("COFFEE_RT_V3__GROUP", &self.place.group),
        ]
    }

    /// Produces as any other program may: values as they stand, to the partitions of that number.
    pub async fn produce_to(&self, records: Vec<(i32, Vec<u8>)>) {
        let (servers, topic) = (self.place.servers.clone(), self.place.topic.clone());
        let produced = tokio::task::spawn_blocking(move || {
            let producer: BaseProducer = config(&servers).create().unwrap();
            for (partition, value) in &records {
                let record = BaseRecord::<(), [u8]>::to(&topic).payload(value).partition(*partition);
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
            producer.flush(DEADLINE).unwrap();
        });
        produced.await.unwrap();
    }

    pub async fn add_partitions(&self, all: usize) {
        let wanted = NewPartitions::new(&self.place.topic, all);
        let made = self.admin().create_partitions(&[wanted], &options()).await.unwrap();
        made.into_iter().for_each(|made| drop(made.unwrap()));
    }

    /// Deletes a topic.
    pub async fn delete(&self, topic: &str) {
        let deleted = self.admin().delete_topics(&[topic], &options()).await.unwrap();
        deleted.into_iter().for_each(|deleted| drop(deleted.unwrap()));
    }

    /// What a topic is set to.
    pub async fn setting(&self, topic: &str, name: &str) -> String {
        let asked = [ResourceSpecifier::Topic(topic)];
        let answer = self.admin().describe_configs(&asked, &options()).await.unwrap();
        let settings = answer.into_iter().next().unwrap().unwrap();
        settings.get(name).unwrap().value.clone().unwrap()
    }

    /// As retention does.
    pub async fn remove_before(&self, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before
            .add_partition_offset(&self.place.topic, partition, Offset::Offset(offset))
            .unwrap();
        self.admin().delete_records(&before, &options()).await.unwrap();
        eventually("the records are gone", async || {
            let offsets = self.place.offsets().await;
            let of_it = offsets.get(usize::try_from(partition).unwrap());
            match of_it.filter(|(oldest, ..)| *oldest == offset) {
                Some(_) => Ok(()),
                None => Err(format!("{of_it:?}")),
            }
        })
        .await;
    }

    /// Deletes the topic and makes one of the same name.
    pub async fn make_anew(&self, partitions: i32) {
        let (admin, topic) = (self.admin(), &*self.place.topic);
        self.delete(topic).await;
        // A node that runs may be faster.
        eventually("the topic is made anew, and empty", async || {
            let wanted = [NewTopic::new(topic, partitions, TopicReplication::Fixed(-1))];
            let made = admin.create_topics(&wanted, &options()).await.unwrap();
            let offsets = self.place.offsets().await;
            let empty = offsets.len() == usize::try_from(partitions).unwrap() && offsets.iter().all(|one| one.1 == 0);
            if empty {
                Ok(())
            } else {
                Err(format!("{made:?}, {offsets:?}"))
            }
        })
        .await;
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        config(&self.place.servers).create().unwrap()
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWER))
}

fn config(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}

impl Place {
    /// For each partition its oldest offset, the one that comes next, and the one that the group was told is stored.
    pub async fn offsets(&self) -> Vec<(i64, i64, Option<i64>)> {
        let place = self.clone();
        tokio::task::spawn_blocking(move || place.ask_offsets()).await.unwrap()
    }

    fn ask_offsets(&self) -> Vec<(i64, i64, Option<i64>)> {
        let mut config = config(&self.servers);
        let consumer: BaseConsumer = config.set("group.id", &self.group).create().unwrap();
        let Ok(metadata) = consumer.fetch_metadata(Some(&self.topic), ANSWER) else {
            return Vec::new();
        };
        let mut asked = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            asked.add_partition(&self.topic, partition.id());
        }
        let Ok(told) = consumer.committed_offsets(asked, ANSWER) else {
            return Vec::new();
        };
        let offsets = told.elements().into_iter().map(|told| {
            let (oldest, next) = consumer.fetch_watermarks(&self.topic, told.partition(), ANSWER).ok()?;
            let stored = match told.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            Some((oldest, next, stored))
        });
        offsets.collect::<Option<_>>().unwrap_or_default()
    }

    /// All records of the first partition of a topic; none where there is no such topic.
    pub async fn records_of(&self, topic: &str) -> Vec<Written> {
        let (place, topic) = (self.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || place.read_records(&topic))
            .await
            .unwrap()
    }

    fn read_records(&self, topic: &str) -> Vec<Written> {
        let mut config = config(&self.servers);
        let consumer: BaseConsumer = config.set("group.id", "looks-on").create().unwrap();
        let Ok((oldest, next)) = consumer.fetch_watermarks(topic, 0, ANSWER) else {
            return Vec::new();
        };
        let mut all = TopicPartitionList::new();
        all.add_partition_offset(topic, 0, Offset::Offset(oldest)).unwrap();
        consumer.assign(&all).unwrap();
        let (mut found, until) = (Vec::new(), Instant::now() + DEADLINE);
        while i64::try_from(found.len()).unwrap() < next - oldest {
            // An error passes: a client goes on by itself.
            let Some(Ok(record)) = consumer.poll(ANSWER) else {
                assert!(Instant::now() < until, "{} records of {topic}", found.len());
                continue;
            };
            let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
            let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
            found.push(Written {
                value: record.payload().unwrap_or_default().to_vec(),
                headers: headers
                    .map(|header| (header.key.to_owned(), text(header.value)))
                    .collect(),
            });
        }
        found
    }

    /// Whether the group was told that everything is stored, else how far it is.
    pub async fn is_stored(&self) -> Result<(), String> {
        let offsets = self.offsets().await;
        let all = |(oldest, next, stored): &(i64, i64, Option<i64>)| stored.unwrap_or(*oldest) == *next;
        if !offsets.is_empty() && offsets.iter().all(all) {
            Ok(())
        } else {
            Err(format!("oldest, next, stored: {offsets:?}"))
        }
    }
}
