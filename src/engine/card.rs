//! The codes by which a card that was sent can be changed: each works once (WeCom's page 94888).

use crate::alert::Timestamp;

/// WeCom accepts the code of a card for 72 h; one nearly that old is not tried, because a rejection costs a call.
pub const CODE_MS: i64 = 71 * 3_600_000;

/// The unused codes of a card: the next one to use, and an older one that was never used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// The next one; `None`: all were used, and a press of a button brings another.
    pub next: Option<Code>,
    /// An older one.
    pub spare: Option<Code>,
}

/// A code and when WeCom gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub code: String,
    /// When.
    pub at: Timestamp,
}

impl Codes {
    /// A press brings a code: it is the newest. The previous one, if unused, becomes the spare.
    #[must_use]
    pub fn pressed(self, code: Code) -> Self {
        Self { spare: self.next.or(self.spare), next: Some(code) }
    }

    /// The answer to the sending that was claimed at `claimed_at` brings a code. A press before the settlement brought
    /// a newer one, which stays the next.
    #[must_use]
    pub fn sent(self, code: Code, claimed_at: Timestamp) -> Self {
        match self.next {
            Some(pressed) if pressed.at >= claimed_at => Self { next: Some(pressed), spare: Some(code) },
            _ => Self { next: Some(code), spare: self.spare },
        }
    }

    /// A code was used. A press may have brought a newer one since the bytes with this one were written, which stays.
    #[must_use]
    pub fn spent(self, used: &str) -> Self {
        let mut left = [self.next, self.spare].into_iter().flatten().filter(|code| code.code != used);
        Self { next: left.next(), spare: left.next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, at: i64) -> Code {
        Code { code: name.to_owned(), at: Timestamp(at) }
    }

    #[test]
    fn an_unused_code_becomes_the_spare_when_a_press_brings_another() {
        let codes = Codes::default().sent(code("sent", 10), Timestamp(5)).pressed(code("press", 20));
        assert_eq!(codes, Codes { next: Some(code("press", 20)), spare: Some(code("sent", 10)) });
        assert_eq!(codes.clone().spent("press"), Codes { next: Some(code("sent", 10)), spare: None });
        assert_eq!(codes.spent("press").spent("sent"), Codes::default());
    }

    #[test]
    fn a_press_while_a_code_is_being_used_does_not_bring_the_used_one_back() {
        let codes = Codes::default().sent(code("sent", 10), Timestamp(5)).pressed(code("first", 20));
        let codes = codes.pressed(code("second", 30)).spent("first");
        assert_eq!(codes, Codes { next: Some(code("second", 30)), spare: None });
    }

    #[test]
    fn a_press_before_the_settlement_brings_the_newer_code() {
        let codes = Codes::default().pressed(code("press", 20)).sent(code("sent", 25), Timestamp(10));
        assert_eq!(codes, Codes { next: Some(code("press", 20)), spare: Some(code("sent", 25)) });
    }

    #[test]
    fn the_code_of_a_second_sending_replaces_that_of_the_first() {
        let codes = Codes::default().sent(code("first", 10), Timestamp(5)).sent(code("second", 30), Timestamp(20));
        assert_eq!(codes, Codes { next: Some(code("second", 30)), spare: None });
    }
}
