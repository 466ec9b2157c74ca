//! Lengths of time as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

/// The longest: a week.
const MAX_SPAN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A length of time such as `30s`, `1m 30s` or `500ms`; zero is one as well.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[0-9. a-z]+$", "examples" = ["30s", "1m 30s", "500ms"]))]
pub struct Span(#[schemars(with = "String")] pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let complain = || format!("{text:?} is no length of time: write it like 30s, 2m or 500ms");
        let duration = SignedDuration::from_str(text.trim()).map_err(|_| complain())?;
        let duration = Duration::try_from(duration).map_err(|_| complain())?;
        if duration > MAX_SPAN {
            return Err(format!(
                "{text:?} is longer than the {MAX_SPAN:?} that anything may take"
            ));
        }
        Ok(Self(duration))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Reads a length of time that is more than nothing.
///
/// # Errors
/// Says how to write one.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    match Span::try_from(text.to_owned())? {
        Span(Duration::ZERO) => Err(format!("{text:?} is too short: write it like 30s, 2m or 500ms")),
        Span(duration) => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_written_as_people_write_them() {
        for (text, millis) in [
            ("30s", 30_000),
            ("2m", 120_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse_span(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "30", "-3s", "0s", "soon", "1000h"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
        assert_eq!(Span::try_from("0s".to_owned()), Ok(Span(Duration::ZERO)));
    }
}
