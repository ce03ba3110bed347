//! Spans as OTLP writes them (<https://opentelemetry.io/docs/specs/otlp/>). Pure.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Written, Status};

use super::{Fact, Span, Stage};

/// The trace flag "sampled" of W3C Trace Context.
const SAMPLED: u32 = 1;

/// One request with all `spans`, of the process on this host.
pub(super) fn request(spans: &[Span], host: &str) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let resource = Resource {
        attributes: vec![
            text("service.name", "wegraf"),
            text("service.version", version),
            text("service.instance.id", host),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "wegraf".to_owned(), version: version.to_owned(), ..Default::default() };
    let scope = ScopeSpans { scope: Some(scope), spans: spans.iter().map(written).collect(), ..Default::default() };
    let resource = ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }
}

fn written(span: &Span) -> Written {
    let Span { stage, context, at, took, told } = span;
    let begun = u64::try_from(at.0).unwrap_or_default().saturating_mul(1_000_000);
    let kind = match stage {
        Stage::Admit => SpanKind::Server,
        Stage::Send => SpanKind::Client,
        Stage::Write | Stage::Claim | Stage::Settle => SpanKind::Internal,
    };
    let link = context.link.map(|(trace, span)| Link {
        trace_id: trace.to_vec(),
        span_id: span.to_vec(),
        flags: SAMPLED,
        ..Link::default()
    });
    Written {
        trace_id: context.trace.to_vec(),
        span_id: context.span.to_vec(),
        parent_span_id: context.parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name: stage.name().to_owned(),
        kind: kind.into(),
        start_time_unix_nano: begun,
        end_time_unix_nano: begun.saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        attributes: told.facts.iter().map(|(name, fact)| attribute(name, fact)).collect(),
        links: link.into_iter().collect(),
        status: told.failed.as_ref().map(|message| Status { code: StatusCode::Error.into(), message: message.clone() }),
        ..Written::default()
    }
}

fn attribute(name: &str, fact: &Fact) -> KeyValue {
    match fact {
        Fact::Text(value) => text(name, value),
        Fact::Number(value) => key_value(name, Value::IntValue(*value)),
    }
}

fn text(name: &str, value: &str) -> KeyValue {
    key_value(name, Value::StringValue(value.to_owned()))
}

fn key_value(name: &str, value: Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
