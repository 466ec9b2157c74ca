//! The plot that shows what an experiment was for, small enough to be kept with the code.

use std::path::Path;

use super::markdown::{plain, target};
use crate::scenario::report::{Line, Plot, charts, svg};
use crate::scenario::{Chart, Outcome};

/// The most points of a line.
const MAX_POINTS: usize = 240;
/// Of each group of points that is thinned: the lowest, as an outage is one, and the highest.
const KEPT_OF_A_GROUP: usize = 2;

/// A run's picture, as a file of this name.
pub(super) fn picture(outcome: &Outcome) -> (String, String) {
    (
        file_name(outcome),
        plot(outcome).map_or_else(String::new, |plot| svg(&plot)),
    )
}

/// The picture in the document, where it is in this folder.
pub(super) fn link(outcome: &Outcome, folder: &Path) -> String {
    let path = folder.join(file_name(outcome));
    let path = path.to_string_lossy().replace('\\', "/");
    let plot = plot(outcome).unwrap_or_default();
    let shown = format!("{}. {}", plot.title, plot.about);
    format!("![{}]({})\n", plain(&shown), target(&path))
}

/// Of what a scenario's name may have, what every file system and link takes.
fn file_name(outcome: &Outcome) -> String {
    let name = format!("{}-{}", outcome.scenario, outcome.ran());
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    format!("{}.svg", name.replace(|c| !safe(c), "-"))
}

fn plot(outcome: &Outcome) -> Option<Plot> {
    let chart = outcome.experiment.as_ref().map(|experiment| experiment.plot);
    let plot = charts(outcome).into_iter().nth(place(chart.unwrap_or_default()))?;
    let title = format!("{}: {} on {}", plot.title, outcome.scenario, outcome.ran());
    Some(thinned(Plot { title, ..plot }, MAX_POINTS))
}

/// Where a chart is among those of a report.
const fn place(chart: Chart) -> usize {
    match chart {
        Chart::Throughput => 0,
        Chart::Latency => 1,
        Chart::Freshness => 2,
        Chart::Cpu => 3,
        Chart::Memory => 4,
    }
}

/// A plot whose lines have no more points than this, with the lowest and the highest of those that were near each other.
fn thinned(plot: Plot, max_points: usize) -> Plot {
    let longest = plot.lines.iter().map(|line| line.points.len()).max();
    let groups = (max_points / KEPT_OF_A_GROUP).max(1);
    let size = longest.unwrap_or(0).div_ceil(groups);
    if longest.unwrap_or(0) <= max_points {
        return plot;
    }
    let lines = plot.lines.into_iter().map(|line| Line {
        points: line.points.chunks(size).flat_map(ends).collect(),
        ..line
    });
    Plot {
        lines: lines.collect(),
        // Neighbours may be from the beginning of one group and the end of the next.
        joined_within: plot.joined_within * (2 * size) as f64,
        ..plot
    }
}

/// The lowest and the highest of some points, in their order; that nothing was measured where nothing was.
fn ends(group: &[(f64, Option<f64>)]) -> Vec<(f64, Option<f64>)> {
    let measured = || {
        let finite = |(place, (_, y)): (usize, &(f64, Option<f64>))| Some((place, (*y).filter(|y| y.is_finite())?));
        group.iter().enumerate().filter_map(finite)
    };
    let lowest = measured().min_by(|(_, a), (_, b)| a.total_cmp(b));
    let highest = measured().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let (Some((low, _)), Some((high, _))) = (lowest, highest) else {
        return group.first().map(|(x, _)| (*x, None)).into_iter().collect();
    };
    let mut places = vec![low.min(high), low.max(high)];
    places.dedup();
    places.into_iter().map(|place| group[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::report::example;

    #[test]
    fn every_chart_is_where_it_is_looked_for() {
        let charts = charts(&example::broken());
        for (chart, title) in [
            (Chart::Throughput, "Throughput"),
            (Chart::Latency, "Latency"),
            (Chart::Freshness, "Freshness"),
            (Chart::Cpu, "CPU"),
            (Chart::Memory, "Memory"),
        ] {
            assert_eq!(charts[place(chart)].title, title);
        }
    }

    fn plot(values: impl Iterator<Item = Option<f64>>) -> Plot {
        let points = values.enumerate().map(|(second, value)| (second as f64, value));
        Plot {
            lines: vec![Line {
                points: points.collect(),
                ..Line::default()
            }],
            joined_within: 2.5,
            ..Plot::default()
        }
    }

    #[test]
    fn thinning_keeps_peaks_and_outages() {
        let value = |second: u32| match second {
            301 => 9_000.0,
            302 => 0.0,
            second => 500.0 + f64::from(second % 7),
        };
        let long = plot((0..600).map(|second| Some(value(second))));
        let thin = thinned(long.clone(), MAX_POINTS);
        let points = &thin.lines[0].points;
        assert!((120..=MAX_POINTS).contains(&points.len()), "{}", points.len());
        assert!(points.contains(&(301.0, Some(9_000.0))) && points.contains(&(302.0, Some(0.0))));
        for group in long.lines[0].points.chunks(5) {
            let highest = group.iter().filter_map(|(_, y)| *y).fold(0.0, f64::max);
            let within = |(x, _): &&(f64, Option<f64>)| (group[0].0..=group[4].0).contains(x);
            let kept = points.iter().filter(within).filter_map(|(_, y)| *y);
            assert_eq!(kept.fold(0.0, f64::max), highest);
        }
        let apart = points.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max);
        assert!(apart > 0.0 && apart <= thin.joined_within, "{apart}");
        let short = plot((0..240).map(|_| Some(1.0)));
        assert_eq!(thinned(short, MAX_POINTS).lines[0].points.len(), 240);
    }

    #[test]
    fn where_nothing_was_measured_thinning_leaves_a_gap() {
        let value = |second: u32| (!(200..400).contains(&second)).then_some(1.0);
        let thin = thinned(plot((0..600).map(value)), MAX_POINTS);
        let gap = thin.lines[0].points.iter().filter(|(_, y)| y.is_none());
        assert_eq!(gap.count(), 40, "one for each group of five");
        assert_eq!(ends(&[(1.0, Some(f64::NAN)), (2.0, Some(3.0))]), [(2.0, Some(3.0))]);
    }
}
