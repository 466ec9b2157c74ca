//! An entry of a log on its way to the store, and back to the reader that acknowledges it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::backoff::unless_it_panics;
use crate::credit::Permit;
use crate::domain::Order;
use crate::ports::{Entry, EntryId, LogError, LogReader, Part, Poison, PoisonReason, Settlement};
use crate::reader::ReaderMsg;
use crate::supervision::Slot;
use crate::ticket::{Answer, Consignment, Refusal};

/// An entry whose orders are on their way to the store. When the last of its tickets goes, it is settled if each order was
/// decided, and else read again.
struct OpenEntry {
    /// Without what turns out to be poison.
    entry: Settlement,
    orders: usize,
    decided: AtomicUsize,
    poison: Mutex<Vec<Poison>>,
    permit: Permit,
    settled: Arc<Settled>,
}

impl OpenEntry {
    /// One of its orders is stored, or never will be.
    fn decide(&self, poison: Option<Poison>) {
        self.poison.lock().extend(poison);
        self.decided.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets go of it. Whoever is the last one to do so gets it, where it is settled.
    fn close(self: Arc<Self>) -> Option<Done> {
        let open = Arc::into_inner(self)?;
        let poison = open.poison.into_inner();
        (open.decided.into_inner() == open.orders).then(|| Done {
            // Poison may wait long, for room among the dead letters; nothing else should with it.
            permit: if poison.is_empty() {
                open.permit
            } else {
                open.permit.reduced_to(poison.len())
            },
            entry: Settlement { poison, ..open.entry },
        })
    }
}

/// An order of an entry on its way to the store. It waits for an absent store: the log keeps it safe meanwhile.
pub struct LogTicket {
    entry: Arc<OpenEntry>,
    part: Part,
    order: Arc<Order>,
}

impl LogTicket {
    /// The tickets of an entry's orders; an entry without any good one is settled at once. The permit is given back when
    /// the entry is acknowledged.
    pub(crate) fn of(entry: Entry, permit: Permit, settled: &Arc<Settled>) -> Vec<Self> {
        let Entry { id, orders, surplus } = entry;
        let count = orders.len();
        let open = Arc::new(OpenEntry {
            entry: Settlement {
                id,
                surplus,
                poison: Vec::new(),
            },
            orders: count,
            decided: AtomicUsize::new(0),
            poison: Mutex::default(),
            permit,
            settled: settled.clone(),
        });
        let mut tickets = Vec::with_capacity(count);
        for (part, order) in (0..).zip(orders) {
            let part = (count > 1).then_some(part);
            match order {
                Ok(order) => tickets.push(Self {
                    entry: open.clone(),
                    part,
                    order,
                }),
                Err((reason, detail)) => open.decide(Some(Poison { part, reason, detail })),
            }
        }
        settled.add(open.close());
        tickets
    }

    /// The entry, as if all of its orders were stored.
    pub(crate) fn settlement(&self) -> Settlement {
        self.entry.entry.clone()
    }
}

impl Consignment for LogTicket {
    const PATIENT: bool = true;

    fn order(&self) -> Option<&Arc<Order>> {
        Some(&self.order)
    }

    fn answer(answered: Vec<(Self, Answer)>) {
        let Some(settled) = answered.first().map(|(ticket, _)| ticket.entry.settled.clone()) else {
            return;
        };
        settled.add(answered.into_iter().filter_map(|(ticket, answer)| {
            match answer {
                Ok(_) => ticket.entry.decide(None),
                Err(refusal) => ticket.entry.decide(Some(poison(ticket.part, &refusal)?)),
            }
            ticket.entry.close()
        }));
    }
}

/// None where the store has not decided: the entry stays in the log, and is read again.
fn poison(part: Part, refusal: &Refusal) -> Option<Poison> {
    let reason = match refusal {
        Refusal::KeyReused => PoisonReason::KeyReused,
        Refusal::Rejected(_) => PoisonReason::Refused,
        _ => return None,
    };
    Some(Poison {
        part,
        reason,
        detail: refusal.to_string(),
    })
}

/// An entry that the log may forget.
pub struct Done {
    /// What became of it.
    pub entry: Settlement,
    #[expect(dead_code, reason = "given back when the log has forgotten it")]
    permit: Permit,
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
        let mut list = self.list.lock();
        let before = list.len();
        list.extend(done);
        if list.len() > before {
            drop(list);
            self.added.notify_one();
            let _ = self.reader.send(ReaderMsg::Settle);
        }
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
    /// Orders moved to the dead letters.
    pub buried: Vec<PoisonReason>,
    /// Why there is a rest.
    pub error: Option<LogError>,
}

/// Acknowledges what is stored and buries what never will be.
pub(crate) async fn acknowledge(log: &dyn LogReader, done: Vec<Done>) -> Acknowledgement {
    let mut ended = Acknowledgement {
        ids: done.iter().map(|done| done.entry.id).collect(),
        rest: Vec::new(),
        buried: Vec::new(),
        error: None,
    };
    let (poisonous, stored): (Vec<_>, Vec<_>) = done.into_iter().partition(|done| !done.entry.poison.is_empty());
    if !stored.is_empty()
        && let Err(error) = unless_it_panics(log.acknowledge(&entries_of(&stored)), LogError::Away).await
    {
        ended.rest.extend(stored);
        ended.error = Some(error);
    }
    if !poisonous.is_empty() {
        let entries = entries_of(&poisonous);
        match unless_it_panics(log.bury(&entries), LogError::Away).await {
            Ok(()) => {
                let poison = entries.iter().flat_map(|entry| &entry.poison);
                ended.buried.extend(poison.map(|poison| poison.reason));
            }
            Err(error) => {
                ended.rest.extend(poisonous);
                ended.error = Some(error);
            }
        }
    }
    ended
}

fn entries_of(done: &[Done]) -> Vec<Settlement> {
    done.iter().map(|done| done.entry.clone()).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::credit::Credit;
    use crate::domain::{Cents, Instant};
    use crate::ticket::Acknowledged;

    fn tickets_of(number: u64, orders: usize, credit: &Credit, settled: &Arc<Settled>) -> Vec<LogTicket> {
        let order = |part: usize| Order {
            message_id: Uuid::from_u64_pair(number, part as u64),
            drink: "latte".into(),
            store: "uptown".into(),
            price: Cents(450),
            at: Instant(0),
            accepted_at: Instant(0),
            trace: None,
        };
        let entry = Entry {
            id: EntryId(number, 0),
            orders: (0..orders).map(|part| Ok(Arc::new(order(part)))).collect(),
            surplus: orders - 1,
        };
        LogTicket::of(entry, credit.try_take_all(orders).unwrap(), settled)
    }

    fn reasons(done: &[Done]) -> Vec<(u64, Vec<(Part, PoisonReason)>)> {
        let of = |entry: &Settlement| entry.poison.iter().map(|poison| (poison.part, poison.reason)).collect();
        done.iter().map(|done| (done.entry.id.0, of(&done.entry))).collect()
    }

    #[test]
    fn only_what_the_store_decided_is_settled() {
        let (settled, credit) = (Arc::new(Settled::default()), Credit::new(4));
        let ticket = |number| tickets_of(number, 1, &credit, &settled).pop().unwrap();
        LogTicket::answer(vec![
            (ticket(1), Ok(Acknowledged::Stored { id: 7 })),
            (ticket(2), Err(Refusal::StoreAway("at the end".to_owned()))),
            (ticket(3), Err(Refusal::KeyReused)),
            (ticket(4), Err(Refusal::Rejected("too dear".to_owned()))),
        ]);
        let done = settled.take();
        let expected = [
            (1, vec![]),
            (3, vec![(None, PoisonReason::KeyReused)]),
            (4, vec![(None, PoisonReason::Refused)]),
        ];
        assert_eq!(reasons(&done), expected);
        assert_eq!(credit.in_flight(), 3);
    }

    #[test]
    fn an_entry_is_settled_when_its_last_order_is_decided() {
        let (settled, credit) = (Arc::new(Settled::default()), Credit::new(100));
        let stored = |ticket| (ticket, Ok(Acknowledged::Stored { id: 7 }));
        let mut first = tickets_of(1, 3, &credit, &settled);
        let last = first.pop().unwrap();
        LogTicket::answer(first.into_iter().map(stored).collect());
        assert!(settled.take().is_empty() && credit.in_flight() == 3);
        LogTicket::answer(vec![(last, Err(Refusal::KeyReused))]);
        let done = settled.take();
        assert_eq!(reasons(&done), [(1, vec![(Some(2), PoisonReason::KeyReused)])]);
        assert_eq!((done[0].entry.surplus, credit.in_flight()), (2, 1));
        drop(done);
        assert_eq!(credit.in_flight(), 0);

        let mut lost = tickets_of(2, 2, &credit, &settled);
        LogTicket::answer(vec![stored(lost.pop().unwrap())]);
        drop(lost);
        assert!(settled.take().is_empty() && credit.in_flight() == 0);
    }
}
