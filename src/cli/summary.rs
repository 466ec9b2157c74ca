//! What a simulation showed, for people, and the exit code that it deserves.

use console::style;

use super::Exit;
use super::screen::table;
use crate::load::{Counts, Report};

/// A run for people: the line that matters, times, and what became of whose orders.
pub(super) fn report_lines(report: &Report) -> Vec<String> {
    let asked = report
        .asked_per_second
        .map_or("back to back".to_owned(), |rate| format!("{rate} asked for"));
    let mut lines = vec![format!(
        "{} {}: {} orders acknowledged in {:.1} s, {:.1}/s ({asked}), seed {}",
        style("Simulated").bold(),
        report.version,
        report.counts.acknowledged,
        report.elapsed_seconds,
        report.achieved_per_second,
        report.seed,
    )];
    let millis = |value: f64| format!("{value:.2}");
    let mut rows = vec![["ms", "p50", "p90", "p99", "p99.9", "max"].map(str::to_owned).to_vec()];
    for (name, times) in [
        ("latency", &report.latency),
        ("of it before sending", &report.start_delay),
        ("until refused", &report.refusal),
    ] {
        let quantiles = [times.p50_ms, times.p90_ms, times.p99_ms, times.p999_ms, times.max_ms].map(millis);
        rows.push(std::iter::once(name.to_owned()).chain(quantiles).collect());
    }
    lines.push(String::new());
    lines.extend(table(&rows, 1..6));
    let mut rows = vec![
        ["customers", "sent", "acknowledged", "refused", "unknown"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let counted = |name: &str, counts: &Counts| {
        let numbers = [counts.sent, counts.acknowledged, counts.refused, counts.unknown].map(|n| n.to_string());
        std::iter::once(name.to_owned()).chain(numbers).collect::<Vec<_>>()
    };
    rows.extend(
        report
            .profiles
            .iter()
            .map(|profile| counted(&profile.name, &profile.counts)),
    );
    rows.push(counted("all", &report.counts));
    lines.push(String::new());
    lines.extend(table(&rows, 1..5));
    lines.push(String::new());
    lines.push(format!(
        "{} requests, {} repeats answered alike, {} paid in acknowledged orders, {} due but not sent",
        report.requests, report.repeats_confirmed, report.acknowledged_amount, report.not_sent
    ));
    for (status, refusals) in &report.refused_by_status {
        lines.push(format!(
            "refused {status}: {} times, first: {}",
            refusals.answers, refusals.detail
        ));
    }
    if let Some(reason) = report.last_unknown.as_ref().filter(|_| report.counts.unknown > 0) {
        lines.push(format!("unknown, last: {reason}"));
    }
    if report.broken_promises > 0 {
        lines.push(
            style(format!("{} promises broken:", report.broken_promises))
                .red()
                .to_string(),
        );
        lines.extend(report.broken.iter().map(|broken| format!("  {broken}")));
    }
    lines
}

/// The exit code of a run and, where it is not well, why.
pub(super) fn judge(report: &Report) -> (Exit, Option<String>) {
    if report.broken_promises > 0 {
        let complaint = format!(
            "the node broke {} promises about acknowledged orders",
            report.broken_promises
        );
        return (Exit::BrokenPromise, Some(complaint));
    }
    if report.counts.acknowledged > 0 {
        return (Exit::Well, None);
    }
    let refusal = report.refused_by_status.iter().next();
    let (exit, why) = match (refusal, &report.last_unknown) {
        (Some((status, refusals)), _) => (Exit::Vacuous, format!("refused with {status}: {}", refusals.detail)),
        (None, Some(reason)) => (Exit::Environment, reason.clone()),
        (None, None) => (Exit::Vacuous, "none was sent".to_owned()),
    };
    (exit, Some(format!("no order was acknowledged: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Refusals;

    #[test]
    fn the_exit_code_fits_what_happened() {
        let acknowledged = |acknowledged| Counts {
            sent: 3,
            acknowledged,
            ..Counts::default()
        };
        let well = Report {
            counts: acknowledged(2),
            ..Report::default()
        };
        let broken = Report {
            broken_promises: 1,
            ..well.clone()
        };
        let away = Report {
            last_unknown: Some("cannot connect".into()),
            ..Report::default()
        };
        let refusals = Refusals {
            answers: 3,
            without_retry_after: 3,
            detail: "v2 is off".into(),
        };
        let refused = Report {
            refused_by_status: [(404, refusals)].into(),
            ..away.clone()
        };
        for (report, exit, complaint) in [
            (well, Exit::Well, None),
            (broken, Exit::BrokenPromise, Some("1 promises")),
            (away, Exit::Environment, Some("cannot connect")),
            (refused, Exit::Vacuous, Some("404: v2 is off")),
            (Report::default(), Exit::Vacuous, Some("none was sent")),
        ] {
            let (judged, why) = judge(&report);
            assert_eq!(judged, exit, "{why:?}");
            assert!(
                complaint.is_none_or(|part| why.as_ref().unwrap().contains(part)),
                "{why:?}"
            );
        }
    }
}
