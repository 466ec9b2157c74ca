//! `kill`: injects a fault into one actor, and measures how long it takes to work again.

use std::time::{Duration, Instant};

use clap::{Args as ClapArgs, ValueEnum};
use console::style;
use serde::Serialize;
use serde_json::json;

use super::actors::{ACTORS_PATH, ActorTree};
use super::screen::print;
use super::{Exit, Failure, NodeArgs};
use crate::client::{ClientError, NodeClient};

/// How long an actor may take to work again.
const COMEBACK_DEADLINE_SECONDS: u64 = 5;
/// The first pauses between looks at the tree are this short; they grow to the longest.
const FIRST_LOOK_MICROS: u64 = 500;
const LONGEST_LOOK_MILLIS: u64 = 20;
/// The node's longest stall.
const MAX_STALL_MILLIS: u64 = 5_000;
/// How many paths are proposed in place of an unknown one.
const PROPOSALS: usize = 4;

/// What is done to the actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// End it at once, whatever it does
    #[default]
    Kill,
    /// Let it panic
    Panic,
    /// Let it handle nothing for a while
    Stall,
}

/// Kill, crash or stall an actor, and see it come back
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt kill v1/batcher-0                    kill it and wait until it works again
  coffee-rt kill v1/batcher-0 --mode panic       let it panic instead
  coffee-rt kill shared --json                   a whole branch, for a script
  coffee-rt kill v1/ingest --mode stall --millis 2000

`coffee-rt tree` lists the paths.

Exit codes: 0 it works again (or stalls, or --no-wait), 1 unknown path or not back within 5 s, 2 wrong usage,
4 the node cannot be reached or allows no fault injection.")]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub node: NodeArgs,
    /// Path of the actor, as `tree` shows it
    pub path: String,
    /// What to do to it
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// How long it stalls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_STALL_MILLIS))]
    pub millis: Option<u64>,
    /// Wait until it works again (the default)
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Return at once
    #[arg(long)]
    pub no_wait: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Injects the fault.
///
/// # Errors
/// [`Exit::No`] for an unknown path or an actor that stays away, [`Exit::Environment`] where the node cannot be reached or
/// refuses.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    if args.millis.is_some() && args.mode != Mode::Stall {
        return Err(Failure::new(
            Exit::Usage,
            "--millis says how long an actor stalls: it needs --mode stall",
        ));
    }
    let client = args.node.client()?;
    let before = ActorTree::fetch(&client).await?;
    let Some(actor) = before.find(&args.path) else {
        return Err(unknown(&args.path, &before));
    };
    let mut fault = json!({ "mode": args.mode });
    if let Some(millis) = args.millis {
        fault["millis"] = json!(millis);
    }
    let struck = Instant::now();
    match client
        .post(&format!("{ACTORS_PATH}/{}/kill", in_url(&args.path)), &fault)
        .await
    {
        Ok(()) => {}
        Err(ClientError::Problem(problem)) if problem.status == 404 => return Err(unknown(&args.path, &before)),
        Err(ClientError::Problem(problem)) if problem.status == 422 => {
            return Err(Failure::new(Exit::Usage, problem.to_string()));
        }
        Err(error) => return Err(error.into()),
    }
    if args.mode == Mode::Stall || args.no_wait {
        tell(&args, None)?;
        return Ok(Exit::Well);
    }
    let back = comeback(&client, &args.path, actor.generation, struck).await?;
    tell(&args, Some(back))?;
    Ok(Exit::Well)
}

/// An actor that works again.
#[derive(Clone, Copy, Debug)]
struct Comeback {
    after: Duration,
    generation: u64,
}

/// Looks at the tree until the actor runs in a later generation. The node may be hard to reach meanwhile: the actor may
/// be one that answers.
async fn comeback(client: &NodeClient, path: &str, before: u64, struck: Instant) -> Result<Comeback, Failure> {
    let mut pause = Duration::from_micros(FIRST_LOOK_MICROS);
    let mut seen = "nothing".to_owned();
    let looking = async {
        loop {
            match ActorTree::fetch(client).await {
                Ok(tree) => match tree.find(path) {
                    Some(actor) if actor.is_running() && actor.generation > before => {
                        return Comeback {
                            after: struck.elapsed(),
                            generation: actor.generation,
                        };
                    }
                    Some(actor) => seen = format!("{} in generation {}", actor.state, actor.generation),
                    None => seen = "no such actor".to_owned(),
                },
                Err(error) => seen = error.to_string(),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(LONGEST_LOOK_MILLIS));
        }
    };
    let deadline = Duration::from_secs(COMEBACK_DEADLINE_SECONDS);
    let back = tokio::time::timeout(deadline, Box::pin(looking)).await;
    back.map_err(|_| {
        let reason = format!("{path} did not work again within {COMEBACK_DEADLINE_SECONDS} s; last seen: {seen}");
        Failure::new(Exit::No, reason)
    })
}

fn tell(args: &Args, back: Option<Comeback>) -> Result<(), Failure> {
    let path = &args.path;
    let text = if args.json {
        let millis = back.map(|back| back.after.as_secs_f64() * 1_000.0);
        let generation = back.map(|back| back.generation);
        json!({"path": path, "mode": args.mode, "running_after_ms": millis, "generation": generation}).to_string()
    } else {
        let done = match args.mode {
            Mode::Kill => "killed",
            Mode::Panic => "panicked",
            Mode::Stall => "stalls",
        };
        let then = match (back, args.millis) {
            (Some(Comeback { after, generation }), _) => {
                let millis = after.as_secs_f64() * 1_000.0;
                style(format!(
                    ", running again after {millis:.1} ms (generation {generation})"
                ))
                .green()
                .to_string()
            }
            (None, Some(millis)) => format!(" for {millis} ms"),
            (None, None) => String::new(),
        };
        format!("{path} {done}{then}")
    };
    Ok(print(&[text])?)
}

fn unknown(path: &str, tree: &ActorTree) -> Failure {
    let known = tree.nearest(path, PROPOSALS).join(", ");
    Failure::new(Exit::No, format!("there is no actor {path}; the nearest are: {known}"))
}

/// Slashes stay; what would end the path of a URL early is written in percent.
fn in_url(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    path.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_sent_as_they_are() {
        assert_eq!(in_url("v1/batcher-0"), "v1/batcher-0");
        assert_eq!(in_url("a b?c#d%"), "a%20b%3Fc%23d%25");
    }
}
