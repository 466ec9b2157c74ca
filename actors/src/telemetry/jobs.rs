//! What a follower counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::gauge;
use crate::ports::{Engine, EngineView};

/// What a follower counts.
#[derive(Clone)]
pub struct JobMetrics {
    stores: IntGauge,
    up: IntGauge,
    restarts: IntGauge,
    checkpoints: IntGauge,
    failed_checkpoints: IntGauge,
    last_checkpoint: IntGauge,
    /// Jobs that were taken up again.
    pub restored: IntCounter,
    /// Tries of that which failed.
    pub not_restored: IntCounter,
}

impl JobMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| gauge(registry, name, help);
        let opts = Opts::new(
            "coffee_rt_job_restores_total",
            "Tries of this node to take a job up again that was gone, by how they ended",
        );
        let restores = IntCounterVec::new(opts, &["outcome"])?;
        registry.register(Box::new(restores.clone()))?;
        Ok(Self {
            stores: gauge(
                "coffee_rt_job_stores",
                "1 where a job on another engine stores the orders of v3, 0 where actors do",
            )?,
            up: gauge("coffee_rt_job_up", "1 where that job is known to be running")?,
            restarts: gauge("coffee_rt_job_restarts", "Restarts of the job since it was submitted")?,
            checkpoints: gauge(
                "coffee_rt_job_checkpoints",
                "Checkpoints that the job completed since then",
            )?,
            failed_checkpoints: gauge("coffee_rt_job_failed_checkpoints", "Checkpoints of the job that failed")?,
            last_checkpoint: gauge(
                "coffee_rt_job_checkpoint_timestamp_seconds",
                "When the job completed its last checkpoint, in seconds since 1970; 0 where that is not known",
            )?,
            restored: restores.with_label_values(&["done"]),
            not_restored: restores.with_label_values(&["failed"]),
        })
    }

    /// Shows what is known.
    pub fn show(&self, view: &EngineView) {
        let gauge = |value: Option<u64>| i64::try_from(value.unwrap_or_default()).unwrap_or(i64::MAX);
        self.stores.set(i64::from(view.engine == Some(Engine::Flink)));
        let job = view.job.clone().unwrap_or_default();
        self.up.set(i64::from(job.is_running()));
        self.restarts.set(gauge(job.restarts));
        self.checkpoints.set(gauge(job.checkpoints));
        self.failed_checkpoints.set(gauge(job.failed_checkpoints));
        self.last_checkpoint
            .set(job.last_checkpoint_at.map_or(0, |at| at.second()));
    }
}
