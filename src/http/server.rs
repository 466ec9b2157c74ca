//! The accept loop: an actor that hands each connection to a task of its own.
//!
//! The listening socket and the connections' tasks belong to the node, not to the actor: a killed acceptor drops no
//! connection, and new ones wait in the kernel's backlog for the next generation.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffee_rt_actors::supervision::{Address, Failure, Worker};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::app::App;
use super::metrics::Labels;
use super::pieces::Pieces;
use super::{order, routes};

/// Connections that the kernel keeps while the acceptor is busy or dead.
const BACKLOG: u32 = 4_096;
/// The longest wait within one message, so that stops and faults are heard.
const LISTEN: Duration = Duration::from_millis(250);
/// The pause after a failed accept: the usual cause, too few file descriptors, does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The largest request header: the limit of what is read ahead, and of answers that wait to be sent.
const HEADER_BYTES: usize = 16 * 1024;
/// How long a refused connection may take to read its answer.
const REFUSAL_LIMIT: Duration = Duration::from_secs(1);
/// Refused connections that are being told so; further ones are closed without a word.
const MAX_REFUSALS: usize = 256;

/// The listening socket, until the node stops.
#[derive(Clone)]
pub struct Listening(Arc<Mutex<Option<Arc<TcpListener>>>>);

impl Listening {
    /// Listens on an address.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's.
    pub fn on(address: SocketAddr) -> std::io::Result<(Self, SocketAddr)> {
        let domain = if address.is_ipv4() {
            socket2::Domain::IPV4
        } else {
            socket2::Domain::IPV6
        };
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
        let listener = TcpListener::from_std(socket.into())?;
        let bound = listener.local_addr()?;
        Ok((Self(Arc::new(Mutex::new(Some(Arc::new(listener))))), bound))
    }

    /// Stops listening: further clients are refused by the kernel.
    pub fn close(&self) {
        self.0.lock().take();
    }

    fn listener(&self) -> Option<Arc<TcpListener>> {
        self.0.lock().clone()
    }
}

/// What an acceptor can be told.
pub enum AcceptorMsg {
    /// Accept for a while; it tells itself.
    Accept,
}

/// What an acceptor starts from.
#[derive(Clone)]
pub struct AcceptorArgs {
    listening: Listening,
    app: Arc<App>,
    routes: BoxedFilter<(Response,)>,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    read_deadline: Duration,
}

impl AcceptorArgs {
    /// An acceptor of at most `connections` at a time.
    #[must_use]
    pub fn new(listening: Listening, app: Arc<App>, connections: usize, read_deadline: Duration) -> Self {
        let routes = routes(&app);
        let (connections, refusals) = (
            Arc::new(Semaphore::new(connections)),
            Arc::new(Semaphore::new(MAX_REFUSALS)),
        );
        Self {
            listening,
            app,
            routes,
            connections,
            refusals,
            read_deadline,
        }
    }
}

/// Accepts connections.
pub struct Acceptor {
    me: Address<AcceptorMsg>,
    args: AcceptorArgs,
}

impl Worker for Acceptor {
    type Msg = AcceptorMsg;
    type Args = AcceptorArgs;

    async fn start(args: AcceptorArgs, me: Address<AcceptorMsg>) -> Result<Self, Failure> {
        let _ = me.send(AcceptorMsg::Accept);
        Ok(Self { me, args })
    }

    async fn handle(&mut self, AcceptorMsg::Accept: AcceptorMsg) -> Result<(), Failure> {
        let Some(listener) = self.args.listening.listener() else {
            return Ok(());
        };
        let accepted = tokio::select! {
            accepted = timeout(LISTEN, listener.accept()) => accepted,
            () = self.args.app.draining.cancelled() => return Ok(()),
        };
        match accepted {
            Ok(Ok((stream, _))) => {
                self.take(stream);
                self.me.worked();
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Err(_) => {}
        }
        let _ = self.me.send(AcceptorMsg::Accept);
        Ok(())
    }
}

impl Acceptor {
    fn take(&self, stream: TcpStream) {
        let args = self.args.clone();
        match args.connections.clone().try_acquire_owned() {
            Ok(permit) => drop(args.app.open.clone().spawn(serve(args, stream, permit))),
            Err(_) => {
                if let Ok(permit) = args.refusals.try_acquire_owned() {
                    tokio::spawn(async move {
                        let _ = timeout(REFUSAL_LIMIT, refuse(stream)).await;
                        drop(permit);
                    });
                }
            }
        }
    }
}

async fn serve(args: AcceptorArgs, stream: TcpStream, permit: OwnedSemaphorePermit) {
    // Answers are small and complete: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let AcceptorArgs {
        app,
        routes,
        read_deadline,
        ..
    } = args;
    let filters = hyper_util::service::TowerToHyperService::new(warp::service(routes));
    let (draining, silence) = (app.draining.clone(), Arc::new(Silence::begin()));
    let heard = silence.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        heard.end();
        let (began, labels) = (Instant::now(), Labels::of(&request));
        let (filters, app, heard) = (filters.clone(), app.clone(), heard.clone());
        async move {
            let response = match order::version_of(request.uri().path()) {
                Some(version) => order::answer(&app, version, request).await,
                // Boxed, so that an order does not carry the room that other requests need.
                None => Box::pin(filters.call(request)).await?,
            };
            let ended = Instant::now();
            app.metrics.count(labels, response.status(), ended - began);
            heard.begin_at(ended);
            Ok::<_, Infallible>(response.map(Pieces::of))
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEADER_BYTES)
        // An order that was read is placed whatever its sender does; looking for its end of the connection meanwhile
        // would take a second buffer for each order.
        .half_close(true)
        // Copying a small answer behind its head costs less than a write of two buffers; larger ones come in pieces.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let talk = async {
        tokio::select! {
            ended = &mut connection => return ended,
            () = draining.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    tokio::select! {
        ended = talk => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
        }
        () = silence.lasts(read_deadline) => tracing::debug!("connection closed: no request in time"),
    }
    drop(permit);
}

/// The time on a connection in which no request arrives: from the last answer to the next request's complete header. One
/// timer for each connection, where hyper's own header timeout makes one for each request.
struct Silence(Mutex<Option<Instant>>);

impl Silence {
    fn begin() -> Self {
        Self(Mutex::new(Some(Instant::now())))
    }

    fn begin_at(&self, at: Instant) {
        *self.0.lock() = Some(at);
    }

    fn end(&self) {
        *self.0.lock() = None;
    }

    /// Waits until a silence has lasted so long.
    async fn lasts(&self, limit: Duration) {
        loop {
            let since = *self.0.lock();
            match since.map(|since| since.elapsed()) {
                Some(lasted) if lasted >= limit => return,
                Some(lasted) => tokio::time::sleep(limit - lasted).await,
                None => tokio::time::sleep(limit).await,
            }
        }
    }
}

async fn refuse(mut stream: TcpStream) {
    const BODY: &str = r#"{"type":"urn:coffee-rt:problem:too-many-connections","title":"Service Unavailable","status":503,"detail":"all connections of this node are taken"}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
