//! Builds the page with npm where that is there, in the build's own folder, and lists its files for `embed.rs`.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// What the page is made of; the rest of this folder is for its tests.
const SOURCES: [&str; 6] = [
    "package.json",
    "package-lock.json",
    ".npmrc",
    "tsconfig.json",
    "vite.config.ts",
    "index.html",
];
/// Folders of it.
const SOURCE_FOLDERS: [&str; 2] = ["build", "src"];
/// `off` builds a node without its page, quickly.
const SWITCH: &str = "COFFEE_RT_UI";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let page = out.join("page");
    println!("cargo::rerun-if-env-changed={SWITCH}");
    for source in SOURCES
        .iter()
        .chain(&SOURCE_FOLDERS)
        .filter(|source| Path::new(source).exists())
    {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let _ = fs::remove_dir_all(&page);
    if let Err(reason) = build(&out.join("ui"), &page) {
        println!("cargo::warning=the node will have no web page: {reason}");
        fs::create_dir_all(&page)?;
        fs::write(page.join("index.html"), without_page(&reason))?;
    }
    let mut files = Vec::new();
    collect(&page, &page, &mut files)?;
    files.sort();
    fs::write(out.join("assets.rs"), listed(&page, &files)?)
}

/// Builds the page into `page`, or says why it cannot.
fn build(work: &Path, page: &Path) -> Result<(), String> {
    if env::var(SWITCH).is_ok_and(|switch| switch == "off") {
        return Err(format!("{SWITCH}=off"));
    }
    let npm = |arguments: &[&str]| {
        let mut command = Command::new("npm");
        command.args(arguments).current_dir(work).env("COFFEE_RT_UI_OUT", page);
        command
    };
    let found = Command::new("npm").arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err("npm is not there".to_owned());
    }
    copy_sources(work).map_err(|error| format!("its sources cannot be copied: {error}"))?;
    for arguments in [
        &["ci", "--no-audit", "--no-fund", "--ignore-scripts"][..],
        &["run", "build"],
    ] {
        let output = npm(arguments).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let last: Vec<_> = said
                .lines()
                .filter(|line| !line.trim().is_empty())
                .rev()
                .take(5)
                .collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            return Err(format!("npm {} failed: {}", arguments.join(" "), last.join(" / ")));
        }
    }
    Ok(())
}

/// Copies what changed: two builds at once, as of two profiles, do not meet.
fn copy_sources(work: &Path) -> io::Result<()> {
    for folder in SOURCE_FOLDERS {
        let _ = fs::remove_dir_all(work.join(folder));
    }
    for source in SOURCES.into_iter().chain(SOURCE_FOLDERS) {
        copy(Path::new(source), &work.join(source))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if from.exists() {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from, to)?;
    }
    Ok(())
}

/// The paths of all files below a folder.
fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(path) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            files.push(path.replace('\\', "/"));
        }
    }
    Ok(())
}

/// The files as a Rust table; compressed ones stand beside what they are of.
fn listed(page: &Path, files: &[String]) -> io::Result<String> {
    let compressed = |file: &str| {
        let extension = Path::new(file).extension();
        extension.is_some_and(|extension| extension == OsStr::new("gz") || extension == OsStr::new("br"))
    };
    let mut table = "static ASSETS: &[Asset] = &[\n".to_owned();
    for file in files.iter().filter(|file| !compressed(file)) {
        let mut hasher = DefaultHasher::new();
        (file, fs::read(page.join(file))?).hash(&mut hasher);
        let beside = |extension: &str| {
            let beside = format!("{file}.{extension}");
            if files.contains(&beside) {
                format!("Some(include_bytes!({:?}))", page.join(beside))
            } else {
                "None".to_owned()
            }
        };
        let _ = writeln!(
            table,
            "    Asset {{ path: {file:?}, tag: \"\\\"{:016x}\\\"\", plain: include_bytes!({:?}), gzip: {}, brotli: {} }},",
            hasher.finish(),
            page.join(file),
            beside("gz"),
            beside("br"),
        );
    }
    table.push_str("];\n");
    Ok(table)
}

fn without_page(reason: &str) -> String {
    let reason = reason.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Coffee-RT: no page</title>
<h1>This node was built without its web page</h1>
<p>It works all the same: <a href=\"/api/dashboard\">the dashboard as JSON</a>, <a href=\"/api/actors\">the tree</a>,
<a href=\"/metrics\">metrics</a>, and <code>coffee-rt watch</code> in a terminal.</p>
<p>Why: {reason}</p>
<p>To get the page, install Node.js 20.19 or newer with npm, and build again: <code>cargo build --release</code>.</p>
</html>
"
    )
}
