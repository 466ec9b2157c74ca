//! One request at a time, with everything that the answer says.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::RETRY_AFTER;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;
use uuid::Uuid;

use super::Node;
use super::wire::ORDER;

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: String,
}

/// Sends requests to one server, mostly a node.
#[derive(Clone)]
pub struct Requests {
    server: Url,
    order_path: &'static str,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Requests {
    pub fn to(node: &Node) -> Self {
        Self {
            order_path: node.version.order_path(),
            ..Self::at(node.url.clone())
        }
    }

    /// To whoever speaks HTTP there, and takes no orders.
    pub fn at(server: Url) -> Self {
        Self {
            server,
            order_path: "",
            http: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
        }
    }

    pub async fn post(&self, key: Uuid, order: &str) -> Answer {
        let request = Request::post(self.server.join(self.order_path).unwrap().as_str())
            .header("content-type", "application/json")
            .header("idempotency-key", key.to_string());
        self.exchange(request.body(Full::from(order.to_owned())).unwrap()).await
    }

    /// Places one order, which must be acknowledged.
    pub async fn place(&self) {
        self.place_as(Uuid::now_v7()).await;
    }

    /// The same with this key.
    pub async fn place_as(&self, key: Uuid) {
        let answer = self.post(key, std::str::from_utf8(ORDER).unwrap()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request = Request::get(self.server.join(path).unwrap().as_str());
        self.exchange(request.body(Full::default()).unwrap()).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Answer {
        let (head, body) = self.http.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let retry_after = head
            .headers
            .get(RETRY_AFTER)
            .map(|value| value.to_str().unwrap().to_owned());
        Answer {
            status: head.status.as_u16(),
            retry_after,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

impl Answer {
    /// A 503 that says when to come again.
    pub fn assert_refused_for_now(&self) {
        assert_eq!(self.status, 503, "{self:?}");
        let seconds = self
            .retry_after
            .as_ref()
            .and_then(|seconds| seconds.parse::<u64>().ok());
        assert!(seconds.is_some(), "{self:?}");
    }
}
