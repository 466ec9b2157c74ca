//! Money as whole cents: never a float on its way from the request to the store.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

/// The highest price of one order: 10,000.00.
pub const MAX_PRICE: Cents = Cents(1_000_000);
/// Digits that [`MAX_PRICE`] has before the point.
const MAX_PRICE_DIGITS: i64 = 5;

/// An amount of money in cents. One order holds at most [`MAX_PRICE`]; sums of any realistic number of orders fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(pub i64);

/// Why a text is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not a decimal number.
    #[error("is not a decimal number")]
    NotANumber,
    /// More than two digits after the point.
    #[error("has more than two decimals")]
    TooPrecise,
    /// Below zero or above [`MAX_PRICE`].
    #[error("must be between 0 and 10000")]
    OutOfRange,
}

impl Cents {
    /// Reads a price from the text of a JSON number (`4.5`, `1e2`) or of a decimal string.
    ///
    /// # Errors
    /// Says whether the text is no number, too precise, or out of range.
    pub fn parse_price(text: &str) -> Result<Self, PriceError> {
        // By hand, because decimal libraries round what is longer than they can hold.
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (decimal, exponent) = match text.split_once(['e', 'E']) {
            Some((decimal, exponent)) => (decimal, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = match decimal.split_once('.') {
            Some((_, "")) => return Err(PriceError::NotANumber),
            Some(parts) => parts,
            None => (decimal, ""),
        };
        if whole.is_empty()
            || !whole
                .bytes()
                .chain(fraction.bytes())
                .all(|digit| digit.is_ascii_digit())
        {
            return Err(PriceError::NotANumber);
        }
        let digits = [whole, fraction].concat();
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Self(0));
        }
        let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
        // The last significant digit counts this power of ten; lengths of texts in memory fit.
        let power = exponent.saturating_add(trailing_zeros as i64 - fraction.len() as i64);
        if negative || power.saturating_add(significant.len() as i64) > MAX_PRICE_DIGITS {
            return Err(PriceError::OutOfRange);
        }
        if power < -2 {
            return Err(PriceError::TooPrecise);
        }
        let cents = significant
            .bytes()
            .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        let cents = Self((-2..power).fold(cents, |cents, _| cents * 10));
        if cents > MAX_PRICE {
            Err(PriceError::OutOfRange)
        } else {
            Ok(cents)
        }
    }
}

fn parse_exponent(text: &str) -> Result<i64, PriceError> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(PriceError::NotANumber);
    }
    let exponent = digits.parse().unwrap_or(i64::MAX);
    Ok(if negative { -exponent } else { exponent })
}

/// The shortest exact decimal, which is also a JSON number: `4`, `4.5`, `4.25`.
impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, magnitude) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        match (magnitude / 100, magnitude % 100) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, cents) if cents % 10 == 0 => write!(f, "{sign}{whole}.{}", cents / 10),
            (whole, cents) => write!(f, "{sign}{whole}.{cents:02}"),
        }
    }
}

impl serde::Serialize for Cents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = serde_json::value::RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Cents {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        let decimal = Decimal::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let cents = decimal * Decimal::from(100);
        i64::try_from(cents).map(Self).map_err(serde::de::Error::custom)
    }
}

impl std::ops::AddAssign for Cents {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_exact_decimals_only() {
        for (text, want) in [
            ("4.5", Ok(450)),
            ("4.50", Ok(450)),
            ("4.500", Ok(450)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("1e2", Ok(10_000)),
            ("125E-2", Ok(125)),
            ("10000", Ok(1_000_000)),
            ("10000.01", Err(PriceError::OutOfRange)),
            ("-0.01", Err(PriceError::OutOfRange)),
            ("100e-2", Ok(100)),
            ("0.0e+9", Ok(0)),
            ("0e99999999999999999999", Ok(0)),
            ("4.50000000000000000000000000000000000", Ok(450)),
            ("4.50000000000000000000000000000000001", Err(PriceError::TooPrecise)),
            ("10000.000000000000000000000000000001", Err(PriceError::TooPrecise)),
            ("1e5", Err(PriceError::OutOfRange)),
            ("1e99", Err(PriceError::OutOfRange)),
            ("1e99999999999999999999", Err(PriceError::OutOfRange)),
            ("1e-99999999999999999999", Err(PriceError::TooPrecise)),
            ("99999999999999999999999999999999999", Err(PriceError::OutOfRange)),
            ("1_0", Err(PriceError::NotANumber)),
            ("4.", Err(PriceError::NotANumber)),
            (".5", Err(PriceError::NotANumber)),
            ("+1", Err(PriceError::NotANumber)),
            ("1e", Err(PriceError::NotANumber)),
            ("1e1.0", Err(PriceError::NotANumber)),
            ("-", Err(PriceError::NotANumber)),
            ("4.505", Err(PriceError::TooPrecise)),
            ("1e-7", Err(PriceError::TooPrecise)),
            ("", Err(PriceError::NotANumber)),
            ("four", Err(PriceError::NotANumber)),
            ("NaN", Err(PriceError::NotANumber)),
        ] {
            assert_eq!(Cents::parse_price(text).map(|c| c.0), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(cents in 0..=MAX_PRICE.0) {
            let shown = Cents(cents).to_string();
            prop_assert_eq!(Cents::parse_price(&shown), Ok(Cents(cents)));
            prop_assert_eq!(serde_json::to_string(&Cents(cents)).unwrap(), shown);
        }
    }
}
