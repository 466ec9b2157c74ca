//! The story of a supervisor whose children come and go.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use coffee_rt_actors::supervision::{ChildSpec, CrewSpec, Fault, NodeState, RestartPolicy, Strategy};
use support::eventually;
use support::probe::{Grove, Log, Probe, supervisor};
use tokio::sync::watch;

const KEYS: i32 = 6;

struct Crew {
    grove: Grove,
    probes: BTreeMap<i32, Probe>,
    wanted: watch::Sender<Arc<[i32]>>,
}

impl Crew {
    async fn of(wanted: &[i32]) -> Self {
        let log = Log::default();
        let probes: BTreeMap<_, _> = (0..KEYS)
            .map(|key| (key, Probe::new(&format!("p-{key}"), &log)))
            .collect();
        let (wanted, keys) = watch::channel(Arc::from(wanted));
        let members = probes.clone();
        let spec = CrewSpec {
            policy: RestartPolicy::default(),
            wanted: keys,
            // A pair each, so that what lives below comes and goes too.
            child: Box::new(move |key| {
                let below = supervisor(
                    Strategy::RestForOne,
                    RestartPolicy::default(),
                    vec![members[&key].spec()],
                );
                ChildSpec::supervisor(format!("pair-{key}"), below)
            }),
        };
        let root = supervisor(
            Strategy::OneForOne,
            RestartPolicy::default(),
            vec![ChildSpec::crew("crew", spec)],
        );
        Self {
            grove: Grove::plant(root).await,
            probes,
            wanted,
        }
    }

    /// Wants these, and waits until just these run.
    async fn want(&self, keys: &[i32]) {
        self.wanted.send_replace(Arc::from(keys));
        self.has(keys).await;
    }

    async fn has(&self, keys: &[i32]) {
        let want: Vec<_> = keys
            .iter()
            .flat_map(|key| [format!("crew/pair-{key}"), format!("crew/pair-{key}/p-{key}")])
            .collect();
        eventually(&format!("children {keys:?}"), || {
            let nodes = self.grove.tree.snapshot();
            let below: Vec<_> = nodes.iter().filter(|node| node.path.starts_with("crew/")).collect();
            below.iter().all(|node| node.state == NodeState::Running)
                && below.iter().map(|node| node.path.to_string()).collect::<Vec<_>>() == want
        })
        .await;
        for (key, probe) in &self.probes {
            assert_eq!(probe.live(), i64::from(keys.contains(key)), "{key} of {keys:?}");
            assert!(probe.most_live() <= 1, "two generations of {key} at once");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn children_come_and_go_as_they_are_wanted() {
    let crew = Crew::of(&[]).await;
    for wanted in [&[2][..], &[0, 2, 5], &[0, 5], &[], &[1, 2, 3, 4], &[3]] {
        crew.want(wanted).await;
    }
    // What stays is left alone.
    crew.want(&[1, 3]).await;
    assert_eq!(crew.grove.generations(&["crew/pair-3/p-3"]), [1]);
    crew.grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_child_that_dies_comes_back_alone() {
    let crew = Crew::of(&[0, 1, 2]).await;
    crew.grove.hit("crew/pair-1/p-1", Fault::Panic).await;
    crew.grove.hit("crew/pair-2", Fault::Kill).await;
    let paths = ["crew/pair-0/p-0", "crew/pair-1/p-1", "crew/pair-2/p-2"];
    assert_eq!(crew.grove.generations(&paths), [1, 2, 2]);
    crew.has(&[0, 1, 2]).await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_comes_back_starts_what_is_wanted_then() {
    let crew = Crew::of(&[0, 1]).await;
    for round in 0..KEYS {
        let wanted = [round % KEYS, (round + 2) % KEYS];
        let mut sorted = wanted;
        sorted.sort_unstable();
        crew.wanted.send_replace(Arc::from(sorted));
        // At once, before it can do what was wanted.
        crew.grove.tree.inject("crew", Fault::Kill).unwrap();
        crew.has(&sorted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_cannot_start_is_tried_again_until_it_is_not_wanted() {
    let crew = Crew::of(&[0]).await;
    crew.probes[&1].fail_starts(3);
    crew.want(&[0, 1]).await;
    crew.probes[&2].fail_starts(100);
    crew.wanted.send_replace(Arc::from([0, 1, 2]));
    eventually("a failing start", || crew.probes[&2].failing_starts_left() < 90).await;
    crew.want(&[0, 1]).await;
    assert_eq!(crew.grove.generations(&["crew/pair-0/p-0"]), [1]);
}
