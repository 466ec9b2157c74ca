//! `migrate`: brings the store's schema up to date. A node does this by itself when it starts.

use std::io::{Write, stdout};

use super::{Exit, Failure};
use crate::adapters::postgres::PostgresStore;
use crate::adapters::sqlite::SqliteStore;
use crate::adapters::{Migration, MigrationState};
use crate::config::{Config, Flags};

/// Brings the schema of the node's store up to date, or tells how it is.
///
/// Changes only go forward, and nodes of the version before work on meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  coffee-rt migrate                                the embedded database
  DATABASE_URL=postgres://… coffee-rt migrate      PostgreSQL, for instance before a rollout
  coffee-rt migrate --status                       what there is and what is pending, and change nothing

Exit codes: 0 up to date, 1 with --status where changes are pending, 4 the store cannot be reached")]
pub struct Args {
    /// Only tell which changes the store has
    #[arg(long)]
    pub status: bool,
    /// With --status, print JSON
    #[arg(long, requires = "status")]
    pub json: bool,
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// Migrates, or tells what there is.
///
/// # Errors
/// Where the store cannot be reached, or refuses.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.flags)?;
    if args.status {
        return status(&config, args.json).await;
    }
    let engine = match &config.database_url {
        Some(url) => {
            let store = PostgresStore::connect_lazy(url.reveal(), &config.menu).map_err(away)?;
            store.migrate().await.map_err(away)?;
            "postgres"
        }
        None => {
            SqliteStore::open(&config.sqlite_path, &config.menu)
                .await
                .map_err(away)?;
            "sqlite"
        }
    };
    writeln!(stdout(), "the {engine} schema is up to date")?;
    Ok(Exit::Well)
}

async fn status(config: &Config, json: bool) -> Result<Exit, Failure> {
    let migrations = match &config.database_url {
        Some(url) => {
            let store = PostgresStore::connect_lazy(url.reveal(), &config.menu).map_err(away)?;
            store.migrations().await.map_err(away)?
        }
        None => SqliteStore::migrations(&config.sqlite_path).await.map_err(away)?,
    };
    let mut out = stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &migrations).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        for line in lines(&migrations) {
            writeln!(out, "{line}")?;
        }
    }
    let pending = migrations
        .iter()
        .any(|migration| migration.state == MigrationState::Pending);
    Ok(if pending { Exit::No } else { Exit::Well })
}

fn lines(migrations: &[Migration]) -> impl Iterator<Item = String> {
    let width = migrations
        .iter()
        .map(|migration| migration.description.len())
        .max()
        .unwrap_or_default();
    migrations.iter().map(move |migration| {
        let state = match &migration.state {
            MigrationState::Applied { at } => format!("applied {at}"),
            MigrationState::Pending => "pending".to_owned(),
            MigrationState::Newer { at } => format!("applied {at} by a newer version, which this one works with"),
        };
        format!("{:>4}  {:<width$}  {state}", migration.version, migration.description)
    })
}

fn away(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Environment, format!("migrate: {error}"))
}
