//! What other programs write into a topic: orders, some of them again, and garbage of many kinds. The same seed makes the
//! same records.

use coffee_rt_actors::domain::{Item, Menu};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// Orders of the last ones that may come again.
const REMEMBERED: usize = 1_000;
/// Partitions that records are written to: as many as a node makes.
const PARTITIONS: usize = 4;

/// How many of the records are what, as shares of one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mixture {
    /// Orders that came shortly before, half of them in any partition.
    pub repeated: f64,
    /// What is no order, or another one under a key that was used.
    pub garbage: f64,
}

/// A record, and the partition that it goes to.
pub type Placed = (i32, Vec<u8>);

/// Records, made as they are asked for.
#[derive(Debug)]
pub struct Records {
    random: StdRng,
    mixture: Mixture,
    menu: Menu,
    left: u64,
    last: Vec<Placed>,
    oldest: usize,
    orders: u64,
    garbage: u64,
}

impl Records {
    /// So many, for a topic of nodes with that menu.
    #[must_use]
    pub fn mixed(seed: u64, count: u64, mixture: Mixture, menu: &Menu) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            mixture,
            menu: menu.clone(),
            left: count,
            last: Vec::with_capacity(REMEMBERED),
            oldest: 0,
            orders: 0,
            garbage: 0,
        }
    }

    /// Orders that are to be stored of the records made so far.
    #[must_use]
    pub const fn orders(&self) -> u64 {
        self.orders
    }

    /// Records made so far that are to be dead letters.
    #[must_use]
    pub const fn garbage(&self) -> u64 {
        self.garbage
    }

    fn order(&mut self) -> Placed {
        let random = &mut self.random;
        let store = random.random_range(0..self.menu.stores.len());
        let id = Uuid::from_u128(random.random());
        let price = match random.random_range(0..3) {
            0 => format!("{}", random.random_range(0..=20)),
            1 => format!("{}.{}", random.random_range(0..=9_999), random.random_range(0..10)),
            _ => format!(
                "\"{}.{:02}\"",
                random.random_range(0..=9_999),
                random.random_range(0..100)
            ),
        };
        let (minute, second) = (random.random_range(0..60), random.random_range(0..60));
        let hour = random.random_range(0..24);
        let end = match random.random_range(0..4) {
            0 => "Z".to_owned(),
            1 => format!(".{:06}Z", random.random_range(0..1_000_000)),
            2 => "+02:00".to_owned(),
            _ => format!(".{:03}", random.random_range(0..1_000)),
        };
        let drink = self.menu.drinks.choose(random).map_or("", Item::as_ref);
        let record = format!(
            r#"{{"message_id":"{id}","drink":"{drink}","store":"{}","price":{price},"timestamp":"2026-11-22T{hour:02}:{minute:02}:{second:02}{end}","version":"v3"}}"#,
            self.menu.stores[store]
        );
        (partition(store), record.into_bytes())
    }

    fn remember(&mut self, order: &Placed) {
        if self.last.len() < REMEMBERED {
            self.last.push(order.clone());
        } else {
            self.last[self.oldest].clone_from(order);
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
    }

    fn broken(&mut self) -> Placed {
        let (partition, whole) = self.order();
        let text = String::from_utf8(whole).unwrap_or_default();
        let broken = match self.random.random_range(0..11) {
            0 => return (partition, b"not json at all".to_vec()),
            1 => return (partition, text[..text.len() / 2].into()),
            2 => return (partition, vec![0xff, 0xfe, b'{', b'}']),
            3 => return (partition, b"[1,2,3]".to_vec()),
            4 => text.replacen("\"drink\":\"", "\"drink\":\"iced ", 1),
            5 => text.replacen("\"store\"", "\"shop\"", 1),
            6 => text.replacen("\"price\":", "\"price\":-1,\"was\":", 1),
            7 => text.replacen("\"price\":", "\"price\":10000.01,\"was\":", 1),
            8 => text.replacen("2026-11-22T", "2026-02-31T", 1),
            9 => text.replacen("\"message_id\":\"", "\"message_id\":\"no", 1),
            _ => match self.last.choose(&mut self.random) {
                Some((its, reused)) => {
                    // Another purchase under the key of one that came before it in the same partition.
                    let reused = String::from_utf8_lossy(reused);
                    let another = reused.replacen("2026-11-22T", "2026-11-21T", 1);
                    return (*its, another.into_bytes());
                }
                None => text.replacen("\"price\":", "\"price\":1.001,\"was\":", 1),
            },
        };
        (partition, broken.into_bytes())
    }

    fn again(&mut self) -> Option<Placed> {
        let (its, record) = self.last.choose(&mut self.random)?.clone();
        let elsewhere = self.random.random_bool(0.5);
        let other = partition(self.random.random_range(0..PARTITIONS));
        Some((if elsewhere { other } else { its }, record))
    }
}

impl Iterator for Records {
    type Item = Placed;

    fn next(&mut self) -> Option<Placed> {
        self.left = self.left.checked_sub(1)?;
        let kind = self.random.random::<f64>();
        if kind < self.mixture.garbage {
            self.garbage += 1;
            return Some(self.broken());
        }
        if kind < self.mixture.garbage + self.mixture.repeated
            && let Some(again) = self.again()
        {
            return Some(again);
        }
        let order = self.order();
        self.remember(&order);
        self.orders += 1;
        Some(order)
    }
}

fn partition(store: usize) -> i32 {
    i32::try_from(store % PARTITIONS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_records_in_the_shares_that_are_asked_for() {
        let mixture = Mixture {
            repeated: 0.05,
            garbage: 0.01,
        };
        let made = |seed| {
            let mut records = Records::mixed(seed, 20_000, mixture, &Menu::default());
            let all: Vec<_> = records.by_ref().collect();
            (all, records.orders(), records.garbage())
        };
        let (all, orders, garbage) = made(7);
        assert_eq!((all.clone(), orders, garbage), made(7));
        assert_ne!(all, made(8).0);
        assert_eq!(all.len(), 20_000);
        assert!((150..=250).contains(&garbage), "{garbage}");
        let repeated = 20_000 - orders - garbage;
        assert!((900..=1_100).contains(&repeated), "{repeated}");
        assert!(all.iter().all(|(partition, _)| (0..4).contains(partition)));
    }
}
