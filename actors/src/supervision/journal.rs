//! What happened in the tree, in order: the last events, for those who come later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

use crate::domain::Instant;

/// How many events are kept; older ones are forgotten.
pub const KEPT_EVENTS: usize = 10_000;
/// What is kept of a reason.
const MAX_DETAIL_CHARS: usize = 300;

/// Something that happened to an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeEvent {
    /// Grows by one with each event of this process, from 1 on.
    pub seq: u64,
    /// When, by the machine's clock.
    pub at: Instant,
    /// To whom.
    pub path: Arc<str>,
    /// What.
    pub kind: EventKind,
    /// Which generation of the actor.
    pub generation: u64,
    /// Of a fault, which one; of a failure, why.
    pub detail: Option<String>,
}

/// What can happen to an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Somebody injected a fault.
    Fault,
    /// It died, or its supervisor did.
    Failed,
    /// A generation lives.
    Started,
    /// The generation has done what it is there for, once: what it took over works again.
    FirstWork,
    /// It was ended on purpose.
    Stopped,
}

/// The last [`KEPT_EVENTS`] events.
#[derive(Default)]
pub(super) struct Journal(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    newest_seq: u64,
    events: VecDeque<TreeEvent>,
}

/// Whether a generation has done its first work. Told once, and never before its start.
#[derive(Debug, Default)]
pub(super) struct FirstWork {
    done: AtomicBool,
    /// 0 until the start is noted: an actor may work before its supervisor comes to that.
    generation: AtomicU64,
}

impl FirstWork {
    /// Notes work; true the first time.
    pub(super) fn note(&self) -> bool {
        !self.done.load(Ordering::Relaxed) && !self.done.swap(true, Ordering::SeqCst)
    }
}

impl Journal {
    pub(super) fn note(&self, path: &Arc<str>, kind: EventKind, generation: u64, detail: Option<&str>) {
        self.0.lock().push(path, kind, generation, detail);
    }

    /// Notes the start of a generation, and its first work where that was done before.
    pub(super) fn started(&self, path: &Arc<str>, generation: u64, first_work: &FirstWork) {
        let mut kept = self.0.lock();
        kept.push(path, EventKind::Started, generation, None);
        first_work.generation.store(generation, Ordering::SeqCst);
        if first_work.done.load(Ordering::SeqCst) {
            kept.push(path, EventKind::FirstWork, generation, None);
        }
    }

    /// Notes the first work of a generation, once [`FirstWork::note`] said that it is the first.
    pub(super) fn worked(&self, path: &Arc<str>, first_work: &FirstWork) {
        // Under the lock that the start is noted under: either finds what the other did.
        let mut kept = self.0.lock();
        let generation = first_work.generation.load(Ordering::SeqCst);
        if generation > 0 {
            kept.push(path, EventKind::FirstWork, generation, None);
        }
    }

    /// Events after one, oldest first, at most so many; and the number of the newest.
    pub(super) fn after(&self, seq: u64, limit: usize) -> (Vec<TreeEvent>, u64) {
        let kept = self.0.lock();
        let oldest = kept.events.front().map_or(0, |event| event.seq);
        let skipped = usize::try_from(seq.saturating_add(1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        let events = kept.events.iter().skip(skipped).take(limit).cloned().collect();
        (events, kept.newest_seq)
    }

    /// The last events, oldest first.
    pub(super) fn latest(&self, count: usize) -> Vec<TreeEvent> {
        let kept = self.0.lock();
        let skipped = kept.events.len().saturating_sub(count);
        kept.events.iter().skip(skipped).cloned().collect()
    }
}

impl Kept {
    fn push(&mut self, path: &Arc<str>, kind: EventKind, generation: u64, detail: Option<&str>) {
        self.newest_seq += 1;
        self.events.push_back(TreeEvent {
            seq: self.newest_seq,
            at: Instant::now(),
            path: path.clone(),
            kind,
            generation,
            detail: detail.map(|detail| detail.chars().take(MAX_DETAIL_CHARS).collect()),
        });
        if self.events.len() > KEPT_EVENTS {
            self.events.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(journal: &Journal) -> Vec<EventKind> {
        journal.latest(10).iter().map(|event| event.kind).collect()
    }

    #[test]
    fn the_first_work_is_told_once_and_after_the_start() {
        let path: Arc<str> = "v1/ingest".into();
        for early in [true, false] {
            let (journal, work) = (Journal::default(), FirstWork::default());
            let worked = || {
                if work.note() {
                    journal.worked(&path, &work);
                }
            };
            if early {
                worked();
                assert_eq!(kinds(&journal), []);
            }
            journal.started(&path, 3, &work);
            worked();
            worked();
            assert_eq!(kinds(&journal), [EventKind::Started, EventKind::FirstWork]);
            assert!(journal.latest(10).iter().all(|event| event.generation == 3));
        }
    }

    #[test]
    fn the_last_events_are_kept_and_can_be_asked_for() {
        let (journal, path) = (Journal::default(), Arc::from("v1"));
        assert_eq!(journal.after(0, 10), (vec![], 0));
        let count = KEPT_EVENTS as u64 + 50;
        for _ in 0..count {
            journal.note(&path, EventKind::Failed, 1, Some(&"x".repeat(1_000)));
        }
        let seqs = |after, limit| -> Vec<u64> {
            let (events, newest) = journal.after(after, limit);
            assert_eq!(newest, count);
            events.iter().map(|event| event.seq).collect()
        };
        assert_eq!(seqs(0, 3), [51, 52, 53]);
        assert_eq!(seqs(60, 2), [61, 62]);
        assert_eq!(seqs(count - 1, 100), [count]);
        assert!(seqs(count, 100).is_empty());
        assert!(seqs(count + 7, 100).is_empty());
        assert!(seqs(u64::MAX, 100).is_empty());
        assert_eq!(seqs(0, usize::MAX).len(), KEPT_EVENTS);
        assert_eq!(journal.latest(2)[0].seq, count - 1);
        assert_eq!(
            journal.latest(1)[0].detail.as_deref().map(str::len),
            Some(MAX_DETAIL_CHARS)
        );
    }
}
