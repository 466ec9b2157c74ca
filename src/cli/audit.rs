//! `audit`: recounts raw orders and compares them with what was counted.

use std::io::{Write, stdout};

use coffee_rt_actors::domain::Cents;
use coffee_rt_actors::ports::{AuditReport, StoreError};

use super::{Exit, Failure};
use crate::config::{Config, Flags};
use crate::stores;

/// Recounts the store of the node's settings. It may run meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  coffee-rt audit                                  recount the embedded database
  DATABASE_URL=postgres://… coffee-rt audit        recount PostgreSQL
  coffee-rt audit --json | jq .differences         every difference, for a script

Exit codes: 0 no difference, 1 differences, 4 the store cannot be read")]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Settings of the node
    #[command(flatten)]
    pub flags: Flags,
}

/// Recounts, prints, and says whether there is a difference.
///
/// # Errors
/// Where the store cannot be read.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.flags)?;
    let report = recount(&config)
        .await
        .map_err(|error| Failure::new(Exit::Environment, format!("audit: {error}")))?;
    if args.json {
        writeln!(
            stdout(),
            "{}",
            serde_json::to_string_pretty(&report).unwrap_or_default()
        )?;
    } else {
        write!(stdout(), "{}", describe(&report))?;
    }
    Ok(if report.differences.is_empty() {
        Exit::Well
    } else {
        Exit::No
    })
}

async fn recount(config: &Config) -> Result<AuditReport, StoreError> {
    stores::open_to_read(config).await?.audit().await
}

pub(super) fn describe(report: &AuditReport) -> String {
    let AuditReport {
        orders,
        amount,
        rollup_rows,
        shards,
        records,
        dead_lettered,
        differences,
    } = report;
    let Cents(cents) = amount;
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let mut text =
        format!("{orders} orders of {amount} recounted against {rollup_rows} rollup rows of {shards} shards\n");
    if *records > 0 {
        text += &format!("{records} records of partitions accounted for, {dead_lettered} of them dead-lettered\n");
    }
    for difference in differences {
        text += &format!(
            "  {}: recounted {}, recorded {}\n",
            difference.what, difference.recounted, difference.recorded
        );
    }
    let verdict = match differences.len() {
        0 => "no difference".to_owned(),
        count => format!("{count} differences"),
    };
    text + &verdict + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_shown_where_there_are_some() {
        let mut report = AuditReport::default();
        assert_eq!(describe(&report).lines().count(), 2);
        (report.records, report.dead_lettered) = (12, 3);
        let text = describe(&report);
        assert!(
            text.contains("\n12 records of partitions accounted for, 3 of them dead-lettered\n"),
            "{text}"
        );
    }
}
