//! The `coffee-rt` command.

use std::process::ExitCode;

use clap::Parser;
use coffee_rt::cli::{self, Cli};

fn main() -> ExitCode {
    cli::main(Cli::parse()).into()
}
