//! What is in the store, what is counted of it, and what the node shows, when it has come to rest.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use coffee_rt_actors::ports::{AuditReport, StoreError};
use futures_util::future::join_all;
use serde_json::Value;
use uuid::Uuid;

use super::accounts;
use super::books::{Before, Books, broken_promises};
use super::host::Host;
use super::outcome::Check;
use super::readiness::Readiness;
use super::world::World;
use crate::load::Ledger;
use crate::stores;

/// How long nothing may change while something is still missing.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// How long everything may take until it is stored and counted, however much of it was acknowledged.
const SETTLE_LIMIT: Duration = Duration::from_secs(900);
/// Nodes that are well and have no backlog, and under which nothing changes for so long, will change nothing any more.
const REST: Duration = Duration::from_secs(5);
/// How long everything must be right: what is delivered again may yet be counted again.
const CALM: Duration = Duration::from_millis(1_500);
/// How often it is looked, at most; a look at a large store takes a while, and the next one waits so many times as long.
const SETTLE_POLL: Duration = Duration::from_millis(250);
const PAUSE_FOR_A_LOOK: u32 = 5;
/// How long orders of before may take until they are stored, counted and shown.
const BEFORE_LIMIT: Duration = Duration::from_secs(30);
/// How long the store may take to be read.
const READ_LIMIT: Duration = Duration::from_secs(120);

/// What is there when it has come to rest.
pub(super) struct Stored {
    before: Before,
    books: Books,
    counts: Counts,
    /// What a topic's accounts say otherwise than they should, where there is a topic.
    accounts: Option<Vec<String>>,
}

/// What is counted and shown at one moment.
pub(super) struct Counts {
    audit: AuditReport,
    /// Orders by each node's dashboard, or why it shows none.
    shown: Vec<Result<u64, String>>,
}

impl Counts {
    /// For a store that is at rest.
    pub(super) async fn read(world: &World) -> Result<Self, String> {
        let audit = audit(world).await?;
        let shown = join_all(world.hosts().map(shown)).await;
        Ok(Self { audit, shown })
    }

    /// For one that is written meanwhile: what is shown must have been stored before.
    pub(super) async fn read_shown_first(world: &World) -> Result<Self, String> {
        let shown = join_all(world.hosts().map(shown)).await;
        let audit = audit(world).await?;
        Ok(Self { audit, shown })
    }

    /// What is counted otherwise than it is stored, or shown and not stored. A dashboard may be late.
    pub(super) fn untrue(&self) -> Vec<String> {
        let orders = self.audit.orders;
        let shown = self.shown.iter().flatten().filter(|shown| **shown > orders);
        let shown = shown.map(|shown| format!("{shown} orders are shown of {orders}"));
        self.differences().chain(shown).collect()
    }

    fn differences(&self) -> impl Iterator<Item = String> {
        self.audit.differences.iter().map(|difference| {
            let (what, recounted) = (&difference.what, &difference.recounted);
            format!("{what}: recounted {recounted}, recorded {}", difference.recorded)
        })
    }

    /// Whether what is counted is what is stored, and what is shown.
    pub(super) fn agree(&self) -> bool {
        self.audit.differences.is_empty() && self.shown.iter().all(|shown| *shown == Ok(self.audit.orders))
    }

    fn figures(&self) -> (u64, usize, Vec<Result<u64, String>>) {
        (self.audit.orders, self.audit.differences.len(), self.shown.clone())
    }
}

impl Stored {
    /// When everything acknowledged is there, counted and shown, and stays so; or when nothing changes any more.
    pub(super) async fn settled(world: &World, before: Before, ledgers: &[&Ledger]) -> Result<Self, String> {
        let began = Instant::now();
        let (mut last, mut changed) = (None, began);
        loop {
            let looked = Instant::now();
            let counts = Counts::read(world).await;
            let (now, figures) = (Instant::now(), counts.as_ref().ok().map(Counts::figures));
            if figures != last {
                (last, changed) = (figures, now);
            }
            let unchanged = now - changed;
            match counts {
                Ok(counts) => {
                    let idle = have_no_work(world).await;
                    if (idle && counts.agree() && unchanged >= CALM)
                        || (idle && unchanged >= REST)
                        || unchanged >= STALL_LIMIT
                    {
                        let stored = Self {
                            before,
                            books: books(world, &before).await?,
                            counts,
                            accounts: accounts(world).await?,
                        };
                        if stored.has_all(ledgers) || unchanged >= REST {
                            return Ok(stored);
                        }
                    }
                    if now - began >= SETTLE_LIMIT {
                        return Err(format!("orders are still being stored after {SETTLE_LIMIT:?}"));
                    }
                }
                Err(error) if unchanged >= STALL_LIMIT => return Err(format!("the end cannot be judged: {error}")),
                Err(_) => {}
            }
            tokio::time::sleep(SETTLE_POLL.max(looked.elapsed() * PAUSE_FOR_A_LOOK)).await;
        }
    }

    fn has_all(&self, ledgers: &[&Ledger]) -> bool {
        let mut acknowledged = ledgers.iter().flat_map(|ledger| ledger.acknowledged());
        acknowledged.all(|order| self.books.times(order.message_id) > 0)
    }

    /// The how-manieth stored order each is, from one.
    pub(super) fn ranks(&self) -> HashMap<Uuid, u64> {
        let keys = self.books.orders.iter().map(|order| order.message_id);
        keys.zip(self.before.orders as u64 + 1..).collect()
    }

    /// The promises, and how each is broken.
    pub(super) fn promises(&self, ledgers: &[&Ledger]) -> Vec<Check> {
        let orders = self.counts.audit.orders;
        let shown = self.counts.shown.iter().filter_map(|shown| match shown {
            Ok(shown) if *shown == orders => None,
            Ok(shown) => Some(format!("{shown} orders are shown of {orders}")),
            Err(error) => Some(error.clone()),
        });
        let mut promises = vec![
            Check::new(
                "every acknowledged order is stored once, as it was sent, and no other",
                broken_promises(ledgers, &self.books, &self.before),
            ),
            Check::new("what is counted is what is stored", self.counts.differences().collect()),
            Check::new("what is shown is what is stored", shown.collect()),
        ];
        let accounts = self.accounts.clone();
        promises.extend(accounts.map(|found| Check::new("each record of the topic was consumed once", found)));
        promises
    }
}

/// What the nodes' store has before anybody comes, when it is counted and shown. Orders that are on their way to it would be
/// taken for those of nobody.
pub(super) async fn before(world: &World) -> Result<Before, String> {
    let began = Instant::now();
    loop {
        let (idle, counts) = (have_no_work(world).await, Counts::read(world).await);
        if idle && counts.as_ref().is_ok_and(Counts::agree) {
            break;
        }
        if began.elapsed() > BEFORE_LIMIT {
            counts?;
            let hint = "with --url, DATABASE_URL or COFFEE_RT_SQLITE_PATH must name the node's store, and nobody else may order";
            return Err(format!("what the node shows is not what is stored: {hint}"));
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
    let (url, file) = place(world);
    in_time(Before::read(url, file)).await
}

async fn books(world: &World, before: &Before) -> Result<Books, String> {
    let (url, file) = place(world);
    in_time(Books::read(url, file, before)).await
}

async fn accounts(world: &World) -> Result<Option<Vec<String>>, String> {
    match world.store_of_topic() {
        Some(url) => in_time(accounts::untrue(url)).await.map(Some),
        None => Ok(None),
    }
}

fn place(world: &World) -> (Option<&str>, &Path) {
    let url = world.settings.database_url.as_ref().map(|url| url.reveal());
    (url, &world.settings.sqlite_path)
}

async fn audit(world: &World) -> Result<AuditReport, String> {
    in_time(async { stores::open_to_read(&world.settings).await?.audit().await }).await
}

/// Orders by a node's dashboard.
async fn shown(host: &Host) -> Result<u64, String> {
    let dashboard = host.client().get::<Value>("/api/dashboard").await;
    let dashboard = dashboard.map_err(|error| error.to_string())?;
    let none = || "a dashboard has no stored_total".to_owned();
    dashboard["stored_total"].as_u64().ok_or_else(none)
}

async fn in_time<T>(reading: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    let read = tokio::time::timeout(READ_LIMIT, reading).await;
    let read = read.map_err(|_| format!("the store cannot be read within {READ_LIMIT:?}"))?;
    read.map_err(|error| error.to_string())
}

/// Whether the nodes are ready and nothing waits in their logs.
async fn have_no_work(world: &World) -> bool {
    let ready = join_all(world.hosts().map(|host| Readiness::of(host.client()))).await;
    ready.into_iter().all(|ready| ready.is_ok_and(|ready| ready.is_idle()))
}
