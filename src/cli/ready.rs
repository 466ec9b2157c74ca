//! `ready`: whether a node can acknowledge orders, for people, health checks and scripts.

use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use serde_json::Value;

use super::screen::print;
use super::{Exit, Failure, NodeArgs};
use crate::client::{ClientError, NodeClient};
use crate::scenario::parse_span;

/// How often a node is asked that is not ready yet.
const POLL: Duration = Duration::from_millis(200);

/// Tell whether a node can acknowledge orders
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt ready                        now
  coffee-rt ready --wait 30s             as soon as it is, or after half a minute
  coffee-rt ready --json | jq .components.v2.log.lag

Exit codes: 0 it is ready, 1 it is not, 2 wrong usage, 4 the node cannot be reached.")]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub node: NodeArgs,
    /// Ask again until it is ready, for so long
    #[arg(long, value_parser = parse_span, value_name = "TIME")]
    pub wait: Option<Duration>,
    /// Print the node's JSON, where it is ready
    #[arg(long)]
    pub json: bool,
}

/// Asks.
///
/// # Errors
/// [`Exit::Environment`] where the node cannot be reached.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let client = args.node.client()?;
    let deadline = Instant::now() + args.wait.unwrap_or_default();
    loop {
        let answer = client.get::<Value>("/readyz").await;
        match answer {
            Ok(readiness) if args.json => print(&[readiness.to_string()])?,
            Ok(_) => print(&[format!("{} is ready", client.address())])?,
            Err(_) if Instant::now() < deadline => {
                tokio::time::sleep(POLL).await;
                continue;
            }
            Err(error) => return not_ready(&client, error),
        }
        return Ok(Exit::Well);
    }
}

fn not_ready(client: &NodeClient, error: ClientError) -> Result<Exit, Failure> {
    match error {
        ClientError::Problem(problem) => {
            eprintln!("{} is not ready: {problem}", client.address());
            Ok(Exit::No)
        }
        error => Err(error.into()),
    }
}
