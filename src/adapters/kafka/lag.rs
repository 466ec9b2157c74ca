//! How far the store is behind the topic of orders.

use coffee_rt_actors::ports::{LogError, PartitionLag};
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{ANSWER_TIMEOUT, Quiet, away};
use super::record::number;
use super::topics::{metadata, partitions};

/// How many records of each partition are not stored, where `stored` says how far they are. Blocks.
pub(super) fn lags(
    client: &Client<Quiet>,
    topic: &str,
    stored: impl FnOnce(&[i32]) -> Result<Vec<Option<i64>>, LogError>,
) -> Result<Vec<PartitionLag>, LogError> {
    let found = partitions(&metadata(client, topic)?, topic);
    let stored = stored(&found)?;
    let lag = |(partition, stored): (i32, Option<i64>)| {
        let (oldest, next) = watermarks(client, topic, partition)?;
        Ok(PartitionLag {
            partition,
            records: number(next - stored.unwrap_or(oldest).max(oldest)),
        })
    };
    found.into_iter().zip(stored).map(lag).collect()
}

/// How far the group was told that each partition is stored. Blocks.
pub(super) fn committed<C: ConsumerContext>(
    group: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
) -> KafkaResult<Vec<Option<i64>>> {
    let mut asked = TopicPartitionList::new();
    for partition in partitions {
        asked.add_partition(topic, *partition);
    }
    let told = group.committed_offsets(asked, ANSWER_TIMEOUT)?;
    let offset = |partition: &i32| match told.find_partition(topic, *partition)?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    Ok(partitions.iter().map(offset).collect())
}

/// The oldest offset of a partition, and the one that comes next. Blocks.
pub(super) fn watermarks(client: &Client<Quiet>, topic: &str, partition: i32) -> Result<(i64, i64), LogError> {
    let found: KafkaResult<_> = client.fetch_watermarks(topic, partition, ANSWER_TIMEOUT);
    found.map_err(|error| away(&error))
}
