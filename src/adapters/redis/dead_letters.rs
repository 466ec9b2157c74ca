//! The dead letters of the stream, for operators.

use async_trait::async_trait;
use coffee_rt_actors::domain::{Instant, Order};
use coffee_rt_actors::ports::{EntryId, LogError};
use redis::Value;
use uuid::Uuid;

use super::entry::{bytes, minted, parse_id, parse_source, record, strange};
use super::link::{Link, UrlError, client};
use super::scripts::{LETTERS, RESUBMIT};
use super::{DEAD_LETTERS, STREAM, SURPLUS};
use crate::adapters::dead_letter::{DeadLetter, DeadLetterBox, Keeper, PAGE_LETTERS, Resubmission};

/// Before the names of the entry's own fields.
const ENTRY_PREFIX: &[u8] = b"entry.";
/// All fields of an entry that had too many.
const PACKED_ENTRY: &[u8] = b"packed_entry";

/// The dead letters of one Redis.
pub struct RedisDeadLetters {
    link: Link,
    backlog_limit: u64,
}

impl RedisDeadLetters {
    /// Reads the URL and does no I/O.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub fn new(url: &str, backlog_limit: u64) -> Result<Self, UrlError> {
        let link = Link::new(client(url)?);
        Ok(Self { link, backlog_limit })
    }

    async fn page(&self, command: &str, from: &str, to: &str) -> Result<Vec<DeadLetter>, LogError> {
        let page = self.link.run(&LETTERS, &[DEAD_LETTERS], |script| {
            script.arg(command).arg(from).arg(to).arg(PAGE_LETTERS);
        });
        let Value::Array(letters) = page.await? else {
            return Err(strange("no dead letters"));
        };
        letters.into_iter().map(letter).collect()
    }
}

#[async_trait]
impl DeadLetterBox for RedisDeadLetters {
    fn keeper(&self) -> Keeper {
        Keeper {
            product: "Redis",
            variable: "REDIS_URL",
            log: "stream",
            backlog_setting: "v2.backlog_orders",
            backlog_limit: self.backlog_limit,
        }
    }

    async fn count(&self) -> Result<u64, LogError> {
        let length = self.link.send(redis::cmd("XLEN").arg(DEAD_LETTERS)).await?;
        redis::from_redis_value(length).map_err(|_| strange("a length"))
    }

    async fn oldest_first(&self, beyond: Option<&str>) -> Result<Vec<DeadLetter>, LogError> {
        let from = beyond.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        self.page("XRANGE", &from, "+").await
    }

    async fn newest_first(&self, beyond: Option<&str>) -> Result<Vec<DeadLetter>, LogError> {
        let from = beyond.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
        self.page("XREVRANGE", &from, "-").await
    }

    async fn find(&self, id: &str) -> Result<Option<DeadLetter>, LogError> {
        // An id without its number would mean all of that millisecond.
        let Some(id) = parse_id(id.as_bytes()) else {
            return Ok(None);
        };
        let id = id.to_string();
        Ok(self.page("XRANGE", &id, &id).await?.pop())
    }

    async fn resubmit(&self, letter: &DeadLetter, order: &Order) -> Result<Resubmission, LogError> {
        let done = self.link.run(&RESUBMIT, &[STREAM, SURPLUS, DEAD_LETTERS], |script| {
            script.arg(&letter.id).arg(self.backlog_limit).arg(order.to_record());
        });
        match done.await? {
            Value::Int(1) => Ok(Resubmission::Done),
            Value::Int(0) => Ok(Resubmission::Missing),
            Value::Int(-1) => Ok(Resubmission::Full),
            _ => Err(strange("a re-submission")),
        }
    }

    async fn discard(&self, id: &str) -> Result<bool, LogError> {
        let Some(id) = parse_id(id.as_bytes()) else {
            return Ok(false);
        };
        let mut delete = redis::cmd("XDEL");
        delete.arg(DEAD_LETTERS).arg(id.to_string());
        Ok(self.link.send(&delete).await? == Value::Int(1))
    }
}

fn letter(found: Value) -> Result<DeadLetter, LogError> {
    let parts = match found {
        Value::Array(parts) => <[Value; 2]>::try_from(parts).ok(),
        _ => None,
    };
    let Some([Value::BulkString(id), Value::Array(fields)]) = parts else {
        return Err(strange("no dead letter"));
    };
    let EntryId(ms, number) = parse_id(&id).ok_or_else(|| strange("no id"))?;
    let (mut reason, mut detail, mut source_id, mut entry) = (String::new(), String::new(), String::new(), Vec::new());
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let name = bytes(name);
        let text = |value| String::from_utf8_lossy(&bytes(value)).into_owned();
        match (name.as_slice(), value) {
            (b"reason", value) => reason = text(value),
            (b"detail", value) => detail = text(value),
            (b"source_id", value) => source_id = text(value),
            (PACKED_ENTRY, Value::Array(unpacked)) => entry.extend(unpacked.into_iter().map(bytes)),
            (name, value) => {
                entry.push(name.strip_prefix(ENTRY_PREFIX).unwrap_or(name).to_vec());
                entry.push(bytes(value));
            }
        }
    }
    Ok(DeadLetter {
        id: EntryId(ms, number).to_string(),
        at: Instant(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000)),
        record: record(&entry).map(std::borrow::Cow::into_owned),
        // Where somebody else wrote it there, any will do: it leaves here once.
        minted: parse_source(&source_id).map_or_else(Uuid::now_v7, |(id, part)| minted(id, part)),
        fresh: Uuid::now_v7(),
        reason,
        detail,
        source_id,
        entry: entry
            .chunks_exact(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn read(fields: Vec<Value>) -> DeadLetter {
        letter(Value::Array(vec![bulk("1795348800000-3"), Value::Array(fields)])).unwrap()
    }

    fn texts(fields: &[&str]) -> Vec<Value> {
        fields.iter().map(|text| bulk(text)).collect()
    }

    #[test]
    fn a_letter_is_told_apart_from_its_entry() {
        let found = read(texts(&[
            "reason",
            "invalid",
            "detail",
            "drink is missing",
            "source_id",
            "1795348800000-1",
            "entry.reason",
            "thirst",
        ]));
        assert_eq!(
            (found.reason.as_str(), found.id.as_str()),
            ("invalid", "1795348800000-3")
        );
        assert_eq!(found.at.to_string(), "2026-11-22T12:00:00Z");
        assert_eq!(found.entry, [(b"reason".to_vec(), b"thirst".to_vec())]);
        assert_eq!(found.record.unwrap(), br#"{"reason":"thirst"}"#);
        assert_eq!(found.minted, minted(EntryId(1_795_348_800_000, 1), 0));
    }

    #[test]
    fn an_entry_of_many_fields_is_one_too() {
        let packed = Value::Array(texts(&["drink", "latte", "note", "x"]));
        let found = read(vec![bulk("packed_entry"), packed]);
        assert_eq!(found.entry.len(), 2);
        assert_eq!(found.record.unwrap(), br#"{"drink":"latte","note":"x"}"#);
    }

    #[test]
    fn letters_of_others_are_shown_as_they_are() {
        let found = read(texts(&["hello", "there", "packed_entry", "junk"]));
        assert_eq!((found.reason.as_str(), found.source_id.as_str()), ("", ""));
        assert_eq!(found.entry.len(), 2);
        let binary = read(vec![bulk("entry.drink"), Value::BulkString(vec![0xff, 0])]);
        assert_eq!(binary.record, None);
        assert_eq!(binary.entry, [(b"drink".to_vec(), vec![0xff, 0])]);
    }
}
