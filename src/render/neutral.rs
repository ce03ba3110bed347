//! Makes alert text harmless for the face it appears in.
//!
//! Owns the rule that makes alert text inert: whatever a label or an annotation contains, it is shown as text, never as
//! markup, a mention, a hidden link or a changed reading order. WeCom has no backslash escapes
//! (docs/reference/wecom.md#markdown), so a live character is replaced by its full-width twin, and only where it would
//! be live: `disk_used{path="/var"}` and `a_b*c` stay unchanged in faces where they mean nothing. A bare URL in a
//! sentence stays: it shows its target.

use std::borrow::Cow;

use crate::shown::controls;

/// The set of live characters of a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Text, cards and news: tags, mentions and id translations only.
    Plain,
    /// Markdown of the first edition (docs/reference/wecom.md#markdown).
    Markdown,
    /// Markdown of the second edition: lists, tables, italics, fenced code (docs/reference/wecom.md#markdown-v2).
    MarkdownV2,
}

#[cfg(test)]
thread_local! {
    /// Turns neutralising off on this thread: the tests' negative control.
    pub(super) static OFF: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// `text` without invisible characters: no control and bidi characters, no zero-width ones (except the joiners of emoji
/// and some scripts), line ends as `\n`.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    #[cfg(test)]
    if OFF.get() {
        return Cow::Borrowed(text);
    }
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{0b}' | '\u{0c}' => out.push('\n'),
            '\t' => out.push(' '),
            c if is_invisible(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn is_invisible(c: char) -> bool {
    c != '\n' && controls(c)
}

/// `text` on one line: line ends and runs of blanks become one blank.
pub(super) fn one_line(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// `text` with its live characters replaced. The result is harmless in any place: at the start of a line, inside bold,
/// next to another such text.
pub(super) fn neutral(text: &str, dialect: Dialect) -> Cow<'_, str> {
    #[cfg(test)]
    if OFF.get() {
        return Cow::Borrowed(text);
    }
    let clean = visible(text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || b" ,/%{}\"':;?".contains(&b);
    if clean.bytes().all(plain) && !starts_like_a_list(&clean) && !has_entity(&clean) {
        return clean;
    }
    let mut out = String::with_capacity(clean.len() + 8);
    let mut at = Cursor { text: &clean, position: 0, line: 0, line_start: true, opened: bracket_partners(&clean) };
    while let Some(c) = at.text[at.position..].chars().next() {
        let twin = at.twin(c, dialect);
        // A blank after a line end is dropped: four of them would be code in the second edition.
        let dropped = at.line_start && c == ' ' && at.position > 0 && dialect != Dialect::Plain;
        if !dropped {
            out.push(twin.unwrap_or(c));
        }
        at.line_start = c == '\n' || (at.line_start && c == ' ');
        at.position += c.len_utf8();
        if at.line_start {
            at.line = at.position;
        }
    }
    Cow::Owned(out)
}

fn starts_like_a_list(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == ' ') || text.contains('\n')
}

fn has_entity(text: &str) -> bool {
    text.contains('&')
}

/// For each `[` whose `]` must change, its position: both change, so that they stay a pair.
fn bracket_partners(text: &str) -> Vec<usize> {
    let mut open = Vec::new();
    let mut changed = Vec::new();
    for (position, c) in text.char_indices() {
        match c {
            '[' => open.push(position),
            ']' => {
                if let Some(partner) = open.pop()
                    && closes_link_text(&text[position + 1..])
                {
                    changed.push(partner);
                }
            }
            _ => {}
        }
    }
    changed
}

/// Would a `]` before `rest` end the text of a link? At the end of a string it might: what follows is unknown.
fn closes_link_text(rest: &str) -> bool {
    matches!(rest.trim_start_matches(' ').chars().next(), None | Some('(' | '[' | ':'))
}

struct Cursor<'a> {
    text: &'a str,
    position: usize,
    /// The start of the line, after its blanks.
    line: usize,
    line_start: bool,
    opened: Vec<usize>,
}

impl Cursor<'_> {
    fn before(&self) -> Option<char> {
        self.text[..self.position].chars().next_back()
    }

    /// What `c`, at the cursor, must be replaced with; `None` if it is harmless here.
    fn twin(&self, c: char, dialect: Dialect) -> Option<char> {
        let rest = &self.text[self.position + c.len_utf8()..];
        let next = rest.chars().next();
        match c {
            // `a < b` and `x <5` are not tags.
            '<' => (!matches!(next, Some(' ' | '=' | '0'..='9'))).then_some('＜'),
            '@' if self.calls_everyone(rest) => Some('＠'),
            '$' if is_translation(rest) => Some('＄'),
            '&' if is_entity(rest) => Some('＆'),
            _ if dialect == Dialect::Plain => None,
            '`' => Some('\''),
            ']' => closes_link_text(rest).then_some('］'),
            '[' => self.opened.contains(&self.position).then_some('［'),
            '>' => self.line_start.then_some('＞'),
            '#' => (self.line_start && matches!(next, None | Some(' ' | '#'))).then_some('＃'),
            '*' => self.is_live_star(next, dialect).then_some('＊'),
            // The first edition has no lists (docs/reference/wecom.md#markdown); a client might learn them.
            '-' => (self.line_start && matches!(next, None | Some(' ' | '-' | '\n'))).then_some('–'),
            '+' => (self.line_start && matches!(next, None | Some(' ' | '\n'))).then_some('＋'),
            '.' => self.ends_list_number(next).then_some('．'),
            ')' => self.ends_list_number(next).then_some('）'),
            _ if dialect == Dialect::Markdown => None,
            '|' => Some('｜'),
            '_' => self.is_live_underscore(rest).then_some('＿'),
            '~' => (next == Some('~') || self.before() == Some('~') || next.is_none() || self.before().is_none())
                .then_some('～'),
            '\\' => next.is_none_or(|c| c.is_ascii_punctuation() || c == '\n').then_some('＼'),
            '=' => (self.line_start && matches!(next, None | Some('=' | '\n'))).then_some('＝'),
            _ => None,
        }
    }

    /// `@all` and `@所有人`, but not `ops@allianz.example`.
    fn calls_everyone(&self, rest: &str) -> bool {
        let named = |name: &str| rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
        rest.starts_with("所有人")
            || (["all", "everyone"].into_iter().any(named) && !self.before().is_some_and(|c| c.is_ascii_alphanumeric()))
    }

    /// The first edition knows `**` only; the second also `*italic*`, within words too.
    fn is_live_star(&self, next: Option<char>, dialect: Dialect) -> bool {
        let before = self.before();
        match dialect {
            Dialect::MarkdownV2 => self.line_start || !(before == Some(' ') && next == Some(' ')),
            _ => self.line_start || before.is_none() || next.is_none() || before == Some('*') || next == Some('*'),
        }
    }

    /// An underscore within a word is a letter; elsewhere it could open or close italics.
    fn is_live_underscore(&self, rest: &str) -> bool {
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let before = self.text[..self.position].trim_end_matches('_').chars().next_back();
        !word(before) || !word(rest.trim_start_matches('_').chars().next())
    }

    /// Is the cursor after a number that begins the line, as in `1. first`?
    fn ends_list_number(&self, next: Option<char>) -> bool {
        if !matches!(next, None | Some(' ' | '\n')) {
            return false;
        }
        let line = &self.text[self.line..self.position];
        !line.is_empty() && line.len() <= 9 && line.bytes().all(|b| b.is_ascii_digit())
    }
}

/// `$userName=ID$` and similar texts become a person's name where `enable_id_trans` is on
/// (docs/reference/wecom.md#id-translation).
fn is_translation(rest: &str) -> bool {
    ["userName", "userAlias", "departmentName"]
        .iter()
        .any(|name| rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)))
}

/// `&lt;` or `&#60;`, which a client may decode; `a & b` and `?x=1&y=2` are not.
fn is_entity(rest: &str) -> bool {
    let name = rest.trim_start_matches('#').trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    let length = rest.len() - name.len();
    (1..=33).contains(&length) && name.starts_with(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(text: &str) -> String {
        neutral(text, Dialect::Markdown).into_owned()
    }

    fn v2(text: &str) -> String {
        neutral(text, Dialect::MarkdownV2).into_owned()
    }

    fn plain(text: &str) -> String {
        neutral(text, Dialect::Plain).into_owned()
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in [
            "disk_used{path=\"/var\"}",
            "10.0.0.1:9100",
            "磁盘使用率 96.4%，超过 90%",
            "load < 5 and x <9",
            "C:\\Users\\ops",
            "rate(http_requests_total[5m]) > 3",
            "a & b, ?x=1&y=2",
            "ops@allianz.example",
            "#7K2Q",
            "-5 %",
            "3.5",
            "👨‍👩‍👧 family",
        ] {
            assert_eq!(markdown(text), text);
            assert_eq!(v2(text), text);
            assert_eq!(plain(text), text);
        }
        assert_eq!(markdown("a_b*c"), "a_b*c");
        assert_eq!(plain("`rm -rf *` [x](y) | **bold**"), "`rm -rf *` [x](y) | **bold**");
    }

    #[test]
    fn mentions_and_tags_are_dead_in_every_face() {
        for dialect in [Dialect::Plain, Dialect::Markdown, Dialect::MarkdownV2] {
            assert_eq!(neutral("<@all>", dialect), "＜@all>".replace("@all", "＠all"));
            assert_eq!(neutral("<@zhangsan>", dialect), "＜@zhangsan>");
            assert_eq!(neutral("<font color=\"warning\">x</font>", dialect), "＜font color=\"warning\">x＜/font>");
            assert_eq!(neutral("<\u{200b}@li>", dialect), "＜@li>");
            assert_eq!(neutral("@所有人 @ALL", dialect), "＠所有人 ＠ALL");
            assert_eq!(neutral("$userName=li$ &lt;x&#62;", dialect), "＄userName=li$ ＆lt;x＆#62;");
            assert_eq!(neutral("ends with <", dialect), "ends with ＜");
        }
    }

    #[test]
    fn markdown_in_alert_text_is_dead() {
        assert_eq!(markdown("[bank](http://evil)"), "［bank］(http://evil)");
        assert_eq!(markdown("[bank]\u{200b}(http://evil)"), "［bank］(http://evil)");
        assert_eq!(markdown("disk[0]"), "disk［0］", "what follows the string is unknown");
        assert_eq!(markdown("a[0].b"), "a[0].b");
        assert_eq!(markdown("**x** `y`"), "＊＊x＊＊ 'y'");
        assert_eq!(markdown("# big\n> said\n  ## more"), "＃ big\n＞ said\n＃# more");
    }

    #[test]
    fn markup_of_the_second_edition_is_inert_in_it() {
        assert_eq!(v2("a|b"), "a｜b");
        assert_eq!(v2("*i* _i_ a_b __init__ ~~s~~"), "＊i＊ ＿i＿ a_b ＿＿init＿＿ ～～s～～");
        assert_eq!(v2("- a\n* b\n+ c\n1. d\n2) e\n---\n==="), "– a\n＊ b\n＋ c\n1． d\n2） e\n–--\n＝==");
        assert_eq!(v2(" * a\n * b"), " ＊ a\n＊ b", "the blank that made the star harmless goes away");
        assert_eq!(v2("3 * 4"), "3 * 4");
        assert_eq!(v2("x\n    code"), "x\ncode");
        assert_eq!(v2("ends\\"), "ends＼");
    }

    #[test]
    fn invisible_characters_do_not_survive() {
        assert_eq!(plain("a\0b\u{202e}c\u{2066}d\u{feff}\r\ne\u{7}"), "abcd\ne");
        assert_eq!(one_line(" a\r\n\t b \n"), "a b");
    }
}
