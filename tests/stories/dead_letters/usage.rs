//! What the command says where it cannot do what it is told.

use std::time::{Duration, Instant};

use crate::support::Database;

/// How long the command may take to find that nobody is there.
const AWAY_LIMIT: Duration = Duration::from_secs(10);

/// An address where nobody listens.
async fn closed() -> String {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    closed.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn what_is_missing_or_contradicts_itself_is_said() {
    let database = Database::sqlite();
    let url = format!("redis://nobody:s3cret@{}/", closed().await);
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
        (&["list", "--version", "1"], "2 (Redis) or 3 (Kafka)"),
        (&["--limit", "0"], "--limit"),
        (&["discard"], "<ID>"),
    ] {
        let args = [&["dead-letters"], args].concat();
        let (code, text) = database.run(&args, &[("REDIS_URL", &url)]).await;
        assert!(code == 2 && text.contains(why), "{args:?}: {code}: {text}");
    }
}

#[tokio::test]
async fn it_is_said_where_the_letters_cannot_be_reached() {
    let database = Database::sqlite();
    let (code, text) = database.run(&["dead-letters"], &[]).await;
    assert!(
        code == 4 && text.contains("set REDIS_URL or KAFKA_BOOTSTRAP_SERVERS"),
        "{code}: {text}"
    );
    let redis = format!("redis://nobody:s3cret@{}/", closed().await);
    let redis = [("REDIS_URL", redis.as_str())];
    let kafka = closed().await;
    let kafka = [("KAFKA_BOOTSTRAP_SERVERS", kafka.as_str())];
    for (settings, product, other) in [
        (redis, "Redis", "KAFKA_BOOTSTRAP_SERVERS"),
        (kafka, "Kafka", "REDIS_URL"),
    ] {
        for args in [&["list"][..], &["resubmit", "1-0"], &["discard", "1-0", "--yes"]] {
            let (args, begun) = ([&["dead-letters"], args].concat(), Instant::now());
            let (code, text) = database.run(&args, &settings).await;
            assert_eq!(code, 4, "{text}");
            let away = format!("coffee-rt: dead-letters: {product} cannot be reached");
            assert!(text.starts_with(&away) && !text.contains("s3cret"), "{text}");
            assert!(begun.elapsed() < AWAY_LIMIT, "{:?}", begun.elapsed());
        }
        let version = if product == "Redis" { "3" } else { "2" };
        let (code, text) = database.run(&["dead-letters", "--version", version], &settings).await;
        assert!(
            code == 4 && text.contains(&format!("set {other} to the")),
            "{code}: {text}"
        );
    }

    let both = [redis, kafka].concat();
    for args in [&["list"][..], &["resubmit", "--all"], &["discard", "1-0", "--yes"]] {
        let args = [&["dead-letters"], args].concat();
        let (code, text) = database.run(&args, &both).await;
        assert!(code == 2 && text.contains("--version 2"), "{code}: {text}");
        for (version, product) in [("v2", "Redis"), ("3", "Kafka")] {
            let args = [&args[..], &["--version", version]].concat();
            let (code, text) = database.run(&args, &both).await;
            assert!(
                code == 4 && text.contains(&format!("{product} cannot be reached")),
                "{code}: {text}"
            );
        }
    }
    // A node of version 3 has its Redis for other things.
    let third = [&both[..], &[("COFFEE_RT_VERSIONS", "v1,v3")]].concat();
    let (code, text) = database.run(&["dead-letters"], &third).await;
    assert!(code == 4 && text.contains("Kafka cannot be reached"), "{code}: {text}");
}
