//! Deliberate faults that the checks must catch. Without the feature `fault-drills` there are none.

/// Whether rollups count what was sent rather than what was inserted (`COFFEE_RT_FAULT_DRILL=count-conflicts`).
#[cfg(feature = "fault-drills")]
pub(crate) fn counts_conflicts() -> bool {
    static DRILL: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("COFFEE_RT_FAULT_DRILL").ok());
    DRILL.as_deref() == Some("count-conflicts")
}

/// Never.
#[cfg(not(feature = "fault-drills"))]
pub(crate) const fn counts_conflicts() -> bool {
    false
}
