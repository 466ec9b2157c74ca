//! `scenario scale`: runs experiments on each version that they are for, and writes SCALE.md.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::super::screen::print;
use super::super::{Exit, Failure};
use super::{name_of, read};
use crate::scenario::scale::document;
use crate::scenario::{Choice, report};

/// The most experiments of one document, each version counting.
const MAX_RUNS: usize = 200;

/// How experiments are run.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt scenario scale scenarios/*.toml                            an hour or so; run it again to go on where it was cut off
  coffee-rt scenario scale scenarios/*.toml --shorten 10 --out /tmp/S.md --plots /tmp/plots --runs /tmp/runs

A file takes part where it has an [experiment]. An experiment whose report is in the folder of the runs is not run again.

Exit codes: 0 written, 2 a file makes no sense, 4 the environment failed or the run was interrupted. What an experiment showed
is in the document.")]
pub struct Args {
    /// Scenarios, in the order of the document
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Where the runs' reports are kept
    #[arg(long, value_name = "FOLDER", default_value = "scenario-runs/scale")]
    pub runs: PathBuf,
    /// The document
    #[arg(long, value_name = "FILE", default_value = "SCALE.md")]
    pub out: PathBuf,
    /// Where its plots are put
    #[arg(long, value_name = "FOLDER", default_value = "docs/scale")]
    pub plots: PathBuf,
    /// As of scenario run
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// As of scenario run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub shorten: u32,
}

/// Runs the command.
///
/// # Errors
/// [`Exit::Usage`] for files that make no sense, [`Exit::Environment`] where something failed that an experiment needs.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let (due, stopped) = (due(&args)?, stop_signals()?);
    let mut outcomes = Vec::new();
    for (number, (file, choice)) in due.iter().enumerate() {
        let name = format!("{}-{}", name_of(file), choice.name());
        let (folder, run) = (args.runs.join(&name), one(&args, file, *choice, &name));
        if !folder.exists() {
            if stopped.is_cancelled() {
                return Err(Failure::new(
                    Exit::Environment,
                    "it was interrupted; run it again to go on",
                ));
            }
            print(&[format!(
                "{} of {}: {} on {}",
                number + 1,
                due.len(),
                name_of(file),
                choice.name()
            )])?;
            play(&run, &folder).await?;
        }
        let outcome = report::read(&folder).map_err(|reason| Failure::new(Exit::Environment, reason))?;
        if outcome.repeat_with != super::run::repeat_with(&run, args.seed) {
            let hint = "is of other settings: delete it, or name another folder with --runs";
            return Err(Failure::new(
                Exit::Usage,
                format!("{}: the report {hint}", folder.display()),
            ));
        }
        outcomes.push(outcome);
    }
    let written = document(&outcomes, &args.plots);
    std::fs::create_dir_all(&args.plots)?;
    for (name, plot) in &written.plots {
        std::fs::write(args.plots.join(name), plot)?;
    }
    std::fs::write(&args.out, written.text)?;
    print(&[format!("{} experiments: {}", outcomes.len(), args.out.display())])?;
    Ok(Exit::Well)
}

/// Every experiment on every version and engine that it is for.
fn due(args: &Args) -> Result<Vec<(&Path, Choice)>, Failure> {
    let mut due = Vec::new();
    for file in &args.files {
        let planned = read(file, Choice::default())?.experiment;
        let choices = planned.iter().flat_map(|planned| planned.choices());
        for choice in choices {
            // What makes no sense is refused now, and not after hours.
            read(file, choice)?;
            due.push((file.as_path(), choice));
        }
    }
    let complain = |reason: String| Err(Failure::new(Exit::Usage, reason));
    let mut names = HashSet::new();
    if let Some(twin) = args.files.iter().find(|file| !names.insert(name_of(file))) {
        return complain(format!("{}: there is another scenario with this name", twin.display()));
    }
    match due.len() {
        0 => complain("none of these files has an [experiment]".to_owned()),
        1..=MAX_RUNS => Ok(due),
        many => complain(format!(
            "{many} experiments are more than one document takes ({MAX_RUNS})"
        )),
    }
}

fn one(args: &Args, file: &Path, choice: Choice, name: &str) -> super::run::Args {
    super::run::Args {
        file: file.to_owned(),
        url: None,
        token: None,
        seed: Some(args.seed),
        version: choice.version,
        engine: choice.engine,
        shorten: args.shorten,
        lengthen: 1,
        // Only a run that ended gets its folder.
        out: Some(args.runs.join(format!("{name}.part"))),
        json: false,
    }
}

async fn play(run: &super::run::Args, folder: &Path) -> Result<(), Failure> {
    let half_done = run.out.clone().unwrap_or_default();
    if half_done.exists() {
        refuse_to_forget(&half_done)?;
        std::fs::remove_dir_all(&half_done)?;
    }
    let (outcome, _) = super::run::play(run).await?;
    print(&super::summary::lines(&outcome))?;
    std::fs::rename(half_done, folder)?;
    Ok(())
}

/// A run that was killed may have left services, which could not be found any more without their folder.
fn refuse_to_forget(half_done: &Path) -> Result<(), Failure> {
    let services = half_done.join("services");
    let Ok(entries) = std::fs::read_dir(&services) else {
        return Ok(());
    };
    let mut homes = entries.filter_map(Result::ok).map(|entry| entry.path());
    if homes.any(|home| home.join("pid").exists()) {
        let home = services.display();
        let hint =
            format!("services of a run that was killed may still be there: deploy/local/services down --home {home}");
        return Err(Failure::new(Exit::Environment, hint));
    }
    Ok(())
}

/// Cancelled when whoever runs it wants it to end. A run that is under way hears of it by itself.
fn stop_signals() -> Result<CancellationToken, Failure> {
    let stopped = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let (mut heard, stopped) = (signal(kind)?, stopped.clone());
        tokio::spawn(async move {
            heard.recv().await;
            stopped.cancel();
        });
    }
    Ok(stopped)
}
