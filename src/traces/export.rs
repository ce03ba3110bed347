//! Sends spans to the collector, in batches; no other task waits for it.

use std::sync::PoisonError;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::otlp::request;
use super::{Span, Traces};
use crate::config::Traces as Settings;

/// Spans of one request; the default of OpenTelemetry's SDKs.
const BATCH: usize = 512;
/// How long spans are gathered before a request.
const GATHER: Duration = Duration::from_secs(1);
/// Deadline of one request; OTLP's default.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pauses between tries of one batch. Then it is dropped: newer spans are worth more.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// How long the last batch may take when the process stops.
const FLUSH: Duration = Duration::from_secs(2);
/// Most bytes read of an answer.
const ANSWER: usize = 64 << 10;

/// Sends spans until `stop`, then what is left, within [`FLUSH`]. The first call takes the spans; another ends at once.
pub async fn run(traces: Traces, stop: CancellationToken) {
    let taken = traces.0.from.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut from) = taken else { return };
    let mut sender = Sender { traces, client: None, host: host(), works: None };
    let mut batch = Vec::new();
    while stop.run_until_cancelled(from.recv_many(&mut batch, BATCH)).await.is_some() {
        if batch.len() < BATCH {
            stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            fill(&mut batch, &mut from);
        }
        // Stopping ends the tries; the batch is tried once more below.
        stop.run_until_cancelled(sender.bring(&mut batch)).await;
    }
    fill(&mut batch, &mut from);
    // Spans that the collector does not take in time are lost: the process ends.
    tokio::time::timeout(FLUSH, sender.once(&batch)).await.ok();
}

/// Adds what waits to `batch`, up to [`BATCH`].
fn fill(batch: &mut Vec<Span>, from: &mut mpsc::Receiver<Span>) {
    while batch.len() < BATCH
        && let Ok(span) = from.try_recv()
    {
        batch.push(span);
    }
}

/// The result of one request.
enum Sent {
    /// Taken; this many spans were refused.
    Taken(i64),
    /// It may be tried again.
    Later(String),
    /// It would be refused again.
    Refused(String),
}

struct Sender {
    traces: Traces,
    /// Made for the first batch: it holds the machine's certificates in memory.
    client: Option<Client>,
    host: String,
    /// The last request was taken; `None` before the first.
    works: Option<bool>,
}

impl Sender {
    /// Sends a batch, trying again while the collector is away; empties it.
    async fn bring(&mut self, batch: &mut Vec<Span>) {
        for pause in PAUSES {
            if !self.once(batch).await {
                return batch.clear();
            }
            tokio::time::sleep(pause).await;
        }
        if self.once(batch).await {
            self.traces.count("dropped", batch.len());
        }
        batch.clear();
    }

    /// One request; true if the batch should be tried again. Counts what became of its spans.
    async fn once(&mut self, batch: &[Span]) -> bool {
        let config = self.traces.0.config.now();
        let Some(settings) = config.traces.as_ref().filter(|_| !batch.is_empty()) else { return false };
        match self.post(settings, batch).await {
            Sent::Taken(refused) => {
                let refused = usize::try_from(refused).unwrap_or_default().min(batch.len());
                self.traces.count("sent", batch.len() - refused);
                self.traces.count("refused", refused);
                if self.works.replace(true) == Some(false) {
                    info!("The collector takes spans again.");
                }
                false
            }
            Sent::Later(error) => {
                self.failed(&error);
                true
            }
            Sent::Refused(error) => {
                self.traces.count("refused", batch.len());
                self.failed(&error);
                false
            }
        }
    }

    /// Logs the first failure of a row.
    fn failed(&mut self, error: &str) {
        if self.works.replace(false) != Some(false) {
            warn!(error, "The collector does not take spans; alerts are not affected. Check `traces`.");
        }
    }

    async fn post(&mut self, settings: &Settings, batch: &[Span]) -> Sent {
        let Some((url, headers)) = address(settings) else {
            return Sent::Refused("`traces.otlp` is no address".to_owned());
        };
        let body = request(batch, &self.host).encode_to_vec();
        let client = match self.client.take().map_or_else(client, Ok) {
            Ok(client) => self.client.insert(client),
            Err(error) => return Sent::Later(error.to_string()),
        };
        let call = client.post(url).headers(headers).header(CONTENT_TYPE, "application/x-protobuf").body(body);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => return Sent::Later(error.without_url().to_string()),
        };
        match answer.status() {
            status if status.is_success() => Sent::Taken(rejected(answer).await),
            // https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Sent::Later(status.to_string()),
            status => Sent::Refused(status.to_string()),
        }
    }
}

fn client() -> reqwest::Result<Client> {
    // An error says that another room did it first.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().timeout(DEADLINE).redirect(Policy::none()).build()
}

/// The spans that an answer says were refused.
async fn rejected(mut answer: reqwest::Response) -> i64 {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER {
            return 0;
        }
    }
    let read = ExportTraceServiceResponse::decode(body.as_slice()).ok();
    read.and_then(|read| read.partial_success).map_or(0, |part| part.rejected_spans)
}

/// The address of the collector's traces, and the headers of each request.
fn address(settings: &Settings) -> Option<(Url, HeaderMap)> {
    let mut url = Url::parse(settings.otlp.expose_secret()).ok()?;
    if !url.path().ends_with("/v1/traces") {
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    Some((url, headers))
}

/// The name of this machine, or of this container.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
