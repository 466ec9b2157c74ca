//! Bodies in pieces: a connection copies what it sends behind the head of the answer, into a buffer that it keeps.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The most that is copied at once. With what may already wait to be sent it is what a connection's buffer grows to.
const PIECE_BYTES: usize = 8 * 1024;

/// A body that comes in pieces of at most [`PIECE_BYTES`].
pub(super) struct Pieces<B> {
    body: B,
    /// Of the body's last frame, what was not given yet.
    rest: Bytes,
}

impl<B> Pieces<B> {
    pub(super) const fn of(body: B) -> Self {
        Self {
            body,
            rest: Bytes::new(),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn a_body_is_the_same_in_pieces_and_says_how_much_is_left() {
        for length in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES / 2] {
            let whole: Bytes = (0..length).map(|n| n.to_le_bytes()[0]).collect();
            let mut body = Pieces::of(Full::new(whole.clone()));
            let mut taken = Vec::new();
            while !body.is_end_stream() {
                assert_eq!(body.size_hint().exact(), Some((length - taken.len()) as u64));
                let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
                assert!((1..=PIECE_BYTES).contains(&piece.len()), "{}", piece.len());
                taken.extend_from_slice(&piece);
            }
            assert_eq!(body.size_hint().exact(), Some(0));
            assert!(body.frame().await.is_none());
            assert_eq!(taken, whole);
        }
    }
}
