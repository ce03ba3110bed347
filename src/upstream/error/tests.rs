//! The text of each refusal.

use super::*;

fn peer(kind: UpstreamKind) -> Peer {
    Peer { name: "up".to_owned(), kind, org_id: Some(2) }
}

#[test]
fn each_refusal_says_what_happened_and_what_to_do() {
    use Doing::{Alerts, Create, Expire, Extend, Get, List};
    use UpstreamKind::{Alertmanager as A, Grafana as G};
    let new = Create { names_rule: true };
    let needs = "Permissions needed: any of alert.instances:create, alert.instances:write";
    #[rustfmt::skip]
    let table: &[(UpstreamKind, Doing, u16, &str, Problem, &str, &str)] = &[
        (G, List, 401, "Invalid API key", Problem::Unknown, "token", "check `token`"),
        (G, List, 401, "API key does not belong to the requested organization", Problem::Unknown, "组织 2", "`org_id`"),
        (A, List, 401, "", Problem::Unknown, "basic", "`basic` or `bearer`"),
        (G, new, 403, needs, Problem::Forbidden, "Editor", "needs any of alert.instances:create, alert.instances:write"),
        (G, new, 403, "", Problem::Forbidden, "alert.silences:create", "alert.instances:create"),
        (G, Expire, 403, "", Problem::Forbidden, "alert.silences:write", "alert.instances:write"),
        (G, Alerts, 403, "", Problem::Forbidden, "alert.silences:read", "alert.instances:read"),
        (G, Create { names_rule: false }, 403, "", Problem::Forbidden, "__alert_rule_uid__", "must hold __alert_rule_uid__"),
        (G, Extend { names_rule: false }, 403, "", Problem::Forbidden, "__alert_rule_uid__", "must hold __alert_rule_uid__"),
        (A, new, 403, "", Problem::Forbidden, "代理", "proxy"),
        (A, Get, 404, "", Problem::NotFound, "没有这条静默", "no such silence"),
        (A, Extend { names_rule: false }, 404, "silence not found", Problem::NotFound, "没有这条静默", "no such silence"),
        (A, Expire, 500, "silence not found", Problem::NotFound, "没有这条静默", "no such silence"),
        (A, Expire, 500, "", Problem::Unsure, "不知道做成没有", "unknown"),
        (A, List, 404, "page not found", Problem::Foreign, "不带 /api", "without /api (page not found)"),
        (A, new, 302, "", Problem::Foreign, "url", "`url`"),
        (G, new, 409, "Alertmanager is not ready", Problem::NotReady, "过一会儿", "nothing was done"),
        (A, new, 503, "", Problem::NotReady, "过一会儿", "nothing was done"),
        (A, new, 502, "bad gateway", Problem::Unsure, "不知道做成没有", "unknown"),
        (A, List, 500, "", Problem::Failed, "日志", "read its log"),
        (A, new, 400, "bad matcher", Problem::Refused, "（bad matcher）", "check the matchers"),
        (A, new, 422, "", Problem::Refused, "匹配条件", "check the matchers"),
    ];
    for &(kind, doing, status, words, problem, zh, en) in table {
        let error = peer(kind).refusal(doing, status, words);
        assert_eq!((error.problem, error.status), (problem, Some(status)), "{error}");
        assert!(error.what.zh.contains(zh) && error.what.en.contains(en), "{error}");
        assert!(error.what.zh.starts_with("上游 up：") && error.what.en.starts_with("Upstream up: "), "{error}");
    }
}

#[test]
fn the_words_of_an_upstream_are_read_in_both_shapes_and_never_repeat_a_secret() {
    for (body, words) in [
        (r#""silence not found""#, "silence not found"),
        (r#"{"code":602,"message":"matchers in body is required"}"#, "matchers in body is required"),
        (
            r#"{"accessErrorId":"ACE1","message":"Permissions needed: x","title":"Access denied"}"#,
            "Permissions needed: x",
        ),
        ("plain\r\n  words\x1b[1m", "plain words [1m"),
        ("<html><body>login</body></html>", ""),
        ("[1]", ""),
        ("", ""),
        (r#""token s3cret""#, ""),
    ] {
        assert_eq!(words_of(body.as_bytes(), &["s3cret", ""]), words, "{body}");
    }
    assert!(words_of("错".repeat(500).as_bytes(), &[]).len() <= SHOWN_BYTES + "…".len());
    assert_eq!(words_of(&[0xff, b'a'], &[]), "\u{fffd}a");
}
