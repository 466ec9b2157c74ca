//! Fills the job's script in. Plain functions.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::Item;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::adapters::postgres::MenuNumbers;

/// The job, with placeholders.
const TEMPLATE: &str = include_str!("../../../deploy/flink/orders.sql");
/// Where one statement ends and the next begins.
const BETWEEN: &str = ";\n\n";
/// What PostgreSQL knows the job's sessions by: `attach.sql` counts what they store.
const APPLICATION: &str = "coffee-rt-flink";

/// All that the script has placeholders for.
pub(super) struct Script<'s> {
    pub(super) job_name: &'s str,
    pub(super) bootstrap_servers: &'s str,
    pub(super) topic: &'s str,
    pub(super) dead_letter_topic: &'s str,
    pub(super) metrics_topic: &'s str,
    pub(super) group: &'s str,
    /// Where to begin in each partition; the others are read from their oldest record.
    pub(super) starts: &'s BTreeMap<i32, i64>,
    /// Settings of the job's clients of Kafka.
    pub(super) kafka_properties: &'s BTreeMap<String, String>,
    pub(super) database: &'s Url,
    pub(super) menu: &'s MenuNumbers,
    pub(super) parallelism: u16,
    pub(super) remember_hours: u32,
    /// Where the job is taken up again.
    pub(super) checkpoint: Option<&'s str>,
}

impl Script<'_> {
    /// Its statements, in their order.
    ///
    /// # Errors
    /// Says what the database's URL lacks.
    pub(super) fn statements(&self) -> Result<Vec<String>, String> {
        let (jdbc_url, user, password) = jdbc(self.database)?;
        let starts = self
            .starts
            .iter()
            .map(|(partition, offset)| format!("partition:{partition},offset:{offset}"));
        let starts: Vec<_> = starts.collect();
        let options = self.kafka_properties.iter();
        let options: String = options
            .map(|(name, value)| format!("'properties.{}' = '{}', ", quoted(name), quoted(value)))
            .collect();
        let texts = [
            ("job_name", quoted(self.job_name)),
            ("bootstrap_servers", quoted(self.bootstrap_servers)),
            ("topic", quoted(self.topic)),
            ("dead_letter_topic", quoted(self.dead_letter_topic)),
            ("metrics_topic", quoted(self.metrics_topic)),
            ("group", quoted(self.group)),
            ("starting_offsets", starts.join(";")),
            ("kafka_options", options),
            ("jdbc_url", quoted(&jdbc_url)),
            ("jdbc_user", quoted(&user)),
            ("jdbc_password", quoted(&password)),
            ("drinks", names(&self.menu.drinks)),
            ("stores", names(&self.menu.stores)),
            ("drink_ids", numbers(&self.menu.drinks)),
            ("store_ids", numbers(&self.menu.stores)),
            ("parallelism", self.parallelism.to_string()),
            ("state_ttl", format!("{} h", self.remember_hours)),
        ];
        let recovery = self
            .checkpoint
            .map(|path| format!("SET 'execution.state-recovery.path' = '{}'", quoted(path)));
        let statements = without_comments(TEMPLATE);
        let statements = statements
            .split(BETWEEN)
            .map(str::trim)
            .filter(|statement| !statement.is_empty());
        let filled = statements.map(|statement| fill(statement.trim_end_matches(';'), &texts));
        Ok(recovery.into_iter().chain(filled).collect())
    }
}

/// Lines that are only for readers of the file.
fn without_comments(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Each placeholder once, so that nothing that is put in is taken for one.
fn fill(statement: &str, texts: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some((before, from)) = rest.split_once("${") {
        filled.push_str(before);
        let (name, after) = from.split_once('}').unwrap_or((from, ""));
        let text = texts.iter().find(|(known, _)| *known == name);
        filled.push_str(text.map_or("", |(_, text)| text));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A text as it stands between quotes in SQL.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

fn names(numbered: &[(Item, i16)]) -> String {
    let names = numbered.iter().map(|(name, _)| format!("'{}'", quoted(name)));
    names.collect::<Vec<_>>().join(", ")
}

fn numbers(numbered: &[(Item, i16)]) -> String {
    let cases = numbered
        .iter()
        .map(|(name, number)| format!("WHEN '{}' THEN {number}", quoted(name)));
    cases.collect::<Vec<_>>().join(" ")
}

/// A database's URL as Java takes it, the user and the password.
fn jdbc(url: &Url) -> Result<(String, String, String), String> {
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or("the database's URL has no host: Flink needs one that it can reach")?;
    let user = plain(url.username());
    if user.is_empty() {
        return Err("the database's URL has no user: Flink needs one".to_owned());
    }
    let database = Some(url.path().trim_start_matches('/')).filter(|name| !name.is_empty());
    let mut jdbc = format!(
        "jdbc:postgresql://{host}:{}/{}?stringtype=unspecified&reWriteBatchedInserts=true&ApplicationName={APPLICATION}",
        url.port().unwrap_or(5432),
        database.unwrap_or(url.username()),
    );
    if let Some((_, mode)) = url.query_pairs().find(|(name, _)| name == "sslmode") {
        jdbc.push_str(&format!("&sslmode={mode}"));
    }
    Ok((jdbc, user, plain(url.password().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(checkpoint: Option<&str>) -> Vec<String> {
        let menu = MenuNumbers {
            drinks: vec![(Item::from("latte"), 3), (Item::from("barista's"), 4)],
            stores: vec![(Item::from("uptown"), 1)],
        };
        let script = Script {
            job_name: "coffee-rt-orders",
            bootstrap_servers: "broker:9092",
            topic: "orders",
            dead_letter_topic: "orders.dead-letter",
            metrics_topic: "orders.metrics",
            group: "order-workers",
            starts: &BTreeMap::from([(0, 42), (3, 0)]),
            kafka_properties: &BTreeMap::from([("security.protocol".to_owned(), "SASL_SSL".to_owned())]),
            database: &Url::parse("postgres://barista:s%27cret@db/coffee?sslmode=require").unwrap(),
            menu: &menu,
            parallelism: 2,
            remember_hours: 24,
            checkpoint,
        };
        script.statements().unwrap()
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let all = statements(None).join("\n");
        assert!(!all.contains("${"), "{all}");
        assert!(!all.lines().any(|line| line.trim_start().starts_with("--")), "{all}");
        for wanted in [
            "'pipeline.name' = 'coffee-rt-orders'",
            "partition:0,offset:42;partition:3,offset:0",
            "'properties.security.protocol' = 'SASL_SSL',",
            "jdbc:postgresql://db:5432/coffee?stringtype=unspecified",
            "&sslmode=require",
            "'s''cret'",
            "'latte', 'barista''s'",
            "WHEN 'barista''s' THEN 4",
        ] {
            assert!(all.contains(wanted), "{wanted}\n{all}");
        }
    }

    #[test]
    fn the_last_statement_is_the_job() {
        let statements = statements(Some("file:/checkpoints/chk-7"));
        assert_eq!(
            statements[0],
            "SET 'execution.state-recovery.path' = 'file:/checkpoints/chk-7'"
        );
        let last = statements.last().unwrap();
        assert!(
            last.starts_with("EXECUTE STATEMENT SET BEGIN") && last.ends_with("END"),
            "{last}"
        );
        assert_eq!(statements.iter().filter(|one| one.contains("INSERT INTO")).count(), 1);
    }

    #[test]
    fn what_is_put_in_is_no_placeholder() {
        let texts = [("a", "${b}".to_owned()), ("b", "x".to_owned())];
        assert_eq!(fill("${a} ${b}", &texts), "${b} x");
    }
}
