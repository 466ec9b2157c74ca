//! Links between nodes and services, through a toxiproxy, to be made slow or cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use url::Url;

use super::services::{Service, Services};

/// How long the proxy may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What happens to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What the service says arrives later, by up to the jitter more or less.
    Latency { latency: Duration, jitter: Duration },
    /// Connections break, and no new one is made.
    Cut,
    /// Each connection breaks after so many bytes from the service.
    LimitData { bytes: u64 },
}

/// Links of a run, by the service that they lead to.
pub(super) struct Links {
    proxy: Option<Proxy>,
    /// The service's address by way of its link.
    addresses: BTreeMap<Service, String>,
    /// How many there have been.
    troubles: AtomicU64,
}

impl Links {
    /// Nothing stands in any way.
    pub(super) fn none() -> Self {
        Self {
            proxy: None,
            addresses: BTreeMap::new(),
            troubles: AtomicU64::new(0),
        }
    }

    /// Puts a link before each of these services.
    pub(super) async fn before(wanted: BTreeSet<Service>, services: &Services) -> Result<Self, String> {
        let mut links = Self::none();
        if wanted.is_empty() {
            return Ok(links);
        }
        let proxy = Proxy::at(services.address(Service::Toxiproxy)?);
        for service in wanted {
            let direct = services.address(service)?;
            let mut url: Url = direct.parse().map_err(|error| format!("{direct}: {error}"))?;
            let (Some(host), Some(port)) = (url.host_str(), url.port()) else {
                return Err(format!("{direct} names no port"));
            };
            let link = json!({
                "name": service.name(), "listen": "127.0.0.1:0", "upstream": format!("{host}:{port}"), "enabled": true,
            });
            let made = proxy.ask(Method::POST, "/proxies", &link).await?;
            let listens = made["listen"]
                .as_str()
                .and_then(|listens| listens.rsplit_once(':')?.1.parse().ok());
            let port: u16 = listens.ok_or_else(|| format!("the link does not listen: {made}"))?;
            url.set_port(Some(port))
                .map_err(|()| format!("{direct} takes no port"))?;
            links.addresses.insert(service, url.into());
        }
        links.proxy = Some(proxy);
        Ok(links)
    }

    /// The address by way of the link, where there is one.
    pub(super) fn address(&self, service: Service) -> Option<&str> {
        self.addresses.get(&service).map(String::as_str)
    }

    /// Does it, waits, and undoes it. The proxy ends with the run, and every trouble with it.
    pub(super) async fn disturb(&self, service: Service, trouble: Trouble, lasts: Duration) -> Result<(), String> {
        let proxy = self.proxy.as_ref().ok_or("there is no proxy")?;
        let path = format!("/proxies/{}", service.name());
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // Two of a kind may be there at once.
        let name = format!("trouble-{}", self.troubles.fetch_add(1, Ordering::Relaxed));
        let toxic = match trouble {
            Trouble::Cut => {
                proxy.ask(Method::POST, &path, &json!({"enabled": false})).await?;
                tokio::time::sleep(lasts).await;
                return proxy
                    .ask(Method::POST, &path, &json!({"enabled": true}))
                    .await
                    .map(drop);
            }
            Trouble::Latency { latency, jitter } => {
                json!({"name": name, "type": "latency", "attributes": {"latency": millis(latency), "jitter": millis(jitter)}})
            }
            Trouble::LimitData { bytes } => json!({"name": name, "type": "limit_data", "attributes": {"bytes": bytes}}),
        };
        proxy.ask(Method::POST, &format!("{path}/toxics"), &toxic).await?;
        tokio::time::sleep(lasts).await;
        let path = format!("{path}/toxics/{name}");
        proxy.ask(Method::DELETE, &path, &Value::Null).await.map(drop)
    }
}

/// A toxiproxy's own interface.
struct Proxy {
    address: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Proxy {
    fn at(address: &str) -> Self {
        Self {
            address: address.trim_end_matches('/').to_owned(),
            http: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// What it answers; null where that is nothing.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let asked = format!("toxiproxy: {method} {path}");
        let request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        let request = request.body(Full::from(body.to_string()));
        let request = request.map_err(|error| format!("{asked}: {error}"))?;
        let answer = async {
            let (head, body) = self
                .http
                .request(request)
                .await
                .map_err(|error| error.to_string())?
                .into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            if head.status.is_success() {
                Ok(serde_json::from_slice(&body).unwrap_or_default())
            } else {
                Err(format!("{}: {}", head.status, String::from_utf8_lossy(&body)))
            }
        };
        let answer = tokio::time::timeout(ANSWER_LIMIT, answer).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {ANSWER_LIMIT:?}")));
        answer.map_err(|error| format!("{asked}: {error}"))
    }
}
