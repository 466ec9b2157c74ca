//! `scenario run`: one file, played and judged.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use coffee_rt_actors::ports::Engine;
use indicatif::ProgressBar;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::super::screen::{PROGRESS_MILLIS, print, progress_bar};
use super::super::serve::raise_file_limit;
use super::super::{Exit, Failure};
use super::{name_of, new_folder, read, summary};
use crate::config::Version;
use crate::load::Progress;
use crate::scenario::{Choice, Environment, Outcome, Run, Verdict, report};

/// How a scenario is run.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt scenario run scenarios/kill-actors.toml
  coffee-rt scenario run scenarios/spike.toml --version v3 --shorten 2 --json
  coffee-rt scenario run scenarios/soak.toml --lengthen 90
  coffee-rt scenario run scenarios/compare-engines.toml --engine flink
  coffee-rt scenario run scenarios/spike.toml --url http://127.0.0.1:8005     a node that runs already, and takes no other orders

Nodes and services are started in a folder of the run's own, and ended with it, after Ctrl-C too.

Exit codes: 0 passed, 1 a threshold was missed, 2 the file makes no sense, 3 a promise was broken, 4 the environment failed
or the run was interrupted, 5 vacuous: a load had no order acknowledged, viewers saw nothing, or a fault did not hit.")]
pub struct Args {
    /// The scenario
    pub file: PathBuf,
    /// A node that is there, in place of one of its own; its store is read with the settings of the environment
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
    /// Bearer token, where that node asks for one
    #[arg(long, env = "COFFEE_RT_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Repeats the customers of an earlier run [default: a new one, which the report names]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Runs this version, with the services that it needs, in place of those that the file names
    #[arg(long, value_name = "VERSION")]
    pub version: Option<Version>,
    /// Who stores v3's orders, with the services that this needs, in place of whom the file names: actors or flink
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    pub engine: Option<Engine>,
    /// Divides the times at which things begin, how long loads last, and what is there before; not how long a fault lasts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000), conflicts_with = "lengthen")]
    pub shorten: u32,
    /// Multiplies them: a soak for hours in place of minutes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub lengthen: u32,
    /// Where the report and what the node writes is put; must be new or empty [default: scenario-runs/NAME-SEED]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Exit::Usage`] for a file that makes no sense, [`Exit::Environment`] where something failed that the scenario needs.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let (outcome, page) = play(&args).await?;
    let told = if args.json {
        print(&[serde_json::to_string_pretty(&outcome).map_err(std::io::Error::from)?])
    } else {
        print(&summary::lines(&outcome)).and_then(|()| print(&[format!("report: {}", page.display())]))
    };
    if outcome.verdict != Verdict::Passed {
        eprintln!("coffee-rt: repeat with: {}", outcome.repeat_with);
    }
    match told {
        // Who reads no further still wants to know how it ended.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        told => told?,
    }
    Ok(match outcome.verdict {
        Verdict::Passed => Exit::Well,
        Verdict::ThresholdMissed => Exit::No,
        Verdict::Vacuous => Exit::Vacuous,
        Verdict::EnvironmentFailed => Exit::Environment,
        Verdict::PromiseBroken => Exit::BrokenPromise,
    })
}

/// Runs a scenario and writes its report; says where that is.
pub(super) async fn play(args: &Args) -> Result<(Outcome, PathBuf), Failure> {
    raise_file_limit();
    let choice = args.choice();
    let scenario = read(&args.file, choice)?
        .shortened(args.shorten)
        .lengthened(args.lengthen);
    let scenario = scenario.map_err(|reason| Failure::new(Exit::Usage, format!("--lengthen: {reason}")))?;
    let name = name_of(&args.file);
    let seed = args.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
    let chosen = match choice.name() {
        name if name.is_empty() => name,
        name => format!("-{name}"),
    };
    let folder = args.out.clone();
    let folder = folder.unwrap_or_else(|| format!("scenario-runs/{name}{chosen}-{seed}").into());
    let folder = new_folder(&folder)?;
    let environment = Environment {
        url: args.url.clone(),
        token: args.token.clone(),
        program: std::env::current_exe()?,
        file: args.file.clone(),
        folder: folder.clone(),
        seed,
        repeat_with: repeat_with(args, seed),
    };
    let length = scenario.length();
    let run = Run::new(&name, scenario, environment);
    let outcome = watched(run, length).await;
    let outcome = outcome.map_err(|error| Failure::new(Exit::Environment, format!("{name}: {error}")))?;
    let page = report::write(&outcome, &folder)?;
    Ok((outcome, page))
}

/// The command that repeats a run.
pub(super) fn repeat_with(args: &Args, seed: u64) -> String {
    let file = args.file.display();
    let times = match args.lengthen {
        1 => format!("--shorten {}", args.shorten),
        times => format!("--lengthen {times}"),
    };
    let version = args.version.map(|version| format!(" --version {version}"));
    let engine = args.engine.map(|engine| format!(" --engine {}", engine.name()));
    let url = args.url.as_ref().map(|url| format!(" --url {url}"));
    let [version, engine, url] = [version, engine, url].map(Option::unwrap_or_default);
    format!("coffee-rt scenario run '{file}' --out NEW_FOLDER --seed {seed} {times}{version}{engine}{url}")
}

impl Args {
    fn choice(&self) -> Choice {
        Choice {
            version: self.version,
            engine: self.engine,
        }
    }
}

fn engine(name: &str) -> Result<Engine, String> {
    let known = [Engine::Actors, Engine::Flink];
    let found = known.into_iter().find(|engine| engine.name() == name);
    found.ok_or_else(|| "choose from actors and flink".to_owned())
}

/// Runs with a bar on the error output, to the end or to Ctrl-C.
async fn watched(run: Run, length: Duration) -> Result<Outcome, String> {
    let (stop, progress, stage) = (CancellationToken::new(), run.progress(), run.stage());
    let length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let bar = progress_bar(length, "{bar:12} {elapsed}  {wide_msg}");
    let heard = |kind| signal(kind).map_err(|error| error.to_string());
    let mut interrupt = heard(SignalKind::interrupt())?;
    let mut terminate = heard(SignalKind::terminate())?;
    // The terminal is gone.
    let mut hangup = heard(SignalKind::hangup())?;
    let mut running = std::pin::pin!(run.run(&stop));
    let mut tick = tokio::time::interval(Duration::from_millis(PROGRESS_MILLIS));
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome,
            _ = interrupt.recv() => stop.cancel(),
            _ = terminate.recv() => stop.cancel(),
            _ = hangup.recv() => stop.cancel(),
            _ = tick.tick() => match stage() {
                Some(stage) => {
                    bar.set_message(stage);
                    // The bar is as long as what comes after it.
                    bar.reset_elapsed();
                }
                None => show(&bar, &progress()),
            },
        }
    };
    bar.finish_and_clear();
    outcome
}

fn show(bar: &ProgressBar, loads: &[Progress]) {
    let sum = |part: fn(&Progress) -> u64| loads.iter().map(part).sum::<u64>();
    let (acked, refused) = (sum(|load| load.counts.acknowledged), sum(|load| load.counts.refused));
    let (open, broken) = (sum(|load| load.counts.unknown), sum(|load| load.broken_promises));
    let p99 = loads.iter().map(|load| load.latency.p99_ms).fold(0.0, f64::max);
    bar.set_position(u64::try_from(bar.elapsed().as_millis()).unwrap_or(u64::MAX));
    bar.set_message(format!(
        "{acked} acked  p99 {p99:.1} ms  {refused} refused  {open} open  {broken} broken"
    ));
}
