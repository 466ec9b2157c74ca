//! What can be ordered and where: the configured lists of drinks and stores.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a drink or of a store, shared by everything that mentions it.
pub type Item = Arc<str>;

/// The most entries in either list: keeps metric labels and rollups bounded.
pub const MAX_MENU_ITEMS: usize = 64;
/// The longest name, in bytes.
pub const MAX_ITEM_BYTES: usize = 40;

/// The drinks and stores that orders may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    /// Names of drinks.
    pub drinks: Vec<Item>,
    /// Names of stores.
    pub stores: Vec<Item>,
}

/// Why a menu cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("menu.{list}: {reason}")]
pub struct MenuError {
    list: &'static str,
    reason: String,
}

impl Default for Menu {
    fn default() -> Self {
        Self {
            drinks: ["cappuccino", "americano", "latte"].map(Item::from).to_vec(),
            stores: ["uptown", "downtown", "central", "southend"].map(Item::from).to_vec(),
        }
    }
}

impl Menu {
    /// Checks both lists: 1 to [`MAX_MENU_ITEMS`] names, each of 1 to [`MAX_ITEM_BYTES`] printable bytes, none twice.
    ///
    /// # Errors
    /// Names the list and what is wrong in it.
    pub fn validate(&self) -> Result<(), MenuError> {
        for (list, items) in [("drinks", &self.drinks), ("stores", &self.stores)] {
            let complain = |reason: String| Err(MenuError { list, reason });
            if items.is_empty() || items.len() > MAX_MENU_ITEMS {
                return complain(format!("needs 1 to {MAX_MENU_ITEMS} names, has {}", items.len()));
            }
            for (index, item) in items.iter().enumerate() {
                if item.is_empty() || item.len() > MAX_ITEM_BYTES || item.chars().any(char::is_control) {
                    return complain(format!("{item:?} needs 1 to {MAX_ITEM_BYTES} printable bytes"));
                }
                if items[..index].contains(item) {
                    return complain(format!("{item:?} stands twice"));
                }
            }
        }
        Ok(())
    }

    /// The drink of that name, if it is on the menu.
    #[must_use]
    pub fn drink(&self, name: &str) -> Option<Item> {
        find(&self.drinks, name)
    }

    /// The store of that name, if there is one.
    #[must_use]
    pub fn store(&self, name: &str) -> Option<Item> {
        find(&self.stores, name)
    }
}

fn find(items: &[Item], name: &str) -> Option<Item> {
    items.iter().find(|item| item.as_ref() == name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_menus_are_named() {
        assert_eq!(Menu::default().validate(), Ok(()));
        let with = |drinks: &[&str]| Menu {
            drinks: drinks.iter().map(|d| Item::from(*d)).collect(),
            ..Menu::default()
        };
        assert_eq!(
            with(&[]).validate().unwrap_err().to_string(),
            "menu.drinks: needs 1 to 64 names, has 0"
        );
        assert_eq!(
            with(&["a", "a"]).validate().unwrap_err().to_string(),
            "menu.drinks: \"a\" stands twice"
        );
        assert!(with(&["a\n"]).validate().is_err());
        assert!(with(&[&"x".repeat(41)]).validate().is_err());
    }
}
