//! How requests to what is in memory fare: each can be away, forget its answers, or panic, as a test wants.

use coffee_rt_actors::ports::LogError;

/// How a kind of request fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// It is answered.
    #[default]
    Up,
    /// It fails and nothing is done.
    Away,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is refused for good.
    Refused,
    /// The task that does it panics.
    Panics,
}

impl Reach {
    /// Does a log's work as far as it reaches.
    pub fn of_log<R>(self, work: impl FnOnce() -> Result<R, LogError>) -> Result<R, LogError> {
        match self {
            Self::Up => work(),
            Self::Away | Self::Refused => Err(LogError::Away("switched off".to_owned())),
            // Whoever restores the position knows it.
            Self::AnswerLost => Err(match work() {
                Err(LogError::PositionLost) => LogError::PositionLost,
                _ => LogError::Away("the answer was lost".to_owned()),
            }),
            Self::Panics => panic!("panic injected"),
        }
    }
}
