//! What is really in the store, read behind the node's back, and what customers were told.

use std::ops::Deref;

use coffee_rt::load::Ledger;
use coffee_rt::scenario::books::{self, Before};

use super::Database;

/// Every stored order.
pub struct Books(books::Books);

impl Books {
    pub async fn read(database: &Database) -> Self {
        Self::since(database, &Before::default()).await
    }

    /// Without what was stored before.
    pub async fn since(database: &Database, before: &Before) -> Self {
        let file = database.sqlite_file();
        Self(books::Books::read(database.direct_url(), &file, before).await.unwrap())
    }
}

impl Deref for Books {
    type Target = books::Books;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Every way in which a promise is broken, where nothing was stored before.
pub fn broken_promises(ledgers: &[&Ledger], books: &Books) -> Vec<String> {
    books::broken_promises(ledgers, books, &Before::default())
}

/// Nothing acknowledged may be missing, nothing may be there twice, nothing may be there that nobody sent.
pub fn check_ledger(ledger: &Ledger, books: &Books) {
    check_ledgers(&[ledger], books);
}

/// The same for the customers of several nodes.
pub fn check_ledgers(ledgers: &[&Ledger], books: &Books) {
    let broken = broken_promises(ledgers, books);
    assert!(
        broken.is_empty(),
        "{} broken promises, first: {:#?}",
        broken.len(),
        &broken[..broken.len().min(10)]
    );
    assert!(
        ledgers.iter().all(|ledger| ledger.counts().acknowledged > 0),
        "nothing was acknowledged: this proves nothing"
    );
}
