//! What became of each order: the customers' side of the promise, to compare with the store.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use coffee_rt_actors::domain::{Cents, Instant as UtcInstant, Item, Menu};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::Answer;
use super::options::MAX_PROFILES;
use super::order::Outgoing;
use super::report::Refusals;

/// How many broken promises are kept word for word; all are counted.
const MAX_BROKEN_KEPT: usize = 20;

/// What a customer knows about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Acknowledged, by v1 with the id of the stored order.
    Acknowledged {
        /// From v1's answer.
        id: Option<i64>,
    },
    /// Every answer was a refusal; the last one's status.
    Refused(u16),
    /// Some attempt ended without an answer, or is under way: the order may be stored, or may not.
    Unknown,
}

/// An order as its customer sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOrder {
    /// Its idempotency key.
    pub message_id: Uuid,
    /// A drink of the menu.
    pub drink: Item,
    /// A store of the menu.
    pub store: Item,
    /// What was paid.
    pub price: Cents,
    /// When it was ordered.
    pub at: UtcInstant,
    /// What became of it.
    pub fate: Fate,
}

/// How many distinct orders met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Distinct orders sent at least once.
    pub sent: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Refused, and not acknowledged.
    pub refused: u64,
    /// Neither.
    pub unknown: u64,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    at: UtcInstant,
    cents: u32,
    fate: Fate,
    doubtful: bool,
    profile: u8,
    drink: u8,
    store: u8,
}

/// Remembers every order of a run by its key.
#[derive(Debug, Default)]
pub struct Ledger {
    menu: Menu,
    lines: HashMap<Uuid, Record>,
    owners: HashMap<i64, Uuid>,
    counts: [Counts; MAX_PROFILES],
    amount: Cents,
    requests: u64,
    repeats_confirmed: u64,
    refusals: BTreeMap<u16, Refusals>,
    last_unknown: Option<String>,
    broken: Vec<String>,
    broken_total: u64,
}

impl Ledger {
    pub(super) fn new(menu: Menu) -> Self {
        Self {
            menu,
            ..Self::default()
        }
    }

    /// Notes an order before its first byte leaves, so that an order whose customer dies counts as unknown.
    pub(super) fn sending(&mut self, outgoing: &Outgoing) {
        if let Entry::Vacant(vacant) = self.lines.entry(outgoing.message_id) {
            let purchase = outgoing.purchase;
            vacant.insert(Record {
                at: outgoing.at,
                cents: purchase.cents,
                fate: Fate::Unknown,
                doubtful: false,
                profile: purchase.profile,
                drink: purchase.drink,
                store: purchase.store,
            });
            let counts = &mut self.counts[usize::from(purchase.profile)];
            counts.sent += 1;
            counts.unknown += 1;
        }
    }

    /// Notes what one attempt showed. Returns whether it was the first acknowledgement of its order.
    pub(super) fn answered(&mut self, message_id: Uuid, answer: &Answer) -> bool {
        self.requests += 1;
        if let Answer::Refused {
            status,
            detail,
            retry_after,
        } = answer
        {
            let refusals = self.refusals.entry(*status).or_default();
            refusals.answers += 1;
            refusals.without_retry_after += u64::from(retry_after.is_none());
            if refusals.detail.is_empty() {
                refusals.detail.clone_from(detail);
            }
        }
        let Some(line) = self.lines.get(&message_id).copied() else {
            return false;
        };
        match answer {
            Answer::Acknowledged { id, wrong } => {
                if let Some(wrong) = wrong {
                    self.broke(format!("{message_id}: {wrong}"));
                }
                return self.acknowledge(message_id, line, *id);
            }
            Answer::Refused { status, detail, .. } => match line.fate {
                Fate::Acknowledged { .. } if is_final(*status) => {
                    self.broke(format!(
                        "{message_id}: was acknowledged, then refused with {status}: {detail}"
                    ));
                }
                Fate::Acknowledged { .. } => {}
                _ if line.doubtful => {}
                _ => self.settle(message_id, line, Fate::Refused(*status)),
            },
            Answer::Unknown(reason) => {
                self.last_unknown = Some(reason.clone());
                if !matches!(line.fate, Fate::Acknowledged { .. }) {
                    self.settle(message_id, Record { doubtful: true, ..line }, Fate::Unknown);
                }
            }
        }
        false
    }

    fn acknowledge(&mut self, message_id: Uuid, line: Record, id: Option<i64>) -> bool {
        if let Some(id) = id {
            let owner = *self.owners.entry(id).or_insert(message_id);
            if owner != message_id {
                self.broke(format!("the id {id} was given to {owner} and to {message_id}"));
            }
        }
        match line.fate {
            Fate::Acknowledged { id: first } => {
                self.repeats_confirmed += 1;
                if first != id {
                    let show = |id: Option<i64>| id.map_or("none".to_owned(), |id| id.to_string());
                    self.broke(format!(
                        "{message_id}: answered with id {}, then {}",
                        show(first),
                        show(id)
                    ));
                }
                return false;
            }
            Fate::Refused(status) if is_final(status) => {
                self.broke(format!("{message_id}: was refused with {status}, then acknowledged"));
            }
            Fate::Refused(_) | Fate::Unknown => {}
        }
        self.amount += Cents(i64::from(line.cents));
        self.settle(message_id, line, Fate::Acknowledged { id });
        true
    }

    fn settle(&mut self, message_id: Uuid, line: Record, fate: Fate) {
        let counts = &mut self.counts[usize::from(line.profile)];
        *counts.of(line.fate) -= 1;
        *counts.of(fate) += 1;
        self.lines.insert(message_id, Record { fate, ..line });
    }

    fn broke(&mut self, how: String) {
        self.broken_total += 1;
        if self.broken.len() < MAX_BROKEN_KEPT {
            self.broken.push(how);
        }
    }

    /// All orders of the run.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.iter().fold(Counts::default(), |sum, one| Counts {
            sent: sum.sent + one.sent,
            acknowledged: sum.acknowledged + one.acknowledged,
            refused: sum.refused + one.refused,
            unknown: sum.unknown + one.unknown,
        })
    }

    /// The orders of one profile, by its place in the options.
    #[must_use]
    pub fn counts_of(&self, profile: usize) -> Counts {
        self.counts.get(profile).copied().unwrap_or_default()
    }

    /// What the acknowledged orders cost together.
    #[must_use]
    pub fn acknowledged_amount(&self) -> Cents {
        self.amount
    }

    /// The acknowledged orders, in no order: the store must hold each exactly once.
    pub fn acknowledged(&self) -> impl Iterator<Item = LedgerOrder> + '_ {
        self.orders()
            .filter(|order| matches!(order.fate, Fate::Acknowledged { .. }))
    }

    /// The orders that the store may hold although no acknowledgement arrived.
    pub fn unknown(&self) -> impl Iterator<Item = LedgerOrder> + '_ {
        self.orders().filter(|order| order.fate == Fate::Unknown)
    }

    /// Every order that was sent, in no order. The store must hold no other.
    pub fn orders(&self) -> impl Iterator<Item = LedgerOrder> + '_ {
        self.lines.iter().map(|(message_id, line)| self.show(*message_id, line))
    }

    /// The order with that key, if it was sent.
    #[must_use]
    pub fn order(&self, message_id: Uuid) -> Option<LedgerOrder> {
        self.lines.get(&message_id).map(|line| self.show(message_id, line))
    }

    fn show(&self, message_id: Uuid, line: &Record) -> LedgerOrder {
        LedgerOrder {
            message_id,
            drink: self.menu.drinks[usize::from(line.drink)].clone(),
            store: self.menu.stores[usize::from(line.store)].clone(),
            price: Cents(i64::from(line.cents)),
            at: line.at,
            fate: line.fate,
        }
    }

    /// How many promises the node broke: an acknowledged key answered otherwise, or one id given to two keys.
    #[must_use]
    pub fn broken_total(&self) -> u64 {
        self.broken_total
    }

    /// The first broken promises in words.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// Requests that ended, repeats included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Acknowledgements of keys that had been acknowledged before.
    #[must_use]
    pub fn repeats_confirmed(&self) -> u64 {
        self.repeats_confirmed
    }

    /// Refusals by status, with the first detail given.
    #[must_use]
    pub fn refusals(&self) -> &BTreeMap<u16, Refusals> {
        &self.refusals
    }

    /// Why the last attempt of unknown outcome had none.
    #[must_use]
    pub fn last_unknown(&self) -> Option<&str> {
        self.last_unknown.as_deref()
    }
}

impl Counts {
    fn of(&mut self, fate: Fate) -> &mut u64 {
        match fate {
            Fate::Acknowledged { .. } => &mut self.acknowledged,
            Fate::Refused(_) => &mut self.refused,
            Fate::Unknown => &mut self.unknown,
        }
    }
}

/// Whether a refusal judges the order itself, so that the same order must always meet it.
fn is_final(status: u16) -> bool {
    matches!(status, 400 | 409 | 413 | 415 | 422)
}

#[cfg(test)]
mod tests {
    use super::super::profile::{Purchase, WireStyle};
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn ledger_with(orders: usize) -> (Ledger, Vec<Arc<Outgoing>>) {
        let menu = Menu::default();
        let mut ledger = Ledger::new(menu.clone());
        let sent: Vec<_> = (0..orders)
            .map(|_| {
                let (pause, wire) = (Duration::ZERO, WireStyle::Plain);
                let purchase = Purchase {
                    profile: 1,
                    drink: 2,
                    store: 3,
                    cents: 450,
                    taps: 1,
                    pause,
                    wire,
                };
                Outgoing::new(purchase, &menu, std::time::Instant::now())
            })
            .collect();
        for outgoing in &sent {
            ledger.sending(outgoing);
        }
        (ledger, sent)
    }

    fn stored(id: i64) -> Answer {
        Answer::Acknowledged {
            id: Some(id),
            wrong: None,
        }
    }

    fn refused(status: u16) -> Answer {
        Answer::Refused {
            status,
            detail: "no".into(),
            retry_after: None,
        }
    }

    #[test]
    fn an_acknowledgement_is_final_and_sums_up() {
        let (mut ledger, sent) = ledger_with(4);
        let key = |place: usize| sent[place].message_id;
        ledger.answered(key(0), &Answer::Unknown("cut".into()));
        assert!(ledger.answered(key(0), &stored(1)), "the first");
        assert!(!ledger.answered(key(0), &stored(1)), "a repeat");
        ledger.answered(key(1), &refused(503));
        ledger.answered(key(2), &Answer::Unknown("cut".into()));
        ledger.answered(key(2), &refused(503));
        let counts = Counts {
            sent: 4,
            acknowledged: 1,
            refused: 1,
            unknown: 2,
        };
        assert_eq!(
            (ledger.counts(), ledger.counts_of(1), ledger.counts_of(0)),
            (counts, counts, Counts::default())
        );
        assert_eq!(
            (ledger.acknowledged_amount(), ledger.repeats_confirmed()),
            (Cents(450), 1)
        );
        assert_eq!(
            ledger.acknowledged().map(|order| order.message_id).collect::<Vec<_>>(),
            [key(0)]
        );
        // A refusal after a lost answer proves nothing, and an order under way is unknown too.
        assert_eq!(ledger.unknown().count(), 2);
        assert_eq!((ledger.refusals()[&503].answers, ledger.broken_total()), (2, 0));
    }

    #[test]
    fn broken_promises_are_found() {
        type Story = [(usize, Answer); 2];
        let stories: [(Story, &str); 5] = [
            ([(0, stored(1)), (0, stored(2))], "answered with id 1, then 2"),
            ([(0, stored(1)), (1, stored(1))], "the id 1 was given to"),
            (
                [(0, stored(1)), (0, refused(422))],
                "was acknowledged, then refused with 422",
            ),
            (
                [(0, refused(422)), (0, stored(1))],
                "was refused with 422, then acknowledged",
            ),
            (
                [
                    (0, stored(1)),
                    (
                        1,
                        Answer::Acknowledged {
                            id: Some(2),
                            wrong: Some("odd".into()),
                        },
                    ),
                ],
                "odd",
            ),
        ];
        for (story, complaint) in stories {
            let (mut ledger, sent) = ledger_with(2);
            for (order, answer) in story {
                ledger.answered(sent[order].message_id, &answer);
            }
            assert_eq!(ledger.broken_total(), 1, "{complaint}");
            assert!(ledger.broken()[0].contains(complaint), "{}", ledger.broken()[0]);
        }
        let (mut ledger, sent) = ledger_with(1);
        for answer in [refused(503), stored(1), refused(503), refused(404), stored(1)] {
            ledger.answered(sent[0].message_id, &answer);
        }
        assert_eq!(ledger.broken_total(), 0, "a busy node breaks no promise");
    }
}
