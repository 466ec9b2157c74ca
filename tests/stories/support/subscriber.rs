//! A WebSocket client of the dashboard that stays for a whole story.

use std::sync::Arc;

use coffee_rt::client::{NodeClient, Socket};
use futures_util::StreamExt;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::eventually;

/// What it has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub frames: u64,
    pub last: Value,
    /// Why the socket closed, if it did.
    pub closed: Option<String>,
}

/// Opens a socket, which a machine that stands still may need more than one try for.
pub async fn open_socket(client: &NodeClient, path: &str) -> Socket {
    eventually("the socket opens", async || {
        client.socket(path).await.map_err(|error| error.to_string())
    })
    .await
}

pub struct Subscriber {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Subscriber {
    pub async fn connect(client: &NodeClient) -> Self {
        let mut socket = open_socket(client, "/ws/dashboard").await;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                let message = socket.next().await;
                let mut seen = shared.lock();
                match message {
                    Some(Ok(Message::Text(text))) => {
                        seen.frames += 1;
                        seen.last = serde_json::from_str(&text).unwrap();
                    }
                    Some(Ok(Message::Close(frame))) => {
                        seen.closed =
                            Some(frame.map_or_else(|| "no reason".to_owned(), |f| format!("{} {}", f.code, f.reason)));
                        return;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        seen.closed = Some(error.to_string());
                        return;
                    }
                    None => {
                        seen.closed.get_or_insert_with(|| "end of stream".to_owned());
                        return;
                    }
                }
            }
        });
        Self { seen, task }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    pub fn stored_total(&self) -> u64 {
        self.seen.lock().last["stored_total"].as_u64().unwrap_or(0)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}
