//! Who may change what a fault undoes again: one at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Faults of one thing take turns: otherwise the end of one would end another one, which has just begun.
#[derive(Default)]
pub(super) struct Turns(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// The thing's next fault waits until this is dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits for those that came before.
    pub(super) async fn of(&self, thing: String) -> Turn {
        let turn = Arc::clone(self.0.lock().entry(thing).or_default());
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn those_of_one_thing_wait_in_their_order_and_others_do_not() {
        let turns = Turns::default();
        let first = turns.of("redis".to_owned()).now_or_never().unwrap();
        let (mut second, mut third) = (
            Box::pin(turns.of("redis".to_owned())),
            Box::pin(turns.of("redis".to_owned())),
        );
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert!(turns.of("kafka".to_owned()).now_or_never().is_some());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none());
        let second = second.now_or_never().unwrap();
        drop(second);
        assert!(third.now_or_never().is_some());
    }
}
