//! Entries of the stream as orders.

use std::borrow::Cow;
use std::sync::Arc;

use coffee_rt_actors::domain::{Instant, Menu, Order};
use coffee_rt_actors::ports::{Entry, EntryId, LogError, Poison, PoisonReason};
use redis::Value;
use uuid::{Builder, Uuid};

use crate::adapters::record::{RECORD_FIELD, read};

/// Reads the answer to `XREADGROUP` on one stream.
pub(super) fn entries(answer: Value, menu: &Menu) -> Result<Vec<Entry>, LogError> {
    let Value::Array(streams) = answer else {
        // Nothing within the time it waited.
        return Ok(Vec::new());
    };
    let Some(Value::Array(stream)) = streams.into_iter().next() else {
        return Ok(Vec::new());
    };
    match stream.into_iter().nth(1) {
        Some(Value::Array(entries)) => entries.into_iter().map(|found| entry(found, menu)).collect(),
        _ => Err(strange("no entries")),
    }
}

fn entry(found: Value, menu: &Menu) -> Result<Entry, LogError> {
    let Value::Array(parts) = found else {
        return Err(strange("no entry"));
    };
    let mut parts = parts.into_iter();
    let id = match parts.next() {
        Some(Value::BulkString(id)) => parse_id(&id).ok_or_else(|| strange("no id"))?,
        _ => return Err(strange("no id")),
    };
    let order = match parts.next() {
        Some(Value::Array(fields)) => order(id, fields, menu),
        _ => Err((
            PoisonReason::Vanished,
            "it was deleted from the stream before it was stored".to_owned(),
        )),
    };
    let order = order.map_err(|(reason, detail)| Poison { id, reason, detail });
    Ok(Entry { id, order })
}

fn order(id: EntryId, fields: Vec<Value>, menu: &Menu) -> Result<Arc<Order>, (PoisonReason, String)> {
    let fields: Vec<Vec<u8>> = fields.into_iter().map(bytes).collect();
    let record = record(&fields).ok_or_else(|| {
        let detail = "its fields are no text";
        (PoisonReason::Unreadable, detail.to_owned())
    })?;
    let accepted_at = Instant::of_millis(i64::try_from(id.0).unwrap_or(i64::MAX));
    read(&record, minted(id), accepted_at, menu).map(Arc::new)
}

/// The record that an entry's fields, names and values in turn, hold or make up. None where they are no text.
pub(super) fn record(fields: &[Vec<u8>]) -> Option<Cow<'_, [u8]>> {
    // Whatever stands beside the whole order, such as a trace id, is not the order's.
    let mut pairs = fields.chunks_exact(2);
    match pairs.find(|pair| pair[0] == RECORD_FIELD.as_bytes()) {
        Some(pair) => Some(Cow::Borrowed(&pair[1])),
        None => record_of_fields(fields).map(Cow::Owned),
    }
}

/// One field for each of the order's, as the JSON of a record.
fn record_of_fields(fields: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut record = vec![b'{'];
    for pair in fields.chunks_exact(2) {
        for (text, end) in pair.iter().zip([b':', b',']) {
            let text = std::str::from_utf8(text).ok()?;
            serde_json::to_writer(&mut record, text).ok()?;
            record.push(end);
        }
    }
    if record.len() > 1 {
        record.pop();
    }
    record.push(b'}');
    Some(record)
}

/// The `message_id` of an order whose producer gave none: the same at each delivery, and sorted by time like a UUIDv7.
pub(super) fn minted(EntryId(ms, seq): EntryId) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    bytes[8..].copy_from_slice(&seq.to_be_bytes());
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Reads `1526919030474-55`.
pub(super) fn parse_id(id: &[u8]) -> Option<EntryId> {
    let (ms, seq) = std::str::from_utf8(id).ok()?.split_once('-')?;
    Some(EntryId(ms.parse().ok()?, seq.parse().ok()?))
}

/// A text; nothing else stands where texts are.
pub(super) fn bytes(value: Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => bytes,
        _ => Vec::new(),
    }
}

/// An answer that no Redis gives.
pub(super) fn strange(what: &str) -> LogError {
    LogError::Away(format!("an answer that cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::record::MAX_RECORD_BYTES;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn read(fields: &[&str]) -> Entry {
        let fields = fields.iter().map(|field| bulk(field)).collect();
        entry(
            Value::Array(vec![bulk("1795348800000-3"), Value::Array(fields)]),
            &Menu::default(),
        )
        .unwrap()
    }

    #[test]
    fn a_record_and_separate_fields_are_the_same_order() {
        let record = r#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#;
        let whole = read(&["order", record]);
        let fields = [
            "drink",
            "latte",
            "store",
            "uptown",
            "price",
            "4.50",
            "timestamp",
            "2026-11-22T09:00:00Z",
        ];
        assert_eq!(whole, read(&fields));
        assert_eq!(whole, read(&["trace", "4bf92f35", "order", record]));
        assert_eq!(whole.id, EntryId(1_795_348_800_000, 3));
        assert_eq!(whole.order.unwrap().message_id, minted(EntryId(1_795_348_800_000, 3)));
    }

    #[test]
    fn what_is_no_order_says_why() {
        let huge = "x".repeat(MAX_RECORD_BYTES + 1);
        for (fields, reason, detail) in [
            (vec!["order", "nope"], PoisonReason::Unreadable, "the body is not JSON"),
            (vec!["order", huge.as_str()], PoisonReason::Unreadable, "larger than"),
            (vec!["drink", "tea"], PoisonReason::Invalid, "drink must be one of"),
            (vec![], PoisonReason::Invalid, "drink is missing"),
        ] {
            let poison = read(&fields).order.unwrap_err();
            assert_eq!(poison.reason, reason, "{poison:?}");
            assert!(poison.detail.contains(detail), "{poison:?}");
        }
        let gone = entry(Value::Array(vec![bulk("5-0"), Value::Nil]), &Menu::default()).unwrap();
        assert_eq!(gone.order.unwrap_err().reason, PoisonReason::Vanished);
    }

    #[test]
    fn minted_ids_differ_and_follow_time() {
        let ids = [
            EntryId(1, 0),
            EntryId(1, 1),
            EntryId(2, 0),
            EntryId(1_795_348_800_000, 7),
        ]
        .map(minted);
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert_eq!(minted(EntryId(1, 1)), ids[1]);
    }
}
