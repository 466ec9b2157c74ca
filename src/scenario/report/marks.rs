//! Moments in which something happened, as vertical lines with a triangle each to point at.

use super::axis::Axis;
use super::plot::{INNER_HEIGHT, INNER_WIDTH, LEFT, Mark, TOP};
use super::text::escaped;

/// Marks that are nearer than this are drawn as one, which names them all.
const DISTANCE: f64 = 4.0;
/// From this many marks on they are thin.
const MANY: usize = 40;
/// Marks in one place that are named; of the others it is said how many.
const MAX_NAMED: usize = 8;

/// All marks, those too near to tell apart together.
pub(super) fn marks(marks: &[Mark], across: &Axis) -> String {
    let places = marks.iter().filter_map(|mark| Some((across.place(mark.at)?, mark)));
    let mut places: Vec<_> = places.map(|(place, mark)| (LEFT + place * INNER_WIDTH, mark)).collect();
    places.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut groups: Vec<(f64, Vec<&Mark>)> = Vec::new();
    for (x, mark) in places {
        match groups.last_mut() {
            Some((first, group)) if x - *first < DISTANCE => group.push(mark),
            _ => groups.push((x, vec![mark])),
        }
    }
    let many = if groups.len() > MANY { " many" } else { "" };
    let drawn = groups.iter().map(|(x, group)| {
        let missed = if group.iter().any(|mark| mark.missed) {
            " missed"
        } else {
            ""
        };
        format!(
            "<path class=\"mark{many}{missed}\" d=\"M{x:.1} {}V{TOP}l-4 -8h8l-4 8\"><title>{}</title></path>\n",
            TOP + INNER_HEIGHT,
            escaped(&named(group)),
        )
    });
    drawn.collect()
}

fn named(group: &[&Mark]) -> String {
    let mut names: Vec<String> = group.iter().take(MAX_NAMED).map(|mark| mark.label.clone()).collect();
    if group.len() > MAX_NAMED {
        names.push(format!("and {} more", group.len() - MAX_NAMED));
    }
    names.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kills(times: impl Iterator<Item = f64>) -> Vec<Mark> {
        let kill = |at| Mark {
            at,
            label: format!("kill <{at}>"),
            missed: false,
        };
        times.map(kill).collect()
    }

    #[test]
    fn a_mark_is_at_its_time() {
        let drawn = marks(&kills([2.5, 10.0].into_iter()), &Axis::exact(10.0, 6));
        for share in [0.25, 1.0] {
            let x = LEFT + INNER_WIDTH * share;
            assert!(drawn.contains(&format!("d=\"M{x:.1} ")), "{drawn}");
        }
        assert!(drawn.contains("<title>kill &lt;2.5&gt;</title>"), "{drawn}");
    }

    #[test]
    fn a_thousand_marks_are_few_enough_to_see_through_and_none_is_forgotten() {
        let drawn = marks(&kills((0..1_000).map(f64::from)), &Axis::exact(999.0, 6));
        let lines = drawn.matches("<path").count();
        assert!((100..=150).contains(&lines), "{lines}");
        assert_eq!(drawn.matches("kill &lt;").count(), 1_000);
        let at_once = marks(&kills([5.0; 20].into_iter()), &Axis::exact(10.0, 6));
        assert_eq!(at_once.matches("kill &lt;").count(), MAX_NAMED);
        assert!(at_once.contains("and 12 more"), "{at_once}");
    }
}
