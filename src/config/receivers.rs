//! Receivers: names for targets, and where to turn when none gets through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::at::{At, Named};
use super::file::{self, File};
use super::finding::{Place, did_you_mean};
use super::resolve::{Global, Resolver, placed, value};
use super::{Receiver, Target};

/// An unchanged repeat is told once an hour.
const REPEAT_INTERVAL: Duration = Duration::from_hours(1);
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
            if let Some(receiver) = self.receiver(name, place, receiver, file, global) {
                receivers.insert(name.to_owned(), Arc::new(receiver));
            }
        }
        self.fallbacks(written);
        receivers
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
            // `duty.zh.j2` and `duty.markdown.j2` are special cases of the template `duty`.
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
            let Some(target) = self.target(place, target, file.wecom.as_ref().and_then(At::get)) else { continue };
            if targets.iter().any(|other| other.lane() == target.lane()) {
                self.found.mistake(
                    place,
                    (format!("接收者 `{name}` 里这个目标写了两次"), format!("receiver `{name}` has this target twice")),
                    ("删掉一个，否则每条告警发两遍", "remove one, or every alert is told twice"),
                );
            }
            targets.push(target);
        }
        Some(Receiver {
            name: name.to_owned(),
            language: value(receiver.language.as_ref()).copied().unwrap_or(global.language),
            timezone: timezone?,
            template: value(receiver.template.as_ref()).cloned(),
            targets,
            send_resolved: value(receiver.send_resolved.as_ref()).copied().unwrap_or(true),
            repeat_interval: self.duration(receiver.repeat_interval.as_ref()).unwrap_or(REPEAT_INTERVAL),
            fallback: value(receiver.fallback.as_ref()).cloned(),
        })
    }

    fn duration(&mut self, duration: Option<&At<String>>) -> Option<Duration> {
        let (place, text) = placed(duration)?;
        let parsed = parse_duration(text);
        if parsed.is_none() {
            self.found.mistake(
                place,
                (format!("`{text}` 不是时长"), format!("`{text}` is not a duration")),
                ("写成数字加单位：30s、5m、1h、1d", "write a number with a unit: 30s, 5m, 1h, 1d"),
            );
        }
        parsed
    }

    /// A fallback must be a receiver, and the way from one to the next must end.
    fn fallbacks(&mut self, receivers: &Named<file::Receiver>) {
        let next: BTreeMap<&str, &At<String>> =
            receivers.iter().filter_map(|(name, _, receiver)| Some((name, receiver.fallback.as_ref()?))).collect();
        let mut reported: Vec<&str> = Vec::new();
        for (&name, &fallback) in &next {
            self.known(fallback, Some(receivers), "接收者", "receiver", "receivers");
            self.not_yet(fallback.place, &format!("receivers.{name}.fallback"));
            let mut chain = vec![name];
            while let Some(following) = next.get(chain[chain.len() - 1]).and_then(|at| at.get()) {
                if let Some(start) = chain.iter().position(|seen| seen == following) {
                    // Every member of the ring comes by here; one of them is enough.
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

/// `90s`, `5m`, `1h30m`, `1d`; longer than nothing and at most a year.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut number = String::new();
    for letter in text.trim().chars() {
        let unit = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    let fits = number.is_empty() && (1..=365 * 86_400).contains(&seconds);
    fits.then(|| Duration::from_secs(seconds))
}
