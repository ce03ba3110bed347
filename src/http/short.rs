//! Short links: `/l/7K2QM` leads to the address that an alert brought.
//!
//! A visitor is led on at once only to hosts that the configuration names; for others a page names the host and the alert
//! and leaves it to the visitor. An ended link names its alert. Codes are short, so a visitor that misses too often gets no
//! answers for a while.

mod misses;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::pages::{Reader, answer};
use super::peer::Peer;
use super::refusal::Cause;
use super::{Gate, words};
use crate::config::Config;
use crate::console::{Frame, NOT_READ, NotePage};
use crate::links::is_ours;
use crate::render::harmless_url;
use crate::store::ShortLink;
use crate::words::Words;
pub use misses::Misses;

/// The paths of short links.
pub fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/l/{code}", get(follow))
}

async fn follow(
    State(gate): State<Gate>,
    Path(code): Path<String>,
    peer: Option<Extension<Peer>>,
    parts: Parts,
) -> Response {
    let setup = gate.server.setup.now();
    let reader = Reader::of(&parts);
    let note = |status, said: Words| page(status, reader.frame(setup.config.language), said, None);
    let site = peer.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.site());
    let now = tokio::time::Instant::now().into_std();
    if let Some(wait) = gate.misses.wait(site, now) {
        let page = note(StatusCode::TOO_MANY_REQUESTS, words::LINKS_GUESSED);
        let answer = ([(header::RETRY_AFTER, wait.as_secs().max(1).to_string())], page).into_response();
        return Cause::new("too_often").attach(answer);
    }
    let link = match gate.server.links.behind(&code).await {
        Ok(Some(link)) => link,
        Ok(None) => {
            gate.misses.note(site, now);
            return Cause::new("no_such_link").attach(note(StatusCode::NOT_FOUND, words::LINK_UNKNOWN));
        }
        Err(error) => {
            let answer = note(StatusCode::SERVICE_UNAVAILABLE, NOT_READ);
            return Cause::new("store").detail(format!("a short link cannot be read: {error}")).attach(answer);
        }
    };
    let way = way(&setup.config, &link, gate.server.clock.now() >= link.ends_at);
    let alert = format!("#{} {}", link.thread, link.name);
    match way {
        Leads::On(url) => {
            let guards = [(header::REFERRER_POLICY, "no-referrer"), (header::CACHE_CONTROL, "no-store")];
            (StatusCode::FOUND, guards, [(header::LOCATION, url)]).into_response()
        }
        Leads::Asking { host, url } => {
            let (said, open) = (words::link_leads_to(&host, &alert), words::open(&host));
            page(StatusCode::OK, reader.frame(setup.config.language), said, Some((open, url)))
        }
        Leads::Nowhere => Cause::new("expired").attach(note(StatusCode::GONE, words::link_ended(&alert))),
    }
}

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
enum Leads {
    /// Straight to this address.
    On(String),
    /// The host is unknown: the visitor is asked first.
    Asking { host: String, url: String },
    /// No redirect: the link expired, or leads to wegraf itself, where addresses authorise acts.
    Nowhere,
}

fn way(config: &Config, link: &ShortLink, ended: bool) -> Leads {
    let ours = config.external_url.as_deref().is_some_and(|external| is_ours(&link.url, external));
    let host = |url: &str| Some(reqwest::Url::parse(url).ok()?.host_str()?.to_ascii_lowercase());
    let Some((url, to)) = harmless_url(&link.url).and_then(|url| host(&url).map(|host| (url, host))) else {
        return Leads::Nowhere;
    };
    if ended || ours {
        return Leads::Nowhere;
    }
    let upstreams = config.upstreams.iter().chain(&config.charts.from);
    let peers = upstreams.flat_map(|upstream| std::iter::once(&upstream.url).chain(&upstream.peers));
    let known = peers.chain(config.link_rewrites.iter().map(|rewrite| &rewrite.to));
    let is_known = known.filter_map(|url| host(url)).any(|known| known == to);
    if is_known { Leads::On(url) } else { Leads::Asking { host: to, url } }
}

/// A page that says one thing, with a link on if there is one: its text and its address.
fn page(status: StatusCode, f: Frame<'_>, said: Words, way: Option<(Words, String)>) -> Response {
    let text = f.say(said).into_owned();
    let way = way.map(|(open, url)| (f.say(open).into_owned(), url));
    answer(status, &NotePage { f, text, way }, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{ThreadId, Timestamp};
    use crate::words::Language;

    fn link(url: &str) -> ShortLink {
        ShortLink { thread: ThreadId(41), url: url.to_owned(), name: "A".to_owned(), ends_at: Timestamp(0) }
    }

    #[test]
    fn only_hosts_of_the_configuration_are_opened_at_once_and_none_of_ours() {
        let text = "
external_url: https://a.example.com
receivers: { ops: { targets: [ { webhook: w } ] } }
wecom: { webhooks: { w: { key: k } } }
upstreams:
  am: { kind: alertmanager, url: 'http://am.example.com:9093' }
  prom: { kind: prometheus, url: 'http://prom.example.com' }
link_rewrites: [ { from: 'http://grafana:3000', to: 'https://grafana.example.com' } ]
";
        let config =
            Config::parse(text, std::path::Path::new("test.yaml")).expect("the test's configuration is right").0;
        let way = |url: &str| way(&config, &link(url), false);
        for url in [
            "https://grafana.example.com/d/1?a=b",
            "https://GRAFANA.example.com/",
            "http://prom.example.com:9090/graph?g0.expr=a",
            "https://am.example.com/#/alerts",
        ] {
            assert_eq!(way(url), Leads::On(url.to_owned()));
        }
        for (url, host) in [
            ("https://evil.example/", "evil.example"),
            ("https://grafana.example.com.evil.example/", "grafana.example.com.evil.example"),
        ] {
            assert_eq!(way(url), Leads::Asking { host: host.to_owned(), url: url.to_owned() });
        }
        for url in [
            "https://a.example.com/d/1?until=1&act=2&s=x",
            "https://user:password@grafana.example.com/",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(way(url), Leads::Nowhere, "{url}");
        }
        assert_eq!(super::way(&config, &link("https://grafana.example.com/"), true), Leads::Nowhere);
    }

    #[tokio::test]
    async fn what_an_alert_says_is_no_markup() {
        let said = words::link_leads_to("evil.example", "#7K2Q <script>x</script>");
        let reader = Reader::new(&"/l/7K2QM?lang=en".parse().unwrap(), &axum::http::HeaderMap::new());
        let on = Some((words::open("evil.example"), "https://evil.example/?a=%22&b=c".to_owned()));
        let answer = page(StatusCode::OK, reader.frame(Language::Zh), said, on);
        let html = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let html = String::from_utf8(html.to_vec()).unwrap();
        assert!(html.contains("&#60;script&#62;") && !html.contains("<script>"), "{html}");
        assert!(
            html.contains("lang=\"en\"") && html.contains("rel=\"noopener noreferrer\"") && html.contains("&#38;b=c"),
            "{html}"
        );
        assert!(
            !html.contains("http-equiv") && !html.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)),
            "{html}"
        );
    }
}
