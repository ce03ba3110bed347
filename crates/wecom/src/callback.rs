//! Parses WeCom's calls of an app's callback URL and writes the answers (docs/reference/wecom.md#callbacks, pages
//! 90968, 90238 to 90241).
//!
//! Everything here is pure: time and randomness are passed in. A push that passes [`CallbackKeys::open`] was made by a
//! holder of the keys, for this corp, within the last minutes; the caller must detect repetitions.

mod crypto;
mod incoming;
mod reply;
mod xml;

use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;

pub use incoming::Incoming;

use crypto::Crypto;

use crate::text::Text;

/// Largest body of a push. A text has some thousand bytes; base64 and envelope add half as much again.
pub const CALLBACK_BODY_BYTES: usize = 64 * 1024;

/// How far the timestamp of a push may be from now, either way: WeCom repeats within seconds (page 90238), and clocks
/// differ by less.
pub const CALLBACK_WINDOW_SECS: i64 = 5 * 60;

/// Characters of a token at most (page 90238).
const TOKEN_CHARS: usize = 32;

/// The query of each call of WeCom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Signed {
    /// SHA-1 over token, timestamp, nonce and ciphertext, lower-case hex.
    pub msg_signature: String,
    /// Unix seconds, as text: it is signed in this form.
    pub timestamp: String,
    /// Any text.
    pub nonce: String,
}

/// Token, key and corp of one app's callback. Shows none of the secrets.
pub struct CallbackKeys {
    crypto: Crypto,
    receive_id: String,
}

impl fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackKeys").field("receive_id", &self.receive_id).finish_non_exhaustive()
    }
}

/// An invalid token or `EncodingAESKey`; never shows either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub enum BadKey {
    /// The token is invalid.
    Token,
    /// The key has another length.
    Length(usize),
    /// The key has characters outside base64.
    Alphabet,
}

impl BadKey {
    /// What is wrong, and where the right one is found.
    pub fn text(self) -> Text {
        match self {
            Self::Token => Text::new(
                "token 应为 1 至 32 个英文字母或数字，请从应用的“接收消息”设置中复制",
                "the token must be 1 to 32 letters or digits: copy it from the callback settings of the app",
            ),
            Self::Length(length) => Text::new(
                format!("encoding_aes_key 应为 43 个字符，现有 {length} 个，请从应用的“接收消息”设置中完整复制"),
                format!(
                    "encoding_aes_key must have 43 characters and has {length}: copy all of it from the callback \
                     settings of the app"
                ),
            ),
            Self::Alphabet => Text::new(
                "encoding_aes_key 含有英文字母和数字以外的字符，请从应用的“接收消息”设置中重新复制",
                "encoding_aes_key has characters other than letters and digits: copy it again from the callback \
                 settings of the app",
            ),
        }
    }
}

/// Why a call is refused; never shows its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub enum CallbackError {
    /// More than [`CALLBACK_BODY_BYTES`].
    TooLong(usize),
    /// The timestamp is not a number or further than [`CALLBACK_WINDOW_SECS`] from now: a replay, or a wrong clock.
    Stale,
    /// The XML cannot be read, is too deep or too long, or has a DTD.
    Xml(&'static str),
    /// Not signed with our token.
    Signature,
    /// Signed, but not encrypted with our key.
    Cipher(&'static str),
    /// For another corp.
    Receiver,
    /// Decrypted, but a required part is missing.
    Lacks(&'static str),
}

impl CallbackError {
    /// What is wrong, and what to check.
    pub fn text(self) -> Text {
        match self {
            Self::TooLong(bytes) => Text::new(format!("内容过长：{bytes} 字节"), format!("too long: {bytes} bytes")),
            Self::Stale => Text::new(
                "时间戳不在前后 5 分钟之内，请检查系统时间",
                "the timestamp is not within 5 minutes of now: check the clock",
            ),
            Self::Xml(why) => Text::new(format!("XML 无法读取：{why}"), format!("the XML cannot be read: {why}")),
            Self::Signature => Text::new(
                "签名不符，请核对 token；若配置无误则是伪造的请求",
                "the signature does not match: check the token; if it is right, the call is forged",
            ),
            Self::Cipher(why) => Text::new(
                format!("无法解密（{why}），请核对 encoding_aes_key"),
                format!("it cannot be decrypted ({why}): check encoding_aes_key"),
            ),
            Self::Receiver => Text::new("不是发给本企业的，请核对 corp_id", "it is for another corp: check corp_id"),
            Self::Lacks(part) => Text::new(format!("消息缺少 {part}"), format!("the message lacks {part}")),
        }
    }

    /// A word for a metric.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooLong(_) => "too_long",
            Self::Stale => "stale",
            Self::Xml(_) => "xml",
            Self::Signature => "signature",
            Self::Cipher(_) => "cipher",
            Self::Receiver => "receiver",
            Self::Lacks(_) => "incomplete",
        }
    }
}

impl CallbackKeys {
    /// Keys as the admin console shows them. `receive_id` is the corp id for an app of one's own, and empty for a bot
    /// (docs/reference/wecom.md#callback-cipher).
    pub fn new(token: SecretString, encoding_aes_key: &SecretString, receive_id: String) -> Result<Self, BadKey> {
        Ok(Self { crypto: Crypto::new(token, encoding_aes_key)?, receive_id })
    }

    /// The bare text that answers the check of the URL (page 90238). A `+` that arrived as a space is restored.
    pub fn verify(&self, signed: &Signed, echostr: &str, now_secs: i64) -> Result<String, CallbackError> {
        bounded(echostr.len())?;
        within_window(signed, now_secs)?;
        self.decrypt(signed, &echostr.replace(' ', "+"))
    }

    /// The message in the body of a push.
    pub fn open(&self, signed: &Signed, body: &[u8], now_secs: i64) -> Result<Incoming, CallbackError> {
        bounded(body.len())?;
        within_window(signed, now_secs)?;
        let envelope = xml::parse(std::str::from_utf8(body).map_err(|_| CallbackError::Xml("not UTF-8"))?)?;
        let encrypt = envelope.child("Encrypt").ok_or(CallbackError::Lacks("Encrypt"))?;
        let plain = self.decrypt(signed, encrypt.text().trim())?;
        // Unsigned, but it must not contradict the signed part.
        if envelope.child("ToUserName").is_some_and(|to| !self.is_for_us(to.text())) {
            return Err(CallbackError::Receiver);
        }
        let message = xml::parse(&plain)?;
        if !self.is_for_us(message.text_of("ToUserName")) {
            return Err(CallbackError::Receiver);
        }
        incoming::read(&message)
    }

    /// The body of a passive reply: `plain`, from [`CallbackKeys::text_reply`] or [`CallbackKeys::button_reply`],
    /// encrypted and signed (page 90241). `random` must be different each time.
    pub fn seal(&self, plain: &str, timestamp: i64, nonce: &str, random: [u8; 16]) -> String {
        let encrypt = self.crypto.encrypt(plain.as_bytes(), &self.receive_id, random);
        let signature = self.crypto.signature(&timestamp.to_string(), nonce, &encrypt);
        format!(
            "<xml><Encrypt>{}</Encrypt><MsgSignature>{}</MsgSignature><TimeStamp>{timestamp}</TimeStamp><Nonce>{}</Nonce></xml>",
            reply::cdata(&encrypt),
            reply::cdata(&signature),
            reply::cdata(nonce),
        )
    }

    /// A text as the answer to `to`, not sealed yet.
    pub fn text_reply(&self, to: &str, content: &str, now_secs: i64) -> String {
        reply::write(&self.receive_id, to, now_secs, "text", &format!("<Content>{}</Content>", reply::cdata(content)))
    }

    /// The answer to a click that replaces the buttons by one label, for `to` only; not sealed yet.
    pub fn button_reply(&self, to: &str, replace_name: &str, now_secs: i64) -> String {
        let button = format!("<Button><ReplaceName>{}</ReplaceName></Button>", reply::cdata(replace_name));
        reply::write(&self.receive_id, to, now_secs, "update_button", &button)
    }

    pub(crate) fn sign(&self, timestamp: i64, nonce: &str, encrypt: &str) -> Signed {
        let timestamp = timestamp.to_string();
        Signed { msg_signature: self.crypto.signature(&timestamp, nonce, encrypt), timestamp, nonce: nonce.to_owned() }
    }

    pub(crate) fn seal_bytes(&self, plain: &[u8]) -> String {
        self.crypto.encrypt_blocks(plain[..plain.len() / 16 * 16].to_vec())
    }

    /// The content of `encrypt`, if it is signed, made with our key, and for our corp.
    fn decrypt(&self, signed: &Signed, encrypt: &str) -> Result<String, CallbackError> {
        self.crypto.check(signed, encrypt)?;
        let (message, receive_id) = self.crypto.decrypt(encrypt)?;
        if receive_id != self.receive_id.as_bytes() {
            return Err(CallbackError::Receiver);
        }
        String::from_utf8(message).map_err(|_| CallbackError::Cipher("not UTF-8"))
    }

    /// A bot has no corp id as its address.
    fn is_for_us(&self, to: &str) -> bool {
        self.receive_id.is_empty() || to.trim() == self.receive_id
    }
}

const fn bounded(bytes: usize) -> Result<(), CallbackError> {
    if bytes > CALLBACK_BODY_BYTES { Err(CallbackError::TooLong(bytes)) } else { Ok(()) }
}

fn within_window(signed: &Signed, now_secs: i64) -> Result<(), CallbackError> {
    let age = signed.timestamp.parse::<i64>().ok().and_then(|then| now_secs.checked_sub(then));
    match age {
        Some(age) if (-CALLBACK_WINDOW_SECS..=CALLBACK_WINDOW_SECS).contains(&age) => Ok(()),
        _ => Err(CallbackError::Stale),
    }
}

#[cfg(test)]
mod tests;
