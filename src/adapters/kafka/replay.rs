//! From where to where a topic is to be read again.

use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::ports::LogError;
use rdkafka::Offset;
use rdkafka::consumer::Consumer;

use super::client::{ANSWER_TIMEOUT, ClientSettings, away, blocking};
use super::lag::{offsets_at, watermarks};
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
        let watermarks = watermarks(&reading, topic, &numbers)?;
        let ranges = numbers.into_iter().zip(starts).zip(watermarks);
        Ok(ranges
            .map(|((partition, start), watermarks)| ReplayRange::new(partition, start, watermarks))
            .collect())
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
    let millis = Offset::Offset(time.0.div_euclid(1_000));
    let found = offsets_at(reading, topic, partitions, millis)?;
    Ok(found.into_iter().map(|offset| offset.unwrap_or(i64::MAX)).collect())
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
