//! Normalises paths: `//webhook/ops/` is `/webhook/ops`, and a prefix added by a proxy or a sender before a known API
//! is ignored.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Setup;
use crate::live::Live;

/// Suffixes that identify an API after any prefix.
const ENDS: [&str; 6] = ["/api/v1/alerts", "/api/v2/alerts", "/api/v2/status", "/-/ready", "/-/healthy", "/robot/send"];
/// Stems of APIs whose next segments are data, after any prefix.
const STEMS: [&str; 7] =
    ["/cgi-bin/", "/open-apis/bot/", "/bot/hook/", "/services/", "/hooks/", "/api/webhooks/", "/workflows/"];

/// The original path and query, in the extensions of a request whose path was changed.
#[derive(Clone)]
pub(super) struct Sent(pub Uri);

/// The address of a page below the base path, in the extensions of a request that had one.
#[derive(Clone)]
pub(super) struct Below(pub Uri);

/// Hands requests on with their normalised path; the query stays unchanged. A proxy may pass on the path of `external_url`,
/// or strip it. A page at that path itself would stand above its own files, so a browser is sent below it.
pub(super) async fn plain(State(setup): State<Live<Setup>>, request: Request, next: Next) -> Response {
    let setup = setup.now();
    let (base, path) = (setup.config.base_path.as_str(), request.uri().path());
    if !base.is_empty() && path == base && matches!(*request.method(), Method::GET | Method::HEAD) {
        let last = base.rsplit('/').next().unwrap_or_default();
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, format!("{last}/{query}"))]).into_response();
    }
    next.run(normalised(base, request)).await
}

fn normalised(base: &str, mut request: Request) -> Request {
    let uri = request.uri();
    let page = below(base, uri.path());
    let page_uri = (page.len() < uri.path().len()).then(|| with_path(uri, page)).flatten();
    let changed = match meant(page) {
        Cow::Owned(path) => with_path(uri, &path),
        Cow::Borrowed(_) => page_uri.clone(),
    };
    if let Some(page_uri) = page_uri {
        request.extensions_mut().insert(Below(page_uri));
    }
    if let Some(changed) = changed {
        let sent = std::mem::replace(request.uri_mut(), changed);
        request.extensions_mut().insert(Sent(sent));
    }
    request
}

/// The part of `path` below the base path; the whole of it where it is not below.
pub(super) fn below<'p>(base: &str, path: &'p str) -> &'p str {
    path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// A path made of parts of a valid one is valid.
fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let with_query = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(with_query.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// Runs of `/` count as one and a final `/` is ignored; a prefix before a known API is dropped. Only
/// `/webhook/{receiver}` chooses a receiver for a push of alerts: any other prefix chooses none.
fn meant(path: &str) -> Cow<'_, str> {
    // WeCom reads its proof of the domain at the root.
    if path.starts_with("/WW_verify_") && !path[1..].contains('/') {
        return Cow::Owned(format!("/wecom/proof{path}"));
    }
    let path = single_slashes(path);
    let cut = match path.as_ref() {
        path if chooses(path) => 0,
        path => start(path),
    };
    match path {
        path if cut == 0 => path,
        Cow::Borrowed(path) => Cow::Owned(path[cut..].to_owned()),
        Cow::Owned(path) => Cow::Owned(path[cut..].to_owned()),
    }
}

/// Where the known API begins; 0 if there is none.
fn start(path: &str) -> usize {
    let end = ENDS.iter().find(|end| path.ends_with(*end)).map(|end| path.len() - end.len());
    end.or_else(|| STEMS.iter().filter_map(|stem| path.find(stem)).min()).unwrap_or_default()
}

/// Is this `/webhook/{receiver}/api/v…/alerts`, or a webhook or a command of our own?
fn chooses(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    match (segments.next(), segments.next(), segments.next()) {
        (Some("webhook"), Some(_), None) => true,
        (Some("webhook"), Some(_), Some("api")) => {
            matches!((segments.next(), segments.next(), segments.next()), (Some("v1" | "v2"), Some("alerts"), None))
        }
        _ => false,
    }
}

fn single_slashes(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && (path.len() <= 1 || !path.ends_with('/')) {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let joined = segments.fold(String::new(), |path, segment| path + "/" + segment);
    Cow::Owned(if joined.is_empty() { "/".to_owned() } else { joined })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_prefixes_do_not_count() {
        for (sent, means) in [
            ("/", "/"),
            ("//", "/"),
            ("/webhook/", "/webhook"),
            ("//webhook//ops/", "/webhook/ops"),
            ("/api/model/send_sms/", "/api/model/send_sms"),
            ("/alertmanager/api/v2/alerts", "/api/v2/alerts"),
            ("/a/b//c/api/v1/alerts/", "/api/v1/alerts"),
            ("/webhook/ops/api/v2/alerts", "/webhook/ops/api/v2/alerts"),
            ("/webhook/ops/api/v1/alerts/", "/webhook/ops/api/v1/alerts"),
            ("/x/webhook/ops/api/v2/alerts", "/api/v2/alerts"),
            ("/am/-/ready", "/-/ready"),
            ("/am/-/healthy/", "/-/healthy"),
            ("/prom/api/v2/status", "/api/v2/status"),
            ("/proxy/cgi-bin/webhook/send", "/cgi-bin/webhook/send"),
            ("/webhook/ops/cgi-bin/gettoken", "/cgi-bin/gettoken"),
            ("/ding/robot/send", "/robot/send"),
            ("/f/open-apis/bot/v2/hook/T", "/open-apis/bot/v2/hook/T"),
            ("/s/services/A/B/C", "/services/A/B/C"),
            ("/m/hooks/T", "/hooks/T"),
            ("/powerautomate/workflows/1/triggers/manual/paths/invoke", "/workflows/1/triggers/manual/paths/invoke"),
            ("/d/api/webhooks/1/T/slack", "/api/webhooks/1/T/slack"),
            ("/webhook/services", "/webhook/services"),
            ("/api/v1/deliveries/7/resend", "/api/v1/deliveries/7/resend"),
            ("/webhook/%2F%2f", "/webhook/%2F%2f"),
            ("/unknown", "/unknown"),
        ] {
            assert_eq!(meant(sent), means, "{sent}");
        }
    }

    #[test]
    fn the_path_of_the_site_does_not_count() {
        for (base, path, rest) in [
            ("/alerts", "/alerts/d/1", "/d/1"),
            ("/alerts", "/d/1", "/d/1"),
            ("/alerts", "/alerts/", "/"),
            ("/alerts", "/alertsome/d/1", "/alertsome/d/1"),
            ("/a/b", "/a/b/webhook", "/webhook"),
            ("/a/b", "/a/webhook", "/a/webhook"),
            ("", "/d/1", "/d/1"),
        ] {
            assert_eq!(below(base, path), rest, "{base} {path}");
        }
        let of = |path: &str| {
            let request = Request::builder().uri(path).body(axum::body::Body::empty()).unwrap();
            let request = normalised("/alerts", request);
            let page = request.extensions().get::<Below>().map(|below| below.0.to_string());
            let sent = request.extensions().get::<Sent>().map(|sent| sent.0.to_string());
            (request.uri().to_string(), page, sent)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of("/alerts/d/1?s=x"), ("/d/1?s=x".to_owned(), some("/d/1?s=x"), some("/alerts/d/1?s=x")));
        assert_eq!(of("/alerts/d/1/?s=x"), ("/d/1?s=x".to_owned(), some("/d/1/?s=x"), some("/alerts/d/1/?s=x")));
        assert_eq!(of("/d/1?s=x"), ("/d/1?s=x".to_owned(), None, None));
    }

    #[test]
    fn the_query_stays() {
        let request =
            Request::builder().uri("//x/cgi-bin/webhook/send/?key=a//b&x=%2F").body(axum::body::Body::empty());
        let plain = normalised("", request.unwrap());
        assert_eq!(plain.uri(), "/cgi-bin/webhook/send?key=a//b&x=%2F");
    }
}
