//! Normalises paths: `//webhook/ops/` is `/webhook/ops`, and a prefix added by a proxy or a sender before a known API
//! is ignored.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Suffixes that identify an API, whatever precedes them.
const ENDS: [&str; 6] = ["/api/v1/alerts", "/api/v2/alerts", "/api/v2/status", "/-/ready", "/-/healthy", "/robot/send"];
/// Stems of APIs whose next segments are data, whatever precedes them.
const STEMS: [&str; 7] =
    ["/cgi-bin/", "/open-apis/bot/", "/bot/hook/", "/services/", "/hooks/", "/api/webhooks/", "/workflows/"];

/// The original path and query, in the extensions of a request whose path was changed.
#[derive(Clone)]
pub(super) struct Sent(pub Uri);

/// The request with its normalised path. The query stays unchanged.
pub(super) async fn plain(mut request: Request) -> Request {
    let uri = request.uri();
    if let Cow::Owned(path) = meant(uri.path()) {
        let with_query = uri.query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let mut parts = uri.clone().into_parts();
        // A path made of parts of a valid one is valid.
        if let Ok(path_and_query) = with_query.parse::<PathAndQuery>() {
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                let sent = std::mem::replace(request.uri_mut(), uri);
                request.extensions_mut().insert(Sent(sent));
            }
        }
    }
    request
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

    #[tokio::test]
    async fn the_query_stays() {
        let request =
            Request::builder().uri("//x/cgi-bin/webhook/send/?key=a//b&x=%2F").body(axum::body::Body::empty());
        let plain = plain(request.unwrap()).await;
        assert_eq!(plain.uri(), "/cgi-bin/webhook/send?key=a//b&x=%2F");
    }
}
