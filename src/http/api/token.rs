//! The tokens of the API: their form, and what each may do. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::store::fresh_secret;

/// What a token begins with: scanners for secrets in repositories look for such a word.
const PREFIX: &str = "wgt_";
/// Characters of the secret, 256 bits, and of its check.
const SECRET: usize = 43;
const CHECK: usize = 6;

/// A new token: the only time that it is seen whole.
pub fn fresh() -> String {
    let secret = fresh_secret();
    format!("{PREFIX}{secret}{}", check(&secret))
}

/// Has a text the form of a token? A mistyped or cut one is told apart without the store.
pub fn is_whole(token: &str) -> bool {
    let Some(rest) = token.strip_prefix(PREFIX) else { return false };
    rest.len() == SECRET + CHECK && rest.is_ascii() && check(&rest[..SECRET]) == rest[SECRET..]
}

fn check(secret: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(secret))[..CHECK].to_owned()
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read incidents, alerts, deliveries, acts, silences and how wegraf is.
    Read,
    /// Read the exact bytes of messages, too.
    ReadRaw,
    /// Acknowledge, give back, silence and end silences.
    Act,
    /// Send again and take back.
    Resend,
    /// Read and save templates and mappings.
    Change,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::ReadRaw, Self::Act, Self::Resend, Self::Change];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadRaw => "read:raw",
            Self::Act => "act",
            Self::Resend => "resend",
            Self::Change => "change",
        }
    }

    /// The scope with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Is this a name for a token? Letters, digits, `.`, `_` and `-`; at most 40: it stands in the record as `api/NAME`.
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_a_mistyped_one() {
        let token = fresh();
        assert!(is_whole(&token) && token.len() == 53, "{token}");
        assert_ne!(token, fresh());
        for wrong in ["", "wgt_", &token[..52], &token[1..], &format!("{token}x"), &token.replacen('_', "-", 1)] {
            assert!(!is_whole(wrong), "{wrong}");
        }
        let mut other = token.into_bytes();
        other[9] = if other[9] == b'a' { b'b' } else { b'a' };
        assert!(!is_whole(&String::from_utf8(other).unwrap()));
        assert!(!is_whole(&format!("wgt_{}", "中".repeat(17))));
    }

    #[test]
    fn scopes_and_names_have_one_form() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::parse("write"), None);
        assert!(
            is_name("ci-2.prod_x") && !is_name("") && !is_name("a b") && !is_name("值班") && !is_name(&"x".repeat(41))
        );
    }
}
