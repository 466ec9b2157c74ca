//! How far the store is behind the topic of orders, and the questions about offsets that this takes. Everything here blocks.

use std::time::Duration;

use coffee_rt_actors::ports::{LogError, PartitionLag};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{ANSWER_TIMEOUT, away};
use super::record::number;
use super::topics::{metadata, partitions};

/// How many records of each partition are not stored, where `stored` says how far they are.
pub(super) fn lags<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    stored: impl FnOnce(&[i32]) -> Result<Vec<Option<i64>>, LogError>,
) -> Result<Vec<PartitionLag>, LogError> {
    let found = partitions(&metadata(client.client(), topic)?, topic);
    let stored = stored(&found)?;
    let watermarks = watermarks(client, topic, &found)?;
    let lag = |((partition, stored), (oldest, next)): ((i32, Option<i64>), (i64, i64))| PartitionLag {
        partition,
        records: number(next - stored.unwrap_or(oldest).max(oldest)),
    };
    Ok(found.into_iter().zip(stored).zip(watermarks).map(lag).collect())
}

/// How far the group was told that each partition is stored, if its coordinator says so within `limit`.
pub(super) fn committed<C: ConsumerContext>(
    group: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    limit: Duration,
) -> Result<Vec<Option<i64>>, LogError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let asked = places(topic, partitions, Offset::Invalid)?;
    let told = group.committed_offsets(asked, limit);
    offsets(&told.map_err(|error| away(&error))?, topic, partitions)
}

/// The oldest offset of each partition, and the one that comes next: two questions, however many partitions.
pub(super) fn watermarks<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
) -> Result<Vec<(i64, i64)>, LogError> {
    let oldest = offsets_at(client, topic, partitions, Offset::Beginning)?;
    let next = offsets_at(client, topic, partitions, Offset::End)?;
    let both = oldest.into_iter().zip(next).map(|(oldest, next)| oldest.zip(next));
    let all: Option<Vec<_>> = both.collect();
    all.ok_or_else(|| LogError::Away(format!("the ends of {topic} are not known")))
}

/// The offset of each partition at its beginning, at its end, or of the first record written at a time or later, which is
/// given as an offset: milliseconds since 1970. None where nothing is that new.
pub(super) fn offsets_at<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    time: Offset,
) -> Result<Vec<Option<i64>>, LogError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let found = client.offsets_for_times(places(topic, partitions, time)?, ANSWER_TIMEOUT);
    offsets(&found.map_err(|error| away(&error))?, topic, partitions)
}

fn places(topic: &str, partitions: &[i32], offset: Offset) -> Result<TopicPartitionList, LogError> {
    let mut places = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        let added = places.add_partition_offset(topic, *partition, offset);
        added.map_err(|error| away(&error))?;
    }
    Ok(places)
}

fn offsets(found: &TopicPartitionList, topic: &str, partitions: &[i32]) -> Result<Vec<Option<i64>>, LogError> {
    let offset = |partition: &i32| {
        let Some(found) = found.find_partition(topic, *partition) else {
            return Ok(None);
        };
        found.error().map_err(|error| away(&error))?;
        Ok(match found.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        })
    };
    partitions.iter().map(offset).collect()
}
