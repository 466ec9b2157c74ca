//! One order: the wire's JSON, the rules it must meet, and the checked value.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Cents, Instant, InstantError, Item, Menu, TraceId, TraceParent};

/// A checked order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Unique in the store: the client's idempotency key, or minted here.
    pub message_id: Uuid,
    /// A drink on the menu.
    pub drink: Item,
    /// A store on the menu.
    pub store: Item,
    /// What was paid.
    pub price: Cents,
    /// When the customer ordered.
    pub at: Instant,
    /// When a node took it, or, where it was read out of a log, when it came there. Not stored: it tells how fresh a dashboard is.
    pub accepted_at: Instant,
    /// Where in a trace it belongs, if in any. Not stored.
    pub trace: Option<TraceParent>,
}

/// An order as the store holds it and dashboards show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOrder {
    /// Given by the store, growing.
    pub id: i64,
    /// A drink.
    pub drink: Item,
    /// A store.
    pub store: Item,
    /// What was paid.
    pub price: Cents,
    /// When the customer ordered.
    pub timestamp: Instant,
}

/// What a record usually fits into.
pub const RECORD_BYTES: usize = 192;
/// How the trace is named in a record.
const TRACE_FIELD: &[u8] = b"\"traceparent\"";

/// One field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name in the request.
    pub field: &'static str,
    /// What is wrong, as the end of a sentence that starts with the field.
    pub message: String,
}

/// Why a body is no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Not JSON at all.
    #[error("the body is not JSON: {0}")]
    Malformed(String),
    /// JSON, but no order; every bad field is named.
    #[error("{}", .0.iter().map(|f| format!("{} {}", f.field, f.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
}

/// The fields as raw JSON, so that each can be refused by name and the price is never a float.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    drink: Option<&'a RawValue>,
    #[serde(borrow, default)]
    store: Option<&'a RawValue>,
    #[serde(borrow, default)]
    price: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message_id: Option<&'a RawValue>,
}

/// Read apart: what it is must not decide whether the rest is an order.
#[derive(Deserialize)]
struct Trace<'a> {
    #[serde(borrow, default)]
    traceparent: Option<&'a RawValue>,
}

impl Order {
    /// Reads and checks an order: menu, price, and a timestamp not far ahead of `now`. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`OrderError::Malformed`] where the body is not JSON, else [`OrderError::Invalid`] with every bad field.
    pub fn from_json(body: &[u8], message_id: Uuid, menu: &Menu, now: Instant) -> Result<Self, OrderError> {
        let body = read_body(body)?;
        body.check(message_id, menu, now, |at| at.not_far_ahead_of(now))
    }

    /// Reads an order out of a log, as [`Self::to_record`] or another producer wrote it. Where that gave no `message_id`,
    /// it is `minted`. The clock is not asked: what was acknowledged once must not become wrong by waiting; `accepted_at` is
    /// when the log took it.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_record(record: &[u8], minted: Uuid, accepted_at: Instant, menu: &Menu) -> Result<Self, OrderError> {
        let body = read_body(record)?;
        let message_id = match body.message_id {
            None => minted,
            Some(raw) => {
                let message_id = text(Some(raw)).ok().and_then(|id| Uuid::parse_str(&id).ok());
                message_id.ok_or_else(|| refuse("message_id", "must be a UUID"))?
            }
        };
        let order = body.check(message_id, menu, accepted_at, Ok)?;
        let trace = trace_of(record);
        Ok(Self { trace, ..order })
    }

    /// The order as it stands in a log: the JSON of a request, with its `message_id`.
    #[must_use]
    pub fn to_record(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(RECORD_BYTES);
        self.write_record(&mut record);
        record
    }

    /// Appends [`Self::to_record`], which is one line.
    pub fn write_record(&self, to: &mut Vec<u8>) {
        let record = Record {
            message_id: self.message_id,
            drink: &self.drink,
            store: &self.store,
            price: self.price,
            timestamp: self.at,
            traceparent: self.trace,
        };
        // Writing to memory cannot fail, and nothing in a record is no JSON.
        let _ = serde_json::to_writer(to, &record);
    }

    /// By what this order is found in logs: its trace, or where there is none its own `message_id`.
    #[must_use]
    pub fn correlation_id(&self) -> TraceId {
        self.trace.map_or_else(|| self.message_id.into(), |parent| parent.trace)
    }

    /// Whether both are the same purchase: everything but the `message_id`.
    #[must_use]
    pub fn same_payload(&self, other: &Self) -> bool {
        self.price == other.price && self.at == other.at && self.drink == other.drink && self.store == other.store
    }

    /// This order as the store shows it, once it has an id.
    #[must_use]
    pub fn stored_as(&self, id: i64) -> StoredOrder {
        StoredOrder {
            id,
            drink: self.drink.clone(),
            store: self.store.clone(),
            price: self.price,
            timestamp: self.at,
        }
    }
}

/// An order as it stands in a log.
#[derive(Serialize)]
struct Record<'a> {
    message_id: Uuid,
    drink: &'a str,
    store: &'a str,
    price: Cents,
    timestamp: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<TraceParent>,
}

impl Body<'_> {
    /// Checks every field, and tells of every bad one.
    fn check(
        &self,
        message_id: Uuid,
        menu: &Menu,
        accepted_at: Instant,
        check_time: impl FnOnce(Instant) -> Result<Instant, InstantError>,
    ) -> Result<Order, OrderError> {
        let mut errors = Vec::new();
        let mut keep = |field: &'static str, message: String| errors.push(FieldError { field, message });
        let drink = on_menu(self.drink, "drink", &menu.drinks, &mut keep);
        let store = on_menu(self.store, "store", &menu.stores, &mut keep);
        let price = price(self.price).map_err(|message| keep("price", message)).ok();
        let at = timestamp(self.timestamp, check_time)
            .map_err(|message| keep("timestamp", message))
            .ok();
        match (drink, store, price, at) {
            (Some(drink), Some(store), Some(price), Some(at)) => Ok(Order {
                message_id,
                drink,
                store,
                price,
                at,
                accepted_at,
                trace: None,
            }),
            _ => Err(OrderError::Invalid(errors)),
        }
    }
}

fn trace_of(record: &[u8]) -> Option<TraceParent> {
    // Most have none: looking for it costs less than reading the record again.
    let named = record.windows(TRACE_FIELD.len()).any(|bytes| bytes == TRACE_FIELD);
    let trace: Trace<'_> = named.then(|| serde_json::from_slice(record).ok())??;
    text(trace.traceparent)
        .ok()
        .and_then(|parent| TraceParent::parse(&parent))
}

fn read_body(body: &[u8]) -> Result<Body<'_>, OrderError> {
    // Checked as a whole: serde_json would not look into fields that nobody reads.
    let text = std::str::from_utf8(body).map_err(|error| OrderError::Malformed(error.to_string()))?;
    // serde would read an array as the fields in their order.
    if text.trim_ascii_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| refuse_body(text, &error.to_string()))
    } else {
        Err(refuse_body(text, "not an object"))
    }
}

/// Tells a body that is no JSON apart from one that is JSON, but no order.
fn refuse_body(text: &str, error: &str) -> OrderError {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => {
            let message = if error.starts_with("duplicate field") {
                format!("has a {}", error.split(" at line").next().unwrap_or(error))
            } else {
                "must be a JSON object with drink, store, price and timestamp".to_owned()
            };
            refuse("body", message)
        }
        Err(error) => OrderError::Malformed(error.to_string()),
    }
}

fn refuse(field: &'static str, message: impl Into<String>) -> OrderError {
    let message = message.into();
    OrderError::Invalid(vec![FieldError { field, message }])
}

fn text<'a>(raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, String> {
    let raw = raw.ok_or("is missing")?.get();
    if let Some(plain) = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"'))
        && !plain.contains('\\')
    {
        return Ok(Cow::Borrowed(plain));
    }
    serde_json::from_str(raw)
        .map(Cow::Owned)
        .map_err(|_| "must be a string".to_owned())
}

fn on_menu(
    raw: Option<&RawValue>,
    field: &'static str,
    items: &[Item],
    keep: &mut impl FnMut(&'static str, String),
) -> Option<Item> {
    let found = text(raw).and_then(|name| {
        let known = items.iter().find(|item| item.as_ref() == name);
        known
            .cloned()
            .ok_or_else(|| format!("must be one of {}", items.join(", ")))
    });
    found.map_err(|message| keep(field, message)).ok()
}

fn price(raw: Option<&RawValue>) -> Result<Cents, String> {
    let raw = raw.ok_or("is missing")?;
    let decimal = match raw.get().as_bytes().first() {
        Some(b'"') => text(Some(raw))?,
        Some(b'0'..=b'9' | b'-') => Cow::Borrowed(raw.get()),
        _ => return Err("must be a number".to_owned()),
    };
    Cents::parse_price(&decimal).map_err(|error| error.to_string())
}

fn timestamp(
    raw: Option<&RawValue>,
    check_time: impl FnOnce(Instant) -> Result<Instant, InstantError>,
) -> Result<Instant, String> {
    let text = text(raw)?;
    let at = Instant::parse(&text).and_then(check_time);
    at.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Instant = Instant(1_795_348_800_000_000);

    fn read(body: &str) -> Result<Order, OrderError> {
        Order::from_json(body.as_bytes(), Uuid::nil(), &Menu::default(), NOON)
    }

    #[test]
    fn reads_an_order_and_ignores_unknown_fields() {
        let order = read(
            r#"{"drink":"latte","store":"uptown","price":"4.50","timestamp":"2026-11-22T09:00:00Z","tip":{"any":[1]}}"#,
        )
        .unwrap();
        assert_eq!((order.price, order.at.hour()), (Cents(450), 498_705));
        assert_eq!(
            order,
            read(r#"{"price":4.5,"drink":"l\u0061tte","timestamp":"2026-11-22T09:00:00","store":"uptown"}"#).unwrap()
        );
    }

    #[test]
    fn a_record_is_read_as_it_was_written_whatever_the_clock_says() {
        let mut order =
            read(r#"{"drink":"latte","store":"uptown","price":4.5,"timestamp":"2026-11-22T09:00:00.123456Z"}"#)
                .unwrap();
        order.message_id = Uuid::from_u128(7);
        order.at = Instant(NOON.0 + 86_400_000_000);
        let record = order.to_record();
        assert_eq!(
            Order::from_record(&record, Uuid::nil(), NOON, &Menu::default()),
            Ok(order)
        );
    }

    #[test]
    fn records_of_other_producers_get_a_minted_id_and_are_checked() {
        let from = |record: &str| Order::from_record(record.as_bytes(), Uuid::from_u128(9), NOON, &Menu::default());
        let plain = r#"{"drink":"latte","store":"uptown","price":"4.50","timestamp":"2026-11-22T09:00:00"}"#;
        assert_eq!(from(plain).unwrap().message_id, Uuid::from_u128(9));
        for (record, want) in [
            (
                plain.replace("latte", "tea"),
                "drink must be one of cappuccino, americano, latte",
            ),
            (
                plain.replacen('{', r#"{"message_id":7,"#, 1),
                "message_id must be a UUID",
            ),
            (
                plain.replacen('{', r#"{"message_id":"x","#, 1),
                "message_id must be a UUID",
            ),
        ] {
            assert_eq!(from(&record).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let Err(OrderError::Invalid(errors)) =
            read(r#"{"drink":"tea","price":true,"timestamp":"2026-11-22T13:00:00Z"}"#)
        else {
            panic!("accepted");
        };
        let named: Vec<_> = errors.iter().map(|e| (e.field, e.message.as_str())).collect();
        assert_eq!(
            named,
            [
                ("drink", "must be one of cappuccino, americano, latte"),
                ("store", "is missing"),
                ("price", "must be a number"),
                ("timestamp", "is more than 5 minutes in the future"),
            ]
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_told_apart_from_no_json() {
        for body in ["", "{", "{\"drink\":}", "nope", "{\"a\":1} x", "\u{feff}{}"] {
            assert!(matches!(read(body), Err(OrderError::Malformed(_))), "{body}");
        }
        let fields = r#"["latte","uptown",4.5,"2026-11-22T09:00:00Z"]"#;
        for body in ["[]", "null", "3", "\"latte\"", fields] {
            let refused = read(body).unwrap_err().to_string();
            assert!(refused.starts_with("body must be a JSON object"), "{body}: {refused}");
        }
        let latin = b"{\"tip\":\"caf\xe9\"}";
        let refused = Order::from_json(latin, Uuid::nil(), &Menu::default(), NOON).unwrap_err();
        assert!(matches!(refused, OrderError::Malformed(_)), "{refused}");
        let twice = read(r#"{"drink":"latte","drink":"latte"}"#).unwrap_err();
        assert_eq!(twice.to_string(), "body has a duplicate field `drink`");
    }
}
