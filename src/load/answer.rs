//! What an attempt showed: acknowledged, refused, or unknown.

use std::time::Duration;

use coffee_rt_actors::domain::{Cents, Instant as UtcInstant, Menu};
use hyper::Response;
use hyper::header::RETRY_AFTER;
use serde::Deserialize;
use uuid::Uuid;

use super::order::Outgoing;
use crate::config::Version;

/// What one attempt showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Acknowledged; v1 gives the order's id. `wrong` says how the answer contradicts the order, if it does.
    Acknowledged { id: Option<i64>, wrong: Option<String> },
    /// The node says that it did not take the order.
    Refused {
        status: u16,
        detail: String,
        retry_after: Option<Duration>,
    },
    /// Whether the node took it cannot be known from here.
    Unknown(String),
}

/// The fields of an acknowledgement of any version.
#[derive(Deserialize)]
struct Acknowledgement {
    message_id: Uuid,
    id: Option<i64>,
    drink: Option<String>,
    store: Option<String>,
    price: Option<Cents>,
    timestamp: Option<UtcInstant>,
}

#[derive(Deserialize, Default)]
struct ProblemDetail {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

/// Judges an answer that arrived whole.
pub(super) fn understand(
    version: Version,
    menu: &Menu,
    outgoing: &Outgoing,
    head: &Response<()>,
    body: &[u8],
) -> Answer {
    let status = head.status();
    if status.is_success() {
        return acknowledged(version, menu, outgoing, body);
    }
    let problem: ProblemDetail = serde_json::from_slice(body).unwrap_or_default();
    let detail = if problem.detail.is_empty() {
        problem.title
    } else {
        problem.detail
    };
    // Only 503 and the client errors promise that the order was not taken; other failures leave it open.
    if status.as_u16() == 503 || status.is_client_error() {
        let seconds = head
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        return Answer::Refused {
            status: status.as_u16(),
            detail,
            retry_after: seconds.map(Duration::from_secs),
        };
    }
    Answer::Unknown(format!("answered {status} {detail}"))
}

fn acknowledged(version: Version, menu: &Menu, outgoing: &Outgoing, body: &[u8]) -> Answer {
    let answer: Acknowledgement = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => {
            let wrong = format!("the acknowledgement cannot be read: {error}");
            return Answer::Acknowledged {
                id: None,
                wrong: Some(wrong),
            };
        }
    };
    let purchase = &outgoing.purchase;
    let mut wrong = None;
    if answer.message_id != outgoing.message_id {
        wrong = Some(format!("the acknowledgement names the key {}", answer.message_id));
    } else if version == Version::V1 {
        let same = answer.id.is_some()
            && answer.drink.as_deref() == Some(menu.drinks[usize::from(purchase.drink)].as_ref())
            && answer.store.as_deref() == Some(menu.stores[usize::from(purchase.store)].as_ref())
            && answer.price == Some(Cents(i64::from(purchase.cents)))
            && answer.timestamp == Some(outgoing.at);
        wrong = (!same).then(|| format!("acknowledged another order: {}", String::from_utf8_lossy(body)));
    }
    Answer::Acknowledged { id: answer.id, wrong }
}

#[cfg(test)]
mod tests {
    use super::super::profile::{Purchase, WireStyle};
    use super::*;
    use std::sync::Arc;

    fn sent() -> Arc<Outgoing> {
        let (pause, wire) = (Duration::ZERO, WireStyle::Plain);
        let purchase = Purchase {
            profile: 0,
            drink: 2,
            store: 0,
            cents: 450,
            taps: 1,
            pause,
            wire,
        };
        Outgoing::new(purchase, &Menu::default(), std::time::Instant::now())
    }

    fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Answer {
        let outgoing = sent();
        let mut head = Response::builder().status(status);
        if let Some(seconds) = retry_after {
            head = head.header(RETRY_AFTER, seconds);
        }
        let text = String::from_utf8_lossy(&outgoing.body);
        let echo = format!(r#"{{"id":7,"message_id":"{}",{}"#, outgoing.message_id, &text[1..]);
        let body = body
            .replace("ECHO", &echo)
            .replace("KEY", &outgoing.message_id.to_string());
        understand(
            Version::V1,
            &Menu::default(),
            &outgoing,
            &head.body(()).unwrap(),
            body.as_bytes(),
        )
    }

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(
            answer(200, None, "ECHO"),
            Answer::Acknowledged {
                id: Some(7),
                wrong: None
            }
        );
        let busy = answer(503, Some("2"), r#"{"title":"Busy","detail":"no credit"}"#);
        let retry_after = Some(Duration::from_secs(2));
        assert_eq!(
            busy,
            Answer::Refused {
                status: 503,
                detail: "no credit".into(),
                retry_after
            }
        );
        assert!(matches!(
            answer(404, None, "<html>"),
            Answer::Refused { status: 404, .. }
        ));
        assert!(matches!(answer(500, None, ""), Answer::Unknown(_)));
        assert!(matches!(answer(302, None, ""), Answer::Unknown(_)));
    }

    #[test]
    fn an_answer_that_contradicts_the_order_is_noticed() {
        let other_key = r#"{"message_id":"00000000-0000-0000-0000-000000000000"}"#;
        for body in ["not json", r#"{"message_id":"KEY"}"#, other_key] {
            let Answer::Acknowledged { wrong: Some(_), .. } = answer(200, None, body) else {
                panic!("{body} passed")
            };
        }
    }
}
