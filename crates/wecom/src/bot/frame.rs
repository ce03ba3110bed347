//! Frames of the socket: JSON with a command, or an answer to one (docs/reference/wecom.md#bot-frames, page 101463).
//! Pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Longest frame that is read. A user's message, with its quotation, has some ten thousand bytes.
pub(crate) const FRAME_BYTES: usize = 256 * 1024;

/// The command of a heartbeat.
pub(super) const PING: &str = "ping";

/// A parsed frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    /// An answer to a frame of ours.
    Reply { req_id: String, reply: Reply },
    /// A user wrote.
    Message { req_id: String, body: Value },
    /// An event.
    Event { req_id: String, body: Value },
    /// A command that is not known here.
    Other { cmd: String },
}

/// WeCom's answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) errcode: i64,
    pub(crate) errmsg: String,
    pub(crate) body: Value,
}

/// Why a frame is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadFrame {
    TooLong,
    NotJson,
    /// Neither a command nor an answer.
    Neither,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    cmd: Option<String>,
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    errcode: Option<i64>,
    /// For humans: it decides nothing.
    #[serde(default)]
    errmsg: Value,
    #[serde(default)]
    body: Value,
}

/// Parses a frame. Raw control characters, which WeCom sometimes sends, are removed, as by the official SDK: also in a
/// `req_id`, which must be the same in the answer. Those that separate words become spaces.
pub(crate) fn parse(text: &str) -> Result<Frame, BadFrame> {
    if text.len() > FRAME_BYTES {
        return Err(BadFrame::TooLong);
    }
    let text = if text.contains(raw_control) { printable(text).into() } else { Cow::Borrowed(text) };
    // serde would accept an array for a struct.
    if !text.trim_start().starts_with('{') {
        return Err(BadFrame::NotJson);
    }
    let Envelope { cmd, headers, errcode, errmsg, body } =
        serde_json::from_str(&text).map_err(|_| BadFrame::NotJson)?;
    let req_id = headers["req_id"].as_str().unwrap_or_default().to_owned();
    match (cmd.as_deref(), errcode) {
        (Some("aibot_msg_callback"), _) => Ok(Frame::Message { req_id, body }),
        (Some("aibot_event_callback"), _) => Ok(Frame::Event { req_id, body }),
        (None | Some(""), Some(errcode)) => {
            let errmsg = errmsg.as_str().unwrap_or_default().to_owned();
            Ok(Frame::Reply { req_id, reply: Reply { errcode, errmsg, body } })
        }
        (None | Some(""), None) => Err(BadFrame::Neither),
        (Some(cmd), _) => Ok(Frame::Other { cmd: cmd.chars().take(64).collect() }),
    }
}

fn raw_control(c: char) -> bool {
    c.is_ascii_control()
}

fn printable(text: &str) -> String {
    let printed = |c| match c {
        '\n' | '\r' | '\t' => Some(' '),
        c if raw_control(c) => None,
        c => Some(c),
    };
    text.chars().filter_map(printed).collect()
}

/// The text of a frame of ours.
pub(super) fn print(cmd: &str, req_id: &str, body: Option<&RawValue>) -> String {
    #[derive(Serialize)]
    struct Headers<'a> {
        req_id: &'a str,
    }
    #[derive(Serialize)]
    struct Frame<'a> {
        cmd: &'a str,
        headers: Headers<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<&'a RawValue>,
    }
    serde_json::to_string(&Frame { cmd, headers: Headers { req_id }, body })
        .expect("a frame is strings and JSON that was read before")
}

/// A `req_id` that was not used before, in the form of the official SDK.
pub(super) fn req_id(cmd: &str, now_ms: i64, random: u32) -> String {
    format!("{cmd}_{now_ms}_{random:08x}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_has_no_command_and_an_integer_errcode() {
        let frame = parse(r#"{"headers":{"req_id":"ping_1_2"},"errcode":0,"errmsg":"ok"}"#);
        let reply = Reply { errcode: 0, errmsg: "ok".into(), body: Value::Null };
        assert_eq!(frame, Ok(Frame::Reply { req_id: "ping_1_2".into(), reply }));
        let frame = parse(r#"{"cmd":"","headers":{"req_id":"r"},"errcode":45009,"errmsg":null,"body":{"a":1}}"#);
        let reply = Reply { errcode: 45009, errmsg: String::new(), body: json!({"a": 1}) };
        assert_eq!(frame, Ok(Frame::Reply { req_id: "r".into(), reply }));
    }

    #[test]
    fn callbacks_keep_their_req_id_and_other_commands_only_their_name() {
        let frame = parse(r#"{"cmd":"aibot_msg_callback","headers":{"req_id":"R1"},"body":{"msgid":"m"}}"#);
        assert_eq!(frame, Ok(Frame::Message { req_id: "R1".into(), body: json!({"msgid": "m"}) }));
        let frame = parse(r#"{"cmd":"aibot_event_callback","headers":{"req_id":"R2"}}"#);
        assert_eq!(frame, Ok(Frame::Event { req_id: "R2".into(), body: Value::Null }));
        let long = format!(r#"{{"cmd":"{}"}}"#, "x".repeat(1000));
        assert_eq!(parse(&long), Ok(Frame::Other { cmd: "x".repeat(64) }));
    }

    #[test]
    fn raw_control_characters_are_left_out_and_those_between_words_are_spaces() {
        let text = "{\"cmd\":\"aibot_msg_callback\",\r\n\t\"body\":{\"content\":\"a\u{1}\nb\u{7f}\"}}";
        let Ok(Frame::Message { body, .. }) = parse(text) else { panic!() };
        assert_eq!(body["content"], "a b");
        let Ok(Frame::Event { req_id, .. }) =
            parse("{\"cmd\":\"aibot_event_callback\",\u{1}\"headers\":{\"req_id\":\"R1\u{b}\"}}")
        else {
            panic!()
        };
        assert_eq!(req_id, "R1");
    }

    #[test]
    fn invalid_frames_are_refused() {
        let long = format!("{{\"cmd\":\"{}\"}}", "x".repeat(FRAME_BYTES));
        assert_eq!(parse(&long), Err(BadFrame::TooLong));
        let deep = format!("{{\"body\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for text in [
            "",
            "null",
            "[]",
            "[null,{},0]",
            "{",
            "{\"cmd\":1}",
            "{\"errcode\":\"0\"}",
            "{\"errcode\":0.0}",
            "{\"errcode\":0,\"errcode\":0}",
            &deep,
            "{} {}",
        ] {
            assert_eq!(parse(text), Err(BadFrame::NotJson), "{text}");
        }
        assert_eq!(parse("{}"), Err(BadFrame::Neither));
        for headers in [r#"{"req_id":"r"}"#, r#"{"req_id":1}"#, r#"["r"]"#, "null"] {
            assert_eq!(parse(&format!(r#"{{"headers":{headers}}}"#)), Err(BadFrame::Neither));
        }
        let nobody = parse(r#"{"headers":["ping_1"],"errcode":0}"#);
        assert!(matches!(nobody, Ok(Frame::Reply { req_id, .. }) if req_id.is_empty()));
    }

    #[test]
    fn a_frame_of_ours_is_exactly_this_text_with_the_body_as_it_was_frozen() {
        let body = RawValue::from_string(r#"{"chatid":"中 ","n":1.50}"#.into()).unwrap();
        assert_eq!(
            print("aibot_send_msg", &req_id("aibot_send_msg", 1_700_000_000_000, 0xab12), Some(&body)),
            r#"{"cmd":"aibot_send_msg","headers":{"req_id":"aibot_send_msg_1700000000000_0000ab12"},"body":{"chatid":"中 ","n":1.50}}"#
        );
        assert_eq!(print(PING, "p", None), r#"{"cmd":"ping","headers":{"req_id":"p"}}"#);
    }
}
