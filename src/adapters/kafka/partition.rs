//! One partition: each time it is begun, a client of its own reads it from the store's position on. So nothing that an
//! earlier client still brings can be taken for what comes next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::{Menu, Position};
use coffee_rt_actors::ports::{Beginning, LogError, Partition, PartitionStream, PoisonRecord, Record};
use parking_lot::Mutex;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;

use super::client::{ANSWER_TIMEOUT, ClientSettings, away, blocking};
use super::growth::Growth;
use super::lag::watermarks;
use super::letter::letter;
use super::membership::Membership;
use super::producer::Producer;
use super::reading::Reading;
use super::record::{number, record};
use crate::adapters::within;

/// How long a reading waits for records.
const WAIT: Duration = Duration::from_millis(100);

/// A partition as this node reads it.
pub(super) struct KafkaPartition {
    pub(super) settings: ClientSettings,
    pub(super) menu: Menu,
    pub(super) number: i32,
    pub(super) dead_letters: Arc<Producer>,
    pub(super) membership: Arc<Membership>,
    pub(super) growth: Arc<Growth>,
    /// Ends the stream begun last.
    pub(super) begun: Mutex<Option<Arc<AtomicBool>>>,
}

#[async_trait]
impl Partition for KafkaPartition {
    async fn begin(&self, position: Option<Position>) -> Result<(Beginning, Arc<dyn PartitionStream>), LogError> {
        let ended = Arc::new(AtomicBool::new(false));
        if let Some(earlier) = self.begun.lock().replace(ended.clone()) {
            earlier.store(true, Ordering::Release);
        }
        let (mut start, mut stream) = self.open(position, ended.clone()).await?;
        if let Some(before) = start.check {
            let same = within(ANSWER_TIMEOUT, "read the record before", stream.is_behind(before));
            if !same.await? {
                (start, stream) = self.open(None, ended.clone()).await?;
                start.beginning = Beginning::Anew;
            }
        }
        if ended.load(Ordering::Acquire) {
            return Err(begun_later());
        }
        self.stored(start.check.map_or(start.from, |position| position.next_offset));
        Ok((start.beginning, Arc::new(stream)))
    }

    async fn bury(&self, poison: &[PoisonRecord]) -> Result<(), LogError> {
        let names = &self.settings.names;
        let letters = poison.iter().map(|poison| letter(&names.topic, poison));
        self.dead_letters.send(&names.dead_letters, letters.collect()).await
    }

    fn stored(&self, next_offset: i64) {
        self.membership.stored(self.number, next_offset);
    }
}

impl KafkaPartition {
    async fn open(&self, position: Option<Position>, ended: Arc<AtomicBool>) -> Result<(Start, KafkaStream), LogError> {
        let (settings, partition, menu) = (self.settings.clone(), self.number, self.menu.clone());
        let growth = self.growth.clone();
        blocking(move || {
            let stream = KafkaStream::new(&settings, menu, ended, growth)?;
            let topic = &settings.names.topic;
            let ends = watermarks(&stream.client, topic, &[partition])?;
            let start = Start::at(position, ends.first().copied().unwrap_or_default());
            stream.begin(topic, partition, start.from)?;
            Ok((start, stream))
        })
        .await
    }
}

/// Where reading begins, and what that means.
#[derive(Debug, PartialEq, Eq)]
struct Start {
    beginning: Beginning,
    from: i64,
    /// Where it begins one record before this position, to see whether it is still the same partition.
    check: Option<Position>,
}

impl Start {
    /// By the oldest offset of the partition and the one that comes next.
    fn at(position: Option<Position>, (oldest, next): (i64, i64)) -> Self {
        let start = |beginning, from| Self {
            beginning,
            from,
            check: None,
        };
        match position {
            None => start(Beginning::Oldest, oldest),
            Some(position) if position.next_offset > next => start(Beginning::Anew, oldest),
            Some(position) if position.next_offset < oldest => {
                let records = number(oldest - position.next_offset);
                start(Beginning::Gap { records }, oldest)
            }
            Some(position) if position.mark != 0 && position.next_offset > oldest => Self {
                check: Some(position),
                ..start(Beginning::Continues, position.next_offset - 1)
            },
            Some(position) => start(Beginning::Continues, position.next_offset),
        }
    }
}

fn begun_later() -> LogError {
    LogError::Away("a later reading of the partition was begun".to_owned())
}

struct KafkaStream {
    client: Reading,
    menu: Menu,
    arrived: Arc<Notify>,
    /// Whether a later stream was begun.
    ended: Arc<AtomicBool>,
    growth: Arc<Growth>,
    /// Of the growth, when this stream was begun.
    setbacks: u64,
    /// What was read to see where the stream is, and is part of it.
    first: Mutex<Option<Record>>,
}

impl KafkaStream {
    fn new(
        settings: &ClientSettings,
        menu: Menu,
        ended: Arc<AtomicBool>,
        growth: Arc<Growth>,
    ) -> Result<Self, LogError> {
        // Before anything is asked: a setback meanwhile has the answer looked at again.
        let setbacks = growth.setbacks();
        let arrived = Arc::new(Notify::new());
        let notified = arrived.clone();
        let client = Reading::new(settings, move || notified.notify_one())?;
        Ok(Self {
            client,
            menu,
            arrived,
            ended,
            growth,
            setbacks,
            first: Mutex::default(),
        })
    }

    fn begin(&self, topic: &str, partition: i32, from: i64) -> Result<(), LogError> {
        let mut place = TopicPartitionList::new();
        let added = place.add_partition_offset(topic, partition, Offset::Offset(from));
        let assigned = added.and_then(|()| self.client.assign(&place));
        assigned.map_err(|error| away(&error))
    }

    /// Whether the stream, begun one record before a position, is the one that the position was taken in.
    async fn is_behind(&self, position: Position) -> Result<bool, LogError> {
        loop {
            if let Some(found) = self.take(1)?.pop() {
                if found.next.next_offset > position.next_offset {
                    // The record before is gone, as when the topic keeps only the last one of each key.
                    *self.first.lock() = Some(found);
                    return Ok(true);
                }
                return Ok(found.next == position);
            }
            self.arrived.notified().await;
        }
    }

    /// What has arrived, until it weighs so much.
    fn take(&self, limit: usize) -> Result<Vec<Record>, LogError> {
        let mut records: Vec<_> = self.first.lock().take().into_iter().collect();
        let mut weight: usize = records.iter().map(Record::weight).sum();
        while weight < limit {
            match self.client.arrived() {
                Some(Ok(message)) => {
                    let record = record(&message, &self.menu);
                    weight += record.weight();
                    records.push(record);
                }
                Some(Err(error)) if is_passing(&error) && !may_be_lost(&error) => {
                    tracing::debug!(%error, "kafka partition");
                }
                // What arrived before is not lost: the next stream begins where the store is.
                Some(Err(error)) => return Err(away(&error)),
                None => break,
            }
        }
        Ok(records)
    }
}

/// Whether the client may know no broker any more. Where brokers say for a moment that there are none, as one does that
/// hung and was taken for dead, a client forgets them all and may never ask again
/// (<https://github.com/confluentinc/librdkafka/issues/5301>). It does not tell that from brokers that are down.
fn may_be_lost(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown)
}

/// Whether the client goes on by itself.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    !matches!(error, KafkaError::MessageConsumptionFatal(_))
        && !matches!(
            code,
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownTopicOrPartition
            )
        )
}

#[async_trait]
impl PartitionStream for KafkaStream {
    async fn next(&self, limit: usize) -> Result<Vec<Record>, LogError> {
        let mut records = self.take(limit)?;
        if records.is_empty() && tokio::time::timeout(WAIT, self.arrived.notified()).await.is_ok() {
            records = self.take(limit)?;
        }
        if self.ended.load(Ordering::Acquire) {
            return Err(begun_later());
        }
        if self.growth.setbacks() != self.setbacks {
            let reason = "a record was put where another one had been: the topic may be another one";
            return Err(LogError::Away(reason.to_owned()));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(next_offset: i64, mark: i64) -> Option<Position> {
        Some(Position { next_offset, mark })
    }

    #[test]
    fn reading_begins_where_the_store_is_or_says_why_not() {
        for (position, watermarks, beginning, from, checks) in [
            (None, (0, 0), Beginning::Oldest, 0, false),
            (None, (7, 9), Beginning::Oldest, 7, false),
            (at(5, 1), (0, 9), Beginning::Continues, 4, true),
            (at(9, 1), (0, 9), Beginning::Continues, 8, true),
            (at(5, 0), (0, 9), Beginning::Continues, 5, false),
            (at(5, 1), (5, 9), Beginning::Continues, 5, false),
            (at(5, 1), (6, 9), Beginning::Gap { records: 1 }, 6, false),
            (at(10, 1), (0, 9), Beginning::Anew, 0, false),
            (at(5, 1), (0, 0), Beginning::Anew, 0, false),
            (at(0, 0), (0, 0), Beginning::Continues, 0, false),
        ] {
            let start = Start {
                beginning,
                from,
                check: position.filter(|_| checks),
            };
            assert_eq!(Start::at(position, watermarks), start, "{position:?} {watermarks:?}");
        }
    }
}
