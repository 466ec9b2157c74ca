//! Reads the topic of dead letters: once through it to learn which letters are there, and then those that are asked for.
//! Everything here blocks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use coffee_rt_actors::ports::LogError;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{ClientSettings, FIRST_ANSWER_TIMEOUT, Quiet, away};
use super::lag::{committed, lags, watermarks};
use super::letter::{LetterId, dead_letter, id_of, resolved_by};
use super::partition::is_passing;
use super::reading::Reading;
use super::topics::{metadata, partitions};
use super::unresolved::Unresolved;
use crate::adapters::dead_letter::{DeadLetter, MAX_DEAD_LETTERS};

/// How long Kafka may be silent before a reading fails.
const SILENCE_LIMIT: Duration = Duration::from_secs(4);
/// How long a reading waits for a record before it looks whether that is too long.
const POLL: Duration = Duration::from_millis(100);
/// What is known of the letters is looked up again when it is older.
const FRESH: Duration = Duration::from_millis(500);

/// A reader of the topic, and what it knows of the letters.
pub(super) struct LetterReader {
    consumer: Reading,
    settings: ClientSettings,
    unresolved: Unresolved,
    looked: Option<Instant>,
}

/// A part of a partition: from one offset to before another one.
struct Span {
    partition: i32,
    from: i64,
    until: i64,
}

impl LetterReader {
    /// Does no I/O.
    pub(super) fn new(settings: ClientSettings) -> Result<Self, LogError> {
        Ok(Self {
            consumer: Reading::to_the_end(&settings)?,
            settings,
            unresolved: Unresolved::new(usize::try_from(MAX_DEAD_LETTERS).unwrap_or(usize::MAX)),
            looked: None,
        })
    }

    /// Whether there may be more letters than are looked at.
    pub(super) fn overlooks(&self) -> bool {
        self.unresolved.overlooks()
    }

    /// Which letters are there, as it was a moment ago.
    pub(super) fn look(&mut self) -> Result<&mut Unresolved, LogError> {
        if self.looked.is_none_or(|looked| looked.elapsed() > FRESH) {
            self.look_again()?;
        }
        Ok(&mut self.unresolved)
    }

    /// Which letters are there now.
    pub(super) fn look_again(&mut self) -> Result<&mut Unresolved, LogError> {
        loop {
            let topic = &self.settings.names.dead_letters;
            let mut spans = Vec::new();
            let found = partitions(&metadata(self.consumer.client(), topic)?, topic);
            let watermarks = watermarks(&self.consumer, topic, &found)?;
            for (partition, (oldest, until)) in found.into_iter().zip(watermarks) {
                let from = self.unresolved.next(partition).max(oldest);
                spans.push((oldest, Span { partition, from, until }));
            }
            let unread = spans.iter().map(|(_, span)| span).filter(|span| span.from < span.until);
            let unresolved = &mut self.unresolved;
            read(&self.consumer, topic, unread, |message| {
                unresolved.see(id_of(message), resolved_by(message));
            })?;
            for (oldest, span) in spans {
                unresolved.span(span.partition, oldest, span.until);
            }
            if !unresolved.goes_back() {
                break;
            }
        }
        self.looked = Some(Instant::now());
        Ok(&mut self.unresolved)
    }

    /// The letters with those ids, in their order, except those that were deleted.
    pub(super) fn letters(&self, ids: &[LetterId]) -> Result<Vec<DeadLetter>, LogError> {
        let mut found = BTreeMap::new();
        read(
            &self.consumer,
            &self.settings.names.dead_letters,
            &around(ids),
            |message| {
                let id = id_of(message);
                if ids.contains(&id) {
                    found.insert(id, dead_letter(message));
                }
            },
        )?;
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// How many orders of the topic of orders are not stored.
    pub(super) fn backlog(&self) -> Result<u64, LogError> {
        let topic = &self.settings.names.topic;
        let lags = lags(&self.consumer, topic, |partitions| {
            committed(&self.consumer, topic, partitions, FIRST_ANSWER_TIMEOUT)
        });
        Ok(lags?.iter().map(|lag| lag.records).sum())
    }
}

/// What must be read of each partition to have those letters.
fn around(ids: &[LetterId]) -> Vec<Span> {
    let mut spans = BTreeMap::new();
    for id in ids {
        let span = spans.entry(id.partition).or_insert(Span {
            partition: id.partition,
            from: id.offset,
            until: id.offset + 1,
        });
        span.from = span.from.min(id.offset);
        span.until = span.until.max(id.offset + 1);
    }
    spans.into_values().collect()
}

/// Reads parts of partitions to their ends, or to those of the partitions where these are shorter.
fn read<'s>(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    spans: impl IntoIterator<Item = &'s Span>,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), LogError> {
    let (mut place, mut unfinished) = (TopicPartitionList::new(), BTreeMap::new());
    for span in spans {
        let added = place.add_partition_offset(topic, span.partition, Offset::Offset(span.from));
        added.map_err(|error| away(&error))?;
        unfinished.insert(span.partition, span.until);
    }
    if unfinished.is_empty() {
        return Ok(());
    }
    consumer.assign(&place).map_err(|error| away(&error))?;
    let mut heard = Instant::now();
    while !unfinished.is_empty() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let until = unfinished.get(&message.partition()).copied().unwrap_or_default();
                if message.offset() < until {
                    each(&message);
                }
                if message.offset() + 1 >= until {
                    unfinished.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(unfinished.remove(&partition)),
            Some(Err(error)) if is_passing(&error) => tracing::debug!(%error, "kafka dead letters"),
            Some(Err(error)) => return Err(away(&error)),
            None => {}
        }
        if heard.elapsed() > SILENCE_LIMIT {
            let reason = format!("nothing of the topic {topic} came within {SILENCE_LIMIT:?}");
            return Err(LogError::Away(reason));
        }
    }
    consumer.unassign().map_err(|error| away(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_is_read_from_its_first_letter_to_its_last() {
        let at = |partition, offset| LetterId { offset, partition };
        let spans = around(&[at(0, 9), at(1, 4), at(0, 3), at(0, 5)]);
        let found: Vec<_> = spans
            .iter()
            .map(|span| (span.partition, span.from, span.until))
            .collect();
        assert_eq!(found, [(0, 3, 10), (1, 4, 5)]);
    }
}
