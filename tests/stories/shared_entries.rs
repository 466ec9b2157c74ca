//! Orders that arrive together share an entry of the stream, and are orders one by one all the same.

use futures_util::future::join_all;
use uuid::Uuid;

use crate::dead_letters::outsiders::{Outsiders, order};
use crate::support::wire::ORDER;
use crate::support::{Books, Database, HeldCommits, Node, Requests, eventually};

/// The most orders that the stream may hold.
const LIMIT: usize = 400;

async fn shows_backlog(node: &Node, orders: usize) {
    eventually("each order counts", async || match node.log_state().await {
        log if log["backlog"] == orders => Ok(()),
        log => Err(log.to_string()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_counted_in_orders() {
    let database = Database::redis().await;
    let node = Node::start_with(&database, &[("COFFEE_RT_V2__BACKLOG_ORDERS", &LIMIT.to_string())]).await;
    let held = HeldCommits::of(&database).await;
    let customer = Requests::to(&node);
    let order = std::str::from_utf8(ORDER).unwrap();
    let placed = join_all((0..LIMIT).map(|_| customer.post(Uuid::now_v7(), order))).await;
    assert!(placed.iter().all(|answer| answer.status == 200));
    let (entries, surplus) = database.entries_and_surplus();
    assert!(entries < LIMIT && entries + surplus == LIMIT, "{entries} {surplus}");
    shows_backlog(&node, LIMIT).await;
    customer.post(Uuid::now_v7(), order).await.assert_refused_for_now();
    held.release().await;
    node.until_stored().await;
    assert_eq!(database.entries_and_surplus(), (0, 0));
    shows_backlog(&node, 0).await;
    assert_eq!(customer.post(Uuid::now_v7(), order).await.status, 200);
    node.until_stored().await;
    assert_eq!(database.assert_audit_clean(), LIMIT as u64 + 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_stored_is_put_aside_without_its_neighbours() {
    let database = Database::redis().await;
    let node = Node::start(&database).await;
    let mut outsiders = Outsiders::of(&database).await;
    let held = HeldCommits::of(&database).await;
    let keys: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    let line = |drink, key| order(drink, "3.00", Some(key));
    let lines = [
        line("latte", keys[0]),
        line("tea", keys[1]),
        "nope".to_owned(),
        line("latte", keys[2]),
    ];
    let id = outsiders.add(&[(b"orders", lines.join("\n").as_bytes())]).await;
    let another = outsiders.add_order(&line("latte", keys[3])).await;
    eventually("both are read", async || match node.log_state().await {
        log if log["pending"] != 0 && log["lag"] == 0 => Ok(()),
        log => Err(format!("{another}: {log}")),
    })
    .await;
    // What was read comes to the next node again, as a whole.
    node.crash();
    held.release().await;
    let node = Node::start(&database).await;
    outsiders.until_stored(3).await;
    outsiders.until_dead(2).await;
    node.until_stored().await;
    assert_eq!(database.entries_and_surplus(), (0, 0));

    let tea = outsiders.letter_of(&format!("{id}/1")).await;
    let (code, text) = outsiders.tell(&["resubmit", &tea, "--set", "drink=latte"]).await;
    assert_eq!(code, 0, "{text}");
    let nope = outsiders.letter_of(&format!("{id}/2")).await;
    let (code, text) = outsiders.tell(&["discard", &nope, "--yes"]).await;
    assert_eq!(code, 0, "{text}");
    let books: Books = outsiders.until_stored(4).await;
    assert!(keys.iter().all(|key| books.times[key] == 1), "{:?}", books.times);
    assert!(outsiders.listed().await.is_empty());
    assert_eq!(database.assert_audit_clean(), 4);
    node.stop().await;
}
