//! The environment variables of the Python original, honoured where ours are absent.

use figment::value::Value;

/// Settings that the original's variables amount to.
pub(super) fn settings(variable: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, Value)> {
    let mut settings = Vec::new();
    if let Some(host) = variable("POSTGRES_HOST") {
        let part = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        if let Ok(mut url) = url::Url::parse(&format!("postgres://{host}:{}", part("POSTGRES_PORT", "5432"))) {
            let user = url.set_username(&part("POSTGRES_USER", "postgres"));
            let password = url.set_password(variable("POSTGRES_PASSWORD").as_deref());
            url.set_path(&part("POSTGRES_DB", "postgres"));
            if user.is_ok() && password.is_ok() {
                settings.push(("database_url", Value::from(url.to_string())));
            }
        }
    }
    if let Some(host) = variable("REDIS_HOST") {
        let port = variable("REDIS_PORT").unwrap_or_else(|| "6379".to_owned());
        settings.push(("redis_url", Value::from(format!("redis://{host}:{port}"))));
    }
    let kafka = variable("KAFKA_ENABLED").and_then(|enabled| enabled.to_ascii_lowercase().parse::<bool>().ok());
    if let Some(enabled) = kafka {
        let table: figment::value::Dict = [("enabled".to_owned(), Value::from(enabled))].into_iter().collect();
        settings.push(("kafka", Value::from(table)));
    }
    if variable("APP_HOST").is_some() || variable("APP_PORT").is_some() {
        let host = variable("APP_HOST").unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = variable("APP_PORT").unwrap_or_else(|| "8005".to_owned());
        settings.push(("listen", Value::from(format!("{host}:{port}"))));
    }
    let interval = variable("DASHBOARD_UPDATE_INTERVAL").and_then(|seconds| seconds.parse::<f64>().ok());
    if let Some(seconds) = interval.filter(|seconds| (0.001..=60.0).contains(seconds)) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 60,000")]
        let millis = (seconds * 1_000.0).round() as u64;
        let table = [("min_interval_ms".to_owned(), Value::from(millis))]
            .into_iter()
            .collect::<figment::value::Dict>();
        settings.push(("dashboard", Value::from(table)));
    }
    settings
}
