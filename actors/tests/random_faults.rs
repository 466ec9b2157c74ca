//! Hundreds of faults at random moments, on real threads, into a tree of three levels.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use coffee_rt_actors::supervision::{ChildSpec, DEFAULT_STALL_MS, Fault, RestartPolicy, Strategy, SupervisorSpec};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use std::time::Duration;
use support::probe::{Grove, Log, Probe, ProbeMsg, supervisor};
use support::{eventually, seeded};
use tokio::time::{Instant, sleep};

const FAULTS: usize = 600;
/// Longer than all stalls that one supervisor can have in its mailbox.
const QUIET: Duration = Duration::from_millis(500);
const BRANCHES: [(&str, Strategy); 3] = [
    ("one", Strategy::OneForOne),
    ("rest", Strategy::RestForOne),
    ("all", Strategy::OneForAll),
];

/// Every strategy within every strategy, with workers beside and below the inner supervisors.
fn forest(probes: &mut Vec<Probe>) -> SupervisorSpec {
    let log = Log::default();
    let policy = RestartPolicy {
        immediate: 1_000,
        budget: 100_000,
        ..RestartPolicy::default()
    };
    let mut worker = |name: &str, path: String| {
        let probe = Probe::new(name, &log);
        probes.push(probe.clone());
        (probe.spec(), path)
    };
    let mut branches = Vec::new();
    for (outer, outer_strategy) in BRANCHES {
        let mut children = Vec::new();
        for (inner, inner_strategy) in BRANCHES {
            let leaves = ["x", "y", "z"].map(|leaf| worker(leaf, format!("{outer}/{inner}/{leaf}")).0);
            children.push(ChildSpec::supervisor(
                inner,
                supervisor(inner_strategy, policy, leaves.into()),
            ));
            children.push(worker(&format!("by-{inner}"), format!("{outer}/by-{inner}")).0);
        }
        branches.push(ChildSpec::supervisor(
            outer,
            supervisor(outer_strategy, policy, children),
        ));
    }
    supervisor(Strategy::OneForOne, policy, branches)
}

fn any_fault(random: &mut StdRng) -> Fault {
    match random.random_range(0..10) {
        0..6 => Fault::Kill,
        6..9 => Fault::Panic,
        _ => Fault::Stall(random.random_range(0..DEFAULT_STALL_MS / 50)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_dies_the_tree_is_whole_again() {
    std::panic::set_hook(Box::new(|info| {
        if info.payload_as_str() != Some("panic injected") {
            eprintln!("{info}");
        }
    }));
    let mut random = seeded();
    let mut probes = Vec::new();
    let grove = Grove::plant(forest(&mut probes)).await;
    let paths: Vec<_> = grove.tree.snapshot().into_iter().map(|node| node.path).collect();
    assert_eq!(paths.len(), 1 + 3 * (1 + 3 * (1 + 3 + 1)));
    let mut suffered = 0;
    for _ in 0..FAULTS {
        let path = paths.choose(&mut random).unwrap();
        suffered += usize::from(grove.tree.inject(path, any_fault(&mut random)).is_ok());
        if random.random_ratio(1, 4) {
            let _ = probes.choose(&mut random).unwrap().slot.send(ProbeMsg::Fail);
        }
        // Mostly bursts, sometimes a moment of peace.
        match random.next_u32() % 8 {
            0 => sleep(Duration::from_micros(random.random_range(0..5_000))).await,
            1..4 => tokio::task::yield_now().await,
            _ => {}
        }
    }
    // Faults may still wait in the mailboxes of stalled supervisors.
    let (mut changes, mut quiet_since) = (grove.tree.subscribe(), Instant::now());
    eventually("nothing changes any more", || {
        if changes.has_changed().unwrap() {
            (_, quiet_since) = (changes.borrow_and_update(), Instant::now());
        }
        quiet_since.elapsed() > QUIET
    })
    .await;
    grove.all_running().await;
    for probe in &probes {
        assert_eq!(probe.answers().await, probe.starts(), "{}", probe.name);
        assert_eq!((probe.live(), probe.most_live()), (1, 1), "{}", probe.name);
    }
    let restarts: u64 = grove.tree.snapshot().iter().map(|node| node.restarts).sum();
    println!("{suffered} faults suffered, {restarts} restarts");
    assert!(suffered > FAULTS / 10, "only {suffered} faults hit a live actor");
    grove.drain().await.unwrap();
    assert!(probes.iter().all(|probe| probe.live() == 0));
}
