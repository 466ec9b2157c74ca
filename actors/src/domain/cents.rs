//! Money as whole cents: never a float on its way from the request to the store.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

/// The highest price of one order: 10,000.00.
pub const MAX_PRICE: Cents = Cents(1_000_000);

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
        let decimal = if text.contains(['e', 'E']) {
            Decimal::from_scientific(text)
        } else {
            Decimal::from_str(text)
        };
        let decimal = decimal.map_err(|_| PriceError::NotANumber)?.normalize();
        if decimal.is_sign_negative() && !decimal.is_zero() || decimal > Decimal::from(MAX_PRICE.0 / 100) {
            return Err(PriceError::OutOfRange);
        }
        if decimal.scale() > 2 {
            return Err(PriceError::TooPrecise);
        }
        let cents = decimal.mantissa() * 10_i128.pow(2 - decimal.scale());
        i64::try_from(cents).map(Self).map_err(|_| PriceError::OutOfRange)
    }
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
            ("1e99", Err(PriceError::NotANumber)),
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
