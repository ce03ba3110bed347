//! Where it is: members, labels and lines of text that name a host, a service, a resource.

mod names;

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::super::lexicon::is_han;
use super::super::tree::{Member, Members, spoken};
use super::super::{field, plain};
use super::{Given, rest};
use crate::alert::Labels;
use crate::level::plain_name;
use names::ENDS;
pub(super) use names::PLACES;

/// Lines of a text that hold a set of labels.
const LABEL_LINES: &[&str] = &[
    "tags",
    "tagsjson",
    "labels",
    "dimensions",
    "commonlabels",
    "标签",
    "告警标签",
    "标签信息",
    "事件标签",
    "监控指标",
    "指标标签",
    "维度",
    "告警维度",
];
/// Lists of places.
const LISTS: &[&str] =
    &["resources", "hosts", "hostnames", "instances", "targets", "devices", "nodes", "servers", "objects"];
/// Places that hold many things.
const AREAS: &[&str] = &[
    "namespace",
    "cluster",
    "clustername",
    "region",
    "environment",
    "env",
    "site",
    "application",
    "app",
    "service",
    "servicename",
    "集群",
    "业务",
    "环境",
    "服务",
];
/// Places that are a whole of work: with nothing else to call an alert by, their name.
pub(super) const PROJECTS: &[&str] =
    &["project", "projectname", "repository", "repositoryname", "repo", "reponame", "项目", "项目名称", "仓库"];
/// What names an item of such a list.
const NAMES: [&str; 8] = ["name", "displayname", "hostname", "instancename", "resourcename", "instanceid", "id", "ip"];

/// Characters of a name before a colon in a line of text, and of a value that is a place.
const LINE_NAME: usize = 16;
const PLACE: usize = 200;
/// Lines of a text that are looked at.
const LINES: usize = 200;

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[\s>*#\-•·【\[]*([\p{Han}A-Za-z][\p{Han}A-Za-z0-9_ /]{0,31}?)[】\]*\s]*[:：]\**\s*(\S.*?)\s*$")
        .expect("constant")
});

/// A name in emphasis alone on its line.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^[\s>\-•·]*\*{1,2}([\p{Han}A-Za-z][\p{Han}A-Za-z0-9_ ]{0,31}?)\s*(?:[:：]\s*\*{1,2}|\*{1,2}\s*[:：])\s*$",
    )
    .expect("constant")
});

/// The text with each name in emphasis that is alone on its line (`*Status:*`) before its value, which is on the next.
pub(super) fn with_names(text: &str) -> Cow<'_, str> {
    if !text.contains('*') {
        return Cow::Borrowed(text);
    }
    let mut lines = text.lines().peekable();
    let mut out: Vec<Cow<'_, str>> = Vec::new();
    while let Some(line) = lines.next() {
        let follows = |next: &&str| !next.trim().is_empty() && pair(next).is_none() && !NAME.is_match(next);
        match NAME.captures(line).and_then(|found| Some((found, lines.next_if(follows)?))) {
            Some((found, value)) => out.push(format!("{}: {}", &found[1], value.trim()).into()),
            None => out.push(line.into()),
        }
    }
    out.join("\n").into()
}

/// A name in Han with its colon, behind a blank, a comma or a bracket: `集群: group_16 实例: set_1 当前值: 120`.
static WITHIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|[\s，,；;|】\])）])(\p{Han}[\p{Han}A-Za-z0-9]{1,9})\s*[:：]").expect("constant"));

/// The text with each pair of a line that holds several on a line of its own, if what they are called is known.
pub(super) fn unfolded(text: &str) -> Cow<'_, str> {
    const PAIRS: usize = 3;
    const FEW: usize = 2;
    let is_known = |name: &str| {
        let plain = plain_name(name);
        PLACES.contains(&plain.as_str())
            || super::state::LINES.contains(&plain.as_str())
            || crate::level::NAMES.contains(&plain.as_str())
            || super::when::names_moment(&plain)
            || super::measured::is_measure(&plain)
            || super::when::is_start(&plain)
    };
    let mut changed = false;
    let lines = text.lines().take(LINES).map(|line| {
        let names: Vec<_> = WITHIN.captures_iter(line).filter_map(|found| found.get(2)).collect();
        let known = names.iter().filter(|name| is_known(name.as_str())).count();
        let is_folded = names.len() >= PAIRS && known + 1 >= PAIRS || names.len() == FEW && known == FEW;
        if !is_folded || line.len() > 1024 {
            return Cow::Borrowed(line);
        }
        changed = true;
        let mut out = String::with_capacity(line.len() + names.len());
        let mut from = 0;
        for name in names.iter().filter(|name| name.start() > 0) {
            out.push_str(line[from..name.start()].trim_end_matches([' ', '，', ',', '；', ';', '|']));
            out.push('\n');
            from = name.start();
        }
        out.push_str(&line[from..]);
        Cow::Owned(out.trim_start().to_owned())
    });
    let lines: Vec<Cow<'_, str>> = lines.collect();
    let rest = text.lines().skip(LINES).map(Cow::Borrowed);
    if changed { lines.into_iter().chain(rest).collect::<Vec<_>>().join("\n").into() } else { Cow::Borrowed(text) }
}

/// The lines `name: value` of a text, by plain names.
pub(super) fn lines(text: &str) -> Vec<(String, String)> {
    text.lines()
        .take(LINES)
        .filter(|line| line.len() <= 1024)
        .filter_map(|line| {
            let (name, value) = captured(line)?;
            // `阈值: > 90` is no quote.
            let value = if value.starts_with(['>', '<', '=']) { value.to_owned() } else { plain::line(value) };
            let value = plain::without_addresses(&value).0.to_owned();
            let sound = name.chars().count() <= LINE_NAME && !value.starts_with("//") && !plain::is_missing(&value);
            sound.then(|| (plain_name(name), value))
        })
        .collect()
}

/// The plain name and the value of one line that has both, however long the name is.
pub(super) fn pair(line: &str) -> Option<(String, String)> {
    let (name, value) = captured(line)?;
    let value = plain::line(value);
    (!value.starts_with("//")).then(|| (plain_name(name), value))
}

/// The name and the value of a line; the colon in a bracket (`[FIRING:1] …`) is between none.
fn captured(line: &str) -> Option<(&str, &str)> {
    let found = LINE.captures(line)?;
    let (name, value) = (found.get(1)?, found.get(2)?);
    let between = &line[name.end()..value.start()];
    let is_inside = line[..name.start()].ends_with(['[', '【']) && !between.contains([']', '】']);
    (!is_inside).then(|| (name.as_str().trim(), value.as_str()))
}

/// The labels of an alert: what the mapping gives, the label sets of the body, the places it names.
pub(super) fn labels(members: &Members<'_>, given: &Given, lines: &[(String, String)]) -> Labels {
    let mut labels = given.labels.clone();
    let is_sound = |name: &str, value: &str| {
        !name.trim().is_empty()
            && !plain::is_missing(value)
            && !plain::has_placeholder(value)
            && !field::is_private(name)
            && !rest::is_secret(std::slice::from_ref(&name.to_owned()))
            && !rest::is_personal(name, value)
    };
    // A label that the mapping gives as empty is not wanted.
    let unwanted: Vec<String> =
        labels.iter().filter(|(_, value)| value.trim().is_empty()).map(|(name, _)| name.to_string()).collect();
    labels.retain(|name, value| is_sound(name, value));
    let wanted = members.labels.iter().filter(|(name, _)| !unwanted.contains(name));
    let shown = wanted.map(|(name, value)| (name.replace('\0', "\u{2400}"), value));
    let sound = shown.filter(|(name, value)| is_sound(name, value) && value.chars().count() <= 1024);
    labels.extend_new(sound.map(|(name, value)| (name, value.replace('\0', "\u{2400}"))));
    let known = |labels: &Labels, plain: &str| labels.keys().any(|name| plain_name(name) == plain);
    // What is called in pinyin, or in another spelling, has its usual name.
    let usual = |member: &Member<'_>| {
        let is_spelt = member.plain.chars().any(is_han) && member.plain != member.name;
        if is_spelt { member.plain.clone() } else { member.name.replace('\0', "\u{2400}") }
    };
    for member in members.named(PLACES) {
        let value = if PROJECTS.contains(&member.plain.as_str()) { project(member.value) } else { named(member.value) };
        if let Some(value) = value.filter(|value| is_sound(member.name, value))
            && !known(&labels, &member.plain)
        {
            labels.insert(usual(member), value);
        }
    }
    let others = members.all.iter().filter(|member| !PLACES.contains(&member.plain.as_str()));
    for member in others.filter(|member| ENDS.iter().any(|end| member.plain.ends_with(end)) || is_display(member)) {
        if let Some(value) = named(member.value).filter(|value| is_sound(member.name, value))
            && !known(&labels, &member.plain)
        {
            labels.insert(member.name.replace('\0', "\u{2400}"), value);
        }
    }
    for member in members.named(LISTS) {
        if let Some(value) = listed(member.value).filter(|value| is_sound(member.name, value))
            && !known(&labels, &member.plain)
        {
            // A list of one is that one.
            let is_one = member.value.as_array().is_some_and(|items| items.len() == 1);
            let one =
                if member.plain == "resources" { Some("resource_name") } else { member.name.strip_suffix(['s', 'S']) };
            let one = one.filter(|one| is_one && !known(&labels, &plain_name(one)));
            labels.insert(one.unwrap_or(member.name).replace('\0', "\u{2400}"), value);
        }
    }
    for (_, value) in lines.iter().filter(|(name, _)| LABEL_LINES.contains(&name.as_str())) {
        let found = super::super::tree::labels_of_line(value).unwrap_or_default().into_iter();
        let found = found.filter(|(name, value)| is_sound(name, value) && value.chars().count() <= 1024);
        let found = found.take(super::super::tree::LABELS.saturating_sub(labels.len()));
        labels.extend_new(found.map(|(name, value)| (name.replace('\0', "\u{2400}"), value.replace('\0', "\u{2400}"))));
    }
    for (name, value) in lines {
        if (PLACES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end)))
            && is_sound(name, value)
            && !is_sentence(value)
            && value.chars().count() <= PLACE
            && !known(&labels, name)
        {
            // `10.0.0.8 | order-vm | default project`: the first is the thing.
            let thing = value.split(" | ").next().unwrap_or(value).trim();
            labels.insert(name.clone(), thing);
        }
    }
    field::mask(&mut labels);
    labels
}

/// What a thing is displayed as: a word with a digit, a dot or a dash in it, rather than a title.
pub(super) fn is_display(member: &Member<'_>) -> bool {
    let is_name = |text: &str| {
        !text.contains(char::is_whitespace)
            && text.contains(|letter: char| letter.is_ascii_digit() || "-._".contains(letter))
    };
    member.plain == "displayname" && member.depth == 0 && member.value.as_str().is_some_and(is_name)
}

/// `服务器: app-1发生: 磁盘满 故障!` tells of a place and is none.
fn is_sentence(value: &str) -> bool {
    const BLANKS: usize = 6;
    value.contains(['。', '！', '!', '；', '，', '：'])
        || value.contains(": ")
        || value.chars().filter(|letter| letter.is_whitespace()).count() > BLANKS
}

fn named(value: &Value) -> Option<String> {
    let text = match value {
        Value::Bool(_) | Value::Null => return None,
        other => spoken(other)?,
    };
    (text.chars().count() <= PLACE && !text.contains('\n') && !is_sentence(&text))
        .then(|| text.replace('\0', "\u{2400}"))
}

/// The name of a project: the longest that it has.
pub(super) fn project(value: &Value) -> Option<String> {
    const NAMES: [&str; 6] = ["fullname", "pathwithnamespace", "repofullname", "name", "key", "slug"];
    let Value::Object(members) = value else { return named(value) };
    NAMES.iter().find_map(|wanted| {
        let (_, value) = members.iter().find(|(name, _)| plain_name(name) == *wanted)?;
        named(value).filter(|text| !plain::is_missing(text))
    })
}

/// The names of the items of a list: two alerts of one rule may differ in nothing else.
fn listed(value: &Value) -> Option<String> {
    let Value::Array(items) = value else { return None };
    let name = |item: &Value| match item {
        Value::Object(members) => NAMES.iter().find_map(|wanted| {
            let (_, value) = members.iter().find(|(name, _)| plain_name(name) == *wanted)?;
            named(value)
        }),
        other => named(other),
    };
    let names = items.iter().map(name).collect::<Option<Vec<String>>>()?.join(", ");
    (!names.is_empty() && names.chars().count() <= PLACE).then_some(names)
}

/// Where it is in one text that can be compared: the places among the labels, in order.
pub(super) fn place(labels: &Labels, members: &Members<'_>, lines: &[(String, String)]) -> String {
    let is_place = |name: &str| {
        let plain = plain_name(name);
        PLACES.contains(&plain.as_str())
            || ENDS.iter().any(|end| plain.ends_with(end))
            || LISTS.contains(&plain.as_str())
            || members.labels.iter().any(|(label, _)| label == name)
            || lines.iter().any(|(line, _)| *line == plain && PLACES.contains(&line.as_str()))
    };
    let mut places: Vec<String> = labels
        .iter()
        .filter(|(name, _)| is_place(name) && !crate::level::NAMES.contains(&plain_name(name).as_str()))
        .map(|(name, value)| format!("{}={}", plain_name(name), value.as_str().replace('\n', " ")))
        .collect();
    places.sort_unstable();
    places.join("\n")
}

/// Is there a thing in this text of [`place`], not only an area or a label of the rule?
pub(super) fn names_a_thing(place: &str) -> bool {
    let names = place.split('\n').filter_map(|pair| Some(pair.split_once('=')?.0));
    names.into_iter().any(|name| {
        !AREAS.contains(&name) && !PROJECTS.contains(&name) && (PLACES.contains(&name) || LISTS.contains(&name))
    })
}
