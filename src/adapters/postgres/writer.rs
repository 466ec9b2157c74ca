//! A shard's writer: owns a session that outlives the actors using it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::drill;
use coffee_rt_actors::ports::{Claim, Receipt, ShardWriter, StoreError};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Core;
use super::claim::raise_epoch;
use super::session::{SETTINGS, Session, Shards};
use crate::adapters::{to_the_end, within};

/// How long the statements of a claim may take.
pub const CLAIM_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a commit may take, its repeats and the look-up of repeated orders included.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// `None` while there is no usable connection: then nothing is claimed either.
type Slot = Option<Session>;

pub(super) struct PostgresWriter {
    core: Arc<Core>,
    shards: Shards,
    session: Arc<Mutex<Slot>>,
}

impl PostgresWriter {
    pub(super) fn new(core: Arc<Core>, shards: Shards) -> Self {
        Self {
            core,
            shards,
            session: Arc::default(),
        }
    }
}

#[async_trait]
impl ShardWriter for PostgresWriter {
    async fn claim(&self) -> Result<Claim, StoreError> {
        let slot = self.session.clone().lock_owned().await;
        to_the_end(claim(self.core.clone(), self.shards, slot)).await
    }

    async fn commit(&self, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError> {
        let slot = self.session.clone().lock_owned().await;
        to_the_end(commit(self.core.clone(), slot, claim, batch)).await
    }
}

async fn claim(core: Arc<Core>, shards: Shards, mut slot: OwnedMutexGuard<Slot>) -> Result<Claim, StoreError> {
    // The session is taken out and put back only when sound: a panic or an error on the way drops its connection.
    if let Some(mut session) = slot.take() {
        let again = async { session.claim_again().await.map_err(|failure| failure.error) };
        if let Ok(claim) = within(CLAIM_TIMEOUT, "claim a shard again", again).await {
            *slot = Some(session);
            return Ok(claim);
        }
    }
    core.prepare().await?;
    let conn = core.connect(&SETTINGS).await?;
    let session = within(CLAIM_TIMEOUT, "claim a shard", Session::open(conn, shards)).await?;
    let claim = session.claim;
    *slot = Some(session);
    Ok(claim)
}

/// Moves the position of a partition, on a connection of its own: whoever writes the partition has another one.
pub(super) async fn move_position(
    core: &Core,
    source: &str,
    partition: i32,
    next_offset: i64,
) -> Result<(), StoreError> {
    core.prepare().await?;
    let mut conn = core.connect(&[]).await?;
    let moved = async {
        let raised = raise_epoch(&mut conn, source, partition, Some(next_offset)).await;
        raised.map_err(|failure| failure.error)
    };
    within(CLAIM_TIMEOUT, "move a position", moved).await?;
    Ok(())
}

async fn commit(
    core: Arc<Core>,
    mut slot: OwnedMutexGuard<Slot>,
    claim: Claim,
    batch: Arc<OrderBatch>,
) -> Result<Receipt, StoreError> {
    let Some(mut session) = slot.take() else {
        return Err(StoreError::Fenced);
    };
    let latest = (claim.shard, claim.epoch) == (session.claim.shard, session.claim.epoch);
    if !latest && !drill::skip_fence() {
        *slot = Some(session);
        return Err(StoreError::Fenced);
    }
    match tokio::time::timeout(COMMIT_TIMEOUT, session.commit(&core, &batch)).await {
        Ok(Ok(receipt)) => {
            *slot = Some(session);
            Ok(receipt)
        }
        Ok(Err(failure)) => {
            if failure.connection_lives {
                *slot = Some(session);
            }
            Err(failure.error)
        }
        Err(_) => Err(StoreError::Away(format!(
            "no answer within {COMMIT_TIMEOUT:?} to: commit"
        ))),
    }
}
