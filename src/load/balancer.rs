//! Which node a request goes to: the only one, or the next of those that say that they are ready, as behind a balancer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::attempt::Target;
use super::options::Options;
use crate::client::NodeClient;

/// How often each node is asked whether it is ready.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// How long it may take to say so.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// The nodes of a run.
#[derive(Debug)]
pub(super) struct Balancer {
    nodes: Vec<Node>,
    /// Whose turn it is.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Node {
    target: Target,
    client: NodeClient,
    ready: AtomicBool,
}

impl Balancer {
    /// Takes the addresses from the options; complains where one is no plain HTTP address.
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let urls = std::iter::once(&options.url).chain(&options.more_urls);
        let node = |url: &Url| {
            Ok(Node {
                target: Target::new(url, options)?,
                client: NodeClient::new(url, None).map_err(|error| error.to_string())?,
                ready: AtomicBool::new(true),
            })
        };
        Ok(Self {
            nodes: urls.map(node).collect::<Result<_, String>>()?,
            turn: AtomicUsize::new(0),
        })
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node for the next request, and its place. Where none is ready, any of them may be again.
    pub(super) fn next(&self) -> (usize, &Target) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let ready = |place: &usize| self.nodes[*place].ready.load(Ordering::Relaxed);
        let able = (0..self.nodes.len()).filter(ready).count();
        let place = match able {
            0 => turn % self.nodes.len(),
            // One of them may have ceased to be ready since.
            able => (0..self.nodes.len()).filter(ready).nth(turn % able).unwrap_or_default(),
        };
        (place, &self.nodes[place].target)
    }

    /// Asks the nodes whether they are ready, for ever. Of a single one it need not be known.
    pub(super) async fn probe(&self) {
        if self.nodes.len() < 2 {
            return;
        }
        futures_util::future::join_all(self.nodes.iter().map(Node::probe)).await;
    }
}

impl Node {
    /// Each by itself: one that is slow to answer must not delay what the others say.
    async fn probe(&self) {
        let mut tick = tokio::time::interval(PROBE_INTERVAL);
        loop {
            tick.tick().await;
            let answer = tokio::time::timeout(PROBE_LIMIT, self.client.get::<Value>("/readyz")).await;
            self.ready.store(matches!(answer, Ok(Ok(_))), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_ready_take_turns() {
        let url = |port: u16| Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let mut options = Options::new(url(1));
        options.more_urls = vec![url(2), url(3)];
        let balancer = Balancer::new(&options).unwrap();
        let turns = |count: usize| (0..count).map(|_| balancer.next().0).collect::<Vec<_>>();
        assert_eq!(turns(4), [0, 1, 2, 0]);
        balancer.nodes[1].ready.store(false, Ordering::Relaxed);
        let mut turns_of_two = turns(6);
        turns_of_two.sort_unstable();
        assert_eq!(turns_of_two, [0, 0, 0, 2, 2, 2]);
        for node in &balancer.nodes {
            node.ready.store(false, Ordering::Relaxed);
        }
        assert_eq!(turns(3).len(), 3);
    }
}
