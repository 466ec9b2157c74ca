//! Points in time as UTC microseconds, read from and written as ISO 8601.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How far ahead of the node's clock an order's timestamp may be.
pub const MAX_AHEAD_SECONDS: i64 = 300;

/// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// Why a text is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstantError {
    /// Not ISO 8601 with a date and a time.
    #[error("is not an ISO 8601 date and time, such as 2026-11-22T09:00:00Z")]
    NotIso8601,
    /// Before 1970.
    #[error("is before 1970")]
    TooEarly,
    /// More than [`MAX_AHEAD_SECONDS`] ahead of the node's clock.
    #[error("is more than 5 minutes in the future")]
    TooFarAhead,
}

impl Instant {
    /// The clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    /// A time of a clock that counts milliseconds since 1970; never before that.
    #[must_use]
    pub fn of_millis(millis: i64) -> Self {
        Self(millis.max(0).saturating_mul(1_000))
    }

    /// The beginning of a minute, in whole UTC minutes since 1970.
    #[must_use]
    pub fn of_minute(minute: i64) -> Self {
        Self(minute.saturating_mul(60_000_000))
    }

    /// Reads ISO 8601; without an offset the time is UTC.
    ///
    /// # Errors
    /// Says whether the text is no date and time, or before 1970.
    pub fn parse(text: &str) -> Result<Self, InstantError> {
        // A zone in brackets would be dropped silently where no offset stands before it; a date alone is no instant.
        let bytes = text.as_bytes();
        if text.contains('[') || bytes.len() < 13 || !matches!(bytes.get(10), Some(b'T' | b't' | b' ')) {
            return Err(InstantError::NotIso8601);
        }
        let timestamp = text.parse::<Timestamp>().or_else(|_| {
            let civil: DateTime = text.parse()?;
            TimeZone::UTC.to_timestamp(civil)
        });
        let micros = timestamp.map_err(|_| InstantError::NotIso8601)?.as_microsecond();
        if micros < 0 {
            Err(InstantError::TooEarly)
        } else {
            Ok(Self(micros))
        }
    }

    /// Refuses a time more than [`MAX_AHEAD_SECONDS`] after `now`.
    ///
    /// # Errors
    /// [`InstantError::TooFarAhead`].
    pub fn not_far_ahead_of(self, now: Self) -> Result<Self, InstantError> {
        if self.0 > now.0.saturating_add(MAX_AHEAD_SECONDS * 1_000_000) {
            return Err(InstantError::TooFarAhead);
        }
        Ok(self)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn second(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole UTC minutes since 1970.
    #[must_use]
    pub fn minute(self) -> i64 {
        self.0.div_euclid(60_000_000)
    }

    /// Whole UTC hours since 1970.
    #[must_use]
    pub fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000_000)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => write!(f, "{} µs since 1970", self.0),
        }
    }
}

impl serde::Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Instant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_iso_8601() {
        let nine = Instant(1_795_338_000_000_000);
        for (text, want) in [
            ("2026-11-22T09:00:00Z", Ok(nine)),
            ("2026-11-22T09:00:00", Ok(nine)),
            ("2026-11-22 09:00:00", Ok(nine)),
            ("2026-11-22T09:00", Ok(nine)),
            ("2026-11-22T11:00:00+02:00", Ok(nine)),
            ("2026-11-22T09:00:00.000001Z", Ok(Instant(1_795_338_000_000_001))),
            ("1969-12-31T23:59:59Z", Err(InstantError::TooEarly)),
            ("2026-11-22", Err(InstantError::NotIso8601)),
            ("2026-13-22T09:00:00Z", Err(InstantError::NotIso8601)),
            ("2026-11-22T09:00:00[Europe/Paris]", Err(InstantError::NotIso8601)),
            ("yesterday at nine", Err(InstantError::NotIso8601)),
            ("1795338000", Err(InstantError::NotIso8601)),
            ("", Err(InstantError::NotIso8601)),
        ] {
            assert_eq!(Instant::parse(text), want, "{text}");
        }
        assert_eq!(nine.to_string(), "2026-11-22T09:00:00Z");
    }

    #[test]
    fn five_minutes_ahead_is_the_limit() {
        let now = Instant(0);
        let limit = Instant(MAX_AHEAD_SECONDS * 1_000_000);
        assert_eq!(limit.not_far_ahead_of(now), Ok(limit));
        assert_eq!(
            Instant(limit.0 + 1).not_far_ahead_of(now),
            Err(InstantError::TooFarAhead)
        );
    }
}
