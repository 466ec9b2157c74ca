//! What is in the store, what is counted of it, and what the node shows, when it has come to rest.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use coffee_rt_actors::ports::{AuditReport, StoreError};
use serde_json::Value;
use uuid::Uuid;

use super::books::{Books, broken_promises};
use super::host::Host;
use super::outcome::Check;
use crate::load::Ledger;
use crate::{config::Config, stores};

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
    /// Orders by the node's dashboard.
    shown: u64,
}

impl Stored {
    async fn read(settings: &Config, host: &Host) -> Result<Self, String> {
        let read = async {
            Ok((
                Books::of(settings).await?,
                stores::open_to_read(settings).await?.audit().await?,
            ))
        };
        let (books, audit) = read.await.map_err(|error: StoreError| error.to_string())?;
        let dashboard: Value = told(host, "/api/dashboard").await?;
        let shown = dashboard["stored_total"].as_u64();
        let shown = shown.ok_or("the dashboard has no stored_total")?;
        Ok(Self { books, audit, shown })
    }

    /// When everything acknowledged is there, counted and shown; or when nothing changes any more, or that takes too long.
    pub(super) async fn settled(settings: &Config, host: &Host, ledgers: &[&Ledger]) -> Result<Self, String> {
        let (deadline, mut unchanged) = (Instant::now() + SETTLE_LIMIT, None);
        loop {
            let now = Instant::now();
            match Self::read(settings, host).await {
                Ok(stored) if stored.is_settled(ledgers) || now > deadline => return Ok(stored),
                Ok(stored) => {
                    let figures = (stored.books.rows, stored.audit.orders, stored.shown);
                    let since = match unchanged {
                        Some((before, since)) if before == figures && has_no_work(host).await => since,
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
            && self.shown == self.audit.orders
            && acknowledged.all(|order| self.books.times(order.message_id) > 0)
    }

    /// The promises, and how each is broken.
    pub(super) fn promises(&self, ledgers: &[&Ledger], before: &HashSet<Uuid>) -> Vec<Check> {
        let differences = self.audit.differences.iter().map(|difference| {
            let (what, recounted) = (&difference.what, &difference.recounted);
            format!("{what}: recounted {recounted}, recorded {}", difference.recorded)
        });
        let (shown, orders) = (self.shown, self.audit.orders);
        let shown = (shown != orders).then(|| format!("{shown} orders are shown of {orders}"));
        vec![
            Check::new(
                "every acknowledged order is stored once, and no other than those that were sent",
                broken_promises(ledgers, &self.books, before),
            ),
            Check::new("what is counted is what is stored", differences.collect()),
            Check::new("what is shown is what is stored", shown.into_iter().collect()),
        ]
    }
}

async fn told(host: &Host, path: &str) -> Result<Value, String> {
    host.client().get(path).await.map_err(|error| error.to_string())
}

/// Whether a node is ready and nothing waits in its logs.
async fn has_no_work(host: &Host) -> bool {
    told(host, "/readyz").await.is_ok_and(|ready| {
        let components = ready["components"].as_object().into_iter().flatten();
        let mut logs = components.filter_map(|(_, component)| component.get("log"));
        ready["components"]["store"]["state"] == "up" && logs.all(|log| log["backlog"] == 0 && log["lag"] == 0)
    })
}
