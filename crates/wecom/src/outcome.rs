//! The result of a call: accepted, certainly not, or unknown; and the reason, without secrets.
//!
//! Every text of a [`Failure`] is made here or passed through [`Secrets::redact`]; no other error's text is shown.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::Api;
use crate::errcode::{self, About, Class, Meaning};
use crate::text::Text;

/// The verdict on one send. Success is only an integer `errcode` 0, whatever the HTTP status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted for every recipient. Accepted is not delivered: there is no receipt
    /// (docs/reference/wecom.md#accepted-in-part).
    Accepted(Receipt),
    /// Accepted, but not for those in `missed`.
    AcceptedInPart {
        /// WeCom's ids for it.
        receipt: Receipt,
        /// The recipients that did not get it.
        missed: Missed,
    },
    /// Certainly not accepted: no byte of the request was sent, or WeCom rejected it explicitly.
    NotSent(Failure),
    /// The request, or a part of it, was sent and no trustworthy answer came: it may have been delivered.
    Unsure(Failure),
}

/// WeCom's ids of an accepted message; only `message/send` returns any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Handle for recall, 24 h.
    pub msgid: Option<String>,
    /// Handle for one update of a card, 72 h.
    pub response_code: Option<String>,
}

/// The recipients that did not get an accepted message. Userids come back in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// Userids that are invalid or out of scope.
    pub users: Vec<String>,
    /// Department ids.
    pub parties: Vec<String>,
    /// Tag ids.
    pub tags: Vec<String>,
    /// Userids without an interface licence.
    pub unlicensed: Vec<String>,
}

impl Missed {
    /// Whether all recipients were reached.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.parties.is_empty() && self.tags.is_empty() && self.unlicensed.is_empty()
    }
}

/// A failed call: with the same two certainties as [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Certainly not done.
    #[error("{0}")]
    NotDone(Failure),
    /// Perhaps done.
    #[error("{0}")]
    Unsure(Failure),
}

impl CallError {
    /// The failure, whichever its certainty.
    pub const fn failure(&self) -> &Failure {
        match self {
            Self::NotDone(failure) | Self::Unsure(failure) => failure,
        }
    }
}

impl From<CallError> for Outcome {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotDone(failure) => Self::NotSent(failure),
            CallError::Unsure(failure) => Self::Unsure(failure),
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The possible reaction.
    pub class: Class,
    /// The call that failed; `GetToken` if the message itself was never tried.
    pub api: Api,
    /// The observed fault.
    pub fault: Fault,
    /// The text of WeCom or the network, or our own reason: redacted, on one line, at most [`MESSAGE_BYTES`]. May be
    /// empty.
    pub message: Text,
    /// The address from which WeCom saw the call, if its message tells it: it must become a trusted IP at 60020.
    pub egress_ip: Option<IpAddr>,
    /// The earliest retry.
    pub retry_after: Option<Duration>,
}

/// The observed fault of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// WeCom answered with this `errcode`.
    Errcode(i64),
    /// The host's name cannot be resolved.
    Dns,
    /// The connection failed.
    Connect,
    /// The certificate is expired, of another host, or from an unknown authority.
    Tls,
    /// Timeout.
    Timeout,
    /// The connection broke after the request began.
    Broken,
    /// An HTTP status other than 200, which WeCom never gives.
    Status(u16),
    /// The answer is longer than any of WeCom's.
    TooLong,
    /// The answer is not JSON with an integer `errcode`.
    NotWeCom,
    /// `errcode` 0, but the requested data is missing in the answer.
    Incomplete,
    /// Tokens were fetched too often within a minute; nothing was sent.
    TokenBudget,
    /// Too many unknown numbers or addresses were looked up today; nothing was sent.
    LookupBudget,
    /// Not sent, because it might not have ended in time.
    TooLate,
    /// Not sent, because WeCom would reject it; the message gives the reason.
    Invalid,
}

/// Longest [`Failure::message`]: WeCom's own texts are shorter, a page of a proxy is not.
pub const MESSAGE_BYTES: usize = 400;

impl Failure {
    /// WeCom's code, if WeCom rejected the call.
    pub const fn errcode(&self) -> Option<i64> {
        match self.fault {
            Fault::Errcode(code) => Some(code),
            _ => None,
        }
    }

    /// The row of the error table, if WeCom rejected the call with a known code.
    pub fn meaning(&self) -> Option<&'static Meaning> {
        self.errcode().and_then(errcode::meaning)
    }

    /// The subject of the failure.
    pub fn about(&self) -> About {
        self.meaning().map_or(About::System, |meaning| meaning.about)
    }

    /// 发生了什么、应当怎么办（一句话，不含密钥）
    pub fn zh(&self) -> String {
        let (what, remedy) = match (self.meaning(), self.fault) {
            (Some(meaning), _) => (meaning.zh, meaning.remedy_zh),
            (None, fault) => {
                let [(what, _), (remedy, _)] = fault.said();
                (what, remedy)
            }
        };
        self.sentence(what, remedy, &self.message.zh, ["：", "（", "）。", "。"])
    }

    /// What happened and the remedy, in one line without secrets.
    pub fn en(&self) -> String {
        let (what, remedy) = match (self.meaning(), self.fault) {
            (Some(meaning), _) => (meaning.en, meaning.remedy_en.trim_end_matches('.')),
            (None, fault) => {
                let [(_, what), (_, remedy)] = fault.said();
                (what, remedy)
            }
        };
        self.sentence(what, remedy, &self.message.en, [": ", " (", "). ", "."])
    }

    fn sentence(&self, what: &str, remedy: &str, said: &str, [colon, open, close, stop]: [&str; 4]) -> String {
        let code = self.errcode().map(|code| format!("errcode {code} ")).unwrap_or_default();
        let status = if let Fault::Status(status) = self.fault { format!("HTTP {status} ") } else { String::new() };
        let said = if said.is_empty() { "-" } else { said };
        format!("{}{colon}{code}{status}{what}{open}{said}{close}{remedy}{stop}", self.api)
    }

    /// A failure reported by us, before anything was sent.
    pub(crate) fn invalid(api: Api, why: &Text) -> Self {
        let why = Text::new(bounded(&why.zh), bounded(&why.en));
        Self { message: why, ..Self::new(api, Class::Refused, Fault::Invalid, String::new()) }
    }

    pub(crate) fn new(api: Api, class: Class, fault: Fault, message: String) -> Self {
        Self { class, api, fault, message: Text::foreign(message), egress_ip: None, retry_after: None }
    }

    /// A rejection by WeCom: `errmsg` is redacted with `secrets`.
    pub(crate) fn refused(api: Api, code: i64, errmsg: &str, secrets: &Secrets) -> Self {
        let message = secrets.redact(errmsg);
        Self {
            egress_ip: egress_ip(&message),
            retry_after: errcode::pause(code),
            ..Self::new(api, errcode::classify(api, code), Fault::Errcode(code), message)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en())
    }
}

impl Fault {
    /// What happened, and the remedy; each in Chinese and English.
    const fn said(self) -> [(&'static str, &'static str); 2] {
        const PROXY: (&str, &str) = ("请检查 api_url、代理和防火墙", "Check api_url, the proxy and the firewall");
        const NETWORK: (&str, &str) = ("请检查网络", "Check the network");
        match self {
            Self::Errcode(_) => [
                ("企业微信返回了未知的错误码", "WeCom answered with an unknown code"),
                (
                    "会自动重试；请在企业微信的错误码查询工具中查看",
                    "It is tried again; ask WeCom's tool for error codes",
                ),
            ],
            Self::Dns => {
                [("域名无法解析", "the name cannot be resolved"), ("请检查 DNS 和 api_url", "Check DNS and api_url")]
            }
            Self::Connect => [("无法连接", "no connection"), PROXY],
            Self::Tls => [
                ("TLS 证书不可信", "the TLS certificate is not trusted"),
                (
                    "请检查系统时间与代理，安装 ca-certificates 或设置 ca_file",
                    "Check clock and proxy, install ca-certificates or set ca_file",
                ),
            ],
            Self::Timeout => {
                [("超时没有回应，消息可能已送达", "no answer in time, it may have been delivered"), NETWORK]
            }
            Self::Broken => [("连接中断，消息可能已送达", "the connection broke, it may have been delivered"), NETWORK],
            Self::Status(_) => {
                [("回应不是企业微信的，消息可能已送达", "the answer is not WeCom's, it may have been delivered"), PROXY]
            }
            Self::TooLong | Self::NotWeCom => [
                (
                    "回应不是企业微信的 JSON，消息可能已送达",
                    "the answer is not WeCom's JSON, it may have been delivered",
                ),
                PROXY,
            ],
            Self::Incomplete => [("企业微信的回应缺少内容", "WeCom's answer lacks what was asked for"), PROXY],
            Self::TokenBudget => [
                ("access_token 被频繁作废", "the token is revoked again and again"),
                (
                    "请检查是否有别的程序也在用这个 Secret 获取 token",
                    "Look for another program that fetches tokens with this secret",
                ),
            ],
            Self::LookupBudget => [
                ("今天查不到的手机号或邮箱过多", "too many unknown mobiles or e-mails were looked up today"),
                ("请在配置中直接写 userid", "Put userids into the configuration"),
            ],
            Self::TooLate => [
                ("发送时限已过，没有发送", "its time to be sent had passed, it was not sent"),
                ("会自动重试", "It is tried again"),
            ],
            Self::Invalid => [
                ("请求不合要求，没有发送", "the request is not valid and was not sent"),
                ("请更正后再试", "Correct it and try again"),
            ],
        }
    }
}

/// The secrets of one call, which must not appear in any text about it.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Knows each secret plain and percent-encoded, as in a URL.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets {
            let plain = secret.expose_secret();
            // Shorter texts are not secrets, and replacing single letters would leave no text.
            if plain.len() >= 4 {
                let encoded = percent_encoded(plain);
                forms.extend([encoded.to_lowercase(), encoded, plain.to_owned()]);
            }
        }
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self(forms)
    }

    /// `text` without secrets and control characters, bounded: fit for a log line.
    pub(crate) fn redact(&self, text: &str) -> String {
        let clean = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"));
        bounded(&clean)
    }
}

/// In the form of a URL's query.
fn percent_encoded(text: &str) -> String {
    let mut url = reqwest::Url::parse("https://host").expect("this is a URL");
    url.query_pairs_mut().append_key_only(text);
    url.query().unwrap_or_default().to_owned()
}

/// One line of at most [`MESSAGE_BYTES`], cut between characters.
fn bounded(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.len() <= MESSAGE_BYTES {
        return line.to_owned();
    }
    let end = line.floor_char_boundary(MESSAGE_BYTES - '…'.len_utf8());
    format!("{}…", &line[..end])
}

/// The address in "…, from ip: 203.0.113.7, more info at …" (docs/reference/wecom.md#answers).
fn egress_ip(message: &str) -> Option<IpAddr> {
    let (_, rest) = message.split_once("from ip:")?;
    let end = rest.trim_start().find([',', ' ', ';']).unwrap_or(rest.trim_start().len());
    rest.trim_start()[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "s3cr3t/+canary=";

    #[test]
    fn a_refusal_shows_neither_the_secret_nor_its_percent_encoded_form() {
        let secrets = Secrets::new([&SecretString::from(CANARY)]);
        for shown in [CANARY, "s3cr3t%2F%2Bcanary%3D", "s3cr3t%2f%2bcanary%3d"] {
            let failure =
                Failure::refused(Api::MessageSend, 40058, &format!("bad url ?access_token={shown}&x"), &secrets);
            for text in [failure.message.to_string(), failure.zh(), failure.en(), format!("{failure:?}")] {
                assert!(!text.contains("canary"), "{text}");
            }
            assert!(failure.message.en.contains("access_token=***&x"));
        }
    }

    #[test]
    fn a_message_is_one_bounded_line_and_no_character_is_cut() {
        let long = format!("第一行\r\n{}", "错".repeat(1000));
        let message = Secrets::default().redact(&long);
        assert!(message.len() <= MESSAGE_BYTES);
        assert!(message.starts_with("第一行  错") && message.ends_with('…'));
    }

    #[test]
    fn the_address_of_the_caller_is_read_from_the_words_of_60020() {
        let errmsg = "not allow to access from your ip, hint: [1700000000123], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020";
        let failure = Failure::refused(Api::MessageSend, 60020, errmsg, &Secrets::default());
        assert_eq!(failure.egress_ip, Some("203.0.113.7".parse().unwrap()));
        assert_eq!(failure.class, Class::Configuration);
        assert!(failure.zh().contains("企业可信IP") && failure.zh().contains("203.0.113.7"), "{}", failure.zh());
        assert_eq!(egress_ip("from ip: 2001:db8::1"), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(egress_ip("from ip: unknown, more"), None);
    }

    #[test]
    fn a_failure_tells_what_happened_and_what_to_do_in_both_languages() {
        let failure = Failure::new(Api::WebhookSend, Class::Transient, Fault::Status(502), "<html>Bad Gateway".into());
        assert_eq!(
            failure.zh(),
            "webhook/send：HTTP 502 回应不是企业微信的，消息可能已送达（<html>Bad Gateway）。请检查 api_url、代理和防火墙。"
        );
        assert_eq!(
            failure.to_string(),
            "webhook/send: HTTP 502 the answer is not WeCom's, it may have been delivered (<html>Bad Gateway). Check api_url, the proxy and the firewall."
        );
    }
}
