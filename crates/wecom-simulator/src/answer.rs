//! What an endpoint answers: always HTTP 200, the outcome in `errcode` (docs/reference/wecom.md#answers).

use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// A success, or WeCom's refusal.
pub(crate) type Outcome = Result<Reply, Refusal>;

/// What a success carries.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Fields beside `errcode` 0 and `errmsg` "ok".
    Fields(Map<String, Value>),
    /// The bytes of a file.
    File { mime: String, name: String, bytes: Bytes },
}

impl Reply {
    /// A success without fields.
    pub(crate) fn ok() -> Self {
        Self::Fields(Map::new())
    }

    /// A success with the fields of a JSON object.
    pub(crate) fn with(fields: Value) -> Self {
        match fields {
            Value::Object(fields) => Self::Fields(fields),
            other => unreachable!("a reply is built from an object literal, not from {other}"),
        }
    }
}

/// An `errcode` with its short text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) text: String,
    /// A field that accompanies the error.
    pub(crate) beside: Option<(&'static str, Value)>,
}

impl Refusal {
    /// The code with its usual text.
    pub(crate) fn code(code: i64) -> Self {
        Self { code, text: usual_text(code).into(), beside: None }
    }

    /// The code with a custom text.
    pub(crate) fn saying(code: i64, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), beside: None }
    }

    /// 40058 as WeCom words it: what is wrong, then the usual text.
    pub(crate) fn parameter(what: impl std::fmt::Display) -> Self {
        Self::saying(40058, format!("{what}. {}", usual_text(40058)))
    }

    /// The fields of the answer. The shape of `errmsg` is the one seen in the field (docs/reference/wecom.md#answers):
    /// short text, opaque hint, the caller's address (which is how operators learn what to put on the trusted list), a
    /// help link.
    pub(crate) fn fields(self, from: &str, now_ms: i64) -> Map<String, Value> {
        let hint = format!("{now_ms}{:09}", rand::random_range(0..1_000_000_000_u32));
        let errmsg = format!(
            "{}, hint: [{hint}], from ip: {from}, more info at https://open.work.weixin.qq.com/devtool/query?e={}",
            self.text, self.code
        );
        let mut fields = Map::new();
        fields.insert("errcode".into(), json!(self.code));
        fields.insert("errmsg".into(), json!(errmsg));
        if let Some((name, value)) = self.beside {
            fields.insert(name.into(), value);
        }
        fields
    }
}

/// The body of the answer, for the journal and for the response.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(Map<String, Value>),
    File { mime: String, name: String, bytes: Bytes },
}

impl Answer {
    pub(crate) fn new(outcome: Outcome, from: &str, now_ms: i64) -> Self {
        match outcome {
            Ok(Reply::Fields(fields)) => {
                let mut all = Map::new();
                all.insert("errcode".into(), json!(0));
                all.insert("errmsg".into(), json!("ok"));
                all.extend(fields);
                Self::Json(all)
            }
            Ok(Reply::File { mime, name, bytes }) => Self::File { mime, name, bytes },
            Err(refusal) => Self::Json(refusal.fields(from, now_ms)),
        }
    }

    /// The `errcode`; a file has none and counts as 0.
    pub(crate) fn errcode(&self) -> i64 {
        match self {
            Self::Json(fields) => fields.get("errcode").and_then(Value::as_i64).unwrap_or(0),
            Self::File { .. } => 0,
        }
    }

    /// The JSON form that the journal of requests keeps.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Json(fields) => Value::Object(fields.clone()),
            Self::File { mime, name, bytes } => json!({"file": name, "mime": mime, "bytes": bytes.len()}),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Json(fields) => {
                let body = Value::Object(fields).to_string();
                ([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], body).into_response()
            }
            Self::File { mime, name, bytes } => {
                // A header holds no control characters; the name came from a client.
                let name: String = name.chars().filter(|c| c.is_ascii_graphic() && *c != '"').collect();
                let disposition = format!("attachment; filename=\"{name}\"");
                ([(header::CONTENT_TYPE, mime), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
            }
        }
    }
}

/// The short text of a code, in our words where no sample is known (the text may change at any time, says WeCom).
#[rustfmt::skip]
fn usual_text(code: i64) -> &'static str {
    match code {
        -1 => "system error",
        40001 => "invalid credential",
        40003 => "invalid UserID",
        40004 => "invalid media type",
        40005 => "invalid type parameter",
        40006 => "invalid file size",
        40007 => "invalid media_id",
        40008 => "invalid message type",
        40009 => "invalid image size",
        40011 => "invalid video size",
        40013 => "invalid corpid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40032 => "invalid user list size",
        40033 => "illegal character: \\uXXXX escapes are not allowed",
        40039 => "invalid url size",
        40056 => "invalid agentid",
        40058 => "invalid Request Parameter",
        40063 => "some parameters are empty",
        40066 => "invalid party list",
        40068 => "invalid tagid",
        40074 => "news message cannot be safe",
        40091 => "secret is invalid",
        40123 => "invalid image: not a picture, or not as long as stated",
        40206 => "request body is too large",
        41001 => "access_token missing",
        41002 => "corpid missing",
        41004 => "corpsecret missing",
        41006 => "media_id missing",
        41009 => "userid missing",
        41010 | 42028 => "missing url",
        41011 => "agentid missing",
        41016 | 42033 => "missing title",
        41017 => "tagid missing",
        41033 => "missing description",
        42001 => "access_token expired",
        42014 => "invalid task_id",
        42015 => "response_code belongs to another app",
        42016 => "task_id does not exist",
        42018 => "invalid button key",
        42019 => "missing button key",
        42020 => "missing button name",
        42027 => "missing horizontal_content_list.keyname",
        42029 => "missing media_id",
        42030 => "missing appid",
        42031 => "invalid card_type",
        42035 => "invalid horizontal_content_list length",
        42036 => "invalid vertical_content_list length",
        42037 => "invalid option_list length",
        42038 => "missing or invalid button text",
        42039 => "missing or invalid button key",
        42040 => "missing or invalid option id",
        42041 => "missing or invalid option text",
        42042 => "invalid jump_list length",
        42043 => "missing or invalid question_key",
        42044 => "missing or invalid card_image.url",
        42045 => "missing or invalid card_action",
        42046 => "missing or invalid submit_button.key",
        42047 => "invalid select_list length",
        42049 => "missing or invalid submit_button.text",
        42050 => "invalid horizontal_content_list.userid",
        42051 => "action_menu keys must differ",
        42052 => "message is too old to be recalled",
        43012 => "the app has no callback url",
        44001 => "empty media data",
        44004 => "empty content",
        45001 => "media is too large",
        45002 => "content is too long",
        45007 => "voice is too long",
        45008 => "article size out of limit",
        45009 => "api freq out of limit",
        45032 => "author is too long",
        45033 => "api concurrent out of limit",
        45034 => "invalid url",
        46004 => "user does not exist",
        48002 => "api forbidden",
        48005 => "api is retired",
        49008 => "chat is dissolved",
        50002 => "user is out of the app's rights",
        50003 => "agent is disabled",
        60003 => "department not found",
        60011 => "no privilege to access",
        50001 => "redirect_uri unauthorized",
        60020 => "not allow to access from your ip",
        60111 => "userid not found",
        60140 => "invalid response_code",
        60123 => "invalid party id",
        81013 => "user & party & tag all invalid",
        82001 => "touser & toparty & totag all empty",
        82002 => "too many parties",
        82003 => "too many tags",
        82101 => "no receiver to update",
        82102 => "not a receiver of the card",
        86001 | 93006 => "invalid chatid",
        86003 => "chatid does not exist",
        86004 => "invalid chat name",
        86005 => "invalid chat owner",
        86006 => "invalid chat member count",
        86007 => "invalid chat member",
        86008 => "chat was not created by this agent",
        86201 => "missing chatid",
        86204 => "missing userlist",
        86205 => "chatid is too long",
        86207 => "owner is not a member",
        86215 => "chatid exists",
        86216 => "illegal member id",
        90201 => "invalid content_item count",
        90202 => "content_item key is too long",
        90203 => "content_item value is too long",
        90204 => "page is too long",
        90207 => "invalid appid",
        93000 => "invalid webhook url",
        93001 => "not allow to send msg to this chat",
        93004 => "webhook is disabled",
        93008 => "not in chat",
        93019 => "invalid bot id",
        301_002 => "not allow operate another agent with this accesstoken",
        301_017 => "voice must be AMR",
        301_019 => "md5 does not match",
        846_605 => "invalid req_id",
        846_608 => "stream message expired",
        853_000 => "signature is incorrect, check the bot secret",
        _ => "request refused",
    }
}
