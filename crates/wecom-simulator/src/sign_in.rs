//! Signing in to web pages by WeCom: the two authorize pages, the codes that they give, and `auth/getuserinfo` (pages
//! 91022, 98171, 98177).
//!
//! The real pages know who looks at them. These ask: a button for each member, one to refuse, one for an outsider. With
//! `as=USERID` (also `refuse`, `outsider`, `CorpId/userid`) in the address they do not ask.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::answer::{Outcome, Refusal, Reply};
use crate::call::Call;
use crate::clock::MINUTE_MS;
use crate::setup::Corp;
use crate::state::{Shared, World, lock};

/// How long a code is valid.
const LIFE_MS: i64 = 5 * MINUTE_MS;
/// Longest `state`.
const STATE: usize = 128;

/// A code that was given.
#[derive(Debug)]
pub(crate) struct SignIn {
    corp_id: String,
    /// The host, with its port, that the browser was sent back to.
    host: String,
    who: Who,
    issued_ms: i64,
    used: bool,
}

#[derive(Debug, Clone)]
enum Who {
    Member(String),
    Outsider(String),
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/connect/oauth2/authorize", get(inside)).route("/wwlogin/sso/login", get(outside))
}

type Asked = BTreeMap<String, String>;

/// The page that WeCom's own browser is sent to.
async fn inside(State(world): State<Shared>, Query(asked): Query<Asked>) -> Response {
    let has = |name: &str, value: &str| asked.get(name).is_some_and(|given| given == value);
    let right = has("response_type", "code") && (has("scope", "snsapi_base") || has("scope", "snsapi_privateinfo"));
    if right { page(&world, &asked) } else { wrong("response_type or scope") }
}

/// The page that any other browser is sent to.
async fn outside(State(world): State<Shared>, Query(asked): Query<Asked>) -> Response {
    if asked.get("login_type").is_some_and(|kind| kind == "CorpApp") {
        page(&world, &asked)
    } else {
        wrong("login_type")
    }
}

fn page(world: &Shared, asked: &Asked) -> Response {
    let mut world = lock(world);
    let given = |name: &str| asked.get(name).map_or("", String::as_str);
    let Some(corp) = world.corp(given("appid")) else { return wrong("appid") };
    if !corp.apps.iter().any(|app| app.agent_id.to_string() == given("agentid")) {
        return wrong("agentid");
    }
    let state = given("state");
    if state.is_empty() || state.len() > STATE || !state.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return wrong("state");
    }
    let back = given("redirect_uri");
    let Some(host) = host(back) else { return wrong("redirect_uri") };
    // Which app's domain it is counts only when the code is used.
    if !corp.apps.iter().any(|app| app.trusted_domains.iter().any(|known| known == host)) {
        return wrong("redirect_uri (not a trusted domain)");
    }
    let who = match given("as") {
        "" => return Html(choices(corp, asked)).into_response(),
        "refuse" => None,
        "outsider" => Some(Who::Outsider("oSimOutsider0001".to_owned())),
        userid => Some(Who::Member(userid.to_owned())),
    };
    let join = if back.contains('?') { '&' } else { '?' };
    let place = if let Some(who) = who {
        let code = format!("{:032x}", rand::random::<u128>());
        let (corp_id, issued_ms) = (corp.corp_id.clone(), world.clock.now());
        let given = SignIn { corp_id, host: host.to_owned(), who, issued_ms, used: false };
        world.sign_ins.insert(code.clone(), given);
        format!("{back}{join}code={code}&state={state}")
    } else {
        format!("{back}{join}state={state}")
    };
    (StatusCode::FOUND, [(header::LOCATION, place)]).into_response()
}

/// The host of an address, with its port where there is one.
fn host(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!host.is_empty() && !host.contains('@')).then_some(host)
}

fn wrong(what: &str) -> Response {
    (StatusCode::OK, Html(format!("<!doctype html><title>错误</title><p>参数错误 wrong parameter: {what}")))
        .into_response()
}

fn choices(corp: &Corp, asked: &Asked) -> String {
    let mut html = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>登录</title><h1>以谁登录 {}？</h1><form>",
        escaped(&corp.name)
    );
    for (name, value) in asked {
        let _ = write!(html, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    }
    let members = corp.users.iter().map(|user| (user.userid.as_str(), user.name.as_str()));
    for (id, name) in members.chain([("outsider", "企业外的人"), ("refuse", "取消")]) {
        let _ = write!(html, "<p><button name=\"as\" value=\"{}\">{}</button>", escaped(id), escaped(name));
    }
    html + "</form>"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Who a code was given to.
pub(crate) fn user_info(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let now = world.clock.now();
    let domains = world.app(&badge)?.1.trusted_domains.clone();
    let code = call.param("code").unwrap_or_default();
    let known = world
        .sign_ins
        .get_mut(code)
        .filter(|known| known.corp_id == badge.corp_id && !known.used && now.saturating_sub(known.issued_ms) < LIFE_MS);
    let Some(known) = known else { return Err(Refusal::code(40029)) };
    if !domains.contains(&known.host) {
        return Err(Refusal::code(50001));
    }
    known.used = true;
    // Whether the member is in the app's visible scope does not matter.
    Ok(Reply::with(match &known.who {
        Who::Member(userid) => json!({ "userid": userid }),
        Who::Outsider(openid) => json!({ "openid": openid }),
    }))
}
