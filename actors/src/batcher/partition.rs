//! What is different where a batcher stores a partition: its position moves with the orders, over nothing that is neither
//! stored nor in the dead letters.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::Batcher;
use crate::domain::{Advance, OrderBatch};
use crate::drill;
use crate::partition_reader::PartitionReaderMsg;
use crate::ports::{Claim, Partition, PoisonReason, PoisonRecord, Receipt, ShardWriter, StoreError};
use crate::telemetry::ReadMetrics;
use crate::ticket::Consignment;

/// How long the drill's position is ahead of its orders: so long that a node's death finds it so.
const DRILL_GAP_MS: u64 = 100;

/// What the batcher of a partition needs of its log.
#[derive(Clone)]
pub struct PartitionSide {
    /// Where poison is buried; outlives each generation.
    pub log: Arc<dyn Partition>,
    /// What it counts.
    pub metrics: ReadMetrics,
}

impl<C: Consignment> Batcher<C> {
    /// Whether it was read under the present claim, where that matters.
    pub(super) fn is_current(&self, consignment: &C) -> bool {
        let epoch = self.claim.map(|claim| claim.epoch);
        consignment.place().is_none_or(|place| Some(place.epoch) == epoch)
    }

    /// Gives up what was read of a partition: it will be read again. Nothing more is to be read before that.
    pub(super) fn throw_away(&mut self) {
        if let Some(reader) = self.reader.as_ref().filter(|_| self.claim.is_some()) {
            let _ = reader.send(PartitionReaderMsg::Halt);
        }
        self.claim = None;
        self.in_flight = None;
        self.waiting.clear();
        self.buried.clear();
    }

    /// The store was asked, so the poison of this batch is buried.
    pub(super) fn note_burials(&mut self) {
        let poison = self.in_flight.iter().flat_map(|in_flight| &in_flight.poison);
        self.buried.extend(poison.map(|poison| poison.id));
    }

    pub(super) fn moves_position_alone(&self) -> bool {
        let batch = self.in_flight.as_ref().map(|in_flight| &in_flight.batch);
        batch.is_some_and(|batch| batch.orders().is_empty() && batch.advance().is_some())
    }

    /// Makes the position pass over orders of the batch, which is formed again.
    pub(super) fn condemn(&mut self, reason: PoisonReason, detail: &str, is_poison: impl Fn(Uuid) -> bool) {
        let Some(mut in_flight) = self.in_flight.take() else {
            return;
        };
        for one in &mut in_flight.waiting {
            if one.order().is_some_and(|order| is_poison(order.message_id)) {
                one.condemn(reason, detail);
            }
        }
        self.waiting.splice(..0, in_flight.waiting);
    }
}

/// Copies poison to the dead letters, before the position passes over it.
pub(super) async fn bury(partition: Option<&dyn Partition>, poison: &[PoisonRecord]) -> Result<(), StoreError> {
    match partition {
        Some(partition) if !poison.is_empty() => {
            let buried = partition.bury(poison).await;
            buried.map_err(|error| StoreError::Away(format!("dead letters: {error}")))
        }
        _ => Ok(()),
    }
}

pub(super) async fn commit(
    writer: &dyn ShardWriter,
    claim: Claim,
    batch: Arc<OrderBatch>,
) -> Result<Receipt, StoreError> {
    if batch.advance().is_none() || !drill::advance_before_commit() {
        return writer.commit(claim, batch).await;
    }
    // The drill: what is under way when the batcher or the node dies is passed over for ever.
    let advance = batch.advance().map(|advance| Advance {
        records: 0,
        dead_lettered: 0,
        ..advance
    });
    let position = OrderBatch::default().with_advance(advance);
    writer.commit(claim, Arc::new(position)).await?;
    tokio::time::sleep(Duration::from_millis(DRILL_GAP_MS)).await;
    writer.commit(claim, batch).await
}
