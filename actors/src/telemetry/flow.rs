//! How much has gone through the stages of a version, for those who look at the tree.

use prometheus::Histogram;
use serde::Serialize;

use super::Telemetry;

/// Work done since the node's start; rates and means come from the differences of two of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// How often.
    pub count: u64,
    /// Orders in all of them, those that failed included.
    pub orders: u64,
    /// How long all of them took.
    pub seconds: f64,
}

/// What has gone through a version's stages behind HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FlowCounts {
    /// Appends to the log; none for a version without one.
    pub appends: Option<Work>,
    /// Orders taken out of the log, repeated deliveries included.
    pub read_total: Option<u64>,
    /// Transactions.
    pub batches: Work,
    /// Orders that these inserted.
    pub stored_total: u64,
}

impl Telemetry {
    /// What has gone through a version, which has a log or has none.
    #[must_use]
    pub fn flow(&self, version: &str, has_log: bool) -> FlowCounts {
        let labels = &[version];
        let logs = &self.logs;
        FlowCounts {
            appends: has_log.then(|| {
                work(
                    &logs.append_orders.with_label_values(labels),
                    &logs.append_seconds.with_label_values(labels),
                )
            }),
            read_total: has_log.then(|| logs.read_orders.with_label_values(labels).get()),
            batches: work(
                &self.batch_orders.with_label_values(labels),
                &self.commit_seconds.with_label_values(labels),
            ),
            stored_total: self.stored.with_label_values(labels).get(),
        }
    }
}

fn work(orders: &Histogram, seconds: &Histogram) -> Work {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of whole numbers that are not negative"
    )]
    let in_all = orders.get_sample_sum() as u64;
    Work {
        count: seconds.get_sample_count(),
        orders: in_all,
        seconds: seconds.get_sample_sum(),
    }
}
