//! The mail of one generation of a worker: its messages in one list, and one wake-up for many of them.
//!
//! ractor's mailbox costs an allocation, a queue entry and often a wake-up for each message. Here it carries one note that
//! there is mail. Messages that were [left](Mail::leave) for a worker that is busy do not even cause that: it sees them
//! when what it waits for is told.

use parking_lot::Mutex;

/// Messages in the order in which they came, until the generation ends.
pub(super) struct Mail<M>(Mutex<State<M>>);

struct State<M> {
    messages: Vec<M>,
    /// Whether the worker has been told, and has not come to the end of its mail since.
    told: bool,
    /// Whether it waits for a message that will be sent, and looks at what was left only then.
    busy: bool,
    /// Whether a message was sent since it looked last.
    sent: bool,
    closed: bool,
}

/// What a sender has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// Tell the worker that there is mail.
    Tell,
    /// Nothing: it will look.
    Waits,
}

impl<M> Default for Mail<M> {
    fn default() -> Self {
        Self(Mutex::new(State {
            messages: Vec::new(),
            told: false,
            busy: false,
            sent: false,
            closed: false,
        }))
    }
}

impl<M> Mail<M> {
    /// Adds a message that the worker looks at as soon as it can.
    pub(super) fn send(&self, message: M) -> Result<Posted, M> {
        self.post(message, true)
    }

    /// Adds a message that a busy worker looks at when it is no longer busy.
    pub(super) fn leave(&self, message: M) -> Result<Posted, M> {
        self.post(message, false)
    }

    fn post(&self, message: M, sent: bool) -> Result<Posted, M> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(message);
        }
        state.messages.push(message);
        state.sent |= sent;
        if state.told || (state.busy && !sent) {
            return Ok(Posted::Waits);
        }
        state.told = true;
        Ok(Posted::Tell)
    }

    /// Exchanges what is there for an empty list.
    pub(super) fn take(&self, empty: &mut Vec<M>) {
        let mut state = self.0.lock();
        state.sent = false;
        std::mem::swap(&mut state.messages, empty);
    }

    /// The worker has handled what it took. True where it has to look again; else the next message tells it.
    pub(super) fn has_more(&self, busy: bool) -> bool {
        let mut state = self.0.lock();
        state.busy = busy;
        state.told = state.sent || !(busy || state.messages.is_empty());
        state.told
    }

    /// Ends the generation's mail: what comes is given back. Returns what has come.
    pub(super) fn close(&self) -> Vec<M> {
        let mut state = self.0.lock();
        state.closed = true;
        std::mem::take(&mut state.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(mail: &Mail<u8>) -> Vec<u8> {
        let mut taken = Vec::new();
        mail.take(&mut taken);
        taken
    }

    #[test]
    fn many_messages_tell_once() {
        let mail = Mail::default();
        assert_eq!(mail.send(1), Ok(Posted::Tell));
        assert_eq!(mail.send(2), Ok(Posted::Waits));
        assert_eq!(mail.leave(3), Ok(Posted::Waits));
        assert_eq!(look(&mail), [1, 2, 3]);
        assert_eq!(mail.send(4), Ok(Posted::Waits), "it is not at the end of its mail yet");
        assert!(mail.has_more(false));
        assert_eq!(look(&mail), [4]);
        assert!(!mail.has_more(false));
        assert_eq!(mail.leave(5), Ok(Posted::Tell));
    }

    #[test]
    fn what_is_left_waits_for_a_busy_worker_and_what_is_sent_does_not() {
        let mail = Mail::default();
        assert_eq!(mail.send(1), Ok(Posted::Tell));
        assert_eq!(look(&mail), [1]);
        assert_eq!(mail.leave(2), Ok(Posted::Waits));
        assert!(!mail.has_more(true), "it is busy and nothing was sent");
        assert_eq!(mail.leave(3), Ok(Posted::Waits));
        assert_eq!(mail.send(4), Ok(Posted::Tell));
        assert_eq!(look(&mail), [2, 3, 4]);
        assert_eq!(mail.send(5), Ok(Posted::Waits));
        assert!(mail.has_more(true), "something was sent meanwhile");
        assert_eq!(look(&mail), [5]);
        assert_eq!(mail.leave(6), Ok(Posted::Waits));
        assert!(mail.has_more(false), "it is no longer busy");
    }

    #[test]
    fn after_the_end_messages_are_given_back() {
        let mail = Mail::default();
        assert_eq!(mail.leave(1), Ok(Posted::Tell));
        assert_eq!(mail.close(), [1]);
        assert_eq!((mail.send(2), mail.leave(3)), (Err(2), Err(3)));
    }
}
