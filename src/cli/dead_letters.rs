//! `dead-letters`: what could not be stored, and how to have it stored after all.

use std::future::Future;
use std::time::Duration;

use coffee_rt_actors::ports::{LogError, PoisonReason};
use indicatif::ProgressBar;

use self::args::{Action, DiscardArgs, ListArgs, Of, ResubmitArgs};
use self::choice::Logs;
use self::correction::{Correction, Corrections};
use self::fate::Fate;
use super::screen::print;
use super::{Exit, Failure};
use crate::adapters::dead_letter::{DeadLetter, DeadLetterBox, Keeper, MAX_DEAD_LETTERS};
use crate::config::Config;
use crate::stores;

pub mod args;
mod choice;
mod correction;
mod fate;
mod show;

pub use args::Args;

/// What takes longer is seen to go on.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often that is drawn.
const SPIN: Duration = Duration::from_millis(100);

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

/// The settings, and the dead letters that they and the command line mean.
fn open(of: &Of) -> Result<(Config, Box<dyn DeadLetterBox>), Failure> {
    let config = Config::load(&of.flags)?;
    let version = choice::version(of.version, &Logs::of(&config))?;
    let opened = stores::dead_letters(&config, version);
    let opened = opened.map_err(|error| Failure::new(Exit::Usage, format!("settings: {error}")))?;
    let letters = opened.ok_or_else(|| choice::not_set(version))?;
    Ok((config, letters))
}

fn away(keeper: Keeper, error: LogError) -> Failure {
    let Keeper { product, variable, .. } = keeper;
    let reason = match error {
        LogError::Away(reason) => {
            format!("{product} cannot be reached or does not answer: {reason}; is {variable} right?")
        }
        error => error.to_string(),
    };
    Failure::new(Exit::Environment, format!("dead-letters: {reason}"))
}

async fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let (_, letters) = open(&args.of)?;
    let found = patiently(newest(letters.as_ref(), args)).await;
    let (newest, total) = found.map_err(|error| away(letters.keeper(), error))?;
    if args.json {
        print(&[show::json(&newest)])?;
    } else {
        print(&show::lines(&newest, total, args.reason.as_deref()))?;
    }
    warn(letters.as_ref());
    Ok(Exit::Well)
}

/// The newest letters that are asked for, newest last, and how many there are.
async fn newest(letters: &dyn DeadLetterBox, args: &ListArgs) -> Result<(Vec<DeadLetter>, u64), LogError> {
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
    let (config, letters) = open(&args.of)?;
    let work = fate::Resubmitting {
        letters: letters.as_ref(),
        menu: &config.menu,
        corrections: &corrections,
        dry_run: args.dry_run,
    };
    let mut fates = Vec::new();
    let ended = patiently(async {
        if args.all {
            work.all(args.reason.as_deref(), &mut fates).await
        } else {
            work.these(args.ids, &mut fates).await
        }
    });
    let ended = ended.await;
    conclude(letters.as_ref(), &fates, args.json, ended).await
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
    let (_, letters) = open(&args.of)?;
    let mut fates = Vec::new();
    let ended = patiently(fate::discard_these(letters.as_ref(), args.ids, &mut fates)).await;
    conclude(letters.as_ref(), &fates, args.json, ended).await
}

/// Prints what became of each letter, also where the rest could not be reached.
async fn conclude(
    letters: &dyn DeadLetterBox,
    fates: &[Fate],
    json: bool,
    ended: Result<(), LogError>,
) -> Result<Exit, Failure> {
    match &ended {
        Err(_) if fates.is_empty() => {}
        _ if json => print(&[serde_json::to_string_pretty(fates).unwrap_or_default()])?,
        _ => print(&fate::lines(fates))?,
    }
    ended.map_err(|error| away(letters.keeper(), error))?;
    if fates.iter().any(Fate::has_taken_it_away) {
        letters.tidy().await;
    }
    warn(letters);
    Ok(if fates.iter().all(Fate::is_well) {
        Exit::Well
    } else {
        Exit::No
    })
}

/// Says that not all letters were looked at.
fn warn(letters: &dyn DeadLetterBox) {
    if letters.overlooks() {
        eprintln!(
            "coffee-rt: dead-letters: there may be more than are looked at, the oldest {MAX_DEAD_LETTERS} at most: \
             they follow when these are submitted again or discarded"
        );
    }
}

/// Shows on the error output, where that is a terminal, that work goes on which takes a while.
async fn patiently<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    match tokio::time::timeout(PATIENCE, work.as_mut()).await {
        Ok(done) => done,
        Err(_) => {
            let spinner = ProgressBar::new_spinner().with_message("reading the dead letters");
            spinner.enable_steady_tick(SPIN);
            let done = work.await;
            spinner.finish_and_clear();
            done
        }
    }
}
