//! Faults that an operator injects into one actor.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a stall lasts unless told.
pub const DEFAULT_STALL_MS: u64 = 1_000;
/// The longest stall.
pub const MAX_STALL_MS: u64 = 5_000;

/// What to do to an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "mode", content = "millis")]
pub enum Fault {
    /// End it at once, in the middle of whatever it awaits; its mailbox is lost.
    Kill,
    /// Panic in its next message.
    Panic,
    /// Let it sleep for some milliseconds in its next message.
    Stall(u64),
}

/// Why a fault was not injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No actor has this path.
    #[error("no actor has the path {0}")]
    UnknownPath(String),
    /// The actor is dead at the moment and is being restarted.
    #[error("{0} is not running at the moment")]
    NotRunning(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill"),
            Self::Panic => f.write_str("panic"),
            Self::Stall(millis) => write!(f, "stall of {millis} ms"),
        }
    }
}

impl Fault {
    /// Suffers the fault from inside a message handler. A kill comes from outside and never gets here.
    ///
    /// # Panics
    /// On purpose, for [`Fault::Panic`].
    pub(super) async fn suffer(self) {
        match self {
            Self::Kill => {}
            Self::Panic => panic!("panic injected"),
            Self::Stall(millis) => tokio::time::sleep(Duration::from_millis(millis.min(MAX_STALL_MS))).await,
        }
    }
}
