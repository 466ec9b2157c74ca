//! Spans of the orders whose traces are collected. Where nobody collects any, an order costs one look here.
//!
//! A request's span is the parent of those of its append and its commit, also where a log lies between and another node
//! commits: the order takes it along.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{
    Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};

use crate::domain::{Order, TraceId, TraceParent};

/// Where spans go, if anywhere.
static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

/// Has spans made from now on. The first tracer of a process stays.
pub fn collect(tracer: BoxedTracer) {
    let _ = TRACER.set(tracer);
}

/// When something began that may become a span; none where nobody collects any.
#[must_use]
pub fn begin() -> Option<SystemTime> {
    TRACER.get().map(|_| SystemTime::now())
}

/// A request with an order. Ends when it is dropped.
pub struct RequestSpan(opentelemetry::global::BoxedSpan);

impl RequestSpan {
    /// Begins one, and tells where in a trace the order belongs by that. Where no span is made, it belongs where the client
    /// said.
    #[must_use]
    pub fn begin(
        name: impl FnOnce() -> String,
        began: Option<SystemTime>,
        client: Option<TraceParent>,
    ) -> (Option<Self>, Option<TraceParent>) {
        let (Some(tracer), Some(began)) = (TRACER.get(), began) else {
            return (None, client);
        };
        let builder = tracer
            .span_builder(name())
            .with_kind(SpanKind::Server)
            .with_start_time(began);
        let span = builder.start_with_context(tracer, &context(client));
        let own = span.span_context();
        let sampled = own
            .is_sampled()
            .then(|| TraceId::from_bytes(own.trace_id().to_bytes()))
            .flatten();
        match sampled {
            Some(trace) => {
                let span_id = own.span_id().to_bytes();
                let here = TraceParent {
                    trace,
                    span: span_id,
                    sampled: true,
                };
                (Some(Self(span)), Some(here))
            }
            None => (None, client),
        }
    }

    /// What became of it.
    pub fn answered(&mut self, order: &Order, refusal: Option<String>) {
        self.0
            .set_attribute(KeyValue::new("coffee_rt.message_id", order.message_id.to_string()));
        if let Some(refusal) = refusal {
            self.0.set_status(Status::error(refusal));
        }
    }
}

/// Tells what was done for these orders since it began. `attributes` are of this order, by its place.
pub fn tell(
    name: &'static str,
    began: Option<SystemTime>,
    orders: &[Arc<Order>],
    attributes: impl Fn(usize) -> Vec<KeyValue>,
) {
    let (Some(tracer), Some(began)) = (TRACER.get(), began) else {
        return;
    };
    for (place, order) in orders.iter().enumerate() {
        let Some(parent) = order.trace.filter(|trace| trace.sampled) else {
            continue;
        };
        let mut told = attributes(place);
        told.push(KeyValue::new("coffee_rt.message_id", order.message_id.to_string()));
        told.push(KeyValue::new(
            "coffee_rt.batch_orders",
            i64::try_from(orders.len()).unwrap_or(i64::MAX),
        ));
        let builder = tracer.span_builder(name).with_start_time(began).with_attributes(told);
        builder.start_with_context(tracer, &context(Some(parent))).end();
    }
}

fn context(parent: Option<TraceParent>) -> Context {
    let Some(parent) = parent else {
        return Context::new();
    };
    let flags = if parent.sampled {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::NOT_SAMPLED
    };
    let (trace, span) = (
        opentelemetry::TraceId::from_bytes(parent.trace.to_bytes()),
        SpanId::from_bytes(parent.span),
    );
    Context::new().with_remote_span_context(SpanContext::new(trace, span, flags, true, TraceState::NONE))
}
