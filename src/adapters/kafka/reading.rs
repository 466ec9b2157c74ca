//! A client that reads what it is told to read, beside the group's assignments.

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::time::Duration;

use coffee_rt_actors::ports::LogError;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;

use super::client::{ClientSettings, Quiet, away};

/// Bytes that a client reads ahead of what is asked for.
const READ_AHEAD_KIB: u64 = 1024;
/// The most that a broker answers with at once for a partition, unless its first batch is larger. A client unpacks an answer
/// as a whole, to many times its size, and asks for the next one meanwhile.
const MAX_FETCH_BYTES: u64 = 256 * 1024;
/// How long a broker may wait for more before it answers: fewer, larger answers cost less.
const FETCH_WAIT_MS: u64 = 25;
/// Bytes for which it does not wait.
const FETCH_MIN_BYTES: u64 = 64 * 1024;

/// How long a client that has read so far ahead waits before it looks again; a second unless told, in which the store waits.
const FETCH_QUEUE_BACKOFF_MS: u64 = 5;

/// The client; closed off the threads of the actors, for that takes a while.
pub(super) struct Reading(Option<BaseConsumer<Quiet>>);

impl Reading {
    /// Does no I/O yet. `arrived` is called whenever there is something to take.
    pub(super) fn new(settings: &ClientSettings, arrived: impl Fn() + Send + Sync + 'static) -> Result<Self, LogError> {
        // A position that is gone is not to be replaced by another one in silence.
        let mut consumer = consumer(settings, &[("auto.offset.reset", "error")])?;
        consumer.set_nonempty_callback(arrived);
        Ok(Self(Some(consumer)))
    }

    /// The same for one that reads from one place to another: it is told of the end of a partition, and where its place is
    /// gone it begins with what is there.
    pub(super) fn to_the_end(settings: &ClientSettings) -> Result<Self, LogError> {
        let own = [("auto.offset.reset", "earliest"), ("enable.partition.eof", "true")];
        Ok(Self(Some(consumer(settings, &own)?)))
    }

    /// What has arrived, if anything has. The lines of the client's log stand in the same queue, and end no reading of it.
    pub(super) fn arrived(&self) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        let said = || self.context().lines.load(Ordering::Relaxed);
        loop {
            let before = said();
            let found = self.poll(Duration::ZERO);
            if found.is_some() || said() == before {
                return found;
            }
        }
    }
}

fn consumer(settings: &ClientSettings, own: &[(&str, &str)]) -> Result<BaseConsumer<Quiet>, LogError> {
    let mut config = settings.tuned(&[
        ("queued.max.messages.kbytes", &READ_AHEAD_KIB.to_string()),
        ("fetch.message.max.bytes", &MAX_FETCH_BYTES.to_string()),
        ("fetch.wait.max.ms", &FETCH_WAIT_MS.to_string()),
        ("fetch.min.bytes", &FETCH_MIN_BYTES.to_string()),
        ("fetch.queue.backoff.ms", &FETCH_QUEUE_BACKOFF_MS.to_string()),
        ("fetch.error.backoff.ms", "100"),
    ]);
    config
        .set("group.id", &settings.names.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    for (name, value) in own {
        config.set(*name, *value);
    }
    BaseConsumer::from_config_and_context(&config, Quiet::default()).map_err(|error| away(&error))
}

impl Deref for Reading {
    type Target = BaseConsumer<Quiet>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("only the end takes it")
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let consumer = self.0.take();
        std::thread::spawn(move || drop(consumer));
    }
}
