//! `scenario compare`: two reports side by side.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use console::style;

use crate::cli::screen::{print, table};
use crate::cli::{Exit, Failure};
use crate::scenario::report::{self, Comparison};

/// What is compared.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt scenario compare scenario-runs/spike-1 scenario-runs/spike-2
  coffee-rt scenario compare before/report.json after/report.json --json

Loads, viewers and processes are matched by their names. What keeps the runs from being compared is warned of.

Exit codes: 0 compared, 2 a file cannot be read or is no report.")]
pub struct Args {
    /// A report.json, or a run's folder
    pub a: PathBuf,
    /// The other
    pub b: PathBuf,
    /// Print the comparison as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Exit::Usage`] for a file that is no report.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let read = |path: &Path| report::read(path).map_err(|complaint| Failure::new(Exit::Usage, complaint));
    let comparison = Comparison::of(&read(&args.a)?, &read(&args.b)?);
    if args.json {
        let json = serde_json::to_string_pretty(&comparison).map_err(std::io::Error::from)?;
        print(&[json])?;
    } else {
        print(&lines(&comparison))?;
    }
    Ok(Exit::Well)
}

fn lines(comparison: &Comparison) -> Vec<String> {
    let head = ["", "", "A", "B", "B/A"].map(str::to_owned).to_vec();
    let rows = comparison.rows.iter().map(|row| row.cells().to_vec());
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let mut lines = table(&rows, 2..5);
    lines.push(String::new());
    let [a, b] = comparison.verdicts;
    lines.push(format!("verdict A: {a}"));
    lines.push(format!("verdict B: {b}"));
    let warnings = comparison.warnings.iter();
    lines.extend(warnings.map(|warning| format!("{} {warning}", style("beware:").yellow())));
    lines
}
