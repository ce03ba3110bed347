//! Which refusals are logged, reported and delayed. Pure: the time comes in. Every table is bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::alert::Timestamp;
use crate::http::words;
use crate::words::Words;

/// Most log lines within a window: for one sender and reason, and for all; the rest is counted and logged in one line.
const WINDOW: Duration = Duration::from_secs(10);
const LINES_EACH: u32 = 3;
const LINES: u32 = 20;
/// Reasons that are listed in that line.
const REASONS: usize = 40;

/// This many refusals within this time are a fault. A person who repairs a configuration tries a few times; a group of
/// Grafana comes every five minutes.
const REPEATED: usize = 5;
const REPEATED_WITHIN_MS: i64 = 15 * 60_000;
/// Sources that are tracked separately: more than any configuration has.
const THEMES: usize = 500;

/// Wrong guesses that are answered at once: a person who repairs a configuration is not an attacker.
const FREE_GUESSES: u32 = 3;
/// The first delay behind these; each further guess doubles it.
const DELAY: Duration = Duration::from_millis(100);
/// Long enough that guessing is hopeless, and short enough for a sender with a deadline of 5 s.
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// Guesses are forgotten this long after the last one.
const GUESSES_FORGOTTEN: Duration = Duration::from_mins(10);
/// Senders and kinds of credentials that are tracked: some 400 KB.
const GUESSERS: usize = 4096;

/// A refusal.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The peer that was refused, as an address that is tracked separately.
    pub site: IpAddr,
    /// HTTP status.
    pub status: u16,
    /// Why.
    pub reason: &'static str,
    /// The kind of credential that was guessed.
    pub guessed: Option<&'static str>,
    /// The theme that is reported if it continues.
    pub theme: Option<Theme>,
}

/// The treatment of a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// It is logged.
    pub log: bool,
    /// How long its answer is delayed.
    pub delay: Duration,
    /// It is one of at least this many recent ones: to be reported.
    pub trouble: Option<(Theme, usize)>,
}

/// The subject of repeated refusals. A small closed set, except for the sources, which the configuration bounds: even if
/// many requests arrive, the number of alarms stays small.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Theme {
    /// Refusals of this source's requests, although it proved itself.
    Source(String),
    /// Requests that prove no source.
    Credentials,
    /// Forged or expired links to pages.
    Links,
    /// Wrong passwords of local administrators.
    Passwords,
    /// Calls of a callback that are not signed by WeCom.
    Callbacks,
    /// Orders of commands.
    Orders,
    /// Requests to unknown paths.
    Addresses,
    /// Bodies that cannot be accepted.
    Bodies,
}

impl fmt::Display for Theme {
    /// The subject of the alert; equal for the same fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(name) => write!(f, "refused/source/{name}"),
            Self::Credentials => f.write_str("refused/credentials"),
            Self::Links => f.write_str("refused/links"),
            Self::Passwords => f.write_str("refused/passwords"),
            Self::Callbacks => f.write_str("refused/callbacks"),
            Self::Orders => f.write_str("refused/orders"),
            Self::Addresses => f.write_str("refused/paths"),
            Self::Bodies => f.write_str("refused/bodies"),
        }
    }
}

impl Theme {
    /// The fault and its remedy.
    pub fn remedy(&self) -> Words {
        match self {
            Self::Source(name) => words::source_refused(name),
            Self::Credentials => words::CREDENTIALS_WRONG,
            Self::Links => words::LINKS_FORGED,
            Self::Passwords => words::PASSWORDS_WRONG,
            Self::Callbacks => words::CALLBACKS_UNSIGNED,
            Self::Orders => words::ORDERS_UNSIGNED,
            Self::Addresses => words::ADDRESSES_MISSED,
            Self::Bodies => words::BODIES_REFUSED,
        }
    }
}

/// Recent refusals.
#[derive(Debug, Default)]
pub(super) struct Book {
    window: Option<Instant>,
    lines: u32,
    lines_of: HashMap<(IpAddr, &'static str), u32>,
    left_out: BTreeMap<(u16, &'static str), u64>,
    guesses: HashMap<(IpAddr, &'static str), Guesses>,
    /// The newest refusals of each theme, at most [`REPEATED`].
    repeated: BTreeMap<Theme, VecDeque<Timestamp>>,
}

#[derive(Debug, Clone, Copy)]
struct Guesses {
    count: u32,
    last: Instant,
}

impl Book {
    /// Records a refusal.
    pub fn note(&mut self, entry: &Entry, instant: Instant, now: Timestamp) -> Noted {
        let log = self.has_a_line(entry, instant);
        let delay = entry.guessed.map_or(Duration::ZERO, |kind| self.guess(entry.site, kind, instant));
        let trouble = entry.theme.as_ref().and_then(|theme| self.repeat(theme, now));
        Noted { log, delay, trouble }
    }

    /// How many refusals were not logged, and their statuses and reasons; once for each window.
    pub fn left_out(&mut self, now: Instant) -> Option<(u64, String)> {
        if self.window.is_some_and(|begun| now.saturating_duration_since(begun) < WINDOW) {
            return None;
        }
        self.window = None;
        self.lines = 0;
        self.lines_of.clear();
        let mut which = String::new();
        for ((status, reason), count) in &self.left_out {
            let comma = if which.is_empty() { "" } else { ", " };
            write!(which, "{comma}{status} {reason} ×{count}").expect("a String takes everything");
        }
        let count = self.left_out.values().sum();
        self.left_out.clear();
        (count > 0).then_some((count, which))
    }

    /// Is this one logged? One sender does not use up the lines of all others.
    fn has_a_line(&mut self, entry: &Entry, now: Instant) -> bool {
        // What an earlier window left out is logged by [`Self::left_out`], which starts the next one.
        self.window.get_or_insert(now);
        if self.lines < LINES {
            let of_it = self.lines_of.entry((entry.site, entry.reason)).or_default();
            if *of_it < LINES_EACH {
                *of_it += 1;
                self.lines += 1;
                return true;
            }
        }
        let key = (entry.status, entry.reason);
        let key = if self.left_out.len() < REASONS || self.left_out.contains_key(&key) { key } else { (0, "other") };
        *self.left_out.entry(key).or_default() += 1;
        false
    }

    /// How long the answer to a wrong guess is delayed.
    fn guess(&mut self, site: IpAddr, kind: &'static str, now: Instant) -> Duration {
        let fresh = |guesses: &Guesses| now.saturating_duration_since(guesses.last) < GUESSES_FORGOTTEN;
        if self.guesses.len() >= GUESSERS && !self.guesses.contains_key(&(site, kind)) {
            self.guesses.retain(|_, guesses| fresh(guesses));
            // The peers with the fewest guesses are dropped first, so that a crowd of new addresses does not free an
            // old guesser.
            if self.guesses.len() >= GUESSERS {
                let least = self.guesses.iter().min_by_key(|(_, guesses)| (guesses.count, guesses.last));
                let least = least.map(|(key, _)| *key);
                least.and_then(|key| self.guesses.remove(&key));
            }
        }
        let guesses = self.guesses.entry((site, kind)).or_insert(Guesses { count: 0, last: now });
        if !fresh(guesses) {
            guesses.count = 0;
        }
        guesses.count = guesses.count.saturating_add(1);
        guesses.last = now;
        match guesses.count.checked_sub(FREE_GUESSES + 1) {
            None => Duration::ZERO,
            Some(further) => DELAY.saturating_mul(1 << further.min(10)).min(LONGEST_DELAY),
        }
    }

    /// The theme, if this is one of many refusals of it.
    fn repeat(&mut self, theme: &Theme, now: Timestamp) -> Option<(Theme, usize)> {
        if !self.repeated.contains_key(theme) && self.repeated.len() >= THEMES {
            return None;
        }
        let newest = self.repeated.entry(theme.clone()).or_default();
        newest.push_back(now);
        if newest.len() > REPEATED {
            newest.pop_front();
        }
        let first = newest.front().copied().filter(|_| newest.len() == REPEATED)?;
        (now.millis_since(first) < REPEATED_WITHIN_MS).then(|| (theme.clone(), REPEATED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn entry(site: u8, reason: &'static str, guessed: Option<&'static str>) -> Entry {
        Entry { site: [10, 0, 0, site].into(), status: 401, reason, guessed, theme: Some(Theme::Credentials) }
    }

    #[test]
    fn the_log_has_a_few_lines_of_each_and_counts_the_rest() {
        let (mut book, begun) = (Book::default(), Instant::now());
        let lines = |book: &mut Book, at: Instant, site: u8, count: usize| {
            (0..count).filter(|_| book.note(&entry(site, "unknown", None), at, NOW).log).count()
        };
        assert_eq!(lines(&mut book, begun, 1, 60), 3);
        assert_eq!(lines(&mut book, begun, 2, 1), 1, "one sender does not hide another");
        let all: usize = (3..=255).map(|site| lines(&mut book, begun, site, 1)).sum();
        assert_eq!(all, 16, "together at most 20");
        assert_eq!(book.left_out(begun + WINDOW / 2), None, "not before the window is over");
        let told = book.left_out(begun + WINDOW).unwrap();
        assert_eq!(told, (57 + 253 - 16, format!("401 unknown ×{}", 57 + 253 - 16)));
        assert_eq!(book.left_out(begun + WINDOW), None, "once");
        assert_eq!(lines(&mut book, begun + WINDOW, 1, 60), 3);
    }

    #[test]
    fn guesses_are_slowed_by_sender_and_kind_and_forgotten() {
        let (mut book, begun) = (Book::default(), Instant::now());
        let delay = |book: &mut Book, site: u8, kind: &'static str, at: Instant| {
            book.note(&entry(site, "unknown", Some(kind)), at, NOW).delay.as_millis()
        };
        let delays: Vec<u128> = (0..10).map(|_| delay(&mut book, 1, "bearer", begun)).collect();
        assert_eq!(delays, [0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(delay(&mut book, 1, "basic", begun), 0, "another kind");
        assert_eq!(delay(&mut book, 2, "bearer", begun), 0, "another sender");
        assert_eq!(book.note(&entry(1, "missing", None), begun, NOW).delay, Duration::ZERO, "no guess");
        let just_before = begun + GUESSES_FORGOTTEN.saturating_sub(Duration::from_secs(1));
        assert_eq!(delay(&mut book, 1, "bearer", just_before), 2000);
        assert_eq!(delay(&mut book, 1, "bearer", just_before + GUESSES_FORGOTTEN), 0);
    }

    #[test]
    fn a_crowd_of_addresses_fills_no_memory_and_frees_no_guesser() {
        let (mut book, begun) = (Book::default(), Instant::now());
        for _ in 0..10 {
            book.note(&entry(1, "unknown", Some("bearer")), begun, NOW);
        }
        for number in 0..20_000_u32 {
            let site = IpAddr::V4((0x0b00_0000 + number).into());
            let mut crowd = entry(1, "unknown", Some("bearer"));
            crowd.site = site;
            book.note(&crowd, begun, NOW);
        }
        assert!(book.guesses.len() <= GUESSERS && book.lines_of.len() <= LINES as usize);
        assert_eq!(book.note(&entry(1, "unknown", Some("bearer")), begun, NOW).delay, LONGEST_DELAY);
    }

    #[test]
    fn repeated_refusals_are_reported_and_a_few_are_not() {
        let mut book = Book::default();
        let mut at = |seconds: i64| {
            let noted = book.note(&entry(1, "unknown", None), Instant::now(), NOW.plus_millis(seconds * 1000));
            noted.trouble.is_some()
        };
        assert!(!at(0) && !at(1) && !at(2) && !at(3) && at(4) && at(5));
        let later = 3600;
        assert!(!at(later) && !at(later + 300) && !at(later + 600) && !at(later + 850), "the old ones do not count");
        assert!(at(later + 899));
    }

    #[test]
    fn themes_are_bounded() {
        let mut book = Book::default();
        for number in 0..2 * THEMES {
            let entry = Entry { theme: Some(Theme::Source(number.to_string())), ..entry(1, "too_large", None) };
            book.note(&entry, Instant::now(), NOW);
        }
        assert!(book.repeated.len() <= THEMES);
    }
}
