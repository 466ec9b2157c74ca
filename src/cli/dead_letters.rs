//! `dead-letters`: what could not be stored, and how to have it stored after all.

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use coffee_rt_actors::ports::{LogError, PoisonReason};

use self::correction::{Correction, Corrections};
use self::fate::Fate;
use super::screen::print;
use super::{Exit, Failure};
use crate::adapters::dead_letter::DeadLetter;
use crate::adapters::redis::{DeadLetters, MAX_DEAD_LETTERS};
use crate::config::{Config, Flags};
use crate::stores;

mod correction;
mod fate;
mod show;

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

It reads the node's settings, as for REDIS_URL and the menu, and works while nodes run or not.

Exit codes: 0 well, 1 a letter was not there or not submitted, 2 wrong usage, 4 Redis cannot be reached or is not set"
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
    /// Delete them for good
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
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
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

Exit codes: 0 all submitted, 1 some letter was not, 2 wrong usage, 4 Redis cannot be reached or is not set"
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
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// What to delete.
#[derive(Debug, ClapArgs)]
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
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(PoisonReason::ALL.map(PoisonReason::name))
}

/// Lists, submits again or deletes.
///
/// # Errors
/// [`Exit::Usage`] for what contradicts itself, [`Exit::Environment`] where the dead letters cannot be reached.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    match args.action.unwrap_or(Action::List(args.list)) {
        Action::List(args) => list(&args).await,
        Action::Resubmit(args) => resubmit(args).await,
        Action::Discard(args) => discard(args).await,
    }
}

fn open(flags: &Flags) -> Result<(Config, DeadLetters), Failure> {
    let config = Config::load(flags)?;
    let opened = stores::dead_letters(&config);
    let opened = opened.map_err(|error| Failure::new(Exit::Usage, format!("settings: redis_url: {error}")))?;
    let letters = opened.ok_or_else(|| {
        let reason = "dead-letters: no redis_url is set: set REDIS_URL to the Redis of the nodes";
        Failure::new(Exit::Environment, reason)
    })?;
    Ok((config, letters))
}

fn away(error: LogError) -> Failure {
    let reason = match error {
        LogError::Away(reason) => format!("Redis cannot be reached or does not answer: {reason}; is REDIS_URL right?"),
        error => error.to_string(),
    };
    Failure::new(Exit::Environment, format!("dead-letters: {reason}"))
}

async fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let (_, letters) = open(&args.flags)?;
    let (newest, total) = newest(&letters, args).await.map_err(away)?;
    if args.json {
        print(&[show::json(&newest)])?;
    } else {
        print(&show::lines(&newest, total, args.reason.as_deref()))?;
    }
    Ok(Exit::Well)
}

/// The newest letters that are asked for, newest last, and how many there are.
async fn newest(letters: &DeadLetters, args: &ListArgs) -> Result<(Vec<DeadLetter>, u64), LogError> {
    let (mut newest, mut total) = (Vec::new(), 0);
    let mut beyond: Option<String> = None;
    loop {
        let page = letters.newest_first(beyond.as_deref()).await?;
        let Some(last) = page.last() else { break };
        beyond = Some(last.id.clone());
        for letter in page {
            if args.reason.as_ref().is_none_or(|reason| *reason == letter.reason) {
                total += 1;
                if total <= args.limit {
                    newest.push(letter);
                }
            }
        }
        // Without a reason the log itself knows how many there are.
        if args.reason.is_none() && total >= args.limit {
            total = letters.count().await?;
            break;
        }
    }
    newest.reverse();
    Ok((newest, total))
}

async fn resubmit(args: ResubmitArgs) -> Result<Exit, Failure> {
    let corrections = corrections(&args).map_err(|reason| Failure::new(Exit::Usage, reason))?;
    let (config, letters) = open(&args.flags)?;
    let work = fate::Resubmitting {
        letters: &letters,
        menu: &config.menu,
        corrections: &corrections,
        dry_run: args.dry_run,
    };
    let mut fates = Vec::new();
    let ended = if args.all {
        work.all(args.reason.as_deref(), &mut fates).await
    } else {
        work.these(args.ids, &mut fates).await
    };
    conclude(&fates, args.json, ended)
}

/// What is to be corrected, unless it contradicts itself.
fn corrections(args: &ResubmitArgs) -> Result<Corrections, &'static str> {
    let sets_key = args.set.iter().any(Correction::is_key);
    if sets_key && args.new_key {
        return Err("--new-key and --set message_id=… exclude each other");
    }
    if sets_key && args.ids.len() > 1 {
        return Err("--set message_id=… is for one dead letter: a message_id belongs to one order");
    }
    if args.all && args.new_key && args.reason.as_deref() != Some(PoisonReason::KeyReused.name()) {
        return Err(
            "--all with --new-key needs --reason key_reused: any other order keeps its message_id, \
                    or it could be stored twice",
        );
    }
    Ok(Corrections {
        set: args.set.clone(),
        new_key: args.new_key,
    })
}

async fn discard(args: DiscardArgs) -> Result<Exit, Failure> {
    if !args.yes {
        let reason = "dead-letters discard deletes for good, and the orders with it: add --yes to do so";
        return Err(Failure::new(Exit::Usage, reason));
    }
    let (_, letters) = open(&args.flags)?;
    let mut fates = Vec::new();
    let ended = fate::discard_these(&letters, args.ids, &mut fates).await;
    conclude(&fates, args.json, ended)
}

/// Prints what became of each letter, also where the rest could not be reached.
fn conclude(fates: &[Fate], json: bool, ended: Result<(), LogError>) -> Result<Exit, Failure> {
    match &ended {
        Err(_) if fates.is_empty() => {}
        _ if json => print(&[serde_json::to_string_pretty(fates).unwrap_or_default()])?,
        _ => print(&fate::lines(fates))?,
    }
    ended.map_err(away)?;
    Ok(if fates.iter().all(Fate::is_well) {
        Exit::Well
    } else {
        Exit::No
    })
}
