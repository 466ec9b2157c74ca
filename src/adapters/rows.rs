//! Orders as both engines' rows, and what became of each row.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::{Cents, Instant, OrderBatch, StoredOrder};
use coffee_rt_actors::ports::{HourCell, Outcome, ShardId, Snapshot, StoreError};
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

/// A row found under the `message_id` of an order that was not inserted: `id, message_id, drink, store, cents,
/// microseconds`.
pub(crate) type FoundRow = (i64, Uuid, i16, i16, i32, i64);

/// The outcomes of a batch, filled in from what the engine tells.
pub(crate) struct Outcomes<'a> {
    batch: &'a OrderBatch,
    known: Vec<Option<Outcome>>,
    next: usize,
}

impl<'a> Outcomes<'a> {
    pub(crate) fn new(batch: &'a OrderBatch) -> Self {
        Self {
            batch,
            known: vec![None; batch.orders().len()],
            next: 0,
        }
    }

    /// The engine inserted this row.
    pub(crate) fn inserted(&mut self, id: i64, message_id: Uuid) -> Result<(), StoreError> {
        // Engines return rows in the order sent, nearly always: look there first.
        let expected = self
            .batch
            .orders()
            .get(self.next)
            .is_some_and(|order| order.message_id == message_id);
        let place = if expected {
            Some(self.next)
        } else {
            self.batch.position(message_id)
        };
        let place =
            place.ok_or_else(|| StoreError::Refused(format!("the store inserted a foreign id {message_id}")))?;
        self.known[place] = Some(Outcome::Stored { id });
        self.next = place + 1;
        Ok(())
    }

    /// Places of the orders that were not inserted.
    pub(crate) fn missing(&self) -> Vec<usize> {
        self.known
            .iter()
            .enumerate()
            .filter_map(|(place, known)| known.is_none().then_some(place))
            .collect()
    }

    /// Compares an order that was not inserted with the row that has its id.
    pub(crate) fn found(&mut self, row: FoundRow, payloads: &[Payload]) {
        let (id, message_id, drink, store, cents, ordered_us) = row;
        let Some(place) = self.batch.position(message_id) else {
            return;
        };
        let found = Payload {
            drink,
            store,
            cents,
            ordered_us,
        };
        self.known[place] = Some(if payloads[place] == found {
            Outcome::Repeated { id }
        } else {
            Outcome::KeyReused
        });
    }

    /// All outcomes in the order of the batch.
    pub(crate) fn complete(self) -> Result<Vec<Outcome>, StoreError> {
        let all: Option<Vec<_>> = self.known.into_iter().collect();
        all.ok_or_else(|| StoreError::Away("an order was neither inserted nor found; repeat it".to_owned()))
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
/// `id, drink, store, cents, microseconds` of a snapshot.
pub(crate) type RecentRow = (i64, String, String, i64, i64);

/// What an engine's reads in one snapshot say.
pub(crate) struct SnapshotRows {
    pub(crate) positions: BTreeMap<ShardId, i64>,
    pub(crate) total: i64,
    pub(crate) hours: Vec<HourRow>,
    pub(crate) recent: Vec<RecentRow>,
}

impl From<SnapshotRows> for Snapshot {
    fn from(rows: SnapshotRows) -> Self {
        let mut names = Names::default();
        Self {
            positions: rows.positions,
            stored_total: count(rows.total),
            hours: rows.hours.into_iter().map(|row| hour_cell(row, &mut names)).collect(),
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
