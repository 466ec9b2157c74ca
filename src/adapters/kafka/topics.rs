//! The topics: made where they are missing, and what they promise.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coffee_rt_actors::ports::{Durability, LogError};
use parking_lot::Mutex;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::client::{ANSWER_TIMEOUT, ClientSettings, Quiet, away, blocking};

/// How old the knowledge of the topic's settings may be.
const SETTINGS_AGE: Duration = Duration::from_secs(30);
/// How soon it is asked again where they are not known: brokers that are coming up may not know either.
const UNKNOWN_AGE: Duration = Duration::from_secs(5);
/// How long the controller may take to make a topic.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a topic keeps its records, in milliseconds. Letters stay until somebody resolves them.
const RETENTION: &str = "retention.ms";
const FOR_EVER: &str = "-1";

/// The administrator's view of the topics.
pub(super) struct Topics {
    settings: ClientSettings,
    admin: Mutex<Option<Arc<AdminClient<Quiet>>>>,
    durability: Mutex<Option<(Instant, Durability)>>,
}

impl Topics {
    pub(super) fn new(settings: ClientSettings) -> Self {
        Self {
            settings,
            admin: Mutex::default(),
            durability: Mutex::default(),
        }
    }

    pub(super) fn admin(&self) -> Result<Arc<AdminClient<Quiet>>, LogError> {
        let mut admin = self.admin.lock();
        if let Some(admin) = admin.as_ref() {
            return Ok(admin.clone());
        }
        // Nobody takes this client's messages off its queue.
        let mut config = self.settings.config();
        config.set_log_level(RDKafkaLogLevel::Emerg);
        let made = AdminClient::from_config_and_context(&config, Quiet::default());
        Ok(admin.insert(Arc::new(made.map_err(|error| away(&error))?)).clone())
    }

    /// The next question is asked by another client.
    pub(super) fn forget_admin(&self) {
        let earlier = self.admin.lock().take();
        // Its end waits for its thread.
        std::thread::spawn(move || drop(earlier));
    }

    /// The numbers of a topic's partitions; none where there is no such topic.
    pub(super) async fn partitions(&self, topic: &str) -> Result<Vec<i32>, LogError> {
        let (admin, topic) = (self.admin()?, topic.to_owned());
        blocking(move || Ok(partitions(&metadata(admin.inner(), &topic)?, &topic))).await
    }

    /// Makes the topics that are missing, with as many replicas as Kafka thinks right; that of metrics where a job writes it.
    pub(super) async fn make_missing(&self, partitions: i32, has_job: bool) -> Result<(), LogError> {
        let names = &self.settings.names;
        let topics = [
            (&names.topic, partitions, &[][..]),
            (&names.dead_letters, 1, &[(RETENTION, FOR_EVER)]),
            (&names.metrics, 1, &[]),
        ];
        for (topic, partitions, settings) in topics.into_iter().take(if has_job { 3 } else { 2 }) {
            if !self.partitions(topic).await?.is_empty() {
                self.warn_where_letters_vanish(topic).await;
                continue;
            }
            let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
            let wanted = [settings
                .iter()
                .fold(wanted, |topic, (name, value)| topic.set(name, value))];
            let options = AdminOptions::new().operation_timeout(Some(CREATE_TIMEOUT));
            let made = self.admin()?.create_topics(&wanted, &options).await;
            match made.map_err(|error| away(&error))?.into_iter().next() {
                Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {}
                Some(Err((_, code))) => {
                    return Err(LogError::Away(format!("the topic {topic} could not be made: {code}")));
                }
                _ => tracing::info!(topic, partitions, "made a topic"),
            }
        }
        Ok(())
    }

    /// A topic of dead letters that others made may have a retention.
    async fn warn_where_letters_vanish(&self, topic: &str) {
        if topic != self.settings.names.dead_letters {
            return;
        }
        let settings = self.settings_of(topic).await.ok().flatten();
        let retention = settings.and_then(|settings| setting(&settings, RETENTION));
        if let Some(retention_ms) = retention.filter(|retention| retention != FOR_EVER) {
            tracing::warn!(
                topic,
                retention_ms,
                "dead letters vanish after a time that nobody may have looked at them in; set {RETENTION}={FOR_EVER}"
            );
        }
    }

    /// What an acknowledgement of the topic of orders means.
    pub(super) async fn durability(&self) -> Durability {
        let known = *self.durability.lock();
        if let Some((read, durability)) = known {
            let age = if durability == Durability::Unknown {
                UNKNOWN_AGE
            } else {
                SETTINGS_AGE
            };
            if read.elapsed() < age {
                return durability;
            }
        }
        // Managed Kafkas may not show their settings.
        let durability = self.ask_durability().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "what an acknowledgement means is not known");
            self.forget_admin();
            Durability::Unknown
        });
        *self.durability.lock() = Some((Instant::now(), durability));
        durability
    }

    async fn ask_durability(&self) -> Result<Durability, LogError> {
        let (admin, names) = (self.admin()?, self.settings.names.clone());
        let Some(settings) = self.settings_of(&names.topic).await? else {
            return Ok(Durability::Unknown);
        };
        let replicas = blocking(move || Ok(fewest_replicas(&metadata(admin.inner(), &names.topic)?))).await?;
        Ok(durability(
            replicas,
            setting(&settings, "min.insync.replicas").as_deref(),
            setting(&settings, "flush.messages").as_deref(),
        ))
    }

    /// A topic's settings; none where they may not be read.
    async fn settings_of(&self, topic: &str) -> Result<Option<ConfigResource>, LogError> {
        let options = AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT));
        let asked = [ResourceSpecifier::Topic(topic)];
        let answer = self.admin()?.describe_configs(&asked, &options).await;
        Ok(answer
            .map_err(|error| away(&error))?
            .into_iter()
            .next()
            .and_then(Result::ok))
    }
}

/// Asks for a topic. Blocks.
pub(super) fn metadata<C: ClientContext>(client: &Client<C>, topic: &str) -> Result<Metadata, LogError> {
    let answer = client.fetch_metadata(Some(topic), ANSWER_TIMEOUT);
    answer.map_err(|error| away(&error))
}

/// The partitions of a topic; none where there is no such topic.
pub(super) fn partitions(metadata: &Metadata, topic: &str) -> Vec<i32> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map(|found| found.partitions().iter().map(|partition| partition.id()));
    let mut partitions: Vec<_> = partitions.into_iter().flatten().collect();
    partitions.sort_unstable();
    partitions
}

fn setting(settings: &ConfigResource, name: &str) -> Option<String> {
    settings.get(name).and_then(|entry| entry.value.clone())
}

fn fewest_replicas(metadata: &Metadata) -> usize {
    let topics = metadata.topics().iter().flat_map(|topic| topic.partitions());
    topics
        .map(|partition| partition.replicas().len())
        .min()
        .unwrap_or_default()
}

/// What replicas, `min.insync.replicas` and `flush.messages` promise.
fn durability(replicas: usize, min_insync: Option<&str>, flush_messages: Option<&str>) -> Durability {
    if flush_messages == Some("1") {
        return Durability::OnDisk;
    }
    match min_insync.and_then(|number| number.parse::<usize>().ok()) {
        Some(at_least) if at_least >= 2 && replicas >= 2 => Durability::Replicated,
        Some(_) => Durability::WhenFlushed,
        None => Durability::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_worth_what_the_topic_is_set_to() {
        for (replicas, min_insync, flush, worth) in [
            (1, Some("1"), Some("9223372036854775807"), Durability::WhenFlushed),
            (3, Some("1"), Some("9223372036854775807"), Durability::WhenFlushed),
            (1, Some("2"), None, Durability::WhenFlushed),
            (3, Some("2"), Some("9223372036854775807"), Durability::Replicated),
            (1, Some("1"), Some("1"), Durability::OnDisk),
            (3, None, None, Durability::Unknown),
        ] {
            assert_eq!(
                durability(replicas, min_insync, flush),
                worth,
                "{replicas} {min_insync:?}"
            );
        }
    }
}
