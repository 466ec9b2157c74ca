//! How both engines' recounts become a report.

use coffee_rt_actors::domain::{Cents, Instant};
use coffee_rt_actors::ports::{AuditDifference, AuditReport};

use super::rows::count;

/// The most differences that one report lists; one more entry says how many it left out.
pub const MAX_AUDIT_DIFFERENCES: usize = 1000;

/// Rows that a recount asks an engine for: as many as can be listed.
pub(crate) const AUDIT_ROWS: i64 = MAX_AUDIT_DIFFERENCES as i64;

/// One differing minute, store and drink, and how many there are in all:
/// `minute, store, drink, raw orders, raw cents, rollup orders, rollup cents, total`.
pub(crate) type CellRow = (i64, String, String, i64, i64, i64, i64, i64);
/// One differing shard: `source, slot, rollup orders, rollup cents, total orders, total cents, total`.
pub(crate) type ShardRow = (String, i64, i64, i64, i64, i64, i64);
/// One partition whose records do not add up: `source, partition, records, inserted, repeated, dead-lettered, total`.
pub(crate) type RecordsRow = (String, i64, i64, i64, i64, i64, i64);
/// One `message_id` in several rows: `message_id, rows, total`.
pub(crate) type DuplicateRow = (String, i64, i64);

/// What an engine counted in one snapshot.
#[derive(Default)]
pub(crate) struct Recount {
    /// Orders and cents of the raw rows.
    pub(crate) raw: (i64, i64),
    /// Orders and cents of the shards' totals.
    pub(crate) totals: (i64, i64),
    pub(crate) rollup_rows: i64,
    pub(crate) shards: i64,
    /// Records that the shards' positions moved over, and those of them that are in the dead letters.
    pub(crate) records: i64,
    pub(crate) dead_lettered: i64,
    pub(crate) cells: Vec<CellRow>,
    pub(crate) by_shard: Vec<ShardRow>,
    pub(crate) by_partition: Vec<RecordsRow>,
    pub(crate) duplicates: Vec<DuplicateRow>,
}

impl Recount {
    pub(crate) fn report(self) -> AuditReport {
        let mut found = Differences::default();
        if self.raw != self.totals {
            found.expect(Some(1));
            found.list("all orders".to_owned(), amount(self.raw), amount(self.totals));
        }
        found.expect(self.duplicates.first().map(|row| row.2));
        for (message_id, rows, _) in self.duplicates {
            found.list(
                format!("message_id {message_id}"),
                format!("{rows} rows"),
                "unique".to_owned(),
            );
        }
        found.expect(self.by_shard.first().map(|row| row.6));
        for (source, slot, orders, cents, total_orders, total_cents, _) in self.by_shard {
            let (rollups, totals) = (amount((orders, cents)), amount((total_orders, total_cents)));
            found.list(format!("total of shard {source}/{slot}"), rollups, totals);
        }
        found.expect(self.by_partition.first().map(|row| row.6));
        for (source, partition, records, inserted, repeated, dead_lettered, _) in self.by_partition {
            let what = format!("records of partition {source}/{partition}");
            let parts = format!("{inserted} inserted, {repeated} repeated, {dead_lettered} dead-lettered");
            found.list(what, parts, format!("{records} records"));
        }
        found.expect(self.cells.first().map(|row| row.7));
        for (minute, store, drink, orders, cents, recorded_orders, recorded_cents, _) in self.cells {
            let what = format!("{} {store} {drink}", minute_text(minute));
            found.list(what, amount((orders, cents)), amount((recorded_orders, recorded_cents)));
        }
        AuditReport {
            orders: count(self.raw.0),
            amount: Cents(self.raw.1),
            rollup_rows: count(self.rollup_rows),
            shards: count(self.shards),
            records: count(self.records),
            dead_lettered: count(self.dead_lettered),
            differences: found.finish(),
        }
    }
}

#[derive(Default)]
struct Differences {
    listed: Vec<AuditDifference>,
    all: usize,
}

impl Differences {
    /// An engine found this many of a kind, of which it returned the first ones.
    fn expect(&mut self, of_a_kind: Option<i64>) {
        self.all += usize::try_from(of_a_kind.unwrap_or_default()).unwrap_or_default();
    }

    fn list(&mut self, what: String, recounted: String, recorded: String) {
        if self.listed.len() < MAX_AUDIT_DIFFERENCES {
            self.listed.push(AuditDifference {
                what,
                recounted,
                recorded,
            });
        }
    }

    fn finish(mut self) -> Vec<AuditDifference> {
        let left_out = self.all.saturating_sub(self.listed.len());
        if left_out > 0 {
            let what = format!("and {left_out} more");
            self.listed.push(AuditDifference {
                what,
                recounted: String::new(),
                recorded: String::new(),
            });
        }
        self.listed
    }
}

fn amount((orders, cents): (i64, i64)) -> String {
    format!("{orders} orders, {}", Cents(cents))
}

fn minute_text(minute: i64) -> String {
    let text = Instant(minute.saturating_mul(60_000_000)).to_string();
    text.strip_suffix(":00Z")
        .map_or_else(|| text.clone(), |minute| format!("{minute}Z"))
}
