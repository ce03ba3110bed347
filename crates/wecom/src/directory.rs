//! Look-ups in the corp's directory: the app itself, members, and the owner of a mobile number or mail address.
//!
//! The last has a limit: after too many unsuccessful look-ups (about a fifth of the corp's head-count), WeCom bars the
//! corp from that API for a day (docs/reference/wecom.md#look-ups). So known answers are cached for long, unknown ones
//! for hours, and after a few unknown ones a day no more requests are made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::errcode::Class;
use crate::http::Request;
use crate::outcome::{CallError, Failure, Fault};
use crate::send::json;
use crate::text::Text;
use crate::{Api, App, Client};

/// WeCom tolerates five unsuccessful look-ups by a corp of 25 people.
const UNKNOWN_PER_DAY: u32 = 5;
const KNOWN_FOR: i64 = 7 * DAY;
const UNKNOWN_FOR: i64 = 6 * 3_600_000;
/// More people than alerts are routed to by number; above this, the book is cleared.
const BOOK_ENTRIES: usize = 10_000;
const DAY: i64 = 86_400_000;
/// WeCom's days begin at midnight in China (docs/reference/wecom.md#frequency-limits).
const CHINA: i64 = 8 * 3_600_000;
const UNKNOWN_MEMBER: i64 = 46004;

/// The data of an app and its visible scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Whether an administrator disabled it.
    pub closed: bool,
    /// Userids in its visible scope.
    pub users: Vec<String>,
    /// Departments in its visible scope; 1 is the root, which group chats need (docs/reference/wecom.md#app-chats).
    pub parties: Vec<i64>,
    /// Tags in its visible scope.
    pub tags: Vec<i64>,
}

/// The data of a member that ordinary apps may see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// Userid as WeCom writes it.
    pub userid: String,
    /// Name.
    #[serde(default)]
    pub name: String,
    /// 1 active, 2 disabled, 4 not activated, 5 left.
    #[serde(default)]
    pub status: i64,
    /// Departments.
    #[serde(default)]
    pub department: Vec<i64>,
}

/// A person whose userid is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Person {
    /// By mobile number, 5 to 32 bytes.
    Mobile(String),
    /// By the address of the corp's mail.
    CorpMail(String),
    /// By a private e-mail address.
    PrivateMail(String),
}

impl Client {
    /// The data of the app: verifies secret, trusted IP and agent id at once (docs/reference/wecom.md#app-check).
    pub async fn agent(&self, app: &App) -> Result<Agent, CallError> {
        let request = Request::get(Api::AgentGet, [("agentid", app.agent_id.to_string())]);
        self.call_app::<AgentReply>(app, &request).await.map(Agent::from)
    }

    /// The data of a member; 60111 if there is none within the visible scope.
    pub async fn member(&self, app: &App, userid: &str) -> Result<Member, CallError> {
        self.call_app(app, &Request::get(Api::UserGet, [("userid", userid.to_owned())])).await
    }

    /// The userid of a person, `None` if there is no such member in the visible scope. Calls WeCom only within a small
    /// daily allowance of unknown ones; when that is spent, [`Fault::LookupBudget`]. Make look-ups one after the other:
    /// those in flight count as unknown.
    pub async fn find_userid(&self, app: &App, person: &Person) -> Result<Option<String>, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            userid: String,
        }
        let request = lookup(person).map_err(CallError::NotDone)?;
        let key = (self.token_key(app), person.clone());
        if let Entry::Known(answer) = self.book().consult(&key, &app.corp_id, request.api, self.now())? {
            return Ok(answer);
        }
        let answer = match self.call_app::<Reply>(app, &request).await {
            Ok(reply) => Some(reply.userid),
            Err(error) if error.failure().errcode() == Some(UNKNOWN_MEMBER) => None,
            Err(error) => {
                // It counts as unsuccessful only if WeCom may have made the look-up.
                if let CallError::NotDone(_) = error {
                    self.book().refund(&app.corp_id);
                }
                return Err(error);
            }
        };
        self.book().learn(key, &app.corp_id, answer.clone(), self.now());
        Ok(answer)
    }
}

#[derive(Deserialize)]
struct AgentReply {
    #[serde(default)]
    name: String,
    #[serde(default)]
    close: i64,
    #[serde(default)]
    allow_userinfos: Users,
    #[serde(default)]
    allow_partys: Parties,
    #[serde(default)]
    allow_tags: Tags,
}

#[derive(Default, Deserialize)]
struct Users {
    #[serde(default)]
    user: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    userid: String,
}

#[derive(Default, Deserialize)]
struct Parties {
    #[serde(default)]
    partyid: Vec<i64>,
}

#[derive(Default, Deserialize)]
struct Tags {
    #[serde(default)]
    tagid: Vec<i64>,
}

impl From<AgentReply> for Agent {
    fn from(reply: AgentReply) -> Self {
        Self {
            name: reply.name,
            closed: reply.close != 0,
            users: reply.allow_userinfos.user.into_iter().map(|user| user.userid).collect(),
            parties: reply.allow_partys.partyid,
            tags: reply.allow_tags.tagid,
        }
    }
}

fn lookup(person: &Person) -> Result<Request, Failure> {
    #[derive(Serialize)]
    struct Mobile<'a> {
        mobile: &'a str,
    }
    #[derive(Serialize)]
    struct Mail<'a> {
        email: &'a str,
        email_type: u8,
    }
    let mail = |email: &str, email_type| {
        if email.contains('@') {
            Ok(Request::post(Api::UserByEmail, json(&Mail { email, email_type })))
        } else {
            Err(Failure::invalid(Api::UserByEmail, &Text::new("不是邮箱地址", "not an e-mail address")))
        }
    };
    match person {
        Person::Mobile(mobile) if (5..=32).contains(&mobile.len()) => {
            Ok(Request::post(Api::UserByMobile, json(&Mobile { mobile })))
        }
        Person::Mobile(_) => Err(Failure::invalid(Api::UserByMobile, &Text::new("不是手机号", "not a mobile number"))),
        Person::CorpMail(email) => mail(email, 1),
        Person::PrivateMail(email) => mail(email, 2),
    }
}

type Key = (String, Person);

/// Look-ups, and the number of unsuccessful ones.
#[derive(Default)]
pub(crate) struct Book(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    /// The userid, or that there is none, and until when that is valid.
    answers: HashMap<Key, (Option<String>, i64)>,
    /// The day, and the unknown ones of that day, asked or being asked, by corp.
    unknown: HashMap<String, (i64, u32)>,
}

/// The book's entry for a person.
#[derive(Debug, PartialEq)]
enum Entry {
    /// This userid, or that there is none.
    Known(Option<String>),
    /// None: WeCom may be asked.
    Unknown,
}

impl Book {
    /// The cached answer. If there is none, the look-up counts as unsuccessful until it is answered.
    fn consult(&self, key: &Key, corp_id: &str, api: Api, now: i64) -> Result<Entry, CallError> {
        let mut pages = self.pages();
        if let Some((answer, until)) = pages.answers.get(key)
            && now < *until
        {
            return Ok(Entry::Known(answer.clone()));
        }
        let today = (now + CHINA).div_euclid(DAY);
        let spent = pages.unknown.entry(corp_id.to_owned()).or_default();
        if spent.0 != today {
            *spent = (today, 0);
        }
        if spent.1 >= UNKNOWN_PER_DAY {
            let failure = Failure::new(api, Class::BackOff, Fault::LookupBudget, String::new());
            let tomorrow = (today + 1) * DAY - CHINA;
            let wait = Duration::from_millis((tomorrow - now).unsigned_abs());
            return Err(CallError::NotDone(Failure { retry_after: Some(wait), ..failure }));
        }
        spent.1 += 1;
        Ok(Entry::Unknown)
    }

    /// Stores an answer; a successful look-up is no longer counted.
    fn learn(&self, key: Key, corp_id: &str, answer: Option<String>, now: i64) {
        let until = now + if answer.is_some() { KNOWN_FOR } else { UNKNOWN_FOR };
        if answer.is_some() {
            self.refund(corp_id);
        }
        let mut pages = self.pages();
        if pages.answers.len() >= BOOK_ENTRIES {
            pages.answers.clear();
        }
        pages.answers.insert(key, (answer, until));
    }

    /// Takes back the count of a look-up that was not unsuccessful.
    fn refund(&self, corp_id: &str) {
        if let Some(spent) = self.pages().unknown.get_mut(corp_id) {
            spent.1 = spent.1.saturating_sub(1);
        }
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_700_000_000_000;

    fn key(n: u32) -> Key {
        ("ww1/1/x".to_owned(), Person::Mobile(format!("1380000{n:04}")))
    }

    fn ask(book: &Book, n: u32, now: i64) -> Result<Entry, CallError> {
        book.consult(&key(n), "ww1", Api::UserByMobile, now)
    }

    #[test]
    fn after_a_few_unknown_numbers_no_more_look_ups_until_the_next_day_in_china() {
        let book = Book::default();
        for n in 0..UNKNOWN_PER_DAY {
            assert_eq!(ask(&book, n, NOON), Ok(Entry::Unknown));
            book.learn(key(n), "ww1", None, NOON);
        }
        let failure = ask(&book, 99, NOON).unwrap_err().failure().clone();
        assert_eq!((failure.fault, failure.class), (Fault::LookupBudget, Class::BackOff));
        let tomorrow = NOON + i64::try_from(failure.retry_after.unwrap().as_millis()).unwrap();
        assert_eq!((tomorrow + CHINA) % DAY, 0);
        assert!(ask(&book, 99, tomorrow - 1).is_err());
        assert_eq!(ask(&book, 99, tomorrow), Ok(Entry::Unknown));
        // Another corp has an allowance of its own.
        assert_eq!(book.consult(&key(99), "ww2", Api::UserByMobile, NOON), Ok(Entry::Unknown));
    }

    #[test]
    fn known_numbers_cost_nothing_and_are_believed_for_a_week_unknown_ones_for_hours() {
        let book = Book::default();
        for n in 0..100 {
            assert_eq!(ask(&book, n, NOON), Ok(Entry::Unknown), "{n}");
            book.learn(key(n), "ww1", Some(format!("user{n}")), NOON);
        }
        assert_eq!(ask(&book, 7, NOON + KNOWN_FOR - 1), Ok(Entry::Known(Some("user7".to_owned()))));
        assert_eq!(ask(&book, 7, NOON + KNOWN_FOR), Ok(Entry::Unknown));
        book.learn(key(7), "ww1", None, NOON);
        assert_eq!(ask(&book, 7, NOON + UNKNOWN_FOR - 1), Ok(Entry::Known(None)));
        assert_eq!(ask(&book, 7, NOON + UNKNOWN_FOR), Ok(Entry::Unknown));
    }

    #[test]
    fn questions_under_way_count_so_that_a_burst_of_unknown_numbers_is_stopped_too() {
        let book = Book::default();
        let asked = (0..100).filter(|n| ask(&book, *n, NOON).is_ok()).count();
        assert_eq!(asked, usize::try_from(UNKNOWN_PER_DAY).unwrap());
    }

    #[test]
    fn invalid_numbers_and_addresses_are_not_looked_up() {
        for person in [Person::Mobile("110".into()), Person::CorpMail("zhangsan".into())] {
            assert_eq!(lookup(&person).err().map(|failure| failure.fault), Some(Fault::Invalid), "{person:?}");
        }
    }
}
