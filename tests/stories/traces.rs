//! Whoever collects traces sees an order's request, its append and its commit as one.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use uuid::Uuid;
use warp::Filter;

use crate::support::wire::{ORDER, request};
use crate::support::{Database, Node, Wire, eventually, on_both_engines, through_a_log};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const JSON: &str = "Content-Type: application/json";

/// A collector: it takes OTLP over HTTP and keeps every span.
struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = spans.clone();
        let take = warp::post().and(warp::path!("v1" / "traces")).and(warp::body::bytes());
        let take = take.map(move |body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let scopes = request
                .resource_spans
                .into_iter()
                .flat_map(|resource| resource.scope_spans);
            kept.lock().extend(scopes.flat_map(|scope| scope.spans));
            ""
        });
        tokio::spawn(warp::serve(take).incoming(listener).run());
        Self { address, spans }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn of_trace(&self, trace: &str) -> Vec<Span> {
        let spans = self.spans.lock();
        spans
            .iter()
            .filter(|span| hex(&span.trace_id) == trace)
            .cloned()
            .collect()
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}

async fn place(node: &Node, headers: &[&str]) -> u16 {
    let order = request(&format!("POST {}", node.version.order_path()), headers, ORDER);
    Wire::connect(node).await.exchange(&order).await.unwrap().status
}

on_both_engines!(an_order_is_traced_from_its_request_to_its_commit);
through_a_log!(an_order_is_traced_from_its_request_to_its_commit);

async fn an_order_is_traced_from_its_request_to_its_commit(database: Database) {
    let collector = Collector::start().await;
    let settings = [
        ("COFFEE_RT_TRACES__ENDPOINT", collector.url()),
        ("COFFEE_RT_TRACES__SAMPLE_RATIO", "0".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let node = Node::start_with(&database, &settings).await;
    let unwanted = TRACE.replace("4b", "5c");
    for (trace, flags) in [(unwanted.as_str(), "00"), (TRACE, "01")] {
        let key = format!("Idempotency-Key: {}", Uuid::now_v7());
        let parent = format!("traceparent: 00-{trace}-{CALLER}-{flags}");
        assert_eq!(place(&node, &[JSON, &key, &parent]).await, 200);
    }
    node.until_stored().await;
    let received = format!("POST {}", node.version.order_path());
    let mut wanted = vec![received.as_str(), "commit"];
    if node.version.name() != "v1" {
        wanted.push("append");
    }
    wanted.sort_unstable();
    eventually("the order is traced", async || {
        let spans = collector.of_trace(TRACE);
        let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        if names == wanted {
            Ok(())
        } else {
            Err(format!("{names:?}\n{}", node.log()))
        }
    })
    .await;
    let spans = collector.of_trace(TRACE);
    let request = spans.iter().find(|span| span.name == received).unwrap();
    assert_eq!(hex(&request.parent_span_id), CALLER);
    for span in spans.iter().filter(|span| span.name != received) {
        assert_eq!(span.parent_span_id, request.span_id, "{span:?}");
        assert_eq!(
            attribute(span, "coffee_rt.message_id"),
            attribute(request, "coffee_rt.message_id")
        );
        assert!(span.start_time_unix_nano >= request.start_time_unix_nano, "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
    }
    let commit = spans.iter().find(|span| span.name == "commit").unwrap();
    assert_eq!(attribute(commit, "coffee_rt.outcome").as_deref(), Some("stored"));
    node.stop().await;
    // The node has sent everything when it stops.
    assert_eq!(collector.of_trace(&unwanted).len(), 0, "nobody collects that trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_clients_that_say_nothing_are_sampled_and_named_so_in_the_log() {
    let collector = Collector::start().await;
    let settings = [
        ("COFFEE_RT_TRACES__ENDPOINT", collector.url()),
        ("COFFEE_RT_TRACES__SAMPLE_RATIO", "1".to_owned()),
        ("COFFEE_RT_LOG", "info,coffee_rt=debug".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let node = Node::start_with(&Database::sqlite(), &settings).await;
    assert_eq!(place(&node, &[JSON]).await, 200);
    let log = eventually("the answer is in the log", async || {
        let log = node.log();
        if log.contains("an order is answered") {
            Ok(log)
        } else {
            Err(log)
        }
    })
    .await;
    node.stop().await;
    let spans = collector.spans.lock().clone();
    assert_eq!(spans.len(), 2, "{spans:?}");
    let root = spans.iter().find(|span| span.parent_span_id.is_empty()).unwrap();
    assert!(log.contains(&hex(&root.trace_id)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_no_order() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let settings = [
        ("COFFEE_RT_TRACES__ENDPOINT", endpoint.as_str()),
        ("COFFEE_RT_TRACES__SAMPLE_RATIO", "1"),
    ];
    let database = Database::sqlite();
    let node = Node::start_with(&database, &settings).await;
    for _ in 0..20 {
        assert_eq!(place(&node, &[JSON]).await, 200);
    }
    node.stop().await;
    assert_eq!(database.assert_audit_clean(), 20);
}
