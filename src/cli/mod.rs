//! The command line: one file per command, what they share here.

use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::client::{ClientError, DEFAULT_URL, NodeClient};
use crate::config::{ConfigError, Flags};

pub mod actors;
pub mod audit;
pub mod config;
mod dashboard;
pub mod dead_letters;
mod feed;
pub mod flink;
pub mod kill;
pub mod migrate;
pub mod ready;
pub mod replay;
pub mod scenario;
mod screen;
pub mod serve;
pub mod simulate;
mod summary;
pub mod tree;
pub mod watch;

/// Takes coffee orders, shows live metrics, and heals when its actors are killed.
#[derive(Debug, Parser)]
#[command(
    name = "coffee-rt",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command the node is started, as with serve.

Examples:
  coffee-rt                                        a node on 127.0.0.1:8005, embedded database in data/
  DATABASE_URL=postgres://… coffee-rt serve        the same on PostgreSQL
  coffee-rt simulate --rate 300 --duration 30s     customers
  coffee-rt kill v1/batcher-0                      and watch it come back"
)]
pub struct Cli {
    /// What to do; serve unless told.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of the node, where no command is given.
    #[command(flatten)]
    pub flags: Flags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the node
    Serve(Flags),
    /// Place orders like a town full of customers, and check every answer
    Simulate(simulate::Args),
    /// Watch the live metrics
    Watch(watch::Args),
    /// Show the supervision tree
    Tree(tree::Args),
    /// Tell whether a node can acknowledge orders
    Ready(ready::Args),
    /// Kill, crash or stall an actor, and see it come back
    Kill(kill::Args),
    /// Recount all orders and compare with what was counted
    Audit(audit::Args),
    /// List what could not be stored, correct it and submit it again
    DeadLetters(Box<dead_letters::Args>),
    /// Read Kafka's topic again, into a new database or one that lost orders
    Replay(replay::Args),
    /// Have Apache Flink store v3's orders in the place of actors, or give it back
    Flink(flink::Args),
    /// Run load, faults and checks out of a file
    Scenario(Box<scenario::Args>),
    /// Bring the store's schema up to date
    Migrate(migrate::Args),
    /// Print the effective settings
    Config(config::Args),
}

/// How long the runtime may take to end once a command is done.
const RUNTIME_END_LIMIT: Duration = Duration::from_secs(1);

/// Which node a command talks to.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// Address of the node
    #[arg(long, env = "COFFEE_RT_URL", default_value = DEFAULT_URL, value_name = "URL")]
    pub url: Url,
    /// Bearer token, where the node asks for one
    #[arg(long, env = "COFFEE_RT_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
}

impl NodeArgs {
    /// The client for that node.
    ///
    /// # Errors
    /// [`Exit::Usage`] where the address is none.
    pub fn client(&self) -> Result<NodeClient, Failure> {
        let token = self.token.as_deref().filter(|token| !token.is_empty());
        Ok(NodeClient::new(&self.url, token)?)
    }
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Well = 0,
    /// The answer is no.
    No = 1,
    /// Wrong usage, or an invalid file.
    Usage = 2,
    /// The node broke a promise.
    BrokenPromise = 3,
    /// The environment failed.
    Environment = 4,
    /// Nothing happened that could prove anything.
    Vacuous = 5,
    /// The node's supervision tree gave up (`EX_SOFTWARE` of sysexits.h).
    Meltdown = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends early: its exit code and what people read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// For the error output.
    pub message: String,
}

impl Failure {
    /// A failure with that code and message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::BadAddress(_) => Exit::Usage,
            ClientError::Unreachable { .. }
            | ClientError::TimedOut { .. }
            | ClientError::Problem(_)
            | ClientError::NotANode { .. } => Exit::Environment,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // A reader such as `head` that has enough is no failure.
        let exit = if error.kind() == io::ErrorKind::BrokenPipe {
            Exit::Well
        } else {
            Exit::Environment
        };
        Self::new(exit, format!("cannot write the output: {error}"))
    }
}

/// Runs a command to its end on a runtime of its own, and gives the exit code.
#[must_use]
pub fn main(cli: Cli) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("coffee-rt: the runtime cannot be started: {error}");
            return Exit::Environment;
        }
    };
    let exit = runtime.block_on(run(cli.command.unwrap_or(Command::Serve(cli.flags))));
    // What still runs detached, such as a look-up of a host name, must not hold the exit up.
    runtime.shutdown_timeout(RUNTIME_END_LIMIT);
    exit
}

async fn run(command: Command) -> Exit {
    match command {
        Command::Serve(flags) => conclude(serve::run(flags)).await,
        Command::Simulate(args) => conclude(simulate::run(args)).await,
        Command::Watch(args) => conclude(watch::run(args)).await,
        Command::Tree(args) => conclude(tree::run(args)).await,
        Command::Ready(args) => conclude(ready::run(args)).await,
        Command::Kill(args) => conclude(kill::run(args)).await,
        Command::Audit(args) => conclude(audit::run(args)).await,
        Command::DeadLetters(args) => conclude(dead_letters::run(*args)).await,
        Command::Replay(args) => conclude(replay::run(args)).await,
        Command::Flink(args) => conclude(flink::run(args)).await,
        Command::Scenario(args) => conclude(scenario::run(*args)).await,
        Command::Migrate(args) => conclude(migrate::run(args)).await,
        Command::Config(args) => conclude(async { config::run(&args) }).await,
    }
}

/// Tells on the error output why a command failed, and gives the exit code.
pub async fn conclude(command: impl Future<Output = Result<Exit, Failure>>) -> Exit {
    match Box::pin(command).await {
        Ok(exit) => exit,
        Err(failure) => {
            if failure.exit != Exit::Well {
                eprintln!("coffee-rt: {failure}");
            }
            failure.exit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_reader_that_leaves_is_no_failure() {
        let left = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(left.exit, Exit::Well);
        assert_eq!(Failure::from(io::Error::other("full")).exit, Exit::Environment);
    }
}
