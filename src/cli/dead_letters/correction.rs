//! Orders out of dead letters, corrected.

use std::fmt;
use std::str::FromStr;

use coffee_rt_actors::domain::{Instant, Menu, Order, OrderError};
use coffee_rt_actors::ports::PoisonReason;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::adapters::RECORDS_FIELD;
use crate::adapters::dead_letter::DeadLetter;

/// The field that tells orders apart.
const KEY: &str = "message_id";
/// What an order is made of.
const FIELDS: [&str; 5] = ["drink", "store", "price", "timestamp", KEY];

/// A field and what it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    field: &'static str,
    value: String,
}

impl Correction {
    /// Whether it gives the order another `message_id`.
    pub(super) fn is_key(&self) -> bool {
        self.field == KEY
    }
}

impl FromStr for Correction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("must look like price=4.50")?;
        let field = FIELDS.into_iter().find(|field| *field == name);
        let field = field.ok_or_else(|| format!("an order has no {name:?}, but {}", FIELDS.join(", ")))?;
        let value = value.to_owned();
        Ok(Self { field, value })
    }
}

/// What is to be corrected in an order.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    pub(super) set: Vec<Correction>,
    pub(super) new_key: bool,
}

impl Corrections {
    /// The letter's order, or why it cannot be stored like this either and what to do about it.
    pub(super) fn apply(&self, letter: &DeadLetter, menu: &Menu) -> Result<Order, String> {
        if !self.new_key && self.set.is_empty() && letter.reason == PoisonReason::KeyReused.name() {
            return Err("another order was stored under its message_id: --new-key stores both".to_owned());
        }
        if letter.record.is_none() && letter.entry.iter().any(|(name, _)| name == RECORDS_FIELD.as_bytes()) {
            let advice = "put each of them into the stream again, then discard this";
            return Err(format!(
                "it holds several orders, which cannot be corrected as one: {advice}"
            ));
        }
        let record = self.correct(letter);
        Order::from_record(&record, letter.minted, Instant::now(), menu)
            .map_err(|error| format!("{error}: {}", advice(&error)))
    }

    /// The record with the corrected fields, each once. Without corrections it stays as it is.
    fn correct(&self, letter: &DeadLetter) -> Vec<u8> {
        let record = letter.record.as_deref().unwrap_or_default();
        let mut set: Vec<(&str, &str)> = self.set.iter().map(|set| (set.field, set.value.as_str())).collect();
        let key = letter.fresh.to_string();
        if self.new_key {
            set.push((KEY, &key));
        }
        if set.is_empty() {
            return record.to_vec();
        }
        // Of what cannot be read nothing is kept: all that is missing must be given then.
        let mut fields = serde_json::from_slice::<Fields>(record).unwrap_or_default().0;
        for (field, value) in set {
            fields.retain(|(name, _)| name != field);
            if let Ok(value) = to_raw_value(value) {
                fields.push((field.to_owned(), value));
            }
        }
        let mut corrected = Vec::new();
        let mut json = serde_json::Serializer::new(&mut corrected);
        match json.collect_map(fields) {
            Ok(()) => corrected,
            Err(_) => record.to_vec(),
        }
    }
}

/// A JSON object's fields as they stand, one that is there twice included: which of the two is meant is not ours to guess.
#[derive(Default)]
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collector;

        impl<'de> Visitor<'de> for Collector {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Collector)
    }
}

/// How to make an order of it.
fn advice(error: &OrderError) -> String {
    let whole = "say what was ordered with --set drink=… --set store=… --set price=… --set timestamp=…";
    let OrderError::Invalid(errors) = error else {
        return whole.to_owned();
    };
    let advice = errors.iter().map(|error| match (error.field, error.message.as_str()) {
        (field @ ("drink" | "store"), message) if message.starts_with("must be one of") => {
            format!("add it to [menu] first, or --set {field}=…")
        }
        (KEY, _) => "--set message_id=… or --new-key".to_owned(),
        ("body", _) => whole.to_owned(),
        (field, _) => format!("--set {field}=…"),
    });
    advice.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use coffee_rt_actors::domain::{Cents, Instant};

    fn letter(record: &str) -> DeadLetter {
        DeadLetter {
            id: "2-0".to_owned(),
            at: Instant(0),
            reason: "invalid".to_owned(),
            detail: String::new(),
            source_id: "1-0".to_owned(),
            entry: Vec::new(),
            record: Some(record.as_bytes().to_vec()),
            minted: Uuid::from_u128(9),
            fresh: Uuid::from_u128(10),
        }
    }

    fn set(corrections: &[&str]) -> Corrections {
        Corrections {
            set: corrections.iter().map(|text| text.parse().unwrap()).collect(),
            new_key: false,
        }
    }

    const TEA: &str = r#"{"drink":"tea","store":"uptown","price":4.10,"timestamp":"2026-11-22T09:00:00Z","tip":1}"#;

    #[test]
    fn only_what_is_set_changes() {
        let order = set(&["drink=latte"]).apply(&letter(TEA), &Menu::default()).unwrap();
        assert_eq!((order.drink.as_ref(), order.price), ("latte", Cents(410)));
        assert_eq!(order.message_id, Uuid::from_u128(9), "as the reader would mint it");
        let keyed = TEA.replacen('{', r#"{"message_id":"00000000-0000-0000-0000-000000000007","#, 1);
        let order = set(&["drink=latte", "price=5"]).apply(&letter(&keyed), &Menu::default());
        let order = order.unwrap();
        assert_eq!((order.message_id, order.price), (Uuid::from_u128(7), Cents(500)));
        let fresh = Corrections {
            new_key: true,
            ..set(&["drink=latte"])
        };
        let order = fresh.apply(&letter(&keyed), &Menu::default()).unwrap();
        assert_eq!(order.message_id, Uuid::from_u128(10));
    }

    #[test]
    fn what_is_still_wrong_is_said_with_what_to_do() {
        let twice = TEA.replacen('{', r#"{"store":"central","#, 1);
        for (record, corrections, want) in [
            (
                TEA,
                &[][..],
                "drink must be one of cappuccino, americano, latte: add it to [menu] first, or --set drink=…",
            ),
            (TEA, &["drink=latte", "price=-1"], ": --set price=…"),
            (
                TEA,
                &["message_id=x"],
                "message_id must be a UUID: --set message_id=… or --new-key",
            ),
            (
                "nope",
                &[],
                "the body is not JSON: expected ident at line 1 column 2: say what was ordered",
            ),
            (
                "nope",
                &["drink=latte"],
                "store is missing; price is missing; timestamp is missing: --set store=…; ",
            ),
            // Correcting one field does not choose between the two others.
            (
                &twice,
                &["drink=latte"],
                "body has a duplicate field `store`: say what was ordered",
            ),
        ] {
            let why = set(corrections).apply(&letter(record), &Menu::default()).unwrap_err();
            assert!(why.contains(want), "{record} {corrections:?}: {why}");
        }
        let all = [
            "drink=latte",
            "store=uptown",
            "price=4.5",
            "timestamp=2026-11-22T09:00:00Z",
        ];
        for record in ["nope", "[]", "", &twice] {
            assert!(set(&all).apply(&letter(record), &Menu::default()).is_ok(), "{record}");
        }
    }

    #[test]
    fn a_reused_key_needs_something_new() {
        let good = DeadLetter {
            reason: "key_reused".to_owned(),
            ..letter(&TEA.replace("tea", "latte"))
        };
        let why = set(&[]).apply(&good, &Menu::default()).unwrap_err();
        assert!(why.contains("--new-key"), "{why}");
        assert!(set(&["price=4"]).apply(&good, &Menu::default()).is_ok());
    }

    #[test]
    fn corrections_name_a_field() {
        for (text, want) in [("price", "price=4.50"), ("tip=3", "drink, store"), ("=3", "no \"\"")] {
            let why = text.parse::<Correction>().unwrap_err();
            assert!(why.contains(want), "{text}: {why}");
        }
        assert_eq!("drink=a=b".parse::<Correction>().unwrap().value, "a=b");
    }
}
