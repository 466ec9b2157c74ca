//! `watch`: the live metrics, as the node pushes them.

use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use coffee_rt_actors::domain::Instant as UtcInstant;

use super::dashboard::View;
use super::feed::{Event, Feed};
use super::screen::{Screen, print};
use super::{Exit, Failure, NodeArgs};
use crate::client::NodeClient;

/// Where the node pushes frames.
const DASHBOARD_SOCKET: &str = "/ws/dashboard";
/// The node sends a heartbeat every 10 s: after this much silence the connection counts as broken.
const MAX_SILENCE_SECONDS: u64 = 35;
/// A terminal is redrawn this often between frames, so that the age of the last one shows.
const REDRAW_MILLIS: u64 = 1_000;

/// Watch the live metrics
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt watch                          redraw in place until Ctrl-C
  coffee-rt watch --frames 1 --json | jq .current_hour.revenue
  coffee-rt watch | tee shift.log          a line a frame

A connection that breaks is opened again for as long as it takes.

Exit codes: 0 ended as asked, 2 wrong usage, 4 the node was not there to begin with.")]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub node: NodeArgs,
    /// End after this many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: Option<u64>,
    /// Print the frames as they come, one a line
    #[arg(long)]
    pub json: bool,
}

/// Watches until the asked number of frames or Ctrl-C.
///
/// # Errors
/// [`Exit::Environment`] where the node is not there to begin with, or sends what is no frame.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let client = args.node.client()?;
    tokio::select! {
        ended = watch(&client, &args) => ended?,
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(Exit::Well)
}

async fn watch(client: &NodeClient, args: &Args) -> Result<(), Failure> {
    let (mut screen, mut view) = (Screen::new(), View::default());
    let mut redraw = tokio::time::interval(Duration::from_millis(REDRAW_MILLIS));
    let mut feed = Feed::open(client, DASHBOARD_SOCKET, Duration::from_secs(MAX_SILENCE_SECONDS)).await?;
    let mut frames_left = args.frames.unwrap_or(u64::MAX);
    let mut connected = true;
    while frames_left > 0 {
        let event = {
            let mut next = std::pin::pin!(feed.next());
            loop {
                tokio::select! {
                    event = &mut next => break event,
                    _ = redraw.tick() => {
                        if connected && !args.json && screen.is_terminal() {
                            screen.draw(&view.block(UtcInstant::now(), Instant::now()))?;
                        }
                    }
                }
            }
        };
        connected = !matches!(event, Event::Lost(_));
        match event {
            Event::Text(text) => {
                frames_left -= 1;
                show(&text, args.json, &mut view, &mut screen)?;
            }
            notice => feed.notice(&notice, &mut screen),
        }
    }
    Ok(())
}

fn show(text: &str, json: bool, view: &mut View, screen: &mut Screen) -> Result<(), Failure> {
    if json {
        return Ok(print(&[text])?);
    }
    let frame = serde_json::from_str(text).map_err(|error| {
        Failure::new(
            Exit::Environment,
            format!("{DASHBOARD_SOCKET} sent what is no frame: {error}"),
        )
    })?;
    view.take(frame, Instant::now());
    if screen.is_terminal() {
        screen.draw(&view.block(UtcInstant::now(), Instant::now()))?;
    } else {
        print(&[view.line(UtcInstant::now())])?;
    }
    Ok(())
}
