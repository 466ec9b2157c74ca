//! What an auditor counts.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, exponential_buckets};

use super::gauge;
use crate::domain::Instant;
use crate::ports::AuditReport;

/// What an auditor counts.
#[derive(Clone)]
pub struct AuditMetrics {
    differences: IntGauge,
    orders: IntGauge,
    ended: IntGauge,
    /// Seconds that a recount takes.
    pub seconds: Histogram,
    clean: IntCounter,
    different: IntCounter,
    /// Recounts that the store did not answer.
    pub failed: IntCounter,
}

impl AuditMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| gauge(registry, name, help);
        let seconds = HistogramOpts::new("coffee_rt_audit_seconds", "Time that a recount takes");
        // 1 ms to 17 minutes.
        let seconds = Histogram::with_opts(seconds.buckets(exponential_buckets(0.001, 4.0, 11)?))?;
        registry.register(Box::new(seconds.clone()))?;
        let opts = Opts::new("coffee_rt_audits_total", "Recounts of all orders, by what they found");
        let audits = IntCounterVec::new(opts, &["outcome"])?;
        registry.register(Box::new(audits.clone()))?;
        Ok(Self {
            differences: gauge(
                "coffee_rt_audit_differences",
                "Differences between orders and what is counted about them, found by the last recount",
            )?,
            orders: gauge("coffee_rt_audit_orders", "Orders that the last recount counted")?,
            ended: gauge(
                "coffee_rt_audit_timestamp_seconds",
                "When the last recount ended, in seconds since 1970; 0 before the first",
            )?,
            seconds,
            clean: audits.with_label_values(&["clean"]),
            different: audits.with_label_values(&["different"]),
            failed: audits.with_label_values(&["failed"]),
        })
    }

    /// Shows what a recount found that ended at this time.
    pub fn show(&self, report: &AuditReport, ended: Instant) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.differences.set(gauge(report.differences.len() as u64));
        self.orders.set(gauge(report.orders));
        self.ended.set(ended.second());
        let outcome = if report.differences.is_empty() {
            &self.clean
        } else {
            &self.different
        };
        outcome.inc();
    }
}
