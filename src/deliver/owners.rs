//! Whom a message calls by name: people on duty, and owners that its alerts' labels name.
//!
//! What a label says comes from outside: only an entry of the directory, or a member whom WeCom knows, is ever
//! mentioned. WeCom is asked at most once in hours about one value, and so often a day at most: too many wrong look-ups
//! bar the corp from them (wecom-api §9.2). Whoever cannot be found in time is not mentioned; the message never waits
//! longer, and never fails.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};
use wecom::{CallError, Fault, Person};

use super::way;
use crate::alert::{Labels, Timestamp};
use crate::config::{Config, Target, To};
use crate::duty::{self, MOST_MENTIONS, Owner, holds};

/// Longest wait of one message for its owners. An alert is worth more than a name.
const PATIENCE: Duration = Duration::from_secs(2);
/// Values of labels that one message asks about at most.
const MOST_QUESTIONS: usize = 20;
/// People do not change their userid.
const KNOWN_FOR_MS: i64 = DAY_MS;
/// Somebody who is missing may be added by a person, who then wants to see it work the same day.
const UNKNOWN_FOR_MS: i64 = 6 * 3_600_000;
/// A right that is missing is granted by a person; a network comes back by itself.
const FAILED_FOR_MS: i64 = 600_000;
/// Values about which WeCom is asked in vain a day: a label that names no people (`instance`) has thousands.
const MEMBERS_IN_VAIN: u32 = 200;
/// Mail addresses and numbers among them. A corp of 25 people may be wrong five times before WeCom minds.
const LOOKUPS_IN_VAIN: u32 = 5;
/// Answers that are kept, and values that were told of; above, the book starts anew.
const BOOK_ENTRIES: usize = 10_000;
/// Digits of the shortest mobile number; shorter ones are rather numbers of something.
const MOBILE_DIGITS: usize = 7;
const DAY_MS: i64 = 86_400_000;
/// No member of that userid in the visible scope, and a userid that cannot be one.
const NO_MEMBER: [i64; 2] = [60111, 40003];

/// Who the values of labels are, as far as WeCom was asked. Look-ups under way end with it.
#[derive(Debug)]
pub struct Owners {
    book: Arc<Book>,
    lookups: Mutex<JoinSet<()>>,
}

/// An app, by corp and number, and a value.
type Key = (String, i64, String);

#[derive(Debug)]
struct Book {
    /// Not tokio's mutex: nothing is awaited while it is held.
    pages: Mutex<Pages>,
    /// One look-up at a time: those under way count as wrong.
    place: Semaphore,
}

#[derive(Debug, Default)]
struct Pages {
    /// Each with the time until which it is believed.
    answers: HashMap<Key, (Answer, Timestamp)>,
    /// Closes when the look-up ends, however it ends.
    flights: HashMap<Key, watch::Receiver<()>>,
    /// The day, and the values of it that WeCom did not know, by corp.
    vain: HashMap<String, Vain>,
    /// Values that an operator was told of.
    told: HashSet<String>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Vain {
    day: i64,
    members: u32,
    lookups: u32,
}

impl Default for Owners {
    fn default() -> Self {
        let book = Book { pages: Mutex::default(), place: Semaphore::new(1) };
        Self { book: Arc::new(book), lookups: Mutex::default() }
    }
}

impl Owners {
    /// `target` with the people who are to be called written out: those on duty at `now`, and the owners of `alerts`.
    /// Waits at most 2 s for WeCom. `unknown` is called with each value that nobody knows, once.
    pub async fn called<'a>(
        &self,
        client: &wecom::Client,
        config: &Config,
        target: &Target,
        alerts: impl Iterator<Item = &'a Labels>,
        now: Timestamp,
        unknown: impl Fn(),
    ) -> Target {
        let lists = lists(config, target, alerts, now);
        let app = app_for(config, target);
        let mut proven = HashMap::new();
        let deadline = Instant::now() + PATIENCE;
        for value in questions(&lists) {
            let found = match &app {
                Some(app) => self.prove(client, app, value, now, deadline).await,
                None => Answer::Unknown,
            };
            match found {
                Answer::Known(user) => drop(proven.insert(value.to_owned(), user)),
                Answer::Unknown if self.book.pages().tell(value) => {
                    info!(
                        ?value,
                        "Nobody is known by this value of a label; nobody is mentioned for it. Name it in `directory`."
                    );
                    unknown();
                }
                Answer::Unknown | Answer::NotYet => {}
            }
        }
        addressed(config, target, &lists, &proven, now)
    }

    /// Who `value` is, if that is known by `deadline`.
    async fn prove(
        &self,
        client: &wecom::Client,
        app: &wecom::App,
        value: &str,
        now: Timestamp,
        deadline: Instant,
    ) -> Answer {
        if !wecom::is_userid(value) && !is_mobile(value) {
            return Answer::Unknown;
        }
        let key = (app.corp_id.clone(), app.agent_id, value.to_lowercase());
        if let Some(answer) = self.book.pages().answer(&key, now) {
            return answer;
        }
        let mut ended = self.look_up(client, app, &key, value, now);
        // Over or late: what is in the book counts either way.
        let _ = tokio::time::timeout_at(deadline, ended.changed()).await;
        self.book.pages().answer(&key, now).unwrap_or(Answer::NotYet)
    }

    /// Asks WeCom, unless somebody is asking already. It goes on when the message waits no longer.
    fn look_up(
        &self,
        client: &wecom::Client,
        app: &wecom::App,
        key: &Key,
        value: &str,
        now: Timestamp,
    ) -> watch::Receiver<()> {
        let mut pages = self.book.pages();
        if let Some(flight) = pages.flights.get(key).filter(|flight| flight.has_changed().is_ok()) {
            return flight.clone();
        }
        let (sender, ended) = watch::channel(());
        pages.flights.insert(key.clone(), ended.clone());
        drop(pages);
        let (book, client, app) = (self.book.clone(), client.clone(), app.clone());
        let (key, value) = (key.clone(), value.to_owned());
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        while lookups.try_join_next().is_some() {}
        lookups.spawn(async move {
            let _ended = sender;
            let _place = book.place.acquire().await;
            let answer = book.ask(&client, &app, &value, now).await;
            book.pages().learn(&key, answer, now);
        });
        ended
    }
}

/// Who a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// This member.
    Known(String),
    /// Nobody.
    Unknown,
    /// WeCom has not said, or could not be asked.
    NotYet,
}

impl Book {
    /// The member whose userid, mail address or mobile number `value` is. Nobody is asked beyond the day's allowance.
    async fn ask(
        &self,
        client: &wecom::Client,
        app: &wecom::App,
        value: &str,
        now: Timestamp,
    ) -> Result<Option<String>, CallError> {
        let spent = self.pages().spent(&app.corp_id, now);
        if spent.members >= MEMBERS_IN_VAIN {
            return Ok(None);
        }
        if wecom::is_userid(value) {
            match client.member(app, value).await {
                Ok(member) => return Ok(Some(member.userid)),
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
            Some(person) if spent.lookups < LOOKUPS_IN_VAIN => client.find_userid(app, person).await?,
            _ => None,
        };
        if found.is_none() {
            self.pages().in_vain(&app.corp_id, person.is_some(), now);
        }
        Ok(found)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn answer(&self, key: &Key, now: Timestamp) -> Option<Answer> {
        let (answer, until) = self.answers.get(key)?;
        // A clock that was set back ends it: it must not last for ever.
        let left = until.millis_since(now);
        (1..=KNOWN_FOR_MS).contains(&left).then(|| answer.clone())
    }

    fn learn(&mut self, key: &Key, answer: Result<Option<String>, CallError>, now: Timestamp) {
        let (answer, believed) = match answer {
            Ok(Some(user)) => (Answer::Known(user), KNOWN_FOR_MS),
            Ok(None) => (Answer::Unknown, UNKNOWN_FOR_MS),
            Err(error) => {
                let failure = error.failure();
                warn!(error = %failure.en(), "An owner could not be looked up; nobody is mentioned for it.");
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

    /// Is an operator to be told that nobody knows `value`? Once.
    fn tell(&mut self, value: &str) -> bool {
        if self.told.len() >= BOOK_ENTRIES {
            self.told.clear();
        }
        self.told.insert(value.to_owned())
    }
}

/// The same without asking WeCom: what the configuration alone says.
pub fn called_by_the_book<'a>(
    config: &Config,
    target: &Target,
    alerts: impl Iterator<Item = &'a Labels>,
    now: Timestamp,
) -> Target {
    let lists = lists(config, target, alerts, now);
    addressed(config, target, &lists, &HashMap::new(), now)
}

/// For each alert the owners that its labels name.
fn lists<'a>(
    config: &Config,
    target: &Target,
    alerts: impl Iterator<Item = &'a Labels>,
    now: Timestamp,
) -> Vec<Vec<Vec<Owner>>> {
    if target.mention_from.is_empty() || !target.channel().mentions() {
        return Vec::new();
    }
    let of = |labels| duty::owners(labels, &target.mention_from, &config.directory, now, &config.rotas);
    // In the order of the alerts, the first of which matter most; many have the same owners.
    let mut seen = HashSet::new();
    alerts.map(of).filter(|of_alert| seen.insert(of_alert.clone())).collect()
}

/// The values that must be asked about: in each alert's lists up to the first that names somebody for certain.
fn questions(lists: &[Vec<Vec<Owner>>]) -> Vec<&str> {
    let mut values: Vec<&str> = Vec::new();
    for of_alert in lists {
        for list in of_alert {
            for owner in list {
                if let Owner::Unproven(value) = owner
                    && values.len() < MOST_QUESTIONS
                    && !values.contains(&value.as_str())
                {
                    values.push(value);
                }
            }
            if list.iter().any(|owner| matches!(owner, Owner::Known(_))) {
                break;
            }
        }
    }
    values
}

/// `target` with the people on duty in the place of their rotas, and with owners behind them: of each alert those of
/// the first list of which somebody is known.
fn addressed(
    config: &Config,
    target: &Target,
    lists: &[Vec<Vec<Owner>>],
    proven: &HashMap<String, String>,
    now: Timestamp,
) -> Target {
    let mut mention = config.rotas.resolve(&target.mention, now);
    let known = |owner: &Owner| match owner {
        Owner::Known(user) => Some(user.clone()),
        Owner::Unproven(value) => proven.get(value).cloned(),
    };
    let mut added = 0;
    for of_alert in lists {
        let people = of_alert.iter().map(|list| list.iter().filter_map(known).collect::<Vec<_>>());
        for person in people.into_iter().find(|people| !people.is_empty()).unwrap_or_default() {
            if added < MOST_MENTIONS && !holds(&mention, &person) {
                mention.push(person);
                added += 1;
            }
        }
    }
    Target { mention, ..target.clone() }
}

/// The app by which WeCom is asked: that of the chat, or the directory's.
fn app_for(config: &Config, target: &Target) -> Option<wecom::App> {
    let name = match &target.to {
        To::Chat { app, .. } => Some(app),
        _ => config.directory.app.as_ref(),
    };
    config.wecom.apps.get(name?).map(way::app)
}

/// Digits with an optional `+`, as many as a mobile number has.
fn is_mobile(value: &str) -> bool {
    let digits = value.strip_prefix('+').unwrap_or(value);
    (MOBILE_DIGITS..=31).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn known(user: &str) -> Owner {
        Owner::Known(user.to_owned())
    }

    fn unproven(value: &str) -> Owner {
        Owner::Unproven(value.to_owned())
    }

    fn config(mention: &str) -> (Config, Target) {
        let text = format!(
            "wecom: {{ webhooks: {{ group: {{ key: 11111111-2222 }} }} }}\nreceivers:\n  ops: {{ targets: [ {{ webhook: group, mention: [{mention}] }} ] }}\n"
        );
        let (config, _) = Config::parse(&text, std::path::Path::new("w")).unwrap();
        let target = config.receivers["ops"].targets[0].clone();
        (config, target)
    }

    #[test]
    fn of_each_alert_the_first_list_of_which_somebody_is_known_is_mentioned_and_nobody_twice() {
        let (config, target) = config("zhangsan");
        let lists = [
            vec![vec![unproven("bob"), unproven("carol")], vec![known("lisi")]],
            vec![vec![unproven("nobody")], vec![known("ZhangSan"), known("wangwu")], vec![known("boss")]],
            vec![vec![unproven("nobody")]],
        ];
        let proven = HashMap::from([("carol".to_owned(), "Carol.W".to_owned())]);
        let mention = addressed(&config, &target, &lists, &proven, NOW).mention;
        assert_eq!(mention, ["zhangsan", "Carol.W", "wangwu"]);
        let mention = addressed(&config, &target, &lists, &HashMap::new(), NOW).mention;
        assert_eq!(mention, ["zhangsan", "lisi", "wangwu"]);
        assert_eq!(questions(&lists), ["bob", "carol", "nobody"]);
        let many: Vec<Vec<Vec<Owner>>> = (0..50).map(|n| vec![vec![known(&format!("u{n}"))]]).collect();
        assert_eq!(addressed(&config, &target, &many, &HashMap::new(), NOW).mention.len(), 1 + MOST_MENTIONS);
    }

    #[test]
    fn an_answer_is_believed_for_a_day_and_that_there_is_nobody_for_hours() {
        let key = |value: &str| ("ww1".to_owned(), 1, value.to_owned());
        let mut pages = Pages::default();
        pages.learn(&key("a"), Ok(Some("A".to_owned())), NOW);
        pages.learn(&key("b"), Ok(None), NOW);
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
    fn what_is_asked_in_vain_is_counted_by_the_day_and_by_corp() {
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
