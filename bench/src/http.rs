//! A client that costs little: it shares the machine with what it measures. One request at a time on one connection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use coffee_rt_actors::domain::{Cents, Instant, Menu};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

/// Room for an answer's header and the usual body; it grows where that is not enough.
const BUFFER_BYTES: usize = 1_024;
/// The longest answer or frame that is taken.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// An answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// An order that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Its key.
    pub message_id: Uuid,
    /// Given by the store, where it was stored already.
    pub id: Option<u64>,
}

/// A kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        })
    }

    /// Sends a request and reads its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, body_at, length) = loop {
            if let Some(head) = head_of(&self.buffer)? {
                break head;
            }
            self.more().await?;
        };
        while self.buffer.len() < body_at + length {
            self.more().await?;
        }
        Ok(Answer {
            status,
            body: self.buffer[body_at..body_at + length].to_vec(),
        })
    }

    /// Places an order at a version's path.
    pub async fn place_order(&mut self, path: &str) -> anyhow::Result<Placed> {
        let answer = self.exchange(&order_request(path)).await?;
        if answer.status != 200 {
            bail!(
                "an order was answered {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        let key = text_after(&answer.body, b"\"message_id\":\"").context("an answer without a key")?;
        Ok(Placed {
            message_id: key.parse()?,
            id: number_after(&answer.body, b"\"id\":"),
        })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 || self.buffer.len() > MAX_ANSWER_BYTES {
            bail!("the connection ended within an answer");
        }
        Ok(())
    }
}

/// A WebSocket on the node's dashboard.
pub struct DashboardSocket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl DashboardSocket {
    /// Connects and upgrades.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await.context("connect a socket")?;
        stream.set_nodelay(true)?;
        stream
            .write_all(
                b"GET /ws/dashboard HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .await?;
        let mut socket = Self {
            stream,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        };
        loop {
            if let Some(end) = find(&socket.buffer, b"\r\n\r\n") {
                if !socket.buffer.starts_with(b"HTTP/1.1 101") {
                    bail!("no upgrade: {}", String::from_utf8_lossy(&socket.buffer));
                }
                socket.buffer.drain(..end + 4);
                return Ok(socket);
            }
            socket.more().await?;
        }
    }

    /// Waits for the next frame and returns its `stored_total`. Cancel safe.
    pub async fn next_total(&mut self) -> anyhow::Result<u64> {
        loop {
            while let Some((opcode, at, length)) = frame_head(&self.buffer) {
                if self.buffer.len() < at + length {
                    break;
                }
                let total = number_after(&self.buffer[at..at + length], b"\"stored_total\":");
                self.buffer.drain(..at + length);
                match opcode {
                    OPCODE_TEXT => return total.context("a frame without stored_total"),
                    // A pong of a client is masked; this mask changes nothing.
                    OPCODE_PING => self.stream.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).await?,
                    OPCODE_CLOSE => bail!("the node closed the socket"),
                    _ => {}
                }
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 || self.buffer.len() > MAX_ANSWER_BYTES {
            bail!("the socket ended");
        }
        Ok(())
    }
}

const OPCODE_TEXT: u8 = 0x1;
const OPCODE_CLOSE: u8 = 0x8;
const OPCODE_PING: u8 = 0x9;

/// A server's frame: its opcode, where its payload starts, and how long it is (RFC 6455, 5.2).
fn frame_head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (at, length) = match second & 0x7F {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    Some((first & 0x0F, at, usize::try_from(length).unwrap_or(usize::MAX / 2)))
}

/// The status, where the body starts, and its length; none while the header is incomplete.
fn head_of(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.get(9..12).context("no status line")?.parse()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse())
    });
    Ok(Some((status, end + 4, length.context("no content-length")??)))
}

/// The request for a document.
pub fn get_request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n").into_bytes()
}

/// A request with a JSON document.
pub fn post_request(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The next order of a walk over the default menu, timed now, for a version's path.
pub fn order_request(path: &str) -> Vec<u8> {
    post_request(path, &order_body())
}

/// The order itself.
pub fn order_body() -> String {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let (turn, menu) = (TURN.fetch_add(1, Ordering::Relaxed), Menu::default());
    let (drink, store) = (
        &menu.drinks[turn % menu.drinks.len()],
        &menu.stores[turn % menu.stores.len()],
    );
    let price = Cents(250 + i64::try_from(turn % 300).unwrap_or_default());
    format!(
        r#"{{"drink":"{drink}","store":"{store}","price":{price},"timestamp":"{}"}}"#,
        Instant::now()
    )
}

/// The whole number that follows a name in JSON.
fn number_after(json: &[u8], name: &[u8]) -> Option<u64> {
    let rest = &json[find(json, name)? + name.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// The text that follows a name and a quote in JSON.
fn text_after<'a>(json: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let rest = &json[find(json, name)? + name.len()..];
    std::str::from_utf8(&rest[..find(rest, b"\"")?]).ok()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_heads_frames_and_numbers() {
        assert_eq!(head_of(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
        let head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(head_of(head).unwrap(), Some((503, head.len(), 12)));
        assert!(head_of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert_eq!(frame_head(&[0x81]), None);
        assert_eq!(frame_head(&[0x81, 5]), Some((1, 2, 5)));
        assert_eq!(frame_head(&[0x81, 126, 1, 0]), Some((1, 4, 256)));
        assert_eq!(
            number_after(br#"{"a":1,"stored_total":120,"#, b"\"stored_total\":"),
            Some(120)
        );
        assert_eq!(number_after(b"{}", b"\"id\":"), None);
    }
}
