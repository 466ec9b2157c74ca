//! `migrate`: brings the store's schema up to date. A node does this by itself when it starts.

use std::io::{Write, stdout};

use super::{Exit, Failure};
use crate::adapters::postgres::PostgresStore;
use crate::adapters::sqlite::SqliteStore;
use crate::config::{Config, Flags};

/// Brings the schema of the node's store up to date.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  coffee-rt migrate                                the embedded database
  DATABASE_URL=postgres://… coffee-rt migrate      PostgreSQL, for instance before a rollout")]
pub struct Args {
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// Migrates.
///
/// # Errors
/// Where the store cannot be reached, or refuses.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.flags)?;
    let away = |error: &dyn std::fmt::Display| Failure::new(Exit::Environment, format!("migrate: {error}"));
    let engine = match &config.database_url {
        Some(url) => {
            let store = PostgresStore::connect_lazy(url.reveal(), &config.menu).map_err(|error| away(&error))?;
            store.migrate().await.map_err(|error| away(&error))?;
            "postgres"
        }
        None => {
            SqliteStore::open(&config.sqlite_path, &config.menu)
                .await
                .map_err(|error| away(&error))?;
            "sqlite"
        }
    };
    writeln!(stdout(), "the {engine} schema is up to date")?;
    Ok(Exit::Well)
}
