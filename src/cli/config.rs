//! `config`: the effective settings.

use std::io::{Write, stdout};

use super::{Exit, Failure};
use crate::config::{Config, Flags};

/// Prints the settings that a node would run with, secrets masked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  coffee-rt config                                 as TOML, ready for coffee-rt.toml
  COFFEE_RT_LISTEN=0.0.0.0:8005 coffee-rt config   what a variable changes
  coffee-rt config --json

Variables: COFFEE_RT_* with __ for nesting, such as COFFEE_RT_LIMITS__CREDIT_ORDERS=1000; DATABASE_URL")]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// Prints the settings.
///
/// # Errors
/// Where they cannot be used; the key is named.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.flags)?;
    let shown = if args.json {
        serde_json::to_string_pretty(&config).map_err(|error| error.to_string())
    } else {
        toml::to_string_pretty(&config).map_err(|error| error.to_string())
    };
    let shown = shown.map_err(|error| Failure::new(Exit::Environment, error))?;
    writeln!(stdout(), "{}", shown.trim_end())?;
    Ok(Exit::Well)
}
