//! Tokens that are easy to guess, shared, or exposed.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};

use super::finding::Place;
use super::resolve::Resolver;

/// Characters of a token in an address, which proxies log and people paste: it must be far beyond guessing.
const SHOWN: usize = 24;
/// Characters of any other token if other machines can try: 16 random letters and digits are 95 bits.
const OPEN: usize = 16;
/// Characters if only this machine can try.
const LOCAL: usize = 8;
/// A token with fewer distinct characters is a pattern, not random.
const DIFFERENT: usize = 6;
/// Placeholders that people write until they have a real token.
const STAND_INS: [&str; 12] = [
    "changeme",
    "change_me",
    "change-me",
    "password",
    "secret",
    "token",
    "example",
    "your_token",
    "your-token",
    "xxxx",
    "123456",
    "admin",
];

/// A token of a source; all of them are checked together.
pub(super) struct Token {
    place: Place,
    source: String,
    /// The key in the file.
    path: String,
    text: SecretString,
    /// It is part of an address.
    shown: bool,
}

impl Resolver<'_> {
    pub(super) fn note_token(&mut self, place: Place, source: &str, path: &str, text: &SecretString, shown: bool) {
        if !self.is_stand_in(text) {
            let token = Token { place, source: source.to_owned(), path: path.to_owned(), text: text.clone(), shown };
            self.tokens.push(token);
        }
    }

    /// Reports weak and shared tokens, more strictly where other machines can try.
    pub(super) fn judge_tokens(&mut self, local: bool, open: Option<SocketAddr>) {
        let tokens = std::mem::take(&mut self.tokens);
        for (index, token) in tokens.iter().enumerate() {
            self.strength(token, local);
            let same = |other: &&Token| other.text.expose_secret() == token.text.expose_secret();
            let other = tokens[..index].iter().find(|other| other.source != token.source && same(other));
            if let Some(other) = other {
                self.found.note(
                    token.place,
                    (
                        format!("来源 `{}` 和 `{}` 用同一个凭证：分不清是谁投递的", other.source, token.source),
                        format!(
                            "sources `{}` and `{}` share a credential: who posts cannot be told",
                            other.source, token.source
                        ),
                    ),
                    (
                        format!("给 `{}` 一个自己的：wegraf source new", token.source),
                        format!("give `{}` one of its own: wegraf source new", token.source),
                    ),
                );
            }
        }
        if let Some(listen) = open
            && let Some(token) = tokens.iter().find(|token| token.shown)
        {
            self.found.note(
                token.place,
                (
                    format!("`{}` 在地址里，而 `{listen}` 是明文 HTTP：途中和代理的日志里都看得到", token.path),
                    format!("`{}` is a part of the address, and `{listen}` is plain HTTP: the network and the logs of proxies see it", token.path),
                ),
                (
                    "在前面放一个 HTTPS 反向代理并让它不记参数，或只听 127.0.0.1",
                    "put an HTTPS proxy in front that does not log the query, or listen on 127.0.0.1 only",
                ),
            );
        }
    }

    fn strength(&mut self, token: &Token, local: bool) {
        let text = token.text.expose_secret();
        let least = match (token.shown, local) {
            (true, _) => SHOWN,
            (false, false) => OPEN,
            (false, true) => LOCAL,
        };
        let length = text.chars().count();
        let different = text.chars().collect::<BTreeSet<char>>().len();
        let reason = if STAND_INS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            (
                format!("`{}` 是谁都会先试的词", token.path),
                format!("`{}` is a word that everybody tries first", token.path),
            )
        } else if length < least {
            (
                format!("`{}` 只有 {length} 个字符，容易猜中（至少 {least} 个）", token.path),
                format!("`{}` has {length} characters and is easy to guess (at least {least})", token.path),
            )
        } else if different < DIFFERENT {
            (
                format!("`{}` 只有 {different} 种字符，容易猜中", token.path),
                format!("`{}` has only {different} different characters and is easy to guess", token.path),
            )
        } else {
            return;
        };
        self.found.note(
            token.place,
            reason,
            (
                "换成随机的：openssl rand -hex 24，或用 wegraf source new",
                "take a random one: openssl rand -hex 24, or wegraf source new",
            ),
        );
    }
}
