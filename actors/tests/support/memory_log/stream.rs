//! What a log in memory holds: its entries, who has them, and the dead letters. Each function is one atomic step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coffee_rt_actors::domain::{Instant, Menu, Order, OrderError};
use coffee_rt_actors::ports::{Durability, Entry, EntryId, LogError, LogStatus, Part, PoisonReason, Settlement};
use uuid::Uuid;

/// The most orders of one append that share an entry: few, so that tests meet entries of several.
const ENTRY_ORDERS: usize = 3;

/// An order that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub source: EntryId,
    pub part: Part,
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
    /// The records of each entry's orders.
    pub(super) entries: BTreeMap<EntryId, Vec<Vec<u8>>>,
    /// Orders in all of them, those that are gone included.
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
    pub(super) fn append(&mut self, records: Vec<Vec<u8>>) -> EntryId {
        self.appended += records.len() as u64;
        let id = EntryId(self.appended, 0);
        self.entries.insert(id, records);
        id
    }

    pub(super) fn backlog(&self) -> usize {
        self.entries.values().map(Vec::len).sum()
    }

    pub(super) fn orders_in(&self, ids: impl Iterator<Item = EntryId>) -> usize {
        // One that was removed was one.
        ids.map(|id| self.entries.get(&id).map_or(1, Vec::len)).sum()
    }

    pub(super) fn append_all(&mut self, orders: &[Arc<Order>], limit: usize) -> Result<(), LogError> {
        if self.backlog() + orders.len() > limit {
            return Err(LogError::Full);
        }
        for orders in orders.chunks(ENTRY_ORDERS) {
            self.append(orders.iter().map(|order| order.to_record()).collect());
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
        self.orders_in(self.new_ids()) as u64
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
        let gone = || vec![Err((PoisonReason::Vanished, "it is no longer in the log".to_owned()))];
        let read = |records: &Vec<Vec<u8>>| {
            let parts = (0..).zip(records);
            let orders = parts.map(|(part, record)| order_of(record, Uuid::from_u64_pair(id.0, part)));
            orders.collect()
        };
        let orders = self.entries.get(&id).map_or_else(gone, read);
        let surplus = orders.len() - 1;
        Entry { id, orders, surplus }
    }

    pub(super) fn acknowledge(&mut self, entries: &[Settlement]) {
        for entry in entries {
            self.pending.remove(&entry.id);
        }
        self.trim();
    }

    /// An entry that somebody else has acknowledged meanwhile is not buried.
    pub(super) fn bury(&mut self, entries: &[Settlement], limit: usize) -> Result<(), LogError> {
        // Two generations of a reader may have had an entry in hand.
        let mut seen = BTreeSet::new();
        let still: Vec<_> = entries
            .iter()
            .filter(|entry| self.pending.contains_key(&entry.id) && seen.insert(entry.id))
            .collect();
        let poison: usize = still.iter().map(|entry| entry.poison.len()).sum();
        if self.dead_letters.len() + poison > limit {
            return Err(LogError::Full);
        }
        for Settlement { id, poison, .. } in still {
            self.pending.remove(id);
            let records = self.entries.get(id);
            let record = |part: Part| records?.get(usize::from(part.unwrap_or_default())).cloned();
            self.dead_letters.extend(poison.iter().map(|poison| DeadLetter {
                source: *id,
                part: poison.part,
                reason: poison.reason,
                detail: poison.detail.clone(),
                record: record(poison.part),
            }));
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
            backlog: self.backlog() as u64,
            backlog_limit: limit as u64,
            lag: Some(self.lag()),
            pending: self.orders_in(self.pending.keys().copied()) as u64,
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
