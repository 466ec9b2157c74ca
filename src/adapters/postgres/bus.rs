//! Deltas between nodes by `LISTEN`/`NOTIFY`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::ports::{Delta, DeltaBus, DeltaStream, StoreError};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Executor, PgConnection};
use tokio::sync::{Mutex, mpsc};

use super::errors::{classify, unreachable};
use super::{CONNECT_TIMEOUT, UrlError, connect, connect_options, with_settings};
use crate::adapters::bus::{Heard, Messages, Subscription};
use crate::adapters::within;

/// The channel of all nodes that share a database.
pub const DELTA_CHANNEL: &str = "coffee_rt_deltas";
/// The longest payload: the server refuses 8,000 bytes and more.
pub const MAX_PAYLOAD_BYTES: usize = 7_999;
/// How long a publication may take.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(3);
/// After this long without a notification the listener asks whether its connection still lives.
pub const LISTEN_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Losing a notification in a crash of the server is allowed, waiting for its disk is not needed.
const BUS_SETTINGS: [(&str, &str); 1] = [("synchronous_commit", "off")];
const NOTIFY: &str = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";

/// One node's access to the bus.
pub struct PostgresBus {
    messages: Messages,
    options: PgConnectOptions,
    publisher: Arc<Mutex<Option<PgConnection>>>,
}

impl PostgresBus {
    /// Reads the URL and does no I/O. The object is one node: it does not receive what it publishes.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let options = with_settings(connect_options(url)?, &BUS_SETTINGS);
        Ok(Self {
            messages: Messages::new(MAX_PAYLOAD_BYTES),
            options,
            publisher: Arc::default(),
        })
    }
}

#[async_trait]
impl DeltaBus for PostgresBus {
    async fn publish(&self, deltas: &[Delta]) -> Result<(), StoreError> {
        let payloads = self.messages.pack(deltas)?;
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
        let messages = self.messages;
        Ok(Subscription::start(|heard| Listener { messages, listener }.run(heard)))
    }
}

/// Hears notifications. What its reader does not take waits in the connection.
struct Listener {
    messages: Messages,
    listener: PgListener,
}

impl Listener {
    async fn run(mut self, heard: mpsc::Sender<Heard>) {
        loop {
            let deltas = self.next().await;
            let ended = deltas.is_err();
            if heard.send(deltas).await.is_err() || ended {
                return;
            }
        }
    }

    async fn next(&mut self) -> Heard {
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
            let mut deltas = self.messages.foreign(first.payload().as_bytes());
            while let Some(more) = self.listener.next_buffered() {
                deltas.extend(self.messages.foreign(more.payload().as_bytes()));
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
}
