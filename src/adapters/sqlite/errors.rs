//! Which errors of SQLite pass and which are final.

use coffee_rt_actors::ports::StoreError;

/// Primary result codes that pass by themselves or by an operator's hand: `BUSY`, `LOCKED`, `NOMEM`, `READONLY`,
/// `INTERRUPT`, `IOERR`, `FULL`, `CANTOPEN`, `PROTOCOL`.
const PASSING: [i32; 9] = [5, 6, 7, 8, 9, 10, 13, 14, 15];

/// Sorts an error.
pub(super) fn classify(error: &sqlx::Error) -> StoreError {
    let Some(database) = error.as_database_error() else {
        let passing = matches!(
            error,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed
        );
        let text = error.to_string();
        return if passing {
            StoreError::Away(text)
        } else {
            StoreError::Refused(text)
        };
    };
    let text = format!("SQLite: {database}");
    let extended = database.code().and_then(|code| code.parse::<i32>().ok());
    if extended.is_some_and(|code| PASSING.contains(&(code & 0xff))) {
        StoreError::Away(text)
    } else {
        StoreError::Refused(text)
    }
}
