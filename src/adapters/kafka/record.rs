//! Records of the topic as orders.

use std::sync::Arc;

use coffee_rt_actors::domain::{Menu, Position};
use coffee_rt_actors::ports::{EntryId, PoisonReason, PoisonRecord, Record};
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;
use uuid::{Builder, Uuid};

use crate::adapters::record::read;

/// A bit of offsets that no offset has.
const ANEW: i64 = 1 << 61;

/// Reads one record.
pub(super) fn record(message: &BorrowedMessage<'_>, menu: &Menu) -> Record {
    let (partition, offset) = (message.partition(), message.offset());
    let id = EntryId(number(i64::from(partition)), number(offset));
    let millis = message.timestamp().to_millis().unwrap_or_default();
    let value = message.payload();
    let order = match value {
        Some(value) => read(value, minted(millis, partition, offset), menu),
        None => Err((PoisonReason::Unreadable, "it has no value".to_owned())),
    };
    let mark = match &order {
        Ok(order) => mark_of(&order.message_id.as_bytes()[8..]),
        Err(_) => mark_of(value.unwrap_or_default()),
    };
    Record {
        id,
        next: Position {
            next_offset: offset + 1,
            mark,
        },
        order: order.map(Arc::new).map_err(|(reason, detail)| PoisonRecord {
            id,
            reason,
            detail,
            at_millis: Some(millis),
            key: message.key().map(<[u8]>::to_vec),
            value: value.unwrap_or_default().to_vec(),
        }),
    }
}

/// Offsets and partitions that were read are never negative.
pub(super) fn number(signed: i64) -> u64 {
    u64::try_from(signed).unwrap_or_default()
}

/// The `message_id` that makes another order of what stands there, the same each time.
pub(super) fn minted_anew(millis: i64, partition: i32, offset: i64) -> Uuid {
    minted(millis, partition, offset | ANEW)
}

/// Tells a record from others, never 0: FNV-1a, 64 bits.
fn mark_of(bytes: &[u8]) -> i64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.max(1).cast_signed()
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
        assert_ne!(minted(1, 0, 5), minted_anew(1, 0, 5));
    }

    #[test]
    fn marks_tell_records_apart_and_are_never_none() {
        assert_ne!(mark_of(b"one"), mark_of(b"two"));
        assert_ne!(mark_of(b""), 0);
    }
}
