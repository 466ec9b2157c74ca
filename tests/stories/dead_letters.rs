//! What other producers put into the log and cannot be stored: put aside with its reason, shown to operators, corrected
//! and stored after all, once.

use serde_json::{Value, json};
use uuid::Uuid;

use self::outsiders::{Outsiders, order, separate};
use crate::support::{Books, Database, Node, eventually, through_a_log};

pub mod outsiders;
mod producer;
mod topic;
mod usage;

through_a_log!(
    what_cannot_be_stored_is_corrected_and_stored_once,
    what_is_submitted_while_no_node_runs_is_stored_by_the_next,
);

const STREAM: &str = "orders:stream";
const NINE: &str = "2026-11-22T09:00:00Z";
/// More fields than a script can pass on one by one.
const MANY_FIELDS: usize = 1_500;

/// The entries of the story, by what is wrong with them.
struct Sent {
    unreadable: String,
    off_menu: String,
    absurd: String,
    reused: String,
    binary: String,
    many: String,
    off_menu_key: Uuid,
    reused_key: Uuid,
}

/// Two good orders, and six that are not.
async fn send(outsiders: &mut Outsiders<'_>) -> Sent {
    let (off_menu_key, reused_key) = (Uuid::now_v7(), Uuid::now_v7());
    outsiders.add_unusual().await;
    let good = order("latte", "3.00", Some(reused_key));
    outsiders.add_order(&good).await;
    outsiders.until_stored(2).await;
    let many: Vec<_> = (0..MANY_FIELDS).map(|n| format!("note{n}")).collect();
    let many = many.iter().map(|name| (name.as_bytes(), &b"x"[..]));
    let many: Vec<_> = separate(b"-1").into_iter().chain(many).collect();
    Sent {
        unreadable: outsiders.add_order(r#"{"drink":"#).await,
        off_menu: outsiders.add_order(&order("tea", "2.50", Some(off_menu_key))).await,
        absurd: outsiders.add(&separate(b"99999999")).await,
        reused: outsiders.add_order(&order("latte", "3.10", Some(reused_key))).await,
        binary: outsiders.add(&[(b"\xff\x00", b"\x1b[2J\xfe")]).await,
        many: outsiders.add(&many).await,
        off_menu_key,
        reused_key,
    }
}

async fn what_cannot_be_stored_is_corrected_and_stored_once(database: Database) {
    let node = Node::start(&database).await;
    let mut outsiders = Outsiders::of(&database).await;
    assert_eq!(outsiders.tell(&[]).await, (0, "no dead letters\n".to_owned()));
    let sent = send(&mut outsiders).await;
    outsiders.until_dead(6).await;
    is_shown_by_the_node(&node).await;
    is_listed(&outsiders, &sent).await;
    is_corrected(&outsiders, &sent).await;
    is_left_or_taken_in_bulk(&outsiders, &sent).await;

    // What nobody can make an order of.
    let binary = outsiders.letter_of(&sent.binary).await;
    let (code, text) = outsiders.tell(&["discard", &binary]).await;
    assert!(code == 2 && text.contains("--yes"), "{code}: {text}");
    let (code, text) = outsiders.tell(&["discard", &binary, "--yes"]).await;
    assert_eq!((code, text), (0, format!("{binary}  deleted for good\n")));
    let (code, text) = outsiders.tell(&["discard", &binary, "--yes", "--json"]).await;
    assert!(code == 1 && text.contains(r#""outcome": "missing""#), "{code}: {text}");

    assert_eq!(outsiders.tell(&["list"]).await, (0, "no dead letters\n".to_owned()));
    let books = outsiders.until_stored(7).await;
    assert!(books.times.values().all(|times| *times == 1), "{:?}", books.times);
    assert_eq!(database.assert_audit_clean(), 7);
    eventually("everything is stored", async || match outsiders.in_log().await {
        0 => Ok(()),
        entries => Err(format!("{entries} entries")),
    })
    .await;
    node.stop().await;
}

async fn is_shown_by_the_node(node: &Node) {
    eventually("readyz counts the dead letters", async || {
        match &node.log_state().await["dead_letters"] {
            letters if *letters == 6 => Ok(()),
            letters => Err(letters.to_string()),
        }
    })
    .await;
    for (reason, letters) in [("unreadable", 2.0), ("invalid", 3.0), ("key_reused", 1.0)] {
        let version = node.version;
        let metric = format!("coffee_rt_dead_letters_total{{reason=\"{reason}\",version=\"{version}\"}}");
        eventually("the metric counts them", async || match node.metric(&metric).await {
            counted if counted == letters => Ok(()),
            counted => Err(format!("{metric} {counted} of {letters}")),
        })
        .await;
    }
}

async fn is_listed(outsiders: &Outsiders<'_>, sent: &Sent) {
    let listed = outsiders.listed().await;
    let found: Vec<_> = listed
        .iter()
        .map(|letter| {
            let text = |name: &str| letter[name].as_str().unwrap();
            (text("source_id"), text("reason"), text("detail"), &letter["entry"])
        })
        .collect();
    for (source_id, reason, detail, name, value) in [
        (
            &sent.unreadable,
            "unreadable",
            "the body is not JSON",
            "order",
            r#"{"drink":"#,
        ),
        (
            &sent.off_menu,
            "invalid",
            "drink must be one of",
            "order",
            &order("tea", "2.50", Some(sent.off_menu_key)),
        ),
        (&sent.absurd, "invalid", "price", "price", "99999999"),
        (
            &sent.reused,
            "key_reused",
            "",
            "message_id",
            &sent.reused_key.to_string(),
        ),
        (&sent.binary, "unreadable", "no", r"\xff\x00", r"\x1b[2J\xfe"),
        (&sent.many, "invalid", "price", "note1499", "x"),
    ] {
        let letter = found.iter().find(|letter| letter.0 == source_id);
        let letter = letter.unwrap_or_else(|| panic!("{source_id} is not in {found:?}"));
        assert!(letter.1 == reason && letter.2.contains(detail), "{letter:?}");
        assert!(outsiders.shows(letter.3, name, value), "{letter:?}");
    }

    let (code, text) = outsiders.tell(&["--limit", "2"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.ends_with("2 of 6 dead letters, newest last\n") && text.lines().count() == 4,
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text}");
    let (code, text) = outsiders.tell(&["list", "--reason", "key_reused"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&sent.reused) && text.lines().count() == 3, "{text}");
    assert!(
        text.ends_with("1 of 1 dead letters with reason key_reused, newest last\n"),
        "{text}"
    );
    let none = outsiders.tell(&["--reason", "refused"]).await;
    assert_eq!(none, (0, "no dead letters with reason refused\n".to_owned()));
}

async fn is_corrected(outsiders: &Outsiders<'_>, sent: &Sent) {
    let off_menu = outsiders.letter_of(&sent.off_menu).await;
    let (code, text) = outsiders.tell(&["resubmit", &off_menu]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("add it to [menu] first, or --set drink=…"), "{text}");
    let (code, text) = outsiders
        .tell(&["resubmit", &off_menu, "--set", "drink=latte", "--dry-run"])
        .await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("would be re-submitted") && text.contains("latte"),
        "{text}"
    );
    assert_eq!(outsiders.listed().await.len(), 6, "neither has changed anything");

    let fix = ["resubmit", &off_menu, "--set", "drink=latte", "--json"];
    let (code, text) = outsiders.tell(&fix).await;
    let fates: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &fates[0]["outcome"]), (0, &json!("resubmitted")), "{text}");
    assert_eq!(fates[0]["order"]["message_id"], json!(sent.off_menu_key), "{text}");
    let books = outsiders.until_stored(3).await;
    assert_eq!(books.times[&sent.off_menu_key], 1);
    let (code, text) = outsiders.tell(&fix[..4]).await;
    assert!(code == 1 && text.contains("is not there"), "{code}: {text}");

    // Separate fields, few and many, without a message_id; and what must be said as a whole.
    let (absurd, many) = (
        outsiders.letter_of(&sent.absurd).await,
        outsiders.letter_of(&sent.many).await,
    );
    let (code, text) = outsiders
        .tell(&["resubmit", &absurd, &many, "--set", "price=5.00"])
        .await;
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("2 of 2 done\n"), "{text}");
    outsiders.until_stored(5).await;
    let unreadable = outsiders.letter_of(&sent.unreadable).await;
    let timestamp = format!("timestamp={NINE}");
    let whole = ["drink=latte", "store=uptown", "price=4", &timestamp];
    let mut fix = vec!["resubmit", unreadable.as_str()];
    for part in &whole[..3] {
        fix.extend(["--set", part]);
    }
    let (code, text) = outsiders.tell(&fix).await;
    assert!(
        code == 1 && text.contains("timestamp is missing: --set timestamp=…"),
        "{code}: {text}"
    );
    fix.extend(["--set", whole[3]]);
    let (code, text) = outsiders.tell(&fix).await;
    assert_eq!(code, 0, "{text}");
    outsiders.until_stored(6).await;
}

/// Two are left: a reused key, and what is no text.
async fn is_left_or_taken_in_bulk(outsiders: &Outsiders<'_>, sent: &Sent) {
    let (code, text) = outsiders.tell(&["resubmit", "--all"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("--new-key stores both") && text.ends_with("0 of 2 done\n"),
        "{text}"
    );
    // Under the same key it comes back, as another letter.
    let before = outsiders.letter_of(&sent.reused).await;
    let (code, text) = outsiders.tell(&["resubmit", &before, "--set", "price=3.20"]).await;
    assert_eq!(code, 0, "{text}");
    outsiders.until_dead(2).await;
    let (code, text) = outsiders.tell(&["resubmit", &before, "--new-key"]).await;
    assert!(code == 1 && text.contains("is not there"), "{code}: {text}");

    let (code, text) = outsiders
        .tell(&["resubmit", "--all", "--reason", "key_reused", "--new-key"])
        .await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("re-submitted") && text.contains(r#""price":3.2"#),
        "{text}"
    );
    let books = outsiders.until_stored(7).await;
    assert_eq!(books.times[&sent.reused_key], 1);
    outsiders.until_dead(1).await;
}

async fn what_is_submitted_while_no_node_runs_is_stored_by_the_next(database: Database) {
    let node = Node::start(&database).await;
    let mut outsiders = Outsiders::of(&database).await;
    for price in ["2.50", "2.60"] {
        outsiders.add_order(&order("tea", price, None)).await;
    }
    let broken = outsiders.add_order(&order("latte", "cheap", None)).await;
    outsiders.until_dead(3).await;
    node.stop().await;

    // Tea is on the menu by now.
    let tea = ("COFFEE_RT_MENU__DRINKS", "[latte, tea]");
    let all = ["resubmit", "--all", "--reason", "invalid"];
    let (code, text) = outsiders
        .tell_with(
            &all,
            &[
                tea,
                ("COFFEE_RT_V2__BACKLOG_ORDERS", "1"),
                ("COFFEE_RT_V3__BACKLOG_ORDERS", "1"),
            ],
        )
        .await;
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains(".backlog_orders = 1): try again when the nodes") && text.ends_with("1 of 3 done\n"),
        "{text}"
    );
    assert_eq!(outsiders.in_log().await, 1);
    let (code, text) = outsiders.tell_with(&all, &[tea]).await;
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("--set price=…") && text.ends_with("1 of 2 done\n"),
        "{text}"
    );
    let broken = outsiders.letter_of(&broken).await;
    let (code, text) = outsiders.tell(&["resubmit", &broken, "--set", "price=2.70"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!((outsiders.in_log().await, outsiders.listed().await.len()), (3, 0));
    assert_eq!(Books::read(&database).await.rows, 0);

    let node = Node::start_with(&database, &[tea]).await;
    outsiders.until_stored(3).await;
    assert_eq!(database.assert_audit_clean(), 3);
    assert!(outsiders.listed().await.is_empty());
    node.stop().await;
}
