//! Receivers: names for targets, and their fallbacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::at::{At, Named};
use super::file::{self, File};
use super::finding::{Place, did_you_mean};
use super::resolve::{Global, Resolver, placed, value};
use super::taught::Lists;
use super::{FallbackAfter, Receiver, Target};

/// Default interval of reminders.
const REPEAT_INTERVAL: Duration = Duration::from_hours(1);
/// Longest interval: a year.
const REPEAT_INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(365 * 24));
/// How long a message waits for its fallback by default: one with a critical alert, and any other.
pub(super) const FALLBACK_AFTER: FallbackAfter =
    FallbackAfter { critical: Duration::from_mins(2), other: Duration::from_mins(15) };
/// Shortest wait: longer than a few quick retries. Longest: when a message is given up anyway.
const FALLBACK_BOUNDS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(24));
/// The last segment of an address under `/webhook/` that cannot be a receiver's.
const RESERVED: &str = "send";

impl Resolver<'_> {
    pub(super) fn receivers(&mut self, file: &File, global: &Global<'_>) -> BTreeMap<String, Arc<Receiver>> {
        let written = value(file.receivers.as_ref());
        if file.receivers.is_none() || written.is_some_and(|named| named.0.is_empty()) {
            self.found.mistake(
                file.receivers.as_ref().map(|receivers| receivers.place).unwrap_or_default(),
                ("没有接收者：告警无处可发", "there are no receivers: alerts have nowhere to go"),
                (
                    "receivers: { ops: { targets: [ { webhook: ops-group } ] } }；或运行 wegraf init",
                    "receivers: { ops: { targets: [ { webhook: ops-group } ] } }; or run wegraf init",
                ),
            );
        }
        let Some(written) = written else { return BTreeMap::new() };
        let mut receivers = BTreeMap::new();
        for (name, place, receiver) in written.iter() {
            self.name(place, name);
            self.reserved(place, name);
            if let Some(receiver) = self.receiver(name, place, receiver, file, global) {
                receivers.insert(name.to_owned(), Arc::new(receiver));
            }
        }
        self.fallbacks(written);
        self.escalation_ends(&receivers, written);
        receivers
    }

    /// `/webhook/send` is the address of another program, whose senders may call it.
    fn reserved(&mut self, place: Place, name: &str) {
        if name == RESERVED {
            self.found.mistake(
                place,
                (
                    format!("接收者不能叫 `{RESERVED}`：/webhook/{RESERVED} 另有用处"),
                    format!("a receiver cannot be called `{RESERVED}`: /webhook/{RESERVED} means something else"),
                ),
                ("换一个名字", "choose another name"),
            );
        }
    }

    fn receiver(
        &mut self,
        name: &str,
        place: Place,
        receiver: &file::Receiver,
        file: &File,
        global: &Global<'_>,
    ) -> Option<Receiver> {
        let timezone = match receiver.timezone {
            Some(_) => self.timezone(receiver.timezone.as_ref()),
            None => global.timezone.clone(),
        };
        if let Some((place, template)) = placed(receiver.template.as_ref()) {
            // `duty.zh.j2` and `duty.markdown.j2` are variants of the template `duty`.
            let short = |name: &'_ str| name.split('.').next().unwrap_or_default().to_owned();
            let known: BTreeSet<String> = global.templates.iter().map(|file| short(&file.name)).collect();
            if !known.contains(template) {
                self.found.mistake(
                    place,
                    (format!("没有模板 `{template}`"), format!("there is no template `{template}`")),
                    did_you_mean(template, known.iter().map(String::as_str)),
                );
            }
        }
        let written = receiver.targets.get();
        if written.is_some_and(Vec::is_empty) {
            self.found.mistake(
                place,
                (format!("接收者 `{name}` 没有目标"), format!("receiver `{name}` has no targets")),
                ("在 targets 下至少写一个", "write at least one below targets"),
            );
        }
        let mut targets: Vec<Target> = Vec::new();
        for (place, target) in written.into_iter().flatten().filter_map(|target| placed(Some(target))) {
            let Some(mut made) = self.target(place, target, file) else { continue };
            let twin = self.twin(target, &mut made);
            for target in std::iter::once(made).chain(twin) {
                if targets.iter().any(|other| other.lane() == target.lane()) {
                    self.found.mistake(
                        place,
                        (
                            format!("接收者 `{name}` 里这个目标写了两次"),
                            format!("receiver `{name}` has this target twice"),
                        ),
                        ("删掉一个，否则每条告警发两遍", "remove one, or every alert is told twice"),
                    );
                }
                targets.push(target);
            }
        }
        self.mention_owners(receiver, &mut targets);
        let lists = Lists {
            object: receiver.object.as_ref(),
            place: receiver.place.as_ref(),
            hidden: receiver.hidden.as_ref(),
        };
        let taught = self.taught(&format!("receivers.{name}"), lists);
        let repeat_interval = self.duration(
            receiver.repeat_interval.as_ref(),
            &format!("receivers.{name}.repeat_interval"),
            REPEAT_INTERVALS.0..=REPEAT_INTERVALS.1,
        );
        Some(Receiver {
            name: name.to_owned(),
            language: value(receiver.language.as_ref()).copied().unwrap_or(global.language),
            timezone: timezone?,
            template: value(receiver.template.as_ref()).cloned(),
            targets,
            send_resolved: value(receiver.send_resolved.as_ref()).copied().unwrap_or(true),
            repeat_interval: repeat_interval.unwrap_or(REPEAT_INTERVAL),
            fallback: value(receiver.fallback.as_ref()).cloned(),
            fallback_after: self.fallback_after(name, receiver),
            escalate: self.escalation(name, receiver, file),
            taught,
            may_act: self.may_act("may_act", receiver.may_act.as_ref(), file).or_else(|| self.may_act.clone()),
        })
    }

    /// How long its messages may wait before the fallback is told.
    fn fallback_after(&mut self, name: &str, receiver: &file::Receiver) -> FallbackAfter {
        let written = placed(receiver.fallback_after.as_ref());
        if let Some((place, _)) = written
            && receiver.fallback.is_none()
        {
            self.found.mistake(
                place,
                (
                    format!("接收者 `{name}` 有 fallback_after，却没有 fallback"),
                    format!("receiver `{name}` has fallback_after, but no fallback"),
                ),
                ("加上 fallback，或删掉这一行", "add a fallback, or remove this line"),
            );
        }
        let mut after = |key: &str, value: Option<&At<String>>, default: Duration| {
            let path = format!("receivers.{name}.fallback_after.{key}");
            self.duration(value, &path, FALLBACK_BOUNDS.0..=FALLBACK_BOUNDS.1).unwrap_or(default)
        };
        let written = written.map(|(_, written)| written);
        FallbackAfter {
            critical: after("critical", written.and_then(|after| after.critical.as_ref()), FALLBACK_AFTER.critical),
            other: after("other", written.and_then(|after| after.other.as_ref()), FALLBACK_AFTER.other),
        }
    }

    /// A receiver's owner labels apply to those of its targets that can mention and have none of their own.
    fn mention_owners(&mut self, receiver: &file::Receiver, targets: &mut [Target]) {
        let Some(written) = receiver.mention_from.as_ref() else { return };
        let labels = self.label_names(Some(written));
        let mut able = targets.iter_mut().filter(|target| target.channel().mentions()).peekable();
        if able.peek().is_none() {
            self.found.mistake(
                written.place,
                ("这个接收者的目标都不能 @ 人", "none of this receiver's targets can mention anybody"),
                ("只有群聊和 webhook 能 @ 人", "only chats and webhooks can mention"),
            );
        }
        for target in able.filter(|target| target.mention_from.is_empty()) {
            target.mention_from.clone_from(&labels);
        }
    }

    /// Lists the receivers that only get alerts by their own address, `/webhook/NAME`: often a name in a route is
    /// misspelled.
    pub(super) fn note_unused(&mut self, file: &File) {
        let Some(receivers) = value(file.receivers.as_ref()) else { return };
        let Some(root) = value(file.route.as_ref()) else { return };
        let mut used: BTreeSet<&String> = root.receiver.get().into_iter().collect();
        let mut routes: Vec<&At<file::Route>> = value(root.routes.as_ref()).into_iter().flatten().collect();
        while let Some(at) = routes.pop() {
            let Some(route) = at.get() else { continue };
            used.extend(value(route.receiver.as_ref()));
            routes.extend(value(route.routes.as_ref()).into_iter().flatten());
        }
        for (_, _, receiver) in receivers.iter() {
            used.extend(value(receiver.fallback.as_ref()));
            let steps = value(receiver.escalate.as_ref()).into_iter().flatten().filter_map(At::get);
            used.extend(steps.filter_map(|step| value(step.receiver.as_ref())));
        }
        used.extend(value(file.alarm.as_ref()).and_then(|alarm| alarm.receiver.get()));
        for (_, _, source) in value(file.sources.as_ref()).into_iter().flat_map(Named::iter) {
            used.extend(value(source.receivers.as_ref()).into_iter().flatten().filter_map(At::get));
            used.extend(super::dropins::named(source));
        }
        for (name, place, _) in receivers.iter().filter(|(name, ..)| !used.iter().any(|used| used == name)) {
            self.found.note(
                place,
                (
                    format!("接收者 `{name}` 没有人用：没有路由、fallback、升级或 alarm 指向它"),
                    format!("receiver `{name}` is not used: no route, fallback, escalation or alarm names it"),
                ),
                (
                    format!("加到 route 里，或删掉；只用 /webhook/{name} 投递的话，写进来源的 receivers"),
                    format!("add it to route, or remove it; if senders post to /webhook/{name}, name it in the receivers of their source"),
                ),
            );
        }
    }

    /// A fallback must be a receiver, and fallbacks must not form a cycle.
    fn fallbacks(&mut self, receivers: &Named<file::Receiver>) {
        let next: BTreeMap<&str, &At<String>> =
            receivers.iter().filter_map(|(name, _, receiver)| Some((name, receiver.fallback.as_ref()?))).collect();
        let mut reported: Vec<&str> = Vec::new();
        for (&name, &fallback) in &next {
            self.known(fallback, Some(receivers), "接收者", "receiver", "receivers");
            let mut chain = vec![name];
            while let Some(following) = next.get(chain[chain.len() - 1]).and_then(|at| at.get()) {
                if let Some(start) = chain.iter().position(|seen| seen == following) {
                    // Each member of the cycle is visited; one report is enough.
                    if start == 0 && !reported.contains(&name) {
                        let ring = format!("{} → {name}", chain.join(" → "));
                        self.found.mistake(
                            fallback.place,
                            (format!("fallback 绕成了圈：{ring}"), format!("the fallbacks go round in a ring: {ring}")),
                            ("最后一个接收者不要写 fallback", "give the last receiver no fallback"),
                        );
                        reported.extend(&chain);
                    }
                    break;
                }
                chain.push(following);
            }
        }
    }
}
