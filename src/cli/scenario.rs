//! `scenario`: load, faults and checks out of a file, against a node.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};

use super::screen::print;
use super::{Exit, Failure};
use crate::scenario::{Choice, Scenario};

pub mod compare;
pub mod run;
pub mod scale;
mod summary;

/// The longest scenario file, in bytes.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// Run load, faults and checks out of a file
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Command,
}

/// What is done with scenarios.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run a scenario and judge what it showed
    Run(run::Args),
    /// Say whether a file makes sense, and what it would do
    Check {
        /// The scenario
        file: PathBuf,
    },
    /// Print the JSON Schema of scenario files, for editors
    Schema,
    /// Put the reports of two runs side by side
    Compare(compare::Args),
    /// Run all experiments, and write SCALE.md
    Scale(scale::Args),
}

/// Runs the command.
///
/// # Errors
/// [`Exit::Usage`] for a file that makes no sense, [`Exit::Environment`] where something failed that the scenario needs.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    match args.command {
        Command::Check { file } => {
            let scenario = read(&file, Choice::default())?;
            let (loads, seconds) = (scenario.loads.len(), scenario.length().as_secs_f64());
            print(&[format!(
                "{}: {loads} loads, {seconds} s: {}",
                file.display(),
                scenario.about
            )])?;
            Ok(Exit::Well)
        }
        Command::Schema => {
            let schema = serde_json::to_string_pretty(&Scenario::schema()).map_err(std::io::Error::from)?;
            print(&[schema])?;
            Ok(Exit::Well)
        }
        Command::Run(args) => run::run(args).await,
        Command::Compare(args) => compare::run(&args),
        Command::Scale(args) => scale::run(args).await,
    }
}

fn read(file: &Path, choice: Choice) -> Result<Scenario, Failure> {
    let complain = |reason: String| Failure::new(Exit::Usage, format!("{}: {reason}", file.display()));
    let size = std::fs::metadata(file)
        .map_err(|error| complain(error.to_string()))?
        .len();
    if size > MAX_FILE_BYTES {
        return Err(complain(format!(
            "longer than the {MAX_FILE_BYTES} bytes that a scenario may have"
        )));
    }
    let text = std::fs::read_to_string(file).map_err(|error| complain(error.to_string()))?;
    Scenario::parse(&text, choice).map_err(|error| complain(error.to_string()))
}

/// A scenario's name is its file's.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem();
    stem.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What an earlier run left would be taken for this one's.
fn new_folder(folder: &Path) -> Result<PathBuf, Failure> {
    let complain = |reason: String| Failure::new(Exit::Usage, format!("{}: {reason}", folder.display()));
    std::fs::create_dir_all(folder).map_err(|error| complain(error.to_string()))?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| complain(error.to_string()))?;
    if entries.next().is_some() {
        return Err(complain(
            "there is something in it already: name another with --out".to_owned(),
        ));
    }
    Ok(folder.canonicalize()?)
}
