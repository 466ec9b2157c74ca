//! What every delta bus has: messages of a limited size, of which a node hears only the others', and a task that listens.

use std::collections::VecDeque;

use async_trait::async_trait;
use coffee_rt_actors::ports::{Delta, DeltaStream, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Messages that were heard and wait for their reader.
pub(super) const HEARD_MESSAGES: usize = 16;

/// What a listener hands to its reader; after an error nothing comes any more.
pub(super) type Heard = Result<Vec<Delta>, StoreError>;

/// One node's messages, which it packs, and tells from those of others.
#[derive(Clone, Copy)]
pub(super) struct Messages {
    node: u64,
    max_bytes: usize,
}

#[derive(Deserialize)]
struct Message {
    node: u64,
    deltas: Vec<Delta>,
}

impl Messages {
    /// Of a new node; none is longer than `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            node: rand::random(),
            max_bytes,
        }
    }

    /// Packs deltas into as few messages as hold them; one that is too large goes without its content.
    pub(super) fn pack(&self, deltas: &[Delta]) -> Result<Vec<String>, StoreError> {
        let (node, max_bytes) = (self.node, self.max_bytes);
        let frame = format!("{{\"node\":{node},\"deltas\":[]}}").len();
        let mut pieces = VecDeque::with_capacity(deltas.len());
        for delta in deltas {
            let mut piece = to_json(delta)?;
            if frame + piece.len() > max_bytes {
                piece = to_json(&Delta {
                    content: None,
                    ..*delta
                })?;
            }
            pieces.push_back(piece);
        }
        let mut messages = Vec::new();
        while let Some(mut list) = pieces.pop_front() {
            while let Some(next) = pieces.pop_front_if(|next| frame + list.len() + 1 + next.len() <= max_bytes) {
                list.push(',');
                list.push_str(&next);
            }
            messages.push(format!("{{\"node\":{node},\"deltas\":[{list}]}}"));
        }
        Ok(messages)
    }

    /// The deltas of a message, none where it is this node's own or no message at all.
    pub(super) fn foreign(&self, message: &[u8]) -> Vec<Delta> {
        match serde_json::from_slice::<Message>(message) {
            Ok(message) if message.node == self.node => Vec::new(),
            Ok(message) => message.deltas,
            Err(error) => {
                tracing::warn!(%error, "a message on the delta bus is no delta");
                Vec::new()
            }
        }
    }
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}

/// What a listener heard. The listener is a task of its own: its checks must run on while its reader comes and goes.
pub(super) struct Subscription {
    heard: mpsc::Receiver<Heard>,
    _listener: AbortOnDropHandle<()>,
}

impl Subscription {
    /// Starts a listener, which ends with the subscription.
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        listen: impl FnOnce(mpsc::Sender<Heard>) -> F,
    ) -> Box<dyn DeltaStream> {
        let (hear, heard) = mpsc::channel(HEARD_MESSAGES);
        Box::new(Self {
            heard,
            _listener: AbortOnDropHandle::new(tokio::spawn(listen(hear))),
        })
    }
}

#[async_trait]
impl DeltaStream for Subscription {
    async fn next(&mut self) -> Heard {
        let ended = || Err(StoreError::Away("the listener ended".to_owned()));
        self.heard.recv().await.unwrap_or_else(ended)
    }
}
