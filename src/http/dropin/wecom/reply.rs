//! Answers in WeCom's form: HTTP 200 with the outcome in `errcode`; clients compare these bytes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Caller;
use crate::http::refusal::{Cause, with_headers};

/// An answer of WeCom.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    body: String,
    /// The reason of a refusal, for the operator.
    cause: Option<Cause>,
}

#[derive(Serialize)]
struct Success<'a, T> {
    errcode: i64,
    errmsg: &'static str,
    #[serde(flatten)]
    members: &'a T,
}

#[derive(Serialize)]
struct Failure<'a> {
    errcode: i64,
    errmsg: &'a str,
}

impl Reply {
    /// Success without further members: exactly these bytes.
    pub fn ok() -> Self {
        Self { status: StatusCode::OK, body: r#"{"errcode":0,"errmsg":"ok"}"#.to_owned(), cause: None }
    }

    /// Success with further members after `errcode` and `errmsg`, in the order of their struct.
    pub fn with(members: &impl Serialize) -> Self {
        let success = Success { errcode: 0, errmsg: "ok", members };
        Self { status: StatusCode::OK, body: serde_json::to_string(&success).expect("an answer is JSON"), cause: None }
    }

    /// A refusal, in the form that `errmsg` has in the field: text, hint, the caller's address, a page.
    pub fn error(errcode: i64, text: &str, caller: &Caller) -> Self {
        let hint = format!("{}{:09}", caller.now.0, rand::random_range(0..1_000_000_000_u32));
        let errmsg = format!(
            "{text}, hint: [{hint}], from ip: {}, more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}",
            caller.address
        );
        Self::plain(StatusCode::OK, errcode, &errmsg)
    }

    /// The call was not stored or did not succeed: the client should retry.
    pub fn busy(status: StatusCode) -> Self {
        Self::plain(status, -1, "system busy")
    }

    fn plain(status: StatusCode, errcode: i64, errmsg: &str) -> Self {
        let body = serde_json::to_string(&Failure { errcode, errmsg }).expect("an answer is JSON");
        Self { status, body, cause: None }
    }

    /// Adds the reason, for the log and the counters.
    pub fn because(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json; charset=UTF-8");
        let answer = with_headers((self.status, [(header::CONTENT_TYPE, json)], self.body).into_response());
        match self.cause {
            Some(cause) => cause.attach(answer),
            None => answer,
        }
    }
}
