//! A record of a partition on its way to the store.

use std::sync::Arc;

use crate::credit::Permit;
use crate::domain::Order;
use crate::ports::{EntryId, PoisonReason, PoisonRecord};
use crate::ticket::{Answer, Consignment, Place};

/// A record on its way to the store. Nobody waits for it: the partition keeps it, and the position says when it is done.
pub struct PartitionTicket {
    /// Which record it is.
    pub id: EntryId,
    /// Where it stands, and under which claim it was read.
    pub place: Place,
    /// What was ordered, or what goes to the dead letters.
    pub order: Result<Arc<Order>, PoisonRecord>,
    /// Given back when it is stored or thrown away.
    pub permit: Permit,
}

impl Consignment for PartitionTicket {
    const PATIENT: bool = true;

    fn order(&self) -> Option<&Arc<Order>> {
        self.order.as_ref().ok()
    }

    fn place(&self) -> Option<Place> {
        Some(self.place)
    }

    fn poison(&self) -> Option<&PoisonRecord> {
        self.order.as_ref().err()
    }

    fn condemn(&mut self, reason: PoisonReason, detail: &str) {
        if let Ok(order) = &self.order {
            self.order = Err(PoisonRecord {
                id: self.id,
                reason,
                detail: detail.to_owned(),
                at_millis: None,
                key: Some(order.store.as_bytes().to_vec()),
                value: order.to_record(),
            });
        }
    }

    fn answer(_: Vec<(Self, Answer)>) {}
}
