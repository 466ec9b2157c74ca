//! Scripts of the checkout, which start and stop what scenarios stand on.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::process::Command;

/// How long a command may take: the first one may have to install something.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);

/// A script. A command that nobody waits for any more is not cut off in its middle: what it starts must be known before it
/// is ended.
pub(super) struct Script {
    path: PathBuf,
    /// Its process, where it is at work.
    at_work: Mutex<Option<i32>>,
}

impl Script {
    /// The script of the checkout that a file is in.
    pub(super) fn near(file: &Path, script: &str) -> Result<Self, String> {
        let complain = |error: std::io::Error| format!("{}: {error}", file.display());
        let file = file.canonicalize().map_err(complain)?;
        let mut found = file.ancestors().map(|folder| folder.join(script));
        let path = found.find(|path| path.is_file()).ok_or_else(|| {
            format!(
                "there is no {script} above {}: a scenario that needs services or a disk of its own runs in a checkout",
                file.display()
            )
        })?;
        Ok(Self {
            path,
            at_work: Mutex::default(),
        })
    }

    /// What to type for this command.
    pub(super) fn line(&self, arguments: &[&str]) -> String {
        format!("{} {}", self.path.display(), arguments.join(" "))
    }

    /// Runs it to its end; what it printed.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let mut command = Command::from(self.command(arguments));
        let process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(told)?;
        *self.at_work.lock() = process.id().and_then(|id| i32::try_from(id).ok());
        let output = tokio::time::timeout(COMMAND_LIMIT, process.wait_with_output()).await;
        let output = output.map_err(|_| format!("{} takes longer than {COMMAND_LIMIT:?}", self.line(arguments)))?;
        *self.at_work.lock() = None;
        let output = output.map_err(told)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!("{}: {}: {said}", self.line(arguments), output.status))
    }

    /// The same where nobody can wait, after what is under way; whether it went well.
    pub(super) fn run_at_last(&self, arguments: &[&str]) -> bool {
        self.until_idle();
        let mut command = self.command(arguments);
        let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        ended.is_ok_and(|status| status.success())
    }

    /// Waits for the command that is under way.
    pub(super) fn until_idle(&self) {
        if let Some(process) = self.at_work.lock().take() {
            // It may be gone.
            let _ = waitpid(Pid::from_raw(process), None);
        }
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.path);
        // Ctrl-C is meant for the scenario, and a second one is no reason to leave half of something.
        command.args(arguments).stdin(Stdio::null()).process_group(0);
        command
    }
}
