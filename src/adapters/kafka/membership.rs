//! This node among those of the consumer group: which partitions are its own.
//!
//! The group's client reads no records: it is told of an assignment, and tells it on. Its thread calls it often enough
//! that the group believes this node to be alive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use coffee_rt_actors::ports::LogError;
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use super::client::{self, ClientSettings, away};
use super::lag::committed;

/// A node that is silent for longer loses its partitions.
pub const SESSION_TIMEOUT_MS: u64 = 6_000;
/// A partition that is given to another node is read by nobody for as long: the other one is told by a heartbeat's answer.
const HEARTBEAT_INTERVAL_MS: u64 = 500;
const _: () = assert!(3 * HEARTBEAT_INTERVAL_MS < SESSION_TIMEOUT_MS);
/// How long the group's coordinator may take to answer: nothing that cannot wait hangs on it.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the group's thread waits for something to happen before it looks whether it is to end.
const POLL: Duration = Duration::from_millis(100);

/// A place in the group, as long as there is a member.
pub(super) struct Membership {
    settings: ClientSettings,
    assigned: Arc<watch::Sender<Arc<[i32]>>>,
    member: Mutex<Option<Member>>,
    /// How far this node's partitions are stored.
    stored: Mutex<BTreeMap<i32, i64>>,
    /// How far the group was told that partitions are stored, as of the last time that it said so.
    told: Mutex<Vec<(i32, Option<i64>)>>,
}

struct Member {
    /// Whether the group may give it partitions.
    takes_part: bool,
    consumer: Arc<BaseConsumer<Assignments>>,
    leaving: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Membership {
    pub(super) fn new(settings: ClientSettings) -> Self {
        Self {
            settings,
            assigned: Arc::new(watch::Sender::new(Arc::from([]))),
            member: Mutex::default(),
            stored: Mutex::default(),
            told: Mutex::default(),
        }
    }

    pub(super) fn assigned(&self) -> watch::Receiver<Arc<[i32]>> {
        self.assigned.subscribe()
    }

    /// Joins the group, unless this node is in it; or only looks on, where others than the nodes store.
    pub(super) fn join(&self, takes_part: bool) -> Result<(), LogError> {
        let mut member = self.member.lock();
        if let Some(member) = member.as_ref().filter(|member| !member.thread.is_finished()) {
            if member.takes_part != takes_part {
                // The other one takes its place when it has left.
                member.leaving.store(true, Ordering::Relaxed);
            }
            return Ok(());
        }
        // Its end may wait for brokers.
        let earlier = member.take();
        std::thread::spawn(move || drop(earlier));
        *member = Some(self.new_member(takes_part).map_err(|error| away(&error))?);
        Ok(())
    }

    /// Gives up the place in the group: the next join takes another one, with a client that asks for the brokers anew.
    pub(super) fn give_up(&self) {
        if let Some(member) = self.member.lock().as_ref() {
            member.leaving.store(true, Ordering::Relaxed);
        }
    }

    fn new_member(&self, takes_part: bool) -> KafkaResult<Member> {
        let mut config = self.settings.config();
        config
            .set("group.id", &self.settings.names.group)
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION_TIMEOUT_MS.to_string())
            .set("heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS.to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        let context = Assignments(self.assigned.clone());
        let consumer = Arc::new(BaseConsumer::from_config_and_context(&config, context)?);
        if takes_part {
            consumer.subscribe(&[&self.settings.names.topic])?;
        }
        let leaving = Arc::new(AtomicBool::new(false));
        let (polled, until, assigned) = (consumer.clone(), leaving.clone(), self.assigned.clone());
        let thread = std::thread::Builder::new()
            .name("kafka-group".to_owned())
            .spawn(move || {
                take_part(&polled, &until);
                set(&assigned, BTreeSet::new());
                // Without its last user it says goodbye to the group, which takes a moment.
                drop(polled);
            });
        let thread = thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Member {
            takes_part,
            consumer,
            leaving,
            thread,
        })
    }

    /// Notes how far a partition is stored, for those who watch the group.
    pub(super) fn stored(&self, partition: i32, next_offset: i64) {
        self.stored.lock().insert(partition, next_offset);
    }

    /// How far each of these partitions is stored, as the group was told or this node knows better. What the group was
    /// not told, or what was lost on the way, it is told. Blocks.
    pub(super) fn compare_stored(&self, partitions: &[i32]) -> Vec<Option<i64>> {
        let told = self.told(partitions);
        let own = self.assigned.borrow().clone();
        let mut stored = self.stored.lock();
        stored.retain(|partition, _| own.contains(partition));
        let mut untold = TopicPartitionList::new();
        let compared = partitions.iter().zip(told).map(|(partition, told)| {
            let known = stored.get(partition).copied();
            if let Some(known) = known.filter(|_| known != told) {
                let _ = untold.add_partition_offset(&self.settings.names.topic, *partition, Offset::Offset(known));
            }
            known.or(told)
        });
        let compared = compared.collect();
        self.tell(&untold);
        compared
    }

    /// How far the group was told that each of these partitions is stored. Orders can be taken without it, so where the
    /// group does not say, what it said last is enough.
    fn told(&self, partitions: &[i32]) -> Vec<Option<i64>> {
        let mut known = self.told.lock();
        match self.ask(|group| committed(group, &self.settings.names.topic, partitions, COORDINATOR_TIMEOUT)) {
            Ok(told) => *known = partitions.iter().copied().zip(told).collect(),
            Err(error) => tracing::debug!(%error, "the group does not say what is stored"),
        }
        let told = |partition: &i32| known.iter().find(|(known, _)| known == partition)?.1;
        partitions.iter().map(told).collect()
    }

    fn tell(&self, offsets: &TopicPartitionList) {
        if let Some(member) = self.member.lock().as_ref().filter(|_| offsets.count() > 0)
            && let Err(error) = member.consumer.commit(offsets, CommitMode::Async)
        {
            tracing::debug!(%error, "the group was not told what is stored");
        }
    }

    /// Asks Kafka through this node's client of the group.
    pub(super) fn ask<T>(
        &self,
        ask: impl FnOnce(&BaseConsumer<Assignments>) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let consumer = self.member.lock().as_ref().map(|member| member.consumer.clone());
        let consumer = consumer.ok_or_else(|| LogError::Away("not in the group".to_owned()))?;
        ask(&consumer)
    }

    /// Leaves the group, so that others get this node's partitions at once. Blocks until the group knows.
    pub(super) fn leave(&self) {
        let own = self.assigned.borrow().clone();
        // Nothing hangs on it: the positions are in the store.
        self.compare_stored(&own);
        let member = self.member.lock().take();
        if let Some(Member {
            consumer,
            leaving,
            thread,
            ..
        }) = member
        {
            leaving.store(true, Ordering::Relaxed);
            drop(consumer);
            let _ = thread.join();
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(member) = self.member.lock().take() {
            member.leaving.store(true, Ordering::Relaxed);
        }
    }
}

/// Calls the group's client until it fails for good, or is to leave.
fn take_part(consumer: &BaseConsumer<Assignments>, leaving: &AtomicBool) {
    while !leaving.load(Ordering::Relaxed) {
        match consumer.poll(POLL) {
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                tracing::warn!(%code, "left the group by force, joining again");
                return;
            }
            Some(Err(error)) => tracing::debug!(%error, "kafka group"),
            // Nothing is assigned to this client, so nothing arrives.
            Some(Ok(_)) | None => {}
        }
    }
}

fn set(assigned: &watch::Sender<Arc<[i32]>>, partitions: BTreeSet<i32>) {
    assigned.send_if_modified(|now| {
        let changed = !partitions.iter().eq(now.iter());
        *now = partitions.into_iter().collect();
        changed
    });
}

/// Hears of assignments.
pub(super) struct Assignments(Arc<watch::Sender<Arc<[i32]>>>);

impl ClientContext for Assignments {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka group");
    }
}

impl ConsumerContext for Assignments {
    /// The partitions are read by clients of their own, from where the store is: this one takes none of them.
    fn rebalance(&self, group: &BaseConsumer<Self>, what: RDKafkaRespErr, changed: &mut TopicPartitionList) {
        let changed: BTreeSet<i32> = changed
            .elements()
            .iter()
            .map(rdkafka::topic_partition_list::TopicPartitionListElem::partition)
            .collect();
        let mut own: BTreeSet<i32> = self.0.borrow().iter().copied().collect();
        let none = TopicPartitionList::new();
        let done = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            tracing::info!(partitions = ?changed, "the group gives partitions to this node");
            own.extend(&changed);
            set(&self.0, own);
            group.incremental_assign(&none)
        } else {
            tracing::info!(partitions = ?changed, lost = group.assignment_lost(), "the group takes partitions away");
            own.retain(|partition| !changed.contains(partition));
            set(&self.0, own);
            group.incremental_unassign(&none)
        };
        if let Err(error) = done {
            tracing::warn!(%error, "the group's assignment was not answered");
        }
    }
}
