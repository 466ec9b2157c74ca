//! Credit: how much work may be under way. Mailboxes have no limit, so whatever is sent in number carries a permit.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::supervision::{Load, LoadProbe};

/// A limited number of permits. A permit that is lost with a killed actor's mailbox comes back by being dropped.
#[derive(Clone)]
pub struct Credit {
    permits: Arc<Semaphore>,
    limit: usize,
}

/// The right to have work under way; dropping it gives it back.
#[derive(Debug)]
pub struct Permit(OwnedSemaphorePermit);

impl Permit {
    /// Gives back all but so many of what were taken as one.
    #[must_use]
    pub fn reduced_to(mut self, weight: usize) -> Self {
        self.0.split(weight).map_or(self, Self)
    }
}

impl Credit {
    /// Credit for `limit` units of work.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limit)),
            limit,
        }
    }

    /// Takes a permit if there is one.
    #[must_use]
    pub fn try_take(&self) -> Option<Permit> {
        self.permits.clone().try_acquire_owned().ok().map(Permit)
    }

    /// Takes so many permits as one, if there are as many.
    #[must_use]
    pub fn try_take_all(&self, weight: usize) -> Option<Permit> {
        let permits = u32::try_from(weight).ok()?;
        self.permits.clone().try_acquire_many_owned(permits).ok().map(Permit)
    }

    /// Takes so many permits as one, or those that are left where there is one at least: what is heavier than the rest of
    /// the credit is let through, and nothing after it.
    #[must_use]
    pub fn try_take_heavy(&self, weight: usize) -> Option<Permit> {
        let permits = weight.min(self.available());
        (permits > 0).then(|| self.try_take_all(permits)).flatten()
    }

    /// Permits that are left.
    #[must_use]
    pub fn available(&self) -> usize {
        self.permits.available_permits()
    }

    /// Permits taken.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.limit.saturating_sub(self.available())
    }

    /// What is taken, and the limit to it.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            in_flight: self.in_flight() as u64,
            limit: Some(self.limit as u64),
        }
    }

    /// Shows this credit as a worker's load.
    #[must_use]
    pub fn probe(&self) -> LoadProbe {
        let credit = self.clone();
        Arc::new(move || credit.load())
    }
}
