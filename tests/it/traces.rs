//! Traces: a collector of the test's own receives OTLP and knows each stage of an alert's way.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use tokio::net::TcpListener;

use crate::harness::{PATIENCE, World, alertmanager};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a collector received, and the status that it answers.
#[derive(Clone)]
struct Collector {
    taken: Arc<Mutex<Vec<Span>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
    status: StatusCode,
    url: String,
}

impl Collector {
    async fn start(status: StatusCode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { taken: Arc::default(), headers: Arc::default(), status, url };
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    fn rest(&self, more: &str) -> String {
        format!(
            "receivers: {{ ops: {{ targets: [ {{ app: ops, users: [zhangsan], face: text }} ] }} }}
traces: {{ otlp: '{}', headers: {{ X-Token: canary-token }}{more} }}
",
            self.url
        )
    }

    fn spans(&self) -> Vec<Span> {
        self.taken.lock().unwrap().clone()
    }

    fn named(&self, name: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    collector.headers.lock().unwrap().push(headers);
    if collector.status.is_success() {
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        collector.taken.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
    }
    collector.status
}

fn fact(span: &Span, name: &str) -> Option<Value> {
    span.attributes.iter().find(|fact| fact.key == name)?.value.clone()?.value
}

async fn posted(world: &World, name: &str, traceparent: Option<&str>) {
    let mut request = world.http.post(format!("{}/webhook", world.url)).body(alertmanager(name, &[("a", "firing")]));
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// Waits until a counter has counted.
async fn at_least_one(world: &World, counter: &str) {
    let begun = Instant::now();
    while world.metric(counter).await < 0.5 {
        assert!(begun.elapsed() < PATIENCE, "{counter}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_of_an_alerts_way_is_a_span_of_one_trace() {
    let collector = Collector::start(StatusCode::OK).await;
    let mut world = World::new(&collector.rest("")).await;
    posted(&world, "traced", Some(TRACEPARENT)).await;
    posted(&world, "untraced", None).await;
    world.arrived("user=zhangsan", 2).await;
    world.settled().await;
    // Stopping sends what is left.
    world.stop().await;

    let sender: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&TRACEPARENT[3 + 2 * at..][..2], 16).unwrap()).collect();
    for (continued, kind) in [(true, "the sender's trace"), (false, "a trace of its own")] {
        let one = |name: &str| {
            let mut found = collector.named(name);
            found.retain(|span| (span.trace_id == sender) == continued);
            assert_eq!(found.len(), 1, "{name} of {kind}: {:#?}", collector.spans());
            found.remove(0)
        };
        let (admit, send, settle) = (one("admit"), one("send"), one("settle"));
        assert_eq!(admit.parent_span_id.is_empty(), !continued, "{kind}");
        assert_eq!(admit.links.len(), usize::from(continued), "{kind}");
        assert_eq!((admit.kind(), send.kind()), (SpanKind::Server, SpanKind::Client));
        let stages = [&one("write"), &one("claim"), &send, &settle].map(Clone::clone);
        for stage in &stages {
            assert_eq!((&stage.trace_id, &stage.parent_span_id), (&admit.trace_id, &admit.span_id), "{stage:#?}");
            assert!(stage.end_time_unix_nano >= stage.start_time_unix_nano && stage.start_time_unix_nano > 0);
            assert_eq!(fact(stage, "wegraf.notification"), fact(&admit, "wegraf.notification"));
            assert!(stage.status.is_none(), "{stage:#?}");
        }
        assert_eq!(fact(&send, "wegraf.outcome"), Some(Value::StringValue("accepted".to_owned())));
    }
    let headers = collector.headers.lock().unwrap();
    assert!(headers.iter().all(|headers| headers["x-token"] == "canary-token"));
    assert!(headers.iter().all(|headers| headers["content-type"] == "application/x-protobuf"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_send_is_a_failed_span_with_its_errcode() {
    let collector = Collector::start(StatusCode::OK).await;
    let rest = collector.rest("").replace("app: ops, users: [zhangsan]", "webhook: gone");
    let mut world = World::new(&rest).await;
    posted(&world, "refused", None).await;
    at_least_one(&world, "wegraf_wecom_errcodes_total{errcode=\"93000\"}").await;
    world.stop().await;
    let sends = collector.named("send");
    let failed = sends.first().expect("it was tried");
    assert_eq!(fact(failed, "wecom.errcode"), Some(Value::IntValue(93000)), "{failed:#?}");
    assert_eq!(failed.status.as_ref().unwrap().code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sender_or_the_share_leaves_out_is_not_traced() {
    let collector = Collector::start(StatusCode::OK).await;
    let mut world = World::new(&collector.rest(", sample: 0")).await;
    posted(&world, "not sampled by the share", None).await;
    posted(
        &world,
        "not sampled by the sender",
        Some(&TRACEPARENT.replace("736-00f067aa0ba902b7-01", "737-00f067aa0ba902b7-00")),
    )
    .await;
    posted(&world, "sampled by the sender", Some(TRACEPARENT)).await;
    world.arrived("user=zhangsan", 3).await;
    world.settled().await;
    world.stop().await;
    let spans = collector.spans();
    assert!(!spans.is_empty() && spans.iter().all(|span| span.trace_id.ends_with(&[0x47, 0x36])), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_arrive_without_the_collector() {
    let refusing = Collector::start(StatusCode::UNAUTHORIZED).await;
    let mut world = World::new(&refusing.rest("")).await;
    posted(&world, "collector refuses", None).await;
    world.arrived("user=zhangsan", 1).await;
    at_least_one(&world, "wegraf_trace_spans_total{result=\"refused\"}").await;
    world.stop().await;

    // An address that takes connections and never answers: stopping waits two seconds for it at most.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut world = World::new(&Collector { url, ..refusing }.rest("")).await;
    posted(&world, "collector hangs", None).await;
    world.arrived("user=zhangsan", 1).await;
    world.settled().await;
    let begun = Instant::now();
    world.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
