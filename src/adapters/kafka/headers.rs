//! Headers of records, whoever wrote them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use rdkafka::Message;
use rdkafka::message::{Header, Headers, OwnedHeaders};

/// A record's headers in their order; none in the place of one whose name is no text, for that cannot be read.
pub(super) fn headers<M: Message>(message: &M) -> impl Iterator<Item = Option<Header<'_, &[u8]>>> {
    let headers = message.headers();
    let count = headers.map_or(0, Headers::count);
    // The library panics at such a name, and anyone may have written one.
    (0..count).map(move |index| quietly(|| headers?.try_get(index)).flatten())
}

/// Headers of text.
pub(super) fn text_headers<'t>(headers: impl IntoIterator<Item = (&'t str, &'t str)>) -> OwnedHeaders {
    headers.into_iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    })
}

thread_local! {
    /// Whether a panic of this thread is no news.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What comes of it; none where it panics, which is not reported.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                usual(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(false);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(quietly(|| 1), Some(1));
        assert_eq!(quietly(|| "x".parse::<u32>().unwrap()), None);
        assert!(!EXPECTED.get());
    }
}
