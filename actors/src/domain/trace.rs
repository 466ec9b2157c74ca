//! By what an order is found again in logs, from its request to its commit.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A trace's id: 16 bytes that are not all zero (W3C Trace Context).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// The one of a `traceparent` header; none where it is no valid one, which is then to be ignored
    /// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_known = match version {
            "00" => parts.next().is_none(),
            // Later versions may have more parts; this one is forbidden.
            _ => version != "ff",
        };
        let sound =
            is_hex(version, 2) && is_hex(parent, 16) && is_hex(flags, 2) && parent.bytes().any(|digit| digit != b'0');
        if is_known && sound { Self::from_hex(trace) } else { None }
    }

    /// 32 lower-case hexadecimal digits, not all zero.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = is_hex(text, 32).then(|| u128::from_str_radix(text, 16).ok())??;
        (bytes != 0).then(|| Self(bytes.to_be_bytes()))
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

impl From<Uuid> for TraceId {
    fn from(id: Uuid) -> Self {
        Self(id.into_bytes())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_parents_count() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (header, valid) in [
            (format!("00-{trace}-00f067aa0ba902b7-01"), true),
            (format!(" 00-{trace}-00f067aa0ba902b7-00 "), true),
            (format!("01-{trace}-00f067aa0ba902b7-00-more"), true),
            (format!("00-{trace}-00f067aa0ba902b7-00-more"), false),
            (format!("ff-{trace}-00f067aa0ba902b7-00"), false),
            (format!("00-{trace}-0000000000000000-00"), false),
            (format!("00-{}-00f067aa0ba902b7-00", "0".repeat(32)), false),
            (format!("00-{}-00f067aa0ba902b7-00", trace.to_uppercase()), false),
            (format!("00-{trace}-00f067aa0ba902b7"), false),
            (String::new(), false),
        ] {
            let found = TraceId::from_traceparent(&header).map(|id| id.to_string());
            assert_eq!(found, valid.then(|| trace.to_owned()), "{header:?}");
        }
        let id = Uuid::now_v7();
        assert_eq!(TraceId::from(id).to_string(), id.simple().to_string());
    }
}
