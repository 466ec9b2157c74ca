//! HTTP: the routes on warp, and an accept loop of our own that sets the limits warp's does not.

mod actors;
mod app;
mod body;
mod customers;
mod dashboard;
mod documents;
mod feed;
mod health;
mod metrics;
mod node;
mod operator;
mod order;
mod page;
mod paths;
mod picture;
mod pieces;
mod problem;
mod recover;
mod sales;
mod server;
mod socket;

use std::sync::Arc;

use serde::Serialize;
use warp::filters::BoxedFilter;
use warp::http::{HeaderValue, header};
use warp::reply::Response;
use warp::{Filter, Reply};

pub use app::{App, AppParts, FaultAccess, Readiness, RunningVersion};
pub use server::{Acceptor, AcceptorArgs, Listening};

/// All routes but the orders', which are answered before these are asked.
fn routes(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    dashboard::routes(app.clone())
        .or(health::routes(app.clone()))
        .unify()
        .or(actors::routes(app.clone()))
        .unify()
        .or(sales::routes(app.clone()))
        .unify()
        .or(customers::routes(app.clone()))
        .unify()
        .or(node::route(app.clone()))
        .unify()
        .or(documents::routes())
        .unify()
        .or(metrics::route(app.clone()))
        .unify()
        .or(page::route())
        .unify()
        .recover(recover::recover)
        .map(Reply::into_response)
        .boxed()
}

/// A JSON answer.
fn json(value: &impl Serialize) -> Response {
    let mut response = Response::new(serde_json::to_vec(value).unwrap_or_default().into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
