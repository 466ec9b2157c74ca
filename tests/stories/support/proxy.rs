//! A TCP proxy before PostgreSQL that loses the replies of commits, or forwards nothing for a while.
//!
//! It reads the frames of both directions just far enough to know a batcher's commit and the end of its reply.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Only a commit of a batch advances a shard.
const COMMIT_SQL: &[u8] = b"SET seq = seq + 1";
/// The protocol version of a start-up message; what comes before is a question about encryption.
const START_UP: [u8; 4] = [0, 3, 0, 0];
/// More than any frame of a story.
const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// The code of an error that says a row is there already.
const UNIQUE_VIOLATION: &[u8] = b"C23505\0";

/// Stands between a node and PostgreSQL until dropped; then all its connections break.
pub struct Proxy {
    shared: Arc<Shared>,
    /// The database's URL by way of this proxy.
    pub url: String,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// Replies still to be lost.
    armed: AtomicU64,
    lost: AtomicU64,
    frozen: watch::Sender<bool>,
    /// Grows; connections of an older generation are mute.
    forgotten: watch::Sender<u64>,
    connections: Mutex<Vec<AbortOnDropHandle<()>>>,
}

/// What both directions of a connection know.
#[derive(Default)]
struct Talk {
    /// Names of prepared statements that commit.
    commits: Vec<Vec<u8>>,
    started: bool,
    /// Whether the reply to the statement under way shall be lost.
    doomed: bool,
}

impl Proxy {
    /// Listens on a port of its own and forwards to where the URL points.
    pub async fn before(url: &str) -> Self {
        let mut url: url::Url = url.parse().unwrap();
        let upstream = SocketAddr::new(url.host_str().unwrap().parse().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, upstream, shared.clone()));
        Self {
            shared,
            url: url.to_string(),
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// The next commit's reply is lost once the commit took effect, and its connection breaks.
    pub fn lose_next_reply(&self) {
        self.shared.armed.store(1, Ordering::Relaxed);
    }

    /// Replies lost so far, each of a commit that took effect.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Goes on accepting connections and bytes, and forwards none.
    pub fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    pub fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }

    /// The connections that are open now carry nothing any more and are never closed, as if a firewall had forgotten
    /// them; new ones work. Returns how many there are.
    pub fn forget_connections(&self) -> usize {
        self.shared.forgotten.send_modify(|generation| *generation += 1);
        self.shared
            .connections
            .lock()
            .iter()
            .filter(|c| !c.is_finished())
            .count()
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, shared: Arc<Shared>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let connection = tokio::spawn(forward(client, upstream, shared.clone()));
        let mut connections = shared.connections.lock();
        connections.retain(|connection| !connection.is_finished());
        connections.push(AbortOnDropHandle::new(connection));
    }
}

/// Both directions end together, and both sockets with them.
async fn forward(client: TcpStream, upstream: SocketAddr, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let talk = Mutex::new(Talk::default());
    let mut forgotten = shared.forgotten.subscribe();
    let mut both = std::pin::pin!(async {
        tokio::select! {
            _ = requests(from_client, to_server, &talk, &shared) => {}
            _ = replies(from_server, to_client, &talk, &shared) => {}
        }
    });
    tokio::select! {
        biased;
        // The sockets stay open and unread.
        _ = forgotten.changed() => std::future::pending().await,
        () = &mut both => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    talk: &Mutex<Talk>,
    shared: &Shared,
) -> io::Result<()> {
    let mut frames = Frames::default();
    while frames.fill(&mut from).await? {
        thawed(shared).await;
        loop {
            let started = talk.lock().started;
            let Some(frame) = frames.next(started) else { break };
            if !started {
                talk.lock().started = frame[4..8] == START_UP;
            }
            talk.lock().heard(&frame, started, shared);
            to.write_all(&frame).await?;
        }
    }
    Ok(())
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    talk: &Mutex<Talk>,
    shared: &Shared,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let (mut held, mut committed, mut repeated) = (Vec::new(), false, false);
    while frames.fill(&mut from).await? {
        thawed(shared).await;
        if !talk.lock().started {
            to.write_all(&frames.take_all()).await?;
            continue;
        }
        while let Some(frame) = frames.next(true) {
            if !talk.lock().doomed {
                to.write_all(&frame).await?;
                continue;
            }
            held.extend_from_slice(&frame);
            match frame[0] {
                b'C' => committed = true,
                b'E' => {
                    let mut parts = frame.windows(UNIQUE_VIOLATION.len());
                    repeated = parts.any(|part| part == UNIQUE_VIOLATION);
                }
                // It held repeated orders and changed nothing; the next commit stores them another way.
                b'Z' if repeated => {
                    talk.lock().doomed = false;
                    shared.armed.store(1, Ordering::Relaxed);
                    to.write_all(&held).await?;
                    (held, repeated) = (Vec::new(), false);
                }
                b'Z' => {
                    assert!(
                        committed,
                        "an armed commit failed, so that losing its reply proves nothing"
                    );
                    shared.lost.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                _ => {}
            }
        }
    }
    Ok(())
}

async fn thawed(shared: &Shared) {
    let mut frozen = shared.frozen.subscribe();
    // The sender lives as long as the proxy.
    let _ = frozen.wait_for(|frozen| !frozen).await;
}

impl Talk {
    fn heard(&mut self, frame: &[u8], tagged: bool, shared: &Shared) {
        if !tagged {
            return;
        }
        let mut texts = frame[5..].split(|byte| *byte == 0);
        match frame[0] {
            // Parse: the statement's name, then its text.
            b'P' => {
                let (Some(name), Some(sql)) = (texts.next(), texts.next()) else {
                    return;
                };
                if sql.windows(COMMIT_SQL.len()).any(|part| part == COMMIT_SQL) {
                    self.commits.push(name.to_owned());
                }
            }
            // Bind: the portal, then the statement.
            b'B' => {
                let is_commit = texts
                    .nth(1)
                    .is_some_and(|name| self.commits.iter().any(|known| known == name));
                let disarm = || {
                    shared
                        .armed
                        .compare_exchange(1, 0, Ordering::Relaxed, Ordering::Relaxed)
                };
                self.doomed |= is_commit && disarm().is_ok();
            }
            _ => {}
        }
    }
}

/// Bytes of one direction, cut into frames.
#[derive(Default)]
struct Frames(BytesMut);

impl Frames {
    /// False at the end of the stream.
    async fn fill(&mut self, from: &mut OwnedReadHalf) -> io::Result<bool> {
        Ok(from.read_buf(&mut self.0).await? > 0)
    }

    /// The next whole frame; before the start-up frames have no tag.
    fn next(&mut self, tagged: bool) -> Option<BytesMut> {
        let tag = usize::from(tagged);
        let length = tag + self.0.get(tag..)?.first_chunk().copied().map(u32::from_be_bytes)? as usize;
        assert!(length <= MAX_FRAME_BYTES, "no frame of PostgreSQL: {length} bytes");
        (self.0.len() >= length).then(|| self.0.split_to(length))
    }

    fn take_all(&mut self) -> BytesMut {
        self.0.split()
    }
}
