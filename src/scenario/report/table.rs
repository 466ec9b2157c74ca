//! Tables of reports.

use super::charts::MEBIBYTE;
use super::text::{escaped, measured, number};
use crate::load::Quantiles;
use crate::scenario::outcome::{Outcome, ProcessOutcome};

/// Rows of as many cells as the head has.
pub(super) struct Table {
    title: &'static str,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The names in the head are separated by commas and spaces.
    pub(super) fn new(title: &'static str, head: &'static str) -> Self {
        Self {
            title,
            head: head.split(", ").collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Nothing where there are no rows. What does not fit a small screen is scrolled, by keyboard, too.
    pub(super) fn html(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let title = self.title;
        let head = self
            .head
            .iter()
            .map(|cell| format!("<th scope=\"col\">{}</th>", escaped(cell)));
        let head: String = head.collect();
        let row = |row: &Vec<String>| {
            let cells = row.iter().map(|cell| format!("<td>{}</td>", escaped(cell)));
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!(
            "<div class=\"wide\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\">\n<table>\n\
             <thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        )
    }
}

/// What was measured of loads, viewers and processes as a whole.
pub(super) fn tables(outcome: &Outcome) -> String {
    let head = "load, sent, acknowledged, refused, unknown, per second, p50 ms, p99 ms, max ms";
    let mut loads = Table::new("Loads", head);
    for load in &outcome.loads {
        let counts = load.report.counts;
        let numbers = [counts.sent, counts.acknowledged, counts.refused, counts.unknown].map(count);
        let rate = measured(load.report.achieved_per_second);
        let times = times(&load.report.latency).map(shown);
        let name = [load.name.clone()].into_iter();
        loads.row(name.chain(numbers).chain([rate]).chain(times));
    }
    let mut backlogs = Table::new(
        "Backlog",
        "backlog records, orders stored, per second, first after s, last after s, CPU s per million orders",
    );
    if let Some(backlog) = &outcome.backlog {
        backlogs.row([
            count(backlog.records),
            count(backlog.stored),
            shown(backlog.orders_per_second),
            measured(backlog.first_after_seconds),
            measured(backlog.last_after_seconds),
            measured(backlog.cpu_seconds_per_million(|_| true)),
        ]);
    }
    let head = "viewers, count, frames or answers, failures, p50 ms, p99 ms, max ms";
    let mut viewers = Table::new("Viewers", head);
    for those in &outcome.viewers {
        let numbers = [those.count, those.frames, those.failures].map(count);
        let name = [those.name.clone()].into_iter();
        viewers.row(name.chain(numbers).chain(times(&those.latency).map(shown)));
    }
    let head = "process, CPU s, CPU s per 1,000 acknowledged, peak memory MiB";
    let mut processes = Table::new("Processes", head);
    for process in &outcome.processes {
        let share = shown(cpu_per_thousand(outcome, process));
        let memory = measured(process.peak_memory_bytes as f64 / MEBIBYTE);
        processes.row([process.name.clone(), measured(process.cpu_seconds), share, memory]);
    }
    [backlogs, loads, viewers, processes].iter().map(Table::html).collect()
}

fn count(count: u64) -> String {
    number(count as f64)
}

/// A value for people, or that there is none.
pub(in crate::scenario) fn shown(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), measured)
}

/// Median, 99 of 100, and the longest; where nothing was timed there are none, rather than zeros.
pub(in crate::scenario) fn times(latency: &Quantiles) -> [Option<f64>; 3] {
    let timed = latency.max_ms > 0.0;
    [latency.p50_ms, latency.p99_ms, latency.max_ms].map(|millis| timed.then_some(millis))
}

/// Seconds that a process was busy for 1,000 acknowledged orders of all loads.
pub(in crate::scenario) fn cpu_per_thousand(outcome: &Outcome, process: &ProcessOutcome) -> Option<f64> {
    let acknowledged: u64 = outcome.loads.iter().map(|load| load.report.counts.acknowledged).sum();
    (acknowledged > 0).then(|| process.cpu_seconds * 1_000.0 / acknowledged as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::report::example;

    #[test]
    fn what_was_not_measured_is_a_dash_and_what_is_not_there_has_no_table() {
        let mut outcome = example::broken();
        outcome.loads[0].report.counts.acknowledged = 0;
        outcome.loads[0].report.latency = Quantiles::default();
        outcome.viewers.clear();
        let drawn = tables(&outcome);
        assert_eq!(drawn.matches("<td>–</td>").count(), 4, "{drawn}");
        assert!(
            drawn.contains("<td>12,010</td>") && drawn.contains("<td>76.3</td>"),
            "{drawn}"
        );
        assert!(!drawn.contains("Viewers"), "{drawn}");
    }
}
