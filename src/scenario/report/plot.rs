//! Plots as SVG: lines over an axis, with moments marked in which something happened.

use super::axis::Axis;
use super::legend::legend;
use super::marks::marks;
use super::text::{escaped, measured, number};

/// Colours and sizes of all plots, light and dark. A page that has plots in it needs it once.
pub const STYLE: &str = include_str!("plot.css");
/// Colours that are told apart; the line after the last has the first again.
const COLOURS: usize = 8;

// Sizes in the units of the drawing, which is scaled to the width that there is.
const WIDTH: f64 = 640.0;
pub(super) const LEFT: f64 = 84.0;
const RIGHT: f64 = 20.0;
pub(super) const TOP: f64 = 40.0;
pub(super) const INNER_WIDTH: f64 = WIDTH - LEFT - RIGHT;
pub(super) const INNER_HEIGHT: f64 = 220.0;
pub(super) const BOTTOM: f64 = 62.0;
const TICKS: u32 = 6;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// Its name.
    pub title: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// What goes to the right, from zero, with its unit.
    pub x: String,
    /// The unit of what goes up.
    pub unit: String,
    /// What was measured.
    pub lines: Vec<Line>,
    /// What happened.
    pub marks: Vec<Mark>,
    /// Points further apart to the right are not joined: nothing was measured between them.
    pub joined_within: f64,
    /// Whether the axis may be logarithmic where values spread far; else it begins at zero.
    pub may_be_logarithmic: bool,
}

/// Values in turn.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// As the legend has it.
    pub name: String,
    /// Lines of one subject share it.
    pub colour: usize,
    /// Tells lines of one colour apart.
    pub dashed: bool,
    /// To the right and up; no second one where nothing was measured.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A moment in which something happened.
#[derive(Clone, Debug)]
pub struct Mark {
    /// To the right.
    pub at: f64,
    /// What happened, for who points at it.
    pub label: String,
    /// Whether it came to nothing.
    pub missed: bool,
}

impl Line {
    pub(super) fn measured(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let points = self.points.iter().filter_map(|(x, y)| Some((*x, (*y)?)));
        points.filter(|(x, y)| x.is_finite() && y.is_finite())
    }

    pub(super) fn class(&self) -> String {
        let dashed = if self.dashed { " dashed" } else { "" };
        format!("line c{}{dashed}", self.colour % COLOURS)
    }
}

/// A picture that stands alone, as a file.
#[must_use]
pub fn svg(plot: &Plot) -> String {
    drawing(
        plot,
        "xmlns=\"http://www.w3.org/2000/svg\" ",
        &format!("<style>{STYLE}</style>"),
    )
}

/// The same as part of a page that has [`STYLE`].
pub(super) fn inline(plot: &Plot) -> String {
    drawing(plot, "", "")
}

fn drawing(plot: &Plot, attributes: &str, style: &str) -> String {
    let values = || plot.lines.iter().flat_map(Line::measured);
    let ends = values().map(|(x, _)| x).chain(plot.marks.iter().map(|mark| mark.at));
    let across = Axis::exact(ends.filter(|x| x.is_finite()).fold(0.0, f64::max), TICKS);
    let up = values().map(|(_, y)| y);
    let up = if plot.may_be_logarithmic {
        Axis::fitting(up, TICKS)
    } else {
        Axis::round(up.fold(0.0, f64::max), TICKS)
    };
    let (legend, legend_height) = legend(plot);
    let height = TOP + INNER_HEIGHT + BOTTOM + legend_height;
    let (title, about) = (escaped(&plot.title), escaped(&told(plot)));
    let body = if values().next().is_none() {
        let (x, y) = (LEFT + INNER_WIDTH / 2.0, TOP + INNER_HEIGHT / 2.0);
        let word = format!("<text class=\"faint middle\" x=\"{x:.1}\" y=\"{y:.1}\">nothing measured</text>");
        format!("{}{}{word}", ticks_across(&across), marks(&plot.marks, &across))
    } else {
        let lines = plot
            .lines
            .iter()
            .map(|line| path(line, plot.joined_within, &across, &up));
        let (across_ticks, marks) = (ticks_across(&across), marks(&plot.marks, &across));
        format!(
            "{}{across_ticks}{marks}{}",
            ticks_up(&up, &plot.unit),
            lines.collect::<String>()
        )
    };
    format!(
        "<svg {attributes}class=\"plot\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\
         <desc>{about}</desc>{style}<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         {body}<text class=\"faint middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n{legend}</svg>\n",
        LEFT + INNER_WIDTH / 2.0,
        TOP + INNER_HEIGHT + 48.0,
        escaped(&plot.x),
    )
}

/// The plot in words.
fn told(plot: &Plot) -> String {
    let mut told = vec![plot.about.clone()];
    told.extend(plot.lines.iter().map(|line| {
        let values = || line.measured().map(|(_, y)| y);
        match values().next() {
            None => format!("{}: nothing measured.", line.name),
            Some(_) => format!(
                "{}: {} to {} {}.",
                line.name,
                measured(values().fold(f64::INFINITY, f64::min)),
                measured(values().fold(f64::NEG_INFINITY, f64::max)),
                plot.unit
            ),
        }
    }));
    if !plot.marks.is_empty() {
        told.push(format!("Faults marked: {}.", plot.marks.len()));
    }
    told.join(" ")
}

fn ticks_across(axis: &Axis) -> String {
    let (top, bottom) = (TOP, TOP + INNER_HEIGHT);
    let tick = |tick: &f64| {
        let x = LEFT + axis.place(*tick)? * INNER_WIDTH;
        Some(format!(
            "<path class=\"grid\" d=\"M{x:.1} {top}V{bottom}\"/>\
             <text class=\"faint middle\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n",
            bottom + 22.0,
            number(*tick)
        ))
    };
    axis.ticks.iter().filter_map(tick).collect()
}

fn ticks_up(axis: &Axis, unit: &str) -> String {
    let tick = |tick: &f64| {
        let y = TOP + (1.0 - axis.place(*tick)?) * INNER_HEIGHT;
        Some(format!(
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}h{INNER_WIDTH}\"/>\
             <text class=\"faint end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            LEFT - 8.0,
            y + 5.0,
            number(*tick)
        ))
    };
    let ticks: String = axis.ticks.iter().filter_map(tick).collect();
    format!("{ticks}<text x=\"4\" y=\"18\">{}</text>\n", escaped(unit))
}

fn path(line: &Line, joined_within: f64, across: &Axis, up: &Axis) -> String {
    let (mut path, mut last) = (String::new(), None);
    for (x, y) in &line.points {
        let place = y.and_then(|y| Some((across.place(*x)?, up.place(y)?)));
        let Some((right, above)) = place else {
            last = None;
            continue;
        };
        let joined = last.is_some_and(|last| x - last <= joined_within);
        let (right, down) = (LEFT + right * INNER_WIDTH, TOP + (1.0 - above) * INNER_HEIGHT);
        // Without a length of its own, a point between gaps would not be seen.
        path += &if joined {
            format!("L{right:.1} {down:.1}")
        } else {
            format!("M{right:.1} {down:.1}h0")
        };
        last = Some(*x);
    }
    let (class, name) = (line.class(), escaped(&line.name));
    format!("<path class=\"{class}\" d=\"{path}\"><title>{name}</title></path>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        Plot {
            title: "Rate & more".to_owned(),
            about: "What is <shown>.".to_owned(),
            x: "seconds".to_owned(),
            unit: "orders/s".to_owned(),
            lines: vec![Line {
                name: "customers".to_owned(),
                points: vec![
                    (1.0, Some(0.0)),
                    (2.0, Some(100.0)),
                    (3.0, None),
                    (8.0, Some(50.0)),
                    (10.0, Some(f64::NAN)),
                ],
                ..Line::default()
            }],
            joined_within: 2.5,
            ..Plot::default()
        }
    }

    #[test]
    fn points_are_where_their_values_are_and_gaps_are_left_open() {
        let picture = svg(&plot());
        let document = roxmltree::Document::parse(&picture).unwrap();
        let line = document
            .descendants()
            .find(|node| node.attribute("class") == Some("line c0"))
            .unwrap();
        // The axes go to 8 and to 100.
        let x = |value: f64| LEFT + INNER_WIDTH * value / 8.0;
        let (zero, half) = (TOP + INNER_HEIGHT, TOP + INNER_HEIGHT / 2.0);
        let expected = format!(
            "M{:.1} {zero:.1}h0L{:.1} {TOP:.1}M{:.1} {half:.1}h0",
            x(1.0),
            x(2.0),
            x(8.0)
        );
        assert_eq!(line.attribute("d"), Some(expected.as_str()));
        assert_eq!(line.first_element_child().unwrap().text(), Some("customers"));
    }

    #[test]
    fn a_picture_has_its_text_alternative_and_asks_for_nothing() {
        let picture = svg(&plot());
        let document = roxmltree::Document::parse(&picture).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        assert_eq!(root.attribute("aria-label"), Some("Rate & more"));
        let told = root.first_element_child().unwrap().text();
        assert_eq!(told, Some("What is <shown>. customers: 0 to 100 orders/s."));
        assert_eq!(picture.matches("http").count(), 1, "only the name space");
    }

    #[test]
    fn where_nothing_was_measured_no_line_is_drawn() {
        let mut plot = plot();
        plot.lines.push(Line {
            name: "others".to_owned(),
            colour: 1,
            points: vec![(1.0, None)],
            ..Line::default()
        });
        assert!(svg(&plot).contains("others: nothing measured"));
        plot.lines.remove(0);
        let picture = inline(&plot);
        assert!(picture.contains(">nothing measured</text>"), "{picture}");
        assert!(!picture.contains("class=\"line c1\" d=\"M84"), "{picture}");
    }

    /// WCAG: 4.5 for text; lines get by with 3, and have more.
    #[test]
    fn all_colours_stand_out_from_the_paper() {
        for sheet in [STYLE, include_str!("page.css")] {
            let (light, dark) = sheet.split_once("@media (prefers-color-scheme: dark)").unwrap();
            for style in [light, dark.split_once("} }").unwrap().0] {
                let colours = style
                    .split(';')
                    .filter_map(|rule| rule.rsplit_once("--")?.1.split_once(": #"));
                let mut colours = colours.map(|(name, colour)| (name, luminance(colour)));
                let paper = colours.next().unwrap().1;
                let decoration = ["grid", "edge", "shade"];
                let inks: Vec<_> = colours.filter(|(name, _)| !decoration.contains(name)).collect();
                assert!(inks.len() >= 5, "{inks:?}");
                for (name, ink) in inks {
                    let contrast = (paper.max(ink) + 0.05) / (paper.min(ink) + 0.05);
                    assert!(contrast >= 4.5, "{name}: {contrast}");
                }
            }
        }
    }

    fn luminance(colour: &str) -> f64 {
        let part = |from: usize| {
            let share = f64::from(u8::from_str_radix(&colour[from..from + 2], 16).unwrap()) / 255.0;
            if share <= 0.04045 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }
}
