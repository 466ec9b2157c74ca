//! WebSocket frames that no client may send, and the close code for each (RFC 6455, 7.4.1).

use crate::support::{Node, Wire};

/// Opens a socket without a library, so that anything can be sent on it.
pub async fn open(node: &Node, path: &str) -> Wire {
    let mut wire = Wire::connect(node).await;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: cafe\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    wire.send(head.as_bytes()).await;
    let reply = wire.reply().await.unwrap();
    assert_eq!(reply.status, 101, "{reply:?}");
    assert_eq!(
        reply.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    wire
}

/// A client's frame; the mask of zeros leaves the payload as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Name, bytes, close code.
pub fn frames() -> Vec<(&'static str, Vec<u8>, u16)> {
    const FIN: u8 = 0x80;
    let (text, binary, close, ping) = (1, 2, 8, 9);
    let huge = [
        vec![FIN | binary, 0x80 | 127],
        u64::MAX.to_be_bytes().to_vec(),
        vec![0; 4],
    ]
    .concat();
    let in_parts = [frame(text, &[b'a'; 3_000]), frame(FIN, &[b'a'; 3_000])].concat();
    vec![
        ("4,097 bytes", frame(FIN | text, &[b'a'; 4_097]), 1009),
        ("1 MiB", frame(FIN | binary, &vec![0; 1 << 20]), 1009),
        ("2^64 - 1 bytes announced", huge, 1009),
        ("6,000 bytes in two parts", in_parts, 1009),
        ("no mask", vec![FIN | text, 2, b'h', b'i'], 1002),
        ("a reserved opcode", frame(FIN | 3, b"hi"), 1002),
        ("a reserved control opcode", frame(FIN | 11, b"hi"), 1002),
        ("a reserved bit", frame(FIN | 0x40 | text, b"hi"), 1002),
        ("a ping in parts", frame(ping, b"hi"), 1002),
        ("a ping of 126 bytes", frame(FIN | ping, &[b'a'; 126]), 1002),
        ("a continuation of nothing", frame(FIN, b"hi"), 1002),
        (
            "a text within a text",
            [frame(text, b"a"), frame(FIN | text, b"b")].concat(),
            1002,
        ),
        ("a close code of one byte", frame(FIN | close, &[3]), 1002),
        ("text that is no UTF-8", frame(FIN | text, &[0xc3, 0x28]), 1007),
        (
            "text that is no UTF-8 in its second part",
            [frame(text, b"a"), frame(FIN, &[0xff])].concat(),
            1007,
        ),
        ("a goodbye", frame(FIN | close, &1000_u16.to_be_bytes()), 1000),
    ]
}
