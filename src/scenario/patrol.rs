//! Looks while a scenario runs: at no moment may anything be counted otherwise than it is stored, or be shown that is not.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::outcome::Check;
use super::stored::Counts;
use super::world::World;

/// From one look to the next, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// A look at a large store takes a while; the next one waits so many times as long, so that looking costs little.
const PAUSE_FOR_A_LOOK: u32 = 20;
/// The most that is remembered of what was found.
const MAX_FINDINGS: usize = 100;

/// What was seen.
#[derive(Default)]
pub(super) struct Patrol {
    looks: usize,
    found: Vec<String>,
}

impl Patrol {
    /// Looks until the end. A store that does not answer is no finding: that is told by those who wait for it.
    pub(super) async fn walk(world: &World, started: Instant, end: &CancellationToken) -> Self {
        let mut patrol = Self::default();
        let mut pause = PAUSE;
        loop {
            let look = async {
                tokio::time::sleep(pause).await;
                let began = Instant::now();
                (Counts::read_shown_first(world).await, began.elapsed())
            };
            let (looked, took) = tokio::select! {
                looked = look => looked,
                () = end.cancelled() => return patrol,
            };
            pause = PAUSE.max(took * PAUSE_FOR_A_LOOK);
            if let Ok(counts) = looked {
                patrol.note(&counts.untrue(), started.elapsed());
            }
        }
    }

    fn note(&mut self, untrue: &[String], at: Duration) {
        self.looks += 1;
        let room = MAX_FINDINGS.saturating_sub(self.found.len());
        let told = untrue.iter().take(room);
        self.found
            .extend(told.map(|what| format!("at {:.1} s: {what}", at.as_secs_f64())));
    }

    /// The promise, and how it was broken. Where nothing was looked at, nothing is promised.
    pub(super) fn check(self) -> Option<Check> {
        if self.looks == 0 {
            return None;
        }
        let name = format!(
            "whenever it was looked, what was counted and shown was stored ({} looks)",
            self.looks
        );
        Some(Check::new(&name, self.found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_told_with_its_time_and_not_without_end() {
        let mut patrol = Patrol::default();
        patrol.note(&[], Duration::from_secs(1));
        patrol.note(&["3 orders are shown of 2".to_owned()], Duration::from_millis(2_500));
        let many = vec![String::new(); MAX_FINDINGS];
        patrol.note(&many, Duration::from_secs(3));
        assert_eq!(patrol.found.len(), MAX_FINDINGS);
        let check = patrol.check().unwrap();
        assert!(!check.holds && check.name.ends_with("(3 looks)"), "{check:?}");
        assert_eq!(check.found[0], "at 2.5 s: 3 orders are shown of 2");
        let mut calm = Patrol::default();
        calm.note(&[], Duration::from_secs(1));
        assert!(calm.check().unwrap().holds);
        assert_eq!(Patrol::default().check(), None);
    }
}
