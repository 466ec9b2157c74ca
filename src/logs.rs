//! Events on standard output, for people or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::fmt;

use crate::config::{Config, LogFormat};

/// Starts logging.
///
/// # Errors
/// Where the filter cannot be read, or logging was started before.
pub fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| anyhow::anyhow!("settings: log: {error}"))?;
    // Statements that succeed are no events; slow ones are. Actors are named in our own events.
    let filter = filter
        .add_directive("sqlx::query=warn".parse()?)
        .add_directive("ractor=warn".parse()?);
    let builder = fmt().with_env_filter(filter);
    let started = match config.log_format {
        LogFormat::Human => builder.with_ansi(std::io::stdout().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}
