//! The dead letters of the topic, for operators.
//!
//! Submitting one again is two steps, an order and a note, between which everything may end. The order has the same
//! `message_id` each time, so whoever repeats it has it stored once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use coffee_rt_actors::domain::Order;
use coffee_rt_actors::ports::LogError;
use parking_lot::Mutex;
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{ANSWER_TIMEOUT, ClientSettings, away, blocking};
use super::letter::{Fate, LetterId, note};
use super::letter_reader::LetterReader;
use super::producer::{Outgoing, Producer};
use super::topics::Topics;
use crate::adapters::dead_letter::{DeadLetter, DeadLetterBox, Keeper, PAGE_LETTERS, Resubmission};

/// Orders that are submitted before the backlog is asked for again.
const ROOM_AT_ONCE: u64 = 1_000;

/// The dead letters of one topic.
pub struct KafkaDeadLetters {
    settings: ClientSettings,
    producer: Producer,
    topics: Topics,
    reader: Arc<Mutex<Option<LetterReader>>>,
    backlog_limit: u64,
    /// How many orders the topic may take for all that is known.
    room: AtomicU64,
    overlooks: AtomicBool,
}

impl KafkaDeadLetters {
    /// Does no I/O.
    #[must_use]
    pub fn new(settings: ClientSettings, backlog_limit: u64) -> Self {
        Self {
            producer: Producer::new(settings.clone()),
            topics: Topics::new(settings.clone()),
            settings,
            reader: Arc::default(),
            backlog_limit,
            room: AtomicU64::new(0),
            overlooks: AtomicBool::new(false),
        }
    }

    async fn reading<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut LetterReader) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let (reader, settings) = (self.reader.clone(), self.settings.clone());
        let asked = blocking(move || {
            let mut reader = reader.lock();
            let reader = match reader.as_mut() {
                Some(reader) => reader,
                None => reader.insert(LetterReader::new(settings)?),
            };
            let answer = ask(reader)?;
            Ok((answer, reader.overlooks()))
        });
        let (answer, overlooks) = self.settings.or_reason(asked.await).await?;
        self.overlooks.store(overlooks, Ordering::Relaxed);
        Ok(answer)
    }

    /// Whether nobody has resolved that letter yet, as far as one can see.
    async fn is_there(&self, letter: LetterId) -> Result<bool, LogError> {
        self.reading(move |reader| Ok(reader.look()?.contains(letter))).await
    }

    async fn resolve(&self, letter: LetterId, fate: Fate) -> Result<(), LogError> {
        let topic = &self.settings.names.dead_letters;
        self.producer.send(topic, vec![note(letter, fate)]).await?;
        self.reading(move |reader| {
            reader.look()?.resolve(letter);
            Ok(())
        })
        .await
    }

    /// Whether the topic of orders may take one more.
    async fn takes_room(&self) -> Result<bool, LogError> {
        let mut room = self.room.load(Ordering::Relaxed);
        if room == 0 {
            let backlog = self.reading(|reader| reader.backlog()).await?;
            room = self.backlog_limit.saturating_sub(backlog).min(ROOM_AT_ONCE);
        }
        self.room.store(room.saturating_sub(1), Ordering::Relaxed);
        Ok(room > 0)
    }

    /// Deletes what is before the oldest letter of each partition.
    async fn delete_needless(&self) -> Result<(), LogError> {
        let needless = self.reading(|reader| Ok(reader.look_again()?.needless_before()));
        let (needless, mut before) = (needless.await?, TopicPartitionList::new());
        for (partition, offset) in needless {
            let added =
                before.add_partition_offset(&self.settings.names.dead_letters, partition, Offset::Offset(offset));
            added.map_err(|error| away(&error))?;
        }
        if before.count() > 0 {
            let options = AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT));
            let deleted = self.topics.admin()?.delete_records(&before, &options).await;
            tracing::debug!(?deleted, "records that nobody needs any more");
        }
        Ok(())
    }
}

#[async_trait]
impl DeadLetterBox for KafkaDeadLetters {
    fn keeper(&self) -> Keeper {
        Keeper {
            product: "Kafka",
            variable: "KAFKA_BOOTSTRAP_SERVERS",
            log: "topic",
            backlog_setting: "v3.backlog_orders",
            backlog_limit: self.backlog_limit,
        }
    }

    async fn count(&self) -> Result<u64, LogError> {
        self.reading(|reader| Ok(reader.look()?.len() as u64)).await
    }

    async fn oldest_first(&self, beyond: Option<&str>) -> Result<Vec<DeadLetter>, LogError> {
        let beyond = beyond.and_then(|id| id.parse().ok());
        self.reading(move |reader| page(reader, beyond, true)).await
    }

    async fn newest_first(&self, beyond: Option<&str>) -> Result<Vec<DeadLetter>, LogError> {
        let beyond = beyond.and_then(|id| id.parse().ok());
        self.reading(move |reader| page(reader, beyond, false)).await
    }

    async fn find(&self, id: &str) -> Result<Option<DeadLetter>, LogError> {
        let Ok(id) = id.parse() else { return Ok(None) };
        self.reading(move |reader| {
            if !reader.look()?.contains(id) {
                return Ok(None);
            }
            Ok(reader.letters(&[id])?.pop())
        })
        .await
    }

    async fn resubmit(&self, letter: &DeadLetter, order: &Order) -> Result<Resubmission, LogError> {
        let Ok(id) = letter.id.parse() else {
            return Ok(Resubmission::Missing);
        };
        if !self.is_there(id).await? {
            return Ok(Resubmission::Missing);
        }
        if !self.takes_room().await? {
            return Ok(Resubmission::Full);
        }
        let topic = &self.settings.names.topic;
        self.producer.send(topic, vec![Outgoing::order(order)]).await?;
        self.resolve(id, Fate::Resubmitted).await?;
        Ok(Resubmission::Done)
    }

    async fn discard(&self, id: &str) -> Result<bool, LogError> {
        let Ok(id) = id.parse() else { return Ok(false) };
        let is_there = self.is_there(id).await?;
        if is_there {
            self.resolve(id, Fate::Discarded).await?;
        }
        Ok(is_there)
    }

    async fn tidy(&self) {
        // Whoever may not delete records leaves that to the topic's retention.
        if let Err(error) = self.delete_needless().await {
            tracing::debug!(%error, "the topic of dead letters keeps what nobody needs");
        }
    }

    fn overlooks(&self) -> bool {
        self.overlooks.load(Ordering::Relaxed)
    }
}

/// The next letters, those that were deleted in the meantime left out.
fn page(reader: &mut LetterReader, mut beyond: Option<LetterId>, oldest: bool) -> Result<Vec<DeadLetter>, LogError> {
    loop {
        let unresolved = reader.look()?;
        let ids = if oldest {
            unresolved.oldest_first(beyond, PAGE_LETTERS)
        } else {
            unresolved.newest_first(beyond, PAGE_LETTERS)
        };
        let letters = reader.letters(&ids)?;
        // An empty page would mean that there are no more.
        match ids.last() {
            Some(last) if letters.is_empty() => beyond = Some(*last),
            _ => return Ok(letters),
        }
    }
}
