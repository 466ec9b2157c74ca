//! A Kafka that wants a login: nodes and commands log in, with TLS and without; where they cannot, the node says why, takes
//! no order, and shows nobody its password.

use futures_util::future::join_all;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Books, Database, Kafka, Node, OwnService, Requests, eventually, wire};

/// Orders placed after each login.
const ORDERS: u64 = 50;
/// Commands that ask at once and are refused.
const COMMANDS: usize = 8;
/// What is said where password or user are wrong, by any mechanism.
const NOT_LET_IN: &str = "Authentication failed";
/// Settings whose values look like numbers must arrive as they stand.
const WRONG_PASSWORD: (&str, &str) = ("COFFEE_RT_KAFKA__CLIENT__SASL__PASSWORD", "007");
/// How long an order waits for a Kafka that does not let the node in.
const PATIENCE: (&str, &str) = ("COFFEE_RT_LIMITS__ORDER_DEADLINE_MS", "1000");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_logs_in_without_tls() {
    let scene = Scene::new("KAFKA_SASL_BOOTSTRAP_SERVERS").await;
    scene.settings("security.protocol = \"sasl_plaintext\"\nsasl.mechanism = \"PLAIN\"");
    scene.is_refused(&[WRONG_PASSWORD], NOT_LET_IN).await;
    scene.is_served().await;
}

#[cfg(feature = "kafka-tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_logs_in_over_tls() {
    let scene = Scene::new("KAFKA_SECURE_BOOTSTRAP_SERVERS").await;
    let authority = scene.variable("KAFKA_SECURE_CA").await;
    scene.settings(&format!(
        "security.protocol = \"SASL_SSL\"\nsasl.mechanism = \"SCRAM-SHA-512\"\nssl.ca.location = \"{authority}\""
    ));
    scene.is_refused(&[WRONG_PASSWORD], NOT_LET_IN).await;
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/secure_kafka/other-ca.pem");
    let untrusted = ("COFFEE_RT_KAFKA__CLIENT__SSL__CA__LOCATION", other);
    scene.is_refused(&[untrusted], "certificate verify failed").await;
    scene.is_served().await;
}

/// A database behind a topic of a Kafka that wants a login.
struct Scene {
    database: Database,
    /// Where the login is wanted.
    servers: String,
    user: String,
    password: String,
}

impl Scene {
    async fn new(listener: &str) -> Self {
        let (postgres, kafka) = tokio::join!(Database::postgres(), OwnService::secure_kafka());
        let mut scene = Self {
            database: postgres.through_topic(Kafka::on(kafka)),
            servers: String::new(),
            user: String::new(),
            password: String::new(),
        };
        scene.servers = scene.variable(listener).await;
        scene.user = scene.variable("KAFKA_SECURE_USER").await;
        scene.password = scene.variable("KAFKA_SECURE_PASSWORD").await;
        scene
    }

    async fn variable(&self, name: &str) -> String {
        self.database.log_server().variable(name).await
    }

    /// Writes the node's file.
    fn settings(&self, table: &str) {
        let Self { user, password, .. } = self;
        let file = format!("[kafka.client]\n{table}\nsasl.username = \"{user}\"\nsasl.password = \"{password}\"\n");
        std::fs::write(self.database.folder().join("coffee-rt.toml"), file).unwrap();
    }

    fn at_listener(&self) -> (&str, &str) {
        ("KAFKA_BOOTSTRAP_SERVERS", &self.servers)
    }

    /// Runs a command with the node's settings, which must go well.
    async fn run(&self, args: &[&str]) -> String {
        let url = ("DATABASE_URL", self.database.direct_url().unwrap());
        let (code, text) = self.database.run(args, &[self.at_listener(), url]).await;
        assert_eq!(code, 0, "{text}");
        self.assert_secret(&text);
        text
    }

    fn assert_secret(&self, text: &str) {
        for password in [self.password.as_str(), &format!("\"{}\"", WRONG_PASSWORD.1)] {
            assert!(!text.contains(password), "the password is in {text}");
        }
    }

    /// A node with these settings besides says why it cannot take orders, and takes none.
    async fn is_refused(&self, settings: &[(&str, &str)], reason: &str) {
        let more = [self.at_listener(), PATIENCE];
        let settings: Vec<_> = settings.iter().copied().chain(more).collect();
        let node = Node::spawn(&self.database, "127.0.0.1:0", &settings).await;
        let said = eventually("the reason is told", async || {
            let log = node.log_state().await.to_string();
            if log.contains(reason) {
                Ok(log)
            } else {
                Err(format!("{log}\n{}", node.log()))
            }
        })
        .await;
        println!("{said}");
        let requests = Requests::to(&node);
        let ready = requests.get("/readyz").await;
        assert_eq!(ready.status, 503, "{ready:?}");
        let order = std::str::from_utf8(wire::ORDER).unwrap();
        requests.post(Uuid::now_v7(), order).await.assert_refused_for_now();
        // Each ends beside its clients, which are ending, too: that may crash one of many.
        let asked = (0..COMMANDS).map(|_| self.database.run(&["dead-letters"], &settings));
        for (code, text) in join_all(asked).await {
            assert!(code == 4 && text.contains(reason), "{code}: {text}");
            self.assert_secret(&text);
        }
        let log = eventually("the log tells the reason", async || match node.log() {
            log if log.contains(reason) => Ok(log),
            log => Err(log),
        })
        .await;
        for text in [&log, &ready.body, &requests.get("/metrics").await.body] {
            self.assert_secret(text);
        }
        assert_eq!(Books::read(&self.database).await.rows, 0);
        node.stop().await;
    }

    /// Nodes and commands do what they do.
    async fn is_served(&self) {
        let node = Node::start_with(&self.database, &[self.at_listener()]).await;
        let requests = Requests::to(&node);
        for _ in 0..ORDERS {
            requests.place().await;
        }
        self.database.topic().produce_to(vec![(0, b"no order".to_vec())]).await;
        node.until_stored().await;
        assert_eq!(self.database.assert_audit_clean(), ORDERS);
        self.database.assert_each_record_was_stored_once().await;
        self.assert_secret(&node.log());
        node.stop().await;

        let listed: Value = serde_json::from_str(&self.run(&["dead-letters", "list", "--json"]).await).unwrap();
        let id = listed[0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no letter in {listed}"));
        self.run(&["dead-letters", "discard", id, "--yes"]).await;
        assert_eq!(self.run(&["dead-letters"]).await, "no dead letters\n");
        let replayed = self.run(&["replay", "--from", "beginning"]).await;
        println!("{replayed}");
        assert_eq!(self.database.assert_audit_clean(), ORDERS);
        assert_eq!(self.database.records(), 2 * (ORDERS + 1));
        let shown = self.run(&["config"]).await;
        assert!(shown.contains(&self.user) && shown.contains("***"), "{shown}");
    }
}
