//! Reads parts of a report that is flattened into another structure. There, serde has no raw JSON left to give, and takes keys
//! for text.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::Cents;
use serde::de::{Deserialize, Deserializer, Error};

use super::report::Refusals;

pub(super) fn cents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cents, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    serde_json::from_str(&number.to_string()).map_err(Error::custom)
}

pub(super) fn by_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u16, Refusals>, D::Error> {
    let refusals = BTreeMap::<String, Refusals>::deserialize(deserializer)?;
    let refusals = refusals.into_iter();
    let refusals = refusals.map(|(status, refusals)| Ok((status.parse().map_err(Error::custom)?, refusals)));
    refusals.collect()
}
