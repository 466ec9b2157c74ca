//! Drinks and stores by number: what rows hold in place of names.

use std::collections::HashMap;

use coffee_rt_actors::domain::Item;

/// The numbers of all names that a store has ever seen, its own menu's and other nodes'.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    drinks: HashMap<Item, i16>,
    stores: HashMap<Item, i16>,
}

impl Catalog {
    pub(crate) fn new(drinks: Vec<(i16, String)>, stores: Vec<(i16, String)>) -> Self {
        let by_name = |names: Vec<(i16, String)>| names.into_iter().map(|(id, name)| (Item::from(name), id)).collect();
        Self {
            drinks: by_name(drinks),
            stores: by_name(stores),
        }
    }

    pub(crate) fn drink(&self, name: &str) -> Option<i16> {
        self.drinks.get(name).copied()
    }

    pub(crate) fn store(&self, name: &str) -> Option<i16> {
        self.stores.get(name).copied()
    }
}

/// Names read from rows, each allocated once.
#[derive(Default)]
pub(crate) struct Names(std::collections::HashSet<Item>);

impl Names {
    pub(crate) fn item(&mut self, name: &str) -> Item {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let item = Item::from(name);
        self.0.insert(item.clone());
        item
    }
}
