//! What no message may lack, also where a user wrote its template: what it is about, and whether that is on or over.

use wecom::Content;

use super::Letter;
use super::endings::letters;
use super::facts::Facts;
use super::rows::{Row, object_text};
use super::words::State;
use crate::subject::Part;
use crate::words::{Words, words};

/// Words of the user's own that tell a state, besides ours and the sender's.
const STATES: [&str; 32] = [
    "告警",
    "报警",
    "预警",
    "故障",
    "异常",
    "触发",
    "紧急",
    "严重",
    "恢复",
    "正常",
    "解决",
    "消除",
    "通知",
    "无数据",
    "firing",
    "fires",
    "alert",
    "alarm",
    "problem",
    "fault",
    "critical",
    "crit",
    "warning",
    "warn",
    "info",
    "down",
    "resolved",
    "recovered",
    "cleared",
    "over",
    "ok",
    "notice",
];
/// Signs that tell a state.
const SIGNS: [&str; 14] = ["🔴", "🟡", "🔵", "🟠", "🟢", "⚪", "📨", "🔥", "✅", "❌", "⚠", "🚨", "❗", "🆘"];

/// A thing that a message must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Essence {
    /// Which object an alert is about.
    Object,
    /// Whether it is on or over, or how grave it is.
    State,
}

impl Essence {
    /// That a message lacks it, and the variables that print it.
    pub(super) const fn is_missing(self) -> Words {
        match self {
            Self::Object => words(
                "消息里没有告警对象，写上 title、subject 或每条告警的 alert.what（object 只有一条告警、或几条告警共有时才有）",
                "the message does not say what it is about: print title, subject, or alert.what of each alert (object is empty where several alerts share none)",
            ),
            Self::State => words(
                "消息里没有状态，写上 icon、word 或 title",
                "the message does not say whether it is on or over: print icon, word or title",
            ),
        }
    }
}

impl Facts {
    /// What `parts` do not say.
    pub(super) fn lacking(&self, letter: &Letter<'_>, parts: &[Content]) -> Option<Essence> {
        if matches!(self.state, State::Test | State::Opaque) {
            return None;
        }
        let text: String = parts.iter().map(text_of).collect::<Vec<_>>().join("\n");
        if !self.says_object(letter, &letters(&text)) {
            return Some(Essence::Object);
        }
        (!self.says_state(letter, &text)).then_some(Essence::State)
    }

    fn says_object(&self, letter: &Letter<'_>, text: &str) -> bool {
        let of_parts = |parts: &[Part]| -> Vec<String> {
            let each = parts.iter().map(|part| part.text.to_string());
            each.chain([object_text(parts, letter.language)]).collect()
        };
        let of_row = |row: &Row| [row.what.clone(), row.detail().own.clone(), row.detail().object.clone()];
        let lists = &self.lists;
        let rows = lists.main.iter().chain(&lists.over).chain(&lists.still);
        let mut objects = of_parts(&self.named_object(letter));
        objects.extend(of_parts(&lists.head.object));
        objects.extend(rows.flat_map(of_row));
        if self.rules > 1 {
            // Of several rules the names of the rules may stand alone.
            objects.extend(lists.main.iter().map(|row| row.detail().name.clone()));
            objects.push(self.name.clone());
        }
        let mut objects = objects.iter().map(|object| letters(object)).filter(|object| !object.is_empty()).peekable();
        if objects.peek().is_none() {
            return text.contains(&letters(&self.name));
        }
        // A long name may be cut at its beginning or at its end.
        objects.any(|object| {
            let short: String = object.chars().take(LEAST).collect();
            let end: String = object.chars().skip(object.chars().count().saturating_sub(LEAST)).collect();
            text.contains(&short) || text.contains(&end)
        })
    }

    fn says_state(&self, letter: &Letter<'_>, text: &str) -> bool {
        // A rule may be called by such a word itself.
        let text = if self.name.is_empty() { text.to_owned() } else { text.replace(&self.name, " ") };
        if SIGNS.iter().any(|sign| text.contains(sign)) {
            return true;
        }
        let lower = text.to_lowercase();
        let ours = [&self.word, self.grade, self.state.said(letter.language), &self.severity];
        let ours = ours.into_iter().filter(|word| !word.trim().is_empty()).map(str::to_lowercase);
        ours.chain(STATES.map(str::to_owned)).any(|word| has_word(&lower, &word))
    }
}

/// Characters of a name that is cut.
const LEAST: usize = 12;

/// Does `word` stand in `text`, not as a part of a longer Latin word?
fn has_word(text: &str, word: &str) -> bool {
    let latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        let open = |edge: Option<char>, beside: Option<char>| latin(edge) && latin(beside);
        !open(word.chars().next(), before) && !open(word.chars().next_back(), after)
    })
}

/// What a person reads of `content`.
fn text_of(content: &Content) -> String {
    match content {
        Content::Text(text) => text.content.clone(),
        Content::Markdown(text) | Content::MarkdownV2(text) => text.content.clone(),
        Content::Textcard(card) => format!("{}\n{}", card.title, card.description),
        Content::News(news) => {
            let articles = news.articles.iter().map(|article| format!("{}\n{}", article.title, article.description));
            articles.collect::<Vec<_>>().join("\n")
        }
        Content::TemplateCard(card) => {
            let titles = card.main_title.iter().chain(&card.emphasis_content).chain(&card.vertical_content_list);
            let mut texts: Vec<&str> = titles.flat_map(|title| [title.title.as_str(), &title.desc]).collect();
            texts.push(&card.sub_title_text);
            texts.extend(card.horizontal_content_list.iter().flat_map(|row| [row.keyname.as_str(), &row.value]));
            texts.join("\n")
        }
        Content::Image(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_a_word_of_its_own() {
        for (text, word, has) in [
            ("it is down now", "down", true),
            ("markdown", "down", false),
            ("已恢复", "恢复", true),
            ("ok", "ok", true),
            ("token", "ok", false),
        ] {
            assert_eq!(has_word(text, word), has, "{text}");
        }
    }
}
