//! `coffee-rt-bench`: measures the node. The machine may be shared and its speed may swing, so the node and its reference
//! are measured in turn, and the median of the rounds' ratios counts.

mod acks;
mod backlog;
mod crowd;
mod database;
mod engines;
mod environment;
mod freshness;
mod generator;
mod http;
mod node;
mod overload;
mod pacer;
mod progress;
mod recovery;
mod reference;
mod report;
mod sockets;
mod startup;
mod stream;
mod sustained;
mod topic;
mod wrk;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use database::{Engine, WrongCount};
use freshness::Viewer;
use progress::Progress;
use report::Figure;
use serde_json::json;

/// Where `--json` writes.
const REPORT: &str = "target/bench/report.json";
/// A round that only finds out the rate for the next measurement.
const RATE_ROUNDS: u32 = 1;

/// Measures the node beside it against goals and prints a table
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 measured, also where a goal is missed; 3 acknowledged and stored orders differ; 4 the \
                  environment failed"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Durable acknowledgements a second, against a bare warp route
    Acks(Options),
    /// From the acknowledgement to the frame, at half that rate
    Freshness(Options),
    /// From a batcher's kill to the next acknowledgement
    Recovery(Options),
    /// From an order too many to its refusal
    Overload(Options),
    /// From start to ready, and idle memory, with millions of orders
    Startup(Options),
    /// Memory and delay of thousands of WebSockets
    Sockets(Options),
    /// Orders a second that are acknowledged and stored, through a log
    Sustained(Options),
    /// Storing a log of a million orders, against what PostgreSQL does alone
    Backlog(Options),
    /// One topic through actors and through Apache Flink; not among all, as it takes a Flink
    Engines(Options),
    /// Orders a second that the scenarios' own load driver can send
    Generator(Options),
    /// All of them
    All(Options),
    #[command(hide = true)]
    Reference { listen: SocketAddr },
    #[command(hide = true)]
    Crowd {
        address: SocketAddr,
        clients: u32,
        orders: u32,
    },
}

#[derive(Args)]
struct Options {
    /// Which store, or PostgreSQL behind a log
    #[arg(long, value_enum, default_value = "all")]
    engine: Engines,
    /// Rounds of each figure
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Length of each side of a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Stored orders of the startup measurement
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    orders: u64,
    /// Orders of the backlog measurement
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    backlog: u64,
    /// WebSocket clients
    #[arg(long, default_value_t = 9_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    clients: u32,
    /// Orders of the WebSocket measurement, one each second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    frames: u32,
    /// Write target/bench/report.json as well
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Engines {
    Sqlite,
    Postgres,
    Redis,
    Kafka,
    All,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Acks,
    Freshness,
    Recovery,
    Overload,
    Startup,
    Sockets,
    Sustained,
    Backlog,
    Engines,
    Generator,
    All,
}

fn main() -> ExitCode {
    let (what, options) = match Cli::parse() {
        Cli { command: None, options } => (What::All, options),
        Cli {
            command: Some(command), ..
        } => match command {
            Command::Acks(options) => (What::Acks, options),
            Command::Freshness(options) => (What::Freshness, options),
            Command::Recovery(options) => (What::Recovery, options),
            Command::Overload(options) => (What::Overload, options),
            Command::Startup(options) => (What::Startup, options),
            Command::Sockets(options) => (What::Sockets, options),
            Command::Sustained(options) => (What::Sustained, options),
            Command::Backlog(options) => (What::Backlog, options),
            Command::Engines(options) => (What::Engines, options),
            Command::Generator(options) => (What::Generator, options),
            Command::All(options) => (What::All, options),
            Command::Reference { listen } => {
                return conclude(async {
                    reference::serve(listen).await;
                    Ok(())
                });
            }
            Command::Crowd {
                address,
                clients,
                orders,
            } => return conclude(crowd::run(address, clients, orders)),
        },
    };
    conclude(measure(what, options))
}

fn conclude(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(work));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coffee-rt-bench: {error:#}");
            ExitCode::from(if error.is::<WrongCount>() { 3 } else { 4 })
        }
    }
}

async fn measure(what: What, options: Options) -> anyhow::Result<()> {
    let stores: &[Engine] = match options.engine {
        Engines::Sqlite => &[Engine::Sqlite],
        Engines::Postgres => &[Engine::Postgres],
        Engines::Redis => &[Engine::Redis],
        Engines::Kafka => &[Engine::Kafka],
        Engines::All => &[Engine::Sqlite, Engine::Postgres, Engine::Redis, Engine::Kafka],
    };
    let facts = environment::describe(stores).await?;
    for (name, value) in &facts {
        println!("{name:<12} {value}");
    }
    let progress = Progress::start();
    let mut figures = Vec::new();
    if matches!(what, What::Generator | What::All) {
        let duration = Duration::from_secs(options.seconds);
        figures.push(generator::measure(options.rounds, duration, &progress).await?);
    }
    if what == What::Engines {
        figures.extend(engines::measure(options.rounds, options.backlog, &progress).await?);
    }
    for engine in stores {
        figures.extend(measure_engine(*engine, what, &options, &progress).await?);
    }
    drop(progress);
    println!("\n{}", report::table(&figures));
    if options.json {
        std::fs::write(
            REPORT,
            serde_json::to_vec_pretty(&json!({"environment": facts, "figures": figures}))?,
        )?;
        println!("written to {REPORT}");
    }
    Ok(())
}

async fn measure_engine(
    engine: Engine,
    what: What,
    options: &Options,
    progress: &Progress,
) -> anyhow::Result<Vec<Figure>> {
    let due = |one: What| what == one || what == What::All;
    let duration = Duration::from_secs(options.seconds);
    let mut figures = Vec::new();
    if due(What::Acks) || due(What::Freshness) {
        let rounds = if due(What::Acks) { options.rounds } else { RATE_ROUNDS };
        let (acks, rate) = acks::measure(engine, rounds, duration, progress).await?;
        if due(What::Acks) {
            figures.push(acks);
        }
        if due(What::Freshness) {
            let viewers: &[Viewer] = match engine {
                engine if engine.has_log() => &[Viewer::Here, Viewer::Elsewhere],
                _ => &[Viewer::Here],
            };
            for viewer in viewers {
                figures
                    .push(freshness::measure(engine, *viewer, rate / 2.0, options.rounds, duration, progress).await?);
            }
        }
    }
    if engine.has_log() {
        if due(What::Sustained) {
            figures.push(sustained::measure(engine, options.rounds, duration, progress).await?);
        }
        if due(What::Backlog) {
            figures.extend(backlog::measure(engine, options.rounds, options.backlog, progress).await?);
        }
        return Ok(figures);
    }
    if due(What::Recovery) {
        figures.push(recovery::measure(engine, progress).await?);
    }
    if due(What::Overload) {
        figures.push(overload::measure(engine, options.rounds, duration, progress).await?);
    }
    if due(What::Startup) {
        figures.extend(startup::measure(engine, options.orders, options.rounds, progress).await?);
    }
    if due(What::Sockets) {
        figures.extend(sockets::measure(engine, options.clients, options.frames, progress).await?);
    }
    Ok(figures)
}
