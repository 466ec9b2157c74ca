//! The live metrics as the node pushes them, and as people see them.

use std::time::{Duration, Instant};

use coffee_rt_actors::domain::{Cents, Instant as UtcInstant};
use console::style;
use serde::Deserialize;

use super::screen::span;

/// The rate is taken over at least this long, because frames can follow each other within milliseconds.
const RATE_WINDOW_MILLIS: u64 = 1_000;

/// One frame of the dashboard; unknown fields are ignored.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DashboardFrame {
    current_hour: Option<CurrentHour>,
    #[serde(default)]
    top5_drinks: Vec<String>,
    #[serde(default)]
    recent_orders: Vec<RecentOrder>,
    server_timestamp: UtcInstant,
    #[serde(default)]
    stored_total: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct CurrentHour {
    hour: u8,
    #[serde(default)]
    top_drinks: Vec<String>,
    revenue: Cents,
    order_count: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct RecentOrder {
    id: i64,
    drink: String,
    store: String,
    price: Cents,
    timestamp: String,
}

/// The last frame and what can be said about it only by remembering earlier ones.
#[derive(Default)]
pub(super) struct View {
    last: Option<(DashboardFrame, Instant)>,
    window: Option<(u64, Instant)>,
    per_second: Option<f64>,
    seen: u64,
}

impl View {
    /// Shows this frame from now on.
    pub(super) fn take(&mut self, frame: DashboardFrame, now: Instant) {
        self.seen += 1;
        if let Some(total) = frame.stored_total {
            let (since_total, since) = *self.window.get_or_insert((total, now));
            let spent = now.saturating_duration_since(since);
            if spent >= Duration::from_millis(RATE_WINDOW_MILLIS) {
                self.per_second = Some(total.saturating_sub(since_total) as f64 / spent.as_secs_f64());
                self.window = Some((total, now));
            }
        }
        self.last = Some((frame, now));
    }

    fn rate(&self) -> String {
        self.per_second.map_or("–".to_owned(), |rate| format!("{rate:.1}"))
    }

    /// One line for logs.
    pub(super) fn line(&self, now: UtcInstant) -> String {
        let Some((frame, _)) = &self.last else {
            return String::new();
        };
        let hour = frame
            .current_hour
            .as_ref()
            .map_or("no orders this hour".to_owned(), |hour| {
                format!(
                    "{:02}h {} orders, revenue {}",
                    hour.hour, hour.order_count, hour.revenue
                )
            });
        let total = frame.stored_total.map_or("–".to_owned(), |total| total.to_string());
        format!(
            "{}  {hour}, {} orders/s, {total} stored, top: {}, age {}",
            frame.server_timestamp,
            self.rate(),
            frame.top5_drinks.join(" "),
            span(age_seconds(frame, now)),
        )
    }

    /// A block of lines for a terminal.
    pub(super) fn block(&self, now: UtcInstant, clock: Instant) -> Vec<String> {
        let Some((frame, arrived)) = &self.last else {
            return Vec::new();
        };
        let mut lines = vec![match &frame.current_hour {
            Some(hour) => format!(
                "{}  {} orders  revenue {}  top: {}",
                style(format!("Hour {:02}:00 UTC", hour.hour)).bold(),
                style(hour.order_count).green(),
                style(hour.revenue).green(),
                hour.top_drinks.join(", "),
            ),
            None => style("No orders this hour").bold().to_string(),
        }];
        lines.push(format!(
            "{} orders/s   {} stored   frame {}   age {}   quiet for {}",
            style(self.rate()).cyan(),
            frame.stored_total.map_or("–".to_owned(), |total| total.to_string()),
            self.seen,
            span(age_seconds(frame, now)),
            span(clock.saturating_duration_since(*arrived).as_secs_f64()),
        ));
        lines.push(format!("Top drinks, 30 days: {}", frame.top5_drinks.join(", ")));
        lines.push(style("Recent orders").dim().to_string());
        lines.extend(frame.recent_orders.iter().map(|order| {
            format!(
                "  {:>8}  {:<12} {:<12} {:>8}  {}",
                order.id,
                order.drink,
                order.store,
                order.price.to_string(),
                order.timestamp
            )
        }));
        lines
    }
}

/// By both clocks; a node whose clock is ahead shows as zero.
fn age_seconds(frame: &DashboardFrame, now: UtcInstant) -> f64 {
    now.0.saturating_sub(frame.server_timestamp.0).max(0) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(total: u64) -> DashboardFrame {
        serde_json::from_value(serde_json::json!({
            "current_hour": {"hour": 9, "top_drinks": ["latte"], "revenue": 12.5, "order_count": 3},
            "top5_drinks": ["latte", "americano"],
            "recent_orders": [{"id": 3, "drink": "latte", "store": "uptown", "price": 4.5,
                "timestamp": "2026-11-22T09:00:00Z"}],
            "server_timestamp": "2026-11-22T09:00:00Z", "stored_total": total, "more": true
        }))
        .unwrap()
    }

    #[test]
    fn the_rate_comes_from_the_stored_total() {
        let (mut view, start) = (View::default(), Instant::now());
        for (millis, total) in [(0, 100), (20, 110), (1_000, 400)] {
            view.take(frame(total), start + Duration::from_millis(millis));
        }
        assert_eq!(view.rate(), "300.0");
        view.take(frame(410), start + Duration::from_millis(1_010));
        assert_eq!(view.rate(), "300.0", "until the window is full again");
        assert_eq!(view.seen, 4);
    }

    #[test]
    fn a_frame_is_told_in_a_line_and_in_a_block() {
        let (mut view, start) = (View::default(), Instant::now());
        view.take(frame(100), start);
        let now = UtcInstant::parse("2026-11-22T09:00:02.5Z").unwrap();
        assert_eq!(
            view.line(now),
            "2026-11-22T09:00:00Z  09h 3 orders, revenue 12.5, – orders/s, 100 stored, top: latte americano, age 2.5 s"
        );
        let block = view.block(now, start + Duration::from_secs(4)).join("\n");
        let block = console::strip_ansi_codes(&block);
        for part in [
            "Hour 09:00 UTC  3 orders  revenue 12.5",
            "age 2.5 s   quiet for 4.0 s",
            "uptown",
            "americano",
        ] {
            assert!(block.contains(part), "{part} in {block}");
        }
    }
}
