//! A STAND-IN for Grafana's silences API, not Grafana: no test here has used a real one. It follows
//! docs/reference/alert-sources.md#silences-of-grafana to the letter and nothing else:
//!
//! - `POST /api/alertmanager/grafana/api/v2/silences` with a bearer token: 202 with `silenceID`; 400
//!   `{"message": "silence failed validation…"}`; 404 "silence not found" for an id that it did not give; 409 while it is
//!   not ready; 401 for a wrong token or another organisation than the token's;
//! - 403 that names the missing permissions for a Viewer, and for rights in folders only unless the silence holds the
//!   matcher `__alert_rule_uid__`;
//! - `GET …/silences?filter=`, `GET` and `DELETE …/silence/{id}` (200 `{"message": "silence deleted"}`), `GET …/alerts`;
//! - an update with the same begin (in whole seconds) and matchers keeps the id, any other makes a new silence
//!   (docs/reference/alert-sources.md#silences).
//!
//! In addition it fails on command, like proxies between us and a Grafana.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wegraf::internals::time::Clock;
use wegraf::internals::upstream::{Matcher, covers};

/// The valid token, of the organisation [`ORG`].
pub const TOKEN: &str = "glsa_standInToken0123";
/// The organisation of the token.
pub const ORG: &str = "2";
const RULE_UID: &str = "__alert_rule_uid__";

/// The permissions of the token's service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rights {
    /// Everything.
    #[default]
    Editor,
    /// Silences of rules in its folders.
    Folder,
    /// Read.
    Viewer,
}

/// The fault of the next call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and a proxy answers 502.
    TakenThen502,
    /// It is done with the next change, and a proxy answers 502 now.
    LateThen502,
    /// Nothing is done, and a proxy answers 502.
    Only502,
    /// A login page, with status 200.
    LoginPage,
}

#[derive(Debug, Default)]
struct Inner {
    silences: Vec<Value>,
    alerts: Vec<Value>,
    rights: Rights,
    not_ready: bool,
    faults: VecDeque<Fault>,
    late: Option<Value>,
    /// Requested changes, whatever their result.
    changes: usize,
    next: u32,
}

/// A running stand-in; it ends with the test.
#[derive(Clone)]
pub struct Grafana {
    inner: Arc<Mutex<Inner>>,
    /// Its root.
    pub url: String,
}

impl Grafana {
    /// Below a path, as behind many proxies.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/grafana", listener.local_addr().unwrap());
        let grafana = Self { inner: Arc::default(), url };
        let api = Router::new()
            .route("/silences", post(create).get(list))
            .route("/silence/{id}", get(read).delete(expire))
            .route("/alerts", get(alerts))
            .with_state(grafana.clone());
        let router = Router::new().nest("/grafana/api/alertmanager/grafana/api/v2", api);
        tokio::spawn(async { axum::serve(listener, router).await });
        grafana
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Sets the permissions of the token.
    pub fn grant(&self, rights: Rights) {
        self.inner().rights = rights;
    }

    /// Is its Alertmanager still starting?
    pub fn starting(&self, starting: bool) {
        self.inner().not_ready = starting;
    }

    /// Sets the faults of the next changes.
    pub fn fail(&self, faults: &[Fault]) {
        self.inner().faults.extend(faults);
    }

    /// An alert that fires in it.
    pub fn fire(&self, labels: &Value) {
        let alert = json!({
            "labels": labels, "annotations": {}, "fingerprint": "f00", "startsAt": "2026-11-22T06:02:00Z",
            "endsAt": "2026-11-22T07:02:00Z", "receivers": [{ "name": "wegraf" }],
            "status": { "state": "active", "silencedBy": [], "inhibitedBy": [] },
        });
        self.inner().alerts.push(alert);
    }

    /// The silences that have not ended.
    pub fn in_force(&self) -> Vec<Value> {
        self.inner().silences.iter().filter(|silence| silence["status"]["state"] != "expired").cloned().collect()
    }

    /// How many changes were asked for.
    pub fn changes(&self) -> usize {
        self.inner().changes
    }

    /// Authentication and organisation: checked first in every call.
    #[expect(clippy::result_large_err, reason = "an answer is an answer")]
    fn admit(headers: &HeaderMap) -> Result<(), Response> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Err(refused(401, "Invalid API key"));
        }
        if header("x-grafana-org-id").is_some_and(|org| org != ORG) {
            return Err(refused(401, "API key does not belong to the requested organization"));
        }
        Ok(())
    }
}

impl Inner {
    /// The answer to a change.
    fn change(&mut self, request: &Value) -> Response {
        let id = request["id"].as_str().unwrap_or_default();
        let needed = if id.is_empty() { "alert.instances:create" } else { "alert.instances:write" };
        let names_rule = matchers(request).iter().any(|matcher| matcher.name == RULE_UID);
        let may = match self.rights {
            Rights::Editor => true,
            Rights::Folder => names_rule,
            Rights::Viewer => false,
        };
        if !may {
            return denied(needed);
        }
        if self.not_ready {
            return refused(409, "Alertmanager is not ready yet");
        }
        if let Some(wrong) = invalid(request) {
            return refused(400, &format!("silence failed validation: {wrong}"));
        }
        if !id.is_empty() && !self.silences.iter().any(|silence| silence["id"] == id) {
            return refused(404, "silence not found");
        }
        (StatusCode::ACCEPTED, json!({ "silenceID": self.take(request) }).to_string()).into_response()
    }

    fn take(&mut self, request: &Value) -> String {
        let same = |stored: &Value| {
            matchers(stored) == matchers(request)
                && instant(&stored["startsAt"]).as_second() == instant(&request["startsAt"]).as_second()
                && stored["status"]["state"] != "expired"
        };
        let known = self.silences.iter_mut().find(|silence| silence["id"] == request["id"]);
        match known {
            Some(stored) if same(stored) => {
                for key in ["endsAt", "comment", "createdBy"] {
                    stored[key] = request[key].clone();
                }
                return stored["id"].as_str().unwrap().to_owned();
            }
            Some(stored) => stored["status"]["state"] = "expired".into(),
            None => {}
        }
        self.next += 1;
        let id = format!("{:08x}-0000-4000-8000-000000000000", self.next);
        let mut silence = request.clone();
        silence["id"] = id.clone().into();
        silence["status"] = json!({ "state": "active" });
        let now = Timestamp::from_millisecond(Clock::System.now().0).unwrap();
        silence["startsAt"] = instant(&request["startsAt"]).max(now).to_string().into();
        silence["updatedAt"] = now.to_string().into();
        self.silences.push(silence);
        id
    }
}

async fn create(State(grafana): State<Grafana>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = Grafana::admit(&headers) {
        return refusal;
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else { return refused(400, "bad request data") };
    let mut inner = grafana.inner();
    inner.changes += 1;
    if let Some(late) = inner.late.take() {
        inner.take(&late);
    }
    let bad_gateway = (StatusCode::BAD_GATEWAY, "<html><h1>502 Bad Gateway</h1></html>").into_response();
    match inner.faults.pop_front() {
        None => inner.change(&request),
        Some(Fault::TakenThen502) => {
            inner.change(&request);
            bad_gateway
        }
        Some(Fault::LateThen502) => {
            inner.late = Some(request);
            bad_gateway
        }
        Some(Fault::Only502) => bad_gateway,
        Some(Fault::LoginPage) => (StatusCode::OK, "<html><form>login</form></html>").into_response(),
    }
}

async fn list(State(grafana): State<Grafana>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if let Err(refusal) = Grafana::admit(&headers) {
        return refusal;
    }
    let filter = filters(query.as_deref());
    let inner = grafana.inner();
    // As Alertmanager does: a filter is compared with the values of the matchers.
    let fits = |silence: &&Value| {
        let values = matchers(silence).into_iter().map(|matcher| (matcher.name, matcher.value)).collect();
        covers(&filter, &values)
    };
    json(200, &Value::Array(inner.silences.iter().filter(fits).cloned().collect()))
}

async fn read(State(grafana): State<Grafana>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Err(refusal) = Grafana::admit(&headers) {
        return refusal;
    }
    let inner = grafana.inner();
    match inner.silences.iter().find(|silence| silence["id"] == id.as_str()) {
        Some(silence) => json(200, silence),
        None => refused(404, "silence not found"),
    }
}

async fn expire(State(grafana): State<Grafana>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Err(refusal) = Grafana::admit(&headers) {
        return refusal;
    }
    let mut inner = grafana.inner();
    inner.changes += 1;
    if inner.rights == Rights::Viewer {
        return denied("alert.instances:write");
    }
    match inner.silences.iter_mut().find(|silence| silence["id"] == id.as_str()) {
        Some(silence) => {
            silence["status"]["state"] = "expired".into();
            json(200, &json!({ "message": "silence deleted" }))
        }
        None => refused(404, "silence not found"),
    }
}

async fn alerts(State(grafana): State<Grafana>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if let Err(refusal) = Grafana::admit(&headers) {
        return refusal;
    }
    let filter = filters(query.as_deref());
    let inner = grafana.inner();
    let fits = |alert: &&Value| covers(&filter, &serde_json::from_value(alert["labels"].clone()).unwrap());
    json(200, &Value::Array(inner.alerts.iter().filter(fits).cloned().collect()))
}

fn json(status: u16, body: &Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

fn refused(status: u16, message: &str) -> Response {
    json(status, &json!({ "message": message }))
}

/// As in grafana/grafana#89517.
fn denied(needed: &str) -> Response {
    let message =
        format!("You'll need additional permissions to perform this action. Permissions needed: any of {needed}");
    json(403, &json!({ "accessErrorId": "ACE0000000001", "message": message, "title": "Access denied" }))
}

fn matchers(silence: &Value) -> Vec<Matcher> {
    let mut matchers: Vec<Matcher> = serde_json::from_value(silence["matchers"].clone()).unwrap_or_default();
    matchers.sort();
    matchers
}

fn instant(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_default().parse().unwrap_or_default()
}

fn invalid(request: &Value) -> Option<&'static str> {
    if matchers(request).is_empty() {
        return Some("at least one matcher required");
    }
    if request["createdBy"].as_str().is_none_or(str::is_empty) || request["comment"].is_null() {
        return Some("createdBy and comment in body are required");
    }
    (instant(&request["endsAt"]) <= instant(&request["startsAt"])).then_some("end time must be after start time")
}

/// The matchers of `filter=` parameters.
fn filters(query: Option<&str>) -> Vec<Matcher> {
    let url = reqwest::Url::parse(&format!("http://x/?{}", query.unwrap_or_default())).unwrap();
    let texts = url.query_pairs().filter(|(name, _)| name == "filter").map(|(_, text)| text.into_owned());
    texts.map(|text| Matcher::parse(&text).unwrap_or_else(|_| panic!("filter {text:?}"))).collect()
}
