//! Whose dead letters are meant, where the settings leave that open.

use crate::cli::{Exit, Failure};
use crate::config::{Config, Version};

/// The logs that the settings name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logs {
    /// Version 2 and 3: whether the settings say where its log is, and whether a node with them runs it.
    known: [(Version, bool, bool); 2],
}

impl Logs {
    pub(super) fn of(config: &Config) -> Self {
        let running = config.running_versions();
        let known = |version, is_set| (version, is_set, running.contains(&version));
        Self {
            known: [
                known(Version::V2, config.redis_url.is_some()),
                known(Version::V3, config.kafka_bootstrap_servers.is_some()),
            ],
        }
    }
}

/// The version whose dead letters are meant: the one that is asked for, else the only one that is set, else the only one
/// that the nodes run.
///
/// # Errors
/// [`Exit::Environment`] where its log is not set, [`Exit::Usage`] where it may be either.
pub(super) fn version(asked: Option<Version>, logs: &Logs) -> Result<Version, Failure> {
    let set = || logs.known.iter().filter(|(_, is_set, _)| *is_set);
    if let Some(asked) = asked {
        let is_set = set().any(|(version, _, _)| *version == asked);
        return if is_set { Ok(asked) } else { Err(not_set(asked)) };
    }
    let only = |versions: Vec<Version>| <[Version; 1]>::try_from(versions).map(|[version]| version);
    match only(set().map(|(version, _, _)| *version).collect()) {
        Ok(version) => Ok(version),
        Err(none) if none.is_empty() => {
            let reason = "dead-letters: neither redis_url nor kafka_bootstrap_servers is set: \
                          set REDIS_URL or KAFKA_BOOTSTRAP_SERVERS to that of the nodes";
            Err(Failure::new(Exit::Environment, reason))
        }
        Err(_) => {
            let running = set().filter(|(_, _, runs)| *runs);
            only(running.map(|(version, _, _)| *version).collect()).map_err(|_| {
                let reason = "dead-letters: Redis and Kafka are both set: \
                              give --version 2 for those of Redis, --version 3 for those of Kafka";
                Failure::new(Exit::Usage, reason)
            })
        }
    }
}

/// Why there are no dead letters of a version.
pub(super) fn not_set(version: Version) -> Failure {
    let reason = match version {
        Version::V3 => "no kafka_bootstrap_servers is set: set KAFKA_BOOTSTRAP_SERVERS to the Kafka of the nodes",
        _ => "no redis_url is set: set REDIS_URL to the Redis of the nodes",
    };
    Failure::new(Exit::Environment, format!("dead-letters: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(redis: (bool, bool), kafka: (bool, bool)) -> Logs {
        Logs {
            known: [(Version::V2, redis.0, redis.1), (Version::V3, kafka.0, kafka.1)],
        }
    }

    #[test]
    fn what_is_clear_need_not_be_said() {
        const NONE: (bool, bool) = (false, false);
        for (asked, redis, kafka, want) in [
            (None, (true, true), NONE, Ok(Version::V2)),
            (None, NONE, (true, true), Ok(Version::V3)),
            // Redis carries deltas, or Kafka is somebody else's.
            (None, (true, false), (true, true), Ok(Version::V3)),
            (None, (true, true), (true, false), Ok(Version::V2)),
            (None, (true, true), (true, true), Err(Exit::Usage)),
            (None, (true, false), (true, false), Err(Exit::Usage)),
            (None, NONE, NONE, Err(Exit::Environment)),
            (Some(Version::V3), (true, true), (true, false), Ok(Version::V3)),
            (Some(Version::V2), (true, true), (true, true), Ok(Version::V2)),
            (Some(Version::V3), (true, true), NONE, Err(Exit::Environment)),
        ] {
            let chosen = version(asked, &logs(redis, kafka)).map_err(|failure| failure.exit);
            assert_eq!(chosen, want, "{asked:?} {redis:?} {kafka:?}");
        }
    }
}
