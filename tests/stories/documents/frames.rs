//! Frames of every socket, while orders come and actors die.

use std::time::{Duration, Instant};

use coffee_rt::client::Socket;
use coffee_rt::load::Driver;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::spec::Spec;
use crate::support::{DEADLINE, Database, Kafka, Node, Wire, customers, open_socket, patient, seed};

/// Load meanwhile.
const ORDERS_PER_SECOND: f64 = 100.0;
/// How long frames are read at least, and how many.
const WATCHED: Duration = Duration::from_secs(6);
const ENOUGH: u64 = 20;
/// The pause between two faults.
const PAUSE: Duration = Duration::from_millis(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_is_as_documented_on_sqlite() {
    every_frame_is_as_documented(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_is_as_documented_with_all_versions() {
    let database = Database::redis().await.through_topic(Kafka::shared());
    every_frame_is_as_documented(database).await;
}

async fn every_frame_is_as_documented(database: Database) {
    let seed = seed();
    let node = Node::start(&database).await;
    let spec = Spec::of(&node).await;
    let stop = CancellationToken::new();
    let versions = super::running(&node).await.into_iter();
    let loads: Vec<_> = versions
        .map(|version| {
            let mut options = patient(customers(&node, seed.wrapping_add(version as u64), ORDERS_PER_SECOND));
            options.version = version;
            Driver::new(options).unwrap().start(&stop)
        })
        .collect();
    let channels = spec.asyncapi["channels"].as_object().unwrap().values();
    let addresses: Vec<_> = channels.map(|channel| channel["address"].as_str().unwrap()).collect();
    assert_eq!(addresses.len(), 3);
    // Open before the first fault, which is the root's.
    let opened = addresses.iter().map(|path| open_socket(&node.client, path));
    let opened = futures_util::future::join_all(opened).await;
    let watched = addresses.iter().zip(opened);
    let watched = futures_util::future::join_all(watched.map(|(path, socket)| watch(socket, &spec, path)));
    let (frames, ()) = tokio::join!(watched, inject(&node));
    stop.cancel();
    for load in loads {
        assert_eq!(load.finish().await.report.broken_promises, 0);
    }
    for (path, frames) in addresses.iter().zip(frames) {
        println!("{path}: {frames} frames");
        assert!(frames > ENOUGH, "{path}: only {frames} frames");
    }
    node.stop().await;
}

/// Reads frames for a while, each held against the documents; returns how many.
async fn watch(mut socket: Socket, spec: &Spec, path: &str) -> u64 {
    let (began, mut frames) = (Instant::now(), 0);
    while began.elapsed() < WATCHED || (frames <= ENOUGH && began.elapsed() < DEADLINE) {
        // A path may have nothing to say for a while.
        let Ok(message) = tokio::time::timeout(PAUSE, socket.next()).await else {
            continue;
        };
        let message = message.unwrap_or_else(|| panic!("{path} was closed"));
        if let Message::Text(text) = message.unwrap() {
            spec.judge_frame(path, &text).unwrap();
            frames += 1;
        }
    }
    frames
}

/// Kills one actor after the other, the tree's root included, and holds the pictures in between against the documents.
async fn inject(node: &Node) {
    let paths = node.actor_paths().await;
    let until = tokio::time::Instant::now() + WATCHED;
    for (path, mode) in paths.iter().cycle().zip(["kill", "panic", "stall"].iter().cycle()) {
        if tokio::time::Instant::now() > until {
            return;
        }
        let _ = node.try_inject(path, mode, 20).await;
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goodbyes_are_as_documented() {
    let node = Node::start(&Database::sqlite()).await;
    let spec = Spec::of(&node).await;
    let channels: Vec<Value> = spec.asyncapi["channels"]
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect();
    let mut seen = Vec::new();
    for channel in &channels {
        let path = channel["address"].as_str().unwrap();
        for (bytes, code) in [
            (&[0x81, 2, b'h', b'i'][..], 1002),
            (&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 1009),
        ] {
            let mut wire = crate::bad_input::open_socket(&node, path).await;
            wire.send(bytes).await;
            seen.push((channel, code, farewell(&mut wire).await));
        }
    }
    let mut open = Vec::new();
    for channel in &channels {
        let path = channel["address"].as_str().unwrap();
        open.push((channel, crate::bad_input::open_socket(&node, path).await));
    }
    let (_, ends) = tokio::join!(node.stop(), async {
        let mut ends = Vec::new();
        for (channel, mut wire) in open {
            ends.push((channel, 1001, farewell(&mut wire).await));
        }
        ends
    });
    for (channel, code, said) in seen.into_iter().chain(ends) {
        assert_eq!(said["code"], code, "{}", channel["address"]);
        let documented = channel["x-close-codes"].as_array().unwrap();
        assert!(
            documented.contains(&said),
            "{}: {said} is not documented",
            channel["address"]
        );
    }
}

/// The code and the reason that a socket is closed with.
async fn farewell(wire: &mut Wire) -> Value {
    let closed = async {
        loop {
            if let (0x8, payload) = wire.frame().await.unwrap() {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                return json!({"code": code, "reason": String::from_utf8_lossy(&payload[2..])});
            }
        }
    };
    tokio::time::timeout(DEADLINE, closed).await.unwrap()
}
