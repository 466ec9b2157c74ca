//! An outcome as one page: no scripts, nothing loaded from elsewhere, light and dark.

use super::charts::{MEBIBYTE, charts};
use super::plot::{self, Plot};
use super::table::{Table, tables};
use super::text::{escaped, measured};
use crate::scenario::outcome::{Check, Outcome, Verdict};

const STYLE: &str = include_str!("page.css");

/// The outcome as a page that stands alone.
#[must_use]
pub fn html(outcome: &Outcome) -> String {
    let name = escaped(&outcome.scenario);
    let sections = [
        checks("Promises", &outcome.promises),
        checks("Evidence", &outcome.evidence),
        checks("Environment", &outcome.environment),
        checks("Thresholds", &outcome.thresholds),
        format!("<h2>Measured</h2>\n{}", tables(outcome)),
        format!(
            "<h2>Over time</h2>\n{}",
            charts(outcome).iter().map(figure).collect::<String>()
        ),
        run(outcome),
        faults(outcome),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>{name}: {words}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n<main>\n\
         <p class=\"verdict {class}\">{sign} {words}</p>\n<h1>{name}</h1>\n<p>{}</p>\n{}</main>\n</body>\n</html>\n",
        plot::STYLE,
        escaped(&outcome.about),
        sections.concat(),
        words = capital(outcome.verdict.words()),
        class = match outcome.verdict {
            Verdict::Passed => "good",
            Verdict::PromiseBroken => "bad",
            Verdict::ThresholdMissed | Verdict::Vacuous | Verdict::EnvironmentFailed => "doubt",
        },
        sign = sign(outcome.verdict == Verdict::Passed),
    )
}

fn sign(holds: bool) -> char {
    if holds { '✓' } else { '✗' }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn checks(title: &str, checks: &[Check]) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let item = |check: &Check| {
        let (class, word) = if check.holds {
            ("good", "holds")
        } else {
            ("bad", "fails")
        };
        let found = check.found.iter().map(|found| format!("<li>{}</li>", escaped(found)));
        let found: String = found.collect();
        let found = if found.is_empty() {
            found
        } else {
            format!("<ul>{found}</ul>")
        };
        format!(
            "<li><span class=\"check {class}\">{} {word}</span> {}{found}</li>\n",
            sign(check.holds),
            escaped(&check.name),
        )
    };
    let items: String = checks.iter().map(item).collect();
    format!("<h2>{title}</h2>\n<ul class=\"checks\">\n{items}</ul>\n")
}

fn figure(plot: &Plot) -> String {
    let (title, about) = (escaped(&plot.title), escaped(&plot.about));
    let picture = plot::inline(plot);
    format!("<h3>{title}</h3>\n<p class=\"faint\">{about}</p>\n<figure>\n{picture}</figure>\n")
}

fn run(outcome: &Outcome) -> String {
    let machine = &outcome.machine;
    let memory = format!("{} MiB", measured(machine.memory_bytes as f64 / MEBIBYTE));
    let facts = [
        ("started", outcome.started_at.clone()),
        ("took", format!("{} s", measured(outcome.elapsed_seconds))),
        ("seed", outcome.seed.to_string()),
        ("build", outcome.build.clone()),
        ("processor", machine.cpu.clone()),
        ("processors", machine.cores.to_string()),
        ("memory", memory),
        ("kernel", machine.kernel.clone()),
    ];
    let fact = |(name, value): &(&str, String)| {
        let value = if value.is_empty() { "unknown" } else { value };
        format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value))
    };
    let facts: String = facts.iter().map(fact).collect();
    let repeat = if outcome.repeat_with.is_empty() {
        String::new()
    } else {
        format!(
            "<p>Repeat it with:</p>\n<pre tabindex=\"0\"><code>{}</code></pre>\n",
            escaped(&outcome.repeat_with)
        )
    };
    format!("<h2>Run</h2>\n<dl>\n{facts}</dl>\n{repeat}")
}

/// What the marks of the plots are, in words.
fn faults(outcome: &Outcome) -> String {
    if outcome.faults.is_empty() {
        return String::new();
    }
    let mut table = Table::new("Faults", "at s, fault, missed");
    for fault in &outcome.faults {
        let missed = fault.missed.clone().unwrap_or_default();
        table.row([format!("{:.2}", fault.at_seconds), fault.what.clone(), missed]);
    }
    let count = outcome.faults.len();
    format!(
        "<details class=\"words\">\n<summary>Faults: {count}</summary>\n{}</details>\n",
        table.html()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::report::example;

    /// The page is written so that it is XML, too, which has stricter parsers.
    fn parsed(page: &str) -> roxmltree::Document<'_> {
        let options = roxmltree::ParsingOptions {
            allow_dtd: true,
            ..roxmltree::ParsingOptions::default()
        };
        roxmltree::Document::parse_with_options(page, options).unwrap()
    }

    #[test]
    fn a_page_has_all_that_the_outcome_has_and_closes_its_tags() {
        let outcome = example::broken();
        let page = html(&outcome);
        let document = parsed(&page);
        let text: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
        let shown = |part: &str| text.iter().any(|text| text.contains(part));
        for part in [
            "✗ A promise was broken",
            &outcome.about,
            "customers.p99_ms < 10",
            "12,000",
            "node",
            "4.2",
            &outcome.repeat_with,
            &outcome.machine.cpu,
            "kill v1/batcher-0",
        ] {
            assert!(shown(part), "{part} is not in {page}");
        }
        assert_eq!(
            document.descendants().filter(|node| node.has_tag_name("svg")).count(),
            5
        );
    }

    #[test]
    fn a_page_has_no_scripts_and_asks_for_nothing() {
        let page = html(&example::broken());
        for part in [
            "<script", "http://", "https://", "src=", "href=", "url(", "@import", "<link",
        ] {
            assert!(!page.contains(part), "{part}");
        }
        assert!(page.contains("&lt;script&gt;"), "what was found is shown as it is");
    }

    #[test]
    fn an_outcome_without_anything_is_still_a_page() {
        let mut outcome = example::broken();
        outcome.faults.clear();
        outcome.loads.clear();
        outcome.viewers.clear();
        outcome.processes.clear();
        outcome.repeat_with.clear();
        let page = html(&outcome);
        parsed(&page);
        assert_eq!(page.matches(">nothing measured</text>").count(), 5);
    }
}
