//! A shard's writer: owns a session that outlives the actors using it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::OrderBatch;
use coffee_rt_actors::ports::{Claim, Receipt, ShardWriter, StoreError};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Core;
use super::session::{SETTINGS, Session};
use crate::adapters::{to_the_end, within};

/// How long the statements of a claim may take.
pub const CLAIM_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a commit may take, its repeats and the look-up of repeated orders included.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// `None` while there is no usable connection: then nothing is claimed either.
type Slot = Option<Session>;

pub(super) struct PostgresWriter {
    core: Arc<Core>,
    source: &'static str,
    session: Arc<Mutex<Slot>>,
}

impl PostgresWriter {
    pub(super) fn new(core: Arc<Core>, source: &'static str) -> Self {
        Self {
            core,
            source,
            session: Arc::default(),
        }
    }
}

#[async_trait]
impl ShardWriter for PostgresWriter {
    async fn claim(&self) -> Result<Claim, StoreError> {
        let slot = self.session.clone().lock_owned().await;
        to_the_end(claim(self.core.clone(), self.source, slot)).await
    }

    async fn commit(&self, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError> {
        let slot = self.session.clone().lock_owned().await;
        to_the_end(commit(self.core.clone(), slot, claim, batch)).await
    }
}

async fn claim(core: Arc<Core>, source: &'static str, mut slot: OwnedMutexGuard<Slot>) -> Result<Claim, StoreError> {
    // The session is taken out and put back only when sound: a panic or an error on the way drops its connection.
    if let Some(mut session) = slot.take() {
        let again = async { session.claim_again(source).await.map_err(|failure| failure.error) };
        if let Ok(claim) = within(CLAIM_TIMEOUT, "claim a shard again", again).await {
            *slot = Some(session);
            return Ok(claim);
        }
    }
    core.prepare().await?;
    let conn = core.connect(&SETTINGS).await?;
    let session = within(CLAIM_TIMEOUT, "claim a shard", Session::open(conn, source)).await?;
    let claim = session.claim;
    *slot = Some(session);
    Ok(claim)
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
    if (claim.shard, claim.epoch) != (session.claim.shard, session.claim.epoch) {
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
