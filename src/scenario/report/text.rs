//! Numbers and words as all reports write them.

use std::borrow::Cow;

/// Text that XML and HTML take as it is meant, in elements and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let part = |c: char| -> Cow<'static, str> {
        match c {
            '&' => "&amp;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '"' => "&quot;".into(),
            '\'' => "&#39;".into(),
            '\n' | '\t' => String::from(c).into(),
            // XML has no way to write these.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => "\u{fffd}".into(),
            c => String::from(c).into(),
        }
    };
    text.chars().map(part).collect()
}

/// A number with commas and as many decimals as it needs, three at most: `12,500`, `0.25`.
pub(in crate::scenario) fn number(value: f64) -> String {
    let text = format!("{:.3}", value.abs());
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = decimals.trim_end_matches('0');
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{decimals}")
}

/// A measured number, no more exact than people read: `12,500`, `31.4`, `0.25`.
pub(in crate::scenario) fn measured(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 1.0,
        size if size >= 10.0 => 10.0,
        size if size >= 1.0 => 100.0,
        _ => 1_000.0,
    };
    number((value * digits).round() / digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_short() {
        for (value, text) in [
            (0.0, "0"),
            (999.0, "999"),
            (1_000.0, "1,000"),
            (1_234_567.5, "1,234,567.5"),
            (-20_000.0, "-20,000"),
            (0.25, "0.25"),
        ] {
            assert_eq!(number(value), text);
        }
        for (value, text) in [
            (1_234.56, "1,235"),
            (31.415, "31.4"),
            (3.4567, "3.46"),
            (0.0126, "0.013"),
        ] {
            assert_eq!(measured(value), text);
        }
    }

    #[test]
    fn what_means_something_to_a_parser_is_escaped() {
        assert_eq!(
            escaped("<a b=\"c\">&'\u{1b}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}"
        );
    }
}
