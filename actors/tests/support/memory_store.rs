//! A store in memory that keeps the promises of the ports: one lock, commits that are atomic and outlive their caller.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::domain::{Advance, Cents, Item, Order, OrderBatch, Position, StoredOrder};
use coffee_rt_actors::ports::{
    AuditDifference, AuditReport, Claim, Horizon, HourCell, MinuteCell, OrderStore, Outcome, RECENT_ORDERS, Receipt,
    ShardId, ShardWriter, Snapshot, StoreError,
};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

pub use super::reach::Reach;

/// How the store behaves; tests change it at any time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Behaviour {
    pub claims: Reach,
    pub commits: Reach,
    pub reads: Reach,
    /// Each commit takes this long.
    pub commit_delay: Duration,
    /// Commits wait until this is false.
    pub hold_commits: bool,
    /// A batch with an order above this price is refused as a whole, as by a constraint.
    pub highest_price: Option<Cents>,
}

impl Behaviour {
    fn refuses(&self, batch: &OrderBatch) -> bool {
        let highest = self.highest_price;
        highest.is_some_and(|highest| batch.orders().iter().any(|order| order.price > highest))
    }
}

/// An in-memory [`OrderStore`]. Clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tables: Mutex<Tables>,
    behaviour: watch::Sender<Behaviour>,
    /// Commits that have begun, whatever became of them.
    commits_begun: watch::Sender<u64>,
}

#[derive(Default)]
struct Tables {
    shards: BTreeMap<ShardId, ShardRow>,
    orders: BTreeMap<i64, Order>,
    ids: HashMap<Uuid, i64>,
    rollups: BTreeMap<(ShardId, i64, Item, Item), (u64, Cents)>,
    stored_total: u64,
}

/// A shard's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardRow {
    pub epoch: i64,
    pub seq: i64,
    pub position: Option<Position>,
    pub records: u64,
    pub inserted: u64,
    pub repeated: u64,
    pub dead_lettered: u64,
}

/// Partitions' shards have numbers of their own.
const FIRST_PARTITION: i32 = 1_000;

impl MemoryStore {
    /// Changes how the store behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        self.0.behaviour.send_modify(change);
    }

    /// Commits that have begun so far.
    pub fn commits_begun(&self) -> u64 {
        *self.0.commits_begun.borrow()
    }

    /// The stored orders with their ids, oldest first.
    pub fn orders(&self) -> Vec<(i64, Order)> {
        let tables = self.0.tables.lock();
        tables.orders.iter().map(|(id, order)| (*id, order.clone())).collect()
    }

    /// The id under which an order is stored.
    pub fn id_of(&self, message_id: Uuid) -> Option<i64> {
        self.0.tables.lock().ids.get(&message_id).copied()
    }

    /// The row of a partition.
    pub fn partition(&self, partition: i32) -> ShardRow {
        let tables = self.0.tables.lock();
        let row = tables.shards.get(&ShardId(FIRST_PARTITION + partition));
        row.copied().unwrap_or_default()
    }

    /// Everything, whatever [`Behaviour`] says.
    pub fn peek(&self, horizon: Horizon) -> Snapshot {
        self.0.tables.lock().snapshot(horizon)
    }
}

impl ShardRow {
    fn advance(&mut self, advance: Advance, outcomes: &[Outcome]) {
        let stored = |outcome: &&Outcome| matches!(outcome, Outcome::Stored { .. });
        let inserted = outcomes.iter().filter(stored).count() as u64;
        self.position = Some(advance.to);
        self.records += advance.records;
        self.dead_lettered += advance.dead_lettered;
        self.inserted += inserted;
        self.repeated += advance.records - advance.dead_lettered - inserted;
    }
}

impl Tables {
    fn claim(&mut self, shard: ShardId) -> Claim {
        let row = self.shards.entry(shard).or_default();
        row.epoch += 1;
        Claim {
            shard,
            epoch: row.epoch,
            seq: row.seq,
            position: row.position,
        }
    }

    fn commit(&mut self, claim: Claim, batch: &OrderBatch) -> Result<Receipt, StoreError> {
        let row = self.shards.entry(claim.shard).or_default();
        if row.epoch != claim.epoch {
            return Err(StoreError::Fenced);
        }
        if let Some(reused) = self.reused(batch) {
            return Err(StoreError::KeysReused(reused));
        }
        let outcomes: Vec<_> = batch
            .orders()
            .iter()
            .map(|order| self.insert(claim.shard, order))
            .collect();
        let row = self.shards.entry(claim.shard).or_default();
        row.seq += 1;
        if let Some(advance) = batch.advance() {
            row.advance(advance, &outcomes);
        }
        Ok(Receipt { seq: row.seq, outcomes })
    }

    /// The keys of others in a batch that may not hold any.
    fn reused(&self, batch: &OrderBatch) -> Option<Vec<Uuid>> {
        batch.advance()?;
        let differs = |order: &&Arc<Order>| {
            let known = self.ids.get(&order.message_id);
            known.is_some_and(|id| !self.orders[id].same_payload(order))
        };
        let reused: Vec<_> = batch
            .orders()
            .iter()
            .filter(differs)
            .map(|order| order.message_id)
            .collect();
        (!reused.is_empty()).then_some(reused)
    }

    fn insert(&mut self, shard: ShardId, order: &Order) -> Outcome {
        if let Some(id) = self.ids.get(&order.message_id).copied() {
            return if self.orders[&id].same_payload(order) {
                Outcome::Repeated { id }
            } else {
                Outcome::KeyReused
            };
        }
        let id = self.orders.last_key_value().map_or(1, |(last, _)| last + 1);
        self.orders.insert(id, order.clone());
        self.ids.insert(order.message_id, id);
        let key = (shard, order.at.minute(), order.store.clone(), order.drink.clone());
        let cell = self.rollups.entry(key).or_default();
        cell.0 += 1;
        cell.1 += order.price;
        self.stored_total += 1;
        Outcome::Stored { id }
    }

    fn snapshot(&self, horizon: Horizon) -> Snapshot {
        let mut hours: BTreeMap<(i64, Item, Item), (u64, Cents)> = BTreeMap::new();
        for ((_, minute, store, drink), (orders, amount)) in &self.rollups {
            let hour = minute.div_euclid(60);
            if hour >= horizon.hour {
                let cell = hours.entry((hour, store.clone(), drink.clone())).or_default();
                cell.0 += orders;
                cell.1 += *amount;
            }
        }
        let hours = hours
            .into_iter()
            .map(|((hour, store, drink), (orders, amount))| HourCell {
                hour,
                store,
                drink,
                orders,
                amount,
            });
        let newest = self.orders.iter().rev().take(RECENT_ORDERS);
        let shown = self
            .rollups
            .iter()
            .filter(|((_, minute, ..), _)| *minute >= horizon.minute);
        Snapshot {
            positions: self.positions(),
            stored_total: self.stored_total,
            hours: hours.collect(),
            minutes: shown
                .map(|((_, minute, ..), (orders, amount))| MinuteCell {
                    minute: *minute,
                    orders: *orders,
                    amount: *amount,
                })
                .collect(),
            recent: newest
                .map(|(id, order)| -> StoredOrder { order.stored_as(*id) })
                .collect(),
        }
    }

    fn positions(&self) -> BTreeMap<ShardId, i64> {
        self.shards.iter().map(|(shard, row)| (*shard, row.seq)).collect()
    }

    fn audit(&self) -> AuditReport {
        let mut recounted: BTreeMap<(i64, Item, Item), (u64, Cents)> = BTreeMap::new();
        let mut report = AuditReport {
            orders: self.orders.len() as u64,
            rollup_rows: self.rollups.len() as u64,
            shards: self.shards.len() as u64,
            ..AuditReport::default()
        };
        for order in self.orders.values() {
            let key = (order.at.minute(), order.store.clone(), order.drink.clone());
            let cell = recounted.entry(key).or_default();
            cell.0 += 1;
            cell.1 += order.price;
            report.amount += order.price;
        }
        let mut recorded: BTreeMap<(i64, Item, Item), (u64, Cents)> = BTreeMap::new();
        for ((_, minute, store, drink), (orders, amount)) in &self.rollups {
            let cell = recorded.entry((*minute, store.clone(), drink.clone())).or_default();
            cell.0 += orders;
            cell.1 += *amount;
        }
        let mut differ = |what: String, recounted: String, recorded: String| {
            if recounted != recorded {
                report.differences.push(AuditDifference {
                    what,
                    recounted,
                    recorded,
                });
            }
        };
        let keys: std::collections::BTreeSet<_> = recounted.keys().chain(recorded.keys()).collect();
        for key in keys {
            let show = |cells: &BTreeMap<_, _>| format!("{:?}", cells.get(key));
            differ(format!("{key:?}"), show(&recounted), show(&recorded));
        }
        for (shard, row) in &self.shards {
            let dealt_with = row.inserted + row.repeated + row.dead_lettered;
            differ(format!("{shard:?}"), row.records.to_string(), dealt_with.to_string());
        }
        let total = self.orders.len().to_string();
        differ("total".to_owned(), total, self.stored_total.to_string());
        report
    }
}

impl MemoryStore {
    fn writer(&self, shard: ShardId) -> Arc<dyn ShardWriter> {
        Arc::new(MemoryWriter {
            store: self.0.clone(),
            shard,
            turn: Arc::default(),
        })
    }
}

impl Inner {
    fn reach(&self, kind: impl Fn(&Behaviour) -> Reach) -> Reach {
        kind(&self.behaviour.borrow())
    }

    /// Does a piece of work as its reach allows.
    fn reached<R>(&self, reach: Reach, work: impl FnOnce(&mut Tables) -> R) -> Result<R, StoreError> {
        match reach {
            Reach::Up => Ok(work(&mut self.tables.lock())),
            Reach::Away => Err(StoreError::Away("switched off".to_owned())),
            Reach::AnswerLost => {
                work(&mut self.tables.lock());
                Err(StoreError::Away("the answer was lost".to_owned()))
            }
            Reach::Refused => Err(StoreError::Refused("switched to refuse".to_owned())),
            Reach::Panics => panic!("panic injected"),
        }
    }

    async fn released(&self) {
        let mut behaviour = self.behaviour.subscribe();
        let _ = behaviour.wait_for(|b| !b.hold_commits).await;
    }
}

#[async_trait]
impl OrderStore for MemoryStore {
    fn engine(&self) -> &'static str {
        "memory"
    }

    fn shard_writer(&self, _source: &'static str) -> Arc<dyn ShardWriter> {
        let mut tables = self.0.tables.lock();
        let shard = ShardId(i32::try_from(tables.shards.len()).unwrap());
        tables.shards.insert(shard, ShardRow::default());
        self.writer(shard)
    }

    fn partition_writer(&self, _source: &'static str, partition: i32) -> Arc<dyn ShardWriter> {
        self.writer(ShardId(FIRST_PARTITION + partition))
    }

    async fn log_positions(&self, _source: &'static str) -> Result<BTreeMap<i32, i64>, StoreError> {
        let positions = |tables: &mut Tables| {
            let partitions = tables.shards.range(ShardId(FIRST_PARTITION)..);
            let positions = partitions.filter_map(|(shard, row)| Some((shard.0 - FIRST_PARTITION, row.position?)));
            positions.map(|(partition, at)| (partition, at.next_offset)).collect()
        };
        self.0.reached(self.0.reach(|b| b.reads), positions)
    }

    async fn move_position(&self, _source: &'static str, partition: i32, next_offset: i64) -> Result<(), StoreError> {
        self.0.reached(self.0.reach(|b| b.claims), |tables| {
            let row = tables.shards.entry(ShardId(FIRST_PARTITION + partition)).or_default();
            row.epoch += 1;
            row.position = Some(Position { next_offset, mark: 0 });
        })
    }

    async fn snapshot(&self, horizon: Horizon) -> Result<Snapshot, StoreError> {
        self.0
            .reached(self.0.reach(|b| b.reads), |tables| tables.snapshot(horizon))
    }

    async fn positions(&self) -> Result<BTreeMap<ShardId, i64>, StoreError> {
        self.0.reached(self.0.reach(|b| b.reads), |tables| tables.positions())
    }

    async fn audit(&self) -> Result<AuditReport, StoreError> {
        self.0.reached(self.0.reach(|b| b.reads), |tables| tables.audit())
    }
}

struct MemoryWriter {
    store: Arc<Inner>,
    shard: ShardId,
    /// Calls take turns.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[async_trait]
impl ShardWriter for MemoryWriter {
    async fn claim(&self) -> Result<Claim, StoreError> {
        let (store, shard, turn) = (self.store.clone(), self.shard, self.turn.clone());
        let claiming = tokio::spawn(async move {
            let _turn = turn.lock_owned().await;
            store.reached(store.reach(|b| b.claims), |tables| tables.claim(shard))
        });
        claiming.await.map_err(|error| StoreError::Away(error.to_string()))?
    }

    async fn commit(&self, claim: Claim, batch: Arc<OrderBatch>) -> Result<Receipt, StoreError> {
        let (store, turn) = (self.store.clone(), self.turn.clone());
        let committing = tokio::spawn(async move {
            let _turn = turn.lock_owned().await;
            store.commits_begun.send_modify(|begun| *begun += 1);
            let delay = store.behaviour.borrow().commit_delay;
            if !delay.is_zero() {
                sleep(delay).await;
            }
            store.released().await;
            let reach = store.reach(|b| if b.refuses(&batch) { Reach::Refused } else { b.commits });
            store.reached(reach, |tables| tables.commit(claim, &batch))?
        });
        committing.await.map_err(|error| StoreError::Away(error.to_string()))?
    }
}
