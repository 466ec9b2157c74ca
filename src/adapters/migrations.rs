//! Which changes of the schema a database has. They only go forward, and each is made so that nodes of the version before
//! work on: an older node ignores those that it does not know.

use serde::Serialize;
use sqlx::migrate::Migrator;

/// One change of the schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// Grows from one to the next.
    pub version: i64,
    /// What it brings.
    pub description: String,
    /// Whether the database has it.
    pub state: MigrationState,
}

/// Whether a database has a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum MigrationState {
    /// It was made.
    Applied {
        /// When, in UTC.
        at: String,
    },
    /// A node that starts makes it, or `coffee-rt migrate`.
    Pending,
    /// It was made by a newer version.
    Newer {
        /// When, in UTC.
        at: String,
    },
}

/// A row of the database's own list: version, description, and when it was made.
pub(super) type Applied = (i64, String, String);

/// What this version knows beside what the database has, by version.
pub(super) fn compare(known: &Migrator, applied: &[Applied]) -> Vec<Migration> {
    let known = known
        .iter()
        .map(|migration| (migration.version, migration.description.to_string()));
    merge(known.collect(), applied)
}

fn merge(known: Vec<(i64, String)>, applied: &[Applied]) -> Vec<Migration> {
    let newer = applied
        .iter()
        .filter(|(version, ..)| known.iter().all(|(known, _)| known != version));
    let newer = newer.map(|(version, description, at)| Migration {
        version: *version,
        description: description.clone(),
        state: MigrationState::Newer { at: at.clone() },
    });
    let mut all: Vec<_> = newer.collect();
    all.extend(known.into_iter().map(|(version, description)| {
        let at = applied.iter().find(|(applied, ..)| *applied == version);
        let state = at.map_or(MigrationState::Pending, |(_, _, at)| MigrationState::Applied {
            at: at.clone(),
        });
        Migration {
            version,
            description,
            state,
        }
    }));
    all.sort_by_key(|migration| migration.version);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_beside_what_is_there() {
        let known = vec![(1, "orders".to_owned()), (2, "positions".to_owned())];
        let applied = vec![
            (1, "orders".to_owned(), "then".to_owned()),
            (7, "future".to_owned(), "now".to_owned()),
        ];
        let states: Vec<_> = merge(known, &applied)
            .into_iter()
            .map(|migration| (migration.version, migration.state))
            .collect();
        let (then, now) = ("then".to_owned(), "now".to_owned());
        assert_eq!(
            states,
            [
                (1, MigrationState::Applied { at: then }),
                (2, MigrationState::Pending),
                (7, MigrationState::Newer { at: now })
            ]
        );
    }
}
