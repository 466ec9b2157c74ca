//! SCALE.md: what experiments showed, version beside version, and what follows for larger loads.
//!
//! ```text
//! Outcomes ──┬─▶ Runs (who ran what) ──┬─▶ side, advice, engines ──┐
//!            │                         └─▶ costs, capacity, plan ──┼─▶ Document
//!            ├─▶ preface, experiments, limits ─────────────────────┤
//!            └─▶ pictures (SVG, thinned) ──────────────────────────┘
//! ```

use std::path::Path;

use super::Outcome;
use runs::Runs;

mod advice;
mod capacity;
mod costs;
mod engines;
#[cfg(test)]
mod example;
mod experiments;
mod limits;
mod markdown;
mod pictures;
mod plan;
mod preface;
mod runs;
mod side;
#[cfg(test)]
mod tests;

/// SCALE.md and the pictures in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// In Markdown.
    pub text: String,
    /// File names, and what the files hold, in SVG.
    pub plots: Vec<(String, String)>,
}

/// Tells of outcomes, in their order, each of one scenario on one version. `plots` is the folder as the document links to it.
#[must_use]
pub fn document(outcomes: &[Outcome], plots: &Path) -> Document {
    let runs = Runs(outcomes);
    let sections = [
        preface::text(outcomes),
        side::text(&runs),
        advice::text(&runs),
        engines::text(outcomes),
        experiments::text(outcomes, plots),
        plan::text(&runs),
        limits::text(outcomes),
    ];
    let sections = sections.into_iter().filter(|section| !section.is_empty());
    Document {
        text: sections.collect::<Vec<_>>().join("\n"),
        plots: outcomes.iter().map(pictures::picture).collect(),
    }
}
