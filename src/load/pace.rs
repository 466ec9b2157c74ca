//! How fast orders come.

use serde::{Deserialize, Serialize};

/// How the moments of arrival are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Evenly, like a metronome.
    #[default]
    Constant,
    /// Independently of each other, like real customers (exponential gaps).
    Exponential,
}

/// When orders are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// At a rate that the node cannot slow down.
    Open {
        /// Distinct orders each second.
        rate_per_second: f64,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// The same at a rate that grows or falls evenly over the run's duration.
    Ramp {
        /// Distinct orders each second at the start.
        from_per_second: f64,
        /// At the end.
        to_per_second: f64,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// Each connection sends its next order when the last is answered.
    Closed,
}

impl Pace {
    /// Orders each second after this share of the run's duration; none where the node's answers decide.
    pub(super) fn rate_at(self, share: f64) -> Option<f64> {
        match self {
            Self::Open { rate_per_second, .. } => Some(rate_per_second),
            Self::Ramp {
                from_per_second,
                to_per_second,
                ..
            } => Some(from_per_second + (to_per_second - from_per_second) * share.clamp(0.0, 1.0)),
            Self::Closed => None,
        }
    }

    /// How they are spread; none where the node's answers decide.
    pub(super) const fn arrivals(self) -> Option<Arrivals> {
        match self {
            Self::Open { arrivals, .. } | Self::Ramp { arrivals, .. } => Some(arrivals),
            Self::Closed => None,
        }
    }

    /// Orders each second on average; none where the node's answers decide.
    pub(super) fn mean_rate(self) -> Option<f64> {
        self.rate_at(0.5)
    }
}
