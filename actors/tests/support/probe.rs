//! Workers that tell what happens to them, and a tree that runs them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use coffee_rt_actors::supervision::{
    ActorStatus, Address, ChildSpec, Failure, Fault, Meltdown, NodeState, RestartPolicy, Slot, Strategy,
    SupervisorSpec, Tree, Worker, run_guarded,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, eventually};

/// What happened, in order: `start a`, `stop a`, `end a`.
pub type Log = Arc<Mutex<Vec<String>>>;

type Hook = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One probe of a test, through all its generations.
#[derive(Clone)]
pub struct Probe {
    pub name: Arc<str>,
    pub slot: Slot<ProbeMsg>,
    pub log: Log,
    counts: Arc<Counts>,
    /// Awaited at the beginning of each start.
    pub on_start: Arc<Mutex<Option<Hook>>>,
}

#[derive(Default)]
struct Counts {
    live: AtomicI64,
    most_live: AtomicI64,
    starts: AtomicU32,
    failing_starts: AtomicU32,
    hang_in_stop: AtomicBool,
}

pub enum ProbeMsg {
    Ping(oneshot::Sender<u32>),
    Fail,
    Sleep(Duration),
}

impl Probe {
    pub fn new(name: &str, log: &Log) -> Self {
        Self {
            name: name.into(),
            slot: Slot::default(),
            log: log.clone(),
            counts: Arc::default(),
            on_start: Arc::default(),
        }
    }

    pub fn spec(&self) -> ChildSpec {
        ChildSpec::worker::<Probing>(&*self.name, self.clone(), self.slot.clone())
    }

    pub fn live(&self) -> i64 {
        self.counts.live.load(Ordering::SeqCst)
    }

    /// The most generations that ever lived at the same time.
    pub fn most_live(&self) -> i64 {
        self.counts.most_live.load(Ordering::SeqCst)
    }

    pub fn starts(&self) -> u32 {
        self.counts.starts.load(Ordering::SeqCst)
    }

    pub fn fail_starts(&self, times: u32) {
        self.counts.failing_starts.store(times, Ordering::SeqCst);
    }

    pub fn failing_starts_left(&self) -> u32 {
        self.counts.failing_starts.load(Ordering::SeqCst)
    }

    pub fn hang_in_stop(&self) {
        self.counts.hang_in_stop.store(true, Ordering::SeqCst);
    }

    pub fn before_start<F: Future<Output = ()> + Send + 'static>(&self, hook: impl Fn() -> F + Send + Sync + 'static) {
        *self.on_start.lock() = Some(Arc::new(move || Box::pin(hook())));
    }

    /// Asks the present generation for its number, once there is one.
    pub async fn ping(&self) -> Option<u32> {
        let (reply, answer) = oneshot::channel();
        timeout(PATIENCE, self.slot.ready()).await.expect("no generation");
        self.slot.send(ProbeMsg::Ping(reply)).ok()?;
        answer.await.ok()
    }

    /// Pings until some generation answers.
    pub async fn answers(&self) -> u32 {
        let pinging = async {
            loop {
                match self.ping().await {
                    Some(generation) => return generation,
                    None => sleep(Duration::from_millis(1)).await,
                }
            }
        };
        timeout(PATIENCE, pinging)
            .await
            .unwrap_or_else(|_| panic!("{} does not answer", self.name))
    }

    fn note(&self, what: &str) {
        self.log.lock().push(format!("{what} {}", self.name));
    }
}

pub struct Probing {
    probe: Probe,
    generation: u32,
}

impl Worker for Probing {
    type Msg = ProbeMsg;
    type Args = Probe;

    async fn start(probe: Probe, _: Address<ProbeMsg>) -> Result<Self, Failure> {
        let hook = probe.on_start.lock().clone();
        if let Some(hook) = hook {
            hook().await;
        }
        let counts = &probe.counts;
        let fails = counts
            .failing_starts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() {
            probe.note("fail");
            return Err("told to fail its start".into());
        }
        let live = counts.live.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most_live.fetch_max(live, Ordering::SeqCst);
        let generation = counts.starts.fetch_add(1, Ordering::SeqCst) + 1;
        probe.note("start");
        Ok(Self { probe, generation })
    }

    async fn handle(&mut self, message: ProbeMsg) -> Result<(), Failure> {
        match message {
            ProbeMsg::Ping(reply) => drop(reply.send(self.generation)),
            ProbeMsg::Fail => return Err("told to fail".into()),
            ProbeMsg::Sleep(time) => sleep(time).await,
        }
        Ok(())
    }

    async fn stop(&mut self) {
        self.probe.note("stop");
        if self.probe.counts.hang_in_stop.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.probe.counts.live.fetch_sub(1, Ordering::SeqCst);
        self.probe.note("end");
    }
}

/// A tree that runs in the background.
pub struct Grove {
    pub tree: Arc<Tree>,
    shutdown: Option<oneshot::Sender<()>>,
    guardian: JoinHandle<Result<(), Meltdown>>,
}

pub fn supervisor(strategy: Strategy, policy: RestartPolicy, children: Vec<ChildSpec>) -> SupervisorSpec {
    SupervisorSpec {
        strategy,
        policy,
        children,
    }
}

impl Grove {
    /// Starts a tree and waits until all of it runs.
    pub async fn plant(root: SupervisorSpec) -> Self {
        let grove = Self::sow(root);
        grove.all_running().await;
        grove
    }

    pub fn sow(root: SupervisorSpec) -> Self {
        let (shutdown, asked) = oneshot::channel::<()>();
        let tree = Arc::new(Tree::default());
        let guardian = tokio::spawn(run_guarded(root, tree.clone(), async {
            let _ = asked.await;
        }));
        Self {
            tree,
            shutdown: Some(shutdown),
            guardian,
        }
    }

    pub async fn all_running(&self) {
        let runs = |node: &ActorStatus| node.state == NodeState::Running;
        eventually("everything runs", || {
            let nodes = self.tree.snapshot();
            !nodes.is_empty() && nodes.iter().all(runs)
        })
        .await;
    }

    pub fn node(&self, path: &str) -> ActorStatus {
        let nodes = self.tree.snapshot();
        nodes.into_iter().find(|node| &*node.path == path).expect(path)
    }

    pub fn generations(&self, paths: &[&str]) -> Vec<u64> {
        paths.iter().map(|path| self.node(path).generation).collect()
    }

    /// Injects a fault and waits until the actor and everything else runs again.
    pub async fn hit(&self, path: &str, fault: Fault) {
        let before = self.node(path).generation;
        self.tree.inject(path, fault).expect(path);
        eventually("the next generation", || self.node(path).generation > before).await;
        self.all_running().await;
    }

    /// Asks for the drain.
    pub fn ask_to_drain(&mut self) {
        self.shutdown.take();
    }

    /// What the guardian returns.
    pub async fn outcome(self) -> Result<(), Meltdown> {
        timeout(PATIENCE * 2, self.guardian)
            .await
            .expect("the guardian does not return")
            .unwrap()
    }

    pub async fn drain(mut self) -> Result<(), Meltdown> {
        self.ask_to_drain();
        self.outcome().await
    }
}
