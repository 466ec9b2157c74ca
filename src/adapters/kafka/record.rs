//! Records of the topic as orders.

use std::sync::Arc;

use coffee_rt_actors::domain::{Instant, Menu, Position};
use coffee_rt_actors::ports::{EntryId, PoisonReason, PoisonRecord, Record};
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use uuid::{Builder, Uuid};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::adapters::record::read;

/// A bit of offsets that no offset has.
const ANEW: i64 = 1 << 61;
/// Milliseconds since 1970 in a `message_id` have 48 bits.
const MILLIS_BITS: u64 = 48;

/// Reads one record.
pub(super) fn record(message: &BorrowedMessage<'_>, menu: &Menu) -> Record {
    let (partition, offset) = (message.partition(), message.offset());
    let id = EntryId(number(i64::from(partition)), number(offset));
    let millis = message.timestamp().to_millis().unwrap_or_default();
    let (key, value) = (message.key(), message.payload());
    let order = match value {
        Some(value) => {
            let minted = minted(millis, partition, offset);
            read(value, minted, Instant::of_millis(millis), menu)
        }
        None => Err((PoisonReason::Unreadable, "it has no value".to_owned())),
    };
    Record {
        id,
        next: Position {
            next_offset: offset + 1,
            mark: mark(millis, key, value),
        },
        order: order.map(Arc::new).map_err(|(reason, detail)| PoisonRecord {
            id,
            reason,
            detail,
            at_millis: Some(millis),
            key: key.map(<[u8]>::to_vec),
            value: value.unwrap_or_default().to_vec(),
        }),
    }
}

/// Offsets and partitions that were read are never negative.
pub(super) fn number(signed: i64) -> u64 {
    u64::try_from(signed).unwrap_or_default()
}

/// The `message_id` that makes another order of the record that stood there, the same each time that it is told of.
pub(super) fn minted_anew(record: &[u8], partition: i32, offset: i64) -> Uuid {
    let in_place_of_millis = xxh3_64(record) >> (u64::BITS as u64 - MILLIS_BITS);
    minted(in_place_of_millis.cast_signed(), partition, offset | ANEW)
}

/// Tells a record from others that may stand in its place, never 0. Of what Kafka keeps alone: what this node makes of it
/// changes with the menu.
fn mark(millis: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> i64 {
    let seed = millis.cast_unsigned();
    let key = xxh3_64_with_seed(key.unwrap_or_default(), seed);
    xxh3_64_with_seed(value.unwrap_or_default(), key).max(1).cast_signed()
}

/// The `message_id` of an order whose producer gave none: the same at each delivery, sorted by time like a UUIDv7, and
/// another one where the topic is made anew.
pub(super) fn minted(millis: i64, partition: i32, offset: i64) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..8].copy_from_slice(&partition.to_be_bytes()[2..]);
    bytes[8..].copy_from_slice(&offset.to_be_bytes());
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_ids_differ_and_follow_time() {
        let ids = [(1, 0, 5), (1, 1, 5), (2, 0, 6), (1_795_348_800_000, 3, 0)];
        let ids = ids.map(|(millis, partition, offset)| minted(millis, partition, offset));
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert_eq!(minted(1, 1, 5), ids[1]);
        // The bits that name the kind of id are not taken from the offset's end.
        assert_ne!(minted(1, 0, 5), minted(1, 0, 6));
    }

    #[test]
    fn a_record_has_one_other_id_and_another_record_in_its_place_has_another() {
        assert_eq!(minted_anew(b"one", 0, 5), minted_anew(b"one", 0, 5));
        assert_ne!(minted_anew(b"one", 0, 5), minted_anew(b"two", 0, 5));
        assert_ne!(minted_anew(b"one", 0, 5), minted_anew(b"one", 0, 6));
        assert_ne!(
            minted_anew(b"one", 0, 5).as_bytes()[8..],
            minted(1, 0, 5).as_bytes()[8..]
        );
    }

    #[test]
    fn marks_tell_records_apart_and_stay_as_they_are() {
        let marks = [
            mark(1, None, Some(b"one")),
            mark(2, None, Some(b"one")),
            mark(1, Some(b"uptown"), Some(b"one")),
            mark(1, None, Some(b"two")),
            mark(1, None, None),
        ];
        let different: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(different.len(), marks.len(), "{marks:?}");
        assert!(!marks.contains(&0));
        // Stores keep it: another one would have every partition read again.
        assert_eq!(
            mark(1_795_348_800_000, Some(b"uptown"), Some(b"{}")),
            1_545_076_555_966_248_366
        );
    }
}
