//! Who looks on: at the dashboard's socket, and at its page.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::outcome::{ViewMoment, ViewerOutcome};
use crate::client::{NodeClient, Socket};
use crate::load::Timings;

/// The most subscribers of one group.
pub(super) const MAX_SUBSCRIBERS: usize = 12_000;
/// The most answers that one group of readers wants a second.
pub(super) const MAX_READS_PER_SECOND: f64 = 10_000.0;
/// The fewest: one in a quarter of an hour.
pub(super) const MIN_READS_PER_SECOND: f64 = 0.001;
/// The most frames whose arrival is remembered; later ones are counted only.
const MAX_FRAMES_KEPT: usize = 2_000_000;
/// The most readers that wait for an answer at once; further ones wait for their turn, and that counts.
const MAX_READS_AT_ONCE: usize = 256;
/// How long until a broken connection is opened again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Subscribers of a group that connect at once.
const CONNECT_AT_ONCE: usize = 64;

const DASHBOARD_SOCKET: &str = "/ws/dashboard";

/// A group of those who look on.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) name: String,
    pub(super) node: usize,
    pub(super) start: Duration,
    /// To the end where it is not told.
    pub(super) duration: Option<Duration>,
    pub(super) look: Look,
}

/// What they look at.
#[derive(Clone, Debug)]
pub(super) enum Look {
    Socket { count: usize, stalled: bool },
    Page { rate_per_second: f64, path: String },
}

impl Look {
    /// Whether they see nothing on purpose.
    pub(super) fn is_stalled(&self) -> bool {
        matches!(self, Self::Socket { stalled: true, .. })
    }
}

/// What a group has seen.
pub(super) struct Seen {
    name: String,
    count: u64,
    frames: u64,
    failures: u64,
    /// When frames came to the first of the group, and how many orders each includes.
    arrivals: Vec<(Instant, u64)>,
    /// When answers came, and how long they took.
    answers: Vec<(Instant, Duration)>,
    /// When they left.
    left: Instant,
}

#[derive(Default)]
struct Shared {
    frames: AtomicU64,
    failures: AtomicU64,
    arrivals: Mutex<Vec<(Instant, u64)>>,
    answers: Mutex<Vec<(Instant, Duration)>>,
}

#[derive(Deserialize)]
struct Frame {
    stored_total: u64,
}

impl Viewer {
    /// Looks on until its time is over, or the token is cancelled.
    pub(super) async fn look(&self, client: &NodeClient, started: Instant, end: &CancellationToken) -> Seen {
        let shared = Arc::new(Shared::default());
        let looking = async {
            tokio::time::sleep_until((started + self.start).into()).await;
            match &self.look {
                Look::Socket { count, stalled } => subscribe(client, *count, *stalled, &shared).await,
                Look::Page { rate_per_second, path } => read(client, path, *rate_per_second, &shared).await,
            }
        };
        let over = async {
            match self.duration {
                Some(duration) => tokio::time::sleep_until((started + self.start + duration).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = looking => {}
            () = over => {}
            () = end.cancelled() => {}
        }
        Seen {
            name: self.name.clone(),
            count: if let Look::Socket { count, .. } = self.look {
                count as u64
            } else {
                1
            },
            frames: shared.frames.load(Ordering::Relaxed),
            failures: shared.failures.load(Ordering::Relaxed),
            arrivals: std::mem::take(&mut shared.arrivals.lock()),
            answers: std::mem::take(&mut shared.answers.lock()),
            left: Instant::now(),
        }
    }
}

/// Never ends by itself; all connections end with it.
async fn subscribe(client: &NodeClient, count: usize, stalled: bool, shared: &Arc<Shared>) {
    let mut subscribers = JoinSet::new();
    let turns = Arc::new(tokio::sync::Semaphore::new(CONNECT_AT_ONCE));
    for number in 0..count {
        let (client, shared, turns) = (client.clone(), Arc::clone(shared), Arc::clone(&turns));
        subscribers.spawn(async move {
            loop {
                let turn = turns.acquire().await;
                let socket = client.socket(DASHBOARD_SOCKET).await;
                drop(turn);
                if let Ok(socket) = socket {
                    if stalled {
                        // Holds the connection and reads nothing.
                        let _unread = socket;
                        std::future::pending::<()>().await;
                    } else {
                        listen(socket, number == 0, &shared).await;
                    }
                }
                shared.failures.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        });
    }
    while subscribers.join_next().await.is_some() {}
}

/// Until the connection breaks. Only the witness of a group reads what frames say.
async fn listen(mut socket: Socket, witness: bool, shared: &Shared) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        shared.frames.fetch_add(1, Ordering::Relaxed);
        if !witness {
            continue;
        }
        let now = Instant::now();
        if let Ok(frame) = serde_json::from_str::<Frame>(&text) {
            let mut arrivals = shared.arrivals.lock();
            // A node that was started again may show less for a moment; what was shown once was shown.
            let shown = arrivals.last().map_or(0, |(_, total)| *total);
            if arrivals.len() < MAX_FRAMES_KEPT {
                arrivals.push((now, frame.stored_total.max(shown)));
            }
        }
    }
}

/// Never ends by itself. Each answer is wanted at its moment, however late the one before it is.
async fn read(client: &NodeClient, path: &str, rate_per_second: f64, shared: &Arc<Shared>) {
    let (mut readers, started) = (JoinSet::new(), Instant::now());
    for number in 0_u32.. {
        let due = started + Duration::from_secs_f64(f64::from(number) / rate_per_second);
        tokio::time::sleep_until(due.into()).await;
        while readers.len() >= MAX_READS_AT_ONCE {
            readers.join_next().await;
        }
        while readers.try_join_next().is_some() {}
        let (client, shared, path) = (client.clone(), Arc::clone(shared), path.to_owned());
        readers.spawn(async move {
            let answer = client.get_text(&path).await;
            if answer.is_err() {
                shared.failures.fetch_add(1, Ordering::Relaxed);
                return;
            }
            shared.frames.fetch_add(1, Ordering::Relaxed);
            let mut answers = shared.answers.lock();
            if answers.len() < MAX_FRAMES_KEPT {
                answers.push((Instant::now(), due.elapsed()));
            }
        });
    }
}

impl Seen {
    /// What a group saw. `acknowledged` are the orders of all loads with their moments; `ranks` says the how-manieth stored
    /// order each is, so that a frame with so many orders includes it. Where several shards store at once that is right to
    /// within a batch.
    pub(super) fn outcome(
        self,
        acknowledged: &[(Uuid, Instant)],
        ranks: &HashMap<Uuid, u64>,
        started: Instant,
        moment: Duration,
    ) -> ViewerOutcome {
        let (mut waits, mut never_shown) = (self.answers, 0);
        for (message_id, acknowledged) in acknowledged {
            // Who was not there yet, or not any more, could not see it.
            let came = self.arrivals.first().is_some_and(|(first, _)| first <= acknowledged);
            let there = came && *acknowledged <= self.left;
            let Some(rank) = ranks.get(message_id).filter(|_| there) else {
                continue;
            };
            let frame = self.arrivals.partition_point(|(_, total)| total < rank);
            match self.arrivals.get(frame) {
                Some((at, _)) => waits.push((*at, at.saturating_duration_since(*acknowledged))),
                None => never_shown += 1,
            }
        }
        waits.sort_unstable();
        let mut all = Timings::new();
        waits.iter().for_each(|(_, wait)| all.record(*wait));
        let number = |at: &Instant| (*at - started).as_nanos() / moment.as_nanos().max(1);
        let moments = waits
            .chunk_by(|(one, _), (next, _)| number(one) == number(next))
            .map(|waits| {
                let mut timings = Timings::new();
                waits.iter().for_each(|(_, wait)| timings.record(*wait));
                let quantiles = timings.quantiles();
                ViewMoment {
                    at_seconds: (number(&waits[0].0) + 1) as f64 * moment.as_secs_f64(),
                    p50_ms: quantiles.p50_ms,
                    p99_ms: quantiles.p99_ms,
                }
            });
        ViewerOutcome {
            name: self.name,
            count: self.count,
            frames: self.frames,
            failures: self.failures,
            never_shown,
            latency: all.quantiles(),
            moments: moments.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_shown_by_the_first_frame_that_includes_it() {
        let started = Instant::now();
        let at = |millis: u64| started + Duration::from_millis(millis);
        let orders: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
        let ranks = orders.iter().zip(11..).map(|(order, rank)| (*order, rank)).collect();
        let seen = Seen {
            name: "watchers".to_owned(),
            count: 1,
            frames: 3,
            failures: 0,
            arrivals: vec![(at(50), 10), (at(140), 12), (at(1_230), 13)],
            answers: Vec::new(),
            left: at(2_000),
        };
        let acknowledged = [
            (orders[0], at(100)),
            (orders[1], at(120)),
            (orders[2], at(1_130)),
            (orders[3], at(1_140)),
            (orders[4], at(2_010)),
        ];
        let outcome = seen.outcome(&acknowledged, &ranks, started, Duration::from_secs(1));
        // 40, 20 and 100 ms; the next order is in no frame, and nobody was there any more for the last one.
        assert!((outcome.latency.p50_ms - 40.0).abs() < 0.1, "{outcome:?}");
        assert!((outcome.latency.max_ms - 100.0).abs() < 0.1, "{outcome:?}");
        let moments: Vec<_> = outcome.moments.iter().map(|moment| moment.at_seconds).collect();
        assert_eq!((moments, outcome.never_shown), (vec![1.0, 2.0], 1));
    }
}
