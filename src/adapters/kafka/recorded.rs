//! Writes records as they are into the topic of orders, as other programs do.

use coffee_rt_actors::ports::LogError;

use super::client::ClientSettings;
use super::producer::{Outgoing, Producer};

/// Records that are under way together.
const GROUP_RECORDS: usize = 5_000;

/// Writes them, each into its partition of a topic that is there, and waits until all are safe. `told` hears how many are.
///
/// # Errors
/// [`LogError::Away`]; some may be there then.
pub async fn write_records(
    client: &ClientSettings,
    records: impl Iterator<Item = (i32, Vec<u8>)>,
    told: impl Fn(u64),
) -> Result<(), LogError> {
    let (producer, topic) = (Producer::new(client.clone()), &client.names.topic);
    let mut records = records.map(|(partition, value)| Outgoing {
        partition: Some(partition),
        key: None,
        value,
        headers: None,
    });
    let mut written = 0;
    loop {
        let group: Vec<_> = records.by_ref().take(GROUP_RECORDS).collect();
        if group.is_empty() {
            return Ok(());
        }
        written += group.len() as u64;
        producer.send(topic, group).await?;
        told(written);
    }
}
