//! How far the store is behind the topic of orders.

use coffee_rt_actors::ports::{LogError, PartitionLag};
use rdkafka::client::Client;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{ANSWER_TIMEOUT, Quiet, away};
use super::record::number;
use super::topics::{metadata, partitions};

/// How many records of each partition are not stored, as far as the group was told. `committed` asks the group. Blocks.
pub(super) fn lags(
    client: &Client<Quiet>,
    topic: &str,
    committed: impl FnOnce(TopicPartitionList) -> Result<TopicPartitionList, LogError>,
) -> Result<Vec<PartitionLag>, LogError> {
    let found = partitions(&metadata(client, topic)?, topic);
    let mut asked = TopicPartitionList::new();
    for partition in &found {
        asked.add_partition(topic, *partition);
    }
    let told = committed(asked)?;
    let stored = |partition| match told.find_partition(topic, partition)?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    let lag = |partition| {
        let (oldest, next) = watermarks(client, topic, partition)?;
        Ok(PartitionLag {
            partition,
            records: number(next - stored(partition).unwrap_or(oldest).max(oldest)),
        })
    };
    found.into_iter().map(lag).collect()
}

/// The oldest offset of a partition, and the one that comes next. Blocks.
pub(super) fn watermarks(client: &Client<Quiet>, topic: &str, partition: i32) -> Result<(i64, i64), LogError> {
    let found: KafkaResult<_> = client.fetch_watermarks(topic, partition, ANSWER_TIMEOUT);
    found.map_err(|error| away(&error))
}
