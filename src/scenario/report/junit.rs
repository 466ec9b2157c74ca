//! An outcome for continuous integration: JUnit's XML, a suite for the scenario and a case for each check.

use super::text::escaped;
use crate::scenario::{Check, Outcome};

/// Checks of one kind: how their cases are grouped, and what it means when one fails.
type Kind = (&'static str, &'static str, fn(&Outcome) -> &[Check]);
const KINDS: [Kind; 4] = [
    ("promises", "a promise was broken", |outcome| &outcome.promises),
    ("evidence", "the run proves nothing", |outcome| &outcome.evidence),
    ("environment", "the environment failed", |outcome| &outcome.environment),
    ("thresholds", "a threshold was missed", |outcome| &outcome.thresholds),
];

/// The outcome as JUnit's XML. Cases take no time of their own: the suite has the run's, in seconds.
#[must_use]
pub fn junit(outcome: &Outcome) -> String {
    let checks = KINDS.iter().flat_map(|(_, _, checks)| checks(outcome));
    let (tests, failures) = checks.fold((0, 0), |(tests, failures), check| {
        (tests + 1, failures + usize::from(!check.holds))
    });
    let name = escaped(&outcome.scenario);
    let totals = format!(
        "name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{:.3}\"",
        outcome.elapsed_seconds
    );
    let cases = KINDS.iter().flat_map(|(kind, meaning, checks)| {
        let checks = checks(outcome).iter();
        checks.map(move |check| case(outcome, kind, meaning, check))
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n<testsuite {totals}{}>\n{}{}</testsuite>\n\
         </testsuites>\n",
        timestamp(outcome),
        properties(outcome),
        cases.collect::<String>(),
    )
}

/// JUnit's schema has no place for the offset; the time is UTC.
fn timestamp(outcome: &Outcome) -> String {
    let time = outcome.started_at.get(.."2026-01-01T00:00:00".len());
    time.map_or(String::new(), |time| format!(" timestamp=\"{}\"", escaped(time)))
}

fn properties(outcome: &Outcome) -> String {
    let machine = &outcome.machine;
    let properties = [
        ("about", outcome.about.clone()),
        ("seed", outcome.seed.to_string()),
        ("build", outcome.build.clone()),
        ("cpu", machine.cpu.clone()),
        ("cores", machine.cores.to_string()),
        ("memory_bytes", machine.memory_bytes.to_string()),
        ("kernel", machine.kernel.clone()),
        ("repeat_with", outcome.repeat_with.clone()),
    ];
    let lines = properties
        .iter()
        .map(|(name, value)| format!("<property name=\"{name}\" value=\"{}\"/>\n", escaped(value)));
    format!("<properties>\n{}</properties>\n", lines.collect::<String>())
}

fn case(outcome: &Outcome, kind: &str, meaning: &str, check: &Check) -> String {
    let found = check.found.join("\n");
    let said = if !check.holds {
        let first = check.found.first().map_or(meaning, String::as_str);
        format!(
            "<failure type=\"{meaning}\" message=\"{}\">{}\n\nrepeat with: {}</failure>",
            escaped(first),
            escaped(&found),
            escaped(&outcome.repeat_with)
        )
    } else if !found.is_empty() {
        format!("<system-out>{}</system-out>", escaped(&found))
    } else {
        String::new()
    };
    format!(
        "<testcase classname=\"{}.{kind}\" name=\"{}\" time=\"0\">{said}</testcase>\n",
        escaped(&outcome.scenario),
        escaped(&check.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::report::example;

    #[test]
    fn every_check_is_a_case_that_a_parser_reads_back() {
        let outcome = example::broken();
        let xml = junit(&outcome);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let suite = document
            .descendants()
            .find(|node| node.has_tag_name("testsuite"))
            .unwrap();
        assert_eq!(suite.attribute("tests"), Some("4"));
        assert_eq!(suite.attribute("failures"), Some("2"));
        assert_eq!(suite.attribute("time"), Some("21.500"));
        assert_eq!(suite.attribute("timestamp"), Some("2026-11-23T14:00:00"));
        let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
        let named = |kind: &str| {
            let class = format!("{}.{kind}", outcome.scenario);
            let of = cases.iter().filter(|case| case.attribute("classname") == Some(&class));
            of.map(|case| case.attribute("name").unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(named("promises"), ["stored once", "nothing lost"]);
        assert_eq!(named("evidence"), ["every fault was injected"]);
        assert_eq!(named("thresholds"), ["customers.p99_ms < 10"]);
        let failure = cases[1].first_element_child().unwrap();
        assert_eq!(failure.attribute("message"), Some("<script>alert(\"1 & 2\")</script>"));
        let text = failure.text().unwrap();
        assert!(
            text.contains("and this") && text.contains(&outcome.repeat_with),
            "{text}"
        );
        assert!(cases[0].first_element_child().is_none());
    }
}
