//! HTTP/1.1 byte by byte: what a client library would refuse to send, and whole answers to compare.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::{DEADLINE, Node};

/// An order that any node takes.
pub const ORDER: &[u8] = br#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#;

/// The same order as a record of a topic.
pub fn record(message_id: Uuid) -> Vec<u8> {
    let order: Value = serde_json::from_slice(ORDER).unwrap();
    let mut record = order.as_object().unwrap().clone();
    record.insert("message_id".to_owned(), Value::String(message_id.to_string()));
    serde_json::to_vec(&record).unwrap()
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A connection to a node.
pub struct Wire {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub async fn connect(node: &Node) -> Self {
        Self::try_connect(node).await.unwrap()
    }

    pub async fn try_connect(node: &Node) -> std::io::Result<Self> {
        let stream = TcpStream::connect(node.address()).await?;
        stream.set_nodelay(true)?;
        let read = Vec::new();
        Ok(Self { stream, read })
    }

    /// Writes what the node takes: one that answers early and closes is no failure of the writer.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = tokio::time::timeout(DEADLINE, self.stream.write_all(bytes)).await;
    }

    /// One answer; says what came instead, if none did.
    pub async fn reply(&mut self) -> Result<Reply, String> {
        tokio::time::timeout(DEADLINE, self.read_reply())
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// Writes and reads at once, so that neither side waits for the other to take a large body.
    pub async fn exchange(mut self, bytes: &[u8]) -> Result<Reply, String> {
        let (mut reading, mut writing) = self.stream.into_split();
        let write = async {
            let _ = writing.write_all(bytes).await;
            std::future::pending::<()>().await;
        };
        let read = &mut self.read;
        let answer = tokio::time::timeout(DEADLINE, async {
            tokio::select! {
                () = write => unreachable!("it waits for ever"),
                reply = read_reply(&mut reading, read) => reply,
            }
        });
        answer.await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    /// Whether the node ends the connection within a time.
    pub async fn is_closed_within(&mut self, limit: Duration) -> bool {
        let mut rest = [0; 1024];
        tokio::time::timeout(limit, async {
            while !matches!(self.stream.read(&mut rest).await, Ok(0) | Err(_)) {}
        })
        .await
        .is_ok()
    }

    /// The next frame of a WebSocket: its opcode and payload.
    pub async fn frame(&mut self) -> Result<(u8, Vec<u8>), String> {
        let read = async {
            loop {
                if let Some((opcode, payload, used)) = whole_frame(&self.read) {
                    self.read.drain(..used);
                    return Ok((opcode, payload));
                }
                more(&mut self.stream, &mut self.read).await?;
            }
        };
        tokio::time::timeout(DEADLINE, read)
            .await
            .unwrap_or_else(|_| Err("no frame in time".to_owned()))
    }

    async fn read_reply(&mut self) -> Result<Reply, String> {
        read_reply(&mut self.stream, &mut self.read).await
    }
}

/// A request with its length.
pub fn request(head: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{head} HTTP/1.1\r\nHost: cafe\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// An order, with a key where one is given.
pub fn order(key: Option<&str>, body: &[u8]) -> Vec<u8> {
    let key = key.map(|key| format!("Idempotency-Key: {key}"));
    let mut headers = vec!["Content-Type: application/json"];
    headers.extend(key.as_deref());
    request("POST /api/v1/order", &headers, body)
}

async fn read_reply(stream: &mut (impl AsyncReadExt + Unpin), read: &mut Vec<u8>) -> Result<Reply, String> {
    let end = loop {
        if let Some(at) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at;
        }
        more(stream, read).await?;
    };
    let head = String::from_utf8(read.drain(..end + 4).collect()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    while read.len() < length {
        more(stream, read).await?;
    }
    Ok(Reply {
        status: status.parse().unwrap(),
        headers,
        body: String::from_utf8(read.drain(..length).collect()).unwrap(),
    })
}

async fn more(stream: &mut (impl AsyncReadExt + Unpin), read: &mut Vec<u8>) -> Result<(), String> {
    match stream.read_buf(read).await {
        Ok(0) => Err(format!("closed after {:?}", String::from_utf8_lossy(read))),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error} after {:?}", String::from_utf8_lossy(read))),
    }
}

/// Takes a server's frame apart, if all of it is there.
fn whole_frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (opcode, short) = (bytes.first()? & 0x0f, usize::from(bytes.get(1)? & 0x7f));
    let (length, from) = match short {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (usize::try_from(length).ok()?, 10)
        }
        short => (short, 2),
    };
    let payload = bytes.get(from..from + length)?;
    Some((opcode, payload.to_vec(), from + length))
}
