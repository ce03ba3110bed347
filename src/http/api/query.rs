//! The query of a request to the API: each key is known and is given once, each value has its form. Pure.
//!
//! A key that is not known is a mistake that would otherwise widen a question without a word, so it is refused with the
//! nearest known one.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::words;
use crate::alert::{ThreadId, Timestamp};
use crate::config::parse_duration;
use crate::words::Words;

/// Bytes of a query, and pairs in it.
const BYTES: usize = 8 * 1024;
const PAIRS: usize = 50;
/// Rows of a page, and at most.
const ROWS: usize = 50;
const MOST: usize = 200;
/// Bytes of the signature in a cursor.
const SIGNATURE: usize = 8;
/// How like a known key an unknown one is that means it.
const ALIKE: f64 = 0.7;

/// Keys that may be given more than once.
const MANY: [&str; 2] = ["label", "m"];

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bad {
    /// It is too long.
    TooLong,
    /// There is no such key.
    Unknown {
        /// The key.
        key: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// A key is given twice.
    Twice(String),
    /// A value has not the form that its key asks for.
    Value {
        /// The key.
        key: &'static str,
        /// The form.
        form: Words,
    },
}

/// A query that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The pairs of `query`, whose keys are `known`. An empty value counts as none.
    pub fn parse(query: &str, known: &[String]) -> Result<Self, Bad> {
        if query.len() > BYTES {
            return Err(Bad::TooLong);
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.iter().any(|name| *name == key) {
                return Err(Bad::Unknown { nearest: nearest(&key, known), key: shown(&key) });
            }
            if !MANY.contains(&&*key) && pairs.iter().any(|(given, _)| *given == key) {
                return Err(Bad::Twice(key.into_owned()));
            }
            if pairs.len() >= PAIRS {
                return Err(Bad::TooLong);
            }
            if !value.trim().is_empty() {
                pairs.push((key.into_owned(), value.trim().to_owned()));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == key).map(|(_, value)| value.as_str())
    }

    /// All values of `key`.
    pub fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(given, _)| given == key).map(|(_, value)| value.as_str())
    }

    /// The value of `key`, read by `read`, or the form that it must have.
    pub fn read<T>(
        &self,
        key: &'static str,
        form: Words,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Bad> {
        self.text(key).map(|text| read(text).ok_or(Bad::Value { key, form })).transpose()
    }

    /// A number.
    pub fn number(&self, key: &'static str) -> Result<Option<i64>, Bad> {
        self.read(key, words::INTEGER, |text| text.parse().ok())
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, Bad> {
        self.read(key, words::FLAG, |text| text.parse().ok())
    }

    /// A short id, with or without `#`.
    pub fn short(&self, key: &'static str) -> Result<Option<ThreadId>, Bad> {
        self.read(key, words::SHORT_ID, ThreadId::parse)
    }

    /// A time: RFC 3339 with an offset, or how long before `now`, like `24h`.
    pub fn time(&self, key: &'static str, now: Timestamp) -> Result<Option<Timestamp>, Bad> {
        let form = words::TIME;
        self.read(key, form, |text| moment(text, now))
    }

    /// Conditions `name:value`.
    pub fn pairs(&self, key: &'static str) -> Result<Vec<(String, String)>, Bad> {
        let form = words::PAIR;
        let given = self.0.iter().filter(|(known, _)| known == key);
        let pair = |text: &str| {
            let (name, value) = text.split_once(':')?;
            let pair = (name.trim().to_owned(), value.trim().to_owned());
            (!pair.0.is_empty()).then_some(pair)
        };
        given.map(|(_, text)| pair(text).ok_or(Bad::Value { key, form: form.clone() })).collect()
    }

    /// How many rows a page has: `limit`, 1 to 200.
    pub fn limit(&self) -> Result<usize, Bad> {
        let limit =
            self.read("limit", words::LIMIT, |text| text.parse().ok().filter(|limit| (1..=MOST).contains(limit)))?;
        Ok(limit.unwrap_or(ROWS))
    }

    /// A page of the list at `path`; `key` signs its cursors.
    pub fn page(&self, key: Hmac<Sha256>, path: &'static str) -> Result<Page<'_>, Bad> {
        let (limit, before) = (self.limit()?, self.cursor(key.clone(), path)?);
        Ok(Page { params: self, key, path, limit, before })
    }

    /// The row that the page before ended with: `cursor`, which is signed, so that no program can build on its content.
    pub fn cursor(&self, key: Hmac<Sha256>, path: &str) -> Result<Option<i64>, Bad> {
        let form = words::CURSOR;
        self.read("cursor", form, |text| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
            let (id, mac) = bytes.split_at_checked(8).filter(|(_, mac)| mac.len() == SIGNATURE)?;
            let id = i64::from_be_bytes(id.try_into().ok()?);
            self.signed(key, path, id).verify_truncated_left(mac).ok().map(|()| id)
        })
    }

    /// The cursor of the page behind the row `id`.
    pub fn next(&self, key: Hmac<Sha256>, path: &str, id: i64) -> String {
        let mac = self.signed(key, path, id).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([&id.to_be_bytes()[..], &mac[..SIGNATURE]].concat())
    }

    /// Over what list, what filters and what row a cursor is for.
    fn signed(&self, mut key: Hmac<Sha256>, path: &str, id: i64) -> Hmac<Sha256> {
        let mut filters: Vec<&(String, String)> =
            self.0.iter().filter(|(key, _)| !matches!(key.as_str(), "cursor" | "limit")).collect();
        filters.sort();
        key.update(format!("cursor {path} {id} {filters:?}").as_bytes());
        key
    }
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<'p> {
    params: &'p Params,
    key: Hmac<Sha256>,
    path: &'static str,
    limit: usize,
    /// The row that the page before ended with.
    pub before: Option<i64>,
}

impl Page<'_> {
    /// How many rows to read: one more than it has shows whether there is another page.
    pub const fn rows(&self) -> usize {
        self.limit + 1
    }

    /// Leaves the rows of this page, and returns the cursor of the next one, if there are more. `id`: the number of a row.
    pub fn cut<T>(self, rows: &mut Vec<T>, id: impl Fn(&T) -> i64) -> Option<String> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        rows.last().filter(|_| more).map(|row| self.params.next(self.key, self.path, id(row)))
    }
}

/// A time as it is asked for.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(ago) = parse_duration(text) {
        return i64::try_from(ago.as_millis()).ok().map(|ago| Timestamp(now.0.saturating_sub(ago)));
    }
    // A `+` that was not escaped is a space by now.
    let text: Cow<'_, str> = if text.contains(' ') { text.replace(' ', "+").into() } else { text.into() };
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}

/// The known key that is most like `key`.
fn nearest(key: &str, known: &[String]) -> Option<String> {
    let alike = known.iter().map(|name| (strsim::jaro_winkler(key, name), name));
    let best = alike.filter(|(like, _)| *like >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0));
    best.map(|(_, name)| name.clone())
}

/// A key of a stranger, as it may be shown.
fn shown(key: &str) -> String {
    key.chars().filter(|letter| !letter.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use hmac::KeyInit as _;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn known() -> Vec<String> {
        ["state", "label", "since", "limit", "cursor", "short", "open"].map(str::to_owned).into()
    }

    fn key(byte: u8) -> Hmac<Sha256> {
        Hmac::new_from_slice(&[byte]).unwrap()
    }

    fn parse(query: &str) -> Result<Params, Bad> {
        Params::parse(query, &known())
    }

    #[test]
    fn a_query_is_understood_or_refused_with_a_hint() {
        let params = parse("state=firing&label=team:db&label=a:b:c&since=24h&limit=7&short=%237K2Q&open=").unwrap();
        assert_eq!((params.text("state"), params.text("open")), (Some("firing"), None));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(params.pairs("label").unwrap(), [pair("team", "db"), pair("a", "b:c")]);
        assert_eq!(params.time("since", NOW).unwrap(), Some(NOW.plus_millis(-24 * 3_600_000)));
        assert_eq!((params.limit().unwrap(), params.short("short").unwrap()), (7, ThreadId::parse("7K2Q")));
        let unknown =
            |key: &str, nearest: Option<&str>| Bad::Unknown { key: key.into(), nearest: nearest.map(str::to_owned) };
        assert_eq!(parse("stat=firing").unwrap_err(), unknown("stat", Some("state")));
        assert_eq!(parse("zzz=1").unwrap_err(), unknown("zzz", None));
        assert_eq!(parse("state=a&state=b").unwrap_err(), Bad::Twice("state".to_owned()));
        assert_eq!(parse(&format!("state={}", "x".repeat(BYTES))).unwrap_err(), Bad::TooLong);
        for odd in ["limit=0", "limit=201", "limit=x"] {
            assert!(parse(odd).unwrap().limit().is_err(), "{odd}");
        }
        assert!(parse("label=team").unwrap().pairs("label").is_err());
        assert!(parse("since=gestern").unwrap().time("since", NOW).is_err());
        let plus = parse("since=2026-11-28T14:10:00+08:00").unwrap().time("since", NOW).unwrap();
        assert_eq!(plus, Some(Timestamp(1_795_846_200_000)));
        assert_eq!(parse("").unwrap().limit().unwrap(), ROWS);
    }

    #[test]
    fn a_cursor_is_for_one_list_with_its_filters() {
        let params = parse("state=firing&label=a:b").unwrap();
        let next = params.next(key(1), "/incidents", 70_000);
        let again = |query: &str, byte: u8, path: &str| {
            parse(&format!("{query}&cursor={next}")).unwrap().cursor(key(byte), path)
        };
        assert_eq!(again("label=a:b&limit=3&state=firing", 1, "/incidents").unwrap(), Some(70_000));
        assert!(again("state=firing&label=a:c", 1, "/incidents").is_err());
        assert!(again("state=firing&label=a:b", 1, "/alerts").is_err());
        assert!(again("state=firing&label=a:b", 2, "/incidents").is_err());
        assert!(parse("cursor=AAAA").unwrap().cursor(key(1), "/incidents").is_err());
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic_and_what_is_taken_has_known_keys(query in "\\PC{0,80}", more in "(state|label|since|limit|cursor|short)=[ -~]{0,20}") {
            for query in [&query, &more, &format!("{more}&{query}")] {
                if let Ok(params) = parse(query) {
                    prop_assert!(params.0.iter().all(|(key, value)| known().contains(key) && !value.is_empty()));
                    if let Ok(Some(at)) = params.time("since", NOW) {
                        prop_assert!(at.0 <= NOW.0 || query.contains(':'));
                    }
                    prop_assert!(params.limit().is_ok_and(|limit| (1..=MOST).contains(&limit)) || params.text("limit").is_some());
                    prop_assert!(params.cursor(key(1), "/x").map_or(true, |id| id.is_none()), "no cursor was made");
                    let _ = (params.pairs("label"), params.short("short"));
                }
            }
        }

        #[test]
        fn a_cursor_comes_back(id in any::<i64>(), state in "[a-z]{1,9}") {
            let params = parse(&format!("state={state}")).unwrap();
            let next = params.next(key(1), "/incidents", id);
            let again = parse(&format!("state={state}&cursor={next}")).unwrap();
            prop_assert_eq!(again.cursor(key(1), "/incidents").unwrap(), Some(id));
        }
    }
}
