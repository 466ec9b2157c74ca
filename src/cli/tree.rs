//! `tree`: the supervision tree, once or as it changes.

use clap::Args as ClapArgs;
use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use super::actors::{ACTORS_PATH, ACTORS_SOCKET, ActorTree};
use super::screen::{Screen, print};
use super::watch::reconnect_pause;
use super::{Exit, Failure, NodeArgs};
use crate::client::{NodeClient, Socket};

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
    let mut socket = client.socket(ACTORS_SOCKET).await?;
    let mut failures = 0;
    loop {
        failures = if show_all(&mut socket, &mut screen, json).await? > 0 {
            0
        } else {
            failures
        };
        screen.keep();
        loop {
            failures += 1;
            let pause = reconnect_pause(failures);
            eprintln!(
                "the connection to {} is gone: trying again in {pause:?}",
                client.address()
            );
            tokio::time::sleep(pause).await;
            if let Ok(again) = client.socket(ACTORS_SOCKET).await {
                socket = again;
                break;
            }
        }
    }
}

/// Shows every document until the socket ends; returns how many.
async fn show_all(socket: &mut Socket, screen: &mut Screen, json: bool) -> Result<u64, Failure> {
    let mut shown = 0;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        if json {
            print(&[text.as_str()])?;
        } else {
            let tree: ActorTree = serde_json::from_str(&text).map_err(|error| {
                Failure::new(
                    Exit::Environment,
                    format!("{ACTORS_SOCKET} sent what is no tree of actors: {error}"),
                )
            })?;
            screen.draw(&tree.lines())?;
        }
        shown += 1;
    }
    Ok(shown)
}
