//! Events for people or as JSON.

use std::io::{self, IsTerminal, Write};

use indicatif::ProgressBar;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::{MakeWriter, fmt};

use crate::config::{Config, LogFormat};

/// Starts logging on standard output.
///
/// # Errors
/// Where the filter cannot be read, or logging was started before.
pub fn start(config: &Config) -> anyhow::Result<()> {
    start_on(config, BoxMakeWriter::new(io::stdout), io::stdout().is_terminal())
}

/// Starts logging on standard error, above a progress bar. Standard output is left to results.
///
/// # Errors
/// As [`start`].
pub fn start_above(config: &Config, bar: &ProgressBar) -> anyhow::Result<()> {
    start_on(
        config,
        BoxMakeWriter::new(Above(bar.clone())),
        io::stderr().is_terminal(),
    )
}

fn start_on(config: &Config, writer: BoxMakeWriter, colours: bool) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| anyhow::anyhow!("settings: log: {error}"))?;
    // Statements that succeed are no events; slow ones are. Actors are named in our own events.
    let filter = filter
        .add_directive("sqlx::query=warn".parse()?)
        .add_directive("sqlx::postgres::notice=warn".parse()?)
        .add_directive("ractor=warn".parse()?);
    let builder = fmt().with_env_filter(filter).with_writer(writer);
    let started = match config.log_format {
        LogFormat::Human => builder.with_ansi(colours).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}

/// Writes whole events while the bar is out of the way.
#[derive(Clone)]
struct Above(ProgressBar);

impl Write for Above {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'w> MakeWriter<'w> for Above {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
