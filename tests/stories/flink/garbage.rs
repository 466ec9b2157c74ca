//! What other programs write into a topic: orders, some of them again, and garbage of many kinds.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

const DRINKS: [&str; 3] = ["cappuccino", "americano", "latte"];
const STORES: [&str; 4] = ["uptown", "downtown", "central", "southend"];
/// Orders of the last ones that may come again.
const REMEMBERED: usize = 1_000;

/// How many of the records are what.
pub struct Mixture {
    pub repeated: f64,
    pub garbage: f64,
}

/// Records, each with the partition that it goes to.
pub struct Records {
    records: Vec<(i32, Vec<u8>)>,
    orders: usize,
    garbage: BTreeMap<&'static str, usize>,
}

impl Records {
    pub fn mixed(seed: u64, count: usize, mixture: &Mixture) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut all = Self {
            records: Vec::with_capacity(count),
            orders: 0,
            garbage: BTreeMap::new(),
        };
        let mut last: Vec<(i32, Vec<u8>)> = Vec::with_capacity(REMEMBERED);
        for number in 0..count {
            let kind = random.random::<f64>();
            if kind < mixture.garbage {
                let (reason, partition, record) = garbage(&mut random, &last);
                *all.garbage.entry(reason).or_default() += 1;
                all.records.push((partition, record));
            } else if let Some(again) = last
                .choose(&mut random)
                .filter(|_| kind < mixture.garbage + mixture.repeated)
            {
                all.records.push(again.clone());
            } else {
                let new = order(&mut random);
                if last.len() < REMEMBERED {
                    last.push(new.clone());
                } else {
                    last[number % REMEMBERED] = new.clone();
                }
                all.records.push(new);
                all.orders += 1;
            }
        }
        all
    }

    pub fn to_write(&self) -> Vec<(i32, Vec<u8>)> {
        self.records.clone()
    }

    /// Orders that are to be stored.
    pub fn orders(&self) -> usize {
        self.orders
    }

    /// Records that are to be dead letters.
    pub fn garbage(&self) -> usize {
        self.garbage.values().sum()
    }
}

fn order(random: &mut StdRng) -> (i32, Vec<u8>) {
    let store = random.random_range(0..STORES.len());
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
    let drink = DRINKS.choose(random).unwrap();
    let record = format!(
        r#"{{"message_id":"{id}","drink":"{drink}","store":"{}","price":{price},"timestamp":"2026-11-22T{hour:02}:{minute:02}:{second:02}{end}","version":"v3"}}"#,
        STORES[store]
    );
    (i32::try_from(store).unwrap(), record.into_bytes())
}

/// Its reason, its partition and the record.
fn garbage(random: &mut StdRng, orders: &[(i32, Vec<u8>)]) -> (&'static str, i32, Vec<u8>) {
    let (partition, whole) = order(random);
    let text = String::from_utf8(whole).unwrap();
    let broken = match random.random_range(0..11) {
        0 => return ("unreadable", partition, b"not json at all".to_vec()),
        1 => return ("unreadable", partition, text[..text.len() / 2].into()),
        2 => return ("unreadable", partition, vec![0xff, 0xfe, b'{', b'}']),
        3 => return ("invalid", partition, b"[1,2,3]".to_vec()),
        4 => text.replacen("\"drink\":\"", "\"drink\":\"iced ", 1),
        5 => text.replacen("\"store\"", "\"shop\"", 1),
        6 => text.replacen("\"price\":", "\"price\":-1,\"was\":", 1),
        7 => text.replacen("\"price\":", "\"price\":10000.01,\"was\":", 1),
        8 => text.replacen("2026-11-22T", "2026-02-31T", 1),
        9 => text.replacen("\"message_id\":\"", "\"message_id\":\"no", 1),
        _ => match orders.choose(random) {
            Some((its, reused)) => {
                // Another purchase under the key of one that came before it in the same partition.
                let reused = String::from_utf8(reused.clone()).unwrap();
                let another = reused.replacen("2026-11-22T", "2026-11-21T", 1);
                return ("key_reused", *its, another.into_bytes());
            }
            None => text.replacen("\"price\":", "\"price\":1.001,\"was\":", 1),
        },
    };
    ("invalid", partition, broken.into_bytes())
}
