//! The producer: records in groups, each group safe on all in-sync replicas when its sender hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use coffee_rt_actors::domain::Order;
use coffee_rt_actors::ports::LogError;
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;

use super::client::{self, ClientSettings, away, blocking};
use super::growth::Growth;
use super::topics::metadata;

/// How long a record may take to be safe; longer, and it is not known whether it is.
pub const DELIVERY_TIMEOUT_MS: u64 = 4_000;
/// librdkafka should give up before its caller does.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(DELIVERY_TIMEOUT_MS + 1_000);
/// Groups that may fail one after the other before the producer is taken to know no broker any more, as a client may after
/// a broker hung (<https://github.com/confluentinc/librdkafka/issues/5301>). Enough of them that a broker that is away for a
/// moment finds the producer that it knows.
const FAILURES_IN_A_ROW: u32 = 4;
/// Records that may be under way in one producer: several groups of dead letters beside one of orders.
const MAX_RECORDS_UNDER_WAY: usize = 20_000;

/// A record that is to be sent.
pub(super) struct Outgoing {
    /// Where it is to go; by its key unless told.
    pub(super) partition: Option<i32>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Vec<u8>,
    pub(super) headers: Option<OwnedHeaders>,
}

impl Outgoing {
    /// An order on its way to the topic of orders.
    pub(super) fn order(order: &Order) -> Self {
        Self {
            partition: None,
            key: Some(order.store.as_bytes().to_vec()),
            value: order.to_record(),
            headers: None,
        }
    }
}

/// Sends records; made when it is needed, and thrown away when it has failed for good.
pub(super) struct Producer {
    settings: ClientSettings,
    current: Mutex<Option<Arc<Deliverer>>>,
    /// Whether the current one has met a broker.
    has_met_broker: AtomicBool,
    failures_in_a_row: AtomicU32,
    growth: Arc<Growth>,
}

type Deliverer = ThreadedProducer<Deliveries>;

impl Producer {
    pub(super) fn new(settings: ClientSettings) -> Self {
        Self {
            settings,
            current: Mutex::default(),
            has_met_broker: AtomicBool::new(false),
            failures_in_a_row: AtomicU32::new(0),
            growth: Arc::default(),
        }
    }

    /// How its topic grows, where it sends to one.
    pub(super) fn growth(&self) -> Arc<Growth> {
        self.growth.clone()
    }

    /// Has the producer connect before the first record is sent: an idempotent one gets its id from a broker first, and asks
    /// for it half a second late where it knew none.
    pub(super) async fn warm_up(&self, topic: &str) -> Result<(), LogError> {
        if !self.has_met_broker.load(Ordering::Relaxed) {
            let (producer, topic) = (self.current()?, topic.to_owned());
            let asked = producer.clone();
            if let Err(error) = blocking(move || metadata(asked.client(), &topic).map(drop)).await {
                self.throw_away_if_useless(&producer);
                return Err(error);
            }
            self.has_met_broker.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends records, and waits until all of them are safe. After an error some may be.
    pub(super) async fn send(&self, topic: &str, records: Vec<Outgoing>) -> Result<(), LogError> {
        let producer = self.current()?;
        let group = Arc::new(Group::of(records.len()));
        for record in &records {
            let mut sent = BaseRecord::with_opaque_to(topic, group.clone()).payload(&record.value);
            if let Some(key) = &record.key {
                sent = sent.key(key);
            }
            sent.partition = record.partition;
            sent.headers.clone_from(&record.headers);
            if let Err((error, _)) = producer.send(sent) {
                group.ended(Some(error));
            }
        }
        let delivered = tokio::time::timeout(ANSWER_TIMEOUT, group.wait()).await;
        let result = delivered.unwrap_or_else(|_| {
            let reason = format!("no answer within {ANSWER_TIMEOUT:?}");
            Err(LogError::Away(reason))
        });
        if result.is_ok() {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        } else {
            self.throw_away_if_useless(&producer);
        }
        result
    }

    fn current(&self) -> Result<Arc<Deliverer>, LogError> {
        let mut current = self.current.lock();
        if let Some(producer) = current.as_ref() {
            return Ok(producer.clone());
        }
        let mut config = self.settings.tuned(&[
            ("compression.codec", "lz4"),
            ("partitioner", "murmur2_random"),
            ("queue.buffering.max.messages", &MAX_RECORDS_UNDER_WAY.to_string()),
            // Groups arrive together, so nothing is gained by waiting for more.
            ("queue.buffering.max.ms", "0"),
            ("sticky.partitioning.linger.ms", "0"),
        ]);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", DELIVERY_TIMEOUT_MS.to_string());
        let made =
            Deliverer::from_config_and_context(&config, Deliveries(self.growth())).map_err(|error| away(&error))?;
        Ok(current.insert(Arc::new(made)).clone())
    }

    /// An idempotent producer that cannot keep its promise any more refuses everything, and one that is stuck delivers
    /// nothing: the next group gets another one. What the old one may still deliver is there twice then, which is harmless.
    fn throw_away_if_useless(&self, producer: &Arc<Deliverer>) {
        let failures = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let fatal = producer.client().fatal_error();
        if fatal.is_none() && failures < FAILURES_IN_A_ROW {
            return;
        }
        let mut current = self.current.lock();
        if !current.as_ref().is_some_and(|now| Arc::ptr_eq(now, producer)) {
            return;
        }
        match fatal {
            Some((code, reason)) => tracing::warn!(%code, reason, "the producer failed for good, making another one"),
            None => tracing::info!(failures, "the producer delivers nothing, making another one"),
        }
        self.failures_in_a_row.store(0, Ordering::Relaxed);
        self.has_met_broker.store(false, Ordering::Relaxed);
        let useless = current.take();
        // Its end waits for its thread.
        std::thread::spawn(move || drop(useless));
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let last = self.current.lock().take();
        std::thread::spawn(move || drop(last));
    }
}

/// Records that were sent together.
struct Group {
    under_way: AtomicUsize,
    failure: Mutex<Option<KafkaError>>,
    all_ended: Notify,
}

impl Group {
    fn of(records: usize) -> Self {
        Self {
            under_way: AtomicUsize::new(records),
            failure: Mutex::default(),
            all_ended: Notify::new(),
        }
    }

    /// One of them is safe, or is not.
    fn ended(&self, failure: Option<KafkaError>) {
        if let Some(failure) = failure {
            self.failure.lock().get_or_insert(failure);
        }
        if self.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_ended.notify_one();
        }
    }

    async fn wait(&self) -> Result<(), LogError> {
        while self.under_way.load(Ordering::Acquire) > 0 {
            self.all_ended.notified().await;
        }
        match self.failure.lock().take() {
            Some(error) => Err(away(&error)),
            None => Ok(()),
        }
    }
}

/// Tells groups what became of their records, and where they are.
struct Deliveries(Arc<Growth>);

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Group>;

    fn delivery(&self, result: &DeliveryResult<'_>, group: Self::DeliveryOpaque) {
        if let Ok(record) = result {
            self.0.put(record.partition(), record.offset());
        }
        group.ended(result.as_ref().err().map(|(error, _)| error.clone()));
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    #[tokio::test]
    async fn a_group_is_safe_when_all_of_it_is() {
        let group = Group::of(2);
        group.ended(None);
        let waiting = tokio::time::timeout(Duration::from_millis(1), group.wait());
        assert!(waiting.await.is_err());
        group.ended(None);
        assert_eq!(group.wait().await, Ok(()));
        assert_eq!(Group::of(0).wait().await, Ok(()));
    }

    #[tokio::test]
    async fn one_failure_fails_its_group() {
        let group = Group::of(2);
        group.ended(Some(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut)));
        group.ended(None);
        assert!(matches!(group.wait().await, Err(LogError::Away(_))));
    }
}
