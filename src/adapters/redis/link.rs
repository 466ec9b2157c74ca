//! A connection that is opened when it is needed, and thrown away whenever there is doubt about it.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::ports::LogError;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, RedisError, Script, Value};

/// How long a connection may take to be ready.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a command may take to be answered, beyond what it is told to wait.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a Redis URL cannot be used; never shows the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Redis URL {0}")]
pub struct UrlError(String);

/// Reads a Redis URL and does no I/O.
pub(super) fn client(url: &str) -> Result<Client, UrlError> {
    let unusable = |error: RedisError| UrlError(format!("is not usable: {error}"));
    let info = url.into_connection_info().map_err(unusable)?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    Client::open(info).map_err(unusable)
}

/// One use of a Redis: its commands share a connection and are answered in their order.
#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    connection: Arc<Mutex<Option<MultiplexedConnection>>>,
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            connection: Arc::default(),
        }
    }

    /// Sends a command.
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, LogError> {
        let mut connection = self.connect().await?;
        let answer = connection.send_packed_command(command).await;
        self.sort(answer.and_then(Value::extract_error))
    }

    /// Runs a script, which is loaded where Redis does not have it.
    pub(super) async fn run(
        &self,
        script: &Script,
        keys: &[&str],
        fill: impl FnOnce(&mut redis::ScriptInvocation<'_>),
    ) -> Result<Value, LogError> {
        let mut connection = self.connect().await?;
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(*key);
        }
        fill(&mut invocation);
        let answer = invocation.invoke_async(&mut connection).await;
        self.sort(answer)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, LogError> {
        if let Some(connection) = self.connection.lock().clone() {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let connection = connecting.await.map_err(|error| away(&error))?;
        *self.connection.lock() = Some(connection.clone());
        Ok(connection)
    }

    /// An answer that says no leaves the connection sound; anything else is a reason to open another.
    fn sort(&self, answer: Result<Value, RedisError>) -> Result<Value, LogError> {
        answer.map_err(|error| {
            if !matches!(error.kind(), redis::ErrorKind::Server(_) | redis::ErrorKind::Extension) {
                *self.connection.lock() = None;
            }
            if error.code() == Some("NOGROUP") {
                LogError::PositionLost
            } else {
                away(&error)
            }
        })
    }
}

/// Why, for ports whose users know of no log.
pub(super) fn reason(error: LogError) -> String {
    match error {
        LogError::Away(reason) => reason,
        other => other.to_string(),
    }
}

/// Whatever Redis does not do now, it may do later: loading, read-only, out of memory.
fn away(error: &RedisError) -> LogError {
    LogError::Away(error.to_string())
}
