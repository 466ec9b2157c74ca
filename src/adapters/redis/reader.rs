//! One reader of the stream: a consumer of the group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use coffee_rt_actors::domain::Menu;
use coffee_rt_actors::ports::{Entry, EntryId, LogError, LogReader, Part, Settlement};
use redis::{Cmd, Value, cmd};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::entry::entries;
use super::link::Link;
use super::scripts::{ACKNOWLEDGE, BURY};
use super::{DEAD_LETTERS, GROUP, MAX_DEAD_LETTERS, STREAM, SURPLUS};
use crate::adapters::to_the_end;

/// How long a reading waits for new entries.
pub const BLOCK_MS: u64 = 100;

/// A consumer, and its own connection: a reading that waits holds up every command behind it.
pub(super) struct StreamReader {
    reads: Arc<Mutex<Reads>>,
    control: Link,
}

struct Reads {
    consumer: String,
    menu: Menu,
    link: Link,
    /// Whether the group was there; where it is not any more, Redis has lost data.
    has_group: AtomicBool,
}

impl StreamReader {
    pub(super) fn new(consumer: String, menu: Menu, link: Link, control: Link) -> Self {
        Self {
            reads: Arc::new(Mutex::new(Reads {
                consumer,
                menu,
                link,
                has_group: AtomicBool::new(false),
            })),
            control,
        }
    }

    /// Reads to the end even where the caller is dropped: entries that arrive afterwards would be nobody's. So the next
    /// generation's first reading sees them as delivered.
    async fn read(&self, limit: usize, after: Option<EntryId>) -> Result<Vec<Entry>, LogError> {
        let reads = self.reads.clone().lock_owned().await;
        to_the_end(read(reads, limit, after)).await
    }
}

async fn read(reads: OwnedMutexGuard<Reads>, limit: usize, after: Option<EntryId>) -> Result<Vec<Entry>, LogError> {
    reads.join_group().await?;
    let answer = reads.link.send(&reads.command(limit, after)).await;
    if answer == Err(LogError::PositionLost) {
        reads.has_group.store(false, Ordering::Relaxed);
    }
    entries(answer?, &reads.menu)
}

impl Reads {
    /// Creates the group where it is missing: at the beginning, so that nothing is passed over.
    async fn join_group(&self) -> Result<(), LogError> {
        if self.has_group.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM");
        match self.link.send(&create).await {
            Err(LogError::Away(reason)) if !reason.contains("BUSYGROUP") => return Err(LogError::Away(reason)),
            _ => self.has_group.store(true, Ordering::Relaxed),
        }
        Ok(())
    }

    fn command(&self, limit: usize, after: Option<EntryId>) -> Cmd {
        let mut command = cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(GROUP)
            .arg(&self.consumer)
            .arg("COUNT")
            .arg(limit);
        match after {
            Some(after) => command.arg("STREAMS").arg(STREAM).arg(after.to_string()),
            None => command.arg("BLOCK").arg(BLOCK_MS).arg("STREAMS").arg(STREAM).arg(">"),
        };
        command
    }
}

#[async_trait]
impl LogReader for StreamReader {
    async fn pending(&self, after: EntryId, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.read(limit, Some(after)).await
    }

    async fn next(&self, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.read(limit, None).await
    }

    async fn acknowledge(&self, entries: &[Settlement]) -> Result<(), LogError> {
        let (singles, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.surplus == 0);
        let acknowledged = self.control.run(&ACKNOWLEDGE, &[STREAM, SURPLUS], |script| {
            script.arg(GROUP).arg(singles.len());
            for entry in &singles {
                script.arg(entry.id.to_string());
            }
            for entry in &others {
                script.arg(entry.id.to_string()).arg(entry.surplus);
            }
        });
        unless_lost(acknowledged.await).map(drop)
    }

    async fn bury(&self, entries: &[Settlement]) -> Result<(), LogError> {
        let buried = self.control.run(&BURY, &[STREAM, SURPLUS, DEAD_LETTERS], |script| {
            script.arg(GROUP).arg(MAX_DEAD_LETTERS);
            for Settlement { id, surplus, poison } in entries {
                for poison in poison {
                    script.arg(id.to_string()).arg(*surplus).arg(number(poison.part));
                    script.arg(poison.reason.name()).arg(&poison.detail);
                }
            }
        });
        match unless_lost(buried.await)? {
            Value::Int(-1) => Err(LogError::Full),
            _ => Ok(()),
        }
    }
}

fn number(part: Part) -> String {
    part.map(|part| part.to_string()).unwrap_or_default()
}

/// Where the group is gone there is nothing to acknowledge; the next reading reports it.
fn unless_lost(answer: Result<Value, LogError>) -> Result<Value, LogError> {
    match answer {
        Err(LogError::PositionLost) => Ok(Value::Nil),
        answer => answer,
    }
}
