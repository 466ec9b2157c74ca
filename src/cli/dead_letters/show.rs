//! Dead letters for people and for scripts.

use std::fmt::Write;

use console::style;
use serde_json::{Map, Value, json};

use crate::adapters::RECORD_FIELD;
use crate::adapters::dead_letter::DeadLetter;
use crate::cli::screen::table;

/// A cell of the table is cut there; JSON has all of it.
const MAX_CELL_CHARS: usize = 160;

/// A table and how many there are.
pub(super) fn lines(letters: &[DeadLetter], total: u64, reason: Option<&str>) -> Vec<String> {
    let of_reason = reason
        .map(|reason| format!(" with reason {reason}"))
        .unwrap_or_default();
    if letters.is_empty() {
        return vec![format!("no dead letters{of_reason}")];
    }
    let head = ["id", "put aside at", "reason", "source id", "detail", "entry"];
    let mut rows = vec![head.map(|name| style(name).bold().to_string()).to_vec()];
    rows.extend(letters.iter().map(|letter| {
        vec![
            letter.id.clone(),
            letter.at.to_string(),
            style(cell(letter.reason.as_bytes())).yellow().to_string(),
            cell(letter.source_id.as_bytes()),
            cell(letter.detail.as_bytes()),
            entry(&letter.entry),
        ]
    }));
    let mut lines = table(&rows, 0..0);
    lines.push(format!(
        "{} of {total} dead letters{of_reason}, newest last",
        letters.len()
    ));
    lines
}

/// All of each, as an array.
pub(super) fn json(letters: &[DeadLetter]) -> String {
    let letters: Vec<Value> = letters.iter().map(object).collect();
    serde_json::to_string_pretty(&letters).unwrap_or_default()
}

fn object(letter: &DeadLetter) -> Value {
    let mut entry = Map::new();
    for (name, value) in &letter.entry {
        let (name, value) = (text(name), Value::String(text(value)));
        // Producers may repeat a field, and that may be what was wrong.
        match entry.get_mut(&name) {
            None => drop(entry.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    json!({
        "id": letter.id,
        "at": letter.at,
        "reason": letter.reason,
        "detail": letter.detail,
        "source_id": letter.source_id,
        "entry": entry,
    })
}

/// Text as it is, anything else escaped as a whole.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

/// An entry on one line: its record, or its fields.
fn entry(fields: &[(Vec<u8>, Vec<u8>)]) -> String {
    let mut line = Vec::new();
    for (name, value) in fields {
        if line.len() > 4 * MAX_CELL_CHARS {
            break;
        }
        if !line.is_empty() {
            line.push(b' ');
        }
        if fields.len() > 1 || name != RECORD_FIELD.as_bytes() {
            line.extend_from_slice(name);
            line.push(b'=');
        }
        line.extend_from_slice(value);
    }
    cell(&line)
}

/// Text as it is, and escaped what is none or could steer the terminal. Cut where it is long.
fn cell(bytes: &[u8]) -> String {
    // A character has four bytes at most.
    let mut cell = String::new();
    for chunk in bytes[..bytes.len().min(4 * MAX_CELL_CHARS + 4)].utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\'' | '\\' => cell.push(char),
                char => cell.extend(char.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(cell, "\\x{byte:02x}");
        }
    }
    if let Some((end, _)) = cell.char_indices().nth(MAX_CELL_CHARS) {
        cell.truncate(end);
        cell.push('…');
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use coffee_rt_actors::domain::Instant;

    fn letter(entry: &[(&[u8], &[u8])]) -> DeadLetter {
        DeadLetter {
            id: "1795348800000-0".to_owned(),
            at: Instant(1_795_348_800_000_000),
            reason: "invalid".to_owned(),
            detail: "drink is missing".to_owned(),
            source_id: "1-0".to_owned(),
            entry: entry
                .iter()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
            record: None,
            minted: uuid::Uuid::nil(),
            fresh: uuid::Uuid::nil(),
        }
    }

    #[test]
    fn nothing_in_an_entry_reaches_the_terminal_as_it_is() {
        let shown = entry(&letter(&[(b"drink", b"\x1b[2Jcaf\xc3\xa9"), (b"\xff", b"a\nb\xe2\x80\xae")]).entry);
        assert_eq!(shown, r"drink=\u{1b}[2Jcafé \xff=a\nb\u{202e}");
        assert_eq!(
            entry(&letter(&[(b"order", br#"{"drink":"tea"}"#)]).entry),
            r#"{"drink":"tea"}"#
        );
        let long = entry(&letter(&[(b"order", "é".repeat(100_000).as_bytes())]).entry);
        assert_eq!(long, "é".repeat(MAX_CELL_CHARS) + "…");
    }

    #[test]
    fn scripts_get_all_of_it() {
        let found = letter(&[
            (b"drink", b"tea"),
            (b"drink", b"latte"),
            (b"drink", b"x"),
            (b"raw", b"\xff\n"),
        ]);
        let shown: Value = serde_json::from_str(&json(&[found])).unwrap();
        assert_eq!(
            shown,
            json!([{
                "id": "1795348800000-0",
                "at": "2026-11-22T12:00:00Z",
                "reason": "invalid",
                "detail": "drink is missing",
                "source_id": "1-0",
                "entry": {"drink": ["tea", "latte", "x"], "raw": r"\xff\n"},
            }])
        );
    }

    #[test]
    fn the_total_is_below() {
        let shown = lines(&[letter(&[])], 120, None);
        assert_eq!(shown.last().unwrap(), "1 of 120 dead letters, newest last");
        assert!(shown[1].ends_with("invalid  1-0        drink is missing"), "{shown:?}");
        assert_eq!(lines(&[], 0, None), ["no dead letters"]);
        assert_eq!(lines(&[], 0, Some("refused")), ["no dead letters with reason refused"]);
    }
}
