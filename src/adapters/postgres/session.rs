//! A writer's own connection, and its claim.

use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::ports::{Claim, Receipt, StoreError};
use sqlx::PgConnection;

use super::Core;
use super::claim::{raise_epoch, take_slot};
use super::errors::Failure;
use crate::adapters::commit::commit;
use crate::adapters::repeats::Repeats;
use crate::adapters::rows::{Payload, off_catalog, payloads};

/// Settings of a writer's connection. One plan fits all batches, and planning anew costs more than it could save; so it must
/// not be one that reads all of a table because there was little in it at first. A writer finds everything by a key.
pub(super) const SETTINGS: [(&str, &str); 3] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];

/// The shards that a writer may claim.
#[derive(Clone, Copy)]
pub(super) struct Shards {
    pub(super) source: &'static str,
    /// The one of this partition, whoever has it; none for the lowest that nobody has, which stays locked.
    pub(super) partition: Option<i32>,
}

/// A live connection, which holds the lock of its slot where slots are locked, and the latest claim on that slot's shard.
pub(super) struct Session {
    conn: PgConnection,
    source: &'static str,
    slot: i32,
    pub(super) claim: Claim,
    repeats: Repeats,
}

impl Session {
    /// Claims a shard.
    pub(super) async fn open(mut conn: PgConnection, shards: Shards) -> Result<Self, StoreError> {
        let source = shards.source;
        let slot = match shards.partition {
            Some(partition) => partition,
            None => take_slot(&mut conn, source).await?,
        };
        let claim = raise_epoch(&mut conn, source, slot, None)
            .await
            .map_err(|failure| failure.error)?;
        Ok(Self {
            conn,
            source,
            slot,
            claim,
            repeats: Repeats::default(),
        })
    }

    /// Raises the epoch of the session's shard.
    pub(super) async fn claim_again(&mut self) -> Result<Claim, Failure> {
        self.claim = raise_epoch(&mut self.conn, self.source, self.slot, None).await?;
        Ok(self.claim)
    }

    /// Stores a batch under the session's claim.
    pub(super) async fn commit(&mut self, core: &Core, batch: &OrderBatch) -> Result<Receipt, Failure> {
        let payloads = self.payloads(core, batch).await?;
        commit(&mut self.conn, &self.repeats, self.claim, batch, &payloads).await
    }

    async fn payloads(&mut self, core: &Core, batch: &OrderBatch) -> Result<Vec<Payload>, Failure> {
        if let Some(payloads) = payloads(batch, &core.catalog())? {
            return Ok(payloads);
        }
        let catalog = core.reload_catalog(&mut self.conn).await?;
        Ok(payloads(batch, &catalog)?.ok_or_else(|| off_catalog(batch, &catalog))?)
    }
}
