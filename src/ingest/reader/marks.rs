//! Identifiers: the words of a text that name a thing, by which an end finds its beginning.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::LazyLock;

use regex::Regex;

use super::super::lexicon::is_han;
use super::super::tree::{Members, spoken};
use super::URL;
use crate::level::Level;
use crate::pattern::regex;

/// Bytes of text in which identifiers are looked for, and how many are kept.
const MARKED: usize = 8192;
const MARKS: usize = 60;

static QUANTITY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[.,/-]*\d[\d.,/-]*[A-Za-z\p{Han}%]{0,4}(?:\d+[a-z]{1,3})*$|^\d{4}-\d{2}-\d{2}T"));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u:\b)((?:\d{1,3}\.){3}\d{1,3})(?::(\d{1,5}))?(?-u:\b)"));
/// A name with a port; fewer digits are a value (`usage:96`).
static PORT: LazyLock<Regex> = LazyLock::new(|| regex(r"[A-Za-z][A-Za-z0-9.-]*:\d{4,5}(?-u:\b)"));
/// A thing that is told from others by its number.
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)(端口|机柜|机架|槽位|工单|单号|编号|磁盘|网口|接口|通道|分区|分片|节点|站点|(?-u:\b)(?:port|rack|slot|ticket|case|vlan|disk|shard|",
        r"partition|queue|node|unit|line|bay|channel|interface))(?:\s*(?:号|id|no\.?))?\s*[:：#＃]?\s*(\d{1,12})(?-u:\b)",
    ))
});

/// The identifiers in the beginning of a text: words with a letter and a digit or one of `- . _ /` in them that are no
/// quantity, date, level or address of a page; addresses of machines; things with a number.
pub(super) fn of_text(text: &str) -> BTreeSet<String> {
    let text = URL.replace_all(&text[..text.floor_char_boundary(MARKED)], " ");
    let mut found = BTreeSet::new();
    for address in ADDRESS.captures_iter(&text).take(MARKS) {
        found.insert(address[1].to_owned());
        found.extend(address.get(2).map(|port| format!("{}:{}", &address[1], port.as_str())));
    }
    found.extend(PORT.find_iter(&text).take(MARKS).map(|port| port.as_str().to_lowercase()));
    found.extend(
        NUMBERED.captures_iter(&text).take(MARKS).map(|thing| format!("{}:{}", thing[1].to_lowercase(), &thing[2])),
    );
    let is_hex = |letter: char| letter.is_ascii_hexdigit() || letter == ':';
    found.extend(text.split(|letter| !is_hex(letter)).filter(|word| word.len() > 3).filter_map(version_6));
    let is_part = |letter: char| letter.is_alphanumeric() || "-._/@".contains(letter);
    for token in text.split(|letter: char| !is_part(letter)) {
        let token = token.trim_matches(['-', '.', '_', '@']);
        found.extend(mark(token));
        // `主机db-1恢复`: the name stands in the middle of words.
        for word in token.split(is_han).filter(|word| word.len() < token.len()) {
            found.extend(mark(word.trim_matches(['-', '.', '_', '@'])));
        }
        if found.len() >= MARKS {
            break;
        }
    }
    found
}

fn version_6(word: &str) -> Option<String> {
    let address: Ipv6Addr = word.trim_end_matches(':').parse().ok()?;
    (!address.is_unspecified()).then(|| address.to_string())
}

/// The identifiers among the places, each also as `@name=value`.
pub(super) fn of_place(place: &str) -> impl Iterator<Item = String> {
    let pairs = place.split('\n').filter_map(|pair| pair.split_once('='));
    pairs.flat_map(|(name, value)| {
        let value = value.to_lowercase();
        let told = super::place::PLACES.contains(&name).then(|| format!("@{name}={value}"));
        told.into_iter().chain([value])
    })
}

/// The branch of a project: the builds of two are two.
pub(super) fn of_branch(members: &Members<'_>) -> Option<String> {
    const BRANCHES: [&str; 6] = ["branch", "branchname", "headbranch", "ref", "gitbranch", "分支"];
    let branch = members.named(&BRANCHES).into_iter().find_map(|member| spoken(member.value))?;
    Some(format!("@branch={}", branch.trim_start_matches("refs/heads/").to_lowercase()))
}

/// A rule as an identifier: an end of another rule is not meant. What some senders make anew for each message only helps to
/// tell alerts apart.
pub(super) fn of_rule(name: &str, key: &str) -> String {
    let by = if matches!(name, "alertid" | "alarmid" | "identifier") { ' ' } else { '=' };
    format!("@{name}{by}{key}")
}

fn mark(token: &str) -> Option<String> {
    let has_letter = token.chars().any(char::is_alphabetic);
    let has_sign = token.chars().any(|letter| letter.is_ascii_digit() || "-._/".contains(letter));
    let sound = token.chars().count() >= 3
        && token.len() <= 128
        && has_letter
        && has_sign
        && !QUANTITY.is_match(token)
        && Level::of(token).is_none();
    sound.then(|| token.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_names_of_things() {
        for (text, marks) in [
            ("主机db-1恢复 96.2% at 14:02:11 on 2026-11-30", "db-1 主机db-1恢复"),
            ("10.0.0.1:9100 and 10.0.0.2", "10.0.0.1 10.0.0.1:9100 10.0.0.2"),
            ("fe80::1 down", "fe80 fe80::1"),
            ("redis-1:6379 慢", "redis-1 redis-1:6379"),
            ("端口 3306 不通，rack #12", "rack:12 端口:3306"),
            ("SEV-1 usage:96 12:30", ""),
            ("/data 使用率 95%", "/data"),
        ] {
            assert_eq!(of_text(text).into_iter().collect::<Vec<_>>().join(" "), marks, "{text}");
        }
    }
}
