//! A thread of its own for those whose work customers wait for: v1's batchers, and the appenders of v2 and v3.
//!
//! The runtime's queues are first in, first out. There the end of a commit, on which a hundred customers wait, stood
//! behind as many requests that had just come, and the store waited meanwhile for its next batch.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime of one thread. What runs on it ends when this is dropped.
pub struct FastLane {
    handle: Handle,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl FastLane {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system grants no thread.
    pub fn open() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fast-lane")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// For those who run on it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for FastLane {
    fn drop(&mut self) {
        // Dropping a runtime waits for its thread, which a task of another runtime must not do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
