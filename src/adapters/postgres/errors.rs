//! Which errors leave the outcome unknown, which are final, and which spare the connection.

use coffee_rt_actors::ports::StoreError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// An error of a statement, sorted.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether the connection can take the next statement.
    pub(super) connection_lives: bool,
    /// Whether the same statement may well succeed at once: a deadlock or a serialization failure.
    pub(super) worth_repeating: bool,
    /// Whether a row was there already.
    pub(super) repeated: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            connection_lives: true,
            worth_repeating: false,
            repeated: false,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        classify(&error)
    }
}

/// Sorts an error of a statement.
pub(super) fn classify(error: &sqlx::Error) -> Failure {
    let Some(database) = error.as_database_error() else {
        return undelivered(error);
    };
    let code = database.code().unwrap_or_default();
    let fatal = database
        .try_downcast_ref::<PgDatabaseError>()
        .is_none_or(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic));
    let text = format!("{} ({code})", database.message());
    Failure {
        error: if fatal || is_passing(&code) {
            StoreError::Away(text)
        } else {
            StoreError::Refused(text)
        },
        connection_lives: !fatal && !code.starts_with("08"),
        worth_repeating: matches!(code.as_ref(), "40P01" | "40001"),
        repeated: code == "23505",
    }
}

/// Sorts an error of a migration.
pub(super) fn classify_migration(error: &MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => classify(error).error,
        error => StoreError::Refused(error.to_string()),
    }
}

/// Without a connection nothing is refused for good: an operator may yet create the role or the database.
pub(super) fn unreachable(error: &sqlx::Error) -> StoreError {
    StoreError::Away(format!("cannot connect: {error}"))
}

/// Errors that come from the sqlx side: the wire broke, or a value could not be read.
fn undelivered(error: &sqlx::Error) -> Failure {
    let unreadable = matches!(
        error,
        sqlx::Error::Encode(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::InvalidArgument(_)
    );
    let text = error.to_string();
    Failure {
        error: if unreadable {
            StoreError::Refused(text)
        } else {
            StoreError::Away(text)
        },
        connection_lives: false,
        worth_repeating: false,
        repeated: false,
    }
}

/// SQLSTATEs that pass by themselves or by an operator's hand: connection (08), rollback (40), resources (53), operator
/// intervention and statement timeout (57), system (58), a lock not available, and a server that is read-only for now.
fn is_passing(code: &str) -> bool {
    let class = code.get(..2).unwrap_or_default();
    matches!(class, "08" | "40" | "53" | "57" | "58") || matches!(code, "25006" | "55P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_errors_are_away_and_others_refused() {
        for code in ["08006", "40P01", "53100", "53300", "57P01", "57P03", "57014", "25006"] {
            assert!(is_passing(code), "{code}");
        }
        for code in ["23514", "42P01", "22003", "25001", ""] {
            assert!(!is_passing(code), "{code}");
        }
        let broken = classify(&sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(matches!(broken.error, StoreError::Away(_)) && !broken.connection_lives);
    }
}
