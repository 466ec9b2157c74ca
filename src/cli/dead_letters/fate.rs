//! What is done to dead letters one by one, and what became of each.

use std::collections::HashSet;

use coffee_rt_actors::domain::{Menu, Order};
use coffee_rt_actors::ports::LogError;
use console::style;
use serde::Serialize;
use serde_json::value::RawValue;

use super::correction::Corrections;
use crate::adapters::dead_letter::{DeadLetter, DeadLetterBox, Keeper, Resubmission};

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Its order is in the log again.
    Resubmitted,
    /// The same, were this no dry run.
    WouldBeResubmitted,
    /// It stays where it is.
    Left,
    /// There is no such letter.
    Missing,
    /// It is deleted.
    Discarded,
}

/// What became of one dead letter.
#[derive(Debug, Serialize)]
pub(super) struct Fate {
    id: String,
    outcome: Outcome,
    /// The order as it is submitted.
    order: Option<Box<RawValue>>,
    /// Why it was left.
    why: Option<String>,
}

impl Fate {
    /// Whether what was asked for was done, or could be.
    pub(super) const fn is_well(&self) -> bool {
        !matches!(self.outcome, Outcome::Left | Outcome::Missing)
    }

    /// Whether the letter was there and is not any more.
    pub(super) const fn has_taken_it_away(&self) -> bool {
        matches!(self.outcome, Outcome::Resubmitted | Outcome::Discarded)
    }

    fn new(id: &str, outcome: Outcome) -> Self {
        Self {
            id: id.to_owned(),
            outcome,
            order: None,
            why: None,
        }
    }

    fn left(id: &str, why: String) -> Self {
        Self {
            why: Some(why),
            ..Self::new(id, Outcome::Left)
        }
    }

    fn submitted(id: &str, outcome: Outcome, order: &Order) -> Self {
        Self {
            order: serde_json::from_slice(&order.to_record()).ok(),
            ..Self::new(id, outcome)
        }
    }

    fn line(&self) -> String {
        let order = self.order.as_ref().map(|order| order.get()).unwrap_or_default();
        let what = match self.outcome {
            Outcome::Resubmitted => format!("{}: {order}", style("re-submitted").green()),
            Outcome::WouldBeResubmitted => format!("would be re-submitted: {order}"),
            Outcome::Discarded => "deleted for good".to_owned(),
            Outcome::Left => {
                let why = self.why.as_deref().unwrap_or_default();
                format!("{}: {why}", style("left where it is").red())
            }
            Outcome::Missing => {
                let missing = style("is not there").red();
                format!("{missing}: `coffee-rt dead-letters` lists those that are")
            }
        };
        format!("{}  {what}", self.id)
    }
}

/// A line for each, and how many there are of each kind.
pub(super) fn lines(fates: &[Fate]) -> Vec<String> {
    if fates.is_empty() {
        return vec!["no dead letters".to_owned()];
    }
    let mut lines: Vec<String> = fates.iter().map(Fate::line).collect();
    if fates.len() > 1 {
        let well = fates.iter().filter(|fate| fate.is_well()).count();
        lines.push(format!("{well} of {} done", fates.len()));
    }
    lines
}

/// Submits again.
pub(super) struct Resubmitting<'a> {
    pub(super) letters: &'a dyn DeadLetterBox,
    pub(super) menu: &'a Menu,
    pub(super) corrections: &'a Corrections,
    pub(super) dry_run: bool,
}

impl Resubmitting<'_> {
    /// The letters of those ids.
    pub(super) async fn these(&self, ids: Vec<String>, fates: &mut Vec<Fate>) -> Result<(), LogError> {
        for id in each_once(ids) {
            let fate = match self.letters.find(&id).await? {
                Some(letter) => self.one(&letter).await?,
                None => Fate::new(&id, Outcome::Missing),
            };
            fates.push(fate);
        }
        Ok(())
    }

    /// All letters of a reason, the oldest first. As many as there are now: one that comes back is not tried again.
    pub(super) async fn all(&self, reason: Option<&str>, fates: &mut Vec<Fate>) -> Result<(), LogError> {
        let mut rest = self.letters.count().await?;
        let mut beyond: Option<String> = None;
        while rest > 0 {
            let page = self.letters.oldest_first(beyond.as_deref()).await?;
            let Some(last) = page.last() else { break };
            beyond = Some(last.id.clone());
            for letter in page.iter().take(usize::try_from(rest).unwrap_or(usize::MAX)) {
                if reason.is_none_or(|reason| reason == letter.reason) {
                    fates.push(self.one(letter).await?);
                }
            }
            rest = rest.saturating_sub(page.len() as u64);
        }
        Ok(())
    }

    async fn one(&self, letter: &DeadLetter) -> Result<Fate, LogError> {
        let order = match self.corrections.apply(letter, self.menu) {
            Ok(order) => order,
            Err(why) => return Ok(Fate::left(&letter.id, why)),
        };
        if self.dry_run {
            return Ok(Fate::submitted(&letter.id, Outcome::WouldBeResubmitted, &order));
        }
        Ok(match self.letters.resubmit(letter, &order).await? {
            Resubmission::Done => Fate::submitted(&letter.id, Outcome::Resubmitted, &order),
            Resubmission::Missing => Fate::new(&letter.id, Outcome::Missing),
            Resubmission::Full => {
                let Keeper {
                    log,
                    backlog_setting,
                    backlog_limit,
                    ..
                } = self.letters.keeper();
                let why = format!(
                    "the {log} is full ({backlog_setting} = {backlog_limit}): \
                     try again when the nodes have stored some of it"
                );
                Fate::left(&letter.id, why)
            }
        })
    }
}

/// Deletes the letters of those ids.
pub(super) async fn discard_these(
    letters: &dyn DeadLetterBox,
    ids: Vec<String>,
    fates: &mut Vec<Fate>,
) -> Result<(), LogError> {
    for id in each_once(ids) {
        let outcome = if letters.discard(&id).await? {
            Outcome::Discarded
        } else {
            Outcome::Missing
        };
        fates.push(Fate::new(&id, outcome));
    }
    Ok(())
}

fn each_once(ids: Vec<String>) -> impl Iterator<Item = String> {
    let mut seen = HashSet::new();
    ids.into_iter().filter(move |id| seen.insert(id.clone()))
}
