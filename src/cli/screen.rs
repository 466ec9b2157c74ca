//! Output that is redrawn in place on a terminal and appended elsewhere.

use std::io::{self, Write};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

/// Draws blocks of lines over each other.
pub(super) struct Screen {
    term: Term,
    drawn: usize,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            term: Term::stdout(),
            drawn: 0,
        }
    }

    /// Whether somebody looks at it.
    pub(super) fn is_terminal(&self) -> bool {
        self.term.is_term()
    }

    /// Replaces the last block on a terminal; appends elsewhere. Lines are cut to the terminal, so that each takes one row.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        if !self.is_terminal() {
            return print(lines);
        }
        let (rows, columns) = self.term.size();
        let visible = lines.iter().take(usize::from(rows).saturating_sub(1).max(1));
        self.term.clear_last_lines(self.drawn)?;
        self.drawn = 0;
        for line in visible {
            self.term
                .write_line(&console::truncate_str(line, usize::from(columns), "…"))?;
            self.drawn += 1;
        }
        self.term.flush()
    }

    /// Leaves the last block standing and starts below it.
    pub(super) fn keep(&mut self) {
        self.drawn = 0;
    }
}

/// How often a progress bar is redrawn.
pub(super) const PROGRESS_MILLIS: u64 = 250;

/// A bar on the error output, where that is a terminal.
pub(super) fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // A template that indicatif cannot read leaves its default style.
    ProgressStyle::with_template(template).map_or(bar.clone(), |style| bar.with_style(style))
}

/// Writes lines to the standard output at once.
pub(super) fn print<L: AsRef<str>>(lines: &[L]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        out.write_all(line.as_ref().as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// A span of time as people read it: `850 ms`, `12.4 s`, `3 m 20 s`, `2 h 5 m`.
pub(super) fn span(seconds: f64) -> String {
    // Whole seconds of any realistic uptime fit.
    let whole = seconds.max(0.0) as u64;
    match whole {
        0 => format!("{:.0} ms", seconds.max(0.0) * 1_000.0),
        1..=59 => format!("{seconds:.1} s"),
        60..=3_599 => format!("{} m {} s", whole / 60, whole % 60),
        3_600..=86_399 => format!("{} h {} m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// Columns padded to their widest cell; the first columns to the left, those from `numbers` on to the right.
pub(super) fn table(rows: &[Vec<String>], numbers: std::ops::Range<usize>) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| console::measure_text_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let side = |column| {
        if numbers.contains(&column) {
            console::Alignment::Right
        } else {
            console::Alignment::Left
        }
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate();
        let padded = cells.map(|(column, cell)| console::pad_str(cell, widths[column], side(column), None));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (seconds, text) in [
            (0.0031, "3 ms"),
            (12.44, "12.4 s"),
            (200.0, "3 m 20 s"),
            (7_500.0, "2 h 5 m"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn tables_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = table(&[row(["name", "n", "why"]), row(["a", "100", ""])], 1..2);
        assert_eq!(lines, ["name    n  why", "a     100"]);
    }
}
