//! What the command says where it cannot do what it is told.

use crate::support::Database;

#[tokio::test]
async fn what_is_missing_or_contradicts_itself_is_said() {
    let database = Database::sqlite();
    let (code, text) = database.run(&["dead-letters"], &[]).await;
    assert!(code == 4 && text.contains("set REDIS_URL"), "{code}: {text}");
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://nobody:s3cret@{}/", closed.local_addr().unwrap());
    drop(closed);
    for args in [&["list"][..], &["resubmit", "1-0"], &["discard", "1-0", "--yes"]] {
        let args = [&["dead-letters"], args].concat();
        let (code, text) = database.run(&args, &[("REDIS_URL", &url)]).await;
        assert_eq!(code, 4, "{text}");
        assert!(
            text.starts_with("coffee-rt: dead-letters: Redis cannot be reached") && !text.contains("s3cret"),
            "{text}"
        );
    }
    for (args, why) in [
        (&["resubmit"][..], "<ID|--all>"),
        (&["resubmit", "1-0", "--all"], "--all"),
        (&["resubmit", "--all", "--set", "price=1"], "--set"),
        (&["resubmit", "--all", "--new-key"], "--reason key_reused"),
        (&["resubmit", "1-0", "--reason", "invalid"], "--reason"),
        (
            &["resubmit", "1-0", "--set", "tip=1"],
            "drink, store, price, timestamp, message_id",
        ),
        (
            &["resubmit", "1-0", "--new-key", "--set", "message_id=x"],
            "exclude each other",
        ),
        (&["resubmit", "1-0", "2-0", "--set", "message_id=x"], "one dead letter"),
        (&["list", "--reason", "boredom"], "key_reused"),
        (&["--limit", "0"], "--limit"),
        (&["discard"], "<ID>"),
    ] {
        let args = [&["dead-letters"], args].concat();
        let (code, text) = database.run(&args, &[("REDIS_URL", &url)]).await;
        assert!(code == 2 && text.contains(why), "{args:?}: {code}: {text}");
    }
}
