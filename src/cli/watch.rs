//! `watch`: the live metrics, as the node pushes them.

use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use coffee_rt_actors::domain::{Cents, Instant as UtcInstant};
use console::style;
use futures_util::StreamExt;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

use super::screen::{Screen, print, span};
use super::{Exit, Failure, NodeArgs};
use crate::client::{NodeClient, Socket};

/// Where the node pushes frames.
const DASHBOARD_SOCKET: &str = "/ws/dashboard";
/// The first pause before connecting again; doubles with each failure.
const FIRST_RECONNECT_MILLIS: u64 = 100;
/// The longest pause before connecting again.
const MAX_RECONNECT_MILLIS: u64 = 5_000;
/// A terminal is redrawn this often between frames, so that the age of the last one shows.
const REDRAW_MILLIS: u64 = 1_000;
/// The rate is taken over at least this long, because frames can follow each other within milliseconds.
const RATE_WINDOW_MILLIS: u64 = 1_000;

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

/// One frame of the dashboard; unknown fields are ignored.
#[derive(Clone, Debug, Deserialize)]
struct DashboardFrame {
    current_hour: Option<CurrentHour>,
    #[serde(default)]
    top5_drinks: Vec<String>,
    #[serde(default)]
    recent_orders: Vec<RecentOrder>,
    server_timestamp: UtcInstant,
    #[serde(default)]
    stored_total: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct CurrentHour {
    hour: u8,
    #[serde(default)]
    top_drinks: Vec<String>,
    revenue: Cents,
    order_count: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct RecentOrder {
    id: i64,
    drink: String,
    store: String,
    price: Cents,
    timestamp: String,
}

/// The last frame and what can be said about it only by remembering earlier ones.
#[derive(Default)]
struct View {
    last: Option<(DashboardFrame, Instant)>,
    window: Option<(u64, Instant)>,
    per_second: Option<f64>,
    seen: u64,
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
    let mut socket = client.socket(DASHBOARD_SOCKET).await?;
    let mut failures = 0;
    loop {
        let before = view.seen;
        if show_all(&mut socket, args, &mut view, &mut screen).await? {
            return Ok(());
        }
        if view.seen > before {
            failures = 0;
        }
        screen.keep();
        loop {
            failures += 1;
            let pause = reconnect_pause(failures);
            eprintln!(
                "the connection to {} is gone: trying again in {pause:?}",
                client.address()
            );
            tokio::time::sleep(pause).await;
            if let Ok(again) = client.socket(DASHBOARD_SOCKET).await {
                eprintln!("connected again");
                socket = again;
                break;
            }
        }
    }
}

/// Shows frames until the socket ends; returns whether that were as many as asked for.
async fn show_all(socket: &mut Socket, args: &Args, view: &mut View, screen: &mut Screen) -> Result<bool, Failure> {
    let mut redraw = tokio::time::interval(Duration::from_millis(REDRAW_MILLIS));
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            _ = redraw.tick() => {
                if !args.json && screen.is_terminal() && view.last.is_some() {
                    screen.draw(&view.block(UtcInstant::now(), Instant::now()))?;
                }
                continue;
            }
        };
        let Some(Ok(message)) = message else { return Ok(false) };
        let Message::Text(text) = message else { continue };
        if args.json {
            view.seen += 1;
            print(&[text.as_str()])?;
        } else {
            let frame = serde_json::from_str(&text).map_err(|error| {
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
        }
        if args.frames == Some(view.seen) {
            return Ok(true);
        }
    }
}

/// How long to wait before connecting again after that many failures in a row.
pub(super) fn reconnect_pause(failures: u32) -> Duration {
    let doubled =
        FIRST_RECONNECT_MILLIS.saturating_mul(1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX));
    Duration::from_millis(doubled.min(MAX_RECONNECT_MILLIS))
}

impl View {
    fn take(&mut self, frame: DashboardFrame, now: Instant) {
        self.seen += 1;
        if let Some(total) = frame.stored_total {
            let (since_total, since) = *self.window.get_or_insert((total, now));
            let spent = now.saturating_duration_since(since);
            if spent >= Duration::from_millis(RATE_WINDOW_MILLIS) {
                self.per_second = Some(total.saturating_sub(since_total) as f64 / spent.as_secs_f64());
                self.window = Some((total, now));
            }
        }
        self.last = Some((frame, now));
    }

    fn rate(&self) -> String {
        self.per_second.map_or("–".to_owned(), |rate| format!("{rate:.1}"))
    }

    /// One line for logs.
    fn line(&self, now: UtcInstant) -> String {
        let Some((frame, _)) = &self.last else {
            return String::new();
        };
        let hour = frame
            .current_hour
            .as_ref()
            .map_or("no orders this hour".to_owned(), |hour| {
                format!(
                    "{:02}h {} orders, revenue {}",
                    hour.hour, hour.order_count, hour.revenue
                )
            });
        let total = frame.stored_total.map_or("–".to_owned(), |total| total.to_string());
        format!(
            "{}  {hour}, {} orders/s, {total} stored, top: {}, age {}",
            frame.server_timestamp,
            self.rate(),
            frame.top5_drinks.join(" "),
            span(age_seconds(frame, now)),
        )
    }

    /// A block of lines for a terminal.
    fn block(&self, now: UtcInstant, clock: Instant) -> Vec<String> {
        let Some((frame, arrived)) = &self.last else {
            return Vec::new();
        };
        let mut lines = vec![match &frame.current_hour {
            Some(hour) => format!(
                "{}  {} orders  revenue {}  top: {}",
                style(format!("Hour {:02}:00 UTC", hour.hour)).bold(),
                style(hour.order_count).green(),
                style(hour.revenue).green(),
                hour.top_drinks.join(", "),
            ),
            None => style("No orders this hour").bold().to_string(),
        }];
        lines.push(format!(
            "{} orders/s   {} stored   frame {}   age {}   quiet for {}",
            style(self.rate()).cyan(),
            frame.stored_total.map_or("–".to_owned(), |total| total.to_string()),
            self.seen,
            span(age_seconds(frame, now)),
            span(clock.saturating_duration_since(*arrived).as_secs_f64()),
        ));
        lines.push(format!("Top drinks, 30 days: {}", frame.top5_drinks.join(", ")));
        lines.push(style("Recent orders").dim().to_string());
        lines.extend(frame.recent_orders.iter().map(|order| {
            format!(
                "  {:>8}  {:<12} {:<12} {:>8}  {}",
                order.id,
                order.drink,
                order.store,
                order.price.to_string(),
                order.timestamp
            )
        }));
        lines
    }
}

/// By both clocks; a node whose clock is ahead shows as zero.
fn age_seconds(frame: &DashboardFrame, now: UtcInstant) -> f64 {
    now.0.saturating_sub(frame.server_timestamp.0).max(0) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(total: u64) -> DashboardFrame {
        serde_json::from_value(serde_json::json!({
            "current_hour": {"hour": 9, "top_drinks": ["latte"], "revenue": 12.5, "order_count": 3},
            "top5_drinks": ["latte", "americano"],
            "recent_orders": [{"id": 3, "drink": "latte", "store": "uptown", "price": 4.5,
                "timestamp": "2026-11-22T09:00:00Z"}],
            "server_timestamp": "2026-11-22T09:00:00Z", "stored_total": total, "more": true
        }))
        .unwrap()
    }

    #[test]
    fn the_rate_comes_from_the_stored_total() {
        let (mut view, start) = (View::default(), Instant::now());
        for (millis, total) in [(0, 100), (20, 110), (1_000, 400)] {
            view.take(frame(total), start + Duration::from_millis(millis));
        }
        assert_eq!(view.rate(), "300.0");
        view.take(frame(410), start + Duration::from_millis(1_010));
        assert_eq!(view.rate(), "300.0", "until the window is full again");
        assert_eq!(view.seen, 4);
    }

    #[test]
    fn a_frame_is_told_in_a_line_and_in_a_block() {
        let (mut view, start) = (View::default(), Instant::now());
        view.take(frame(100), start);
        let now = UtcInstant::parse("2026-11-22T09:00:02.5Z").unwrap();
        assert_eq!(
            view.line(now),
            "2026-11-22T09:00:00Z  09h 3 orders, revenue 12.5, – orders/s, 100 stored, top: latte americano, age 2.5 s"
        );
        let block = view.block(now, start + Duration::from_secs(4)).join("\n");
        let block = console::strip_ansi_codes(&block);
        for part in [
            "Hour 09:00 UTC  3 orders  revenue 12.5",
            "age 2.5 s   quiet for 4.0 s",
            "uptown",
            "americano",
        ] {
            assert!(block.contains(part), "{part} in {block}");
        }
    }

    #[test]
    fn reconnects_slow_down_to_a_limit() {
        let millis: Vec<_> = [1, 2, 3, 7, 64, u32::MAX]
            .map(|n| reconnect_pause(n).as_millis())
            .to_vec();
        assert_eq!(millis, [100, 200, 400, 5_000, 5_000, 5_000]);
    }
}
