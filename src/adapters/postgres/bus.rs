//! Deltas between nodes by `LISTEN`/`NOTIFY`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::ports::{Delta, DeltaBus, DeltaStream, StoreError};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use sqlx::{Executor, PgConnection};
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::errors::{classify, unreachable};
use super::{CONNECT_TIMEOUT, UrlError, connect, connect_options, with_settings};
use crate::adapters::within;

/// The channel of all nodes that share a database.
pub const DELTA_CHANNEL: &str = "coffee_rt_deltas";
/// The longest payload: the server refuses 8,000 bytes and more.
pub const MAX_PAYLOAD_BYTES: usize = 7_999;
/// How long a publication may take.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(3);
/// After this long without a notification the listener asks whether its connection still lives.
pub const LISTEN_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// Messages that were heard and wait for their reader; the rest waits in the connection.
const HEARD_MESSAGES: usize = 16;

/// Losing a notification in a crash of the server is allowed, waiting for its disk is not needed.
const BUS_SETTINGS: [(&str, &str); 1] = [("synchronous_commit", "off")];
const NOTIFY: &str = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";

/// One node's access to the bus.
pub struct PostgresBus {
    node: u64,
    options: PgConnectOptions,
    publisher: Arc<Mutex<Option<PgConnection>>>,
}

#[derive(Deserialize)]
struct Message {
    node: u64,
    deltas: Vec<Delta>,
}

impl PostgresBus {
    /// Reads the URL and does no I/O. The object is one node: it does not receive what it publishes.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let options = with_settings(connect_options(url)?, &BUS_SETTINGS);
        Ok(Self {
            node: rand::random(),
            options,
            publisher: Arc::default(),
        })
    }
}

#[async_trait]
impl DeltaBus for PostgresBus {
    async fn publish(&self, deltas: &[Delta]) -> Result<(), StoreError> {
        let payloads = payloads(self.node, deltas)?;
        if payloads.is_empty() {
            return Ok(());
        }
        let mut publisher = self.publisher.lock().await;
        // Taken out and put back only when sound, so that a dropped caller or an error drops the connection too.
        let mut conn = match publisher.take() {
            Some(conn) => conn,
            None => connect(&self.options).await?,
        };
        let sent = async {
            let sent = sqlx::query(NOTIFY)
                .bind(DELTA_CHANNEL)
                .bind(payloads)
                .execute(&mut conn)
                .await;
            sent.map(|_| ())
                .map_err(|error| StoreError::Away(classify(&error).error.to_string()))
        };
        within(PUBLISH_TIMEOUT, "publish deltas", sent).await?;
        *publisher = Some(conn);
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn DeltaStream>, StoreError> {
        let listen = async {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_with(self.options.clone())
                .await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            // A lost connection must be told, for deltas are lost with it.
            listener.eager_reconnect(false);
            listener.listen(DELTA_CHANNEL).await?;
            Ok(listener)
        };
        let listen = Box::pin(async { listen.await.map_err(|error: sqlx::Error| unreachable(&error)) });
        let listener = within(CONNECT_TIMEOUT, "listen", listen).await?;
        let (heard, deltas) = mpsc::channel(HEARD_MESSAGES);
        let listener = Listener {
            node: self.node,
            listener,
        };
        let task = tokio::spawn(listener.run(heard));
        Ok(Box::new(Subscription {
            deltas,
            _task: AbortOnDropHandle::new(task),
        }))
    }
}

/// What the listener heard.
struct Subscription {
    deltas: mpsc::Receiver<Result<Vec<Delta>, StoreError>>,
    _task: AbortOnDropHandle<()>,
}

#[async_trait]
impl DeltaStream for Subscription {
    async fn next(&mut self) -> Result<Vec<Delta>, StoreError> {
        let ended = || Err(StoreError::Away("the listener ended".to_owned()));
        self.deltas.recv().await.unwrap_or_else(ended)
    }
}

/// Listens in a task of its own: its checks must run on while its reader comes and goes.
struct Listener {
    node: u64,
    listener: PgListener,
}

impl Listener {
    async fn run(mut self, heard: mpsc::Sender<Result<Vec<Delta>, StoreError>>) {
        loop {
            let deltas = self.next().await;
            let ended = deltas.is_err();
            if heard.send(deltas).await.is_err() || ended {
                return;
            }
        }
    }

    async fn next(&mut self) -> Result<Vec<Delta>, StoreError> {
        loop {
            let first = match tokio::time::timeout(LISTEN_CHECK_INTERVAL, self.listener.try_recv()).await {
                Ok(Ok(Some(first))) => first,
                Ok(Ok(None)) => return Err(StoreError::Away("the listener's connection was lost".to_owned())),
                Ok(Err(error)) => return Err(unreachable(&error)),
                Err(_) => {
                    self.check().await?;
                    continue;
                }
            };
            let mut deltas = self.foreign(&first);
            while let Some(more) = self.listener.next_buffered() {
                deltas.extend(self.foreign(&more));
            }
            if !deltas.is_empty() {
                return Ok(deltas);
            }
        }
    }

    /// A connection can die without a word; notifications that arrive meanwhile are kept.
    async fn check(&mut self) -> Result<(), StoreError> {
        let check = async {
            self.listener
                .execute("SELECT 1")
                .await
                .map_err(|error| unreachable(&error))
        };
        within(PUBLISH_TIMEOUT, "check the listener", check).await.map(|_| ())
    }

    fn foreign(&self, notification: &PgNotification) -> Vec<Delta> {
        match serde_json::from_str::<Message>(notification.payload()) {
            Ok(message) if message.node == self.node => Vec::new(),
            Ok(message) => message.deltas,
            Err(error) => {
                tracing::warn!(%error, "a notification on {DELTA_CHANNEL} is no delta");
                Vec::new()
            }
        }
    }
}

/// Packs deltas into as few payloads as hold them; one that is too large goes without its content.
fn payloads(node: u64, deltas: &[Delta]) -> Result<Vec<String>, StoreError> {
    let frame = format!("{{\"node\":{node},\"deltas\":[]}}").len();
    let mut pieces = VecDeque::with_capacity(deltas.len());
    for delta in deltas {
        let mut piece = to_json(delta)?;
        if frame + piece.len() > MAX_PAYLOAD_BYTES {
            piece = to_json(&Delta {
                content: None,
                ..*delta
            })?;
        }
        pieces.push_back(piece);
    }
    let mut payloads = Vec::new();
    while let Some(mut list) = pieces.pop_front() {
        while let Some(next) = pieces.pop_front_if(|next| frame + list.len() + 1 + next.len() <= MAX_PAYLOAD_BYTES) {
            list.push(',');
            list.push_str(&next);
        }
        payloads.push(format!("{{\"node\":{node},\"deltas\":[{list}]}}"));
    }
    Ok(payloads)
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}
