//! What a job on another engine needs of the topic.

use std::collections::BTreeMap;
use std::time::Duration;

use coffee_rt_actors::ports::LogError;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::{Instant, sleep};

use super::client::{ClientSettings, FIRST_ANSWER_TIMEOUT, away, blocking};
use super::lag::committed;
use super::reading::Reading;
use super::replay::group_members;
use super::topics::{Topics, metadata, partitions};

/// How long the nodes may take to leave the group: those that are gone are members until their session ends.
const LEAVE_LIMIT: Duration = Duration::from_secs(15);
/// The pause between two looks whether they have.
const LEAVE_PAUSE: Duration = Duration::from_millis(200);

/// Makes the topics that are missing, that of the job's metrics too.
///
/// # Errors
/// [`LogError::Away`].
pub async fn make_job_topics(client: &ClientSettings, partitions: i32) -> Result<(), LogError> {
    Topics::new(client.clone()).make_missing(partitions, true).await
}

/// Waits until all nodes have left the group, and tells it where the job begins: what the group says from then on, the job
/// has told it. What it said before may be of another database.
///
/// # Errors
/// [`LogError::Away`], also where somebody stays.
pub async fn begin_job_at(client: &ClientSettings, reached: &BTreeMap<i32, i64>) -> Result<(), LogError> {
    let began = Instant::now();
    loop {
        match group_members(client).await? {
            0 => break,
            members if began.elapsed() > LEAVE_LIMIT => {
                let group = &client.names.group;
                return Err(LogError::Away(format!(
                    "the group {group} has {members} members that do not leave it"
                )));
            }
            _ => sleep(LEAVE_PAUSE).await,
        }
    }
    let (client, reached) = (client.clone(), reached.clone());
    blocking(move || {
        let reading = Reading::new(&client, || ())?;
        let topic = &client.names.topic;
        let mut begins = TopicPartitionList::new();
        for partition in partitions(&metadata(reading.client(), topic)?, topic) {
            let offset = Offset::Offset(reached.get(&partition).copied().unwrap_or_default());
            let added = begins.add_partition_offset(topic, partition, offset);
            added.map_err(|error| away(&error))?;
        }
        reading.commit(&begins, CommitMode::Sync).map_err(|error| away(&error))
    })
    .await
}

/// How far the group says that each partition is stored: a job tells it with each checkpoint.
///
/// # Errors
/// [`LogError::Away`].
pub async fn stored_by_job(client: &ClientSettings) -> Result<BTreeMap<i32, Option<i64>>, LogError> {
    let client = client.clone();
    blocking(move || {
        let reading = Reading::new(&client, || ())?;
        let topic = &client.names.topic;
        let numbers = partitions(&metadata(reading.client(), topic)?, topic);
        let told = committed(&reading, topic, &numbers, FIRST_ANSWER_TIMEOUT)?;
        Ok(numbers.into_iter().zip(told).collect())
    })
    .await
}
