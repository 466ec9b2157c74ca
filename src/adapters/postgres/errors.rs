//! Which errors leave the outcome unknown, which are final, and which spare the connection.

use coffee_rt_actors::ports::StoreError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// An error of a statement, sorted.
#[derive(Debug)]
pub(in crate::adapters) struct Failure {
    pub(super) error: StoreError,
    /// Whether the connection can take the next statement.
    pub(super) connection_lives: bool,
    /// Whether another writer has stored the same rows, or was about to: a deadlock means that too.
    pub(super) clashed: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self {
            error,
            connection_lives: true,
            clashed: false,
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
        error: if !fatal && blames_the_data(&code) {
            StoreError::Refused(text)
        } else {
            StoreError::Away(text)
        },
        connection_lives: !fatal && !code.starts_with("08"),
        clashed: matches!(code.as_ref(), "23505" | "40P01" | "40001"),
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
        clashed: false,
    }
}

/// SQLSTATEs that the same data would get again: data exceptions (22) and constraints (23). All others pass by themselves or
/// by an operator's hand: a lost table, a missing right, a full disk.
fn blames_the_data(code: &str) -> bool {
    matches!(code.get(..2), Some("22" | "23"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bad_data_is_refused() {
        for code in ["23514", "22003", "23505"] {
            assert!(blames_the_data(code), "{code}");
        }
        for code in [
            "08006", "40P01", "53100", "57P01", "57014", "25006", "42P01", "42501", "",
        ] {
            assert!(!blames_the_data(code), "{code}");
        }
        let broken = classify(&sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(matches!(broken.error, StoreError::Away(_)) && !broken.connection_lives);
    }
}
