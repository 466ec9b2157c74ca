//! `tree`: the supervision tree, once or as it changes.

use std::time::Duration;

use clap::Args as ClapArgs;

use super::actors::{ACTORS_PATH, ACTORS_SOCKET, ActorTree};
use super::feed::{Event, Feed};
use super::screen::{Screen, print};
use super::{Exit, Failure, NodeArgs};
use crate::client::NodeClient;

/// Show the supervision tree
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt tree                 the tree as it is
  coffee-rt tree --watch         redraw it as it changes, until Ctrl-C
  coffee-rt tree --json | jq '.actors[] | select(.restarts > 0) | .path'

Exit codes: 0 shown, 2 wrong usage, 4 the node cannot be reached.")]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub node: NodeArgs,
    /// Redraw as the tree changes
    #[arg(long)]
    pub watch: bool,
    /// Print the node's JSON, with --watch one document a line
    #[arg(long)]
    pub json: bool,
}

/// Shows the tree.
///
/// # Errors
/// [`Exit::Environment`] where the node cannot be reached.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let client = args.node.client()?;
    if args.watch {
        tokio::select! {
            ended = watch(&client, args.json) => ended?,
            _ = tokio::signal::ctrl_c() => {}
        }
        return Ok(Exit::Well);
    }
    if args.json {
        print(&[client.get_text(ACTORS_PATH).await?])?;
    } else {
        print(&ActorTree::fetch(&client).await?.lines())?;
    }
    Ok(Exit::Well)
}

/// Never ends by itself, except where the node was not there to begin with.
async fn watch(client: &NodeClient, json: bool) -> Result<(), Failure> {
    let mut screen = Screen::new();
    // The tree is pushed when it changes: silence means nothing.
    let mut feed = Feed::open(client, ACTORS_SOCKET, Duration::MAX).await?;
    loop {
        match feed.next().await {
            Event::Text(text) if json => print(&[text.as_str()])?,
            Event::Text(text) => {
                let tree: ActorTree = serde_json::from_str(&text).map_err(|error| {
                    Failure::new(
                        Exit::Environment,
                        format!("{ACTORS_SOCKET} sent what is no tree of actors: {error}"),
                    )
                })?;
                screen.draw(&tree.lines())?;
            }
            notice => feed.notice(&notice, &mut screen),
        }
    }
}
