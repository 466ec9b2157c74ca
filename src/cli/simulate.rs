//! `simulate`: customers place orders at a node, and every answer is checked.

use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use coffee_rt_actors::domain::{Item, Menu};
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::screen::{PROGRESS_MILLIS, print, progress_bar};
use super::summary::{judge, report_lines};
use super::{Exit, Failure, NodeArgs};
use crate::config::Version;
use crate::load::{
    Arrivals, Counts, DEFAULT_CONNECTIONS, Driver, Finished, Options, PROFILES, Pace, Profile, Progress, RetryPolicy,
    Running, profile_named,
};
use crate::scenario::parse_span;

/// Length of a run that was given neither a duration nor a count.
const DEFAULT_DURATION_SECONDS: u64 = 30;

/// Place orders like a town full of customers, and check every answer
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Examples:
  coffee-rt simulate --rate 300 --duration 30s
  coffee-rt simulate --rate 50 --duration 2m --version 2 --profiles commuter=3,tourist=1
  coffee-rt simulate --count 1000 --seed 7 --json | jq .latency.p99_ms
  coffee-rt simulate --rate 200 --day 1m --duration 2m             two days of a minute each
  coffee-rt simulate --closed --connections 32 --duration 10s      as fast as 32 customers can

Profiles: commuter, regular, office-run (bursts for one store), tourist (slow, taps twice, writes differently). With
--day each comes in its hours: nobody at night, commuters first.
Latency counts from the moment an order was due. The first Ctrl-C ends the arrivals, the second does not wait for answers.

Exit codes: 0 well, 2 wrong usage, 3 an acknowledged order was answered differently, 4 the node cannot be reached,
5 no order was acknowledged.")]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub node: NodeArgs,
    /// Orders each second
    #[arg(long, default_value_t = 100.0, value_name = "N", conflicts_with = "closed")]
    pub rate: f64,
    /// How long orders are placed, such as 30s, 2m or 500ms [default: 30s, without --count]
    #[arg(long, value_parser = parse_span, value_name = "TIME")]
    pub duration: Option<Duration>,
    /// Place this many orders at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Version of the API: 1 direct, 2 Redis Streams, 3 Kafka
    #[arg(long = "version", id = "api_version", default_value_t = 1, value_name = "1|2|3",
        value_parser = clap::value_parser!(u8).range(1..=3))]
    pub version: u8,
    /// How the moments of arrival are spread
    #[arg(long, value_enum, default_value_t)]
    pub arrivals: ArrivalsArg,
    /// Place orders back to back on every connection instead of at a rate
    #[arg(long)]
    pub closed: bool,
    /// Most orders in flight, one a connection
    #[arg(long, default_value_t = DEFAULT_CONNECTIONS, value_name = "N")]
    pub connections: usize,
    /// How long one attempt may take [default: 12s]
    #[arg(long, value_parser = parse_span, value_name = "TIME")]
    pub timeout: Option<Duration>,
    /// Send orders that were refused with 503 again
    #[arg(long)]
    pub retry_refused: bool,
    /// Repeats the customers of an earlier run [default: a new one, which the report names]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Who orders, and their shares, such as commuter=3,tourist=1
    #[arg(long, value_delimiter = ',', value_name = "NAME=SHARE,…", value_parser = share)]
    pub profiles: Vec<(Profile, u32)>,
    /// How long a day lasts, from midnight on; --rate is its mean then
    #[arg(long, value_parser = parse_span, value_name = "TIME", conflicts_with = "closed")]
    pub day: Option<Duration>,
    /// Drinks on the node's menu, where they are not the usual ones
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub drinks: Vec<String>,
    /// Stores on the node's menu, where they are not the usual ones
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub stores: Vec<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// How the moments of arrival are spread.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ArrivalsArg {
    /// Evenly, like a metronome
    #[default]
    Constant,
    /// Independently of each other, like real customers
    Exponential,
}

fn share(text: &str) -> Result<(Profile, u32), String> {
    let (name, share) = text.split_once('=').unwrap_or((text, "1"));
    let profile = profile_named(name.trim()).ok_or_else(|| {
        let known = PROFILES.map(|profile| profile.name.into_owned()).join(", ");
        format!("there is no profile {name:?}: choose from {known}")
    })?;
    let share = share
        .trim()
        .parse()
        .map_err(|_| format!("the share of {name} must be a whole number"))?;
    Ok((profile, share))
}

/// Runs the simulation.
///
/// # Errors
/// [`Exit::Usage`] for options that make no sense, [`Exit::Environment`] where the node cannot be reached.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let options = options(&args);
    let driver = Driver::new(options).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    args.node.client()?.reach().await?;
    let Finished { report, .. } = drive(driver, &args).await;
    if args.json {
        let text = serde_json::to_string(&report).map_err(std::io::Error::from)?;
        print(&[text])?;
    } else {
        print(&report_lines(&report))?;
    }
    let (exit, complaint) = judge(&report);
    if let Some(complaint) = complaint {
        eprintln!("coffee-rt: {complaint}");
    }
    Ok(exit)
}

fn options(args: &Args) -> Options {
    let arrivals = match args.arrivals {
        ArrivalsArg::Constant => Arrivals::Constant,
        ArrivalsArg::Exponential => Arrivals::Exponential,
    };
    let pace = if args.closed {
        Pace::Closed
    } else {
        Pace::Open {
            rate_per_second: args.rate,
            arrivals,
        }
    };
    let usual = Options::new(args.node.url.clone());
    let list = |given: &[String], usual: Vec<Item>| {
        if given.is_empty() {
            usual
        } else {
            given.iter().map(|name| Item::from(name.as_str())).collect()
        }
    };
    let Menu { drinks, stores } = Menu::default();
    let endless = args.duration.is_none() && args.count.is_none();
    Options {
        version: Version::of_number(args.version).unwrap_or(Version::V1),
        pace,
        duration: args
            .duration
            .or(endless.then_some(Duration::from_secs(DEFAULT_DURATION_SECONDS))),
        count: args.count,
        connections: args.connections,
        timeout: args.timeout.unwrap_or(usual.timeout),
        seed: args.seed.unwrap_or_else(|| rand::random_range(0..1_000_000)),
        retry: RetryPolicy {
            repeat_refused: args.retry_refused,
            ..RetryPolicy::default()
        },
        profiles: if args.profiles.is_empty() {
            usual.profiles.clone()
        } else {
            args.profiles.clone()
        },
        day: args.day,
        menu: Menu {
            drinks: list(&args.drinks, drinks),
            stores: list(&args.stores, stores),
        },
        ..usual
    }
}

/// Runs to the end, or to the second Ctrl-C.
async fn drive(driver: Driver, args: &Args) -> Finished {
    let stop = CancellationToken::new();
    let mut running = driver.start(&stop);
    let bar = bar(args);
    let mut tick = tokio::time::interval(Duration::from_millis(PROGRESS_MILLIS));
    let mut last = running.progress();
    loop {
        tokio::select! {
            () = running.wait() => break,
            _ = tokio::signal::ctrl_c() => {
                if stop.is_cancelled() {
                    break;
                }
                stop.cancel();
                bar.suspend(|| eprintln!("ending: waiting for answers under way (Ctrl-C again to leave them)"));
            }
            _ = tick.tick() => last = show(&bar, args.count.is_some(), &running, last),
        }
    }
    bar.finish_and_clear();
    running.give_up()
}

/// A bar on the error output, so that it never mixes with a report in a pipe; invisible where that is no terminal.
fn bar(args: &Args) -> ProgressBar {
    let template = if args.count.is_some() {
        "{bar:12} {pos}/{len} orders  {wide_msg}"
    } else {
        "{bar:12} {elapsed}  {wide_msg}"
    };
    let length = args.count.unwrap_or_else(|| {
        let duration = args.duration.unwrap_or(Duration::from_secs(DEFAULT_DURATION_SECONDS));
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    });
    progress_bar(length, template)
}

fn show(bar: &ProgressBar, by_count: bool, running: &Running, last: Progress) -> Progress {
    let now = running.progress();
    let (
        Counts {
            acknowledged,
            refused,
            unknown,
            sent,
        },
        earlier,
    ) = (now.counts, last.counts);
    let spent = (now.elapsed_seconds - last.elapsed_seconds).max(f64::EPSILON);
    let rate = acknowledged.saturating_sub(earlier.acknowledged) as f64 / spent;
    bar.set_position(if by_count {
        sent
    } else {
        (now.elapsed_seconds * 1_000.0) as u64
    });
    bar.set_message(format!(
        "{rate:.0}/s  p99 {:.1} ms  {acknowledged} acked  {refused} refused  {unknown} open  {} waiting",
        now.latency.p99_ms, now.waiting
    ));
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let words = ["coffee-rt", "simulate"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words)?.command {
            Some(Command::Simulate(args)) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_become_options() {
        let args =
            parse("--rate 300 --duration 2s --version 2 --seed 9 --profiles commuter=3,tourist --drinks tea,mate");
        let made = options(&args.unwrap());
        assert_eq!(
            (made.version, made.seed, made.duration),
            (Version::V2, 9, Some(Duration::from_secs(2)))
        );
        assert_eq!(
            made.pace,
            Pace::Open {
                rate_per_second: 300.0,
                arrivals: Arrivals::Constant
            }
        );
        let shares: Vec<_> = made
            .profiles
            .iter()
            .map(|(profile, share)| (&*profile.name, *share))
            .collect();
        assert_eq!(shares, [("commuter", 3), ("tourist", 1)]);
        assert_eq!((made.menu.drinks.len(), made.menu.stores.len()), (2, 4));
        assert_eq!(options(&parse("").unwrap()).duration, Some(Duration::from_secs(30)));
        assert_eq!(options(&parse("--count 5").unwrap()).duration, None);
        for wrong in [
            "--version 4",
            "--profiles baker=1",
            "--profiles tourist=x",
            "--rate 1 --closed",
            "--day 1m --closed",
            "--count 0",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
