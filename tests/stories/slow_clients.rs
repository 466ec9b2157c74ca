//! Clients that stop in the middle: they hold nothing for longer than the read deadline, and what they sent in full counts.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::support::wire::{ORDER, order};
use crate::support::{Books, Database, Node, Wire, on_both_engines};

const READ_DEADLINE: Duration = Duration::from_secs(1);
/// What the node may take longer on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

on_both_engines!(
    a_header_that_never_ends_ends_the_connection,
    a_body_that_never_ends_is_a_problem,
    who_only_listens_on_gets_an_answer,
);

async fn impatient(database: &Database) -> Node {
    let millis = READ_DEADLINE.as_millis().to_string();
    Node::start_with(database, &[("COFFEE_RT_LIMITS__READ_DEADLINE_MS", &millis)]).await
}

async fn a_header_that_never_ends_ends_the_connection(database: Database) {
    let node = impatient(&database).await;
    let whole = order(None, ORDER);
    // At once, in the middle of a header, and after an answer.
    for (sent, answers) in [(&whole[..0], 0), (&whole[..20], 0), (&whole[..], 1)] {
        let began = Instant::now();
        let mut wire = Wire::connect(&node).await;
        wire.send(sent).await;
        for _ in 0..answers {
            assert_eq!(wire.reply().await.unwrap().status, 200);
        }
        assert!(
            wire.is_closed_within(READ_DEADLINE + SLACK).await,
            "{} bytes",
            sent.len()
        );
        assert!(began.elapsed() > READ_DEADLINE, "closed after {:?}", began.elapsed());
    }
    // A connection in use is not cut by the deadlines of its earlier silences.
    let mut wire = Wire::connect(&node).await;
    let (mut began, mut sent) = (Instant::now(), Instant::now());
    while began.elapsed() < READ_DEADLINE * 3 {
        let silence = sent.elapsed();
        sent = Instant::now();
        wire.send(&whole).await;
        match wire.reply().await {
            Ok(reply) => assert_eq!(reply.status, 200),
            // The machine stood still, and the node is right: from the beginning.
            Err(_) if silence + sent.elapsed() > READ_DEADLINE => {
                wire = Wire::connect(&node).await;
                began = Instant::now();
            }
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(READ_DEADLINE / 6).await;
    }
    database.assert_audit_clean();
}

async fn a_body_that_never_ends_is_a_problem(database: Database) {
    let node = impatient(&database).await;
    let whole = order(None, ORDER);
    let mut wire = Wire::connect(&node).await;
    wire.send(&whole[..whole.len() - 1]).await;
    let reply = wire.reply().await.unwrap();
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (408, Some("application/problem+json")),
        "{reply:?}"
    );
    assert_eq!(database.assert_audit_clean(), 0);
}

async fn who_only_listens_on_gets_an_answer(database: Database) {
    let node = Node::start(&database).await;
    let key = Uuid::now_v7();
    let mut wire = Wire::connect(&node).await;
    wire.send(&order(Some(&key.to_string()), ORDER)).await;
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.reply().await.unwrap().status, 200);
    assert_eq!(Books::read(&database).await.times.get(&key), Some(&1));
    assert_eq!(database.assert_audit_clean(), 1);
}
