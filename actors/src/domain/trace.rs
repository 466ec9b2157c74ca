//! By what an order is found again in logs and traces, from its request to its commit.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A trace's id: 16 bytes that are not all zero (W3C Trace Context).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// Where in a trace something belongs: what a `traceparent` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// Its span that what follows is a part of; not all zero.
    pub span: [u8; 8],
    /// Whether somebody collects this trace.
    pub sampled: bool,
}

impl TraceId {
    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// None where they are all zero.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        bytes.iter().any(|&byte| byte != 0).then_some(Self(bytes))
    }
}

impl TraceParent {
    /// Reads a `traceparent`; none where it is no valid one, which is then to be ignored
    /// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = from_hex::<1>(version)?;
        let is_known = match version {
            0 => parts.next().is_none(),
            // Later versions may have more parts; this one is forbidden.
            _ => version != u8::MAX,
        };
        let trace = TraceId::from_bytes(from_hex(trace)?)?;
        let span: [u8; 8] = from_hex(span)?;
        let [flags] = from_hex::<1>(flags)?;
        (is_known && span != [0; 8]).then_some(Self {
            trace,
            span,
            sampled: flags & SAMPLED != 0,
        })
    }
}

/// The flag of traces that are collected.
const SAMPLED: u8 = 1;

/// `2 * N` lower-case hexadecimal digits.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let value = (digits && text.len() == 2 * N).then(|| u128::from_str_radix(text, 16).ok())??;
    value.to_be_bytes().last_chunk().copied()
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

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampled { SAMPLED } else { 0 };
        write!(
            f,
            "00-{}-{:016x}-{flags:02x}",
            self.trace,
            u64::from_be_bytes(self.span)
        )
    }
}

impl Serialize for TraceParent {
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
        let plain = |flags| Some(format!("00-{trace}-00f067aa0ba902b7-{flags}"));
        for (header, read) in [
            (format!("00-{trace}-00f067aa0ba902b7-01"), plain("01")),
            (format!(" 00-{trace}-00f067aa0ba902b7-00 "), plain("00")),
            (format!("00-{trace}-00f067aa0ba902b7-fe"), plain("00")),
            (format!("01-{trace}-00f067aa0ba902b7-03-more"), plain("01")),
            (format!("00-{trace}-00f067aa0ba902b7-00-more"), None),
            (format!("ff-{trace}-00f067aa0ba902b7-00"), None),
            (format!("00-{trace}-0000000000000000-00"), None),
            (format!("00-{}-00f067aa0ba902b7-00", "0".repeat(32)), None),
            (format!("00-{}-00f067aa0ba902b7-00", trace.to_uppercase()), None),
            (format!("00-{trace}-00f067aa0ba902b7"), None),
            (String::new(), None),
        ] {
            let found = TraceParent::parse(&header).map(|parent| parent.to_string());
            assert_eq!(found, read, "{header:?}");
        }
        let id = Uuid::now_v7();
        assert_eq!(TraceId::from(id).to_string(), id.simple().to_string());
    }
}
