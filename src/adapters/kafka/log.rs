//! The topic as a log: appends, and a node's rounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use coffee_rt_actors::domain::{Menu, Order};
use coffee_rt_actors::log_watch::ROUND_LIMIT;
use coffee_rt_actors::ports::{
    Engine, EngineView, LogError, LogStatus, OrderLog, Partition, PartitionLag, PartitionedLog,
};
use parking_lot::Mutex;
use rdkafka::consumer::Consumer;
use tokio::sync::watch;

use super::client::{ANSWER_TIMEOUT, ClientSettings, NO_BROKER, blocking};
use super::lag::{lags, watermarks};
use super::membership::Membership;
use super::partition::KafkaPartition;
use super::producer::{Outgoing, Producer};
use super::reason::Trial;
use super::record::number;
use super::topics::{Topics, metadata, partitions};

/// A round asks several questions, of which the first that is not answered ends it.
const _: () = assert!(ANSWER_TIMEOUT.as_millis() < ROUND_LIMIT.as_millis());

/// Rounds in which a node's own clients know no broker and a new one does, before they are made anew: brokers that have
/// just come back are known to the new ones first.
const LOST_ROUNDS: u32 = 2;

/// What a node does with the topic.
#[derive(Clone, Debug)]
pub struct KafkaLogSettings {
    /// What can be ordered.
    pub menu: Menu,
    /// Partitions of a topic that is made because it is missing.
    pub partitions: i32,
    /// Records that may wait to be stored; further ones are refused.
    pub backlog_limit: u64,
}

/// The topic of orders, as one node sees it.
pub struct KafkaLog {
    client: ClientSettings,
    settings: KafkaLogSettings,
    /// Who stores, where that can be others than the nodes.
    engine: Option<watch::Receiver<EngineView>>,
    producer: Producer,
    dead_letters: Arc<Producer>,
    membership: Arc<Membership>,
    topics: Topics,
    has_topics: AtomicBool,
    /// Rounds in a row in which this node's own clients knew no broker, and a new one did.
    rounds_lost: AtomicU32,
    /// As of the last round.
    backlog: AtomicU64,
    dead_letters_there: AtomicU64,
    known_partitions: Mutex<Vec<i32>>,
}

impl KafkaLog {
    /// Does no I/O: a Kafka that is absent is tried again by each call.
    #[must_use]
    pub fn new(
        client: ClientSettings,
        settings: KafkaLogSettings,
        engine: Option<watch::Receiver<EngineView>>,
    ) -> Self {
        Self {
            engine,
            producer: Producer::new(client.clone()),
            dead_letters: Arc::new(Producer::new(client.clone())),
            membership: Arc::new(Membership::new(client.clone())),
            topics: Topics::new(client.clone()),
            client,
            settings,
            has_topics: AtomicBool::new(false),
            rounds_lost: AtomicU32::new(0),
            backlog: AtomicU64::new(0),
            dead_letters_there: AtomicU64::new(0),
            known_partitions: Mutex::default(),
        }
    }

    async fn make_topics(&self) -> Result<(), LogError> {
        if !self.has_topics.load(Ordering::Relaxed) {
            self.topics.make_missing(self.settings.partitions, false).await?;
            self.has_topics.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// How far the store is behind.
    async fn lags(&self) -> Result<Vec<PartitionLag>, LogError> {
        let (membership, names) = (self.membership.clone(), self.client.names.clone());
        blocking(move || {
            membership.ask(|group| {
                lags(group, &names.topic, |partitions| {
                    Ok(membership.compare_stored(partitions))
                })
            })
        })
        .await
    }

    /// How many records the topic of dead letters holds: its letters from the oldest unresolved one on, and notes of what
    /// became of some of them. Orders can be taken without it, so what was known last is enough.
    async fn dead_letters(&self) -> u64 {
        let (membership, names) = (self.membership.clone(), self.client.names.clone());
        let counted = blocking(move || {
            let topic = &names.dead_letters;
            membership.ask(|group| {
                let found = partitions(&metadata(group.client(), topic)?, topic);
                let ends = watermarks(group, topic, &found)?;
                Ok((!found.is_empty()).then(|| ends.iter().map(|(oldest, next)| number(next - oldest)).sum()))
            })
        });
        match counted.await {
            Ok(None) => self.has_topics.store(false, Ordering::Relaxed),
            Ok(Some(letters)) => self.dead_letters_there.store(letters, Ordering::Relaxed),
            Err(error) => tracing::debug!(%error, "the dead letters were not counted"),
        }
        self.dead_letters_there.load(Ordering::Relaxed)
    }

    /// Reports partitions that were added, or a topic that is gone and is to be made again.
    fn compare_partitions(&self, lags: &[PartitionLag]) {
        let found: Vec<_> = lags.iter().map(|lag| lag.partition).collect();
        if found.is_empty() {
            self.has_topics.store(false, Ordering::Relaxed);
        }
        let mut known = self.known_partitions.lock();
        if !known.is_empty() && *known != found {
            tracing::warn!(
                before = known.len(),
                now = found.len(),
                "the topic has other partitions now"
            );
        }
        *known = found;
    }
}

#[async_trait]
impl OrderLog for KafkaLog {
    async fn append(&self, orders: &[Arc<Order>]) -> Result<(), LogError> {
        if self.backlog.load(Ordering::Relaxed) >= self.settings.backlog_limit {
            return Err(LogError::Full);
        }
        let records = orders.iter().map(|order| Outgoing::order(order));
        self.producer.send(&self.client.names.topic, records.collect()).await
    }

    async fn keep(&self) -> Result<LogStatus, LogError> {
        match self.round().await {
            Err(LogError::Away(away)) if away == NO_BROKER => {
                let trial = self.client.trial().await;
                self.heal(&trial);
                trial.away()
            }
            answer => {
                self.rounds_lost.store(0, Ordering::Relaxed);
                answer
            }
        }
    }

    async fn leave(&self) -> Result<(), LogError> {
        let membership = self.membership.clone();
        blocking(move || {
            membership.leave();
            Ok(())
        })
        .await
    }
}

impl KafkaLog {
    /// Where new clients get answers, round after round, and this node's own know no broker, these are made anew: they may
    /// have forgotten all brokers (<https://github.com/confluentinc/librdkafka/issues/5301>).
    fn heal(&self, trial: &Trial) {
        if *trial != Trial::Answered {
            self.rounds_lost.store(0, Ordering::Relaxed);
        } else if self.rounds_lost.fetch_add(1, Ordering::Relaxed) + 1 >= LOST_ROUNDS {
            self.rounds_lost.store(0, Ordering::Relaxed);
            tracing::warn!("this node's clients know no broker although there is one, making others");
            self.membership.give_up();
            self.topics.forget_admin();
        }
    }

    async fn round(&self) -> Result<LogStatus, LogError> {
        self.make_topics().await?;
        self.producer.warm_up(&self.client.names.topic).await?;
        let engine = self.engine.as_ref().map(|engine| engine.borrow().engine);
        self.membership
            .join(engine.is_none_or(|engine| engine == Some(Engine::Actors)))?;
        let lags = self.lags().await?;
        self.compare_partitions(&lags);
        let backlog = lags.iter().map(|lag| lag.records).sum();
        self.backlog.store(backlog, Ordering::Relaxed);
        Ok(LogStatus {
            backlog,
            backlog_limit: self.settings.backlog_limit,
            lag: Some(backlog),
            pending: 0,
            own_pending: Vec::new(),
            claimed: 0,
            partitions: lags,
            dead_letters: self.dead_letters().await,
            durability: self.topics.durability().await,
        })
    }
}

impl PartitionedLog for KafkaLog {
    fn assigned(&self) -> watch::Receiver<Arc<[i32]>> {
        self.membership.assigned()
    }

    fn partition(&self, partition: i32) -> Arc<dyn Partition> {
        Arc::new(KafkaPartition {
            settings: self.client.clone(),
            menu: self.settings.menu.clone(),
            number: partition,
            dead_letters: self.dead_letters.clone(),
            membership: self.membership.clone(),
            growth: self.producer.growth(),
            begun: Mutex::default(),
        })
    }
}
