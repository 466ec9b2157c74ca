//! A socket of the node that opens itself again when it breaks.

use std::time::Duration;

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::screen::Screen;
use crate::client::{ClientError, NodeClient, Socket};

/// The first pause before connecting again; doubles with each failure.
const FIRST_RECONNECT_MILLIS: u64 = 100;
/// The longest pause before connecting again.
const MAX_RECONNECT_MILLIS: u64 = 5_000;

/// What the socket brought.
pub(super) enum Event {
    /// A text frame.
    Text(Utf8Bytes),
    /// It broke, or could not be opened again; the next attempt is that far away.
    Lost(Duration),
    /// It is open again.
    Back,
}

/// A socket, open or about to be.
pub(super) struct Feed<'a> {
    client: &'a NodeClient,
    path: &'static str,
    /// Silence after which it counts as broken, where the node promises a heartbeat.
    max_silence: Duration,
    socket: Option<Socket>,
    failures: u32,
}

impl<'a> Feed<'a> {
    /// Opens the socket; the first time, a node that is not there is an error.
    pub(super) async fn open(
        client: &'a NodeClient,
        path: &'static str,
        max_silence: Duration,
    ) -> Result<Self, ClientError> {
        let socket = Some(client.socket(path).await?);
        Ok(Self {
            client,
            path,
            max_silence,
            socket,
            failures: 0,
        })
    }

    /// Waits for the next event. Not cancel safe between [`Event::Lost`] and [`Event::Back`]: the pause would start over.
    pub(super) async fn next(&mut self) -> Event {
        let Some(socket) = &mut self.socket else {
            tokio::time::sleep(reconnect_pause(self.failures)).await;
            return match self.client.socket(self.path).await {
                Ok(socket) => {
                    self.socket = Some(socket);
                    Event::Back
                }
                Err(_) => self.lost(),
            };
        };
        loop {
            match tokio::time::timeout(self.max_silence, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => {
                    self.failures = 0;
                    return Event::Text(text);
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) | Err(_) => return self.lost(),
            }
        }
    }

    fn lost(&mut self) -> Event {
        self.socket = None;
        self.failures += 1;
        Event::Lost(reconnect_pause(self.failures))
    }

    /// Tells people, below what the screen shows.
    pub(super) fn notice(&self, event: &Event, screen: &mut Screen) {
        screen.keep();
        match event {
            Event::Lost(pause) => {
                eprintln!(
                    "the connection to {} is gone: trying again in {pause:?}",
                    self.client.address()
                );
            }
            Event::Back => eprintln!("connected again"),
            Event::Text(_) => {}
        }
    }
}

/// How long to wait before connecting again after that many failures in a row.
fn reconnect_pause(failures: u32) -> Duration {
    let doublings = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_millis(
        FIRST_RECONNECT_MILLIS
            .saturating_mul(doublings)
            .min(MAX_RECONNECT_MILLIS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnects_slow_down_to_a_limit() {
        let millis = [1, 2, 3, 7, 64, u32::MAX].map(|failures| reconnect_pause(failures).as_millis());
        assert_eq!(millis, [100, 200, 400, 5_000, 5_000, 5_000]);
    }
}
