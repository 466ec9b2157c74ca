//! What the lines and marks of a plot mean.

use super::plot::{BOTTOM, INNER_HEIGHT, Plot, TOP};
use super::text::escaped;

const LINE_HEIGHT: f64 = 27.0;
const COLUMN_WIDTH: f64 = 300.0;
/// Letters that fit into one of two columns, and into one over both.
const TWO_COLUMNS_LETTERS: usize = 22;
const ONE_COLUMN_LETTERS: usize = 48;

/// A sample of what is drawn, from its middle on the left, and what it means.
struct Entry {
    class: String,
    path: &'static str,
    name: String,
}

/// The legend below the plot, and how high it is.
pub(super) fn legend(plot: &Plot) -> (String, f64) {
    let entries = entries(plot);
    let longest = entries.iter().map(|entry| entry.name.chars().count()).max();
    let (columns, letters) = match longest {
        Some(0..=TWO_COLUMNS_LETTERS) => (2, TWO_COLUMNS_LETTERS),
        _ => (1, ONE_COLUMN_LETTERS),
    };
    let drawn = entries.iter().enumerate().map(|(place, entry)| {
        let (row, column) = (place / columns, place % columns);
        let x = 24.0 + COLUMN_WIDTH * column as f64;
        let y = TOP + INNER_HEIGHT + BOTTOM + LINE_HEIGHT * (row as f64 + 0.5);
        let short: String = entry.name.chars().take(letters).collect();
        let cut = if short.len() < entry.name.len() { "…" } else { "" };
        format!(
            "<path class=\"{}\" d=\"M{x} {y}{}\"/><text x=\"{}\" y=\"{}\">{}{cut}</text>\n",
            entry.class,
            entry.path,
            x + 36.0,
            y + 5.0,
            escaped(&short)
        )
    });
    let rows = entries.len().div_ceil(columns);
    (drawn.collect(), rows as f64 * LINE_HEIGHT + 8.0)
}

fn entries(plot: &Plot) -> Vec<Entry> {
    let lines = plot.lines.iter().map(|line| {
        let empty = line.measured().next().is_none();
        Entry {
            class: line.class(),
            path: "h26",
            name: format!("{}{}", line.name, if empty { ": nothing measured" } else { "" }),
        }
    });
    let marks = [(false, "faults", "mark"), (true, "faults that missed", "mark missed")];
    let marks = marks.into_iter().filter_map(|(missed, name, class)| {
        let count = plot.marks.iter().filter(|mark| mark.missed == missed).count();
        (count > 0).then(|| Entry {
            class: class.to_owned(),
            path: "m13 8v-8l-4 -8h8l-4 8",
            name: format!("{name}: {count}"),
        })
    });
    lines.chain(marks).collect()
}
