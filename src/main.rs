//! The `coffee-rt` command.

use std::process::ExitCode;

use clap::Parser;
use coffee_rt::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(Cli::parse().command).await.into()
}
