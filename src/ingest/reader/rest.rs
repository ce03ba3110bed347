//! What is not shown elsewhere: lines `name: value`, what is hidden on purpose, the list for the page.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Value;

use super::super::lexicon::is_han;
use super::super::tree::{self, Leaf, short_names};
use super::super::{field, moment, plain};
use super::title::Titled;
use crate::alert::Alert;
use crate::level::plain_name;
use crate::plain::secrets;
use crate::subject::{self, Fate, Sighting, Taught};

/// Lines of the rest in a message, and bytes of them: what a person takes in at a glance; the page has all.
const LINES: usize = 12;
const BYTES: usize = 900;
/// Bytes of one value in a message.
const VALUE: usize = 160;
/// Base64 longer than this is told by its size.
const BASE64: usize = 200;
/// A number or word this short is shown anew even if it stands somewhere in the text: `1` is in everything.
const SHORT: usize = 4;
/// Characters from which on a value is a sentence: what people wrote for people.
const SENTENCE: usize = 8;

const PERSONAL: &[&str] = &["email", "phone", "mobile", "contacts"];

/// Bytes of the texts of a message in which values are looked for, and of a value that is looked for there: a message shows
/// less, and all values together would take the square of the size of a body.
const SHOWN: usize = 64 << 10;
const SOUGHT: usize = 16 << 10;

/// Names that say nothing beside the value of the alert's own field.
const NOISE: &[&str] = &["version", "schemaid", "specversion", "msgtype", "objectkind"];

static EMAIL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[^\s@]+@[^\s@]+\.[A-Za-z]{2,}$").expect("constant"));

/// Is this a secret by the name of it, or of what holds it?
pub(in crate::ingest) fn is_secret(path: &[String]) -> bool {
    path.iter().any(|name| {
        let name = plain_name(name);
        secrets::names_secret(&name)
    })
}

/// Does this reach a person: a mail address, a telephone number?
pub(in crate::ingest) fn is_personal(name: &str, value: &str) -> bool {
    let name = plain_name(name);
    PERSONAL.iter().any(|part| name.contains(part)) || EMAIL.is_match(value.trim())
}

/// Is this a link that may be shown: one without a secret, or one by which a person confirms something?
pub(in crate::ingest) fn may_lead(address: &str) -> bool {
    !secrets::is_secret_address(address) || secrets::confirms(address)
}

/// Is this an address to hide? One by which a person confirms something is shown, since nothing works until it is opened.
fn hides_address(name: &str, text: &str) -> bool {
    secrets::is_secret_address(text) && !secrets::confirms(name)
}

/// The name of a leaf: its own, or that of the list it is in.
fn named(path: &[String]) -> &str {
    path.iter().rev().find(|name| !name.bytes().all(|byte| byte.is_ascii_digit())).map_or("", String::as_str)
}

fn is_base64(text: &str) -> bool {
    text.len() > BASE64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'))
}

/// `text` with lines of what stands nowhere else, the shortest values first, as far as a glance goes.
/// `measured`: what the values and the comparison tell.
pub(super) fn with_rest(
    text: String,
    alert: &Alert,
    titled: &Titled,
    leaves: &[Leaf],
    measured: &[String],
    brief: bool,
) -> String {
    let (first, _) = plain::first_line(&titled.raw);
    let mut shown = [first.as_str(), titled.shown.as_str(), text.as_str()].join("\n");
    shown.extend(titled.headings.iter().flat_map(|heading| ["\n", heading]));
    shown.truncate(shown.floor_char_boundary(SHOWN));
    let lines = shown.lines().map(str::trim).collect();
    let message = Message { shown: &shown, lines, alert, measured, brief };
    let names = short_names(leaves);
    let mut rest: Vec<(usize, String)> = Vec::new();
    let linked = linked(leaves);
    for (at, (leaf, name)) in leaves.iter().zip(&names).enumerate() {
        // What else a button has (`action: view`) is how it works.
        let is_of_link = |(words, url): &(usize, usize)| {
            let holder = &leaves[*url].path[..leaves[*url].path.len() - 1];
            *words == at || at != *url && leaf.path.starts_with(holder)
        };
        let value = secrets::masked(leaf.text.trim());
        if linked.iter().any(is_of_link) || message.tells(leaf, name, &value) {
            continue;
        }
        let value = one_line(&value);
        let words = linked.iter().find(|(_, url)| *url == at).map(|(words, _)| one_line(&leaves[*words].text));
        let line = words.map_or_else(|| pair(name, &value), |words| format!("{} {value}", field::clean(&words)));
        rest.push((value.len(), line));
    }
    rest.extend(unseen(alert, &shown).map(|(name, value)| {
        let value = one_line(value);
        (value.len(), pair(name, &value))
    }));
    rest.sort_by_key(|(length, _)| *length);
    with_lines(text, &rest)
}

fn pair(name: &str, value: &str) -> String {
    format!("{}: {}", field::clean(name), plain::excerpt(value, VALUE))
}

/// The text with as many of the lines as a glance takes in, and how many are left.
fn with_lines(mut out: String, rest: &[(usize, String)]) -> String {
    let (mut told, mut bytes) = (0, 0);
    for (_, line) in rest {
        if told == LINES || bytes + line.len() > BYTES {
            break;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(line);
        told += 1;
        bytes += line.len();
    }
    let left = rest.len() - told;
    if left > 0 {
        let _ = write!(out, "\n… +{left}");
    }
    out
}

/// What a message tells before the rest: title, headings and text, and what the alert itself has.
struct Message<'a> {
    shown: &'a str,
    lines: BTreeSet<&'a str>,
    alert: &'a Alert,
    measured: &'a [String],
    brief: bool,
}

impl Message<'_> {
    /// Does it tell this leaf in some other way, or is the leaf not told on purpose?
    fn tells(&self, leaf: &Leaf, name: &str, value: &str) -> bool {
        let (alert, raw, last) = (self.alert, leaf.text.trim(), plain_name(named(&leaf.path)));
        let is_hidden = is_secret(&leaf.path) || is_personal(&last, raw) || is_base64(raw) || hides_address(&last, raw);
        let is_measured = || !alert.values.is_empty() && self.measured.iter().any(|told| told == value);
        // The figures of a list of several say nothing in a line of their own (`0.status: 2`).
        let is_index = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
        let is_figure = || leaf.path.iter().any(is_index) && !value.contains(char::is_alphabetic);
        is_hidden
            || plain::is_missing(value)
            || NOISE.contains(&last.as_str())
            || value == alert.links.rule
            || value == alert.links.image
            || is_figure()
            || is_measured()
            || self.leaves_out(&last, value)
            || self.is_label(&leaf.path, value)
            || self.says(name, value)
            || is_told(alert, &last, value)
    }

    /// Where a mapping knows the sender only sentences are told.
    fn leaves_out(&self, last: &str, value: &str) -> bool {
        let is_sentence = value.chars().count() >= SENTENCE
            && !value.starts_with(['{', '[', '$', '('])
            && value.contains(|c: char| c.is_whitespace() || c >= '\u{3000}');
        let is_moment = || {
            self.alert.starts_at.is_some()
                && super::when::names_moment(last)
                && moment::read(value, &TimeZone::UTC).is_some()
        };
        self.brief && (!is_sentence || is_moment() || self.alert.annotations.values().any(|text| text == value))
    }

    /// Is it among the labels of the alert?
    fn is_label(&self, path: &[String], value: &str) -> bool {
        let alert = self.alert;
        // A label that is not among those of the alert belongs to something else in the body.
        let knows = || {
            path.last().is_some_and(|name| alert.labels.contains_key(name.as_str()))
                || alert.annotations.values().any(|text| text == value)
                || path.last().is_some_and(|name| {
                    matches!(plain_name(name).as_str(), "key" | "name" | "tag" | "value" | "val" | "label")
                })
                || path.iter().all(|name| !tree::is_foreign(&plain_name(name)))
        };
        let set = path.iter().rposition(|name| tree::is_label_set(&plain_name(name)));
        set.is_some_and(|at| at + 1 < path.len() && knows() || value.contains(['=', ':']))
            || alert.labels.values().any(|label| label.eq_ignore_ascii_case(value))
            || alert.labels.values().any(|label| label.split(", ").any(|part| part == value))
    }

    /// Does each line of it stand there, although marks of markdown and HTML may be gone?
    fn says(&self, name: &str, value: &str) -> bool {
        let begins = &value[..value.floor_char_boundary(SOUGHT)];
        let stands = |line: &str| self.shown.contains(line) || self.shown.contains(plain::line(line).as_str());
        let stand = |text: &str| text.lines().map(str::trim).all(stands);
        let is_line = |line: &str| self.lines.contains(line);
        value.len() > SHORT && (stand(begins) || stand(&super::title::prose(begins)))
            || value.len() <= SOUGHT && (is_line(value) || is_line(format!("{name}: {value}").as_str()))
    }
}

/// The leaves that are the words and the address of one link: they stand in one object inside of the body.
fn linked(leaves: &[Leaf]) -> Vec<(usize, usize)> {
    const WORDS: [&str; 5] = ["label", "text", "title", "name", "caption"];
    const HOLDERS: [&str; 11] = [
        "link",
        "links",
        "action",
        "actions",
        "potentialaction",
        "potentialactions",
        "button",
        "buttons",
        "btn",
        "btns",
        "quicklinks",
    ];
    const MOST: usize = 50;
    let is_page = |leaf: &Leaf| leaf.path.len() > 1 && leaf.text.starts_with("http") && !leaf.text.contains(' ');
    let found = leaves.iter().enumerate().filter(|(_, leaf)| is_page(leaf)).take(MOST);
    found
        .filter_map(|(at, leaf)| {
            let holder = &leaf.path[..leaf.path.len() - 1];
            let near = at.saturating_sub(8)..leaves.len().min(at + 8);
            let words = near.filter(|other| {
                let path = &leaves[*other].path;
                path.len() == leaf.path.len() && path.starts_with(holder) && !leaves[*other].text.starts_with("http")
            });
            let named =
                |other: &usize| WORDS.iter().position(|word| plain_name(&leaves[*other].path[holder.len()]) == *word);
            let words = words.filter_map(|other| Some((named(&other)?, other))).min()?.1;
            let holds_links = holder.iter().any(|name| HOLDERS.contains(&plain_name(name).as_str()));
            holds_links.then_some((words, at))
        })
        .collect()
}

/// The labels that a message does not show: they are no part of the object, its place or its kind, and stand in no text. Each
/// value once.
fn unseen<'a>(alert: &'a Alert, shown: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let sighting = Sighting { labels: &alert.labels, said: "", expression: "", taught: Taught::NOTHING };
    let (subject, why) = subject::explain(&sighting);
    let parts = [&subject.object, &subject.place, &subject.qualifier].into_iter().flatten();
    let mut seen: Vec<String> = parts.map(|part| format!("{}{}", part.text, part.port)).collect();
    let open = why.into_iter().filter(|why| matches!(why.fate, Fate::Open | Fate::Latent)).map(|why| why.label);
    let open: BTreeSet<String> = open.collect();
    let lines: BTreeSet<String> = shown.lines().map(|line| line.trim().to_lowercase()).collect();
    let shown = shown.to_lowercase();
    alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(move |(name, value)| {
        let text = value.trim().to_lowercase();
        let is_said = (text.len() > SHORT || text.contains(is_han)) && shown.contains(&text)
            || lines.contains(&text)
            || lines.contains(&format!("{}: {text}", name.to_lowercase()));
        if !open.contains(*name) || is_said || seen.contains(&text) {
            return false;
        }
        seen.push(text);
        true
    })
}

/// Is the value one that the alert tells by its state, level, time or values?
fn is_told(alert: &Alert, name: &str, value: &str) -> bool {
    let key = alert.discriminator.as_str();
    if key.strip_suffix(value).is_some_and(|before| before.ends_with('/')) {
        return true;
    }
    let is_level = crate::level::NAMES.contains(&name) && alert.level.is_some();
    let is_value = alert.values.iter().any(|shown| shown.text == value);
    let at = moment::read(value, &TimeZone::UTC);
    if at.is_some() && (at == alert.starts_at || at == alert.ends_at) {
        return true;
    }
    let names_time = |name: &str| super::when::is_start(name) || super::when::ENDS.contains(&name);
    let names_day = name.ends_with("date") && names_time(&format!("{}time", name.trim_end_matches("date")))
        || name.ends_with("日期") && names_time(&format!("{}时间", name.trim_end_matches("日期")));
    let is_time = (names_time(name) || names_day) && alert.starts_at.is_some();
    let is_state = super::state::STRONG.contains(&name) && super::state::of_text(name, value).is_some();
    is_level || is_value || is_time || is_state
}

fn one_line(text: &str) -> String {
    plain::prose(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything in a body for the page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Name and value of each leaf that may be shown; personal ones are masked.
    pub fields: Vec<Shown>,
    /// How many values are hidden or masked on purpose.
    pub hidden: usize,
    /// There are more leaves than are listed.
    pub more: bool,
}

/// A leaf on the page.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// The shortest name that no other leaf has.
    pub name: String,
    pub value: String,
}

/// Lists the leaves of a tree.
pub fn listed(root: &Value) -> Listed {
    let leaves = tree::leaves(root);
    let names = short_names(&leaves);
    let mut listed = Listed { more: leaves.len() >= tree::LEAVES, ..Listed::default() };
    let only_token = leaves.len() == 1;
    for (leaf, name) in leaves.iter().zip(names) {
        let last = named(&leaf.path);
        let value = if (is_secret(&leaf.path) && !only_token) || hides_address(&plain_name(last), &leaf.text) {
            listed.hidden += 1;
            continue;
        } else if is_personal(last, &leaf.text) {
            listed.hidden += 1;
            masked(&leaf.text)
        } else if is_base64(&leaf.text) {
            listed.hidden += 1;
            format!("({} KB)", leaf.text.len().div_ceil(1024))
        } else {
            secrets::masked(&leaf.text).into_owned()
        };
        listed.fields.push(Shown { name, value });
    }
    listed
}

/// The first letter, and the host of a mail address.
fn masked(text: &str) -> String {
    let one = |text: &str| {
        let first: String = text.trim().chars().take(1).collect();
        let host = text.split_once('@').map(|(_, host)| format!("@{}", host.trim())).unwrap_or_default();
        format!("{first}***{host}")
    };
    text.split(", ").map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_addresses_by_what_they_hold() {
        let secret = |name: &str| is_secret(&[name.to_owned()]);
        for name in ["routing_key", "integrationKey", "pwd", "SendKey", "sk", "DB_PASSWORD", "api-key", "AccessKeyId"] {
            assert!(secret(name), "{name}");
        }
        for name in ["key", "dedup_key", "compass", "design", "author", "task", "passed", "signal"] {
            assert!(!secret(name), "{name}");
        }
        for address in [
            "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=11111111-2222",
            "https://oapi.dingtalk.com/robot/send?access_token=abc",
            "https://open.feishu.cn/open-apis/bot/v2/hook/1111",
            "https://hooks.slack.com/services/T0/B0/x",
            "https://g.example.com/d?orgId=1&token=abc",
        ] {
            assert!(secrets::is_secret_address(address), "{address}");
        }
        for address in [
            "https://g.example.com/d/x?orgId=1",
            "https://jira.example.com/browse?key=OPS-1",
            "token=abc",
            "https://g/?token=",
        ] {
            assert!(!secrets::is_secret_address(address), "{address}");
        }
        let confirmation = "https://m.example.com/confirm?token=abc";
        assert!(hides_address("url", confirmation) && !hides_address("confirmurl", confirmation));
    }
}
