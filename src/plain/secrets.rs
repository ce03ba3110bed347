//! Credentials in what people are shown: by the names of members and parameters, and by where they stand in a text.
//!
//! One rule for all: a member whose name says a secret is not shown at all; in an address, a command line, a header or a
//! sentence only the secret itself gives way to `***`. The body as it came is kept as it is.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::regex;

/// What stands for a secret.
const MASK: &str = "***";

/// Parts of the names of secrets.
const PARTS: &[&str] = &[
    "passw",
    "passphrase",
    "secret",
    "token",
    "signature",
    "authorization",
    "cookie",
    "credential",
    "privatekey",
    "apikey",
    "accesskey",
    "routingkey",
    "integrationkey",
    "servicekey",
    "sendkey",
    "licensekey",
    "pushkey",
    "webhookkey",
    "devicekey",
    "userkey",
    "barkkey",
    "密码",
    "口令",
];
/// Whole names of secrets; as parts they stand in harmless names.
const NAMES: &[&str] = &["pwd", "pass", "sk", "sig", "sign", "auth", "bearer"];
/// Parts of robots' addresses, which are their credential: WeCom, DingTalk, Feishu, Slack, Discord, Teams, Telegram.
const ROBOTS: &[&str] = &[
    "/cgi-bin/webhook/send",
    "/robot/send",
    "/bot/v2/hook/",
    "/bot/hook/",
    "hooks.slack.com/",
    "/api/webhooks/",
    "webhook.office.com/",
    "api.telegram.org/bot",
];
/// Parts of addresses by which a person confirms something: nothing works until they are opened.
const CONFIRMS: &[&str] = &["confirm", "verif", "subscribe", "activat"];

/// Does anything in a text look as if a secret stood beside it? Most texts have none.
static SUSPECT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)passw|passphrase|pwd|secret|token|sign|key|authoriz|bearer|cookie|credential|://|\s-[pu]|akia|eyj|private|ghp_|xox|\u{5BC6}\u{7801}|\u{53E3}\u{4EE4}|\b(?:sk|sig|auth|pass)=",
    )
});
/// `scheme://user:secret@host`
static USER: LazyLock<Regex> = LazyLock::new(|| regex(r#"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*):[^\s/"'<>]+@"#));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| regex(r#"https?://[^\s"'<>）】，。]+"#));
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?i)\b(authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|digest|token|apikey)\s+)?|bearer\s+)[A-Za-z0-9._~+/=:*-]{3,}"#,
    )
});
/// `name=value`, `"name": "value"`; the words for a password in Han by their numbers.
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"([A-Za-z_][A-Za-z0-9_.-]*|\u{5BC6}\u{7801}|\u{53E3}\u{4EE4})(["']?\s*)([=:：])(\s*["']?)([^\s"'&;,，；、)）}\]<>]+)"#,
    )
});
/// The password of a command line: `mysqldump -uroot -psecret`, `sshpass -p secret`, `curl -u name:secret`.
static OPTION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"((?:\s-u\s*\S+.{0,200}?|\b(?:mysql|mariadb)\w*\b.{0,200}?|\bsshpass)\s-p\s*|\s--?(?:password|passwd|pass|token|secret)(?:=|\s+)|\bredis-cli\b.{0,100}?\s-a\s*)([^\s-][^\s]*)",
    )
});
static NAMED: LazyLock<Regex> = LazyLock::new(|| regex(r"(\s(?:-u|--user)\s*[\w.-]+):([^\s/][^\s]*)"));
/// What is a secret by its form.
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"\bAKIA[0-9A-Z]{16}\b|\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}",
        r"|(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    ))
});

/// Does this plain name, of a member or of a parameter, say that its value is a secret?
pub fn names_secret(plain: &str) -> bool {
    NAMES.contains(&plain) || PARTS.iter().any(|part| plain.contains(part))
}

/// Is this an address that holds a credential: that of a robot, one with a secret parameter or a password?
pub fn is_secret_address(text: &str) -> bool {
    let text = text.trim();
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    if !matches!(scheme, "http" | "https") || text.contains(char::is_whitespace) {
        return false;
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let is_secret =
        |pair: &str| pair.split_once('=').is_some_and(|(name, value)| !value.is_empty() && names_secret(&plain(name)));
    ROBOTS.iter().any(|part| rest.contains(part)) || query.split(['&', '#']).any(is_secret) || USER.is_match(text)
}

/// Does a person confirm something by what has this name or address?
pub fn confirms(text: &str) -> bool {
    let lower = text.to_lowercase();
    CONFIRMS.iter().any(|part| lower.contains(part))
}

/// `text` with `***` for each credential in it.
pub fn masked(text: &str) -> Cow<'_, str> {
    if !SUSPECT.is_match(text) {
        return Cow::Borrowed(text);
    }
    let text = replaced(Cow::Borrowed(text), &FORM, |_| MASK.to_owned());
    let text = replaced(text, &USER, |found| format!("{}:{MASK}@", &found[1]));
    let text = replaced(text, &ADDRESS, |found| of_robot(&found[0]));
    let text = replaced(text, &HEADER, |found| format!("{}{MASK}", &found[1]));
    let text = replaced(text, &OPTION, |found| {
        let is_port = found[2].bytes().all(|byte| byte.is_ascii_digit() || byte == b':') && !found[1].contains("--");
        if is_port { found[0].to_owned() } else { format!("{}{MASK}", &found[1]) }
    });
    let text = replaced(text, &NAMED, |found| format!("{}:{MASK}", &found[1]));
    pairs(text)
}

fn replaced<'a>(text: Cow<'a, str>, pattern: &Regex, with: impl Fn(&Captures<'_>) -> String) -> Cow<'a, str> {
    match pattern.replace_all(&text, |found: &Captures<'_>| with(found)) {
        Cow::Borrowed(_) => text,
        Cow::Owned(text) => Cow::Owned(text),
    }
}

/// The address of a robot without what proves who may write to it.
fn of_robot(address: &str) -> String {
    let begins = ROBOTS.iter().find_map(|part| address.find(part).map(|at| at + part.len()));
    begins.map_or_else(|| address.to_owned(), |end| format!("{}{MASK}", &address[..end]))
}

/// Each `name=value` whose name says a secret. Parameters of an address by which a person confirms something stay.
fn pairs(text: Cow<'_, str>) -> Cow<'_, str> {
    let open: Vec<std::ops::Range<usize>> =
        ADDRESS.find_iter(&text).filter(|found| confirms(found.as_str())).map(|found| found.range()).collect();
    let mut out = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = PAIR.captures_at(&text, at) {
        let (Some(whole), Some(value)) = (found.get(0), found.get(5)) else { break };
        let is_open = open.iter().any(|range| range.contains(&whole.start()));
        // What is no secret may hold one: `https://a.example.com/?token=…`.
        at = value.start();
        if !is_open && is_secret(&found[1], &found[3], value.as_str()) {
            out.push_str(&text[from..value.start()]);
            out.push_str(MASK);
            (from, at) = (value.end(), value.end());
        }
    }
    if from == 0 {
        return text;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Is the value of a pair a secret, rather than a word about one (`password: YES`, `max_tokens=512`)?
fn is_secret(name: &str, sign: &str, value: &str) -> bool {
    const WORDS: [&str; 16] = [
        "true", "false", "yes", "no", "null", "none", "nil", "ok", "expired", "invalid", "missing", "required",
        "bearer", "basic", "digest", "token",
    ];
    const SHORT: usize = 4;
    let plain = plain(name);
    let is_word = WORDS.contains(&value.to_lowercase().as_str()) || value.contains(MASK) || value.starts_with("//");
    if !names_secret(&plain) || plain.ends_with("tokens") || is_word || !value.is_ascii() {
        return false;
    }
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
        || has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    let is_password = ["passw", "pwd", "密码", "口令"].iter().any(|part| plain.contains(part));
    match sign {
        _ if NAMES.contains(&plain.as_str()) && plain != "pwd" => is_mixed && value.len() > SHORT,
        "=" if value.bytes().all(|byte| byte.is_ascii_digit()) => is_password || value.len() > 6,
        "=" => true,
        _ => value.len() >= SHORT && (is_mixed || is_password && !has(u8::is_ascii_alphabetic)),
    }
}

/// A name in lower case without signs between its words.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_texts_give_way_to_stars() {
        for (text, shown) in [
            ("dial mysql://root:P@ss0rd!@db-1:3306/x failed", "dial mysql://root:***@db-1:3306/x failed"),
            ("redis://:pw99@10.0.0.6:6379/0", "redis://:***@10.0.0.6:6379/0"),
            ("https://u:pw123@x.cn/p", "https://u:***@x.cn/p"),
            ("mysqldump -ubackup -pS3cret! --all failed", "mysqldump -ubackup -p*** --all failed"),
            ("check -u http://localhost -p S3nsu99 x", "check -u http://localhost -p *** x"),
            ("curl -u bot:s3cret https://x.cn", "curl -u bot:*** https://x.cn"),
            ("tool --password hunter2 --port 80", "tool --password *** --port 80"),
            ("Server=db;User Id=sa;Password=Qwe123;", "Server=db;User Id=sa;Password=***;"),
            ("GET https://x.cn/p?id=5&token=abc123&x=1 500", "GET https://x.cn/p?id=5&token=***&x=1 500"),
            ("see https://x.cn/p?token=abc123 and x", "see https://x.cn/p?token=*** and x"),
            ("?api_key=k-123456 returned 500", "?api_key=*** returned 500"),
            ("curl -H 'Authorization: Bearer abc.def-123' x", "curl -H 'Authorization: Bearer ***' x"),
            ("Authorization: Basic dXNlcjpwdw==", "Authorization: Basic ***"),
            ("bearer abcdef0123", "bearer ***"),
            (r#"{"password":"hunter2","user":"x"}"#, r#"{"password":"***","user":"x"}"#),
            ("密码：Abc123", "密码：***"),
            ("key AKIAIOSFODNN7EXAMPLE leaked", "key *** leaked"),
            (
                "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1111-22 refused",
                "https://qyapi.weixin.qq.com/cgi-bin/webhook/send*** refused",
            ),
            ("https://hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com/***"),
        ] {
            assert_eq!(masked(text), shown);
            assert_eq!(masked(shown), shown, "once is enough");
        }
    }

    #[test]
    fn what_is_no_credential_stays() {
        for text in [
            "Access denied for user 'backup'@'localhost' (using password: YES)",
            "invalid token: expired",
            "max_tokens=512 tokens_used=17",
            "pass=12 fail=3",
            "secret: default/tls-cert not found",
            "密码：错误",
            "primary_key=id partition_key=day",
            "type: UnauthorizedAccess:EC2/SSHBruteForce",
            "Sensor: Ping (Ping) ***",
            "mkdir -p /data/x",
            "nmap -u -p 8080 db-1",
            "https://jira.example.com/browse?key=OPS-1",
            "https://m.example.com/confirm?token=abc123",
            "see http://a.example.com:9090/graph?g0.expr=up",
            "磁盘使用率：96%，主机：db-1",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
