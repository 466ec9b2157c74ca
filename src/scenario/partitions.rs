//! Who reads the partitions of a topic when a scenario begins.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::fault::actor_paths;
use super::host::Host;
use super::readiness::Readiness;

/// How long brokers may take to share partitions out.
const READ_LIMIT: Duration = Duration::from_secs(60);
/// How often nodes are asked.
const READ_POLL: Duration = Duration::from_millis(50);
/// The setting of a node's group.
const GROUP_SETTING: &str = "COFFEE_RT_V3__GROUP";

/// Waits until each partition has a reader in each group. Nodes take orders before that, and only collect them: what happens
/// in these seconds would say nothing of those who store.
///
/// # Errors
/// Where a node ends, or some partition stays without.
pub(super) async fn until_all_are_read(hosts: &[Host]) -> Result<(), String> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for host in hosts {
        groups.entry(host.setting(GROUP_SETTING)).or_default().push(host);
    }
    try_join_all(groups.into_values().map(until_read_by)).await.map(drop)
}

async fn until_read_by(group: Vec<&Host>) -> Result<(), String> {
    let deadline = Instant::now() + READ_LIMIT;
    loop {
        if let Some(ended) = group.iter().find_map(|host| host.ended()) {
            return Err(ended);
        }
        let missing = match unread_by(&group).await {
            Ok(unread) if unread.is_empty() => return Ok(()),
            Ok(unread) => format!("nobody reads {}", unread.join(", ")),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(format!("not every partition is read after {READ_LIMIT:?}: {missing}"));
        }
        tokio::time::sleep(READ_POLL).await;
    }
}

/// Readers that are not there.
async fn unread_by(group: &[&Host]) -> Result<Vec<String>, String> {
    let (mut wanted, mut there) = (BTreeSet::new(), BTreeSet::new());
    for host in group {
        let ready = Readiness::of(host.client()).await.map_err(|error| error.to_string())?;
        let partitions = ready.partitions().ok_or("the topic's partitions are not known yet")?;
        wanted.extend(partitions.map(|number| format!("v3/partitions/partition-{number}/reader")));
        there.extend(actor_paths(host.client()).await?);
    }
    Ok(wanted.difference(&there).cloned().collect())
}
