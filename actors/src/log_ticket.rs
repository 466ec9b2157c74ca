//! An entry of a log on its way to the store, and back to the reader that acknowledges it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::backoff::unless_it_panics;
use crate::credit::Permit;
use crate::domain::Order;
use crate::ports::{EntryId, LogError, LogReader, Poison, PoisonReason};
use crate::reader::ReaderMsg;
use crate::supervision::Slot;
use crate::ticket::{Answer, Consignment, Refusal};

/// An entry on its way to the store. It waits for an absent store: the log keeps it safe meanwhile.
pub struct LogTicket {
    /// Where it stands.
    pub id: EntryId,
    /// What was ordered.
    pub order: Arc<Order>,
    /// Given back when the entry is acknowledged.
    pub permit: Permit,
    /// Where it is left when it is stored.
    pub settled: Arc<Settled>,
}

impl Consignment for LogTicket {
    const PATIENT: bool = true;

    fn order(&self) -> Option<&Arc<Order>> {
        Some(&self.order)
    }

    fn answer(answered: Vec<(Self, Answer)>) {
        let Some(settled) = answered.first().map(|(ticket, _)| ticket.settled.clone()) else {
            return;
        };
        settled.add(answered.into_iter().filter_map(|(ticket, answer)| {
            let poison = match answer {
                Ok(_) => None,
                Err(refusal) => Some(poison(ticket.id, &refusal)?),
            };
            Some(Done {
                id: ticket.id,
                poison,
                permit: ticket.permit,
            })
        }));
    }
}

/// None where the store has not decided: the entry stays in the log, and is read again.
fn poison(id: EntryId, refusal: &Refusal) -> Option<Poison> {
    let reason = match refusal {
        Refusal::KeyReused => PoisonReason::KeyReused,
        Refusal::Rejected(_) => PoisonReason::Refused,
        _ => return None,
    };
    Some(Poison {
        id,
        reason,
        detail: refusal.to_string(),
    })
}

/// An entry that the log may forget: it is stored, or never will be.
pub struct Done {
    /// Where it stands.
    pub id: EntryId,
    /// Why it never will be.
    pub poison: Option<Poison>,
    /// Given back when the log has forgotten it.
    pub permit: Permit,
}

/// Where settled entries wait for their acknowledgement. Outlives the generations of a reader.
#[derive(Default)]
pub struct Settled {
    list: Mutex<Vec<Done>>,
    added: Notify,
    reader: Slot<ReaderMsg>,
}

impl Settled {
    /// For the reader that is found there.
    #[must_use]
    pub fn new(reader: Slot<ReaderMsg>) -> Self {
        Self {
            reader,
            ..Self::default()
        }
    }

    /// Leaves entries, and tells the reader.
    pub fn add(&self, done: impl IntoIterator<Item = Done>) {
        self.list.lock().extend(done);
        self.added.notify_one();
        let _ = self.reader.send(ReaderMsg::Settle);
    }

    /// Leaves entries whose acknowledgement failed; the reader knows.
    pub(crate) fn put_back(&self, done: Vec<Done>) {
        self.list.lock().extend(done);
    }

    pub(crate) fn take(&self) -> Vec<Done> {
        std::mem::take(&mut *self.list.lock())
    }

    /// Waits until entries are left.
    pub(crate) async fn added(&self) {
        self.added.notified().await;
    }
}

/// An acknowledgement that has ended.
pub struct Acknowledgement {
    /// What was to be acknowledged.
    pub ids: Vec<EntryId>,
    /// What of it was not.
    pub rest: Vec<Done>,
    /// Entries moved to the dead letters.
    pub buried: Vec<PoisonReason>,
    /// Why there is a rest.
    pub error: Option<LogError>,
}

/// Acknowledges what is stored and buries what never will be.
pub(crate) async fn acknowledge(log: &dyn LogReader, done: Vec<Done>) -> Acknowledgement {
    let mut ended = Acknowledgement {
        ids: done.iter().map(|done| done.id).collect(),
        rest: Vec::new(),
        buried: Vec::new(),
        error: None,
    };
    let (poisonous, stored): (Vec<_>, Vec<_>) = done.into_iter().partition(|done| done.poison.is_some());
    if !stored.is_empty() {
        let ids: Vec<_> = stored.iter().map(|done| done.id).collect();
        if let Err(error) = unless_it_panics(log.acknowledge(&ids), LogError::Away).await {
            ended.rest.extend(stored);
            ended.error = Some(error);
        }
    }
    if !poisonous.is_empty() {
        let poison: Vec<_> = poisonous.iter().filter_map(|done| done.poison.clone()).collect();
        match unless_it_panics(log.bury(&poison), LogError::Away).await {
            Ok(()) => ended.buried.extend(poison.iter().map(|poison| poison.reason)),
            Err(error) => {
                ended.rest.extend(poisonous);
                ended.error = Some(error);
            }
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::credit::Credit;
    use crate::domain::{Cents, Instant};
    use crate::ticket::Acknowledged;

    #[test]
    fn only_what_the_store_decided_is_settled() {
        let (settled, credit) = (Arc::new(Settled::default()), Credit::new(4));
        let ticket = |number| LogTicket {
            id: EntryId(number, 0),
            order: Arc::new(Order {
                message_id: Uuid::from_u128(number.into()),
                drink: "latte".into(),
                store: "uptown".into(),
                price: Cents(450),
                at: Instant(0),
                accepted_at: Instant(0),
                trace: None,
            }),
            permit: credit.try_take().unwrap(),
            settled: settled.clone(),
        };
        LogTicket::answer(vec![
            (ticket(1), Ok(Acknowledged::Stored { id: 7 })),
            (ticket(2), Err(Refusal::StoreAway("at the end".to_owned()))),
            (ticket(3), Err(Refusal::KeyReused)),
            (ticket(4), Err(Refusal::Rejected("too dear".to_owned()))),
        ]);
        let done = settled.take();
        let reasons: Vec<_> = done
            .iter()
            .map(|d| (d.id.0, d.poison.as_ref().map(|p| p.reason)))
            .collect();
        assert_eq!(
            reasons,
            [
                (1, None),
                (3, Some(PoisonReason::KeyReused)),
                (4, Some(PoisonReason::Refused))
            ]
        );
        assert_eq!(credit.in_flight(), 3);
    }
}
