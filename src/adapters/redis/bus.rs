//! Deltas between nodes by publish and subscribe.

use std::time::Duration;

use async_trait::async_trait;
use coffee_rt_actors::ports::{Delta, DeltaBus, DeltaStream, StoreError};
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisError, Value, cmd};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::link::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, Link, UrlError, client, reason};
use crate::adapters::bus::{Heard, Messages, Subscription};
use crate::adapters::within;

/// The channels of all stores; one store's also has the number of the logical database and the store's name, for channels
/// are the server's, and deltas of another store would be counted.
pub const DELTA_CHANNEL: &str = "coffee_rt:deltas";
/// The longest message.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// After this long without a message the listener asks whether its connection still lives.
pub const LISTEN_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// One node's access to the bus.
pub struct RedisBus {
    messages: Messages,
    client: Client,
    channel: String,
    publisher: Link,
}

impl RedisBus {
    /// The bus of the nodes that share the store of this name. Reads the URL and does no I/O. The object is one node: it
    /// does not receive what it publishes.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn new(url: &str, store: &str) -> Result<Self, UrlError> {
        let client = client(url)?;
        let database = client.get_connection_info().redis_settings().db();
        Ok(Self {
            messages: Messages::new(MAX_MESSAGE_BYTES),
            publisher: Link::new(client.clone()),
            channel: format!("{DELTA_CHANNEL}:{database}:{store}"),
            client,
        })
    }
}

#[async_trait]
impl DeltaBus for RedisBus {
    async fn publish(&self, deltas: &[Delta]) -> Result<(), StoreError> {
        for message in self.messages.pack(deltas)? {
            let publish = cmd("PUBLISH").arg(&self.channel).arg(message).to_owned();
            let published = self.publisher.send(&publish).await;
            published.map_err(|error| StoreError::Away(reason(error)))?;
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn DeltaStream>, StoreError> {
        let subscribe = async {
            let (mut control, messages) = self
                .client
                .get_async_pubsub()
                .await
                .map_err(|error| away(&error))?
                .split();
            control.subscribe(&self.channel).await.map_err(|error| away(&error))?;
            Ok((control, messages))
        };
        let (control, heard) = within(CONNECT_TIMEOUT, "subscribe to deltas", subscribe).await?;
        let listener = Listener {
            messages: self.messages,
            control,
            heard,
        };
        Ok(Subscription::start(|hear| listener.run(hear)))
    }
}

/// Hears messages.
struct Listener {
    messages: Messages,
    control: PubSubSink,
    heard: PubSubStream,
}

impl Listener {
    /// Takes every message at once, for the connection reads on and would keep them all in memory. What the reader has no
    /// room for is dropped, which it sees as a gap.
    async fn run(mut self, hear: mpsc::Sender<Heard>) {
        let lost = loop {
            match self.next().await {
                Ok(deltas) if deltas.is_empty() => {}
                Ok(deltas) => match hear.try_send(Ok(deltas)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_)) => tracing::debug!("deltas dropped, the store will be read"),
                    Err(TrySendError::Closed(_)) => return,
                },
                Err(error) => break error,
            }
        };
        drop(self);
        let _ = hear.send(Err(lost)).await;
    }

    async fn next(&mut self) -> Heard {
        match tokio::time::timeout(LISTEN_CHECK_INTERVAL, self.heard.next()).await {
            Ok(Some(message)) => Ok(self.messages.foreign(message.get_payload_bytes())),
            Ok(None) => Err(StoreError::Away("the listener's connection was lost".to_owned())),
            Err(_) => self.check().await,
        }
    }

    /// A connection can die without a word.
    async fn check(&mut self) -> Heard {
        let ping = async { self.control.ping::<Value>().await.map_err(|error| away(&error)) };
        within(ANSWER_TIMEOUT, "check the listener", ping)
            .await
            .map(|_| Vec::new())
    }
}

fn away(error: &RedisError) -> StoreError {
    StoreError::Away(error.to_string())
}
