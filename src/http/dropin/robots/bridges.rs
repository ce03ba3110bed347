//! Bridges to WeCom: `PrometheusAlert`, a2w, bougou's adapter, timonwong's adapter.

use axum::http::StatusCode;
use wecom::Recipients;

use super::asked::object;
use super::{Answer, Asked, Calls, Members, Outcome, PLAIN, Service, json, text};

/// Lists of several names in the query.
const SEVERAL: char = '|';

/// With `wxurl`, all keys in it are credentials and targets at once. Otherwise the source's ordinary credential counts, and
/// the routes decide, or `wxuser`, `wxparty` and `wxtag` if the source may name members.
pub(super) const PROMETHEUSALERT: Service = Service {
    paths: &["/prometheusalert", "/gitlab/weixin"],
    get: super::Get::Says,
    every: true,
    proven_without: true,
    tokens: |asked| asked.queries(&["wxurl"]).flat_map(keys).collect(),
    calls: named,
    members: |asked| members(asked, ["wxuser", "wxparty", "wxtag"], None),
    answers: string,
    ..PLAIN
};

/// `POST /zabbix/alert`: the target is the URL of a robot, the message a text.
pub(super) const ZABBIX: Service = Service {
    paths: &["/zabbix/alert"],
    token_in_body: true,
    tokens: |asked| asked.said(&["zabbixtarget"]).into_iter().flat_map(|urls| keys(&urls)).collect(),
    reads: |asked| Some(object([("text", Some(asked.said(&["zabbixmessage"])?))])),
    get: super::Get::Never,
    ..PROMETHEUSALERT
};

/// A JSON string that holds JSON, also for a refusal.
fn string(_: &Asked, outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Taken(_) => json(StatusCode::OK, r#""{\"errcode\":0,\"errmsg\":\"ok\"}""#),
        Outcome::Busy => json(StatusCode::SERVICE_UNAVAILABLE, r#""{\"errcode\":-1,\"errmsg\":\"system busy\"}""#),
        _ => json(StatusCode::UNAUTHORIZED, r#""{\"errcode\":93000}""#),
    }
}

/// `POST /send?key=KEY`; the answer is empty.
pub(super) const A2W: Service = Service {
    paths: &["/send"],
    fits: |asked| asked.queried("key").is_some(),
    tokens: |asked| asked.queries(&["key"]).map(str::to_owned).collect(),
    calls: named,
    answers: |_, outcome| match outcome {
        Outcome::Taken(_) => text(StatusCode::OK, ""),
        Outcome::Busy => text(StatusCode::SERVICE_UNAVAILABLE, ""),
        _ => text(StatusCode::BAD_REQUEST, ""),
    },
    ..PLAIN
};

/// `POST /webhook/send?channel_type=weixin&token=KEY`; of an app (`weixinapp`) the secret is the token. Any other channel
/// goes to the targets of its token.
pub(super) const BOUGOU: Service = Service {
    paths: &["/webhook/send"],
    tokens: |asked| {
        let name = if asked.queried("channel_type") == Some("weixinapp") { "agent_secret" } else { "token" };
        asked.queried(name).map(str::to_owned).into_iter().collect()
    },
    calls: named,
    members: |asked| {
        asked.queried("channel_type").filter(|kind| *kind == "weixinapp")?;
        let account = (asked.queried("corp_id")?.to_owned(), asked.queried("agent_id")?.parse().ok()?);
        members(asked, ["to_user", "to_party", "to_tag"], Some(account))
    },
    answers: |_, outcome| match outcome {
        Outcome::Taken(_) => text(StatusCode::NO_CONTENT, ""),
        Outcome::Busy => json(StatusCode::SERVICE_UNAVAILABLE, "\"Err: try again\""),
        _ => json(StatusCode::BAD_REQUEST, "\"Err: the channel cannot be sent to\""),
    },
    ..PLAIN
};

/// `POST /dingtalk/{target}/send`: the target is the receiver of that name; otherwise the routes decide.
pub(super) const TIMONWONG: Service = Service {
    paths: &["/dingtalk/{target}/send"],
    proven_without: true,
    calls: named,
    receiver: |asked| asked.path.first().cloned(),
    answers: |_, outcome| match outcome {
        Outcome::Taken(_) => text(StatusCode::OK, "OK"),
        Outcome::Busy => text(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        _ => text(StatusCode::BAD_REQUEST, "Bad Request"),
    },
    ..PLAIN
};

/// The keys of WeCom's webhooks in a list of URLs between commas.
fn keys(urls: &str) -> Vec<String> {
    let key = |url: &str| {
        let rest = url.split_once("key=").map_or(url, |(_, rest)| rest);
        rest.split('&').next().unwrap_or_default().trim().to_owned()
    };
    urls.split(',').map(key).filter(|key| !key.is_empty()).collect()
}

/// The userids in all parameters with this name; each may contain several.
fn named(asked: &Asked) -> Calls {
    let lists = asked.queries(&["mention", "at"]);
    Calls { users: lists.flat_map(|list| list.split(',').map(str::to_owned)).collect(), ..Calls::default() }
}

/// The members, departments and tags of an app that the query names.
fn members(asked: &Asked, [users, parties, tags]: [&str; 3], account: Option<(String, i64)>) -> Option<Members> {
    let list = |name: &str| -> Vec<&str> {
        asked.queried(name).into_iter().flat_map(|list| list.split(SEVERAL)).filter(|one| !one.is_empty()).collect()
    };
    let numbers = |name: &str| list(name).into_iter().filter_map(|id| id.parse().ok()).collect();
    let users = list(users).into_iter().filter(|user| *user == "@all" || wecom::is_userid(user));
    let to = Recipients { users: users.map(str::to_owned).collect(), parties: numbers(parties), tags: numbers(tags) };
    (to != Recipients::default()).then_some(Members { to, account })
}
