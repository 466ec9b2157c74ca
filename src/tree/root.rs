//! The root of every node's tree.
//!
//! ```text
//! root                 one_for_one
//! ├── shared           one_for_one   what all versions need            (shared.rs)
//! ├── v1               one_for_one   HTTP to SQL directly              (v1_direct.rs)
//! ├── v2               one_for_one   HTTP to Redis Streams to SQL      (v2_redis_streams.rs), only with Redis
//! ├── v3               one_for_one   HTTP to Kafka to SQL              (v3_kafka.rs), only with Kafka
//! └── http             worker        accepts connections; last, so that what it calls is there
//! ```

use coffee_rt_actors::supervision::{ChildSpec, RestartPolicy, Slot, Strategy, SupervisorSpec};

use crate::http::{Acceptor, AcceptorArgs};

/// What hangs below the root.
pub struct Branches {
    /// What all versions need.
    pub shared: SupervisorSpec,
    /// A branch for each version that runs, by its name.
    pub versions: Vec<(&'static str, SupervisorSpec)>,
    /// The acceptor of connections.
    pub http: AcceptorArgs,
}

/// The whole tree.
#[must_use]
pub fn root(branches: Branches) -> SupervisorSpec {
    let Branches { shared, versions, http } = branches;
    let mut children = vec![ChildSpec::supervisor("shared", shared)];
    children.extend(
        versions
            .into_iter()
            .map(|(name, spec)| ChildSpec::supervisor(name, spec)),
    );
    children.push(ChildSpec::worker::<Acceptor>("http", http, Slot::default()));
    SupervisorSpec {
        strategy: Strategy::OneForOne,
        policy: RestartPolicy::default(),
        children,
    }
}
