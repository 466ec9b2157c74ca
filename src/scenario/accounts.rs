//! Whether each record of a topic was consumed once. What became of records is counted in the transaction that moves the
//! position over them; so of a topic that was new when the run began, as many are accounted for as are behind the position.

use coffee_rt_actors::ports::StoreError;
use sqlx::{Connection, PgConnection};

/// The source that shards of Kafka's partitions have, and where their accounts do not add up.
const UNTRUE: &str = "SELECT slot, records, next_offset FROM coffee_rt.shards
    WHERE source = 'v3' AND records <> next_offset ORDER BY slot";

/// Every partition of which something was consumed twice, or passed over.
pub(super) async fn untrue(database_url: &str) -> Result<Vec<String>, StoreError> {
    let read = async {
        let mut conn = PgConnection::connect(database_url).await?;
        sqlx::query_as::<_, (i32, i64, i64)>(UNTRUE).fetch_all(&mut conn).await
    };
    let rows = read.await.map_err(|error| StoreError::Away(error.to_string()))?;
    let told = rows.into_iter().map(|(partition, records, position)| {
        format!("partition {partition}: {records} records are accounted for, {position} were read")
    });
    Ok(told.collect())
}
