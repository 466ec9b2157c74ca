//! An order as it goes out: its key and body are fixed once, so that every repeat is the same message.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use coffee_rt_actors::domain::{Cents, Instant as UtcInstant, Menu};
use jiff::Timestamp;
use jiff::tz::{self, Offset};
use serde_json::json;
use uuid::Uuid;

use super::profile::{Purchase, WireStyle};

/// Where [`WireStyle::Abroad`] customers live.
const ABROAD: Offset = tz::offset(2);

/// A message that customers send, and send again.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub message_id: Uuid,
    pub purchase: Purchase,
    pub at: UtcInstant,
    pub body: Bytes,
    /// When it was due: latency counts from here.
    pub due: Instant,
}

impl Outgoing {
    /// Gives a purchase its key, its timestamp and its text.
    pub(super) fn new(purchase: Purchase, menu: &Menu, due: Instant) -> Arc<Self> {
        let at = UtcInstant::now();
        let body = body(purchase, menu, at);
        Arc::new(Self {
            message_id: Uuid::now_v7(),
            purchase,
            at,
            body,
            due,
        })
    }

    /// The latest moment that the customer's own slowness explains.
    pub(super) fn expected(&self) -> Instant {
        self.due + self.purchase.pause
    }

    /// How long the customer waited for the node until now.
    pub(super) fn waited(&self) -> Duration {
        self.expected().elapsed()
    }
}

fn body(purchase: Purchase, menu: &Menu, at: UtcInstant) -> Bytes {
    let (drink, store) = (
        &menu.drinks[usize::from(purchase.drink)],
        &menu.stores[usize::from(purchase.store)],
    );
    let price = Cents(i64::from(purchase.cents));
    let text = match purchase.wire {
        WireStyle::Plain => json!({"drink": drink, "store": store, "timestamp": at, "price": price}),
        WireStyle::Abroad => {
            let price = format!("{}.{:02}", purchase.cents / 100, purchase.cents % 100);
            json!({"drink": drink, "store": store, "timestamp": abroad(at), "price": price})
        }
    };
    Bytes::from(text.to_string())
}

fn abroad(at: UtcInstant) -> String {
    Timestamp::from_microsecond(at.0).map_or_else(|_| at.to_string(), |at| at.display_with_offset(ABROAD).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::known::PROFILES;
    use super::super::profile::visit;
    use super::*;
    use coffee_rt_actors::domain::Order;
    use rand::SeedableRng;

    #[test]
    fn every_way_of_writing_reads_back_as_the_same_order() {
        let (menu, mut rng) = (Menu::default(), rand::rngs::StdRng::seed_from_u64(5));
        for profile in PROFILES {
            let purchase = visit(0, &profile, &menu, &mut rng)[0];
            let sent = Outgoing::new(purchase, &menu, Instant::now());
            let read = Order::from_json(&sent.body, sent.message_id, &menu, UtcInstant::now()).unwrap();
            assert_eq!(
                (read.price, read.at),
                (Cents(i64::from(purchase.cents)), sent.at),
                "{:?}",
                sent.body
            );
            assert_eq!(read.drink, menu.drinks[usize::from(purchase.drink)]);
        }
    }
}
