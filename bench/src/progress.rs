//! One line that says what is being measured.

use std::time::Duration;

use indicatif::ProgressBar;

/// A line on the error output, where that is a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts it.
    pub fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    /// Changes the line.
    pub fn say(&self, what: String) {
        self.0.set_message(what);
    }
}
