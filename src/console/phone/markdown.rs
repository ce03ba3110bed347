//! Markdown as WeCom draws it (docs/reference/wecom.md#markdown, #markdown-v2). There are no escapes. Pure.

use super::{Block, Span};

/// How deep marks may stand within others.
const DEPTH: usize = 4;
/// The colours of the first edition.
const COLOURS: [&str; 3] = ["info", "comment", "warning"];

/// What an edition knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edition {
    /// Headings, quotes, bold, links, code, three colours and mentions.
    First,
    /// Besides, without colours and mentions: italics, lists, tables, fenced code, pictures and rules.
    Second,
}

/// The first edition.
pub(super) fn first(text: &str) -> Vec<Block> {
    text.lines().map(|line| line_of(line, Edition::First)).collect()
}

/// The second edition.
pub(super) fn second(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            blocks.push(Block::line("code", line));
        } else if let Some(cells) = cells(line) {
            let is_mark = |cell: &str| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':'));
            if cells.iter().all(|cell| is_mark(cell)) {
                // The line below a heading makes it one.
                if let Some(heading) = blocks.last_mut().filter(|block| block.class == "tr") {
                    heading.class = "th";
                }
                continue;
            }
            let cells = cells.into_iter().map(|cell| spans(cell, Edition::Second, 0)).collect();
            blocks.push(Block { class: "tr", spans: Vec::new(), cells });
        } else {
            blocks.push(line_of(line, Edition::Second));
        }
    }
    blocks
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

fn line_of(line: &str, edition: Edition) -> Block {
    let trimmed = line.trim_start();
    if trimmed.is_empty() {
        return Block::line("gap", "");
    }
    let marks = trimmed.len() - trimmed.trim_start_matches('#').len();
    if (1..=6).contains(&marks)
        && let Some(rest) = trimmed[marks..].strip_prefix(' ')
    {
        let class = ["h1", "h2", "h3"][marks.min(3) - 1];
        return Block::of(class, spans(rest, edition, 0));
    }
    if let Some(rest) = trimmed.strip_prefix('>') {
        return Block::of("quote", spans(rest.trim_start(), edition, 0));
    }
    if edition == Edition::Second {
        if trimmed.len() >= 3 && trimmed.bytes().all(|byte| byte == b'-') {
            return Block::of("hr", Vec::new());
        }
        if let Some(rest) = ["- ", "* ", "+ "].into_iter().find_map(|mark| trimmed.strip_prefix(mark)) {
            let class = if line.len() - trimmed.len() >= 2 { "item deep" } else { "item" };
            let mut shown = vec![Span::of("", "• ")];
            shown.extend(spans(rest, edition, 0));
            return Block::of(class, shown);
        }
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && trimmed[digits..].starts_with(". ") {
            return Block::of("item", spans(trimmed, edition, 0));
        }
    }
    Block::of("", spans(line, edition, 0))
}

/// The pieces of a line.
fn spans(text: &str, edition: Edition, depth: usize) -> Vec<Span> {
    let (mut found, mut plain) = (Vec::new(), String::new());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let piece = if depth < DEPTH { marked(rest, edition, depth) } else { None };
        if let Some((pieces, left)) = piece {
            if !plain.is_empty() {
                found.push(Span::of("", &std::mem::take(&mut plain)));
            }
            found.extend(pieces);
            rest = left;
        } else {
            plain.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    if !plain.is_empty() {
        found.push(Span::of("", &plain));
    }
    found
}

/// The pieces of a mark at the beginning of `text`, and what follows it.
fn marked(text: &str, edition: Edition, depth: usize) -> Option<(Vec<Span>, &str)> {
    let within = |inner: &str, class: &'static str| {
        let mut inner = spans(inner, edition, depth + 1);
        inner.iter_mut().filter(|span| span.class.is_empty()).for_each(|span| span.class = class);
        inner
    };
    let between = |open: &str, close: &str| {
        let (inner, rest) = text.strip_prefix(open)?.split_once(close)?;
        (!inner.is_empty()).then_some((inner, rest))
    };
    if let Some((inner, rest)) = between("`", "`") {
        return Some((vec![Span::of("mono", inner)], rest));
    }
    if let Some((inner, rest)) = between("**", "**") {
        return Some((within(inner, "bold"), rest));
    }
    if edition == Edition::Second {
        if let Some((inner, rest)) = between("*", "*").filter(|(inner, _)| !inner.starts_with([' ', '*'])) {
            return Some((within(inner, "italic"), rest));
        }
        if let Some((name, url, rest)) = text.strip_prefix('!').and_then(link) {
            return Some((vec![Span::link(&format!("🖼 {name}"), url)], rest));
        }
    }
    if let Some((name, url, rest)) = link(text) {
        return Some((vec![Span::link(name, url)], rest));
    }
    if edition == Edition::First {
        if let Some((colour, rest)) = text.strip_prefix("<font color=\"").and_then(|rest| rest.split_once("\">"))
            && let Some(colour) = COLOURS.into_iter().find(|known| *known == colour)
            && let Some((inner, rest)) = rest.split_once("</font>")
        {
            let mut inner = within(inner, colour);
            inner.iter_mut().filter(|span| span.class == "bold").for_each(|span| span.class = strong(colour));
            return Some((inner, rest));
        }
        if let Some((person, rest)) = between("<@", ">")
            && !person.contains(['<', ' ', '\n'])
        {
            return Some((vec![Span::of("mention", &format!("@{person}"))], rest));
        }
    }
    None
}

fn strong(colour: &'static str) -> &'static str {
    match colour {
        "info" => "info bold",
        "comment" => "comment bold",
        _ => "warning bold",
    }
}

/// `[name](url)` at the beginning, and what follows it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (url, rest) = rest.split_once(')')?;
    (!name.is_empty() && !name.contains('[') && !url.contains([' ', '('])).then_some((name, url, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(blocks: &[Block]) -> Vec<String> {
        let span = |span: &Span| match (span.class, span.href.as_str()) {
            ("", _) => span.text.clone(),
            (class, "") => format!("{{{class}:{}}}", span.text),
            (class, href) => format!("{{{class}:{}→{href}}}", span.text),
        };
        let all = |spans: &[Span]| spans.iter().map(span).collect::<String>();
        let block = |block: &Block| {
            if block.cells.is_empty() {
                format!("{} {}", block.class, all(&block.spans))
            } else {
                format!("{} {}", block.class, block.cells.iter().map(|cell| all(cell)).collect::<Vec<_>>().join(" | "))
            }
        };
        blocks.iter().map(block).collect()
    }

    #[test]
    fn the_first_edition_has_colours_bold_quotes_links_and_mentions() {
        let text = "<font color=\"warning\">**🔴 严重**</font> **磁盘** a*b*c\n> 自 `14:02` <font color=\"x\">y</font>\n[规则](http://p/x) [坏](javascript:x) <@zhangsan>\n\n# 题\n- 不是列表 <b>x</b>";
        assert_eq!(
            shown(&first(text)),
            [
                " {warning bold:🔴 严重} {bold:磁盘} a*b*c",
                "quote 自 {mono:14:02} <font color=\"x\">y</font>",
                " {link:规则→http://p/x} {link:坏} {mention:@zhangsan}",
                "gap ",
                "h1 题",
                " - 不是列表 <b>x</b>",
            ]
        );
    }

    #[test]
    fn the_second_edition_has_lists_tables_code_and_italics_and_no_colours() {
        let text = "### 🔴 磁盘\n- 一 **二**\n  - 深\n1. 甲\n---\n| 名 | 值 |\n|:--|--:|\n| a | *b* |\n```\n<b>**x**</b>\n```\n![图](http://x/a.png) <font color=\"info\">x</font>";
        assert_eq!(
            shown(&second(text)),
            [
                "h3 🔴 磁盘",
                "item • 一 {bold:二}",
                "item deep • 深",
                "item 1. 甲",
                "hr ",
                "th 名 | 值",
                "tr a | {italic:b}",
                "code <b>**x**</b>",
                " {link:🖼 图→http://x/a.png} <font color=\"info\">x</font>",
            ]
        );
    }

    #[test]
    fn marks_that_are_not_closed_or_stand_too_deep_are_text() {
        for text in ["**a", "`a", "[a](b", "[a] (b)", "****", "``", "#a", "<@a b>", "[a](b c)"] {
            assert_eq!(shown(&first(text)), [format!(" {text}")], "{text}");
        }
        let deep = format!("{}x{}", "<font color=\"info\">**".repeat(900), "**</font>".repeat(900));
        assert!(!first(&deep)[0].spans.is_empty());
        let long = "[".repeat(4_000);
        assert_eq!(first(&long)[0].spans[0].text.len(), 4_000);
    }
}
