//! Silences in a real Alertmanager: made, listed, moved, ended; and what still fires behind them.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wegraf::internals::alert::Timestamp;
use wegraf::internals::config::{Credential, Upstream, UpstreamKind};
use wegraf::internals::time::Clock;
use wegraf::internals::upstream::{Client, Matcher, Problem, SilenceState, Wanted, marker};
use xtask::gateway::free;

use crate::harness::crypto;
use crate::programs::{Program, Server, alert, find, until};

const HOUR_MS: i64 = 3_600_000;
pub const NO_NOTIFIER: &str = "receivers: [ { name: nobody } ]\nroute: { receiver: nobody }\n";

/// An upstream at `url`, as a configuration of two lines makes it.
pub fn upstream(kind: UpstreamKind, url: &str) -> Upstream {
    Upstream {
        name: "up".to_owned(),
        kind,
        url: url.to_owned(),
        peers: Vec::new(),
        credential: None,
        ca_file: None,
        sources: Vec::new(),
        org_id: None,
        gone_after: Duration::from_mins(2),
        tenant: None,
        ignore_labels: vec!["replica".to_owned()],
    }
}

/// What a person wants who presses "1 h".
pub fn wanted(matchers: &[&str], act: &str) -> Wanted {
    let now = Clock::System.now();
    Wanted {
        matchers: matchers.iter().map(|text| Matcher::parse(text).unwrap()).collect(),
        now,
        ends_at: now.plus_millis(HOUR_MS),
        author: "张三 (zhangsan)".to_owned(),
        comment: "卡片上的静默 1 小时".to_owned(),
        marker: marker(None, act),
    }
}

fn host(name: &str, replica: &str, over: bool) -> Value {
    let labels = json!({ "alertname": "主机失联", "instance": name, "replica": replica, "note": "\"a\\b\"\n行" });
    alert(&labels, "没有心跳", over)
}

async fn world() -> Option<(TempDir, Server, Client)> {
    crypto();
    let folder = TempDir::new().unwrap();
    let server = Server::alertmanager(folder.path(), NO_NOTIFIER).await?;
    let client = Client::new(&upstream(UpstreamKind::Alertmanager, &server.url)).unwrap();
    Some((folder, server, client))
}

/// Both are the same to the second, which is all that Alertmanager compares.
fn about(one: Timestamp, other: Timestamp) -> bool {
    one.0.abs_diff(other.0) < 1000
}

#[tokio::test]
async fn a_silence_is_made_listed_extended_in_place_and_ended() {
    let Some((_folder, _server, client)) = world().await else { return };
    assert_eq!(client.check().await, Ok(0));
    assert_eq!(client.list(&[]).await.unwrap(), [], "to look makes nothing");
    let wanted = wanted(&["alertname=主机失联", "instance=web-1", "note=\"\"a\\b\"\n行\""], "1");
    let made = client.silence(&wanted).await.unwrap();
    client.silence(&self::wanted(&["alertname=别的"], "2")).await.unwrap();

    let silence = client.get(&made.id).await.unwrap();
    assert_eq!((silence.state, silence.author.as_str()), (SilenceState::Active, "张三 (zhangsan)"));
    assert_eq!(silence.comment, "卡片上的静默 1 小时 (wegraf:1)");
    let mut matchers = silence.matchers.clone();
    matchers.sort();
    assert_eq!(matchers, wanted.matchers);
    assert!(about(silence.ends_at, wanted.ends_at), "{silence:?}");
    assert!(silence.starts_at.0.abs_diff(wanted.now.0) < 20_000, "a begin in the past is now: {silence:?}");

    assert_eq!(client.list(&wanted.matchers).await.unwrap(), std::slice::from_ref(&silence));
    assert_eq!(client.list(&[]).await.unwrap().len(), 2);
    assert_eq!(client.made(&wanted).await.unwrap(), Some(made.clone()), "the marker finds it again");
    assert_eq!(client.made(&self::wanted(&["instance=web-1"], "3")).await.unwrap(), None);

    let later = wanted.ends_at.plus_millis(HOUR_MS);
    let extended = client.extend(&made.id, later).await.unwrap();
    assert_eq!(extended, made, "the same silence");
    let silence = client.get(&made.id).await.unwrap();
    assert!(about(silence.ends_at, later) && silence.comment.contains("wegraf:1"), "{silence:?}");
    assert_eq!(client.list(&[]).await.unwrap().len(), 2, "and no new one");

    client.expire(&made.id).await.unwrap();
    assert_eq!(client.get(&made.id).await.unwrap().state, SilenceState::Expired);
    client.expire(&made.id).await.unwrap();
    assert_eq!(client.made(&wanted).await.unwrap(), None, "one that has ended hides nothing");
}

#[tokio::test]
async fn a_silence_that_has_ended_is_extended_as_a_new_one_whose_id_comes_back() {
    let Some((_folder, _server, client)) = world().await else { return };
    let wanted = wanted(&["alertname=主机失联", "instance=~web-.*", "instance!=web-9"], "1");
    let made = client.silence(&wanted).await.unwrap();
    client.expire(&made.id).await.unwrap();
    let again = client.extend(&made.id, wanted.ends_at).await.unwrap();
    assert_ne!(again, made);
    let silence = client.get(&again.id).await.unwrap();
    assert_eq!(silence.state, SilenceState::Active);
    let mut matchers = silence.matchers;
    matchers.sort();
    let mut all = wanted.matchers.clone();
    all.sort();
    assert_eq!(matchers, all, "with the same matchers, patterns and negations included");
}

#[tokio::test]
async fn a_silenced_alert_still_fires_until_it_resolves() {
    let Some((_folder, server, client)) = world().await else { return };
    let known = client.about().await.remove(0).unwrap().expect("an Alertmanager says so");
    assert!(known.up_since.0.abs_diff(Clock::System.now().0) < 60_000, "{known:?}");
    assert!(!known.version.is_empty(), "{known:?}");
    server.fire(&[host("web-1", "a", false), host("web-1", "b", false), host("web-2", "a", false)]).await;
    let matchers: Vec<Matcher> =
        ["alertname=主机失联", "instance=web-1"].iter().map(|text| Matcher::parse(text).unwrap()).collect();
    let states = async |wanted: &str| {
        let firing = client.firing(&matchers).await.unwrap();
        let all = firing.len() == 2 && firing.iter().all(|alert| alert.state == wanted);
        all.then_some(firing)
    };
    let firing = until("both replicas fire", async || states("active").await).await;
    assert!(firing.iter().all(|alert| alert.labels["instance"] == "web-1" && !alert.fingerprint.is_empty()));
    assert!(firing[0].starts_at.is_some());
    client.silence(&wanted(&["alertname=主机失联", "instance=web-1"], "1")).await.unwrap();
    until("both are hidden and fire", async || states("suppressed").await).await;
    server.fire(&[host("web-1", "a", true), host("web-1", "b", true)]).await;
    let over = async || client.firing(&matchers).await.unwrap().is_empty().then_some(());
    until("neither fires any more", over).await;
    assert_eq!(client.firing(&[]).await.unwrap().len(), 1, "the other one does");
}

#[tokio::test]
async fn labels_that_no_url_holds_are_compared_all_the_same() {
    let Some((_folder, server, client)) = world().await else { return };
    let long = |last: &str| format!("{}{last}", "长".repeat(5000));
    let with = |note: &str| alert(&json!({ "alertname": "主机失联", "note": note }), "没有心跳", false);
    server.fire(&[with(&long("a")), with(&long("b"))]).await;
    let name = Matcher::equal("alertname", "主机失联");
    let both = async || (client.firing(std::slice::from_ref(&name)).await.ok()?.len() == 2).then_some(());
    until("both fire", both).await;
    let of = async |last: &str| client.firing(&[name.clone(), Matcher::equal("note", long(last))]).await.unwrap();
    let [firing] = &of("b").await[..] else { panic!("one") };
    assert!(firing.labels["note"].ends_with('b'));
    assert!(of("c").await.is_empty());
    let wanted = Wanted { matchers: vec![Matcher::equal("note", long("b"))], ..wanted(&[], "1") };
    let made = client.silence(&wanted).await.unwrap();
    assert_eq!(client.made(&wanted).await.unwrap(), Some(made));
}

#[tokio::test]
async fn a_rejection_by_alertmanager_is_reported_with_its_reason() {
    let Some((_folder, _server, client)) = world().await else { return };
    let refused = async |wanted: Wanted, words: &str| {
        let error = client.silence(&wanted).await.unwrap_err();
        assert_eq!(error.problem, Problem::Refused, "{error}");
        assert!(error.what.en.contains(words) && error.what.zh.contains("匹配条件"), "{error}");
    };
    refused(wanted(&["a=~("], "1"), "HTTP 400").await;
    refused(wanted(&["a=~.*"], "1"), "HTTP 400").await;
    refused(wanted(&[], "1"), "HTTP 422").await;
    let past = wanted(&["a=b"], "1");
    refused(Wanted { ends_at: past.now.plus_millis(-HOUR_MS), ..past }, "HTTP 400").await;
    let gone = "00000000-0000-4000-8000-000000000000";
    for error in [
        client.get(gone).await.unwrap_err(),
        client.expire(gone).await.unwrap_err(),
        client.extend(gone, Clock::System.now()).await.unwrap_err(),
        client.get("../../-/reload").await.unwrap_err(),
    ] {
        assert_eq!(error.problem, Problem::NotFound, "{error}");
    }
}

/// bcrypt of [`PASSWORD`] at the lowest cost.
const HASH: &str = "$2b$04$Dkv2bIjxEVbGS.WXvnrC9.hnu9IVC6RV9aLxcg423KqreESIaypw6";
const PASSWORD: &str = "pa:ss 密";

#[tokio::test]
async fn an_alertmanager_with_a_certificate_and_a_password_of_its_own_is_reached_with_both() {
    crypto();
    let Some(path) = find("prometheus-alertmanager") else { return };
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write("ca.pem", &made.cert.pem());
    write("key.pem", &made.signing_key.serialize_pem());
    write(
        "web.yml",
        &format!(
            "tls_server_config: {{ cert_file: ca.pem, key_file: key.pem }}\nbasic_auth_users: {{ wegraf: {HASH} }}\n"
        ),
    );
    write("alertmanager.yml", NO_NOTIFIER);
    let address = free().unwrap();
    let listen = format!("--web.listen-address={address}");
    let own = [
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        "--cluster.listen-address=",
        "--web.config.file=web.yml",
    ];
    let _program = Program::start(&path, folder.path(), &[&own[..], &[listen.as_str()]].concat());

    let known = |password: &str, ca: bool| Upstream {
        credential: Some(Credential::Basic { username: "wegraf".to_owned(), password: password.into() }),
        ca_file: ca.then(|| folder.path().join("ca.pem")),
        ..upstream(UpstreamKind::Alertmanager, &format!("https://localhost:{}", address.port()))
    };
    let client = Client::new(&known(PASSWORD, true)).unwrap();
    until("it answers", async || client.list(&[]).await.ok()).await;
    client.silence(&wanted(&["alertname=主机失联"], "1")).await.unwrap();
    let wrong = Client::new(&known("other", true)).unwrap().list(&[]).await.unwrap_err();
    assert_eq!((wrong.problem, wrong.status), (Problem::Unknown, Some(401)), "{wrong}");
    assert!(wrong.what.en.contains("check `basic`"), "{wrong}");
    let stranger = Client::new(&known(PASSWORD, false)).unwrap().list(&[]).await.unwrap_err();
    assert_eq!(stranger.problem, Problem::Unreachable, "{stranger}");
    assert!(stranger.what.zh.contains("证书"), "{stranger}");
    write("ca.pem", "no certificate");
    assert_eq!(Client::new(&known(PASSWORD, true)).unwrap_err().problem, Problem::Setup);
}
