//! Reading request bodies, with a limit to size and time.

use std::fmt::Display;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use warp::http::StatusCode;

use super::problem::Problem;

/// How much body is taken, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    /// The largest body.
    pub keep_bytes: usize,
    /// How much of a larger one is read and thrown away, so that the client reads the answer.
    pub discard_bytes: usize,
    /// How long all of it may take.
    pub deadline: Duration,
}

/// Reads a body.
pub(super) async fn read<B: Buf>(
    body: impl Stream<Item = Result<B, impl Display>>,
    limits: BodyLimits,
) -> Result<Bytes, Problem> {
    match tokio::time::timeout(limits.deadline, collect(body, limits)).await {
        Ok(result) => result,
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow-body",
            "the body took too long to arrive",
        )),
    }
}

async fn collect<B: Buf>(
    body: impl Stream<Item = Result<B, impl Display>>,
    limits: BodyLimits,
) -> Result<Bytes, Problem> {
    let mut body = std::pin::pin!(body);
    let (mut kept, mut seen) = (Bytes::new(), 0_usize);
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "broken-body",
                format!("the body cannot be read: {error}"),
            )
        })?;
        seen = seen.saturating_add(chunk.remaining());
        if seen > limits.discard_bytes {
            break;
        }
        if seen <= limits.keep_bytes {
            let chunk = chunk.copy_to_bytes(chunk.remaining());
            kept = if kept.is_empty() { chunk } else { joined(&kept, &chunk) };
        }
    }
    if seen > limits.keep_bytes {
        let detail = format!("the body is larger than {} bytes", limits.keep_bytes);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail));
    }
    Ok(kept)
}

fn joined(first: &Bytes, second: &Bytes) -> Bytes {
    let mut joined = BytesMut::with_capacity(first.len() + second.len());
    joined.extend_from_slice(first);
    joined.extend_from_slice(second);
    joined.freeze()
}
