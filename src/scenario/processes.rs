//! What the node and the services use: processor time and memory, by the kernel's count.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::outcome::{ProcessMoment, ProcessOutcome};

pub(super) use kernel::family;
use kernel::usage;

/// Watches a process with all that it starts, also over its restarts; or several that do one thing together.
pub struct Watched {
    name: String,
    /// Processor time that each member had used when it was last seen.
    before: HashMap<i32, Duration>,
    last: Option<Instant>,
    used: Duration,
    peak_memory_bytes: u64,
    moments: Vec<ProcessMoment>,
}

impl Watched {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            before: HashMap::new(),
            last: None,
            used: Duration::ZERO,
            peak_memory_bytes: 0,
            moments: Vec::new(),
        }
    }

    /// Takes a look. What a process had used before the first look does not count; a new one's use counts from its start.
    pub fn look(&mut self, roots: impl IntoIterator<Item = i32>, at_seconds: f64) {
        let now = Instant::now();
        let (mut used, mut memory_bytes, mut seen) = (Duration::ZERO, 0, HashMap::new());
        for member in roots.into_iter().flat_map(family) {
            let Some((time, memory)) = usage(member) else { continue };
            let new = if self.last.is_some() { Duration::ZERO } else { time };
            used += time.saturating_sub(self.before.get(&member).copied().unwrap_or(new));
            memory_bytes += memory;
            seen.insert(member, time);
        }
        self.before = seen;
        if let Some(last) = self.last.replace(now) {
            let elapsed = (now - last).as_secs_f64().max(f64::EPSILON);
            self.moments.push(ProcessMoment {
                at_seconds,
                cpu_percent: 100.0 * used.as_secs_f64() / elapsed,
                memory_bytes,
            });
            self.used += used;
        }
        self.peak_memory_bytes = self.peak_memory_bytes.max(memory_bytes);
    }

    /// What was seen.
    #[must_use]
    pub fn outcome(self) -> ProcessOutcome {
        ProcessOutcome {
            name: self.name,
            cpu_seconds: self.used.as_secs_f64(),
            peak_memory_bytes: self.peak_memory_bytes,
            moments: self.moments,
        }
    }
}

/// Everything that runs, watched together. Whoever looks tells all of it, in the same order each time.
pub(super) struct Watch(Vec<Watched>);

/// A name, and the roots of what goes by it; none where it does not run just now.
pub(super) type Running = (String, Option<i32>);

impl Watch {
    pub(super) fn of(running: Vec<Running>) -> Self {
        Self(running.into_iter().map(|(name, _)| Watched::new(&name)).collect())
    }

    /// Takes a look at each, beside what else is to be done: a look reads files of the kernel.
    pub(super) async fn look(&mut self, running: Vec<Running>, started: Instant) {
        let (at_seconds, mut looking) = (started.elapsed().as_secs_f64(), std::mem::take(&mut self.0));
        let looked = tokio::task::spawn_blocking(move || {
            for (watched, (_, process)) in looking.iter_mut().zip(running) {
                watched.look(process, at_seconds);
            }
            looking
        });
        self.0 = looked.await.unwrap_or_default();
    }

    pub(super) fn outcomes(self) -> Vec<ProcessOutcome> {
        self.0.into_iter().map(Watched::outcome).collect()
    }
}

/// What one process has used: processor time, and bytes of memory, where a page that several map counts once among them.
type Usage = (Duration, u64);

#[cfg(target_os = "linux")]
mod kernel {
    use std::collections::HashMap;
    use std::time::Duration;

    use procfs::process::{Process, all_processes};

    /// A process and those that it started, itself first.
    pub(in super::super) fn family(root: i32) -> Vec<i32> {
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for process in all_processes().into_iter().flatten().flatten() {
            // One that has ended meanwhile belongs to nobody.
            if let Ok(stat) = process.stat() {
                children.entry(stat.ppid).or_default().push(stat.pid);
            }
        }
        let (mut members, mut next) = (vec![root], 0);
        while let Some(parent) = members.get(next) {
            members.extend(children.get(parent).into_iter().flatten());
            next += 1;
        }
        members
    }

    pub(super) fn usage(process: i32) -> Option<super::Usage> {
        let process = Process::new(process).ok()?;
        let stat = process.stat().ok()?;
        let rollup = process.smaps_rollup().ok();
        let share = rollup.and_then(|rollup| rollup.memory_map_rollup.0.first()?.extension.map.get("Pss").copied());
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        let resident = stat.rss * procfs::page_size();
        Some((Duration::from_secs_f64(seconds), share.unwrap_or(resident)))
    }
}

/// Where the kernel tells nothing that this crate understands, nothing is measured.
#[cfg(not(target_os = "linux"))]
mod kernel {
    pub(in super::super) fn family(root: i32) -> Vec<i32> {
        vec![root]
    }

    pub(super) fn usage(_: i32) -> Option<super::Usage> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_is_seen() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(family(own).contains(&i32::try_from(child.id()).unwrap()));
        let mut watched = Watched::new("tests");
        watched.look(Some(own), 0.0);
        let began = Instant::now();
        let mut sum = 0_u64;
        while began.elapsed().as_millis() < 200 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        watched.look(Some(own), 1.0);
        child.kill().unwrap();
        child.wait().unwrap();
        let outcome = watched.outcome();
        assert!(outcome.cpu_seconds > 0.0 && outcome.cpu_seconds < 60.0, "{outcome:?}");
        assert!(outcome.peak_memory_bytes > 1_000_000, "{outcome:?}");
        assert_eq!(outcome.moments.len(), 1);
        let mut gone = Watched::new("gone");
        gone.look(None, 0.0);
        gone.look(None, 1.0);
        assert_eq!(gone.outcome().cpu_seconds, 0.0);
    }
}
