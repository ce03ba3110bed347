//! Parses answers. Only an integer `errcode` 0 in a JSON object is success (F24,
//! docs/reference/reliability.md#wecoms-faults).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Api;
use crate::errcode::Class;
use crate::outcome::{CallError, Failure, Fault, Missed, Outcome, Receipt, Secrets};

/// The part common to all answers. A duplicate key, a float, a string or nothing in place of `errcode` is not an answer
/// of WeCom.
#[derive(Deserialize)]
struct Envelope {
    errcode: i64,
    /// For humans: it decides nothing.
    #[serde(default)]
    errmsg: Value,
}

/// The answer of `api`: `T` if WeCom did what was requested.
pub(crate) fn read<T: DeserializeOwned>(api: Api, body: &[u8], secrets: &Secrets) -> Result<T, CallError> {
    let unsure = |fault| CallError::Unsure(Failure::new(api, Class::Transient, fault, words(api, body, secrets)));
    // Text in another encoding than UTF-8 decides nothing either: a rejection stays certain, and is not sent twice.
    let text = String::from_utf8_lossy(body);
    // serde would accept an array for a struct: `[0]` is not an answer.
    if !text.trim_start().starts_with('{') {
        return Err(unsure(Fault::NotWeCom));
    }
    let Ok(envelope) = serde_json::from_str::<Envelope>(&text) else { return Err(unsure(Fault::NotWeCom)) };
    if envelope.errcode != 0 {
        let errmsg = envelope.errmsg.as_str().unwrap_or_default();
        return Err(CallError::NotDone(Failure::refused(api, envelope.errcode, errmsg, secrets)));
    }
    serde_json::from_str(&text).map_err(|_| unsure(Fault::Incomplete))
}

/// The first words of an answer that is not understood, to identify its sender. One that may contain a token is not
/// shown.
pub(crate) fn words(api: Api, body: &[u8], secrets: &Secrets) -> String {
    let text = String::from_utf8_lossy(body);
    if api == Api::GetToken && text.contains("access_token") { String::new() } else { secrets.redact(&text) }
}

/// The answer to a message: the lists are strings joined by `|` (docs/reference/wecom.md#accepted-in-part), arrays in
/// sister calls.
#[derive(Deserialize)]
pub(crate) struct SendReply {
    #[serde(default)]
    invaliduser: Value,
    #[serde(default)]
    invalidparty: Value,
    #[serde(default)]
    invalidtag: Value,
    #[serde(default)]
    unlicenseduser: Value,
    #[serde(default)]
    msgid: Value,
    #[serde(default)]
    response_code: Value,
}

impl From<SendReply> for Outcome {
    fn from(reply: SendReply) -> Self {
        let receipt = Receipt { msgid: text(&reply.msgid), response_code: text(&reply.response_code) };
        let missed = Missed {
            users: names(&reply.invaliduser),
            parties: names(&reply.invalidparty),
            tags: names(&reply.invalidtag),
            unlicensed: names(&reply.unlicenseduser),
        };
        if missed.is_empty() { Self::Accepted(receipt) } else { Self::AcceptedInPart { receipt, missed } }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Names in any form; other values are dropped.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::String(joined) => joined.split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        Value::Number(id) => vec![id.to_string()],
        Value::Array(many) => many.iter().flat_map(names).collect(),
        Value::Null | Value::Bool(_) | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(body: &str) -> Outcome {
        read::<SendReply>(Api::MessageSend, body.as_bytes(), &Secrets::default())
            .map_or_else(Outcome::from, Outcome::from)
    }

    #[test]
    fn only_an_integer_zero_is_success() {
        assert_eq!(outcome(r#"{"errcode":0,"errmsg":"ok"}"#), Outcome::Accepted(Receipt::default()));
        for body in [
            "",
            " ",
            "null",
            "[]",
            "[0]",
            r#"[0,"ok"]"#,
            "0",
            "<html>",
            "{",
            "{}",
            r#"{"errmsg":"ok"}"#,
            r#"{"errcode":"0"}"#,
            r#"{"errcode":0.0}"#,
            r#"{"errcode":-0}"#,
            r#"{"errcode":null}"#,
            r#"{"errcode":true}"#,
            r#"{"errcode":[0]}"#,
            r#"{"errcode":1e1}"#,
            r#"{"Errcode":0}"#,
            r#"{"errcode":0,"errcode":0}"#,
            r#"{"errcode":0,"errcode":40014}"#,
            r#"{"errcode":0,"msgid":"a","msgid":"b"}"#,
            r#"{"errcode":0} {"errcode":0}"#,
            r#"{"errcode":99999999999999999999}"#,
        ] {
            let Outcome::Unsure(failure) = outcome(body) else { panic!("{body}: {:?}", outcome(body)) };
            assert_eq!(failure.class, Class::Transient, "{body}");
        }
    }

    #[test]
    fn an_answer_to_gettoken_that_is_not_understood_never_shows_its_token() {
        let body = br#"{"errcode":"0","access_token":"canary-token"}"#;
        let error = read::<Value>(Api::GetToken, body, &Secrets::default()).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"));
        let portal = read::<Value>(Api::GetToken, b"<title>Please log in", &Secrets::default()).unwrap_err();
        assert_eq!(portal.failure().message.en, "<title>Please log in");
    }

    #[test]
    fn another_integer_is_a_certain_refusal() {
        let Outcome::NotSent(failure) = outcome(r#"{"errcode":-1,"errmsg":"system busy"}"#) else { panic!() };
        assert_eq!((failure.errcode(), failure.class), (Some(-1), Class::Transient));
        // The words decide nothing, even if they are none.
        let Outcome::NotSent(failure) = outcome(r#"{"errmsg":{"a":1},"errcode":81013}"#) else { panic!() };
        assert_eq!((failure.errcode(), failure.class), (Some(81013), Class::Refused));
    }

    #[test]
    fn words_in_another_encoding_decide_nothing() {
        let read = |body: &[u8]| read::<SendReply>(Api::MessageSend, body, &Secrets::default());
        // 不合法 in GBK, where WeCom's words belong and where they do not.
        for body in
            [&b"{\"errcode\":40003,\"errmsg\":\"\xb2\xbb\xba\xcf\xb7\xa8\"}"[..], b"{\"x\":\"\xb2\",\"errcode\":40003}"]
        {
            let Err(CallError::NotDone(failure)) = read(body) else { panic!("{body:?}") };
            assert_eq!(failure.errcode(), Some(40003));
        }
        assert!(read(b"{\"errcode\":0,\"errmsg\":\"\xb2\xbb\"}").is_ok());
    }

    #[test]
    fn those_who_were_not_reached_are_read_from_joined_strings_and_from_arrays() {
        let Outcome::AcceptedInPart { receipt, missed } = outcome(
            r#"{"errcode":0,"invaliduser":"zhangsan|lisi","invalidparty":["3",4],"invalidtag":7,"unlicenseduser":"wu","msgid":"m1","response_code":"r1"}"#,
        ) else {
            panic!()
        };
        assert_eq!(receipt, Receipt { msgid: Some("m1".into()), response_code: Some("r1".into()) });
        assert_eq!(missed.users, ["zhangsan", "lisi"]);
        assert_eq!(missed.parties, ["3", "4"]);
        assert_eq!(missed.tags, ["7"]);
        assert_eq!(missed.unlicensed, ["wu"]);
    }

    #[test]
    fn empty_lists_mean_that_all_were_reached() {
        for lists in [r#""invaliduser":"","invalidtag":[]"#, r#""invaliduser":null"#, r#""invalidparty":"|""#] {
            assert!(matches!(outcome(&format!(r#"{{"errcode":0,{lists}}}"#)), Outcome::Accepted(_)), "{lists}");
        }
    }
}
