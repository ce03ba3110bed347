//! Notes on how a message came to be sent here, if not by its usual way: placed before everything else.
//!
//! Owns the wording and the place of [`Note`]s. They are put around what the template printed, not passed to it: no
//! template can lose them. Their room is reserved before that of alerts.

use serde::{Deserialize, Serialize};

use super::engine::dialect;
use super::faces::{self, Limit};
use super::fit::cut_chars;
use super::neutral::{neutral, one_line};
use super::words::{number, pick};
use crate::alert::ThreadId;
use crate::config::{Channel, Face, Language};
use crate::names::{Lane, LaneKey};
use crate::words::Words;

/// What a reader must know about the message itself, not about its alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// It was sent before without an answer: this may be a copy.
    Repeated,
    /// It was meant for another lane, where it was not delivered.
    Fallback {
        /// The lane it was meant for, see [`Target::lane`](crate::config::Target::lane).
        lane: LaneKey,
        /// Why it was not delivered, as the record keeps it ([`Words::of_record`]).
        reason: String,
        /// The missed recipients, by userid; empty if there are none.
        missed: Vec<String>,
    },
    /// It was meant for another lane, where it waits for too long; it may still arrive there, late.
    Overdue {
        /// The lane it was meant for.
        lane: LaneKey,
        /// Whole minutes it has waited.
        minutes: u64,
        /// Why it waits, as the record keeps it; empty if that is unknown.
        reason: String,
        /// An attempt had no answer: it may have arrived.
        perhaps: bool,
    },
    /// It left late.
    Late {
        /// Whole minutes between its news and the time of writing.
        minutes: u64,
        /// Its content went to the fallback meanwhile.
        told: bool,
    },
    /// An operator resent it.
    Resent {
        /// The number of this resend. It is shown, so that no two resends have the same bytes: WeCom silently drops the
        /// second copy of a message (docs/reference/wecom.md#duplicate-check).
        times: u64,
    },
    /// It was not acknowledged in time where it was told first.
    Escalated {
        /// The receiver that was told first.
        receiver: String,
        /// Whole minutes since then.
        minutes: u64,
        /// Its upstream could not be asked whether it is silenced or over.
        #[serde(default)]
        unknown: bool,
    },
    /// It is still firing, and nothing upstream suppresses it any more.
    Shown {
        /// What suppressed it.
        after: Hidden,
    },
    /// It tells of an end that may belong to several alerts: all of them stay firing.
    Unclear {
        /// Number of firing alerts with its title.
        open: u64,
        /// The short ids of the first of them.
        threads: Vec<ThreadId>,
    },
    /// It tells of ends that are those of no alert known as firing.
    Unmatched {
        /// Number of such ends.
        ends: u64,
        /// It tells of nothing else.
        all: bool,
    },
    /// Earlier changes of these alerts that were never sent are included.
    Merged {
        /// Number of changes.
        changes: u64,
    },
}

/// What suppressed an alert upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hidden {
    /// A silence.
    Silence,
    /// Another alert.
    Inhibition,
    /// A time interval.
    Interval,
}

/// The detail of a [`Note::Fallback`].
#[derive(Clone, Copy)]
struct Detail {
    /// People named.
    people: usize,
    /// Characters of the reason.
    reason: usize,
    /// Characters of each name.
    name: usize,
}

/// From everything to what is never dropped.
const DETAILS: [Detail; 7] = [
    Detail { people: 8, reason: 120, name: 48 },
    Detail { people: 5, reason: 80, name: 32 },
    Detail { people: 3, reason: 40, name: 24 },
    Detail { people: 2, reason: 24, name: 16 },
    Detail { people: 1, reason: 12, name: 12 },
    Detail { people: 1, reason: 10, name: 8 },
    // The reason goes before a count is cut: the details page and the record tell it.
    Detail { people: 1, reason: 0, name: 8 },
];
/// A first line longer than this many bytes is not a headline: notes are put above it.
const HEADLINE_BYTES: usize = 400;

/// The notes of a message, in words.
pub(super) struct Notes {
    /// Before the headline: `【可能重复】`.
    front: String,
    /// One line each after the headline, as printed.
    lines: Vec<String>,
    /// The same in as few words as possible.
    few: Vec<String>,
}

/// How much of the notes a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Everything within the face's room for notes.
    Plenty,
    /// As few words as possible.
    Tight,
    /// Only the part before the headline: the page is a later part of a message.
    Later,
}

impl Notes {
    /// `notes` in words, within the room that `face` on `channel` has for them. Of several fallbacks the first is
    /// shown: it names the lane that the message was meant for.
    pub(super) fn of(notes: &[Note], face: Face, channel: Channel, language: Language) -> Self {
        let room = faces::note_room(face, channel);
        let lines = |detail: Detail| -> Vec<String> {
            let fallback = notes.iter().find_map(|note| match note {
                Note::Fallback { lane, reason, missed } => Some(fallback(lane, reason, missed, detail, language)),
                Note::Overdue { lane, minutes, reason, perhaps } => {
                    Some(overdue(lane, *minutes, reason, *perhaps, detail, language))
                }
                _ => None,
            });
            let told = notes.iter().find_map(|note| match note {
                Note::Late { told: true, .. } => Some(told(detail, language)),
                _ => None,
            });
            let merged = notes.iter().find_map(|note| match note {
                Note::Merged { changes } if *changes > 0 => Some(merged(*changes, detail, language)),
                _ => None,
            });
            let escalated = notes.iter().find_map(|note| match note {
                Note::Escalated { receiver, minutes, unknown } => {
                    Some(escalated(receiver, *minutes, *unknown, detail, language))
                }
                Note::Shown { after } => Some(shown(*after, language).to_owned()),
                _ => None,
            });
            let unclear = notes.iter().find_map(|note| match note {
                Note::Unclear { open, threads } => Some(unclear(*open, threads, detail, language)),
                Note::Unmatched { ends, all } => Some(unmatched(*ends, *all, detail, language)),
                _ => None,
            });
            escalated
                .into_iter()
                .chain(fallback)
                .chain(told)
                .chain(unclear)
                .chain(merged)
                .map(|line| printed(&line, face))
                .collect()
        };
        let fullest = |details: &[Detail], room: Limit| -> Vec<String> {
            let mut told = details.iter().map(|detail| lines(*detail));
            told.find(|lines| room.holds(&lines.concat())).unwrap_or_else(|| lines(DETAILS[DETAILS.len() - 1]))
        };
        let (few, lines) = (fullest(&DETAILS[DETAILS.len() - 3..], room.three_quarters()), fullest(&DETAILS, room));
        Self { front: front(notes, face, language), lines, few }
    }

    fn lines(&self, room: Room) -> &[String] {
        match room {
            Room::Plenty => &self.lines,
            Room::Tight => &self.few,
            Room::Later => &[],
        }
    }

    /// `title`, preceded by the front part.
    pub(super) fn title(&self, title: &str) -> String {
        format!("{}{title}", self.front)
    }

    /// `body` of running text with the front part before its headline and the lines after it.
    pub(super) fn body(&self, body: String, room: Room) -> String {
        let lines = self.lines(room);
        if self.front.is_empty() && lines.is_empty() {
            return body;
        }
        let (first, rest) = body.split_once('\n').unwrap_or((&body, ""));
        let marks = heading_marks(first);
        let mut out: Vec<&str> = Vec::with_capacity(lines.len() + 3);
        if first.len() > HEADLINE_BYTES || (marks == 0 && is_structure(first)) {
            let front = self.front.trim_end().trim_end_matches(':');
            out.extend(Some(front).filter(|front| !front.is_empty()));
            out.extend(lines.iter().map(String::as_str));
            out.extend(["", &body]);
            return out.join("\n");
        }
        let headline = format!("{}{}{}", &first[..marks], self.front, &first[marks..]);
        out.push(&headline);
        out.extend(lines.iter().map(String::as_str));
        out.extend(Some(rest).filter(|rest| !rest.is_empty()));
        out.join("\n")
    }

    /// `text` of a card with the lines on top.
    pub(super) fn description(&self, text: &str, room: Room) -> String {
        let mut lines: Vec<&str> = self.lines(room).iter().map(String::as_str).collect();
        lines.extend(Some(text).filter(|text| !text.is_empty()));
        lines.join("\n")
    }
}

/// `content`, which another program wrote for `face`, with the notes on the message itself.
pub fn noted(content: &str, notes: &[Note], face: Face, channel: Channel, language: Language) -> String {
    Notes::of(notes, face, channel, language).body(content.to_owned(), Room::Plenty)
}

/// `line` in the markup of `face`, with userids and names neutralised.
fn printed(line: &str, face: Face) -> String {
    let line = neutral(line, dialect(face));
    match face {
        Face::Markdown => format!("<font color=\"comment\">{line}</font>"),
        Face::Textcard => format!("<div class=\"normal\">{line}</div>"),
        Face::Text | Face::MarkdownV2 | Face::News | Face::Card => line.into_owned(),
    }
}

fn front(notes: &[Note], face: Face, language: Language) -> String {
    // The title of a card is short: the number of alerts has to have a place beside it.
    let copy = if face == Face::Card { "Copy?" } else { "Possible copy" };
    let repeated = notes.contains(&Note::Repeated).then(|| pick(language, "可能重复", copy));
    let resent = notes.iter().find_map(|note| match note {
        Note::Resent { times } => Some(resent(*times, language)),
        _ => None,
    });
    let late = notes.iter().find_map(|note| match note {
        Note::Late { minutes, .. } => Some(late(*minutes, face, language)),
        _ => None,
    });
    let words: Vec<String> = late.into_iter().chain(repeated.map(str::to_owned)).chain(resent).collect();
    match (words.is_empty(), language) {
        (true, _) => String::new(),
        (false, Language::Zh) => format!("【{}】", words.join("，")),
        (false, Language::En) if words == ["Copy?"] => "Copy? ".to_owned(),
        (false, Language::En) => format!("{}: ", words.join(", ")),
    }
}

fn resent(times: u64, language: Language) -> String {
    match (times, language) {
        (..=1, Language::Zh) => "人工重发".to_owned(),
        (..=1, Language::En) => "Resent".to_owned(),
        (_, Language::Zh) => format!("人工重发 {times}"),
        (_, Language::En) => format!("Resent {times}"),
    }
}

/// The title of a card has no room for the time.
fn late(minutes: u64, face: Face, language: Language) -> String {
    if face == Face::Card {
        return pick(language, "迟到", "Late").to_owned();
    }
    let (count, zh, en) = if minutes < 120 { (minutes, "分钟", "min") } else { (minutes / 60, "小时", "h") };
    let count = number(count);
    match language {
        Language::Zh => format!("迟到 {count} {zh}"),
        Language::En => format!("Late by {count} {en}"),
    }
}

fn told(detail: Detail, language: Language) -> String {
    match (language, detail.people > 1) {
        (Language::Zh, true) => "这条消息没能及时送出，期间已转告备用接收者".to_owned(),
        (Language::Zh, false) => "已转告备用接收者".to_owned(),
        (Language::En, true) => "This message could not leave in time; the fallback was told meanwhile".to_owned(),
        (Language::En, false) => "Fallback told".to_owned(),
    }
}

fn overdue(lane: &LaneKey, minutes: u64, reason: &str, perhaps: bool, detail: Detail, language: Language) -> String {
    let short = |text: &str| cut_chars(&one_line(text), detail.name).into_owned();
    let place = place(lane, detail.people, &short, language);
    let reason = Words::of_record(reason);
    let reason = one_line(reason.get(language));
    let reason = cut_chars(reason.trim_end_matches(['。', '.']), detail.reason);
    let minutes = number(minutes);
    let waits = match (language, perhaps) {
        (Language::Zh, false) => format!("转自 {place}：等了 {minutes} 分钟还没送出"),
        (Language::Zh, true) => format!("转自 {place}：可能已收到，{minutes} 分钟没有得到确认"),
        (Language::En, false) => format!("Rerouted from {place}: waiting for {minutes} min"),
        (Language::En, true) => format!("Rerouted from {place}: may have arrived, unconfirmed for {minutes} min"),
    };
    match (language, reason.is_empty()) {
        (_, true) => waits,
        (Language::Zh, false) => format!("{waits}，{reason}"),
        (Language::En, false) => format!("{waits}, {reason}"),
    }
}

fn escalated(receiver: &str, minutes: u64, unknown: bool, detail: Detail, language: Language) -> String {
    let receiver = cut_chars(&one_line(receiver), detail.name).into_owned();
    let unknown = if unknown { pick(language, "（上游状态未知）", " (upstream state unknown)") } else { "" };
    match (language, detail.people > 1) {
        (Language::Zh, true) => format!("升级：{receiver} 已 {} 分钟无人认领{unknown}", number(minutes)),
        (Language::Zh, false) => format!("升级：{} 分钟无人认领{unknown}", number(minutes)),
        (Language::En, true) => format!("Escalated: nobody at {receiver} took it for {} min{unknown}", number(minutes)),
        (Language::En, false) => format!("Escalated after {} min{unknown}", number(minutes)),
    }
}

const fn shown(after: Hidden, language: Language) -> &'static str {
    match (after, language) {
        (Hidden::Silence, Language::Zh) => "静默已结束，仍在告警",
        (Hidden::Silence, Language::En) => "The silence has ended: it is still firing",
        (Hidden::Inhibition, Language::Zh) => "抑制已结束，仍在告警",
        (Hidden::Inhibition, Language::En) => "It is no longer inhibited and still firing",
        (Hidden::Interval, Language::Zh) => "静音时段已结束，仍在告警",
        (Hidden::Interval, Language::En) => "The mute interval has ended: it is still firing",
    }
}

fn unclear(open: u64, threads: &[ThreadId], detail: Detail, language: Language) -> String {
    let count = number(open);
    let ids: Vec<String> = threads.iter().map(|thread| format!("#{thread}")).collect();
    let ids = ids.join(pick(language, "、", ", "));
    match (language, detail.people > 1) {
        (Language::Zh, true) => format!("无法确定对应哪一条：仍有 {count} 条同名告警 {ids}"),
        (Language::Zh, false) => format!("无法确定对应哪一条（{count} 条）"),
        (Language::En, true) => format!("cannot tell which one is over: {count} with this title are still on, {ids}"),
        (Language::En, false) => format!("cannot tell which of {count} is over"),
    }
}

fn unmatched(ends: u64, all: bool, detail: Detail, language: Language) -> String {
    let count = number(ends);
    match (language, detail.people > 1, all, ends) {
        (Language::Zh, true, true, 1) => "没有找到它对应的告警".to_owned(),
        (Language::Zh, true, true, _) => format!("这 {count} 条都没有找到对应的告警"),
        (Language::Zh, true, false, _) => format!("其中 {count} 条没有找到对应的告警"),
        (Language::Zh, false, ..) => "没有找到对应的告警".to_owned(),
        (Language::En, true, true, 1) => "matches no open alert here".to_owned(),
        (Language::En, true, true, _) => format!("all {count} match no open alert here"),
        (Language::En, true, false, _) => format!("{count} of them match no open alert here"),
        (Language::En, false, ..) => "no open alert here".to_owned(),
    }
}

fn merged(changes: u64, detail: Detail, language: Language) -> String {
    let times = number(changes);
    match (language, detail.people > 1) {
        (Language::Zh, true) => format!("含此前未发出的 {times} 次变化"),
        (Language::Zh, false) => format!("含此前 {times} 次变化"),
        (Language::En, true) => format!("includes earlier changes that were not sent: {times}"),
        (Language::En, false) => format!("+{times} earlier changes"),
    }
}

fn fallback(lane: &LaneKey, reason: &str, missed: &[String], detail: Detail, language: Language) -> String {
    let zh = language == Language::Zh;
    let people = detail.people;
    let short = |text: &str| cut_chars(&one_line(text), detail.name).into_owned();
    let place = place(lane, people, &short, language);
    let reason = Words::of_record(reason);
    let reason = one_line(reason.get(language));
    let reason = cut_chars(reason.trim_end_matches(['。', '.']), detail.reason);
    let names: Vec<String> = missed.iter().take(people).map(|name| short(name)).collect();
    let names = names.join(pick(language, "、", ", "));
    let more = missed.len().saturating_sub(people);
    let who = match (zh, missed.is_empty(), more) {
        (true, true, _) => "未能送达".to_owned(),
        (true, false, 0) => format!("{names} 未收到"),
        (true, false, _) => format!("{names} 等 {} 人未收到", number(missed.len() as u64)),
        (false, true, _) => "not delivered".to_owned(),
        (false, false, 0) => format!("{names} missed it"),
        (false, false, _) => format!("{names} and {} more missed it", number(more as u64)),
    };
    match (zh, reason.is_empty()) {
        (true, true) => format!("转自 {place}：{who}"),
        (true, false) => format!("转自 {place}：{who}，{reason}"),
        (false, true) => format!("Rerouted from {place}: {who}"),
        (false, false) => format!("Rerouted from {place}: {who}, {reason}"),
    }
}

/// A lane in words. A lane of an unknown kind is shown by its key.
fn place(lane: &LaneKey, people: usize, short: &impl Fn(&str) -> String, language: Language) -> String {
    let zh = language == Language::Zh;
    match lane.parse() {
        Lane::Webhook(name) if zh => format!("群机器人 {}", short(&name)),
        Lane::Webhook(name) => format!("webhook {}", short(&name)),
        Lane::Chat { app, chat } if zh => format!("应用 {} 的群聊 {}", short(&app), short(&chat)),
        Lane::Chat { app, chat } => format!("chat {} of app {}", short(&chat), short(&app)),
        Lane::Bot { bot, chat } if zh => format!("智能机器人 {} 的会话 {}", short(&bot), short(&chat)),
        Lane::Bot { bot, chat } => format!("conversation {} of bot {}", short(&chat), short(&bot)),
        Lane::Hook(name) if zh => format!("接口 {}", short(&name)),
        Lane::Hook(name) => format!("hook {}", short(&name)),
        Lane::Email(to) => format!("{} {}", pick(language, "邮箱", "mail to"), short(to)),
        Lane::Members { app, to } => {
            let all: Vec<&str> = to.split('|').collect();
            let shown: Vec<String> =
                all.iter().take(people.min(3)).map(|name| short(&addressee(name, language))).collect();
            let more = all.len() > shown.len();
            let shown = shown.join(pick(language, "、", ", "));
            match (zh, more) {
                (true, false) => format!("应用 {}（{shown}）", short(&app)),
                (true, true) => format!("应用 {}（{shown} 等）", short(&app)),
                (false, false) => format!("app {} ({shown})", short(&app)),
                (false, true) => format!("app {} ({shown}, …)", short(&app)),
            }
        }
        Lane::Other(text) => short(text),
    }
}

fn addressee(name: &str, language: Language) -> String {
    let said = |id: &str, zh, en| format!("{} {id}", pick(language, zh, en));
    match name.split_once(':') {
        Some(("party", id)) => said(id, "部门", "department"),
        Some(("tag", id)) => said(id, "标签", "tag"),
        Some(("file", path)) => path.rsplit('/').next().unwrap_or(path).to_owned(),
        _ => name.to_owned(),
    }
}

/// Bytes of the `### ` that makes `line` a heading.
fn heading_marks(line: &str) -> usize {
    let marks = line.len() - line.trim_start_matches('#').len();
    if (1..=6).contains(&marks) && line[marks..].starts_with(' ') { marks + 1 } else { 0 }
}

/// Does `line` begin a quote, a list, a table or code, which a text in front of it would break?
fn is_structure(line: &str) -> bool {
    line.starts_with(['>', '|', '-', '+', '`'])
        || line.starts_with("* ")
        || line.starts_with(|c: char| c.is_ascii_digit())
}
