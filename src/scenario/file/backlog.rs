//! `[backlog]`: what is in v3's topic when the nodes start.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawSetup;
use crate::config::Version;
use crate::scenario::backlog::{Backlog, MAX_RECORDS};
use crate::scenario::records::Mixture;
use crate::scenario::services::Service;

/// Settings that name another topic than the usual one, which it is written to.
const OF_TOPIC: [&str; 2] = ["COFFEE_RT_V3__TOPIC", "COFFEE_RT_V3__PARTITIONS"];

/// What is in v3's topic when the nodes start; the loads begin when it is stored.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBacklog {
    /// How many.
    records: u64,
    /// Of a hundred, how many are an order that came shortly before, half of them in any partition.
    #[serde(default)]
    repeated_percent: f64,
    /// Of a hundred, how many are no order.
    #[serde(default)]
    garbage_percent: f64,
}

impl RawBacklog {
    pub(super) fn checked(&self, setup: &RawSetup) -> Result<Backlog, String> {
        if !setup.versions.0.contains(&Version::V3) || !setup.services.contains(&Service::Postgres) {
            return Err("a backlog is in v3's topic: add v3 to setup.versions".to_owned());
        }
        if setup.stored_orders > 0 {
            return Err("give either a backlog or setup.stored_orders".to_owned());
        }
        let mut settings = setup
            .settings
            .keys()
            .chain(setup.node_settings.values().flat_map(BTreeMap::keys));
        if let Some(other) = settings.find(|name| OF_TOPIC.contains(&name.as_str())) {
            return Err(format!("a backlog is in the usual topic: leave {other} away"));
        }
        if !(1..=MAX_RECORDS).contains(&self.records) {
            return Err(format!(
                "backlog.records must be between 1 and {MAX_RECORDS}, not {}",
                self.records
            ));
        }
        let percents = [self.repeated_percent, self.garbage_percent];
        let all: f64 = percents.iter().sum();
        if percents.iter().any(|percent| *percent < 0.0) || all.is_nan() || all > 90.0 {
            return Err(
                "backlog.repeated_percent and garbage_percent must be 0 or more, together at most 90".to_owned(),
            );
        }
        let [repeated, garbage] = percents.map(|percent| percent / 100.0);
        Ok(Backlog {
            records: self.records,
            mixture: Mixture { repeated, garbage },
        })
    }
}
