//! Network faults between wegraf and a real Alertmanager during a silence: it is made once, or its state is reported as
//! unknown; and a foreign server in its place is recognised.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::any;
use tempfile::TempDir;
use tokio::net::TcpListener;
use wegraf::internals::config::{Credential, Upstream, UpstreamKind};
use wegraf::internals::upstream::{Client, Problem, SilenceState};

use crate::harness::crypto;
use crate::programs::Server;
use crate::proxy::{By, Of, Plan, Proxy};
use crate::silences::{NO_NOTIFIER, upstream, wanted};

const SECRET: &str = "s3cret-token-4711";

fn known(url: &str) -> Upstream {
    Upstream { credential: Some(Credential::Bearer(SECRET.into())), ..upstream(UpstreamKind::Alertmanager, url) }
}

/// An Alertmanager, a proxy before it, a client behind the proxy and one that goes straight.
struct World {
    _folder: TempDir,
    _server: Server,
    proxy: Proxy,
    client: Client,
    straight: Client,
}

async fn world() -> Option<World> {
    crypto();
    let folder = TempDir::new().unwrap();
    let server = Server::alertmanager(folder.path(), NO_NOTIFIER).await?;
    let address: SocketAddr = server.url.trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::start(address).await;
    let client = Client::new(&known(&proxy.url())).unwrap();
    let straight = Client::new(&known(&server.url)).unwrap();
    Some(World { _folder: folder, _server: server, proxy, client, straight })
}

impl World {
    async fn in_force(&self) -> usize {
        let silences = self.straight.list(&[]).await.unwrap();
        silences.iter().filter(|silence| silence.state != SilenceState::Expired).count()
    }
}

#[tokio::test]
async fn an_answer_that_is_reset_after_the_silence_was_taken_makes_no_second_one() {
    let Some(mut world) = world().await else { return };
    for (act, by) in [("1", By::Reset), ("2", By::Close)] {
        let lost = Plan::Cut { of: Of::Answer, after: 0, by };
        world.proxy.script(&[lost], Plan::Pass).await;
        let made = world.client.silence(&wanted(&["alertname=主机失联"], act)).await.unwrap();
        let silence = world.straight.get(&made.id).await.unwrap();
        assert!(silence.comment.ends_with(&format!("(wegraf:{act})")), "{silence:?}");
    }
    assert_eq!(world.in_force().await, 2, "one for each act");
}

#[tokio::test]
async fn a_request_that_never_arrived_whole_is_made_by_the_second_try() {
    let Some(mut world) = world().await else { return };
    let cut = Plan::Cut { of: Of::Request, after: 40, by: By::Reset };
    world.proxy.script(&[cut], Plan::Pass).await;
    world.client.silence(&wanted(&["alertname=主机失联"], "1")).await.unwrap();
    assert_eq!(world.in_force().await, 1);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_looked_for_and_found() {
    let Some(mut world) = world().await else { return };
    world.proxy.script(&[Plan::Mute], Plan::Pass).await;
    let made = world.client.silence(&wanted(&["alertname=主机失联"], "1")).await.unwrap();
    assert_eq!(world.in_force().await, 1);
    assert_eq!(world.straight.get(&made.id).await.unwrap().state, SilenceState::Active);
}

#[tokio::test]
async fn unknown_while_the_answer_and_the_list_are_lost_until_the_marker_is_found() {
    let Some(mut world) = world().await else { return };
    let wanted = wanted(&["alertname=主机失联"], "1");
    world.proxy.set(Plan::Cut { of: Of::Answer, after: 0, by: By::Reset }).await;
    let error = world.client.silence(&wanted).await.unwrap_err();
    assert_eq!(error.problem, Problem::Unsure, "{error}");
    assert!(error.problem.may_pass() && error.what.zh.contains("不知道做成没有"), "{error}");
    world.proxy.set(Plan::Pass).await;
    let made = world.client.made(&wanted).await.unwrap().expect("it had been taken");
    assert_eq!(world.in_force().await, 1);

    // To end it or to move it twice does no harm.
    let lost = Plan::Cut { of: Of::Answer, after: 0, by: By::Reset };
    let later = wanted.ends_at.plus_millis(60_000);
    world.proxy.script(&[Plan::Pass, lost], Plan::Pass).await;
    assert_eq!(world.client.extend(&made.id, later).await.unwrap(), made);
    world.proxy.script(&[lost], Plan::Pass).await;
    world.client.expire(&made.id).await.unwrap();
    assert_eq!(world.in_force().await, 0);
}

#[tokio::test]
async fn an_upstream_that_is_down_or_silent_is_told_and_nothing_is_promised() {
    let Some(mut world) = world().await else { return };
    world.proxy.set(Plan::Refuse).await;
    let error = world.client.silence(&wanted(&["a=b"], "1")).await.unwrap_err();
    assert_eq!((error.problem, error.status), (Problem::Unreachable, None), "{error}");
    assert!(error.what.zh.contains("连不上") && !format!("{error:?}").contains(SECRET), "{error:?}");
    world.proxy.set(Plan::BlackHole).await;
    let error = world.client.list(&[]).await.unwrap_err();
    assert_eq!(error.problem, Problem::Broken, "{error}");
    assert!(error.what.en.contains("no answer in 5 s"), "{error}");
    assert_eq!(world.in_force().await, 0);
}

/// Something else behind the URL.
async fn other(router: Router) -> Client {
    crypto();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    Client::new(&known(&url)).unwrap()
}

#[tokio::test]
async fn a_peer_that_is_no_upstream_is_reported_as_such() {
    let echo =
        |headers: axum::http::HeaderMap| async move { (StatusCode::BAD_REQUEST, format!("you sent {headers:?}")) };
    let endless = || async { "[\"".to_owned() + &"x".repeat(17 << 20) };
    #[rustfmt::skip]
    let table = [
        (Router::new().fallback(any(|| async { "<html>welcome</html>" })), Problem::Foreign, "login page"),
        (Router::new().fallback(any(|| async { "{\"a\": 1}" })), Problem::Foreign, "cannot be read"),
        (Router::new().fallback(any(|| async { Redirect::temporary("http://elsewhere.invalid/") })), Problem::Foreign, "`url` must be the root"),
        (Router::new(), Problem::Foreign, "`url` must be the root"),
        (Router::new().fallback(any(endless)), Problem::Foreign, "over 16 MiB"),
        (Router::new().fallback(any(|| async { StatusCode::INTERNAL_SERVER_ERROR })), Problem::Failed, "read its log"),
        // It repeats our credential; we do not.
        (Router::new().fallback(any(echo)), Problem::Refused, "check the matchers"),
    ];
    for (router, problem, words) in table {
        let client = other(router).await;
        let error = client.list(&[]).await.unwrap_err();
        assert_eq!(error.problem, problem, "{error}");
        assert!(error.what.en.contains(words) && !error.what.zh.is_empty(), "{error}");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        let error = client.silence(&wanted(&["a=b"], "1")).await.unwrap_err();
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    }
}
