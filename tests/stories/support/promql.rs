//! Which metrics a PromQL expression asks for.

use std::collections::BTreeSet;

/// Words of the language that are no metrics, also where no bracket follows them.
const WORDS: &[&str] = &[
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "inf",
    "nan",
];
/// Those among them that are followed by labels.
const BEFORE_LABELS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The names of metrics, not of functions and labels.
pub fn metric_names(expression: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = expression;
    let mut labels_follow = false;
    while let Some(next) = rest.chars().next() {
        let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let length = match next {
            '{' => closed_by(rest, '}'),
            '[' => closed_by(rest, ']'),
            '(' if labels_follow => closed_by(rest, ')'),
            '"' | '\'' => 1 + closed_by(&rest[1..], next),
            // A number with its unit, or a variable of a dashboard.
            '0'..='9' | '$' => {
                1 + rest[1..]
                    .find(|c| !part_of_name(c) && c != '.')
                    .unwrap_or(rest.len() - 1)
            }
            _ if part_of_name(next) => rest.find(|c| !part_of_name(c)).unwrap_or(rest.len()),
            _ => next.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        if word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let lower = word.to_ascii_lowercase();
            labels_follow = BEFORE_LABELS.contains(&&*lower);
            let is_function = after.trim_start().starts_with('(') || aggregates(after);
            if !is_function && !WORDS.contains(&&*lower) {
                names.insert(word.to_owned());
            }
        } else if !word.trim().is_empty() {
            labels_follow = false;
        }
        rest = after;
    }
    names
}

/// `sum by (label) (…)`: what comes before `by` is no metric.
fn aggregates(after: &str) -> bool {
    let after = after.trim_start();
    ["by", "without"].iter().any(|word| {
        let rest = after.strip_prefix(word);
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}

/// How far it is to the end of what begins here, quoted text skipped.
fn closed_by(text: &str, end: char) -> usize {
    let mut quoted = false;
    for (place, c) in text.char_indices() {
        if c == '"' && end != '"' {
            quoted = !quoted;
        } else if c == end && !quoted {
            return place + c.len_utf8();
        }
    }
    text.len()
}

#[test]
fn functions_labels_and_ranges_are_no_metrics() {
    let names = |text: &str| metric_names(text).into_iter().collect::<Vec<_>>();
    assert_eq!(names("up == 0"), ["up"]);
    assert_eq!(
        names(
            r#"sum by (version) (rate(http_requests_total{endpoint=~"/api/v[123]/order"}[5m])) / on (instance) group_left b"#
        ),
        ["b", "http_requests_total"]
    );
    assert_eq!(
        names("histogram_quantile(0.99, sum(rate(a_bucket[$__rate_interval])) by (le)) > 1e3"),
        ["a_bucket"]
    );
    assert_eq!(names("time() - max(x:y:z offset 5m) unless on() c"), ["c", "x:y:z"]);
}
