//! The document of a few runs.

use std::path::Path;

use super::example::{breakpoint_run, engines_run, mixed_run, outcomes, process, run};
use super::*;
use crate::load::Quantiles;
use crate::scenario::Verdict;

fn text(outcomes: &[Outcome]) -> String {
    document(outcomes, Path::new("docs/scale")).text
}

/// The cells of the first row that begins like this.
fn cells(text: &str, begins: &str) -> Vec<String> {
    let row = text.lines().find(|line| line.starts_with(begins));
    let row = row.unwrap_or_else(|| panic!("no row {begins} in {text}"));
    let cells = row[begins.len()..].trim_matches(['|', ' ']).split(" | ");
    cells.map(str::to_owned).collect()
}

#[test]
fn versions_are_side_by_side_and_what_was_not_measured_is_a_dash() {
    let text = text(&outcomes());
    for (begins, expected) in [
        (
            "| highest sustained rate",
            ["orders/s", "12,000", "10,000", "6,000", "–"].as_slice(),
        ),
        (
            "| the same by that of v1 on PostgreSQL |",
            &["1.20", "1.00", "0.60", "–"],
        ),
        ("| at 4/5 of it: p99 to acknowledged, ms |", &["16", "16", "16", "–"]),
        (
            "| at 4/5 of it: processor time of 1,000 orders, all processes, s |",
            &["0.2", "0.28", "0.28", "–"],
        ),
        ("| `mixed`: p50 to acknowledged, ms |", &["–", "1.5", "1.5", "–"]),
        (
            "| `mixed`: p99 from acknowledged to shown, ms |",
            &["–", "168", "168", "–"],
        ),
        (
            "| `mixed`: processor time of 1,000 orders, node, s |",
            &["–", "0.2", "0.5", "–"],
        ),
        ("| `mixed`: the same of PostgreSQL, s |", &["–", "0.1", "0.1", "–"]),
        ("| `mixed`: the same of Redis, s |", &["–", "–", "–", "–"]),
        ("| `mixed`: the same of all together, s |", &["–", "0.3", "0.6", "–"]),
        ("| `mixed`: peak memory of the node, MiB |", &["–", "100", "100", "–"]),
        (
            "| batcher killed (`kill-actors`): longest wait, ms |",
            &["–", "–", "–", "–"],
        ),
        (
            "| store slow, cut off, locked (`slow-store`): longest wait, ms |",
            &["–", "2,000", "40", "–"],
        ),
        (
            "| store slow, cut off, locked: orders acknowledged, % |",
            &["–", "80", "100", "–"],
        ),
    ] {
        let found = cells(&text, begins);
        let found: Vec<_> = found.iter().map(|cell| cell.trim_start_matches([',', ' '])).collect();
        assert_eq!(found, expected, "{begins}");
    }
}

#[test]
fn only_what_was_measured_is_recommended_by() {
    let few = text(&outcomes());
    for sentence in [
        "It sustained 10,000 orders/s here (12,000 on SQLite)",
        "a customer waited 40 ms at most (v1: 2,000 ms), and 100 % of the orders were acknowledged (v1: 80 %)",
    ] {
        assert!(unwrapped(&few).contains(sentence), "{sentence}: {few}");
    }
    assert!(!few.contains("**v3**") && !few.contains("An order costs v2"), "{few}");
    let mut all = outcomes();
    all.extend([breakpoint_run("breakpoint", "v3", 5_000.0), mixed_run("v3", 18.0)]);
    let all = unwrapped(&text(&all));
    for sentence in [
        "it sustained 5,000 orders/s here (v2: 6,000), 0.50 of v1's rate",
        "costs v2 and v3 2.00 and 2.83 times the processor time",
        "and 1.00 and 1.00 times at four fifths",
    ] {
        assert!(all.contains(sentence), "{sentence}: {all}");
    }
    assert!(text(&[]).contains("Too little was measured"));
}

#[test]
fn engines_are_compared_where_both_ran() {
    let (actors, flink) = (engines_run(None), engines_run(Some("flink")));
    let both = text(&[actors.clone(), flink.clone()]);
    for (begins, expected) in [
        ("| backlog: orders stored a second |", ["100,000", "10,000", "10"]),
        (
            "| backlog: processor time of a million orders, what stores, s |",
            ["3", "120", "0.025"],
        ),
        ("| backlog: most memory of what stores, MiB |", ["100", "200", "0.5"]),
        ("| p50 from acknowledged to shown, ms |", ["20", "200", "0.1"]),
        (
            "| worker killed: longest from due to acknowledged, ms |",
            ["80", "8", "10"],
        ),
        (
            "| worker killed: longest from acknowledged to shown, ms |",
            ["800", "8,000", "0.1"],
        ),
        ("| v3-flink | 1,064,000 |", ["1,000,000", "10", "110"]),
    ] {
        assert_eq!(cells(&both, begins)[..3], expected, "{begins}");
    }
    assert!(both.contains("docs/scale/compare-engines-v3-flink.svg"), "{both}");
    let words = unwrapped(&both);
    assert!(words.contains("stored 10 times as many orders a second here"), "{both}");
    assert!(words.contains("made the same tables of them"), "{both}");
    let mut other = flink;
    other.backlog.as_mut().unwrap().tables = "others".to_owned();
    assert!(text(&[actors.clone(), other]).contains("**They made different tables**"));
    assert!(!text(&[actors]).contains("Which engine"));
}

fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// 200 µs of the node and 80 µs of PostgreSQL, of 4.8 processors a machine.
#[test]
fn the_plan_follows_from_what_an_order_costs() {
    let text = text(&outcomes());
    for (begins, expected) in [
        ("| v1 | node |", ["200", "200", "4/5 of the breakpoint"].as_slice()),
        ("| v1 | postgres |", &["100", "80", "4/5 of the breakpoint"]),
        ("| v2 | node |", &["500", "200", "4/5 of the breakpoint"]),
        ("| v3 | node |", &["–", "–", "–"]),
        ("| 1,000,000 | v1 |", &["200", "42", "–", "–", "–", "80", "134", "17"]),
        ("| 10,000 | v2 |", &["2", "1", "–", "–", "–", "0.8", "2", "1"]),
    ] {
        assert_eq!(cells(&text, begins), expected, "{begins}");
    }
    assert!(text.contains("v1 at 1,000,000 orders/s needs 17 databases"), "{text}");
    assert!(
        text.contains("one writer stores 7,500 orders/s, and one PostgreSQL 60,000"),
        "{text}"
    );
    assert!(!text.contains("| 10,000 | v3 |"), "{text}");
}

#[test]
fn where_there_is_no_breakpoint_the_plan_takes_the_moderate_rate() {
    let mut outcomes = outcomes();
    outcomes[0].loads[1].report.counts.acknowledged = 0;
    let text = text(&outcomes);
    assert_eq!(cells(&text, "| v1 | postgres |"), ["100", "–", "`mixed`"]);
    assert_eq!(cells(&text, "| 10,000 | v1 |")[..2], ["2", "1"]);
}

#[test]
fn what_the_moments_do_not_cover_is_not_measured() {
    let mut outcome = breakpoint_run("breakpoint", "v1", 10_000.0);
    let cost = |outcome: &Outcome| runs::cpu_sustained(outcome, "node");
    assert!((cost(&outcome).unwrap() - 0.2).abs() < 1e-9);
    // Half of the load is before the busy half.
    outcome.loads[1].started_at_seconds = 20.0;
    assert!(
        (cost(&outcome).unwrap() - 16.1 / 160.0).abs() < 1e-9,
        "{:?}",
        cost(&outcome)
    );
    outcome.processes[0].moments.truncate(30);
    assert_eq!(cost(&outcome), None);
}

#[test]
fn a_run_that_proved_nothing_measured_nothing_and_a_bad_one_is_named() {
    let mut outcomes = outcomes();
    outcomes[0].verdict = Verdict::Vacuous;
    outcomes[1].verdict = Verdict::PromiseBroken;
    let text = text(&outcomes);
    assert_eq!(cells(&text, "| the same by that of v1 on PostgreSQL |"), ["–"; 4]);
    assert!(
        text.contains("not end well: `breakpoint` on v2, a promise was broken."),
        "{text}"
    );
}

#[test]
fn each_experiment_is_told_with_what_broke() {
    let text = text(&outcomes());
    for expected in [
        "### breakpoint\n\nWhat breakpoint shows.\n\n**Expected:** It holds.\n\n**Measured:**\n\n| version | verdict | load |",
        "| v1 | passed | sustained | 160,000 | 100 | 600 | 2 | 16 | 80 | 0 | 40 | 100 |",
        "| v2 | customers | 12,000 | 12,000 | 50 | p99 \\| late |",
        "![Latency: breakpoint on v2. Time from",
        "(docs/scale/breakpoint-v2.svg)",
        "**What broke:** Nothing: all promises kept, no order of 420,000 and of those of the other trials lost or doubled, all",
        "- v1: promise `nothing lost`: \\<script\\>alert(\"1 \\& 2\")\\</script\\>; and this",
        "- v1: threshold `customers.p99_ms < 10`: 12.000",
        "### kill \\& \\<b\\>\n\nA \\| pipe, a \\*star\\* and \\<i\\>.\n",
        "```sh\ncoffee-rt scenario run 'a & b.toml' --seed 7 --shorten 1\n```",
        "| v1 | a promise was broken | a\\|b | 12,000 | 99.916 |",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    let order = [
        "## The versions",
        "## Experiments",
        "### breakpoint",
        "### embedded",
        "### mixed",
        "## Capacity",
        "## What these",
    ];
    let places = order.map(|heading| text.find(heading).unwrap());
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_machine_and_the_dates_are_named() {
    let mut outcomes = outcomes();
    outcomes[0].started_at = "2026-11-22T23:00:00Z".to_owned();
    let text = unwrapped(&text(&outcomes));
    let expected = "of 8 runs, not a hand. They ran from 2026-11-22 to 2026-11-23 on 2 processors, Some \\<Processor\\> @ 3.00GHz, \
                    7.64 GiB of memory, kernel 6.8.0; build 0.1.0.";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("7 × passed; 1 × a promise was broken."), "{text}");
}

#[test]
fn every_table_has_rows_as_long_as_its_head_and_prose_fits_the_screen() {
    let text = text(&outcomes());
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let lines: Vec<_> = text.lines().collect();
    for pair in lines.windows(2) {
        if pair.iter().all(|line| line.starts_with('|')) {
            assert_eq!(columns(pair[0]), columns(pair[1]), "{pair:?}");
        }
    }
    let prose = lines
        .iter()
        .filter(|line| !line.starts_with(['|', '!']) && !line.starts_with("coffee-rt"));
    for line in prose {
        assert!(line.chars().count() <= 125, "{line}");
    }
    assert!(!text.contains("\n\n\n"), "{text}");
}

#[test]
fn every_run_has_a_picture_that_is_linked() {
    let document = document(&outcomes(), Path::new("docs/scale"));
    assert_eq!(document.plots.len(), 8);
    for (name, picture) in &document.plots {
        let parsed = roxmltree::Document::parse(picture).unwrap();
        let label = parsed.root_element().attribute("aria-label").unwrap();
        assert!(label.contains(" on v"), "{label}");
        assert!(document.text.contains(&format!("(docs/scale/{name})")), "{name}");
        assert!(picture.len() < 32_768, "{name}: {}", picture.len());
    }
    assert_eq!(document.plots[7].0, "kill----b--v1.svg");
}

#[test]
fn screens_take_what_the_node_grew_by() {
    let mut sockets = run("sockets", "v1");
    sockets.viewers[0].count = 10_000;
    sockets.viewers[0].latency = Quantiles::default();
    sockets.processes = vec![process("node", 1.0, 1.0)];
    let mut outcomes = outcomes();
    let unknown = text(&outcomes);
    assert!(
        unwrapped(&unknown).contains("A screen takes 10 KiB of its node's memory (not measured)"),
        "{unknown}"
    );
    outcomes.push(sockets);
    let text = text(&outcomes);
    // 50 MiB for 10,000 of them.
    assert!(
        unwrapped(&text).contains("A screen takes 5.12 KiB of its node's memory (measured in `sockets`)"),
        "{text}"
    );
    assert_eq!(
        cells(&text[text.find("### sockets").unwrap()..], "| v1 | sockets |"),
        ["10,000", "–", "–", "0"]
    );
}
