//! Many alerts of one upstream: more than one look, one notification or one page holds. What is done for the first of
//! them is done for all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wegraf::internals::answer::Foreseen;
use wegraf::internals::store::{ActFilter, ActKind, OnFilter};

use crate::harness::{World, alertmanager, crypto};

const NAME: &str = "磁盘将满";
/// More than one look reads singly, and more than one notification.
const MANY: usize = 45;
/// Long enough to read them on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// An Alertmanager that lists some alerts, each hidden by the silences that it names.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    /// Instance and silences.
    alerts: Vec<(String, Vec<String>)>,
    /// Paths that were asked for.
    paths: Vec<String>,
}

impl Crowd {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }

    /// From now on it lists `count` alerts, each hidden by the silence that `by` names for its place.
    fn lists(&self, count: usize, by: impl Fn(usize) -> Option<String>) {
        self.0.lock().unwrap().alerts =
            (0..count).map(|place| (instance(place), by(place).into_iter().collect())).collect();
    }

    /// How often a path that begins in this way was asked for.
    fn asked(&self, path: &str) -> usize {
        self.0.lock().unwrap().paths.iter().filter(|asked| asked.starts_with(path)).count()
    }
}

fn instance(place: usize) -> String {
    format!("db-{place}")
}

fn silence(id: &str) -> Value {
    json!({
        "id": id, "matchers": [{ "name": "alertname", "value": NAME, "isRegex": false, "isEqual": true }],
        "startsAt": "2026-11-22T06:02:00Z", "endsAt": "2099-01-01T00:00:00Z", "updatedAt": "2026-11-22T06:02:00Z",
        "createdBy": "lisi", "comment": "换盘", "status": { "state": "active" },
    })
}

async fn answer(State(crowd): State<Crowd>, uri: Uri) -> Response {
    let mut heard = crowd.0.lock().unwrap();
    heard.paths.push(uri.path().to_owned());
    let alert = |(instance, silences): &(String, Vec<String>)| {
        let state = if silences.is_empty() { "active" } else { "suppressed" };
        json!({
            "labels": { "alertname": NAME, "instance": instance, "severity": "warning" }, "annotations": {},
            "fingerprint": instance, "receivers": [{ "name": "wegraf" }], "startsAt": "2026-11-22T06:02:00Z",
            "endsAt": "2099-01-01T00:00:00Z", "updatedAt": "2026-11-22T06:02:00Z",
            "status": { "state": state, "silencedBy": silences, "inhibitedBy": [], "mutedBy": [] },
        })
    };
    let body = match uri.path() {
        "/api/v2/status" => json!({
            "uptime": "2026-01-01T00:00:00Z", "versionInfo": { "version": "0.27.0" }, "cluster": { "status": "disabled" },
        }),
        "/api/v2/alerts" => heard.alerts.iter().map(alert).collect(),
        "/api/v2/silences" => {
            let ids = heard.alerts.iter().flat_map(|(_, silences)| silences);
            ids.map(|id| silence(id)).collect()
        }
        path => match path.strip_prefix("/api/v2/silence/") {
            Some(id) => silence(id),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    axum::Json(body).into_response()
}

/// A gateway that was told of `count` alerts, each in a notification of its own, and their Alertmanager.
async fn told_singly(count: usize) -> (World, Crowd) {
    crypto();
    let crowd = Crowd::default();
    crowd.lists(count, |_| None);
    let config = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\nreceivers: {{ ops: {{ targets: [ {{ webhook: ops-group, face: text }} ] }} }}\nroute: {{ receiver: ops }}\n",
        crowd.start().await
    );
    let world = World::at_a_standstill(&config).await;
    for place in 0..count {
        world.accept("/webhook", alertmanager(NAME, &[(&instance(place), "firing")])).await;
    }
    (world, crowd)
}

async fn look(world: &World) {
    world.app().acts().look_once().await.unwrap();
}

/// A silence made elsewhere, by its place.
fn theirs(place: usize) -> String {
    format!("00000000-0000-4000-8000-{place:012}")
}

#[tokio::test]
async fn the_end_of_a_silence_is_told_of_each_alert_however_many_notifications_told_of_them() {
    let (world, crowd) = told_singly(MANY).await;
    crowd.lists(MANY, |_| Some(theirs(0)));
    look(&world).await;
    world.pass(Duration::from_mins(10));
    crowd.lists(MANY, |_| None);
    look(&world).await;
    let now = world.app().now();
    let reminded = world.followed().await;
    let reminded = reminded.iter().filter(|one| one.told_at == now).count();
    assert_eq!(reminded, MANY);
}

#[tokio::test]
async fn a_silence_for_alerts_of_many_notifications_is_as_wide_as_all_of_them() {
    let (world, _) = told_singly(MANY).await;
    let last = alertmanager(NAME, &[("db-last", "firing")]).replace("\"warning\"", "\"critical\"");
    world.accept("/webhook", last).await;
    let (alerts, _) = world.app().store().alerts_on(OnFilter { limit: 1_000, ..OnFilter::default() }).await.unwrap();
    let mut oldest_first = alerts;
    oldest_first.sort_by_key(|alert| alert.notification);
    let scope = world.app().acts().scope(&oldest_first, PATIENCE).await.unwrap().scope().unwrap();
    assert_eq!(scope.conditions(), format!("alertname=\"{NAME}\""), "the last one is critical");
    let scope = world.app().acts().scope(&oldest_first[..MANY], PATIENCE).await.unwrap().scope().unwrap();
    assert_eq!(scope.conditions(), format!("alertname=\"{NAME}\" severity=\"warning\""), "the control");
    // Too few were read: what all of them share is not known, and no silence is offered that may be too narrow.
    let late = world.app().acts().scope(&oldest_first, Duration::ZERO).await.unwrap();
    assert_eq!(late, Foreseen::TooMany);
}

#[tokio::test]
async fn each_of_many_silences_made_elsewhere_is_told_and_they_are_read_with_one_request() {
    let (world, crowd) = told_singly(MANY).await;
    crowd.lists(MANY, |place| Some(theirs(place)));
    look(&world).await;
    let filter = ActFilter { limit: 1_000, ..ActFilter::default() };
    let acts = world.app().store().acts(filter).await.unwrap();
    let told = acts.iter().filter(|act| act.kind == ActKind::Hide && act.by == "lisi" && act.detail == "换盘").count();
    assert_eq!(told, MANY);
    assert_eq!((crowd.asked("/api/v2/silences"), crowd.asked("/api/v2/silence/")), (1, 0));
    // Few of them are read one by one.
    crowd.lists(2, |place| Some(theirs(place)));
    look(&world).await;
    assert_eq!((crowd.asked("/api/v2/silences"), crowd.asked("/api/v2/silence/")), (1, 2));
}

/// More alerts than one page of those that are followed.
const PAGE: usize = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn alerts_beyond_the_first_page_are_followed() {
    crypto();
    let crowd = Crowd::default();
    let count = PAGE + 10;
    crowd.lists(count, |_| None);
    let config = format!(
        "upstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\nreceivers: {{ ops: {{ targets: [ {{ webhook: ops-group, face: text }} ] }} }}\nroute: {{ receiver: ops }}\n",
        crowd.start().await
    );
    let world = World::at_a_standstill(&config).await;
    let instances: Vec<String> = (0..count).map(instance).collect();
    let alerts: Vec<(&str, &str)> = instances.iter().map(|name| (name.as_str(), "firing")).collect();
    world.accept("/webhook", alertmanager(NAME, &alerts)).await;
    look(&world).await;
    let followed = world.followed().await;
    let active =
        followed.iter().filter(|one| one.truth.as_ref().is_some_and(|truth| truth.state_json.contains("active")));
    assert_eq!((followed.len(), active.count()), (count, count));
}
