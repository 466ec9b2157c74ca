//! Who stores what is in a log: this node's actors, or a job on an engine that all nodes share.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{LogError, StoreError};
use crate::domain::Instant;

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Actors of the nodes.
    Actors,
    /// A job on Apache Flink.
    Flink,
}

impl Engine {
    /// As it stands in settings, answers and the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Actors => "actors",
            Self::Flink => "flink",
        }
    }
}

/// A job, as its engine tells. What it does not tell is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobStatus {
    /// The engine's name for it; none where there is no job.
    pub id: Option<String>,
    /// The engine's word for what it does, such as `RUNNING`.
    pub state: Option<String>,
    /// How often it was restarted since it was submitted.
    pub restarts: Option<u64>,
    /// Checkpoints that were completed since then.
    pub checkpoints: Option<u64>,
    /// Checkpoints that failed.
    pub failed_checkpoints: Option<u64>,
    /// When the last one was completed.
    pub last_checkpoint_at: Option<Instant>,
    /// How long it took.
    pub last_checkpoint_ms: Option<u64>,
}

impl JobStatus {
    /// Whether it stores orders.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state.as_deref() == Some("RUNNING")
    }
}

/// What is known of who stores. None is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EngineView {
    /// Who stores.
    pub engine: Option<Engine>,
    /// The job, where it is one that does and its engine answers.
    pub job: Option<JobStatus>,
    /// Why something is not known, or does not work.
    pub trouble: Option<String>,
}

/// Why an engine did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Out of reach, or not able now. Asking again is safe.
    #[error("{0}")]
    Away(String),
    /// It does not want to, and would not later.
    #[error("{0}")]
    Refused(String),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(reason) => Self::Refused(reason),
            other => Self::Away(other.to_string()),
        }
    }
}

impl From<LogError> for EngineError {
    fn from(error: LogError) -> Self {
        Self::Away(error.to_string())
    }
}

/// The engine that a log's orders can be stored by in the place of actors, and who does it at present.
#[async_trait]
pub trait StreamEngine: Send + Sync + 'static {
    /// Who stores.
    ///
    /// # Errors
    /// [`EngineError::Away`] where that cannot be read.
    async fn engine(&self) -> Result<Engine, EngineError>;

    /// The job. Remembers where it can be taken up again.
    ///
    /// # Errors
    /// [`EngineError::Away`] where its engine does not answer.
    async fn job(&self) -> Result<JobStatus, EngineError>;

    /// Takes a job that is gone up again, at its last checkpoint. Does nothing where another node is about to, or where it is
    /// no job's turn any more.
    ///
    /// # Errors
    /// [`EngineError::Away`] or [`EngineError::Refused`].
    async fn restore(&self) -> Result<(), EngineError>;

    /// A number that differs whenever the job has stored something since it was last asked for: cheap, read often.
    ///
    /// # Errors
    /// [`EngineError::Away`].
    async fn progress(&self) -> Result<i64, EngineError>;
}
