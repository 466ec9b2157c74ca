//! Markdown as GitHub renders it.

/// Lines of prose are no longer.
const COLUMNS: usize = 125;
/// The shortest fence of a block of code.
const MIN_FENCE: usize = 3;

/// Text on one line that Markdown takes as it is meant, in prose and in cells.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (place, c) in one_line(text).chars().enumerate() {
        let begins_a_block = place == 0 && matches!(c, '-' | '+' | '=');
        if begins_a_block || "\\`*_[]<>|~$&#".contains(c) {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// The same as code in prose; in a cell a pipe would end it.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    let (ticks, room) = match longest_run_of_ticks(&text) {
        0 => ("`".to_owned(), ""),
        run => ("`".repeat(run + 1), " "),
    };
    format!("{ticks}{room}{text}{room}{ticks}")
}

/// A block of commands, a line each.
pub(super) fn commands<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.map(one_line).collect();
    let run = lines.iter().map(|line| longest_run_of_ticks(line)).max();
    let fence = "`".repeat(MIN_FENCE.max(run.unwrap_or(0) + 1));
    format!("{fence}sh\n{}\n{fence}\n", lines.join("\n"))
}

/// A paragraph, broken between words.
pub(super) fn paragraph(text: &str) -> String {
    wrapped(text, "")
}

/// A list, a line or more for each entry.
pub(super) fn list<'a>(entries: impl IntoIterator<Item = &'a String>) -> String {
    let entry = |entry: &String| format!("- {}", wrapped(entry, "  "));
    entries.into_iter().map(entry).collect()
}

/// Cells of numbers are set to the right. What is in the cells must be [`plain`] already.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let is_number = |cell: &String| cell == "–" || cell.starts_with(|c: char| c.is_ascii_digit());
    let rules = (0..head.len()).map(|column| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        if column > 0 && cells.all(is_number) {
            "---:"
        } else {
            "---"
        }
    });
    let rules: Vec<_> = rules.collect();
    let rows = rows
        .iter()
        .map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    format!("{}{}{}", line(head), line(&rules), rows.collect::<String>())
}

/// Where a link leads: no character of it ends the link.
pub(super) fn target(path: &str) -> String {
    let part = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.bytes().map(part).collect()
}

fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace(char::is_control, "\u{fffd}")
}

fn longest_run_of_ticks(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

fn wrapped(text: &str, indent: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        let longer = indent.len() + line.chars().count() + 1 + word.chars().count();
        if longer > COLUMNS && !line.is_empty() && may_begin_a_line(word) {
            lines += &format!("{line}\n{indent}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    format!("{lines}{line}\n")
}

/// At the beginning of a line some words would begin a list, or make a heading of the line before.
fn may_begin_a_line(word: &str) -> bool {
    let number = word.trim_end_matches(['.', ')']);
    let numbers_an_entry = number.len() < word.len() && number.chars().all(|c| c.is_ascii_digit());
    !word.starts_with(['-', '+', '=', '*', '#', '>']) && !numbers_an_entry || word.starts_with("**")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(plain("a | b\nc_d"), "a \\| b c\\_d");
        assert_eq!(
            plain("- <b>*x*</b> & `y` [z](w)\u{1b}"),
            "\\- \\<b\\>\\*x\\*\\</b\\> \\& \\`y\\` \\[z\\](w)\u{fffd}"
        );
        assert_eq!(code("p99_ms < 3"), "`p99_ms < 3`");
        assert_eq!(code("a ``b``"), "``` a ``b`` ```");
        assert_eq!(commands(["a\nb", "```"].into_iter()), "````sh\na b\n```\n````\n");
        assert_eq!(target("a b/(c)-v1.svg"), "a%20b/%28c%29-v1.svg");
    }

    #[test]
    fn numbers_are_set_to_the_right() {
        let rows = [["a", "1,000", "x"], ["b", "–", "2"]].map(|row| row.map(str::to_owned).to_vec());
        let expected = "| n | m | o |\n| --- | ---: | --- |\n| a | 1,000 | x |\n| b | – | 2 |\n";
        assert_eq!(table(&["n", "m", "o"], &rows), expected);
    }

    #[test]
    fn long_lines_are_broken_and_begin_nothing_new() {
        let text = "word ".repeat(24) + "four - 5. **bold** word word";
        let broken = paragraph(&text);
        let lines: Vec<_> = broken.lines().collect();
        assert_eq!(lines.len(), 2, "{broken}");
        assert!(
            lines[0].ends_with("four - 5.") && lines[1].starts_with("**bold**"),
            "{broken}"
        );
        assert_eq!(
            broken.split_whitespace().collect::<Vec<_>>(),
            text.split_whitespace().collect::<Vec<_>>()
        );
        assert_eq!(
            list(&["a".repeat(100) + " " + &"b".repeat(30)]),
            format!("- {}\n  {}\n", "a".repeat(100), "b".repeat(30))
        );
    }
}
