//! `serve`: the node itself.

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure};
use crate::config::{Config, Flags};
use crate::logs;
use crate::node::{self, NodeError};
use crate::traces::Traces;

/// Runs a node until SIGTERM or Ctrl-C.
///
/// # Errors
/// Where it cannot start, or its supervision tree gave up.
pub async fn run(flags: Flags) -> Result<Exit, Failure> {
    let config = Config::load(&flags)?;
    logs::start(&config).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    raise_file_limit();
    let stop = stop_signal().map_err(|error| Failure::new(Exit::Environment, format!("signals: {error}")))?;
    let traces = Traces::start(&config).map_err(|error| Failure::new(Exit::Usage, format!("traces: {error}")))?;
    let ended = node::run(config, stop).await;
    traces.finish().await;
    match ended {
        Ok(()) => Ok(Exit::Well),
        Err(error @ NodeError::Start(_)) => Err(Failure::new(Exit::Environment, error.to_string())),
        Err(error @ NodeError::Meltdown(_)) => {
            tracing::error!(%error, "the node ends");
            Err(Failure::new(Exit::Meltdown, error.to_string()))
        }
    }
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Every connection is a file; the soft limit is often 1,024 where the hard one is far higher.
pub(super) fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
