//! Entries of the stream as orders.

use std::borrow::Cow;
use std::sync::Arc;

use coffee_rt_actors::domain::{Instant, Menu, Order};
use coffee_rt_actors::ports::{Entry, EntryId, LogError, MAX_ENTRY_ORDERS, PoisonReason};
use redis::Value;
use uuid::{Builder, Uuid};

use crate::adapters::record::{RECORD_FIELD, RECORDS_FIELD, SURPLUS_FIELD, read};

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
    let mut surplus = 0;
    let orders = match parts.next() {
        Some(Value::Array(fields)) => {
            let fields: Vec<Vec<u8>> = fields.into_iter().map(bytes).collect();
            surplus = surplus_of(&fields);
            orders(id, &fields, menu)
        }
        _ => {
            let detail = "it was deleted from the stream before it was stored";
            vec![Err((PoisonReason::Vanished, detail.to_owned()))]
        }
    };
    Ok(Entry { id, orders, surplus })
}

/// The orders beyond the first that were counted when the entry was appended; other producers count none.
fn surplus_of(fields: &[Vec<u8>]) -> usize {
    let text = value(fields, SURPLUS_FIELD).and_then(|value| std::str::from_utf8(value).ok());
    let surplus = text.and_then(|text| text.parse().ok()).unwrap_or_default();
    MAX_ENTRY_ORDERS.saturating_sub(1).min(surplus)
}

fn orders(id: EntryId, fields: &[Vec<u8>], menu: &Menu) -> Vec<Result<Arc<Order>, (PoisonReason, String)>> {
    let accepted_at = Instant::of_millis(i64::try_from(id.0).unwrap_or(i64::MAX));
    let order = |(part, record): (u16, &Cow<'_, [u8]>)| read(record, minted(id, part), accepted_at, menu).map(Arc::new);
    match records(fields) {
        Ok(records) => (0..).zip(&records).map(order).collect(),
        Err(detail) => vec![Err((PoisonReason::Unreadable, detail))],
    }
}

/// The records that an entry's fields, names and values in turn, hold or make up, or why there is no telling. Whatever stands
/// beside the orders, such as a trace id, is not theirs.
fn records(fields: &[Vec<u8>]) -> Result<Vec<Cow<'_, [u8]>>, String> {
    let lines = value(fields, RECORDS_FIELD)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty()).take(MAX_ENTRY_ORDERS + 1);
    let several: Vec<_> = lines.map(Cow::Borrowed).collect();
    match (value(fields, RECORD_FIELD), several.len()) {
        (Some(record), 0) => Ok(vec![Cow::Borrowed(record)]),
        (Some(_), _) => Err(format!("it has both `{RECORD_FIELD}` and `{RECORDS_FIELD}`")),
        (None, 0) => {
            let record = record_of_fields(fields).ok_or_else(|| "its fields are no text".to_owned())?;
            Ok(vec![Cow::Owned(record)])
        }
        (None, ..=MAX_ENTRY_ORDERS) => Ok(several),
        _ => Err(format!("it holds more than {MAX_ENTRY_ORDERS} orders")),
    }
}

/// The one record of an entry that holds one and no more.
pub(super) fn record(fields: &[Vec<u8>]) -> Option<Cow<'_, [u8]>> {
    let [record] = records(fields).ok()?.try_into().ok()?;
    Some(record)
}

fn value<'a>(fields: &'a [Vec<u8>], name: &str) -> Option<&'a [u8]> {
    let mut pairs = fields.chunks_exact(2);
    pairs
        .find(|pair| pair[0] == name.as_bytes())
        .map(|pair| pair[1].as_slice())
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
pub(super) fn minted(EntryId(ms, seq): EntryId, part: u16) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    bytes[6..8].copy_from_slice(&part.to_be_bytes());
    bytes[8..].copy_from_slice(&seq.to_be_bytes());
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Four of a part's bits are the UUID's version.
const _: () = assert!(MAX_ENTRY_ORDERS <= 1 << 12);

/// Reads where a dead letter came from: `1526919030474-55`, or of several orders `1526919030474-55/7`.
pub(super) fn parse_source(source: &str) -> Option<(EntryId, u16)> {
    let (id, part) = source.split_once('/').unwrap_or((source, "0"));
    Some((parse_id(id.as_bytes())?, part.parse().ok()?))
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
        let [order] = whole.orders.try_into().unwrap();
        assert_eq!(order.unwrap().message_id, minted(EntryId(1_795_348_800_000, 3), 0));
    }

    #[test]
    fn an_entry_holds_several_orders() {
        let record = r#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00Z"}"#;
        let id = EntryId(1_795_348_800_000, 3);
        let several = |lines: &[&str]| read(&["trace", "4bf92f35", "orders", &lines.join("\n")]).orders;
        assert_eq!(several(&[record]), read(&["order", record]).orders);
        let three = several(&[record, "nope", record]);
        let found: Vec<_> = three
            .iter()
            .map(|order| order.as_ref().map(|order| order.message_id))
            .collect();
        assert_eq!(found[0], Ok(minted(id, 0)));
        assert_eq!(found[1].unwrap_err().0, PoisonReason::Unreadable);
        assert_eq!(found[2], Ok(minted(id, 2)));
        assert_eq!(several(&[record; MAX_ENTRY_ORDERS]).len(), MAX_ENTRY_ORDERS);
        let [too_many] = several(&[record; MAX_ENTRY_ORDERS + 1]).try_into().unwrap();
        assert!(too_many.unwrap_err().1.contains("more than 64 orders"));
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
            let [order] = read(&fields).orders.try_into().unwrap();
            let (found, words) = order.unwrap_err();
            assert_eq!(found, reason, "{words}");
            assert!(words.contains(detail), "{words}");
        }
        let gone = entry(Value::Array(vec![bulk("5-0"), Value::Nil]), &Menu::default()).unwrap();
        let [order] = gone.orders.try_into().unwrap();
        assert_eq!(order.unwrap_err().0, PoisonReason::Vanished);
    }

    #[test]
    fn minted_ids_differ_and_follow_time() {
        let ids = [
            (EntryId(1, 0), 0),
            (EntryId(1, 1), 0),
            (EntryId(1, 1), 1),
            (EntryId(1, 1), 63),
            (EntryId(2, 0), 0),
            (EntryId(1_795_348_800_000, 7), 0),
        ]
        .map(|(id, part)| (minted(id, part), id, part));
        let distinct: std::collections::BTreeSet<_> = ids.iter().map(|(id, ..)| id).collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:?}");
        let ms = |id: &Uuid| id.as_bytes()[..6].to_vec();
        assert!(ids.is_sorted_by_key(|(id, ..)| ms(id)), "{ids:?}");
        for (_, EntryId(ms, seq), part) in ids {
            assert_eq!(
                parse_source(&format!("{ms}-{seq}/{part}")),
                Some((EntryId(ms, seq), part))
            );
            assert_eq!(parse_source(&format!("{ms}-{seq}")), Some((EntryId(ms, seq), 0)));
        }
    }
}
