//! The drawings in the tree's source files are the running tree.

use std::path::Path;

use coffee_rt::config::Version;
use serde_json::Value;

use crate::support::{Database, Node, eventually, on_every_way};

/// Batchers and readers of the node, so that `batcher-…` and `pair-…` mean something.
const COPIES: usize = 3;

on_every_way!(the_running_tree_is_the_drawn_one);

/// A line of a drawing, or a row of `/api/actors`: parent, name, strategy or `worker`.
type Row = (String, String, String);

async fn the_running_tree_is_the_drawn_one(database: Database) {
    let copies = COPIES.to_string();
    let settings = [
        ("COFFEE_RT_V1__BATCHERS", &*copies),
        ("COFFEE_RT_V2__READERS", &*copies),
        ("COFFEE_RT_V3__PARTITIONS", &*copies),
        ("COFFEE_RT_AUDIT__EVERY_SECONDS", "3600"),
    ];
    let node = Node::start_with(&database, &settings).await;
    let drawn = drawn_tree(&Parts {
        postgres: database.url.is_some(),
        redis: database.version() == Version::V2,
        kafka: database.version() == Version::V3,
    });
    assert!(drawn.len() >= 10, "{drawn:?}");
    // Partitions come when the group gives them.
    eventually("the running tree is the drawn one", async || {
        let tree: Value = node.client.get("/api/actors").await.unwrap();
        let running: Vec<Row> = tree["actors"].as_array().unwrap().iter().map(row).collect();
        if running == drawn {
            Ok(())
        } else {
            Err(format!("{running:#?} instead of {drawn:#?}"))
        }
    })
    .await;
    node.stop().await;
}

/// What a node has decides what of the drawing is there.
struct Parts {
    postgres: bool,
    redis: bool,
    kafka: bool,
}

impl Parts {
    fn have(&self, line: &str) -> bool {
        let needs = |service: &str| line.contains(&format!("only with {service}"));
        (self.postgres || !needs("PostgreSQL")) && (self.redis || !needs("Redis")) && (self.kafka || !needs("Kafka"))
    }
}

fn row(actor: &Value) -> Row {
    let text = |key: &str| actor[key].as_str().unwrap_or_default().to_owned();
    let path = text("path");
    let (parent, name) = match path.rsplit_once('/') {
        Some((parent, name)) => (parent.to_owned(), name.to_owned()),
        None => (text("parent"), path.clone()),
    };
    assert_eq!(text("parent"), parent, "{path}");
    let kind = if text("kind") == "worker" {
        text("kind")
    } else {
        text("strategy")
    };
    (parent, name, kind)
}

/// All drawings put together: the root's, with each branch's where the root names it.
fn drawn_tree(parts: &Parts) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tree");
    let mut drawings: Vec<Vec<Row>> = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
        if let Some(begin) = lines.iter().position(|line| line.trim() == "```text") {
            let drawing = lines[begin + 1..].iter().take_while(|line| line.trim() != "```");
            drawings.push(read(
                &drawing.copied().filter(|line| parts.have(line)).collect::<Vec<_>>(),
            ));
        }
    }
    let root = drawings
        .iter()
        .position(|drawing| drawing[0].1 == "root")
        .expect("a drawing of the root");
    let mut tree = Vec::new();
    for row in drawings.swap_remove(root) {
        let branch = drawings.iter().find(|drawing| drawing[0].1 == row.1);
        let below = branch.map(|drawing| {
            assert_eq!(drawing[0].2, row.2, "two drawings of {} differ", row.1);
            drawing[1..].to_vec()
        });
        tree.push(row);
        tree.extend(below.unwrap_or_default());
    }
    tree
}

fn read(drawing: &[&str]) -> Vec<Row> {
    const BRANCHES: [char; 5] = ['├', '└', '─', '│', ' '];
    let mut rows: Vec<Row> = Vec::new();
    // Whose children are drawn at each depth.
    let mut above: Vec<String> = Vec::new();
    for line in drawing {
        let depth = line.chars().take_while(|sign| BRANCHES.contains(sign)).count() / 4;
        let mut words = line.trim_start_matches(BRANCHES).split_whitespace();
        let (name, kind) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        above.truncate(depth);
        let parent = match (depth, name.as_str()) {
            (0, "root") => String::new(),
            (0, _) => "root".to_owned(),
            _ => above[..depth].join("/"),
        };
        above.push(name.clone());
        match name.strip_suffix('…') {
            // "One for each": the first is drawn by itself, with all below it.
            Some(prefix) => rows.extend(
                (1..COPIES)
                    .flat_map(|n| copy(&rows, &parent, prefix, n))
                    .collect::<Vec<_>>(),
            ),
            None => rows.push((parent, name, kind)),
        }
    }
    rows
}

/// The rows of `prefix-0` and of all below it, for another number.
fn copy(rows: &[Row], parent: &str, prefix: &str, n: usize) -> Vec<Row> {
    let (first, path) = (format!("{prefix}0"), format!("{parent}/{prefix}0"));
    let own = |row: &&Row| row.0 == parent && row.1 == first || row.0 == path || row.0.starts_with(&format!("{path}/"));
    let numbered = |text: &str| text.replacen(&first, &format!("{prefix}{n}"), 1);
    let copies = rows.iter().filter(own).map(|(above, name, kind)| {
        let name = if above == parent { numbered(name) } else { name.clone() };
        (numbered(above), name, kind.clone())
    });
    copies.collect()
}
