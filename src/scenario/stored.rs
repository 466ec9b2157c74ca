//! What is in the store, what is counted of it, and what the node shows, when it has come to rest.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use coffee_rt_actors::ports::{AuditReport, StoreError};
use serde_json::Value;
use uuid::Uuid;

use super::books::{Books, broken_promises};
use super::host::Host;
use super::outcome::Check;
use super::world::World;
use crate::load::Ledger;
use crate::stores;

/// How long what was acknowledged may take until it is stored and counted.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// A node that is well and has no backlog, and under which nothing changes for so long, will change nothing any more.
const REST: Duration = Duration::from_secs(5);
/// How often it is looked.
const SETTLE_POLL: Duration = Duration::from_millis(250);

/// What is there at one moment.
pub(super) struct Stored {
    books: Books,
    audit: AuditReport,
    /// Orders by each node's dashboard.
    shown: Vec<u64>,
}

impl Stored {
    async fn read(world: &World) -> Result<Self, String> {
        let read = async {
            let audit = stores::open_to_read(&world.settings).await?.audit().await?;
            Ok((Books::of(&world.settings).await?, audit))
        };
        let (books, audit) = read.await.map_err(|error: StoreError| error.to_string())?;
        let mut shown = Vec::new();
        for host in world.hosts() {
            let dashboard = told(host, "/api/dashboard").await?;
            let total = dashboard["stored_total"].as_u64();
            shown.push(total.ok_or("a dashboard has no stored_total")?);
        }
        Ok(Self { books, audit, shown })
    }

    /// When everything acknowledged is there, counted and shown; or when nothing changes any more, or that takes too long.
    pub(super) async fn settled(world: &World, ledgers: &[&Ledger]) -> Result<Self, String> {
        let (deadline, mut unchanged) = (Instant::now() + SETTLE_LIMIT, None);
        loop {
            let now = Instant::now();
            match Self::read(world).await {
                Ok(stored) if stored.is_settled(ledgers) || now > deadline => return Ok(stored),
                Ok(stored) => {
                    let figures = (stored.books.rows, stored.audit.orders, stored.shown.clone());
                    let since = match unchanged {
                        Some((before, since)) if before == figures && have_no_work(world).await => since,
                        _ => now,
                    };
                    if now - since > REST {
                        return Ok(stored);
                    }
                    unchanged = Some((figures, since));
                }
                Err(error) if now > deadline => return Err(format!("the end cannot be judged: {error}")),
                Err(_) => unchanged = None,
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
    }

    fn is_settled(&self, ledgers: &[&Ledger]) -> bool {
        let mut acknowledged = ledgers.iter().flat_map(|ledger| ledger.acknowledged());
        self.audit.differences.is_empty()
            && self.shown.iter().all(|shown| *shown == self.audit.orders)
            && acknowledged.all(|order| self.books.times(order.message_id) > 0)
    }

    /// The how-manieth stored order each is, from one.
    pub(super) fn ranks(&self) -> HashMap<Uuid, u64> {
        self.books.by_id.iter().copied().zip(1..).collect()
    }

    /// The promises, and how each is broken.
    pub(super) fn promises(&self, ledgers: &[&Ledger], before: &HashSet<Uuid>) -> Vec<Check> {
        let differences = self.audit.differences.iter().map(|difference| {
            let (what, recounted) = (&difference.what, &difference.recounted);
            format!("{what}: recounted {recounted}, recorded {}", difference.recorded)
        });
        let orders = self.audit.orders;
        let shown = self.shown.iter().filter(|shown| **shown != orders);
        let shown = shown.map(|shown| format!("{shown} orders are shown of {orders}"));
        vec![
            Check::new(
                "every acknowledged order is stored once, and no other than those that were sent",
                broken_promises(ledgers, &self.books, before),
            ),
            Check::new("what is counted is what is stored", differences.collect()),
            Check::new("what is shown is what is stored", shown.collect()),
        ]
    }
}

async fn told(host: &Host, path: &str) -> Result<Value, String> {
    host.client().get(path).await.map_err(|error| error.to_string())
}

/// Whether the nodes are ready and nothing waits in their logs.
async fn have_no_work(world: &World) -> bool {
    for host in world.hosts() {
        let idle = told(host, "/readyz").await.is_ok_and(|ready| {
            let components = ready["components"].as_object().into_iter().flatten();
            let mut logs = components.filter_map(|(_, component)| component.get("log"));
            ready["components"]["store"]["state"] == "up" && logs.all(|log| log["backlog"] == 0 && log["lag"] == 0)
        });
        if !idle {
            return false;
        }
    }
    true
}
