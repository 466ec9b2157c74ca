//! Deliberate faults, to prove that the checks can fail. Only in builds with the feature `fault-drills`, chosen by the
//! environment variable `COFFEE_RT_FAULT_DRILL`; in every other build each of these is a constant `false`.

/// Answer before the commit: acknowledged orders can be lost.
#[must_use]
pub fn acknowledge_before_commit() -> bool {
    is_chosen("acknowledge-before-commit")
}

/// Store repeated keys again: orders can be doubled.
#[must_use]
pub fn skip_deduplication() -> bool {
    is_chosen("skip-deduplication")
}

/// Count rows that the insert did not return: metrics drift from a recount.
#[must_use]
pub fn count_conflicts() -> bool {
    is_chosen("count-conflicts")
}

/// Acknowledge a log's entries when they are read: what is not yet stored is lost in a crash.
#[must_use]
pub fn settle_before_commit() -> bool {
    is_chosen("settle-before-commit")
}

/// Tell a commit before it is made: dashboards show what may never be stored.
#[must_use]
pub fn delta_before_commit() -> bool {
    is_chosen("delta-before-commit")
}

/// Move a partition's position before its orders are stored: what is under way is lost in a crash.
#[must_use]
pub fn advance_before_commit() -> bool {
    is_chosen("advance-before-commit")
}

/// Commit whatever the epoch: a node that lost its partition goes on writing.
#[must_use]
pub fn skip_fence() -> bool {
    is_chosen("skip-fence")
}

#[cfg(feature = "fault-drills")]
fn is_chosen(drill: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("COFFEE_RT_FAULT_DRILL").ok());
    CHOSEN.as_deref() == Some(drill)
}

#[cfg(not(feature = "fault-drills"))]
const fn is_chosen(_: &str) -> bool {
    false
}
