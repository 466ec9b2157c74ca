//! What is wrong with a file, and where.

use std::ops::Range;

use toml::Spanned;

/// What is wrong with a scenario's file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{reason}")]
pub struct FileError {
    place: String,
    reason: String,
}

impl FileError {
    pub(super) fn new(text: &str, span: Option<Range<usize>>, reason: &str) -> Self {
        let place = span.map(|span| {
            let before = text.get(..span.start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}: ")
        });
        Self {
            place: place.unwrap_or_default(),
            reason: reason.to_owned(),
        }
    }
}

/// Checks each of several, and says where the first is that makes no sense.
pub(super) fn each<R, T>(
    text: &str,
    raw: Vec<Spanned<R>>,
    mut check: impl FnMut(R) -> Result<T, String>,
) -> Result<Vec<T>, FileError> {
    each_after(text, raw, |one, _| check(one))
}

/// The same where each may refer to those before it.
pub(super) fn each_after<R, T>(
    text: &str,
    raw: Vec<Spanned<R>>,
    mut check: impl FnMut(R, &[T]) -> Result<T, String>,
) -> Result<Vec<T>, FileError> {
    let mut checked = Vec::new();
    for raw in raw {
        let span = raw.span();
        let next = check(raw.into_inner(), &checked);
        checked.push(next.map_err(|reason| FileError::new(text, Some(span), &reason))?);
    }
    Ok(checked)
}
