//! An outcome for machines and people, and two of them side by side.
//!
//! ```text
//! Outcome ──┬─▶ report.json ──▶ read ──▶ compare (two of them)
//!           ├─▶ junit.xml
//!           └─▶ report.html ◀── charts ◀── plot (SVG)
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Outcome;

mod axis;
mod charts;
mod compare;
#[cfg(test)]
pub(super) mod example;
mod html;
mod junit;
mod legend;
mod marks;
mod plot;
mod table;
mod text;

pub(super) use charts::{MEBIBYTE, charts};
pub use compare::{Comparison, Row};
pub use html::html;
pub use junit::junit;
pub use plot::{Line, Mark, Plot, svg};
pub(super) use table::{cpu_per_thousand, shown, times};
pub(super) use text::{measured, number};

/// The longest report that is read, in bytes.
pub const MAX_REPORT_BYTES: u64 = 64 * 1024 * 1024;

const JSON: &str = "report.json";
const JUNIT: &str = "junit.xml";
const HTML: &str = "report.html";

/// Writes an outcome into a run's folder in all its forms. Says where the page is.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(outcome: &Outcome, folder: &Path) -> io::Result<PathBuf> {
    std::fs::write(folder.join(JSON), serde_json::to_string_pretty(outcome)?)?;
    std::fs::write(folder.join(JUNIT), junit(outcome))?;
    let page = folder.join(HTML);
    std::fs::write(&page, html(outcome))?;
    Ok(page)
}

/// Reads `report.json`, or that of a run's folder.
///
/// # Errors
/// Says what is wrong with the file.
pub fn read(path: &Path) -> Result<Outcome, String> {
    let file = if path.is_dir() {
        path.join(JSON)
    } else {
        path.to_owned()
    };
    let complain = |reason: String| format!("{}: {reason}", file.display());
    let mut text = Vec::new();
    let opened = File::open(&file).map_err(|error| complain(error.to_string()))?;
    let read = opened.take(MAX_REPORT_BYTES + 1).read_to_end(&mut text);
    read.map_err(|error| complain(error.to_string()))?;
    if text.len() as u64 > MAX_REPORT_BYTES {
        return Err(complain(format!(
            "longer than the {MAX_REPORT_BYTES} bytes that a report may have"
        )));
    }
    serde_json::from_slice(&text).map_err(|error| complain(format!("not a scenario's report: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let (folder, outcome) = (tempfile::tempdir().unwrap(), example::broken());
        let page = write(&outcome, folder.path()).unwrap();
        assert!(page.ends_with(HTML) && page.exists() && folder.path().join(JUNIT).exists());
        assert_eq!(read(folder.path()).unwrap(), outcome);
        assert_eq!(read(&folder.path().join(JSON)).unwrap(), outcome);
    }

    #[test]
    fn what_is_no_report_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let complaint = read(folder.path()).unwrap_err();
        assert!(complaint.contains("report.json: No such file"), "{complaint}");
        let file = folder.path().join("other.json");
        std::fs::write(&file, "{\"scenario\":1}").unwrap();
        let complaint = read(&file).unwrap_err();
        assert!(
            complaint.contains("other.json: not a scenario's report: "),
            "{complaint}"
        );
        let long = File::create(&file).unwrap();
        long.set_len(MAX_REPORT_BYTES + 1).unwrap();
        let complaint = read(&file).unwrap_err();
        assert!(complaint.contains("longer than the 67108864 bytes"), "{complaint}");
    }
}
