//! `DingTalk`'s and Feishu's robots.

use axum::http::StatusCode;
use serde_json::Value;

use super::{Calls, Outcome, PLAIN, Service, json, sign};

pub(super) const DINGTALK: Service = Service {
    paths: &["/robot/send"],
    tokens: |asked| asked.queries(&["access_token"]).map(str::to_owned).collect(),
    signed: Some(sign::dingtalk),
    calls: |asked| {
        let at = &asked.tree["at"];
        Calls {
            mobiles: mobiles(&at["atMobiles"]),
            everybody: at["isAtAll"] == Value::Bool(true) || at["isAtAll"] == "true",
            ..Calls::default()
        }
    },
    answers: |_, outcome| {
        let (errcode, errmsg) = match outcome {
            Outcome::Taken(_) => (0, "ok"),
            Outcome::Unknown => (300_005, "token is not exist"),
            Outcome::Unsigned => (310_000, "sign not match"),
            Outcome::Busy => (-1, "system busy"),
            Outcome::Empty | Outcome::Refused => (400_402, "invalid json"),
        };
        json(StatusCode::OK, format!(r#"{{"errcode":{errcode},"errmsg":"{errmsg}"}}"#))
    },
    ..PLAIN
};

pub(super) const FEISHU: Service = Service {
    paths: &["/open-apis/bot/v2/hook/{token}", "/open-apis/bot/hook/{token}", "/bot/hook/{token}"],
    tokens: |asked| asked.path.clone(),
    signed: Some(sign::feishu),
    calls: |asked| Calls { everybody: calls_all(&asked.tree), ..Calls::default() },
    answers: |_, outcome| {
        let (code, msg) = match outcome {
            Outcome::Taken(_) => return json(StatusCode::OK, FEISHU_OK),
            Outcome::Unknown => (19001, "param invalid: incoming webhook access token invalid"),
            Outcome::Unsigned => (19021, "sign match fail or timestamp is not within one hour from current time"),
            Outcome::Busy => (11232, "system busy"),
            Outcome::Empty | Outcome::Refused => (9499, "Bad Request"),
        };
        json(StatusCode::OK, format!(r#"{{"code":{code},"msg":"{msg}"}}"#))
    },
    ..PLAIN
};

const FEISHU_OK: &str = r#"{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}"#;

/// Does any text or any part of a post mention all members?
fn calls_all(tree: &Value) -> bool {
    match tree {
        Value::String(text) => ["<at user_id=\"all\"", "<at user_id='all'", "<at id=all>", "<at id=\"all\""]
            .iter()
            .any(|mark| text.contains(mark)),
        Value::Array(items) => items.iter().any(calls_all),
        Value::Object(members) => {
            members.get("user_id").is_some_and(|id| id == "all") || members.values().any(calls_all)
        }
        _ => false,
    }
}

/// Mobile numbers, as texts or numbers, with or without separators.
fn mobiles(list: &Value) -> Vec<String> {
    let mobile = |item: &Value| {
        let text = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        (digits.len() >= 5).then_some(digits)
    };
    list.as_array().into_iter().flatten().filter_map(mobile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_forms_of_feishu_that_mention_all_are_recognised() {
        for body in [
            json!({ "content": { "text": "<at user_id=\"all\">所有人</at> 磁盘将满" } }),
            json!({ "content": { "post": { "zh_cn": { "content": [[{ "tag": "at", "user_id": "all" }]] } } } }),
            json!({ "card": { "elements": [{ "content": "<at id=all></at>" }] } }),
        ] {
            assert!(calls_all(&body), "{body}");
        }
        assert!(!calls_all(&json!({ "content": { "text": "user_id all <at user_id=\"ou_1\">" } })));
        assert_eq!(mobiles(&json!(["138-0000-1111", 13_800_001_111_u64, "x"])), ["13800001111", "13800001111"]);
    }
}
