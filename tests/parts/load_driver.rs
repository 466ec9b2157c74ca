//! The load driver against a node that misbehaves exactly as told: its ledger must know what the node really holds.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::node_double::{Act, NodeDouble};
use coffee_rt::config::Version;
use coffee_rt::load::{Arrivals, Driver, Fate, Finished, Options, Pace, RetryPolicy, profile_named};
use tokio_util::sync::CancellationToken;

/// Longer than any of these runs takes, even on a crowded machine.
const DEADLINE: Duration = Duration::from_secs(30);

fn options(node: &NodeDouble, count: u64, profile: &str) -> Options {
    Options {
        pace: Pace::Open {
            rate_per_second: 2_000.0,
            arrivals: Arrivals::Constant,
        },
        count: Some(count),
        connections: 16,
        timeout: Duration::from_secs(5),
        profiles: vec![(profile_named(profile).unwrap(), 1)],
        retry: RetryPolicy {
            first_backoff: Duration::from_millis(1),
            ..RetryPolicy::default()
        },
        ..Options::new(node.url.clone())
    }
}

async fn run(options: Options) -> Finished {
    let running = Driver::new(options).unwrap().start(&CancellationToken::new());
    tokio::time::timeout(DEADLINE, running.finish())
        .await
        .expect("the run ends in time")
}

async fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "the condition was not met in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Every acknowledged order is in the store as it was sent, and the store has no order that is neither acknowledged nor
/// unknown.
fn agree(node: &NodeDouble, finished: &Finished) {
    let stored = node.state.stored.lock();
    for order in finished.ledger.acknowledged() {
        let (kept, id) = &stored[&order.message_id];
        assert_eq!(
            (kept.price, kept.at, &kept.drink, &kept.store),
            (order.price, order.at, &order.drink, &order.store)
        );
        if finished.report.version == "v1" {
            assert_eq!(order.fate, Fate::Acknowledged { id: Some(*id) });
        }
    }
    for key in stored.keys() {
        let order = finished.ledger.order(*key).expect("the store holds only what was sent");
        assert!(
            !matches!(order.fate, Fate::Refused(_)),
            "{order:?} was refused, yet it is stored"
        );
    }
}

#[tokio::test]
async fn every_order_is_acknowledged_once_by_a_node_that_works() {
    for (version, profile) in [
        (Version::V1, "commuter"),
        (Version::V2, "office-run"),
        (Version::V3, "tourist"),
    ] {
        let node = NodeDouble::well().await;
        let finished = run(Options {
            version,
            ..options(&node, 300, profile)
        })
        .await;
        let report = &finished.report;
        assert_eq!(
            (report.counts.sent, report.counts.acknowledged, report.not_sent),
            (300, 300, 0),
            "{report:?}"
        );
        assert_eq!((report.broken_promises, &*report.profiles[0].name), (0, profile));
        assert_eq!(report.repeats_confirmed, report.requests - 300);
        let amount: i64 = finished.ledger.acknowledged().map(|order| order.price.0).sum();
        assert_eq!(report.acknowledged_amount.0, amount);
        agree(&node, &finished);
        assert_eq!(node.state.stored.lock().len(), 300);
        assert!(
            node.state.connections.load(Ordering::SeqCst) <= 16,
            "connections are kept"
        );
    }
}

#[tokio::test]
async fn double_taps_get_one_answer() {
    let node = NodeDouble::well().await;
    let mut profile = profile_named("commuter").unwrap();
    profile.double_taps_per_mille = 1_000;
    let finished = run(Options {
        profiles: vec![(profile, 1)],
        ..options(&node, 200, "commuter")
    })
    .await;
    assert_eq!((node.requests(), finished.report.repeats_confirmed), (400, 200));
    assert_eq!(
        (node.state.stored.lock().len(), finished.report.broken_promises),
        (200, 0)
    );
    agree(&node, &finished);
}

#[tokio::test]
async fn lost_answers_are_repeated_with_their_key() {
    for cut in [Act::CutBefore, Act::CutAfter, Act::CutWithin] {
        let node = NodeDouble::start(move |seen| if seen.same_key_before < 2 { cut } else { Act::Answer }).await;
        let finished = run(options(&node, 100, "regular")).await;
        assert_eq!(
            finished.report.counts.acknowledged, 100,
            "{cut:?} {:?}",
            finished.report
        );
        assert!(node.requests() >= 300, "{cut:?}");
        assert_eq!(node.state.stored.lock().len(), 100);
        assert!(finished.report.last_unknown.is_some() && finished.report.broken_promises == 0);
        agree(&node, &finished);
    }
}

#[tokio::test]
async fn an_order_whose_every_answer_is_lost_stays_unknown() {
    let node = NodeDouble::start(|_| Act::CutAfter).await;
    let retry = RetryPolicy {
        max_attempts: 3,
        first_backoff: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let mut wishes = options(&node, 50, "commuter");
    wishes.retry = retry;
    wishes.profiles[0].0.double_taps_per_mille = 0;
    let finished = run(wishes).await;
    assert_eq!(
        (finished.report.counts.unknown, finished.ledger.unknown().count()),
        (50, 50)
    );
    assert_eq!((node.requests(), node.state.stored.lock().len()), (150, 50));
    agree(&node, &finished);
}

#[tokio::test]
async fn a_timeout_is_unknown_and_its_late_answer_is_never_anothers() {
    let node = NodeDouble::start(|seen| match seen.same_key_before {
        0 => Act::AnswerAfter(Duration::from_millis(400)),
        _ => Act::Answer,
    })
    .await;
    let wishes = Options {
        timeout: Duration::from_millis(100),
        connections: 4,
        ..options(&node, 20, "commuter")
    };
    let finished = run(wishes).await;
    assert_eq!(
        (finished.report.counts.acknowledged, finished.report.broken_promises),
        (20, 0),
        "{:?}",
        finished.report
    );
    assert!(
        finished.report.last_unknown.as_ref().unwrap().contains("within"),
        "{:?}",
        finished.report
    );
    agree(&node, &finished);
}

#[tokio::test]
async fn refusals_are_repeated_only_when_asked() {
    let refuse_first = |seen: crate::node_double::Seen| match seen.same_key_before {
        0 => Act::Refuse(503, 0),
        _ => Act::Answer,
    };
    let node = NodeDouble::start(refuse_first).await;
    let mut wishes = options(&node, 60, "commuter");
    wishes.profiles[0].0.double_taps_per_mille = 0;
    let finished = run(wishes.clone()).await;
    assert_eq!((finished.report.counts.refused, node.requests()), (60, 60));
    let refused = &finished.report.refused_by_status[&503];
    assert_eq!((refused.answers, refused.detail.as_str()), (60, "told to refuse"));
    assert_eq!(node.state.stored.lock().len(), 0);

    wishes.retry.repeat_refused = true;
    let finished = run(wishes).await;
    assert_eq!(
        (finished.report.counts.acknowledged, finished.report.counts.refused),
        (60, 0)
    );
    agree(&node, &finished);

    let node = NodeDouble::start(|_| Act::Refuse(404, 0)).await;
    let mut wishes = options(&node, 10, "commuter");
    wishes.retry.repeat_refused = true;
    wishes.profiles[0].0.double_taps_per_mille = 0;
    assert_eq!(
        (run(wishes).await.report.counts.refused, node.requests()),
        (10, 10),
        "404 is never repeated"
    );
}

#[tokio::test]
async fn broken_promises_are_told() {
    let repeats = NodeDouble::start(|seen| match seen.same_key_before {
        0 => Act::Answer,
        _ => Act::WrongId(1_000_000 + seen.number as i64),
    })
    .await;
    let same_id = NodeDouble::start(|_| Act::WrongId(7)).await;
    let refuses = NodeDouble::start(|seen| match seen.same_key_before {
        0 => Act::Answer,
        _ => Act::Refuse(422, 0),
    })
    .await;
    for (node, taps, complaint) in [
        (repeats, 1_000, "answered with id"),
        (same_id, 0, "the id 7 was given to"),
        (refuses, 1_000, "refused with 422"),
    ] {
        let mut wishes = options(&node, 10, "commuter");
        wishes.profiles[0].0.double_taps_per_mille = taps;
        let report = run(wishes).await.report;
        assert!(report.broken_promises >= 9, "{report:?}");
        assert!(report.broken[0].contains(complaint), "{report:?}");
    }
}

#[tokio::test]
async fn a_stall_shows_in_the_latency_of_all_who_were_due() {
    // One answer takes 500 ms on the only connection: the 500 orders that come due meanwhile waited too.
    let stall = Duration::from_millis(500);
    let node = NodeDouble::start(move |seen| {
        if seen.number == 0 {
            Act::AnswerAfter(stall)
        } else {
            Act::Answer
        }
    })
    .await;
    let mut wishes = Options {
        connections: 1,
        ..options(&node, 600, "commuter")
    };
    wishes.pace = Pace::Open {
        rate_per_second: 1_000.0,
        arrivals: Arrivals::Constant,
    };
    let report = run(wishes).await.report;
    assert_eq!(report.counts.acknowledged, 600);
    assert!(
        report.latency.max_ms >= 490.0 && report.latency.p50_ms >= 150.0,
        "{report:?}"
    );
    assert!(report.start_delay.p50_ms >= 150.0, "{report:?}");
    assert_eq!(node.state.busiest.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn connections_limit_what_is_in_flight() {
    let node = NodeDouble::start(|_| Act::AnswerAfter(Duration::from_millis(20))).await;
    let report = run(Options {
        connections: 5,
        ..options(&node, 100, "commuter")
    })
    .await
    .report;
    assert_eq!(
        (report.counts.acknowledged, node.state.busiest.load(Ordering::SeqCst)),
        (100, 5)
    );
}

#[tokio::test]
async fn connections_that_the_node_closes_cost_no_order() {
    let node = NodeDouble::start(|_| Act::AnswerAndClose).await;
    let report = run(options(&node, 200, "regular")).await.report;
    assert_eq!((report.counts.acknowledged, report.last_unknown), (200, None));
}

#[tokio::test]
async fn customers_back_to_back_need_no_rate() {
    let node = NodeDouble::well().await;
    let closed = Options {
        pace: Pace::Closed,
        connections: 4,
        ..options(&node, 400, "tourist")
    };
    let mut fast = closed.clone();
    fast.profiles[0].0.pause_millis = (0, 0);
    let finished = run(fast).await;
    assert_eq!(
        (finished.report.counts.acknowledged, finished.report.asked_per_second),
        (400, None)
    );
    assert!(node.state.busiest.load(Ordering::SeqCst) <= 4);
    agree(&node, &finished);
    let timed = Options {
        count: None,
        duration: Some(Duration::from_millis(200)),
        ..closed
    };
    assert!(run(timed).await.report.counts.acknowledged > 0);
}

#[tokio::test]
async fn a_stop_ends_the_arrivals_and_finishes_what_is_under_way() {
    let node = NodeDouble::start(|_| Act::AnswerAfter(Duration::from_millis(50))).await;
    let endless = Options {
        count: None,
        duration: Some(Duration::from_secs(600)),
        ..options(&node, 1, "commuter")
    };
    let stop = CancellationToken::new();
    let running = Driver::new(endless).unwrap().start(&stop);
    until(|| running.progress().counts.acknowledged >= 20).await;
    stop.cancel();
    let finished = tokio::time::timeout(DEADLINE, running.finish()).await.unwrap();
    let counts = finished.report.counts;
    assert_eq!((counts.acknowledged, counts.unknown), (counts.sent, 0));
    agree(&node, &finished);
}

#[tokio::test]
async fn an_abandoned_run_leaves_orders_unknown_and_sends_no_more() {
    let node = NodeDouble::start(|_| Act::AnswerAfter(Duration::from_secs(60))).await;
    let running = Driver::new(options(&node, 1_000, "commuter"))
        .unwrap()
        .start(&CancellationToken::new());
    until(|| node.state.busy.load(Ordering::SeqCst) == 16).await;
    let finished = running.give_up();
    let counts = finished.report.counts;
    assert_eq!((counts.acknowledged, counts.unknown), (0, counts.sent));
    assert!((1..=16).contains(&counts.sent));
    until(|| node.state.busy.load(Ordering::SeqCst) == 0).await;
    assert_eq!(node.requests(), 16);
}

#[tokio::test]
async fn a_node_that_is_away_for_a_moment_loses_nobody() {
    let node = NodeDouble::start(|seen| {
        if (50..150).contains(&seen.number) {
            Act::CutBefore
        } else {
            Act::Answer
        }
    })
    .await;
    let finished = run(options(&node, 300, "office-run")).await;
    assert_eq!(finished.report.counts.acknowledged, 300, "{:?}", finished.report);
    agree(&node, &finished);
}

#[tokio::test]
async fn a_node_that_never_was_there_is_unknown_in_bounded_time() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut wishes = Options::new(url::Url::parse(&format!("http://{closed}")).unwrap());
    wishes.count = Some(5);
    wishes.retry = RetryPolicy {
        max_attempts: 3,
        first_backoff: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let report = run(wishes).await.report;
    assert_eq!((report.counts.sent, report.counts.unknown), (5, 5));
    assert!(report.last_unknown.unwrap().contains("cannot connect"));
}
