//! Architecture versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// An architecture version: the same actors, wired to another transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// HTTP to SQL directly.
    V1,
    /// Through Redis Streams.
    V2,
    /// Through Kafka.
    V3,
}

impl Version {
    /// As it stands in paths, metrics and settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }

    /// The version of that number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        let index = usize::from(number).checked_sub(1)?;
        [Self::V1, Self::V2, Self::V3].into_iter().nth(index)
    }

    /// Where its orders are posted.
    #[must_use]
    pub const fn order_path(self) -> &'static str {
        match self {
            Self::V1 => "/api/v1/order",
            Self::V2 => "/api/v2/order",
            Self::V3 => "/api/v3/order",
        }
    }

    /// What a node needs to run this version.
    #[must_use]
    pub const fn needs(self) -> &'static str {
        match self {
            Self::V1 => "COFFEE_RT_VERSIONS to name v1",
            Self::V2 => "REDIS_URL, and COFFEE_RT_VERSIONS to name v2 or nothing",
            Self::V3 => "KAFKA_BOOTSTRAP_SERVERS, and COFFEE_RT_VERSIONS to name v3 or nothing",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            "v3" => Ok(Self::V3),
            other => Err(format!("{other:?} is no version: v1, v2 and v3 are")),
        }
    }
}

/// Versions as a list, or as a text with commas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Versions(pub Vec<Version>);

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Text(String),
            List(Vec<String>),
        }
        let names = match Given::deserialize(deserializer)? {
            Given::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
            Given::List(names) => names,
        };
        let versions: Result<Vec<Version>, _> = names.iter().map(|name| name.parse()).collect();
        let mut versions = versions.map_err(serde::de::Error::custom)?;
        versions.sort_unstable();
        versions.dedup();
        if versions.is_empty() {
            return Err(serde::de::Error::custom("name at least one version"));
        }
        Ok(Self(versions))
    }
}
