//! Settings and the commands that read a store, by their output and exit codes.

use nix::sys::signal::Signal;
use serde_json::Value;
use sqlx::{Connection, Executor};

use crate::support::wire::order;
use crate::support::{Books, Database, Node, Wire, eventually, on_both_engines};

on_both_engines!(
    commands_work_beside_a_node,
    a_planted_difference_is_found,
    a_node_recounts_by_itself,
    a_node_that_leaves_serves_on_and_is_not_ready
);

const ORDER: &[u8] = br#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#;

async fn commands_work_beside_a_node(database: Database) {
    let states = |text: &str| -> Vec<String> {
        let migrations: Vec<Value> = serde_json::from_str(text).unwrap();
        let state = |migration: &Value| migration["state"]["state"].as_str().unwrap().to_owned();
        migrations.iter().map(state).collect()
    };
    let engine = if database.url.is_some() { "postgres" } else { "sqlite" };
    let all = if engine == "postgres" { 3 } else { 2 };
    let (code, text) = database.command(&["migrate", "--status", "--json"]);
    assert_eq!((code, states(&text)), (1, vec!["pending".to_owned(); all]), "{text}");
    let (code, text) = database.command(&["migrate"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(text, format!("the {engine} schema is up to date\n"));
    assert_eq!(
        database.command(&["migrate"]),
        (0, text),
        "a second time changes nothing"
    );
    let (code, text) = database.command(&["migrate", "--status", "--json"]);
    assert_eq!((code, states(&text)), (0, vec!["applied".to_owned(); all]), "{text}");
    let (code, text) = database.command(&["migrate", "--status"]);
    assert!(
        code == 0 && text.starts_with("   1  orders         applied 20"),
        "{text}"
    );
    assert_eq!(database.assert_audit_clean(), 0);

    let node = Node::start(&database).await;
    for _ in 0..5 {
        let reply = Wire::connect(&node).await.exchange(&order(None, ORDER)).await;
        assert_eq!(reply.unwrap().status, 200);
    }
    let (code, text) = database.command(&["audit"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        text,
        "5 orders of 22.50 recounted against 1 rollup rows of 1 shards\nno difference\n"
    );
    let (code, text) = database.command(&["config", "--json"]);
    let config: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, config["database_url"].is_string()),
        (0, engine == "postgres"),
        "{text}"
    );
    let (code, toml) = database.command(&["config"]);
    assert_eq!(code, 0, "{toml}");
    std::fs::write(database.folder().join("coffee-rt.toml"), &toml).unwrap();
    let (code, again) = database.command(&["config"]);
    assert_eq!((code, again), (0, toml), "what it prints it also reads");
    node.stop().await;
}

async fn a_planted_difference_is_found(database: Database) {
    let node = Node::start(&database).await;
    let reply = Wire::connect(&node).await.exchange(&order(None, ORDER)).await;
    assert_eq!(reply.unwrap().status, 200);
    assert_eq!(database.assert_audit_clean(), 1);
    // A wrong rollup also differs from its shard's total, and a wrong total from all orders.
    for (table, column) in [("rollups", "orders"), ("rollups", "cents"), ("shard_totals", "orders")] {
        plant(&database, &format!("UPDATE {{s}}{table} SET {column} = {column} + 1")).await;
        let (code, text) = database.command(&["audit"]);
        assert_eq!(code, 1, "{text}");
        assert!(
            text.ends_with("2 differences\n") && text.contains("1 orders, 4.5"),
            "{text}"
        );
        let (code, text) = database.command(&["audit", "--json"]);
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (code, report["differences"].as_array().unwrap().len()),
            (1, 2),
            "{text}"
        );
        plant(&database, &format!("UPDATE {{s}}{table} SET {column} = {column} - 1")).await;
        assert_eq!(database.assert_audit_clean(), 1);
    }
    node.stop().await;
}

async fn a_node_that_leaves_serves_on_and_is_not_ready(database: Database) {
    let mut node = Node::start_with(&database, &[("COFFEE_RT_LIMITS__LEAVE_MS", "15000")]).await;
    let url = format!("--url={}", node.url);
    assert_eq!(database.command(&["ready", &url]).0, 0);
    node.signal(Signal::SIGTERM);
    eventually("the node is not ready", async || {
        match database.run(&["ready", &url], &[]).await {
            (1, text) if text.contains("the node is stopping") => Ok(()),
            (code, text) => Err(format!("{code}: {text}")),
        }
    })
    .await;
    let reply = Wire::connect(&node).await.exchange(&order(None, ORDER)).await;
    assert_eq!(reply.unwrap().status, 200);
    assert!(node.until_exit().await.success(), "{}", node.log());
    assert_eq!(database.assert_audit_clean(), 1);
}

async fn a_node_recounts_by_itself(database: Database) {
    let node = Node::start_with(&database, &[("COFFEE_RT_AUDIT__EVERY_SECONDS", "1")]).await;
    let reply = Wire::connect(&node).await.exchange(&order(None, ORDER)).await;
    assert_eq!(reply.unwrap().status, 200);
    let shows = async |orders: f64, differences: f64| {
        eventually("the node has recounted", async || {
            let shown = [
                node.metric("coffee_rt_audit_orders").await,
                node.metric("coffee_rt_audit_differences").await,
            ];
            if shown == [orders, differences] {
                Ok(())
            } else {
                Err(format!("{shown:?}"))
            }
        })
        .await;
    };
    shows(1.0, 0.0).await;
    plant(&database, "UPDATE {s}rollups SET orders = orders + 1").await;
    shows(1.0, 2.0).await;
    eventually("the log tells of it", async || {
        let log = node.log();
        if log.contains("what is counted is not what is stored") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    // One that died recounts again.
    node.inject("shared/auditor", "kill", 1).await;
    plant(&database, "UPDATE {s}rollups SET orders = orders - 1").await;
    shows(1.0, 0.0).await;
    assert!(node.metric("coffee_rt_audits_total{outcome=\"different\"}").await >= 1.0);
    assert!(node.metric("coffee_rt_audit_timestamp_seconds").await > 1.7e9);
    node.stop().await;
}

/// Changes the store behind the node's back.
async fn plant(database: &Database, sql: &str) {
    match database.direct_url() {
        Some(url) => {
            let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
            conn.execute(sqlx::AssertSqlSafe(sql.replace("{s}", "coffee_rt.")))
                .await
                .unwrap();
        }
        None => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database.sqlite_file());
            let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            conn.execute(sqlx::AssertSqlSafe(sql.replace("{s}", ""))).await.unwrap();
            conn.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_second_node_says_what_is_taken() {
    let (database, other) = (Database::sqlite(), Database::sqlite());
    let node = Node::start(&database).await;
    let (code, text) = database.run(&["serve", "--listen", "127.0.0.1:0"], &[]).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("coffee-rt.db is in use by another node"), "{text}");
    let (code, text) = other.run(&["serve", "--listen", &node.address()], &[]).await;
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains(&node.address()) && text.contains("is another node running?"),
        "{text}"
    );
    let (code, text) = database.run(&["migrate"], &[]).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("in use by another node"), "{text}");
    node.until_ready().await;
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_an_environment_error() {
    let database = Database::sqlite();
    let (code, text) = database.run(&["audit"], &[]).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("coffee-rt.db"), "{text}");
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("postgres://nobody:s3cret@{closed}/nothing");
    for command in ["audit", "migrate"] {
        let (code, text) = database.run(&[command], &[("DATABASE_URL", &url)]).await;
        assert_eq!(code, 4, "{text}");
        assert!(
            text.starts_with(&format!("coffee-rt: {command}: ")) && !text.contains("s3cret"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let database = Database::sqlite();
    for (name, value, key) in [
        ("COFFEE_RT_LISTEN", "nowhere", "listen"),
        ("COFFEE_RT_LISTEN", "127.0.0.1:99999", "listen"),
        ("COFFEE_RT_LIMITS__SOCKETS", "-1", "sockets"),
        ("COFFEE_RT_LIMITS__CONNECTIONS", "0", "limits.connections"),
        ("COFFEE_RT_LIMITS__CREDIT_ORDERS", "many", "credit_orders"),
        ("COFFEE_RT_LIMITS__BODY_BYTES", "1", "limits.body_bytes"),
        ("COFFEE_RT_LIMITS__DRAIN_DEADLINE_MS", "1", "limits.drain_deadline_ms"),
        ("COFFEE_RT_LIMITS__CREDITS", "1", "credits"),
        ("COFFEE_RT_LISTENS", "127.0.0.1:0", "listens"),
        ("COFFEE_RT_V1__BATCHERS", "65", "v1.batchers"),
        ("COFFEE_RT_DASHBOARD__MIN_INTERVAL_MS", "0", "dashboard.min_interval_ms"),
        ("COFFEE_RT_LOG_FORMAT", "xml", "log_format"),
        ("COFFEE_RT_LOG", "a=b=c", "log"),
        ("COFFEE_RT_VERSIONS", "v9", "v9"),
        ("COFFEE_RT_VERSIONS", "v1,v2", "versions: v2 needs redis_url"),
        ("REDIS_URL", "http://localhost", "redis_url"),
        ("COFFEE_RT_V2__BACKLOG_ORDERS", "0", "v2.backlog_orders"),
        ("DATABASE_URL", "mysql://localhost/coffee", "database_url"),
        ("DATABASE_URL", "not a url", "database_url"),
    ] {
        let (code, text) = database.run(&["serve"], &[(name, value)]).await;
        assert_eq!(code, 2, "{name}={value}: {text}");
        // Variables are named as they are written.
        assert!(text.to_lowercase().contains(key), "{name}={value}: {text}");
        assert!(!text.contains("listening"), "{name}={value}: {text}");
    }
    std::fs::write(database.folder().join("coffee-rt.toml"), "[limits]\nsokets = 1\n").unwrap();
    let (code, text) = database.run(&["serve"], &[]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("sokets") && text.contains("coffee-rt.toml"), "{text}");
    let (code, text) = database.run(&["serve", "--config", "nowhere.toml"], &[]).await;
    assert_eq!((code, text.contains("nowhere.toml")), (2, true), "{text}");
    assert!(!database.sqlite_file().exists(), "wrong settings leave nothing behind");
}

#[tokio::test]
async fn the_originals_variables_start_a_node() {
    let mut database = Database::postgres().await;
    let url: url::Url = database.url.take().unwrap().parse().unwrap();
    let port = url.port().unwrap().to_string();
    let settings = [
        ("POSTGRES_HOST", url.host_str().unwrap()),
        ("POSTGRES_PORT", &port),
        ("POSTGRES_USER", url.username()),
        ("POSTGRES_PASSWORD", url.password().unwrap_or("any")),
        ("POSTGRES_DB", url.path().trim_start_matches('/')),
        ("DASHBOARD_UPDATE_INTERVAL", "0.05"),
    ];
    let node = Node::start_with(&database, &settings).await;
    let ready: Value = node.client.get("/readyz").await.unwrap();
    assert_eq!(ready["components"]["store"]["engine"], "postgres", "{ready}");
    let reply = Wire::connect(&node).await.exchange(&order(None, ORDER)).await;
    assert_eq!(reply.unwrap().status, 200);
    assert_eq!(Books::read(&database).await.rows, 1);
    node.stop().await;

    let address = [
        ("APP_HOST", "127.0.0.1"),
        ("APP_PORT", "8123"),
        ("DASHBOARD_UPDATE_INTERVAL", "0.05"),
    ];
    let (code, text) = database.run(&["config", "--json"], &address).await;
    let config: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &config["listen"]), (0, &Value::from("127.0.0.1:8123")));
    assert_eq!(config["dashboard"]["min_interval_ms"], 50);
}
