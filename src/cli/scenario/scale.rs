//! `scenario scale`: runs experiments on each version that they are for, and writes SCALE.md.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::super::screen::print;
use super::super::{Exit, Failure};
use super::{name_of, read};
use crate::config::Version;
use crate::scenario::report;
use crate::scenario::scale::document;

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
    let due = due(&args)?;
    let mut outcomes = Vec::new();
    for (number, (file, version)) in due.iter().enumerate() {
        let folder = args.runs.join(format!("{}-{version}", name_of(file)));
        if !folder.exists() {
            print(&[format!(
                "{} of {}: {} on {version}",
                number + 1,
                due.len(),
                name_of(file)
            )])?;
            play(&args, file, *version, &folder).await?;
        }
        outcomes.push(report::read(&folder).map_err(|reason| Failure::new(Exit::Environment, reason))?);
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

/// Every experiment on every version that it is for.
fn due(args: &Args) -> Result<Vec<(&Path, Version)>, Failure> {
    let mut due = Vec::new();
    for file in &args.files {
        let versions = read(file, None)?.experiment.map(|(_, versions)| versions);
        let versions = versions.into_iter().flatten();
        due.extend(versions.map(|version| (file.as_path(), version)));
    }
    let complain = |reason: String| Err(Failure::new(Exit::Usage, reason));
    match due.len() {
        0 => complain("none of these files has an [experiment]".to_owned()),
        1..=MAX_RUNS => Ok(due),
        many => complain(format!(
            "{many} experiments are more than one document takes ({MAX_RUNS})"
        )),
    }
}

/// Only a run that ended gets its folder.
async fn play(args: &Args, file: &Path, version: Version, folder: &Path) -> Result<(), Failure> {
    let half_done = folder.with_extension("part");
    if half_done.exists() {
        std::fs::remove_dir_all(&half_done)?;
    }
    let run = super::run::Args {
        file: file.to_owned(),
        url: None,
        token: None,
        seed: Some(args.seed),
        version: Some(version),
        shorten: args.shorten,
        lengthen: 1,
        out: Some(half_done.clone()),
        json: false,
    };
    let (outcome, _) = super::run::play(&run).await?;
    print(&super::summary::lines(&outcome))?;
    std::fs::rename(half_done, folder)?;
    Ok(())
}
