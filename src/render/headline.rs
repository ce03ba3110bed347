//! The first line: sign, word and subject. A lock screen shows nothing else.

use super::Letter;
use super::facts::Facts;
use super::fit::cut_chars;
use super::neutral::one_line;
use super::words::{State, Weight, pick};
use crate::config::Language;

impl Facts {
    /// Does the summary of the only alert give its value already?
    pub(super) fn value_is_said(&self) -> bool {
        let Some((_, value)) = self.values.first() else { return false };
        let number = value.split(' ').next().unwrap_or_default();
        !number.is_empty() && self.summary.contains(number)
    }

    /// The sign in front: colour, in addition to the word, which does not need colour vision.
    pub(super) fn icon(&self) -> &'static str {
        match (self.state, self.weight) {
            (State::Firing | State::Reminder, Weight::Red) => "🔴",
            (State::Firing | State::Reminder, Weight::Yellow) => "🟡",
            (State::Firing | State::Reminder, Weight::Blue) => "🔵",
            (State::Partly | State::Unclear, _) => "🟠",
            (State::Resolved, _) => "🟢",
            (State::NoData | State::QueryError, _) => "⚪",
            (State::Test, _) => "🔔",
            (State::Notice | State::Opaque, _) => "📨",
        }
    }

    /// Sign, word where the sign is not enough, and subject; the rule's name in at most `length` characters.
    pub(super) fn title(&self, letter: &Letter<'_>, length: usize) -> String {
        let subject = self.subject(letter, length);
        match self.state {
            State::Firing | State::Partly | State::Unclear | State::Notice | State::Opaque => {
                format!("{} {subject}", self.icon())
            }
            _ => {
                let colon = pick(letter.language, "", ":");
                format!("{} {}{colon} {subject}", self.icon(), self.state.word(letter.language))
            }
        }
    }

    /// Subject and number, without the word for the state.
    pub(super) fn subject(&self, letter: &Letter<'_>, length: usize) -> String {
        let zh = letter.language == Language::Zh;
        let name = cut_chars(&self.name, length);
        let rules = self.rules;
        let name = match (rules, zh) {
            (0 | 1, _) => name.into_owned(),
            (_, true) => format!("{name} 等 {rules} 条规则"),
            (2, false) => format!("{name} and 1 more rule"),
            (_, false) => format!("{name} and {} more rules", rules - 1),
        };
        let times = |count: usize| if count > 1 { format!(" ×{count}") } else { String::new() };
        let (firing, resolved, truncated) = (self.firing, self.resolved, self.truncated);
        match (self.state, zh) {
            (State::Opaque, _) => {
                let line =
                    if name.is_empty() { one_line(self.message.lines().next().unwrap_or_default()) } else { name };
                cut_chars(&line, length).into_owned()
            }
            (State::Test, _) => pick(letter.language, "通知已送达", "this notification arrived").to_owned(),
            (State::NoData | State::QueryError, true) => format!("“{name}” 无法判断{}", times(firing)),
            (State::NoData | State::QueryError, false) => format!("“{name}” cannot be judged{}", times(firing)),
            (State::Partly, true) => format!("{name} 仍有 {} 条（已恢复 {resolved}）", firing + self.still),
            (State::Partly, false) => format!("{name}: {} still firing ({resolved} resolved)", firing + self.still),
            (State::Unclear, true) => format!("{name} 已恢复 {resolved} 条，另 {truncated} 条未知"),
            (State::Unclear, false) => format!("{name}: {resolved} resolved, {truncated} unknown"),
            (State::Resolved, true) if self.judged_again => format!("“{name}” 又能判断了{}", times(resolved)),
            (State::Resolved, false) if self.judged_again => format!("“{name}” can be judged again{}", times(resolved)),
            (State::Resolved, _) => format!("{name}{}", times(resolved)),
            (State::Notice, _) => format!("{name}{}", times(letter.told.len())),
            (State::Firing | State::Reminder, _) if resolved == 0 => format!("{name}{}", times(firing)),
            (State::Firing | State::Reminder, true) => format!("{name}{}（已恢复 {resolved}）", times(firing)),
            (State::Firing | State::Reminder, false) => format!("{name}{} ({resolved} resolved)", times(firing)),
        }
    }
}
