//! Expressions such as `customers.p99_ms < 100`: what is measured, and how it must compare.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// `SUBJECT COMPARISON NUMBER`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expression {
    /// As it was written.
    text: String,
    /// What is measured.
    pub(super) subject: String,
    comparison: Comparison,
    bound: f64,
}

impl Expression {
    /// Reads one.
    ///
    /// # Errors
    /// Says how to write one.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [subject, comparison, bound] = words[..] else {
            return Err(format!(
                "{text:?} is no comparison: write it like \"customers.p99_ms < 100\""
            ));
        };
        let comparison = match comparison {
            "<" => Comparison::Below,
            "<=" => Comparison::AtMost,
            ">" => Comparison::Above,
            ">=" => Comparison::AtLeast,
            other => return Err(format!("{other:?} does not compare: choose from <, <=, >, >=")),
        };
        let number = bound.parse::<f64>().ok().filter(|bound| bound.is_finite());
        Ok(Self {
            text: text.to_owned(),
            subject: subject.to_owned(),
            comparison,
            bound: number.ok_or_else(|| format!("{bound:?} is no number"))?,
        })
    }

    /// Whether a measured value is within the bound.
    pub(super) fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Below => value < self.bound,
            Comparison::AtMost => value <= self.bound,
            Comparison::Above => value > self.bound,
            Comparison::AtLeast => value >= self.bound,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_compared() {
        for (text, value, holds) in [
            ("a < 80", 80.0, false),
            ("a <= 80", 80.0, true),
            ("a > 0.75", 0.75, false),
            ("a >= 0.75", 0.75, true),
            ("a < 80", f64::NAN, false),
        ] {
            assert_eq!(Expression::parse(text).unwrap().holds(value), holds, "{text}");
        }
    }

    #[test]
    fn what_compares_nothing_is_explained() {
        for (text, why) in [
            ("a = 3", "does not compare"),
            ("a < x", "no number"),
            ("a < inf", "no number"),
            ("a <3", "write it like"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
