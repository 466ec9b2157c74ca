//! A node that is told to stop finishes what it has begun, says goodbye, and leaves everything in order.

use std::time::{Duration, Instant};

use coffee_rt::load::{Driver, Fate};
use nix::sys::signal::Signal;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::wire::{ORDER, order};
use crate::support::{
    Books, Database, Node, Subscriber, Wire, broken_promises, customers, eventually, on_both_engines, seed,
    through_a_log,
};

/// Load while the node is told to stop.
const ORDERS_PER_SECOND: f64 = 800.0;
/// How often the node is stopped under load.
const STOPS: usize = 6;
/// Acknowledged orders before each stop.
const WARM_UP: u64 = 150;
/// A drain deadline for stories that wait for it.
const SHORT_DRAIN: Duration = Duration::from_millis(1_500);
/// What ends after the drain deadline: actors, the runtime, the process.
const EXIT_SLACK: Duration = Duration::from_secs(8);

through_a_log!(a_stop_under_load_loses_nothing);
on_both_engines!(
    a_stop_under_load_loses_nothing,
    an_open_request_is_finished,
    a_stalled_request_ends_with_the_deadline,
    idle_clients_do_not_hold_the_node_up,
);

async fn a_stop_under_load_loses_nothing(database: Database) {
    let seed = seed();
    let mut node = Node::start(&database).await;
    let (address, mut ledgers) = (node.address(), Vec::new());
    for round in 0..STOPS {
        let signal = [Signal::SIGTERM, Signal::SIGINT][round % 2];
        let subscriber = Subscriber::connect(&node.client).await;
        let mut options = customers(&node, seed.wrapping_add(round as u64), ORDERS_PER_SECOND);
        options.retry.max_attempts = 1;
        let stop = CancellationToken::new();
        let load = Driver::new(options).unwrap().start(&stop);
        eventually("orders are acknowledged", async || {
            match load.progress().counts.acknowledged {
                enough if enough >= WARM_UP => Ok(()),
                few => Err(few.to_string()),
            }
        })
        .await;
        node.signal(signal);
        let began = Instant::now();
        let status = node.until_exit().await;
        let took = began.elapsed();
        assert_eq!(status.code(), Some(0), "{signal}: {status}\n{}", node.log());
        // The same file and the same port are free at once.
        let next = Node::spawn(&database, &address, &[]).await;
        stop.cancel();
        let finished = load.finish().await;
        next.until_ready().await;
        next.until_stored().await;

        let books = Books::read(&database).await;
        let counts = finished.report.counts;
        // Whatever the node had read it answered: what is unknown never reached it.
        let cut = finished.ledger.orders().filter(|order| order.fate == Fate::Unknown);
        let cut = cut.filter(|order| books.times.contains_key(&order.message_id)).count();
        ledgers.push(finished.ledger);
        let broken = broken_promises(&ledgers.iter().collect::<Vec<_>>(), &books);
        assert_eq!(broken, Vec::<String>::new(), "{signal}");
        assert_eq!(cut, 0, "{signal}: {:?}", finished.report.last_unknown);
        assert_eq!(counts.refused, 0, "{signal}: {:?}", finished.report.refused_by_status);
        let closed = eventually("the socket is closed", async || {
            subscriber.seen().closed.ok_or_else(String::new)
        })
        .await;
        assert_eq!(closed, "1001 the node is stopping", "{signal}");
        println!(
            "{signal}: ended in {took:?}; {} acknowledged, {} came too late",
            counts.acknowledged, counts.unknown
        );
        database.assert_audit_clean();
        node = next;
    }
    node.stop().await;
}

/// Sends a part of a request, and waits until the node has surely taken it.
async fn begin(node: &Node, part: &[u8]) -> Wire {
    let mut wire = Wire::connect(node).await;
    wire.send(part).await;
    wire
}

async fn until_draining(node: &Node) {
    eventually("the node drains", async || match node.log() {
        log if log.contains("stopping: finishing open requests") => Ok(()),
        log => Err(log),
    })
    .await;
}

/// The node has accepted these connections, and read what came.
async fn until_read(node: &Node, wires: &[&Wire]) {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16).ok();
    let read = async || {
        let connections = std::fs::read_to_string(format!("/proc/{}/net/tcp", node.pid())).unwrap();
        // Its own end of each: established (01), with a file (one without still waits to be accepted), nothing received that
        // is not read.
        let is_read = |wire: &&Wire| {
            let ends = (node.url.port(), Some(wire.stream.local_addr().unwrap().port()));
            connections.lines().any(|line| {
                let columns: Vec<_> = line.split_whitespace().collect();
                columns.len() > 9
                    && (port(columns[1]), port(columns[2])) == ends
                    && (columns[3], columns[4].ends_with(":00000000")) == ("01", true)
                    && columns[9] != "0"
            })
        };
        if wires.iter().all(is_read) {
            Ok(())
        } else {
            Err(connections)
        }
    };
    eventually("what came over the connections is read", read).await;
}

async fn an_open_request_is_finished(database: Database) {
    let mut node = Node::start(&database).await;
    let key = Uuid::now_v7();
    let whole = order(Some(&key.to_string()), ORDER);
    let half = whole.len() - ORDER.len() / 2;
    let mut slow = begin(&node, &whole[..half]).await;
    let mut asks = begin(&node, b"GET /readyz HTTP/1.1\r\nHost: cafe\r\n").await;
    until_read(&node, &[&slow, &asks]).await;
    node.signal(Signal::SIGTERM);
    until_draining(&node).await;
    eventually("new clients are refused", async || {
        match Wire::try_connect(&node).await {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
            other => Err(format!("{:?}", other.map(drop))),
        }
    })
    .await;

    asks.send(b"\r\n").await;
    let readiness = asks.reply().await.unwrap();
    assert_eq!(
        (readiness.status, readiness.json()["status"].clone()),
        (503, "not ready".into()),
        "{readiness:?}"
    );
    assert_eq!(readiness.json()["detail"], "the node is stopping");

    for byte in &whole[half..] {
        slow.send(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = slow.reply().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close")),
        "{answer:?}"
    );
    let status = node.until_exit().await;
    assert_eq!(status.code(), Some(0), "{}", node.log());
    assert_eq!(Books::read(&database).await.times.get(&key), Some(&1));
    assert_eq!(database.assert_audit_clean(), 1);
}

async fn a_stalled_request_ends_with_the_deadline(database: Database) {
    let millis = SHORT_DRAIN.as_millis().to_string();
    let mut node = Node::start_with(&database, &[("COFFEE_RT_LIMITS__DRAIN_DEADLINE_MS", &millis)]).await;
    let whole = order(None, ORDER);
    let mut stalled = begin(&node, &whole[..whole.len() - 1]).await;
    until_read(&node, &[&stalled]).await;
    let began = Instant::now();
    node.signal(Signal::SIGTERM);
    let status = node.until_exit().await;
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0), "{}", node.log());
    assert!(took >= SHORT_DRAIN && took < SHORT_DRAIN + EXIT_SLACK, "{took:?}");
    println!("a stalled request was given up after {took:?}");
    assert!(stalled.is_closed_within(Duration::from_secs(1)).await);
    assert_eq!(Books::read(&database).await.rows, 0);
    assert_eq!(database.assert_audit_clean(), 0);
}

async fn idle_clients_do_not_hold_the_node_up(database: Database) {
    let mut node = Node::start(&database).await;
    let silent = [begin(&node, b"").await, begin(&node, b"").await];
    let mut idle = begin(&node, b"GET /livez HTTP/1.1\r\nHost: cafe\r\n\r\n").await;
    assert_eq!(idle.reply().await.map(|reply| reply.status), Ok(200));
    until_read(&node, &[&silent[0], &silent[1], &idle]).await;
    let began = Instant::now();
    node.signal(Signal::SIGTERM);
    let status = node.until_exit().await;
    assert_eq!(status.code(), Some(0), "{}", node.log());
    assert!(began.elapsed() < EXIT_SLACK, "{:?}", began.elapsed());
    println!("ended in {:?} with idle clients", began.elapsed());
    for mut wire in silent.into_iter().chain([idle]) {
        assert!(wire.is_closed_within(Duration::from_secs(1)).await);
    }
}
