//! What a log in memory holds: its entries, who has them, and the dead letters. Each function is one atomic step.

use std::collections::BTreeMap;
use std::sync::Arc;

use coffee_rt_actors::domain::{Instant, Menu, Order, OrderError};
use coffee_rt_actors::ports::{Durability, Entry, EntryId, LogError, LogStatus, Poison, PoisonReason};
use uuid::Uuid;

/// An entry that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub source: EntryId,
    pub reason: PoisonReason,
    pub detail: String,
    /// None where it had vanished.
    pub record: Option<Vec<u8>>,
}

/// Who has an entry that is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consumer {
    Reader(usize),
    DeadNode,
}

#[derive(Default)]
pub(super) struct Stream {
    pub(super) entries: BTreeMap<EntryId, Vec<u8>>,
    pub(super) appended: u64,
    pub(super) appends_begun: u64,
    /// The last entry that was delivered to anybody.
    pub(super) delivered: Option<EntryId>,
    pub(super) pending: BTreeMap<EntryId, Consumer>,
    pub(super) position_lost: bool,
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) left: bool,
}

/// When an order was accepted is not part of its record: with one time for all, what was placed equals what was stored.
pub const NOT_TOLD: Instant = Instant(0);

/// What a record says, or why it is poison.
pub fn order_of(record: &[u8], minted: Uuid) -> Result<Arc<Order>, (PoisonReason, String)> {
    let read = Order::from_record(record, minted, NOT_TOLD, &Menu::default());
    read.map(Arc::new).map_err(|error| match error {
        OrderError::Malformed(_) => (PoisonReason::Unreadable, error.to_string()),
        OrderError::Invalid(_) => (PoisonReason::Invalid, error.to_string()),
    })
}

impl Stream {
    pub(super) fn append(&mut self, record: Vec<u8>) -> EntryId {
        self.appended += 1;
        let id = EntryId(self.appended, 0);
        self.entries.insert(id, record);
        id
    }

    pub(super) fn append_all(&mut self, orders: &[Arc<Order>], limit: usize) -> Result<(), LogError> {
        if self.entries.len() + orders.len() > limit {
            return Err(LogError::Full);
        }
        for order in orders {
            self.append(order.to_record());
        }
        Ok(())
    }

    /// Starts anew at the first entry where the position was lost, and says so once.
    pub(super) fn find_position(&mut self) -> Result<(), LogError> {
        if !std::mem::take(&mut self.position_lost) {
            return Ok(());
        }
        self.delivered = None;
        self.pending.clear();
        Err(LogError::PositionLost)
    }

    pub(super) fn new_ids(&self) -> impl Iterator<Item = EntryId> {
        let is_new = |id: &EntryId| Some(*id) > self.delivered;
        self.entries.keys().copied().filter(is_new)
    }

    pub(super) fn lag(&self) -> u64 {
        self.new_ids().count() as u64
    }

    pub(super) fn deliver(&mut self, reader: usize, limit: usize) -> Vec<Entry> {
        let ids: Vec<_> = self.new_ids().take(limit).collect();
        self.delivered = ids.last().copied().or(self.delivered);
        let owned = ids.iter().map(|id| (*id, Consumer::Reader(reader)));
        self.pending.extend(owned);
        ids.into_iter().map(|id| self.entry(id)).collect()
    }

    pub(super) fn pending_of(&self, reader: usize) -> impl Iterator<Item = EntryId> {
        let owned = move |(id, owner): (&EntryId, &Consumer)| (*owner == Consumer::Reader(reader)).then_some(*id);
        self.pending.iter().filter_map(owned)
    }

    pub(super) fn entry(&self, id: EntryId) -> Entry {
        let poison = |reason, detail| Poison { id, reason, detail };
        let order = match self.entries.get(&id) {
            None => Err(poison(PoisonReason::Vanished, "it is no longer in the log".to_owned())),
            Some(record) => {
                let read = order_of(record, Uuid::from_u64_pair(id.0, id.1));
                read.map_err(|(reason, detail)| poison(reason, detail))
            }
        };
        Entry { id, order }
    }

    pub(super) fn acknowledge(&mut self, ids: &[EntryId]) {
        for id in ids {
            self.pending.remove(id);
        }
        self.trim();
    }

    /// An entry that somebody else has acknowledged meanwhile is not buried.
    pub(super) fn bury(&mut self, poison: &[Poison], limit: usize) -> Result<(), LogError> {
        let still: Vec<_> = poison
            .iter()
            .filter(|poison| self.pending.contains_key(&poison.id))
            .collect();
        if self.dead_letters.len() + still.len() > limit {
            return Err(LogError::Full);
        }
        for Poison { id, reason, detail } in still {
            self.pending.remove(id);
            self.dead_letters.push(DeadLetter {
                source: *id,
                reason: *reason,
                detail: detail.clone(),
                record: self.entries.get(id).cloned(),
            });
        }
        self.trim();
        Ok(())
    }

    /// Drops entries before the first that is new or not acknowledged.
    pub(super) fn trim(&mut self) {
        let first = self.pending.keys().copied().chain(self.new_ids().take(1)).min();
        self.entries = first.map_or_else(BTreeMap::new, |first| self.entries.split_off(&first));
    }

    pub(super) fn keep(&mut self, readers: usize, limit: usize) -> LogStatus {
        let mut claimed = 0;
        for owner in self.pending.values_mut().filter(|owner| **owner == Consumer::DeadNode) {
            *owner = Consumer::Reader(0);
            claimed += 1;
        }
        LogStatus {
            backlog: self.entries.len() as u64,
            backlog_limit: limit as u64,
            lag: Some(self.lag()),
            pending: self.pending.len() as u64,
            own_pending: (0..readers)
                .map(|reader| self.pending_of(reader).count() as u64)
                .collect(),
            claimed,
            partitions: Vec::new(),
            dead_letters: self.dead_letters.len() as u64,
            durability: Durability::MemoryOnly,
        }
    }
}
