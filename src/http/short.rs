//! Short links: `/l/7K2QM` leads to the address that an alert brought.
//!
//! A visitor is led on at once only to hosts that the configuration names; for others a page names the host and the alert
//! and leaves it to the visitor. An ended link names its alert. Codes are short, so a visitor that misses too often gets no
//! answers for a while.

mod misses;

use std::sync::LazyLock;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use minijinja::{Environment, context};

use super::peer::Peer;
use super::refusal::Cause;
use super::{Gate, words};
use crate::config::Config;
use crate::links::is_ours;
use crate::render::harmless_url;
use crate::store::ShortLink;
use crate::words::{Language, Words};
pub use misses::Misses;

/// The paths of short links.
pub fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/l/{code}", get(follow))
}

async fn follow(
    State(gate): State<Gate>,
    Path(code): Path<String>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let setup = gate.server.setup.now();
    let language = language(&headers, setup.config.language);
    let site = peer.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.site());
    let now = tokio::time::Instant::now().into_std();
    if let Some(wait) = gate.misses.wait(site, now) {
        let page = note(StatusCode::TOO_MANY_REQUESTS, &words::LINKS_GUESSED, language);
        let answer = ([(header::RETRY_AFTER, wait.as_secs().max(1).to_string())], page).into_response();
        return Cause::new("too_often").attach(answer);
    }
    let link = match gate.server.links.behind(&code).await {
        Ok(Some(link)) => link,
        Ok(None) => {
            gate.misses.note(site, now);
            return Cause::new("no_such_link").attach(note(StatusCode::NOT_FOUND, &words::LINK_UNKNOWN, language));
        }
        Err(error) => {
            let answer = note(StatusCode::SERVICE_UNAVAILABLE, &words::NOT_READ, language);
            return Cause::new("store").detail(format!("a short link cannot be read: {error}")).attach(answer);
        }
    };
    let way = way(&setup.config, &link, gate.server.clock.now() >= link.ends_at);
    let alert = format!("#{} {}", link.thread, link.name);
    match way {
        Leads::On(url) => (StatusCode::FOUND, guards(), [(header::LOCATION, url)]).into_response(),
        Leads::Asking { host, url } => {
            let (said, open) = (words::link_leads_to(&host, &alert), words::open(&host));
            page(StatusCode::OK, &said, language, Some((open.get(language), &url)))
        }
        Leads::Nowhere => {
            let answer = page(StatusCode::GONE, &words::link_ended(&alert), language, None);
            Cause::new("expired").attach(answer)
        }
    }
}

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
enum Leads {
    /// Straight to this address.
    On(String),
    /// There after the visitor was asked: the host is not known.
    Asking { host: String, url: String },
    /// Nowhere: it ended, or it would lead to wegraf itself, where addresses authorise acts.
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

/// The language that the visitor's browser names first among ours, else that of the configuration.
fn language(headers: &HeaderMap, default: Language) -> Language {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ours = wanted.split(',').find_map(|one| match one.trim().get(..2)?.to_ascii_lowercase().as_str() {
        "zh" => Some(Language::Zh),
        "en" => Some(Language::En),
        _ => None,
    });
    ours.unwrap_or(default)
}

fn note(status: StatusCode, said: &Words, language: Language) -> Response {
    page(status, said, language, None)
}

/// A page that says one thing, with a link on if there is one: its text and its address.
fn page(status: StatusCode, said: &Words, language: Language, on: Option<(&str, &str)>) -> Response {
    let (open, url) = on.unzip();
    let html = PAGE.get_template(NAME).and_then(|page| {
        page.render(context! { language => language.as_str(), said => said.get(language), open, url })
    });
    match html {
        Ok(html) => (status, guards(), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "The page of a short link could not be written.");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

const NAME: &str = "short.html";

/// The page, compiled once.
static PAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.add_template(NAME, include_str!("../../templates/pages/short.html")).expect("a test renders it");
    pages
});

/// No scripts, and no word to anyone about where a visitor came from.
fn guards() -> [(HeaderName, &'static str); 5] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{ThreadId, Timestamp};

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

    #[test]
    fn a_page_is_in_the_language_of_its_reader() {
        let asks = |value: &str| {
            language(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, value.parse().unwrap())]), Language::Zh)
        };
        assert_eq!(asks("en-US,en;q=0.9,zh;q=0.8"), Language::En);
        assert_eq!(asks("fr, zh-CN"), Language::Zh);
        assert_eq!(
            (asks("fr"), asks("*"), language(&HeaderMap::new(), Language::En)),
            (Language::Zh, Language::Zh, Language::En)
        );
    }

    #[tokio::test]
    async fn what_an_alert_says_is_no_markup() {
        let said = words::link_leads_to("evil.example", "#7K2Q <script>x</script>");
        let answer = page(StatusCode::OK, &said, Language::En, Some(("open", "https://evil.example/?a=%22&b=c")));
        let html = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let html = String::from_utf8(html.to_vec()).unwrap();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
        assert!(
            html.contains("lang=\"en\"") && html.contains("rel=\"noopener noreferrer\"") && html.contains("&amp;b=c"),
            "{html}"
        );
        assert!(
            !html.contains("http-equiv") && !html.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)),
            "{html}"
        );
    }
}
