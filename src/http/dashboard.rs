//! `GET /api/dashboard` and `WS /ws/dashboard`.

use std::sync::Arc;

use tokio::sync::watch;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, header};
use warp::reply::Response;

use super::app::App;
use super::paths::at;
use super::problem::Problem;
use super::recover::{READ, only};
use super::socket::{self, Frames};
use coffee_rt_actors::board::{Board, Frame};

/// The routes.
pub(super) fn routes(app: Arc<App>) -> BoxedFilter<(Response,)> {
    let read = app.clone();
    let get = at("/api/dashboard").and(only(READ)).map(move || dashboard(&read));
    let socket = at("/ws/dashboard").and(socket::upgrade(app.clone(), move || DashboardFrames::of(&app.board)));
    get.or(socket).unify().boxed()
}

fn dashboard(app: &App) -> Response {
    let Some(frame) = app.board.frame() else {
        return Problem::unavailable("not-ready", "the dashboard has not been read from the store yet").into_response();
    };
    let mut response = Response::new(frame.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A socket's view of the board: a frame at once, then the newest whenever there is one.
struct DashboardFrames {
    board: Arc<Board>,
    frames: watch::Receiver<Frame>,
    greeted: bool,
}

impl DashboardFrames {
    fn of(board: &Arc<Board>) -> Self {
        Self {
            board: board.clone(),
            frames: board.subscribe(),
            greeted: false,
        }
    }
}

impl Frames for DashboardFrames {
    async fn next(&mut self) -> Frame {
        if !std::mem::replace(&mut self.greeted, true)
            && let Some(frame) = self.board.frame()
        {
            return frame;
        }
        // The board holds the sender and is held here, so the channel cannot close.
        let _ = self.frames.changed().await;
        self.frames.borrow_and_update().clone()
    }
}
