//! The drawings in the tree's source files are the running tree.

use std::path::Path;

use serde_json::Value;

use crate::support::{Database, Node, on_both_engines};

/// Batchers of the node, so that `batcher-…` means something.
const BATCHERS: usize = 3;

on_both_engines!(the_running_tree_is_the_drawn_one);

/// A line of a drawing, or a row of `/api/actors`: parent, name, strategy or `worker`.
type Row = (String, String, String);

async fn the_running_tree_is_the_drawn_one(database: Database) {
    let batchers = BATCHERS.to_string();
    let node = Node::start_with(&database, &[("COFFEE_RT_V1__BATCHERS", &batchers)]).await;
    let tree: Value = node.client.get("/api/actors").await.unwrap();
    let running: Vec<Row> = tree["actors"].as_array().unwrap().iter().map(row).collect();
    let drawn = drawn_tree(database.url.is_some());
    assert!(drawn.len() >= 10, "{drawn:?}");
    assert_eq!(running, drawn);
    node.stop().await;
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
fn drawn_tree(postgres: bool) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tree");
    let mut drawings: Vec<Vec<Row>> = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("//!")).collect();
        if let Some(begin) = lines.iter().position(|line| line.trim() == "```text") {
            let drawing = lines[begin + 1..].iter().take_while(|line| line.trim() != "```");
            drawings.push(read(
                &drawing.map(|line| line.trim_start()).collect::<Vec<_>>(),
                postgres,
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

fn read(drawing: &[&str], postgres: bool) -> Vec<Row> {
    let words = |line: &str| {
        let mut words = line.trim_start_matches(['├', '└', '─', ' ']).split_whitespace();
        (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
    };
    let (top, strategy) = words(drawing[0]);
    let parent = if top == "root" { "" } else { "root" };
    let mut rows = vec![(parent.to_owned(), top.clone(), strategy)];
    for line in &drawing[1..] {
        if line.contains("only with PostgreSQL") && !postgres {
            continue;
        }
        let (name, kind) = words(line);
        match name.strip_suffix('…') {
            // "One for each of v1.batchers": the first is drawn by itself.
            Some(prefix) => rows.extend((1..BATCHERS).map(|n| (top.clone(), format!("{prefix}{n}"), kind.clone()))),
            None => rows.push((top.clone(), name, kind)),
        }
    }
    rows
}
