//! Fits text into WeCom's limits, counted in bytes or characters as WeCom counts.
//!
//! Owns cutting. A cut never splits a visible character, a link, a tag, a code span or a table row, and closes open
//! markup. Cutting is the last resort: `compose` first drops whole items.

use std::borrow::Cow;

use super::neutral::Dialect;

/// Marks a cut.
pub(super) const ELLIPSIS: &str = "…";

/// `text` in at most `max` characters, with an ellipsis if something is missing.
pub(super) fn cut_chars(text: &str, max: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(max) else { return Cow::Borrowed(text) };
    if max == 0 {
        return Cow::Borrowed("");
    }
    let last = text[..end].char_indices().next_back().map_or(0, |(start, _)| start);
    Cow::Owned(format!("{}{ELLIPSIS}", text[..boundary(text, last)].trim_end()))
}

/// `text` in at most `max` bytes, with an ellipsis if something is missing and there is room for one.
pub(super) fn cut_bytes(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    match max.checked_sub(ELLIPSIS.len()) {
        Some(room) => Cow::Owned(format!("{}{ELLIPSIS}", text[..boundary(text, room)].trim_end())),
        None => Cow::Borrowed(""),
    }
}

/// The last position at or before `max` that does not split a visible character.
fn boundary(text: &str, max: usize) -> usize {
    let mut end = text.floor_char_boundary(max);
    while end > 0 && !is_boundary(text, end) {
        end = text[..end].char_indices().next_back().map_or(0, |(start, _)| start);
    }
    end
}

/// Is `at` (a character boundary) between two visible characters? Knows what alerts contain: combining marks,
/// variation selectors, skin tones, joined emoji and flags; not every rule of Unicode's annex 29.
fn is_boundary(text: &str, at: usize) -> bool {
    let (Some(before), Some(after)) = (text[..at].chars().next_back(), text[at..].chars().next()) else {
        return true;
    };
    if before.is_ascii() && after.is_ascii() {
        return true;
    }
    let extends = matches!(after,
        '\u{200c}' | '\u{200d}' | '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{93a}'..='\u{93c}' | '\u{93e}'..='\u{94f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{3099}' | '\u{309a}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0100}'..='\u{e01ef}');
    let flag = |c: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    let flags_before = || text[..at].chars().rev().take_while(|&c| flag(c)).count();
    !(extends || before == '\u{200d}' || (flag(after) && flags_before() % 2 == 1))
}

/// `text` (a message with markup) in at most `max` bytes. Markup open at the cut is closed after the ellipsis.
pub(super) fn cut_markup(text: &str, max: usize, dialect: Dialect) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let mut open: Vec<&'static str> = Vec::new();
    let mut best = (0, open.clone());
    let mut position = 0;
    while position < text.len() && position <= max {
        let (length, change) = token(text, position, dialect, open.last() == Some(&FENCE));
        position += length;
        match change {
            Change::None => {}
            Change::Toggle(closer) if open.contains(&closer) => open.retain(|&known| known != closer),
            Change::Open(closer) | Change::Toggle(closer) => open.push(closer),
            Change::Close(closer) => {
                if let Some(at) = open.iter().rposition(|&known| known == closer) {
                    open.truncate(at);
                }
            }
            // Bold and similar markup ends with the line.
            Change::Line => open.retain(|&known| known != BOLD),
        }
        let closing: usize = open.iter().map(|closer| closer.len()).sum();
        // One more byte for the line end that a table row needs before the ellipsis.
        if position + closing + ELLIPSIS.len() < max && is_boundary(text, position) {
            best.0 = position;
            best.1.clone_from(&open);
        }
    }
    let kept = text[..best.0].trim_end();
    let in_table = kept.rsplit('\n').next().is_some_and(|line| line.starts_with('|'));
    let mut out = String::with_capacity(max);
    out.push_str(kept);
    if in_table {
        out.push('\n');
    }
    if max >= ELLIPSIS.len() {
        out.push_str(ELLIPSIS);
    }
    out.extend(best.1.iter().rev().copied());
    Cow::Owned(out)
}

const BOLD: &str = "**";
const FONT: &str = "</font>";
const DIV: &str = "</div>";
const FENCE: &str = "\n```";

/// The effect of a token on open markup.
enum Change {
    None,
    Open(&'static str),
    Close(&'static str),
    Toggle(&'static str),
    Line,
}

/// Length and effect of the token at `position`: what must not be split.
fn token(text: &str, position: usize, dialect: Dialect, fenced: bool) -> (usize, Change) {
    let rest = &text[position..];
    let line_start = position == 0 || text.as_bytes()[position - 1] == b'\n';
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let line = rest.find('\n').unwrap_or(rest.len());
    if dialect == Dialect::MarkdownV2 && line_start && rest.starts_with("```") {
        return (line, Change::Toggle(FENCE));
    }
    if fenced {
        return (first, Change::None);
    }
    let markdown = dialect != Dialect::Plain;
    match rest.as_bytes()[0] {
        b'\n' => (1, Change::Line),
        b'|' if line_start && dialect == Dialect::MarkdownV2 => (line, Change::None),
        b'`' if markdown => (rest[1..line].find('`').map_or(1, |end| end + 2), Change::None),
        b'*' if markdown && rest.starts_with(BOLD) => (2, Change::Toggle(BOLD)),
        b'[' if markdown => (link_length(&rest[..line]).unwrap_or(1), Change::None),
        b'<' => tag(&rest[..line], markdown),
        _ => (first, Change::None),
    }
}

/// Length of the `[text](url)` that `rest` begins with.
fn link_length(rest: &str) -> Option<usize> {
    let middle = rest.find("](")?;
    Some(middle + 2 + rest[middle + 2..].find(')')? + 1)
}

/// Length and effect of the tag that `rest` begins with.
fn tag(rest: &str, markdown: bool) -> (usize, Change) {
    let Some(end) = rest.find('>').map(|end| end + 1) else { return (1, Change::None) };
    match (&rest[..end], markdown) {
        (FONT, true) => (end, Change::Close(FONT)),
        (DIV, false) => (end, Change::Close(DIV)),
        (head, true) if head.starts_with("<font ") => (end, Change::Open(FONT)),
        (head, true) if head.starts_with("<@") => (end, Change::None),
        (head, false) if head.starts_with("<div") => (end, Change::Open(DIV)),
        (head, false) if head.starts_with("<a ") => {
            (rest.find("</a>").map_or(end, |close| close + "</a>".len()), Change::None)
        }
        (head, false) if head.starts_with("<br") => (end, Change::None),
        _ => (1, Change::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_unchanged() {
        assert_eq!(cut_chars("告警", 2), "告警");
        assert_eq!(cut_bytes("告警", 6), "告警");
        assert_eq!(cut_markup("**告警**", 10, Dialect::Markdown), "**告警**");
    }

    #[test]
    fn a_cut_counts_bytes_and_never_splits_a_visible_character() {
        assert_eq!(cut_bytes("告警告警", 10), "告警…");
        assert_eq!(cut_bytes("告警", 2), "");
        assert_eq!(cut_chars("abcdef", 4), "abc…");
        assert_eq!(cut_chars("abcdef", 0), "");
        let family = "👨‍👩‍👧";
        for max in 0..40 {
            let text = format!("{family}{family}🇨🇳🇨🇳e\u{301}");
            let cut = cut_bytes(&text, max);
            assert!(cut.len() <= max);
            let kept = cut.trim_end_matches('…');
            assert!(
                ["", family, &format!("{family}{family}"), &format!("{family}{family}🇨🇳")].contains(&kept)
                    || kept.ends_with("🇨🇳🇨🇳")
                    || kept == text,
                "{kept:?}"
            );
        }
    }

    #[test]
    fn a_cut_closes_what_was_open() {
        let text = "<font color=\"warning\">**一二三四五六**</font> 完";
        let mut seen = std::collections::BTreeSet::new();
        for max in 40..text.len() {
            let cut = cut_markup(text, max, Dialect::Markdown);
            assert!(cut.len() <= max, "{cut}");
            assert_eq!(cut.matches("<font").count(), cut.matches("</font>").count(), "{cut}");
            assert_eq!(cut.matches("**").count() % 2, 0, "{cut}");
            seen.insert(cut.into_owned());
        }
        assert!(seen.contains("<font color=\"warning\">**一二…**</font>"), "{seen:?}");
    }

    #[test]
    fn a_cut_never_falls_into_a_link_a_code_span_a_mention_or_a_table_row() {
        let text = "a [面板](https://g.example.com/d) `code` <@zhangsan> end of it";
        for max in 10..text.len() {
            let cut = cut_markup(text, max, Dialect::Markdown);
            assert!(cut.len() <= max, "{cut}");
            assert!(!cut.contains('[') || cut.contains("[面板](https://g.example.com/d)"), "{cut}");
            assert_eq!(cut.matches('`').count() % 2, 0, "{cut}");
            assert!(!cut.contains('<') || cut.contains("<@zhangsan>"), "{cut}");
        }
        let table = "x\n\n| 实例 | 值 |\n|---|---|\n| db-1 | 96 |\n| db-2 | 95 |\n";
        for max in 20..table.len() {
            let cut = cut_markup(table, max, Dialect::MarkdownV2);
            assert!(cut.len() <= max, "{cut}");
            for line in cut.lines().filter(|line| line.starts_with('|')) {
                assert!(line.ends_with('|'), "{cut}");
            }
        }
        let card = "<div class=\"gray\">一二三四</div><a href=\"https://g.example.com\">面板</a>尾巴尾巴";
        for max in 30..card.len() {
            let cut = cut_markup(card, max, Dialect::Plain);
            assert!(cut.len() <= max, "{cut}");
            assert_eq!(cut.matches("<div").count(), cut.matches("</div>").count(), "{cut}");
            assert_eq!(cut.matches("<a").count(), cut.matches("</a>").count(), "{cut}");
        }
    }

    #[test]
    fn a_fence_is_closed_on_a_line_of_its_own() {
        let text = "```\nline one\nline two\nline three\n```\nafter";
        let cut = cut_markup(text, 30, Dialect::MarkdownV2);
        assert_eq!(cut, "```\nline one\nline two…\n```");
    }
}
