//! Both engines' rows.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::{Cents, Instant, OrderBatch, Position, StoredOrder};
use coffee_rt_actors::ports::{Claim, HourCell, MinuteCell, ShardId, Snapshot, StoreError};
use uuid::Uuid;

use super::catalog::{Catalog, Names};

/// What an order row holds besides its id and `message_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) drink: i16,
    pub(crate) store: i16,
    pub(crate) cents: i32,
    pub(crate) ordered_us: i64,
}

impl Payload {
    pub(crate) fn minute(self) -> i64 {
        Instant(self.ordered_us).minute()
    }
}

/// The payloads of a batch, or `None` where a name has no number (yet).
pub(crate) fn payloads(batch: &OrderBatch, catalog: &Catalog) -> Result<Option<Vec<Payload>>, StoreError> {
    let mut rows = Vec::with_capacity(batch.orders().len());
    for order in batch.orders() {
        let cents = i32::try_from(order.price.0)
            .map_err(|_| StoreError::Refused(format!("a price of {} is out of range", order.price)))?;
        let (Some(drink), Some(store)) = (catalog.drink(&order.drink), catalog.store(&order.store)) else {
            return Ok(None);
        };
        rows.push(Payload {
            drink,
            store,
            cents,
            ordered_us: order.at.0,
        });
    }
    Ok(Some(rows))
}

/// Names the first order of a batch that the catalog does not know.
pub(crate) fn off_catalog(batch: &OrderBatch, catalog: &Catalog) -> StoreError {
    let unknown = batch
        .orders()
        .iter()
        .find_map(|order| match catalog.drink(&order.drink) {
            None => Some(format!("no drink {:?}", order.drink)),
            Some(_) if catalog.store(&order.store).is_none() => Some(format!("no store {:?}", order.store)),
            Some(_) => None,
        });
    StoreError::Refused(format!(
        "the store's catalog has {}",
        unknown.unwrap_or_else(|| "changed".to_owned())
    ))
}

/// A row found under the `message_id` of an order: `id, message_id, drink, store, cents, microseconds`.
pub(crate) type FoundRow = (i64, Uuid, i16, i16, i32, i64);

/// A shard's row as a claim reads it: `id, epoch, seq, next_offset, mark`.
pub(crate) type ClaimedRow = (i32, i64, i64, Option<i64>, Option<i64>);

pub(crate) fn claim_of((shard, epoch, seq, next_offset, mark): ClaimedRow) -> Claim {
    let mark = mark.unwrap_or_default();
    Claim {
        shard: ShardId(shard),
        epoch,
        seq,
        position: next_offset.map(|next_offset| Position { next_offset, mark }),
    }
}

/// Orders and cents of each `(minute, store, drink)`.
pub(crate) fn cells<'a>(payloads: impl Iterator<Item = &'a Payload>) -> BTreeMap<(i64, i16, i16), (i64, i64)> {
    let mut cells = BTreeMap::new();
    for payload in payloads {
        let cell: &mut (i64, i64) = cells
            .entry((payload.minute(), payload.store, payload.drink))
            .or_default();
        cell.0 += 1;
        cell.1 += i64::from(payload.cents);
    }
    cells
}

/// `hour, store, drink, orders, cents` of a snapshot.
pub(crate) type HourRow = (i64, String, String, i64, i64);
/// `minute, orders, cents` of a snapshot.
pub(crate) type MinuteRow = (i64, i64, i64);
/// `id, drink, store, cents, microseconds` of a snapshot.
pub(crate) type RecentRow = (i64, String, String, i64, i64);

/// What an engine's reads in one snapshot say.
pub(crate) struct SnapshotRows {
    pub(crate) positions: BTreeMap<ShardId, i64>,
    pub(crate) total: i64,
    pub(crate) hours: Vec<HourRow>,
    pub(crate) minutes: Vec<MinuteRow>,
    pub(crate) recent: Vec<RecentRow>,
}

impl From<SnapshotRows> for Snapshot {
    fn from(rows: SnapshotRows) -> Self {
        let mut names = Names::default();
        Self {
            positions: rows.positions,
            stored_total: count(rows.total),
            hours: rows.hours.into_iter().map(|row| hour_cell(row, &mut names)).collect(),
            minutes: rows.minutes.into_iter().map(minute_cell).collect(),
            recent: rows
                .recent
                .into_iter()
                .map(|row| recent_order(row, &mut names))
                .collect(),
        }
    }
}

fn hour_cell((hour, store, drink, orders, cents): HourRow, names: &mut Names) -> HourCell {
    HourCell {
        hour,
        store: names.item(&store),
        drink: names.item(&drink),
        orders: count(orders),
        amount: Cents(cents),
    }
}

fn minute_cell((minute, orders, cents): MinuteRow) -> MinuteCell {
    MinuteCell {
        minute,
        orders: count(orders),
        amount: Cents(cents),
    }
}

fn recent_order((id, drink, store, cents, us): RecentRow, names: &mut Names) -> StoredOrder {
    StoredOrder {
        id,
        drink: names.item(&drink),
        store: names.item(&store),
        price: Cents(cents),
        timestamp: Instant(us),
    }
}

/// A count from SQL, where integers have signs.
pub(crate) fn count(signed: i64) -> u64 {
    u64::try_from(signed).unwrap_or_default()
}
