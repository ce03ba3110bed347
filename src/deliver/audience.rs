//! The people a message may reach, so that budgets can debit each of them.
//!
//! WeCom silently drops messages above a member's limit, and counts a message to a department, a tag, `@all` or a chat
//! for each member (docs/reference/wecom.md#frequency-limits). So their members are looked up, and the lists cached. A
//! list that cannot be read delays nothing: the message may then reach [unlisted people](Reach::unseen).

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::warn;

use crate::alert::Timestamp;

/// How long a list is used: departments change daily, and WeCom asks callers not to read the directory all the time.
const KNOWN_FOR_MS: i64 = 3_600_000;
/// How long a failed look-up is not repeated: a person who grants the missing permission wants to see the effect soon.
const FAILED_FOR_MS: i64 = 600_000;
/// Longest wait for one message. A prompt alert is worth more than an exact count.
const PATIENCE: Duration = Duration::from_secs(3);
/// Above this, a message is an announcement: a debit for each member would cost more than it protects.
const MOST_USERS: usize = 20_000;
/// Names in all lists together, about 20 MB; above this, lists that no message waits for are dropped and read again
/// when needed.
const MOST_NAMES: usize = 200_000;
/// Lists in all: more groups than any configuration names.
const MOST_LISTS: usize = 2_000;
/// WeCom bars callers with too many connections (45033), and messages need theirs.
const LOOKUPS: usize = 4;

/// The people a message may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Userids in lower case, as they are compared (docs/reference/wecom.md#userids).
    pub users: BTreeSet<String>,
    /// Whether it may also reach people who are not in `users`.
    // True in doubt: too small a debit is a lost alert that both sides believe delivered, too large a one is only a
    // late alert. Such a message counts as one to every member of the app.
    pub unseen: bool,
}

/// The members of departments, tags, apps and chats, as far as they are known. Look-ups under way end with it.
#[derive(Debug)]
pub struct Audience {
    shelf: Arc<Shelf>,
    lookups: Mutex<JoinSet<()>>,
    patience: Duration,
}

/// An app, by corp and number, and a group that it may address.
type Key = (String, i64, Group);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Group {
    /// All members in the visible scope of the app.
    Everybody,
    Party(i64),
    Tag(i64),
    Chat(String),
}

/// The result of one look-up: members, and groups that are members as a whole.
#[derive(Debug, Default)]
struct Members {
    users: BTreeSet<String>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Shelf {
    /// Not tokio's mutex: nothing is awaited while it is held.
    lists: Mutex<HashMap<Key, List>>,
    places: Semaphore,
}

#[derive(Debug, Default)]
struct List {
    /// The newest list that could be read.
    members: Option<Arc<Members>>,
    /// When the last look-up began, and whether it failed.
    asked: Option<(Timestamp, bool)>,
    flight: Option<Flight>,
}

/// A look-up.
#[derive(Debug, Clone)]
struct Flight {
    began: Instant,
    /// Closes at the end of the look-up, also after a panic.
    ended: watch::Receiver<()>,
}

impl Flight {
    fn is_over(&self) -> bool {
        self.ended.has_changed().is_err()
    }
}

impl Default for Audience {
    fn default() -> Self {
        let shelf = Shelf { lists: Mutex::default(), places: Semaphore::new(LOOKUPS) };
        Self { shelf: Arc::new(shelf), lookups: Mutex::default(), patience: PATIENCE }
    }
}

impl Audience {
    /// The people whom `app` reaches with a message to `to`. Waits at most 3 s for WeCom.
    pub async fn of_members(
        &self,
        client: &wecom::Client,
        app: &wecom::App,
        to: &wecom::Recipients,
        now: Timestamp,
    ) -> Reach {
        if to.is_everybody() {
            return self.reach(client, app, BTreeSet::new(), vec![Group::Everybody], now).await;
        }
        let parties = to.parties.iter().map(|id| Group::Party(*id));
        let groups = parties.chain(to.tags.iter().map(|id| Group::Tag(*id))).collect();
        self.reach(client, app, lower(&to.users), groups, now).await
    }

    /// The people whom `app` reaches with a message into the group chat `chat`. Waits at most 3 s for WeCom.
    pub async fn of_chat(&self, client: &wecom::Client, app: &wecom::App, chat: &str, now: Timestamp) -> Reach {
        self.reach(client, app, BTreeSet::new(), vec![Group::Chat(chat.to_owned())], now).await
    }

    async fn reach(
        &self,
        client: &wecom::Client,
        app: &wecom::App,
        named: BTreeSet<String>,
        mut groups: Vec<Group>,
        now: Timestamp,
    ) -> Reach {
        let deadline = Instant::now() + self.patience;
        let mut reach = Reach { users: named.clone(), unseen: false };
        let mut met: BTreeSet<Group> = BTreeSet::new();
        // `@all` contains tags, tags contain departments: at most three rounds, each looked up concurrently.
        while !groups.is_empty() {
            groups.retain(|group| met.insert(group.clone()));
            let flights: Vec<_> = groups.iter().map(|group| self.look_up(client, app, group, now)).collect();
            let mut below = Vec::new();
            for (group, flight) in groups.into_iter().zip(flights) {
                if let Some(mut flight) = flight {
                    // A slow look-up delays messages only while it is young, not each new message for the whole
                    // patience.
                    let until = deadline.min(flight.began + self.patience);
                    // Finished or late: the cached list counts either way.
                    let _ = tokio::time::timeout_at(until, flight.ended.changed()).await;
                }
                match self.shelf.members(&key(app, group)) {
                    Some(members) => {
                        reach.users.extend(members.users.iter().cloned());
                        below.extend(members.groups.iter().cloned());
                    }
                    None => reach.unseen = true,
                }
                if reach.users.len() > MOST_USERS {
                    return Reach { users: named, unseen: true };
                }
            }
            groups = below;
        }
        reach
    }

    /// Asks WeCom, unless the answer is cached or a look-up is under way.
    fn look_up(&self, client: &wecom::Client, app: &wecom::App, group: &Group, now: Timestamp) -> Option<Flight> {
        let key = key(app, group.clone());
        let (flight, ended) = match self.shelf.board(&key, now) {
            Boarded::Known => return None,
            Boarded::UnderWay(flight) => return Some(flight),
            Boarded::New(flight, ended) => (flight, ended),
        };
        let (shelf, client, app) = (self.shelf.clone(), client.clone(), app.clone());
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        while lookups.try_join_next().is_some() {}
        // It continues after the message stopped waiting: a large department takes longer than a message should wait,
        // and a dropped look-up would start again with each message and never finish.
        lookups.spawn(async move {
            let _ended = ended;
            let _place = shelf.places.acquire().await;
            let answer = ask(&client, &app, &key.2).await;
            shelf.learn(&key, answer, now);
        });
        Some(flight)
    }
}

/// The answer to a request for a list.
enum Boarded {
    /// No look-up is needed now.
    Known,
    /// A look-up is under way.
    UnderWay(Flight),
    /// The caller must look it up, and drop the sender at the end.
    New(Flight, watch::Sender<()>),
}

impl Shelf {
    fn board(&self, key: &Key, now: Timestamp) -> Boarded {
        let mut lists = self.lists();
        let list = lists.entry(key.clone()).or_default();
        if let Some(flight) = list.flight.as_ref().filter(|flight| !flight.is_over()) {
            return Boarded::UnderWay(flight.clone());
        }
        let known = list.asked.is_some_and(|(asked, failed)| {
            // A clock that was set back ends it: it must not last for ever.
            (0..if failed { FAILED_FOR_MS } else { KNOWN_FOR_MS }).contains(&now.millis_since(asked))
        });
        if known {
            return Boarded::Known;
        }
        let (sender, ended) = watch::channel(());
        let flight = Flight { began: Instant::now(), ended };
        list.flight = Some(flight.clone());
        Boarded::New(flight, sender)
    }

    fn learn(&self, key: &Key, answer: Result<Members, String>, now: Timestamp) {
        let mut lists = self.lists();
        let list = lists.entry(key.clone()).or_default();
        list.asked = Some((now, answer.is_err()));
        match answer {
            Ok(members) => list.members = Some(Arc::new(members)),
            Err(reason) => {
                let (corp, agent, group) = key;
                let older = list.members.is_some();
                warn!(corp, agent, %group, older, %reason, "The members of a group cannot be read; budgets count with an older list, or as if anybody of the app were reached.");
            }
        }
        let names: usize = lists.values().filter_map(|list| list.members.as_ref()).map(|known| known.users.len()).sum();
        if names > MOST_NAMES || lists.len() > MOST_LISTS {
            lists.retain(|other, list| other == key || list.flight.as_ref().is_some_and(|flight| !flight.is_over()));
        }
    }

    fn members(&self, key: &Key) -> Option<Arc<Members>> {
        self.lists().get(key)?.members.clone()
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<Key, List>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One look-up. The error is for the log.
async fn ask(client: &wecom::Client, app: &wecom::App, group: &Group) -> Result<Members, String> {
    let parties = |ids: Vec<i64>| ids.into_iter().map(Group::Party);
    let asked = match group {
        Group::Party(id) => {
            client.department_members(app, *id).await.map(|users| Members { users: lower(&users), groups: Vec::new() })
        }
        Group::Tag(id) => client
            .tag_members(app, *id)
            .await
            .map(|tag| Members { users: lower(&tag.users), groups: parties(tag.parties).collect() }),
        Group::Chat(chat) => {
            client.chat(app, chat).await.map(|chat| Members { users: lower(&chat.members), groups: Vec::new() })
        }
        Group::Everybody => client.agent(app).await.map(|agent| {
            let tags = agent.tags.into_iter().map(Group::Tag);
            Members { users: lower(&agent.users), groups: parties(agent.parties).chain(tags).collect() }
        }),
    };
    let members = asked.map_err(|error| error.to_string())?;
    // Departments and tags may be empty. A chat has at least two members, and an app without any scope could not be
    // asked about.
    let inhabited = matches!(group, Group::Chat(_) | Group::Everybody);
    if inhabited && members.users.is_empty() && members.groups.is_empty() {
        return Err("WeCom names no members; look into the app's visible scope.".to_owned());
    }
    Ok(members)
}

fn key(app: &wecom::App, group: Group) -> Key {
    (app.corp_id.clone(), app.agent_id, group)
}

fn lower(userids: &[String]) -> BTreeSet<String> {
    userids.iter().map(|userid| userid.to_ascii_lowercase()).collect()
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("@all"),
            Self::Party(id) => write!(f, "department {id}"),
            Self::Tag(id) => write!(f, "tag {id}"),
            Self::Chat(chat) => write!(f, "chat {chat}"),
        }
    }
}

#[cfg(test)]
mod tests;
