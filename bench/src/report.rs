//! Figures against goals: medians of rounds, tables for people, JSON for machines.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// One figure, once for each round.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// Such as `ms`; empty for a ratio.
    pub unit: &'static str,
    /// The goal.
    pub wanted: Wanted,
    /// The median of the rounds.
    pub median: f64,
    /// The least of the rounds.
    pub min: f64,
    /// The most of the rounds.
    pub max: f64,
    /// Whether the median meets the goal.
    pub met: bool,
    /// Absolute figures and whatever else helps to judge it.
    pub beside: Vec<String>,
}

impl Figure {
    /// A figure of at least one round.
    pub fn new(what: impl Into<String>, unit: &'static str, wanted: Wanted, rounds: &[f64]) -> Self {
        let median = median(rounds);
        let met = match wanted {
            Wanted::AtLeast(least) => median >= least,
            Wanted::AtMost(most) => median <= most,
        };
        Self {
            what: what.into(),
            unit,
            wanted,
            median,
            min: rounds.iter().copied().fold(f64::INFINITY, f64::min),
            max: rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            met,
            beside: Vec::new(),
        }
    }

    /// Adds a remark.
    pub fn beside(mut self, remark: impl Into<String>) -> Self {
        self.beside.push(remark.into());
        self
    }
}

/// The table for people.
pub fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "{:<58} {:>12} {:>10}  {:<19} {}\n",
        "figure", "goal", "median", "min … max", ""
    );
    for figure in figures {
        let (sign, goal) = match figure.wanted {
            Wanted::AtLeast(goal) => ("≥", goal),
            Wanted::AtMost(goal) => ("≤", goal),
        };
        let spread = format!("{:.2} … {:.2}", figure.min, figure.max);
        let verdict = if figure.met { "met" } else { "MISSED" };
        let _ = writeln!(
            text,
            "{:<58} {:>12} {:>10.2}  {spread:<19} {verdict}",
            figure.what,
            format!("{sign} {goal} {}", figure.unit),
            figure.median,
        );
        for remark in &figure.beside {
            let _ = writeln!(text, "    {remark}");
        }
    }
    text
}

/// The middle one; of an even number the mean of both. Zero where there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// A percentile of times by the nearest rank, in milliseconds. Zero where there is none.
pub fn percentile_ms(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
    times.get(rank).map_or(0.0, |time| millis(*time))
}

/// A count for a rate.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
pub fn precise(number: u64) -> f64 {
    number as f64
}

/// In milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        let mut times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert!((percentile_ms(&mut times, 99) - 198.0).abs() < 1e-9);
        assert!(percentile_ms(&mut [], 99).abs() < 1e-9);
    }
}
