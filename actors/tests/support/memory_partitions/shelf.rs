//! What one partition in memory holds. Each function is one atomic step.

use std::collections::VecDeque;

use coffee_rt_actors::domain::{Order, Position};
use coffee_rt_actors::ports::{Beginning, EntryId, LogError, PoisonRecord, Record};
use uuid::Uuid;

use crate::support::memory_log::order_of;

struct Kept {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    /// No other record of the log ever has it.
    mark: i64,
}

/// One partition: records from `oldest` on.
#[derive(Default)]
pub(super) struct Shelf {
    oldest: i64,
    records: VecDeque<Kept>,
    /// How often what had been read became worth nothing: a stream of an earlier time is over.
    pub(super) made_anew: u64,
}

impl Shelf {
    pub(super) fn push(&mut self, key: Option<Vec<u8>>, value: Vec<u8>, mark: i64) -> i64 {
        self.records.push_back(Kept { key, value, mark });
        self.end() - 1
    }

    pub(super) fn push_order(&mut self, order: &Order, mark: i64) -> i64 {
        self.push(Some(order.store.as_bytes().to_vec()), order.to_record(), mark)
    }

    /// The offset of the next record.
    pub(super) fn end(&self) -> i64 {
        self.oldest + i64::try_from(self.records.len()).unwrap()
    }

    /// Removes the records before an offset.
    pub(super) fn remove_before(&mut self, offset: i64) {
        while self.oldest < offset && self.records.pop_front().is_some() {
            self.oldest += 1;
        }
    }

    pub(super) fn make_anew(&mut self) {
        *self = Self {
            made_anew: self.made_anew + 1,
            ..Self::default()
        };
    }

    /// Loses its last records.
    pub(super) fn lose_end(&mut self, count: usize) {
        self.records.truncate(self.records.len().saturating_sub(count));
        self.made_anew += 1;
    }

    /// Where a reading begins that is to go on at a position.
    pub(super) fn beginning(&self, position: Option<Position>) -> (Beginning, i64) {
        let Some(Position { next_offset, mark }) = position else {
            return (Beginning::Oldest, self.oldest);
        };
        if next_offset > self.end() {
            return (Beginning::Anew, self.oldest);
        }
        if next_offset < self.oldest {
            let records = u64::try_from(self.oldest - next_offset).unwrap();
            return (Beginning::Gap { records }, self.oldest);
        }
        match self.at(next_offset - 1) {
            Some(before) if mark != 0 && before.mark != mark => (Beginning::Anew, self.oldest),
            _ => (Beginning::Continues, next_offset),
        }
    }

    /// The records from an offset on, which is moved behind them.
    pub(super) fn read(&self, partition: i32, from: &mut i64, limit: usize) -> Result<Vec<Record>, LogError> {
        if *from < self.oldest || *from > self.end() {
            return Err(LogError::Away("there is no such offset any more".to_owned()));
        }
        let (mut records, mut weight) = (Vec::new(), 0);
        while weight < limit && *from < self.end() {
            let record = self.record(partition, *from);
            weight += record.as_ref().map_or(1, Record::weight);
            records.extend(record);
            *from += 1;
        }
        Ok(records)
    }

    fn at(&self, offset: i64) -> Option<&Kept> {
        let index = usize::try_from(offset - self.oldest).ok()?;
        self.records.get(index)
    }

    fn record(&self, partition: i32, offset: i64) -> Option<Record> {
        let kept = self.at(offset)?;
        let id = entry_id(partition, offset);
        let minted = Uuid::from_u64_pair(u64::try_from(kept.mark).unwrap(), id.1);
        let order = order_of(&kept.value, minted).map_err(|(reason, detail)| PoisonRecord {
            id,
            reason,
            detail,
            at_millis: None,
            key: kept.key.clone(),
            value: kept.value.clone(),
        });
        let next = Position {
            next_offset: offset + 1,
            mark: kept.mark,
        };
        Some(Record { id, next, order })
    }
}

pub(super) fn entry_id(partition: i32, offset: i64) -> EntryId {
    EntryId(u64::try_from(partition).unwrap(), u64::try_from(offset).unwrap())
}
