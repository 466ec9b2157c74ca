//! `GET /api/sales`, `GET /api/history` and `WS /ws/sales`: what the sales page shows.

use std::sync::Arc;
use std::time::Duration;

use coffee_rt_actors::board::Frame;
use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::app::App;
use super::feed::Feed;
use super::paths::at;
use super::problem::Problem;
use super::recover::{READ, only};
use super::socket;

/// The least time between two frames: people see no more.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// A frame is sent at least this often: a new second begins.
const REFRESH: Duration = Duration::from_secs(1);

/// The routes.
pub(super) fn routes(app: Arc<App>) -> BoxedFilter<(Response,)> {
    let (sales, history, board) = (app.board.clone(), app.board.clone(), app.board.clone());
    let feed = Feed::new(app.board.changes(), MIN_INTERVAL, REFRESH, move || {
        serde_json::to_vec(&board.sales()?).ok().map(Frame::from)
    });
    let sales = at("/api/sales").and(only(READ)).map(move || once_read(sales.sales()));
    let history = at("/api/history")
        .and(only(READ))
        .map(move || once_read(history.history()));
    let socket = at("/ws/sales").and(socket::upgrade(app, move || feed.subscribe()));
    sales.or(history).unify().or(socket).unify().boxed()
}

/// What is shown of the view, once there is one.
pub(super) fn once_read(shown: Option<impl Serialize>) -> Response {
    shown.map_or_else(
        || Problem::unavailable("not-ready", "the dashboard has not been read from the store yet").into_response(),
        |shown| super::json(&shown),
    )
}
