//! What a run's moments show, as plots over its time.

use super::plot::{Line, Mark, Plot};
use crate::scenario::outcome::{LoadMoment, Outcome, ViewMoment};

/// Bytes of a MiB.
pub(in crate::scenario) const MEBIBYTE: f64 = 1_048_576.0;
/// Moments that are further apart than this many have others missing between them.
const JOINED_MOMENTS: f64 = 2.5;

/// All plots of a run, in the order of a report.
pub(in crate::scenario) fn charts(outcome: &Outcome) -> Vec<Plot> {
    let clock = Clock::of(outcome);
    vec![
        throughput(outcome, &clock),
        latency(outcome, &clock),
        freshness(outcome, &clock),
        processor(outcome, &clock),
        memory(outcome, &clock),
    ]
}

/// The time axis that all plots of a run have.
struct Clock {
    x: String,
    seconds: f64,
    joined_within: f64,
    marks: Vec<Mark>,
}

impl Clock {
    fn of(outcome: &Outcome) -> Self {
        let (unit, seconds) = match outcome.elapsed_seconds {
            length if length > 10_800.0 => ("hours", 3_600.0),
            length if length > 300.0 => ("minutes", 60.0),
            _ => ("seconds", 1.0),
        };
        let marks = outcome.faults.iter().map(|fault| Mark {
            at: fault.at_seconds / seconds,
            label: match &fault.missed {
                None => format!("{} at {:.1} s", fault.what, fault.at_seconds),
                Some(why) => format!("{} at {:.1} s missed: {why}", fault.what, fault.at_seconds),
            },
            missed: fault.missed.is_some(),
        });
        Self {
            x: format!("{unit} from the start"),
            seconds,
            joined_within: outcome.moment_seconds * JOINED_MOMENTS / seconds,
            marks: marks.collect(),
        }
    }

    fn plot(&self, title: &str, unit: &str, about: &str, lines: Vec<Line>) -> Plot {
        Plot {
            title: title.to_owned(),
            about: about.to_owned(),
            x: self.x.clone(),
            unit: unit.to_owned(),
            lines,
            marks: self.marks.clone(),
            joined_within: self.joined_within,
            may_be_logarithmic: false,
        }
    }

    /// One line through the moments of the subject with this colour.
    fn line<M>(&self, name: String, colour: usize, moments: &[M], point: impl Fn(&M) -> (f64, Option<f64>)) -> Line {
        let points = moments.iter().map(point);
        Line {
            name,
            colour,
            dashed: false,
            points: points.map(|(at, value)| (at / self.seconds, value)).collect(),
        }
    }
}

fn dashed(line: Line) -> Line {
    Line { dashed: true, ..line }
}

fn throughput(outcome: &Outcome, clock: &Clock) -> Plot {
    let lines = outcome.loads.iter().enumerate().flat_map(|(colour, load)| {
        let line = |name: &str, value: fn(&LoadMoment) -> f64| {
            clock.line(format!("{} {name}", load.name), colour, &load.moments, |moment| {
                (moment.at_seconds, Some(value(moment)))
            })
        };
        [
            line("acked", |moment| moment.acknowledged_per_second),
            dashed(line("refused", |moment| moment.refused_per_second)),
        ]
    });
    let about = "Orders acknowledged, and answers that refused one for now, each second, by load.";
    clock.plot("Throughput", "orders/s", about, lines.collect())
}

fn latency(outcome: &Outcome, clock: &Clock) -> Plot {
    let lines = outcome.loads.iter().enumerate().flat_map(|(colour, load)| {
        let line = |name: &str, value: fn(&LoadMoment) -> f64| {
            clock.line(format!("{} {name}", load.name), colour, &load.moments, |moment| {
                let any = moment.acknowledged_per_second > 0.0;
                (moment.at_seconds, any.then(|| value(moment)))
            })
        };
        [
            line("p50", |moment| moment.p50_ms),
            dashed(line("p99", |moment| moment.p99_ms)),
        ]
    });
    let about = "Time from the moment an order was due to its acknowledgement, by load: what half of the orders, and 99 of \
                 100, stayed within.";
    Plot {
        may_be_logarithmic: true,
        ..clock.plot("Latency", "ms", about, lines.collect())
    }
}

fn freshness(outcome: &Outcome, clock: &Clock) -> Plot {
    let lines = outcome.viewers.iter().enumerate().flat_map(|(colour, viewers)| {
        let line = |name: &str, value: fn(&ViewMoment) -> f64| {
            clock.line(format!("{} {name}", viewers.name), colour, &viewers.moments, |moment| {
                // No time is as short as zero: nothing came in that moment.
                (moment.at_seconds, Some(value(moment)).filter(|millis| *millis > 0.0))
            })
        };
        [
            line("p50", |moment| moment.p50_ms),
            dashed(line("p99", |moment| moment.p99_ms)),
        ]
    });
    let about = "How long viewers waited: at a socket for the first frame with an acknowledged order, at a page for its answer.";
    Plot {
        may_be_logarithmic: true,
        ..clock.plot("Freshness", "ms", about, lines.collect())
    }
}

fn processor(outcome: &Outcome, clock: &Clock) -> Plot {
    let lines = outcome.processes.iter().enumerate().map(|(colour, process)| {
        clock.line(process.name.clone(), colour, &process.moments, |moment| {
            (moment.at_seconds, Some(moment.cpu_percent))
        })
    });
    let about = "Processor time that each process used: 100 % is one processor, busy all the time.";
    clock.plot("CPU", "% of one processor", about, lines.collect())
}

fn memory(outcome: &Outcome, clock: &Clock) -> Plot {
    let lines = outcome.processes.iter().enumerate().map(|(colour, process)| {
        clock.line(process.name.clone(), colour, &process.moments, |moment| {
            (moment.at_seconds, Some(moment.memory_bytes as f64 / MEBIBYTE))
        })
    });
    let about = "Memory that each process used; a page that several map counts once.";
    clock.plot("Memory", "MiB", about, lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::report::example;

    #[test]
    fn what_was_not_measured_is_no_zero() {
        let mut outcome = example::broken();
        outcome.loads[0].moments[3].acknowledged_per_second = 0.0;
        outcome.loads[0].moments[3].p99_ms = 0.0;
        let charts = charts(&outcome);
        assert_eq!(charts[0].lines[0].points[3], (4.0, Some(0.0)), "nobody was served");
        assert_eq!(charts[1].lines[1].points[3], (4.0, None), "and so nobody waited");
    }

    #[test]
    fn long_runs_are_told_in_minutes_and_their_faults_too() {
        let mut outcome = example::broken();
        outcome.elapsed_seconds = 600.0;
        let chart = &charts(&outcome)[0];
        assert_eq!(chart.x, "minutes from the start");
        assert!((chart.marks[0].at * 60.0 - outcome.faults[0].at_seconds).abs() < 1e-9);
        assert!((chart.lines[0].points[5].0 - 0.1).abs() < 1e-9);
    }
}
