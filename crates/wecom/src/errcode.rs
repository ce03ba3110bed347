//! The meaning of WeCom's error codes for a sender, and their consequences: one exhaustive table
//! (docs/reference/wecom.md#error-codes).
//!
//! Official advice is only "retry −1, investigate the rest"; the classes are ours. The table only classifies: a
//! [`Class`] tells what may be done, and the caller does it.

mod table;

use std::time::Duration;

use crate::Api;

/// How a sender reacts to a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Done; the lists of recipients that were not reached must still be read.
    Ok,
    /// A transient fault: the same bytes again, with jitter; at most three times quickly, then slowly.
    Transient,
    /// The token is stale: refresh once (single flight), the same bytes once more; if refused again, `Configuration`.
    Token,
    /// A limit: send nothing by this app or webhook for its window (a minute), longer each time it is hit again, and merge
    /// what waits.
    BackOff,
    /// This request will never be accepted: no retry of the same bytes. [`About`] tells what a changed one could
    /// repair.
    Refused,
    /// A person must repair something: hold the lane, report it by another way, probe every 5 to 15 minutes. Repeated
    /// calls with a wrong secret bar the caller's address for an hour.
    Configuration,
}

/// The subject of a rejection, which decides whether another form of the message could be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum About {
    /// WeCom itself, or the load on it.
    System,
    /// The caller's corp, app, secret, token, permissions or address.
    Account,
    /// The people, departments or tags addressed (docs/reference/wecom.md#error-codes): the fallback receiver, at once.
    Receiver,
    /// Text or links of the message (docs/reference/wecom.md#error-codes): worth one try as short plain text.
    Content,
    /// A file or picture (docs/reference/wecom.md#error-codes): upload it again, or send without.
    Media,
    /// A template card (docs/reference/wecom.md#error-codes): worth one try as plain text.
    Card,
    /// The group chat or webhook addressed (docs/reference/wecom.md#error-codes): that one route is broken, the others
    /// are not.
    Route,
}

impl About {
    /// Whether the same content as short plain text may be accepted where this was rejected.
    pub const fn worth_plain_text(self) -> bool {
        match self {
            Self::Content | Self::Media | Self::Card => true,
            Self::System | Self::Account | Self::Receiver | Self::Route => false,
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// WeCom's `errcode`.
    pub code: i64,
    /// The reaction; [`classify`] knows the exceptions that depend on the call.
    pub class: Class,
    /// Its subject.
    pub about: About,
    /// What it means, in Chinese.
    pub zh: &'static str,
    /// What it means, in English.
    pub en: &'static str,
    /// The remedy, in Chinese.
    pub remedy_zh: &'static str,
    /// The remedy, in English.
    pub remedy_en: &'static str,
}

/// The row of `code`, if the table has it.
pub fn meaning(code: i64) -> Option<&'static Meaning> {
    let rows = all();
    rows.binary_search_by_key(&code, |row| row.code).ok().map(|at| &rows[at])
}

/// The whole table, in the order of the codes.
pub fn all() -> &'static [Meaning] {
    table::ROWS
}

/// The class of `code` as the answer of `api`.
///
/// An unknown code is [`Class::Transient`]: WeCom adds codes without notice, and a lost alert is worse than a late one.
/// The caller must bound such retries (by age) and count them; [`meaning`] tells whether the code is known.
pub fn classify(api: Api, code: i64) -> Class {
    let class = meaning(code).map_or(Class::Transient, |row| row.class);
    // Without a token in the call there is none to refresh: 40001 at gettoken is a wrong secret
    // (docs/reference/wecom.md#token-errors).
    if class == Class::Token && !api.takes_token() { Class::Configuration } else { class }
}

/// How long WeCom asks to wait after `code`, if it does (docs/reference/wecom.md#pauses, #frequency-limits).
pub const fn pause(code: i64) -> Option<Duration> {
    match code {
        45033 => Some(Duration::from_secs(1)),
        45009 | 81026 => Some(Duration::from_mins(1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of docs/reference/wecom.md#error-codes by their class, written by hand and apart from the table.
    const BY_HAND: &[(Class, &[i64])] = &[
        (Class::Ok, &[0]),
        (Class::Transient, &[-1, 6000, 45033]),
        (Class::Token, &[40001, 40014, 41001, 42001]),
        (Class::BackOff, &[45009, 81026]),
        (
            Class::Configuration,
            &[
                40013, 40056, 40091, 43009, 45031, 48001, 48002, 48004, 48006, 48009, 50001, 50003, 50006, 60020,
                60031, 301_002, 301_007, 301_042, 2_000_002, 40050, 86003, 49008, 86008, 86101, 93000, 93001, 93004,
                93006, 93008, 93019, 853_000,
            ],
        ),
        (
            Class::Refused,
            &[
                41002, 41004, 41011, 43012, 48005, 50002, 60011, 60030, 701_008,
                701_099, // system, credentials, rights
                45029, 40206, // limits
                40003, 40031, 40032, 40035, 40066, 40068, 40070, 41009, 41017, 43004, 46004, 60003, 60123, 60021,
                60111, 81011, 81012, 81013, 82001, 82002, 82003, 92000, 301_021, // receivers
                40008, 40033, 40039, 40058, 40063, 40074, 40094, 45034, 40201, 40204, 41010, 41016, 41033, 44004,
                45002, 45008, 45032, 60206, 60207, 60208, 82004, 90201, 90202, 90203, 90204, 90206, 90207,
                90208, // content
                40004, 40005, 40006, 40009, 40011, 40007, 40123, 41006, 44001, 45001, 45007, 301_017,
                301_019, // media
                42014, 42015, 42016, 42017, 42018, 42019, 42020, 42027, 42028, 42029, 42030, 42031, 42033, 42035,
                42036, 42037, 42038, 42039, 42040, 42041, 42042, 42043, 42044, 42045, 42046, 42047, 42049, 42050,
                42051, 42052, 60140, 82101, 82102, // cards and updates
                86001, 86004, 86005, 86006, 86007, 86201, 86202, 86203, 86204, 86205, 86206, 86207, 86214, 86215,
                86216, 86217, 86220, 86224, 93017, 93018, // chats and webhooks
                846_605, 846_608, // bots
            ],
        ),
    ];

    #[test]
    fn every_code_has_a_row_with_its_class_and_there_is_no_other_row() {
        let mut known = 0;
        for (class, codes) in BY_HAND {
            for code in *codes {
                let row = meaning(*code).unwrap_or_else(|| panic!("{code} is missing"));
                assert_eq!(row.class, *class, "{code}");
                known += 1;
            }
        }
        assert_eq!(all().len(), known);
    }

    #[test]
    fn the_rows_are_in_order_and_every_one_speaks_both_languages() {
        assert!(all().is_sorted_by(|a, b| a.code < b.code));
        for row in all() {
            for chinese in [row.zh, row.remedy_zh] {
                assert!(chinese.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}: {chinese}", row.code);
            }
            for english in [row.en, row.remedy_en] {
                assert!(!english.is_empty() && english.is_ascii(), "{}: {english}", row.code);
            }
        }
    }

    #[test]
    fn an_invalid_credential_is_a_stale_token_at_send_and_a_wrong_secret_at_gettoken() {
        assert_eq!(classify(Api::MessageSend, 40001), Class::Token);
        assert_eq!(classify(Api::GetToken, 40001), Class::Configuration);
        assert_eq!(classify(Api::WebhookSend, 40014), Class::Configuration);
    }

    #[test]
    fn an_unknown_code_is_transient_and_is_known_to_be_unknown() {
        assert_eq!(classify(Api::MessageSend, 987_654_321), Class::Transient);
        assert_eq!(meaning(987_654_321), None);
    }

    #[test]
    fn refusals_of_content_and_cards_are_worth_plain_text_and_those_of_receivers_and_routes_are_not() {
        for code in [40058, 44004, 45002, 82004, 42045, 43012, 40007] {
            assert!(meaning(code).unwrap().about.worth_plain_text(), "{code}");
        }
        for code in [81013, 60111, 93000, 86003, 60020, 45009] {
            assert!(!meaning(code).unwrap().about.worth_plain_text(), "{code}");
        }
    }
}
