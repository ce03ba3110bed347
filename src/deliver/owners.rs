//! The people whom a message mentions by name: those on duty, and owners named by its alerts' labels.
//!
//! Label values are untrusted: only an entry of the directory, or a member confirmed by WeCom, is ever mentioned. WeCom
//! is asked about one value at most once in hours, and only so often a day: too many wrong look-ups bar the corp from
//! them (docs/reference/wecom.md#look-ups). An owner who is not found in time is not mentioned; the message never waits
//! longer, and never fails.

mod book;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::info;

use self::book::{Answer, Book, Key, is_mobile};
use super::way;
use crate::alert::{Labels, Timestamp};
use crate::config::{Config, Target, To};
use crate::duty::{self, MOST_MENTIONS, Owner, holds};

/// Longest wait of one message for its owners. A prompt alert is worth more than a name.
const PATIENCE: Duration = Duration::from_secs(2);
/// Values of labels that one message asks about at most.
const MOST_QUESTIONS: usize = 20;

/// Who the label values stand for, as far as WeCom was asked. Look-ups under way end with it.
#[derive(Debug, Default)]
pub struct Owners {
    book: Arc<Book>,
    lookups: Mutex<JoinSet<()>>,
}

impl Owners {
    /// `target` with the people to be mentioned written out: those on duty at `now`, and the owners of `alerts`. Waits
    /// at most 2 s for WeCom. `unknown` is called once for each unknown value.
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
                        "No person is known by this value of a label; no one is mentioned for it. Name it in `directory`."
                    );
                    unknown();
                }
                Answer::Unknown | Answer::NotYet => {}
            }
        }
        addressed(config, target, &lists, &proven, now)
    }

    /// The member for `value`, if known by `deadline`.
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
        // Finished or late: the cached answer counts either way.
        let _ = tokio::time::timeout_at(deadline, ended.changed()).await;
        self.book.pages().answer(&key, now).unwrap_or(Answer::NotYet)
    }

    /// Asks WeCom, unless a look-up is under way. It continues after the message stopped waiting.
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

/// The same without asking WeCom: by the configuration alone.
pub fn called_by_the_book<'a>(
    config: &Config,
    target: &Target,
    alerts: impl Iterator<Item = &'a Labels>,
    now: Timestamp,
) -> Target {
    let lists = lists(config, target, alerts, now);
    addressed(config, target, &lists, &HashMap::new(), now)
}

/// For each alert, the owners that its labels name.
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
    // In the order of the alerts, the most important first; many have the same owners.
    let mut seen = HashSet::new();
    alerts.map(of).filter(|of_alert| seen.insert(of_alert.clone())).collect()
}

/// The values to be looked up: in each alert's lists up to the first list with a certain owner.
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

/// `target` with the people on duty instead of their rotas, followed by owners: for each alert those of its first list
/// with a known owner.
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

/// The app that asks WeCom: that of the chat, or the directory's.
fn app_for(config: &Config, target: &Target) -> Option<wecom::App> {
    let name = match &target.to {
        To::Chat { app, .. } => Some(app),
        _ => config.directory.app.as_ref(),
    };
    config.wecom.apps.get(name?).map(way::app)
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
    fn the_first_list_with_a_known_owner_is_mentioned_for_each_alert_and_no_one_twice() {
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
}
