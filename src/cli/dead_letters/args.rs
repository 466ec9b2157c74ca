//! What `dead-letters` can be told.

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use coffee_rt_actors::ports::PoisonReason;

use super::correction::Correction;
use crate::adapters::dead_letter::MAX_DEAD_LETTERS;
use crate::config::{Flags, Version};

/// How many letters are listed unless told.
const DEFAULT_LISTED_LETTERS: u64 = 50;

/// List what could not be stored, correct it and submit it again
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  coffee-rt dead-letters                              the last 50, newest last
  coffee-rt dead-letters --reason key_reused --json   for a script
  coffee-rt dead-letters resubmit 1795348800000-0 --set price=4.50
  coffee-rt dead-letters resubmit --all --reason invalid --dry-run
  coffee-rt dead-letters discard 1795348800000-1 --yes
  coffee-rt dead-letters --version 3                  those of Kafka, where the node has Redis too
  coffee-rt dead-letters resubmit 0-17                a letter of Kafka: partition 0 of their topic, offset 17

It reads the node's settings, as for REDIS_URL, KAFKA_BOOTSTRAP_SERVERS and the menu, and works while nodes run or not.

Exit codes: 0 well, 1 a letter was not there or not submitted, 2 wrong usage, 4 Redis or Kafka cannot be
reached or is not set"
)]
pub struct Args {
    /// What to do with them; list unless told.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// What to list, where nothing else is done.
    #[command(flatten)]
    pub list: ListArgs,
}

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List them, newest last (the default)
    List(ListArgs),
    /// Submit their orders again, corrected where need be
    Resubmit(ResubmitArgs),
    /// Be done with them for good
    Discard(DiscardArgs),
}

/// What to list.
#[derive(Debug, ClapArgs)]
pub struct ListArgs {
    /// The most letters to list; the newest are
    #[arg(long, value_name = "N", default_value_t = DEFAULT_LISTED_LETTERS,
        value_parser = clap::value_parser!(u64).range(1..=MAX_DEAD_LETTERS))]
    pub limit: u64,
    /// Only those put aside for this reason
    #[arg(long, value_parser = reasons())]
    pub reason: Option<String>,
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
    /// Whose dead letters
    #[command(flatten)]
    pub of: Of,
}

/// What to submit again.
#[derive(Debug, ClapArgs)]
#[command(
    group = ArgGroup::new("which").required(true).args(["ids", "all"]),
    after_help = "Examples:
  coffee-rt dead-letters resubmit 1795348800000-0                   as it is: its drink is on the menu by now
  coffee-rt dead-letters resubmit 1795348800000-0 --set drink=latte --set price=4.50
  coffee-rt dead-letters resubmit 1795348800000-1 --new-key         another order had its message_id
  coffee-rt dead-letters resubmit --all --reason invalid --dry-run  what would be submitted

The corrected order must be right by this node's menu and rules, or its letter stays where it is. It keeps its message_id,
so that it cannot be stored twice.

Exit codes: 0 all submitted, 1 some letter was not, 2 wrong usage, 4 Redis or Kafka cannot be
reached or is not set"
)]
pub struct ResubmitArgs {
    /// Ids of dead letters, as `list` shows them
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All of them, uncorrected
    #[arg(long, conflicts_with = "set")]
    pub all: bool,
    /// With --all: only those put aside for this reason
    #[arg(long, requires = "all", conflicts_with = "ids", value_parser = reasons())]
    pub reason: Option<String>,
    /// Correct a field: drink, store, price, timestamp or message_id
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<Correction>,
    /// Give the order a fresh message_id: it is then another order than any stored one
    #[arg(long)]
    pub new_key: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
    /// Whose dead letters
    #[command(flatten)]
    pub of: Of,
}

/// What to delete.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt dead-letters discard 1795348800000-1 --yes
  coffee-rt dead-letters discard 0-17 0-18 --yes      letters of Kafka

Redis deletes them. Kafka cannot delete one: it is marked, and goes when all older ones are resolved.

Exit codes: 0 all discarded, 1 some letter was not there, 2 wrong usage, 4 Redis or Kafka cannot be
reached or is not set")]
pub struct DiscardArgs {
    /// Ids of dead letters, as `list` shows them
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Yes, delete them for good
    #[arg(long)]
    pub yes: bool,
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
    /// Whose dead letters
    #[command(flatten)]
    pub of: Of,
}

/// Where the letters are.
#[derive(Debug, ClapArgs)]
pub struct Of {
    /// Whose dead letters: 2 those of Redis, 3 those of Kafka [default: those of the one that is set]
    #[arg(long = "version", id = "api_version", value_name = "2|3", value_parser = version)]
    pub version: Option<Version>,
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// A version that has a log, with or without its letter.
fn version(text: &str) -> Result<Version, &'static str> {
    match text {
        "2" | "v2" => Ok(Version::V2),
        "3" | "v3" => Ok(Version::V3),
        _ => Err("dead letters are of version 2 (Redis) or 3 (Kafka)"),
    }
}

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(PoisonReason::ALL.map(PoisonReason::name))
}
