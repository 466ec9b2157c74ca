//! What Flink's JobManager knows of jobs (<https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/>).

use std::time::Duration;

use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::ports::{EngineError, JobStatus};
use hyper::Method;
use serde::Deserialize;
use tokio::time::{Instant as Clock, sleep};

use super::rest::Rest;

/// How long a job may take to end once it is cancelled.
const END_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two looks whether it has.
const END_PAUSE: Duration = Duration::from_millis(200);

/// A job, and where it can be taken up again.
#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) status: JobStatus,
    pub(super) checkpoint: Option<String>,
}

#[derive(Deserialize)]
struct Overview {
    jobs: Vec<OverviewRow>,
}

#[derive(Deserialize)]
struct OverviewRow {
    jid: String,
    name: String,
    state: String,
    #[serde(rename = "start-time", default)]
    start_time: i64,
}

#[derive(Deserialize)]
struct Checkpoints {
    counts: Counts,
    latest: Latest,
}

#[derive(Deserialize)]
struct Counts {
    completed: u64,
    failed: u64,
}

#[derive(Deserialize)]
struct Latest {
    completed: Option<Completed>,
    restored: Option<Restored>,
}

#[derive(Deserialize)]
struct Completed {
    latest_ack_timestamp: i64,
    end_to_end_duration: u64,
    external_path: Option<String>,
}

#[derive(Deserialize)]
struct Restored {
    external_path: Option<String>,
}

#[derive(Deserialize)]
struct Metric {
    id: String,
    value: String,
}

/// A job that ended, well or not, has one of these states.
fn is_over(state: &str) -> bool {
    matches!(state, "FINISHED" | "CANCELED" | "FAILED" | "SUSPENDED")
}

/// The job of that name that is not over: the latest, where there are several. None of its fields is set where there is none.
pub(super) async fn job(manager: &Rest, name: &str) -> Result<Job, EngineError> {
    let Some(row) = living(manager, name).await?.pop() else {
        return Ok(Job::default());
    };
    // A job that is just beginning has nothing to tell of these, and the JobManager then answers with an error.
    let checkpoints: Option<Checkpoints> = manager.get(&format!("/jobs/{}/checkpoints", row.jid)).await.ok();
    let metrics: Result<Vec<Metric>, _> = manager.get(&format!("/jobs/{}/metrics?get=numRestarts", row.jid)).await;
    let metrics = metrics.unwrap_or_default();
    let restarts = metrics.iter().find(|metric| metric.id == "numRestarts");
    let last = checkpoints.as_ref().and_then(|told| told.latest.completed.as_ref());
    let restored = checkpoints.as_ref().and_then(|told| told.latest.restored.as_ref());
    let status = JobStatus {
        id: Some(row.jid),
        state: Some(row.state),
        restarts: restarts.and_then(|restarts| restarts.value.parse().ok()),
        checkpoints: checkpoints.as_ref().map(|told| told.counts.completed),
        failed_checkpoints: checkpoints.as_ref().map(|told| told.counts.failed),
        last_checkpoint_at: last.map(|last| Instant(last.latest_ack_timestamp * 1_000)),
        last_checkpoint_ms: last.map(|last| last.end_to_end_duration),
    };
    let paths = last.and_then(|last| last.external_path.clone());
    let checkpoint = paths.or_else(|| restored.and_then(|restored| restored.external_path.clone()));
    Ok(Job { status, checkpoint })
}

/// Cancels all jobs of that name and waits for their end. They keep their last checkpoints.
pub(super) async fn cancel(manager: &Rest, name: &str) -> Result<(), EngineError> {
    let began = Clock::now();
    loop {
        let rows = living(manager, name).await?;
        if rows.is_empty() {
            return Ok(());
        }
        if began.elapsed() > END_LIMIT {
            return Err(EngineError::Away(format!(
                "the job was cancelled and has not ended within {END_LIMIT:?}"
            )));
        }
        for row in rows.iter().filter(|row| row.state != "CANCELLING") {
            manager
                .order(Method::PATCH, &format!("/jobs/{}?mode=cancel", row.jid))
                .await?;
        }
        sleep(END_PAUSE).await;
    }
}

/// Oldest first.
async fn living(manager: &Rest, name: &str) -> Result<Vec<OverviewRow>, EngineError> {
    let Overview { mut jobs } = manager.get("/jobs/overview").await?;
    jobs.retain(|row| row.name == name && !is_over(&row.state));
    jobs.sort_by_key(|row| row.start_time);
    Ok(jobs)
}
