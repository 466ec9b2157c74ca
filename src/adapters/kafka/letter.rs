//! Dead letters as records of their topic, and notes of what became of them.
//!
//! No record can be taken out of a topic. So a letter is there until a note says what became of it: an empty record behind
//! it in the same partition.

use std::fmt::{self, Write};
use std::str::FromStr;

use coffee_rt_actors::domain::Instant;
use coffee_rt_actors::ports::PoisonRecord;
use rdkafka::Message;
use uuid::Uuid;

use super::headers::{headers, text_headers};
use super::producer::Outgoing;
use super::record::{minted, minted_anew};
use crate::adapters::dead_letter::DeadLetter;
use crate::adapters::record::RECORD_FIELD;

/// Bytes of a record's key, and of its value, that a letter holds: more together than any order has, and less than a million
/// with the headers, which producers and brokers take as they come. The record itself stays where it is.
const MAX_KEY_BYTES: usize = 64 * 1024;
const MAX_VALUE_BYTES: usize = 800_000;
/// What letters say about the record that they hold.
const TOLD: [&str; 6] = ["reason", "detail", "topic", "partition", "offset", "timestamp"];
/// The letter that a note is about.
const RESOLVES: &str = "resolves";
const FATE: &str = "fate";
/// How a record's key is shown beside its value.
const KEY_FIELD: &str = "key";
/// Before the names of headers that are no letter's.
const HEADER_PREFIX: &str = "header.";

/// Where a letter stands in its topic, in the order of age: written `PARTITION-OFFSET`.
///
/// The topic that nodes make has one partition; among several the order is by offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LetterId {
    pub(super) offset: i64,
    pub(super) partition: i32,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

/// It is not written as ids are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoLetterId;

impl FromStr for LetterId {
    type Err = NoLetterId;

    fn from_str(text: &str) -> Result<Self, NoLetterId> {
        let (partition, offset) = text.split_once('-').ok_or(NoLetterId)?;
        let id = Self {
            offset: offset.parse().map_err(|_| NoLetterId)?,
            partition: partition.parse().map_err(|_| NoLetterId)?,
        };
        // Neither signs nor zeros in front: each letter has one name.
        (id.to_string() == text && id.offset >= 0)
            .then_some(id)
            .ok_or(NoLetterId)
    }
}

/// What became of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Resubmitted,
    Discarded,
}

impl Fate {
    const ALL: [Self; 2] = [Self::Resubmitted, Self::Discarded];

    const fn name(self) -> &'static str {
        match self {
            Self::Resubmitted => "resubmitted",
            Self::Discarded => "discarded",
        }
    }
}

/// A record of the topic of orders as it goes to the dead letters.
pub(super) fn letter(topic: &str, poison: &PoisonRecord) -> Outgoing {
    let (partition, offset) = (poison.id.0.to_string(), poison.id.1.to_string());
    let millis = poison.at_millis.map(|millis| millis.to_string());
    let key = poison.key.as_deref().map(|key| start(key, MAX_KEY_BYTES));
    let value = start(&poison.value, MAX_VALUE_BYTES);
    let cut = poison.key.as_ref().map_or(0, Vec::len) - key.map_or(0, <[u8]>::len) + poison.value.len() - value.len();
    let mut detail = poison.detail.clone();
    if cut > 0 {
        let _ = write!(detail, "; {cut} bytes of it are not in this letter");
    }
    let told = [
        Some(poison.reason.name()),
        Some(detail.as_str()),
        Some(topic),
        Some(partition.as_str()),
        Some(offset.as_str()),
        millis.as_deref(),
    ];
    let told = TOLD.into_iter().zip(told);
    Outgoing {
        partition: None,
        key: key.map(<[u8]>::to_vec),
        value: value.to_vec(),
        headers: Some(text_headers(told.filter_map(|(name, value)| Some((name, value?))))),
    }
}

fn start(bytes: &[u8], limit: usize) -> &[u8] {
    &bytes[..bytes.len().min(limit)]
}

/// A note of what became of a letter.
pub(super) fn note(letter: LetterId, fate: Fate) -> Outgoing {
    let id = letter.to_string();
    let headers = text_headers([(RESOLVES, id.as_str()), (FATE, fate.name())]);
    Outgoing {
        partition: Some(letter.partition),
        key: Some(id.into_bytes()),
        value: Vec::new(),
        headers: Some(headers),
    }
}

pub(super) fn id_of(message: &impl Message) -> LetterId {
    LetterId {
        offset: message.offset(),
        partition: message.partition(),
    }
}

/// The letter that a record is a note about; none where the record is a letter itself.
pub(super) fn resolved_by(message: &impl Message) -> Option<LetterId> {
    if message.payload().is_some_and(|value| !value.is_empty()) {
        return None;
    }
    let (mut resolves, mut has_fate) = (None, false);
    for header in headers(message).flatten() {
        let value = header.value.and_then(|value| std::str::from_utf8(value).ok());
        match (header.key, value) {
            (RESOLVES, Some(id)) => resolves = id.parse::<LetterId>().ok(),
            (FATE, Some(fate)) => has_fate = Fate::ALL.iter().any(|known| known.name() == fate),
            _ => {}
        }
    }
    let own = id_of(message);
    let is_behind = |letter: &LetterId| letter.partition == own.partition && letter.offset < own.offset;
    resolves.filter(is_behind).filter(|_| has_fate)
}

/// A record as the letter that it is, whoever wrote it.
pub(super) fn dead_letter(message: &impl Message) -> DeadLetter {
    let mut told = [const { None::<String> }; TOLD.len()];
    let mut entry = Vec::new();
    if let Some(value) = message.payload() {
        entry.push((RECORD_FIELD.as_bytes().to_vec(), value.to_vec()));
    }
    if let Some(key) = message.key() {
        entry.push((KEY_FIELD.as_bytes().to_vec(), key.to_vec()));
    }
    for header in headers(message) {
        // Nothing can be read of a header whose name is no text.
        let (name, value) = header.map_or(("?", None), |header| (header.key, header.value));
        let value = value.unwrap_or_default();
        match TOLD.iter().position(|known| *known == name) {
            Some(known) if told[known].is_none() => {
                told[known] = Some(String::from_utf8_lossy(value).into_owned());
            }
            _ => entry.push((format!("{HEADER_PREFIX}{name}").into_bytes(), value.to_vec())),
        }
    }
    let [reason, detail, _, partition, offset, timestamp] = told;
    let place = match (&partition, &offset) {
        (Some(partition), Some(offset)) => format!("{partition}-{offset}"),
        _ => String::new(),
    };
    let LetterId { partition, offset } = id_of(message);
    let millis = message.timestamp().to_millis().unwrap_or_default();
    // As a letter may be there twice, it hangs on the record that it tells of.
    let told_of = place.parse().unwrap_or(LetterId { offset, partition });
    let fresh = minted_anew(message.payload().unwrap_or_default(), told_of.partition, told_of.offset);
    DeadLetter {
        id: id_of(message).to_string(),
        at: Instant(millis.saturating_mul(1_000)),
        reason: reason.unwrap_or_default(),
        detail: detail.unwrap_or_default(),
        minted: minted_at(&place, timestamp.as_deref()).unwrap_or(fresh),
        source_id: place,
        record: message.payload().map(<[u8]>::to_vec),
        entry,
        fresh,
    }
}

/// The `message_id` that the topic's reader gives the order at a place, if that is one.
fn minted_at(place: &str, timestamp: Option<&str>) -> Option<Uuid> {
    let LetterId { partition, offset } = place.parse().ok()?;
    Some(minted(timestamp?.parse().ok()?, partition, offset))
}

#[cfg(test)]
mod tests {
    use coffee_rt_actors::ports::{EntryId, PoisonReason};
    use rdkafka::Timestamp;
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

    use super::*;

    const NOON: i64 = 1_795_348_800_000;

    /// As the broker hands it out.
    fn arrived(sent: Outgoing, value: Option<Vec<u8>>, partition: i32, offset: i64) -> OwnedMessage {
        let (topic, at) = ("orders.dead-letter".to_owned(), Timestamp::CreateTime(NOON));
        OwnedMessage::new(value, sent.key, topic, at, partition, offset, sent.headers)
    }

    fn foreign(value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> OwnedMessage {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: *value })
        });
        let sent = Outgoing {
            partition: None,
            key: None,
            value: Vec::new(),
            headers: Some(headers),
        };
        arrived(sent, value.map(<[u8]>::to_vec), 0, 9)
    }

    fn poison() -> PoisonRecord {
        PoisonRecord {
            id: EntryId(2, 7),
            reason: PoisonReason::Invalid,
            detail: "drink is missing".to_owned(),
            at_millis: Some(NOON - 5),
            key: Some(b"uptown".to_vec()),
            value: b"{}".to_vec(),
        }
    }

    #[test]
    fn a_letter_tells_of_its_record() {
        let sent = letter("orders", &poison());
        let value = sent.value.clone();
        let message = arrived(sent, Some(value), 0, 3);
        assert_eq!(resolved_by(&message), None);
        let found = dead_letter(&message);
        assert_eq!((found.id.as_str(), found.source_id.as_str()), ("0-3", "2-7"));
        assert_eq!(
            (found.reason.as_str(), found.detail.as_str()),
            ("invalid", "drink is missing")
        );
        assert_eq!(found.at.to_string(), "2026-11-22T12:00:00Z");
        let field = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
        assert_eq!(found.entry, [field(b"order", b"{}"), field(b"key", b"uptown")]);
        assert_eq!(found.record.unwrap(), b"{}");
        assert_eq!(found.minted, minted(NOON - 5, 2, 7));
        assert_ne!(found.fresh, found.minted);
        let again = dead_letter(&arrived(letter("orders", &poison()), Some(b"{}".to_vec()), 0, 4));
        assert_eq!((again.id.as_str(), again.fresh), ("0-4", found.fresh));
    }

    #[test]
    fn a_letter_is_never_too_large_to_be_sent() {
        let vast = PoisonRecord {
            key: Some(vec![b'k'; MAX_KEY_BYTES + 1]),
            value: vec![b'v'; MAX_VALUE_BYTES + 2],
            ..poison()
        };
        let sent = letter("orders", &vast);
        assert_eq!(
            sent.key.as_ref().unwrap().len() + sent.value.len(),
            MAX_KEY_BYTES + MAX_VALUE_BYTES
        );
        let found = dead_letter(&arrived(sent, None, 0, 3));
        assert_eq!(found.detail, "drink is missing; 3 bytes of it are not in this letter");
    }

    #[test]
    fn records_of_others_are_shown_as_they_are() {
        let found = dead_letter(&foreign(None, &[]));
        assert!(found.entry.is_empty() && found.record.is_none() && found.reason.is_empty());
        assert_eq!((found.source_id.as_str(), found.minted), ("", found.fresh));

        let headers: [(&str, Option<&[u8]>); 5] = [
            ("offset", Some(b"-9")),
            ("partition", Some(b"\xff")),
            ("partition", None),
            ("timestamp", Some(b"noon")),
            ("tr\u{e4}ce", Some(b"\0")),
        ];
        let found = dead_letter(&foreign(Some(b"\xff\0"), &headers));
        assert_eq!((found.source_id.as_str(), found.minted), ("\u{fffd}--9", found.fresh));
        let field = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
        assert_eq!(
            found.entry,
            [
                field("order", b"\xff\0"),
                field("header.partition", b""),
                field("header.tr\u{e4}ce", b"\0")
            ]
        );
    }

    #[test]
    fn a_note_tells_which_letter_it_resolves() {
        let letter = LetterId {
            offset: 7,
            partition: 1,
        };
        for fate in Fate::ALL {
            for value in [None, Some(Vec::new())] {
                assert_eq!(note(letter, fate).partition, Some(1));
                assert_eq!(resolved_by(&arrived(note(letter, fate), value, 1, 8)), Some(letter));
            }
        }
        // Not behind it, in another partition, or with something in it.
        for (value, partition, offset) in [(None, 1, 7), (None, 0, 8), (Some(b"x".to_vec()), 1, 8)] {
            let sent = note(letter, Fate::Discarded);
            assert_eq!(resolved_by(&arrived(sent, value, partition, offset)), None);
        }
        for headers in [
            &[][..],
            &[("resolves", Some(&b"0-1"[..]))],
            &[("resolves", Some(b"0-1")), ("fate", Some(b"eaten"))],
            &[("resolves", Some(b"0-\xff")), ("fate", Some(b"discarded"))],
            &[("resolves", None), ("fate", None)],
        ] {
            assert_eq!(resolved_by(&foreign(None, headers)), None);
        }
    }

    #[test]
    fn a_letter_has_one_name() {
        let id = LetterId {
            offset: 17,
            partition: 3,
        };
        assert_eq!((id.to_string().as_str(), "3-17".parse()), ("3-17", Ok(id)));
        for text in [
            "",
            "3",
            "3-",
            "-17",
            "03-17",
            "3-+17",
            "3--17",
            "-1-2",
            "3-17-1",
            "x-1",
            "3-99999999999999999999",
        ] {
            assert_eq!(text.parse::<LetterId>(), Err(NoLetterId), "{text}");
        }
    }
}
