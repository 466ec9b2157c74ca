//! A client that reads what it is told to read, beside the group's assignments.

use std::ops::Deref;

use coffee_rt_actors::ports::LogError;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::BaseConsumer;

use super::client::{ClientSettings, Quiet, away};

/// The client; closed off the threads of the actors, for that takes a while.
pub(super) struct Reading(Option<BaseConsumer<Quiet>>);

impl Reading {
    /// Does no I/O yet. `arrived` is called whenever there is something to take.
    pub(super) fn new(settings: &ClientSettings, arrived: impl Fn() + Send + Sync + 'static) -> Result<Self, LogError> {
        let mut config = settings.reading_config();
        // A position that is gone is not to be replaced by another one in silence.
        config.set("auto.offset.reset", "error");
        let consumer = BaseConsumer::from_config_and_context(&config, Quiet);
        let mut consumer = consumer.map_err(|error| away(&error))?;
        consumer.set_nonempty_callback(arrived);
        Ok(Self(Some(consumer)))
    }
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
