//! Acknowledgement: the steps of escalation, and who may act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::at::{At, Named};
use super::file::{self, File};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{Channel, EscalateTo, EscalationStep, Receiver, Target, To};
use crate::duty::MayAct;

/// A person needs at least a minute to answer; after a day it is another day's alert.
const AFTER: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(24));
/// Default time for which a link lets its visitors act: while a message is news to its readers.
const ACT_LINKS_USUAL: Duration = Duration::from_hours(24);
/// A message takes at least a minute to be read; after 30 days the page is gone.
const ACT_LINKS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(30 * 24));
/// Most steps of one receiver: more would not get an answer either.
const MOST_STEPS: usize = 10;

impl Resolver<'_> {
    /// The steps of the receiver called `name`.
    pub(super) fn escalation(&mut self, name: &str, receiver: &file::Receiver, file: &File) -> Vec<EscalationStep> {
        let Some((place, written)) = placed(receiver.escalate.as_ref()) else { return Vec::new() };
        if written.len() > MOST_STEPS {
            self.found.mistake(
                place,
                (format!("`escalate` 超过 {MOST_STEPS} 步"), format!("`escalate` has more than {MOST_STEPS} steps")),
                ("合并几步", "join some of them"),
            );
        }
        let mut steps: Vec<EscalationStep> = Vec::new();
        for (place, step) in written.iter().filter_map(|step| placed(Some(step))) {
            let path = format!("receivers.{name}.escalate.after");
            let after = self.duration(Some(&step.after), &path, AFTER.0..=AFTER.1);
            let to = self.escalate_to(place, step, file);
            let (Some(after), Some(to)) = (after, to) else { continue };
            if steps.last().is_some_and(|last| last.after >= after) {
                self.found.mistake(
                    step.after.place,
                    ("这一步不比上一步晚", "this step is not later than the one before"),
                    ("`after` 从触发算起，一步比一步长", "`after` counts from the beginning and grows with each step"),
                );
            }
            let only_critical = value(step.only.as_ref()) == Some(&file::Only::Critical);
            steps.push(EscalationStep { after, to, only_critical });
        }
        steps
    }

    fn escalate_to(&mut self, place: Place, step: &file::Step, file: &File) -> Option<EscalateTo> {
        let people = step.on_call.is_some() || step.users.is_some();
        let adorned = people || step.app.is_some() || step.face.is_some();
        let Some(receiver) = step.receiver.as_ref() else { return self.people(place, step, people, file) };
        if adorned {
            self.found.mistake(
                place,
                (
                    "一步要么写 `receiver`，要么写 `on_call`、`users`",
                    "a step has either `receiver`, or `on_call` and `users`",
                ),
                ("拆成两步，或把人写进那个接收者", "make two steps of it, or put the people into that receiver"),
            );
            return None;
        }
        let known = value(file.receivers.as_ref());
        self.known(receiver, known, "接收者", "receiver", "receivers").map(EscalateTo::Receiver)
    }

    fn people(&mut self, place: Place, step: &file::Step, named: bool, file: &File) -> Option<EscalateTo> {
        if !named {
            self.found.mistake(
                place,
                ("这一步没有写告诉谁", "the step does not say who is told"),
                (
                    "{ after: 10m, receiver: 名字 } 或 { after: 10m, on_call: 值班表 }",
                    "{ after: 10m, receiver: NAME } or { after: 10m, on_call: ROTA }",
                ),
            );
            return None;
        }
        let users = self.userids(step.users.as_ref(), "users");
        let on_call = self.duty(step.on_call.as_ref(), file);
        let app = self.app_of(place, step.app.as_ref(), file);
        let face = match placed(step.face.as_ref()) {
            None => Channel::App.default_face(),
            Some((place, &face)) => {
                self.face_fits(place, face, Channel::App);
                face
            }
        };
        if users.is_empty() && on_call.is_none() {
            return None;
        }
        let to = To::Members { app: app?, users, users_file: None, on_call, parties: Vec::new(), tags: Vec::new() };
        let (mention, mention_from, mention_mobiles) = (Vec::new(), Vec::new(), Vec::new());
        Some(EscalateTo::People(Target { to, face, mention, mention_from, mention_mobiles, image: false, parts: 1 }))
    }

    /// The app that is named, or the only one.
    fn app_of(&mut self, place: Place, app: Option<&At<String>>, file: &File) -> Option<String> {
        let apps = value(file.wecom.as_ref()).and_then(|wecom| value(wecom.apps.as_ref()));
        if let Some(app) = app {
            return self.known(app, apps, "应用", "app", "wecom.apps");
        }
        let names: Vec<&str> = apps.into_iter().flat_map(Named::names).collect();
        if let [only] = names[..] {
            return Some(only.to_owned());
        }
        self.found.mistake(
            place,
            ("没有写用哪个应用发给人", "it is not said which app tells the people"),
            ("加上 app: 名字，见 wecom.apps", "add app: NAME, see wecom.apps"),
        );
        None
    }

    /// How long the links in messages let their visitors act.
    pub(super) fn act_links(&mut self, act_links: Option<&At<String>>) -> Duration {
        self.duration(act_links, "act_links", ACT_LINKS.0..=ACT_LINKS.1).unwrap_or(ACT_LINKS_USUAL)
    }

    /// Who is authorised by the key `name`; `None` if it is not configured.
    pub(super) fn may_act(&mut self, name: &str, may: Option<&At<file::MayAct>>, file: &File) -> Option<MayAct> {
        let (place, written) = placed(may)?;
        let anyone = value(written.anyone.as_ref()).copied().unwrap_or_default();
        let users = self.userids(written.users.as_ref(), "users");
        let duties = value(written.on_call.as_ref()).into_iter().flatten();
        let on_call: Vec<String> = duties.filter_map(|duty| self.duty(Some(duty), file)).collect();
        let all = users.iter().any(|user| user == "@all");
        if all || anyone == (!users.is_empty() || !on_call.is_empty()) {
            self.found.mistake(
                place,
                (
                    format!("`{name}` 要么写 anyone: true，要么写 users、on_call"),
                    format!("`{name}` is either anyone: true, or users and on_call"),
                ),
                (
                    format!("例如 {name}: {{ users: [zhangsan], on_call: [dba] }}"),
                    format!("for example {name}: {{ users: [zhangsan], on_call: [dba] }}"),
                ),
            );
        }
        Some(MayAct { anyone, users, on_call })
    }

    /// The steps of escalation must not form a cycle.
    pub(super) fn escalation_ends(
        &mut self,
        receivers: &BTreeMap<String, Arc<Receiver>>,
        written: &Named<file::Receiver>,
    ) {
        let mut reported: BTreeSet<&str> = BTreeSet::new();
        for (name, _, receiver) in written.iter() {
            let Some(ring) = ring(name, receivers) else { continue };
            if ring.iter().any(|member| reported.contains(member)) {
                continue;
            }
            reported.extend(&ring);
            let place = receiver.escalate.as_ref().map(|at| at.place).unwrap_or_default();
            let ring = format!("{} → {name}", ring.join(" → "));
            self.found.mistake(
                place,
                (format!("升级绕成了圈：{ring}"), format!("the escalation goes round in a ring: {ring}")),
                ("去掉其中一步", "remove one of the steps"),
            );
        }
    }
}

/// The cycle of steps from `start` back to it, if there is one.
fn ring<'a>(start: &'a str, receivers: &'a BTreeMap<String, Arc<Receiver>>) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        let last = way[way.len() - 1];
        for step in receivers.get(last).map(|receiver| receiver.escalate.as_slice()).unwrap_or_default() {
            let EscalateTo::Receiver(next) = &step.to else { continue };
            if next == start {
                return Some(way);
            }
            if seen.insert(next.as_str()) {
                ways.push([way.as_slice(), &[next.as_str()]].concat());
            }
        }
    }
    None
}
