//! From where to where a topic is to be read again.

use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::ports::LogError;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{ANSWER_TIMEOUT, ClientSettings, away, blocking};
use super::reading::Reading;
use super::topics::{metadata, partitions};

/// Where reading again begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFrom {
    /// At the oldest record that the topic has.
    Beginning,
    /// At this offset of each partition.
    Offset(i64),
    /// At the first record that was written at this time or later.
    Time(Instant),
}

/// What of a partition is to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayRange {
    /// Which one.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The offset after the last one that there is now.
    pub end: i64,
}

impl ReplayRange {
    fn new(partition: i32, wanted: i64, (oldest, end): (i64, i64)) -> Self {
        Self {
            partition,
            start: wanted.clamp(oldest, end),
            end,
        }
    }
}

/// The ranges of all partitions.
///
/// # Errors
/// [`LogError::Away`].
pub async fn replay_ranges(client: &ClientSettings, from: ReplayFrom) -> Result<Vec<ReplayRange>, LogError> {
    let client = client.clone();
    blocking(move || {
        let reading = Reading::new(&client, || ())?;
        let topic = &client.names.topic;
        let numbers = partitions(&metadata(reading.client(), topic)?, topic);
        let starts = starts(&reading, topic, &numbers, from)?;
        let ranges = numbers.iter().zip(starts).map(|(partition, start)| {
            let ends = reading.fetch_watermarks(topic, *partition, ANSWER_TIMEOUT);
            Ok(ReplayRange::new(*partition, start, ends.map_err(|error| away(&error))?))
        });
        ranges.collect()
    })
    .await
}

/// Where to begin in each partition, whether there is such an offset or not.
fn starts(reading: &Reading, topic: &str, partitions: &[i32], from: ReplayFrom) -> Result<Vec<i64>, LogError> {
    let time = match from {
        ReplayFrom::Beginning => return Ok(vec![0; partitions.len()]),
        ReplayFrom::Offset(offset) => return Ok(vec![offset; partitions.len()]),
        ReplayFrom::Time(time) => time,
    };
    let mut asked = TopicPartitionList::new();
    for partition in partitions {
        let millis = Offset::Offset(time.0.div_euclid(1_000));
        let added = asked.add_partition_offset(topic, *partition, millis);
        added.map_err(|error| away(&error))?;
    }
    let found = reading.offsets_for_times(asked, ANSWER_TIMEOUT);
    let found = found.map_err(|error| away(&error))?;
    let start = |partition: &i32| match found.find_partition(topic, *partition).map(|found| found.offset()) {
        Some(Offset::Offset(offset)) => offset,
        // Nothing is that new.
        _ => i64::MAX,
    };
    Ok(partitions.iter().map(start).collect())
}

/// How many nodes and others read the topic in its group.
///
/// # Errors
/// [`LogError::Away`].
pub async fn group_members(client: &ClientSettings) -> Result<usize, LogError> {
    let settings = client.clone();
    let asked = blocking(move || {
        let reading = Reading::new(&settings, || ())?;
        let groups = reading.fetch_group_list(Some(&settings.names.group), ANSWER_TIMEOUT);
        let groups = groups.map_err(|error| away(&error))?;
        Ok(groups.groups().iter().map(|group| group.members().len()).sum())
    });
    client.or_reason(asked.await).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_within_what_there_is() {
        for (wanted, watermarks, range) in [
            (0, (0, 9), (0, 9)),
            (0, (4, 9), (4, 9)),
            (7, (4, 9), (7, 9)),
            (i64::MAX, (4, 9), (9, 9)),
        ] {
            let found = ReplayRange::new(2, wanted, watermarks);
            assert_eq!((found.start, found.end), range, "{wanted} {watermarks:?}");
        }
    }
}
