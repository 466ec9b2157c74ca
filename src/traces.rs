//! Traces for a collector that speaks OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), where the
//! settings name one. A collector that is away costs spans, never orders.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use coffee_rt_actors::spans;
use http_body_util::Full;
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response, ResponseExt};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::config::Config;
use crate::exchange::{self, exchange, http_client};

/// How long a collector may take to accept a connection.
const CONNECT_TIMEOUT_MILLIS: u64 = 3_000;
/// How long a collector may take to take spans; they are thrown away then.
const EXPORT_TIMEOUT_MILLIS: u64 = 5_000;
/// From one sending of spans to the next.
const EXPORT_EVERY_MILLIS: u64 = 1_000;
/// Spans that wait to be sent; further ones are thrown away.
const MAX_WAITING_SPANS: usize = 8_192;
/// Spans of one request to the collector.
const MAX_EXPORT_SPANS: usize = 1_024;
/// The longest answer of a collector that is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long the last spans may take when the node stops.
const LAST_SPANS_MILLIS: u64 = 2_000;

/// Traces that are collected until they are finished.
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Starts making spans, where the settings say where to send them.
    ///
    /// # Errors
    /// Where the exporter cannot be made.
    pub fn start(config: &Config) -> anyhow::Result<Self> {
        let Some(endpoint) = &config.traces.endpoint else {
            return Ok(Self(None));
        };
        let url = endpoint.join("v1/traces").context("traces.endpoint")?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new())
            .with_endpoint(url.as_str())
            .with_timeout(Duration::from_millis(EXPORT_TIMEOUT_MILLIS))
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_WAITING_SPANS)
            .with_max_export_batch_size(MAX_EXPORT_SPANS)
            .with_scheduled_delay(Duration::from_millis(EXPORT_EVERY_MILLIS))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                config.traces.sample_ratio,
            ))))
            .with_resource(Resource::builder().with_service_name("coffee-rt").build())
            .build();
        spans::collect(BoxedTracer::new(Box::new(provider.tracer("coffee-rt"))));
        tracing::info!(%url, sample_ratio = config.traces.sample_ratio, "traces are sent");
        Ok(Self(Some(provider)))
    }

    /// Sends what waits.
    pub async fn finish(self) {
        let Some(provider) = self.0 else { return };
        let limit = Duration::from_millis(LAST_SPANS_MILLIS);
        let finished = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit)).await;
        if let Ok(Err(error)) = finished {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Posts spans from the exporter's thread, which is none of the runtime's.
#[derive(Debug)]
struct CollectorClient {
    runtime: Handle,
    http: exchange::HttpClient,
}

impl CollectorClient {
    fn new() -> Self {
        Self {
            runtime: Handle::current(),
            http: http_client(Duration::from_millis(CONNECT_TIMEOUT_MILLIS)),
        }
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (http, request) = (self.http.clone(), request.map(Full::new));
        let timeout = Duration::from_millis(EXPORT_TIMEOUT_MILLIS);
        let exchanged = async move { exchange(&http, request, MAX_ANSWER_BYTES, timeout).await };
        self.runtime.spawn(exchanged).await??.error_for_status()
    }
}
