//! WeCom's answers about label values, and limits on asking it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};
use tracing::warn;
use wecom::{CallError, Fault, Person};

use crate::alert::Timestamp;

/// How long a found member is used: people do not change their userid.
const KNOWN_FOR_MS: i64 = DAY_MS;
/// How long a value counts as unknown: a person who adds the member wants to see it work the same day.
const UNKNOWN_FOR_MS: i64 = 6 * 3_600_000;
/// How long a failed look-up is not repeated: a permission may be granted, a network recover.
const FAILED_FOR_MS: i64 = 600_000;
/// Unsuccessful look-ups a day: a label that does not name people (`instance`) has thousands of values.
const MEMBERS_IN_VAIN: u32 = 200;
/// Mail addresses and mobile numbers among them. WeCom tolerates five wrong ones from a corp of 25 people.
const LOOKUPS_IN_VAIN: u32 = 5;
/// Answers that are kept, and values that were reported; above this, both are cleared.
const BOOK_ENTRIES: usize = 10_000;
/// Digits of the shortest mobile number; shorter values are usually other numbers.
const MOBILE_DIGITS: usize = 7;
const DAY_MS: i64 = 86_400_000;
/// No member of that userid in the visible scope, or an invalid userid.
const NO_MEMBER: [i64; 2] = [60111, 40003];

/// An app, by corp and number, and a value.
pub(super) type Key = (String, i64, String);

/// The answers, by app and value.
#[derive(Debug)]
pub(super) struct Book {
    /// Not tokio's mutex: nothing is awaited while it is held.
    pages: Mutex<Pages>,
    /// One look-up at a time: those in flight count as unsuccessful.
    pub place: Semaphore,
}

impl Default for Book {
    fn default() -> Self {
        Self { pages: Mutex::default(), place: Semaphore::new(1) }
    }
}

#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Each with the time until which it is valid.
    answers: HashMap<Key, (Answer, Timestamp)>,
    /// Closes at the end of the look-up, also after a panic.
    pub flights: HashMap<Key, watch::Receiver<()>>,
    /// By corp: the day, and how many look-ups of that day found no member.
    vain: HashMap<String, Vain>,
    /// Values that were reported to an operator.
    told: HashSet<String>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Vain {
    day: i64,
    members: u32,
    lookups: u32,
}

/// The member that a value stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// This member.
    Known(String),
    /// No member.
    Unknown,
    /// Not answered yet, or WeCom could not be asked.
    NotYet,
}

impl Book {
    /// The member whose userid, mail address or mobile number `value` is. Beyond the day's limit WeCom is not asked.
    pub async fn ask(
        &self,
        client: &wecom::Client,
        app: &wecom::App,
        value: &str,
        now: Timestamp,
    ) -> Result<Answer, CallError> {
        let spent = self.pages().spent(&app.corp_id, now);
        if spent.members >= MEMBERS_IN_VAIN {
            return Ok(Answer::NotYet);
        }
        if wecom::is_userid(value) {
            match client.member(app, value).await {
                Ok(member) => return Ok(Answer::Known(member.userid)),
                Err(error) if error.failure().errcode().is_some_and(|code| NO_MEMBER.contains(&code)) => {}
                Err(error) => return Err(error),
            }
        }
        let person = if value.contains('@') {
            Some(Person::CorpMail(value.to_owned()))
        } else {
            is_mobile(value).then(|| Person::Mobile(value.to_owned()))
        };
        let found = match &person {
            Some(_) if spent.lookups >= LOOKUPS_IN_VAIN => return Ok(Answer::NotYet),
            Some(person) => client.find_userid(app, person).await?,
            None => None,
        };
        if let Some(user) = found {
            return Ok(Answer::Known(user));
        }
        self.pages().in_vain(&app.corp_id, person.is_some(), now);
        Ok(Answer::Unknown)
    }

    pub fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    pub fn answer(&self, key: &Key, now: Timestamp) -> Option<Answer> {
        let (answer, until) = self.answers.get(key)?;
        // A clock that was set back ends it: it must not last for ever.
        let left = until.millis_since(now);
        (1..=KNOWN_FOR_MS).contains(&left).then(|| answer.clone())
    }

    pub fn learn(&mut self, key: &Key, answer: Result<Answer, CallError>, now: Timestamp) {
        let (answer, believed) = match answer {
            Ok(known @ Answer::Known(_)) => (known, KNOWN_FOR_MS),
            Ok(other) => (other, UNKNOWN_FOR_MS),
            Err(error) => {
                let failure = error.failure();
                warn!(error = %failure.en(), "An owner could not be looked up; no one is mentioned for it.");
                let spent = failure.fault == Fault::LookupBudget;
                (Answer::NotYet, if spent { UNKNOWN_FOR_MS } else { FAILED_FOR_MS })
            }
        };
        self.flights.remove(key);
        if self.answers.len() >= BOOK_ENTRIES {
            self.answers.clear();
        }
        self.answers.insert(key.clone(), (answer, now.plus_millis(believed)));
    }

    fn spent(&mut self, corp_id: &str, now: Timestamp) -> Vain {
        let day = now.0.div_euclid(DAY_MS);
        let vain = self.vain.entry(corp_id.to_owned()).or_default();
        if vain.day != day {
            *vain = Vain { day, ..Vain::default() };
        }
        *vain
    }

    fn in_vain(&mut self, corp_id: &str, looked_up: bool, now: Timestamp) {
        let spent = self.spent(corp_id, now);
        let lookups = spent.lookups + u32::from(looked_up);
        self.vain.insert(corp_id.to_owned(), Vain { members: spent.members + 1, lookups, ..spent });
    }

    /// Should an unknown `value` be reported to an operator? True once for each.
    pub fn tell(&mut self, value: &str) -> bool {
        if self.told.len() >= BOOK_ENTRIES {
            self.told.clear();
        }
        self.told.insert(value.to_owned())
    }
}

/// Digits with an optional `+`, as many as a mobile number has.
pub(super) fn is_mobile(value: &str) -> bool {
    let digits = value.strip_prefix('+').unwrap_or(value);
    (MOBILE_DIGITS..=31).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn an_answer_is_cached_for_a_day_and_an_unknown_member_for_hours() {
        let key = |value: &str| ("ww1".to_owned(), 1, value.to_owned());
        let mut pages = Pages::default();
        pages.learn(&key("a"), Ok(Answer::Known("A".to_owned())), NOW);
        pages.learn(&key("b"), Ok(Answer::Unknown), NOW);
        for (value, after, answer) in [
            ("a", 0, Some(Answer::Known("A".to_owned()))),
            ("a", KNOWN_FOR_MS - 1, Some(Answer::Known("A".to_owned()))),
            ("a", KNOWN_FOR_MS, None),
            ("b", UNKNOWN_FOR_MS - 1, Some(Answer::Unknown)),
            ("b", UNKNOWN_FOR_MS, None),
            // The clock was set back.
            ("a", -1, None),
            ("c", 0, None),
        ] {
            assert_eq!(pages.answer(&key(value), NOW.plus_millis(after)), answer, "{value} {after}");
        }
    }

    #[test]
    fn unsuccessful_look_ups_are_counted_by_day_and_corp() {
        let mut pages = Pages::default();
        for looked_up in [true, false, true] {
            pages.in_vain("ww1", looked_up, NOW);
        }
        let spent = pages.spent("ww1", NOW);
        assert_eq!((spent.members, spent.lookups), (3, 2));
        assert_eq!(pages.spent("ww2", NOW).members, 0);
        assert_eq!(pages.spent("ww1", NOW.plus_millis(DAY_MS)).members, 0);
        assert!(pages.tell("bob"));
        assert!(!pages.tell("bob"));
    }

    #[test]
    fn a_mobile_number_is_digits_and_not_any_number() {
        for (value, mobile) in
            [("13800000000", true), ("+8613800000000", true), ("12345", false), ("1380000000x", false), ("", false)]
        {
            assert_eq!(is_mobile(value), mobile, "{value}");
        }
    }
}
