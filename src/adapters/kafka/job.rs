//! What a job on another engine needs of the topic.

use std::collections::BTreeMap;

use coffee_rt_actors::ports::LogError;
use rdkafka::consumer::Consumer;

use super::client::{ClientSettings, blocking};
use super::lag::committed;
use super::reading::Reading;
use super::topics::{Topics, metadata, partitions};

/// Makes the topics that are missing, that of the job's metrics too, and tells how far the group says that each partition is
/// stored.
///
/// # Errors
/// [`LogError::Away`].
pub async fn prepare_for_job(client: &ClientSettings, partitions: i32) -> Result<BTreeMap<i32, Option<i64>>, LogError> {
    Topics::new(client.clone()).make_missing(partitions, true).await?;
    stored_by_job(client).await
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
        let told = committed(&reading, topic, &numbers)?;
        Ok(numbers.into_iter().zip(told).collect())
    })
    .await
}
