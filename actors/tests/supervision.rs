//! The story of a tree whose actors die in every way, told with probes instead of the application's actors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::supervision::{Fault, FaultError, NodeKind, NodeState, RestartPolicy, Strategy};
use parking_lot::Mutex;
use support::probe::{Grove, Log, Probe, ProbeMsg, supervisor};
use support::{PATIENCE, eventually};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

fn probes<const N: usize>(names: [&str; N]) -> (Log, [Probe; N]) {
    let log = Log::default();
    (log.clone(), names.map(|name| Probe::new(name, &log)))
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock())
}

/// The log in which the order of unordered ends does not matter.
fn phases(log: &Log) -> (Vec<String>, Vec<String>) {
    let events = taken(log);
    let first_start = events
        .iter()
        .position(|e| e.starts_with("start"))
        .unwrap_or(events.len());
    let (mut ends, starts) = (events[..first_start].to_vec(), events[first_start..].to_vec());
    ends.sort();
    (ends, starts)
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const ABC: [&str; 3] = ["a", "b", "c"];

#[tokio::test(start_paused = true)]
async fn each_strategy_takes_the_right_siblings_and_starts_them_in_order() {
    for (strategy, ends, starts, generations) in [
        (Strategy::OneForOne, &["end b"][..], &["start b"][..], [1, 2, 1]),
        (
            Strategy::RestForOne,
            &["end b", "end c"],
            &["start b", "start c"],
            [1, 2, 2],
        ),
        (
            Strategy::OneForAll,
            &["end a", "end b", "end c"],
            &["start a", "start b", "start c"],
            [2, 2, 2],
        ),
    ] {
        let (log, all) = probes(ABC);
        let grove = Grove::plant(supervisor(
            strategy,
            RestartPolicy::default(),
            all.iter().map(Probe::spec).collect(),
        ))
        .await;
        assert_eq!(taken(&log), strings(&["start a", "start b", "start c"]));
        grove.hit("b", Fault::Kill).await;
        assert_eq!(phases(&log), (strings(ends), strings(starts)), "{strategy:?}");
        assert_eq!(grove.generations(&ABC), generations, "{strategy:?}");
        // The supervisor killed the siblings itself: their late deaths must not restart them again.
        for round in 2..20 {
            grove.hit("b", Fault::Kill).await;
            let want = generations.map(|after_one| 1 + (after_one - 1) * round);
            assert_eq!(grove.generations(&ABC), want, "{strategy:?}");
        }
        assert_eq!(
            all.each_ref().map(Probe::most_live),
            [1; 3],
            "two generations at once, {strategy:?}"
        );
        grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn delayed_restarts_keep_the_order_too() {
    let policy = RestartPolicy {
        immediate: 0,
        ..RestartPolicy::default()
    };
    for strategy in [Strategy::RestForOne, Strategy::OneForAll] {
        let (log, all) = probes(["a", "b", "c", "d", "e", "f"]);
        let children = all.iter().map(Probe::spec).collect();
        let grove = Grove::plant(supervisor(strategy, policy, children)).await;
        for _ in 0..5 {
            taken(&log);
            grove.hit("a", Fault::Kill).await;
            let (_, starts) = phases(&log);
            assert_eq!(
                starts,
                strings(&["start a", "start b", "start c", "start d", "start e", "start f"])
            );
        }
        grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn kill_panic_and_error_restart_and_a_stall_only_delays() {
    let (_, [a]) = probes(["a"]);
    let grove = Grove::plant(supervisor(
        Strategy::OneForOne,
        RestartPolicy::default(),
        vec![a.spec()],
    ))
    .await;
    grove.hit("a", Fault::Kill).await;
    assert_eq!(grove.node("a").last_failure.as_deref(), Some("killed"));
    grove.hit("a", Fault::Panic).await;
    assert!(grove.node("a").last_failure.unwrap().contains("panic injected"));
    a.slot.send(ProbeMsg::Fail).ok().unwrap();
    eventually("the restart", || a.starts() == 4).await;
    assert_eq!(a.answers().await, 4);
    assert_eq!(grove.node("a").last_failure.as_deref(), Some("told to fail"));

    let began = Instant::now();
    grove.tree.inject("a", Fault::Stall(700)).unwrap();
    assert_eq!(a.ping().await, Some(4));
    assert_eq!(began.elapsed().as_millis(), 700);
    // A kill interrupts a stall.
    grove.tree.inject("a", Fault::Stall(u64::MAX)).unwrap();
    tokio::task::yield_now().await;
    let began = Instant::now();
    grove.hit("a", Fault::Kill).await;
    assert!(began.elapsed() < Duration::from_millis(100));
    grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_backs_off_then_escalates_then_melts_down_the_root() {
    let (log, [a, b]) = probes(["a", "b"]);
    let inner = RestartPolicy {
        immediate: 1,
        budget: 4,
        ..RestartPolicy::default()
    };
    let outer = RestartPolicy {
        escalations: 2,
        ..RestartPolicy::default()
    };
    let branch = supervisor(Strategy::OneForOne, inner, vec![a.spec(), b.spec()]);
    let spec = coffee_rt_actors::supervision::ChildSpec::supervisor("v1", branch);
    let grove = Grove::plant(supervisor(Strategy::OneForOne, outer, vec![spec])).await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let began = Instant::now();
        grove.hit("v1/a", Fault::Kill).await;
        waits.push(began.elapsed());
    }
    assert!(waits[0] < Duration::from_millis(5), "{waits:?}");
    assert!(
        waits[1] >= inner.backoff_min && waits[2] >= inner.backoff_min * 2,
        "{waits:?}"
    );
    assert!(waits[3] >= inner.backoff_min * 4, "{waits:?}");
    assert_eq!((grove.node("v1").generation, b.starts()), (1, 1));

    taken(&log);
    grove.hit("v1", Fault::Kill).await; // A kill of the supervisor itself is no escalation.
    for escalation in 0..3 {
        if escalation > 0 {
            eventually("both run again", || a.live() + b.live() == 2).await;
        }
        let generation = grove.node("v1").generation;
        for _ in 0..4 {
            grove.hit("v1/a", Fault::Kill).await;
        }
        grove.tree.inject("v1/a", Fault::Kill).unwrap();
        if escalation < 2 {
            eventually("the restart of the branch", || grove.node("v1").generation > generation).await;
            grove.all_running().await;
            let why = grove.node("v1").last_failure.unwrap();
            assert!(
                why.contains("v1 gave up") && why.contains("v1/a failed last: killed"),
                "{why}"
            );
        }
    }
    let tree = grove.tree.clone();
    let meltdown = grove.outcome().await.unwrap_err();
    assert_eq!(meltdown.supervisor, "root");
    assert!(meltdown.reason.contains("v1 failed last: v1 gave up"), "{meltdown}");
    assert_eq!((a.live(), b.live(), a.most_live(), b.most_live()), (0, 0, 1, 1));
    assert!(tree.snapshot().iter().all(|node| node.state != NodeState::Running));
}

fn three_levels(all: &[Probe; 3], policy: RestartPolicy) -> coffee_rt_actors::supervision::SupervisorSpec {
    use coffee_rt_actors::supervision::ChildSpec;
    let [a, b, c] = all;
    let low = ChildSpec::supervisor(
        "low",
        supervisor(Strategy::RestForOne, policy, vec![a.spec(), b.spec()]),
    );
    let mid = ChildSpec::supervisor("mid", supervisor(Strategy::OneForOne, policy, vec![low, c.spec()]));
    supervisor(Strategy::OneForOne, policy, vec![mid])
}

#[tokio::test(start_paused = true)]
async fn dead_supervisors_come_back_and_their_children_end_before_the_new_ones_start() {
    for path in ["mid/low", "mid", "root"] {
        for fault in [Fault::Kill, Fault::Panic] {
            let (log, all) = probes(ABC);
            let grove = Grove::plant(three_levels(&all, RestartPolicy::default())).await;
            for round in 1..6_u64 {
                taken(&log);
                grove.hit(path, fault).await;
                let (ends, starts) = phases(&log);
                let touched = if path == "mid/low" { 2 } else { 3 };
                assert_eq!((ends.len(), starts.len()), (touched, touched), "{path} {fault:?}");
                assert!(ends.iter().all(|event| event.starts_with("end")));
                assert_eq!(grove.node("mid/low/b").generation, round + 1);
                for probe in &all {
                    probe.answers().await;
                }
            }
            assert_eq!(all.each_ref().map(Probe::most_live), [1; 3], "{path} {fault:?}");
            assert_eq!(all.each_ref().map(Probe::live), [1; 3], "{path} {fault:?}");
            grove.drain().await.unwrap();
            assert_eq!(all.each_ref().map(Probe::live), [0; 3], "{path} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_killed_while_a_child_starts_leaves_no_half_started_child() {
    for path in ["mid/low", "mid", "root"] {
        let (_, all) = probes(ABC);
        let grove = Grove::plant(three_levels(&all, RestartPolicy::default())).await;
        let gate = Arc::new(watch::Sender::new(true));
        let closed = gate.clone();
        all[1].before_start(move || {
            let mut gate = closed.subscribe();
            async move { drop(gate.wait_for(|open| *open).await) }
        });
        gate.send_replace(false);
        // b's next start hangs inside its supervisor's handler: kill that, or what is above.
        let (low, before) = (grove.node("mid/low").generation, grove.node(path).generation);
        grove.tree.inject("mid/low/a", Fault::Kill).unwrap();
        eventually("a started, b is starting", || all[0].starts() == 2).await;
        assert_eq!(grove.node("mid/low").generation, low);
        grove.tree.inject(path, Fault::Kill).unwrap();
        eventually("the old a is gone, the new one waits for b", || all[0].starts() == 3).await;
        gate.send_replace(true);
        eventually("the supervisor is back", || grove.node(path).generation > before).await;
        grove.all_running().await;
        for probe in &all {
            probe.answers().await;
            assert_eq!((probe.live(), probe.most_live()), (1, 1), "{} {path}", probe.name);
        }
        grove.drain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_start_fails_is_started_again_and_its_siblings_run() {
    let (log, [a, b, c]) = probes(ABC);
    b.fail_starts(3);
    let children = vec![a.spec(), b.spec(), c.spec()];
    let grove = Grove::plant(supervisor(Strategy::OneForOne, RestartPolicy::default(), children)).await;
    assert_eq!(
        taken(&log),
        strings(&["start a", "fail b", "start c", "fail b", "fail b", "start b"])
    );
    assert_eq!(b.answers().await, 1);
    assert!(grove.node("b").last_failure.unwrap().contains("told to fail its start"));
    grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_late_report_of_a_failed_start_does_not_hide_a_live_child() {
    let (_, [a, b]) = probes(["a", "b"]);
    b.fail_starts(1);
    // While b's first start fails, a dies: its death is handled before the report, and must not start b twice.
    let (fallen, a_slot) = (a.clone(), a.slot.clone());
    let once = Arc::new(Mutex::new(true));
    b.before_start(move || {
        let (fallen, slot, first) = (
            fallen.clone(),
            a_slot.clone(),
            std::mem::replace(&mut *once.lock(), false),
        );
        async move {
            if first {
                slot.send(ProbeMsg::Fail).ok().unwrap();
                eventually("a is dead", || fallen.live() == 0).await;
            }
        }
    });
    let children = vec![a.spec(), b.spec()];
    let grove = Grove::plant(supervisor(Strategy::OneForOne, RestartPolicy::default(), children)).await;
    assert_eq!((a.answers().await, b.answers().await), (2, 1));
    assert_eq!(grove.node("b").state, NodeState::Running);
    grove.hit("b", Fault::Kill).await;
    assert_eq!(b.answers().await, 2);
    grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_child_that_never_starts_gives_up_the_tree() {
    let (_, [a, b]) = probes(["a", "b"]);
    b.fail_starts(u32::MAX);
    let policy = RestartPolicy {
        immediate: 3,
        budget: 6,
        ..RestartPolicy::default()
    };
    let grove = Grove::sow(supervisor(Strategy::OneForOne, policy, vec![a.spec(), b.spec()]));
    let meltdown = grove.outcome().await.unwrap_err();
    assert!(meltdown.reason.contains("told to fail its start"), "{meltdown}");
    assert_eq!((a.live(), a.starts()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_ready_only_with_a_live_generation() {
    let policy = RestartPolicy {
        immediate: 0,
        backoff_min: Duration::from_millis(400),
        ..RestartPolicy::default()
    };
    let (_, all) = probes(ABC);
    let grove = Grove::plant(three_levels(&all, policy)).await;
    for path in ["mid/low/a", "mid/low", "mid", "root"] {
        let generation = all[0].answers().await;
        let began = Instant::now();
        grove.tree.inject(path, Fault::Kill).unwrap();
        eventually("a is dead", || all[0].live() == 0).await;
        // No ping may go astray from here on, although the slot held a dead address for a while.
        assert_eq!(all[0].ping().await, Some(generation + 1), "{path}");
        assert!(began.elapsed() >= policy.backoff_min, "{path} {:?}", began.elapsed());
        grove.all_running().await;
    }
    grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn draining_stops_children_last_to_first_and_a_kill_stops_nobody() {
    let (log, all) = probes(ABC);
    let grove = Grove::plant(three_levels(&all, RestartPolicy::default())).await;
    for path in ["mid/low/a", "mid/low", "mid", "root"] {
        grove.hit(path, Fault::Kill).await;
    }
    assert!(!taken(&log).iter().any(|event| event.starts_with("stop")));
    let tree = grove.tree.clone();
    all[1].slot.send(ProbeMsg::Sleep(Duration::from_secs(2))).ok().unwrap();
    grove.drain().await.unwrap();
    assert_eq!(
        taken(&log),
        strings(&["stop c", "end c", "stop b", "end b", "stop a", "end a"])
    );
    assert!(tree.snapshot().iter().all(|node| node.state == NodeState::Stopped));
    assert_eq!(
        tree.inject("mid", Fault::Kill),
        Err(FaultError::NotRunning("mid".to_owned()))
    );
    assert!(all[0].slot.send(ProbeMsg::Fail).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_finish_is_ended_and_the_others_still_drain() {
    let (log, all) = probes(ABC);
    let grove = Grove::plant(three_levels(&all, RestartPolicy::default())).await;
    all[1].hang_in_stop();
    all[2]
        .slot
        .send(ProbeMsg::Sleep(Duration::from_secs(3_600)))
        .ok()
        .unwrap();
    taken(&log);
    let began = Instant::now();
    grove.drain().await.unwrap();
    assert_eq!(taken(&log), strings(&["end c", "stop b", "end b", "stop a", "end a"]));
    assert!((15..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_stuck_is_ended_at_the_limit_of_the_drain() {
    let (_, all) = probes(ABC);
    let mut grove = Grove::plant(three_levels(&all, RestartPolicy::default())).await;
    all[0].before_start(std::future::pending);
    grove.tree.inject("mid/low/a", Fault::Kill).unwrap();
    eventually("a is dead", || all[0].live() == 0).await;
    let began = Instant::now();
    grove.ask_to_drain();
    let tree = grove.tree.clone();
    grove.outcome().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(all.each_ref().map(Probe::live), [0; 3]);
    assert!(tree.snapshot().iter().all(|node| node.state == NodeState::Stopped));
}

#[tokio::test(start_paused = true)]
async fn actors_killed_during_the_drain_do_not_come_back() {
    for path in ["mid/low/b", "mid/low", "mid", "root"] {
        let (_, all) = probes(ABC);
        let mut grove = Grove::plant(three_levels(&all, RestartPolicy::default())).await;
        all[1].slot.send(ProbeMsg::Sleep(Duration::from_secs(3))).ok().unwrap();
        grove.ask_to_drain();
        eventually("the drain is at b", || grove.node("mid/c").state == NodeState::Stopped).await;
        grove.tree.inject(path, Fault::Kill).unwrap();
        grove.outcome().await.unwrap();
        assert_eq!(all.each_ref().map(Probe::live), [0; 3], "{path}");
        assert_eq!(all.each_ref().map(Probe::starts), [1; 3], "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_heard_while_the_root_waits_for_its_restart() {
    let policy = RestartPolicy {
        immediate: 0,
        backoff_min: Duration::from_secs(20),
        backoff_max: Duration::from_secs(20),
        ..RestartPolicy::default()
    };
    let (_, all) = probes(ABC);
    let mut grove = Grove::plant(three_levels(&all, policy)).await;
    grove.tree.inject("root", Fault::Kill).unwrap();
    eventually("all are dead", || all.iter().all(|probe| probe.live() == 0)).await;
    let began = Instant::now();
    grove.ask_to_drain();
    grove.outcome().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(all.each_ref().map(Probe::starts), [1; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_root_that_is_killed_too_often_is_given_up() {
    let policy = RestartPolicy {
        budget: 3,
        ..RestartPolicy::default()
    };
    let (_, all) = probes(ABC);
    let grove = Grove::plant(three_levels(&all, policy)).await;
    for _ in 0..3 {
        grove.hit("root", Fault::Kill).await;
    }
    grove.tree.inject("root", Fault::Kill).unwrap();
    let meltdown = grove.outcome().await.unwrap_err();
    assert_eq!(meltdown.supervisor, "guardian");
    assert!(meltdown.reason.contains("too often, last: killed"), "{meltdown}");
    assert_eq!(all.each_ref().map(Probe::live), [0; 3]);
}

#[tokio::test(start_paused = true)]
async fn the_tree_shows_what_runs() {
    let (_, all) = probes(ABC);
    let grove = Grove::plant(three_levels(&all, RestartPolicy::default())).await;
    let shown: Vec<_> = grove.tree.snapshot();
    let places: Vec<_> = shown.iter().map(|n| (&*n.path, n.parent.as_deref(), n.kind)).collect();
    let (sup, work) = (NodeKind::Supervisor, NodeKind::Worker);
    assert_eq!(
        places,
        [
            ("root", None, sup),
            ("mid", Some("root"), sup),
            ("mid/low", Some("mid"), sup),
            ("mid/low/a", Some("mid/low"), work),
            ("mid/low/b", Some("mid/low"), work),
            ("mid/c", Some("mid"), work),
        ]
    );
    assert_eq!(grove.node("mid/low").strategy, Some(Strategy::RestForOne));
    assert!(
        shown
            .iter()
            .all(|n| n.generation == 1 && n.restarts == 0 && n.last_failure.is_none())
    );

    for _ in 0..3 {
        all[2].answers().await;
    }
    eventually("three handled", || grove.node("mid/c").handled_total == 3).await;
    all[2].slot.send(ProbeMsg::Sleep(Duration::from_secs(5))).ok().unwrap();
    for _ in 0..4 {
        all[2].slot.send(ProbeMsg::Sleep(Duration::ZERO)).ok().unwrap();
    }
    assert_eq!(grove.node("mid/c").mailbox, 5);
    let mut changes = grove.tree.subscribe();
    changes.mark_unchanged();
    grove.hit("mid/c", Fault::Kill).await;
    timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
    let c = grove.node("mid/c");
    assert_eq!((c.generation, c.restarts, c.mailbox, c.handled_total), (2, 1, 0, 3));
    assert_eq!(c.last_failure.as_deref(), Some("killed"));
    assert_eq!(grove.generations(&["root", "mid", "mid/low", "mid/low/a"]), [1; 4]);
    assert_eq!(
        grove.tree.inject("mid/d", Fault::Kill),
        Err(FaultError::UnknownPath("mid/d".to_owned()))
    );
    grove.drain().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_actor_suffers_no_fault() {
    let policy = RestartPolicy {
        immediate: 0,
        ..RestartPolicy::default()
    };
    let (_, [a]) = probes(["a"]);
    let grove = Grove::plant(supervisor(Strategy::OneForOne, policy, vec![a.spec()])).await;
    grove.tree.inject("a", Fault::Kill).unwrap();
    eventually("its death is noted", || grove.node("a").state == NodeState::Restarting).await;
    assert_eq!(
        grove.tree.inject("a", Fault::Panic),
        Err(FaultError::NotRunning("a".to_owned()))
    );
    grove.all_running().await;
    grove.drain().await.unwrap();
}
