//! What a text says without its decoration, and whether it says anything: placeholders that a sender did not expand,
//! words for "nothing", marks of HTML, markdown and Slack, names of signs.

mod html;
pub mod secrets;
mod signs;

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::pattern::regex;
use regex::Regex;

/// A longer text is never one of the words for nothing, nor wholly placeholder.
const LONGEST_NOTHING: usize = 256;

/// Words that senders use for an empty value.
const NOTHING: &[&str] = &[
    "null",
    "none",
    "nil",
    "undefined",
    "n/a",
    "na",
    "-",
    "--",
    "nan",
    "(null)",
    "<nil>",
    "[object object]",
    "*unknown*",
    "<no value>",
    "[no value]",
    "monitor name not available",
    "testing.hostname",
    "0001-01-01t00:00:00z",
    "1970-01-01t00:00:00z",
    "0001-01-01 00:00:00",
    "1970-01-01 00:00:00",
];

/// A macro that the sender did not expand, in the notation of one of many products.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) \{\{[^{}]*\}\} | [\$\#%]\{[^{}]*\} | \{[\$\#]?[A-Za-z][0-9A-Za-z_\u{4E00}-\u{9FFF}.:\x20]{0,60}\} | %[A-Z][A-Z0-9_]+%
            | \$[A-Z][A-Z0-9_]{2,} | @@[A-Z][A-Z0-9_]*@@ | <%[^%]*%> | %![a-zA-Z]\([^)]*\) | <no\ value> | \[no\ value\]",
    )
});

/// `UptimeRobot`'s notation; elsewhere it is emphasis, so only a whole text of it is a placeholder.
static STARRED: LazyLock<Regex> = LazyLock::new(|| regex(r"\*[A-Za-z]\w*\*"));

/// Is `text` without use for a person?
pub fn is_missing(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST_NOTHING {
        return text.is_empty();
    }
    let lower = text.to_lowercase();
    if NOTHING.contains(&lower.as_str()) {
        return true;
    }
    if !text.contains(['{', '%', '$', '*', '@', '<', '[']) {
        return false;
    }
    let without = PLACEHOLDER.replace_all(text, "");
    let without = STARRED.replace_all(&without, "");
    without.len() < text.len() && without.chars().all(|c| c.is_whitespace() || matches!(c, '/' | ':' | '_' | '-'))
}

/// `text` with `…` in the place of each macro that was not expanded.
pub fn without_placeholders(text: &str) -> Cow<'_, str> {
    PLACEHOLDER.replace_all(text, "…")
}

/// Does a macro that was not expanded stand anywhere in `text`?
pub fn has_placeholder(text: &str) -> bool {
    text.contains(['{', '%', '$', '@', '<', '[']) && PLACEHOLDER.is_match(text) || {
        let text = text.trim();
        text.len() < 64 && text.starts_with('*') && STARRED.find(text).is_some_and(|found| found.len() == text.len())
    }
}

static BREAKS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)<\s*(?:br|hr)\s*/?\s*>|</\s*(?:p|div|li|tr|h[1-6]|ul|ol|table|blockquote)\s*>"));
/// What a browser does not show: styles, scripts, comments.
static UNSEEN: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?is)<style\b[^>]*>.*?(?:</style\s*>|$)|<script\b[^>]*>.*?(?:</script\s*>|$)|<!--.*?(?:-->|$)|<!doctype[^>]*>",
    )
});
static CELLS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)</\s*(?:td|th|dt|dd)\s*>"));
static ANCHOR: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?is)<a\s[^>]*?href\s*=\s*["']?(https?://[^\s"'>]+)[^>]*>(.*?)</a\s*>"#));
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)</?\s*(?:a|abbr|at|b|big|blockquote|body|center|code|dd|del|div|dl|dt|em|font|h[1-6]|head|html|i|img|ins",
        r"|li|meta|ol|p|pre|s|small|span|strike|strong|style|sub|sup|table|tbody|td|th|thead|title|tr|u|ul)(?:\s[^<>]*)?/?\s*>"
    ))
});
static SLACK_LINK: LazyLock<Regex> = LazyLock::new(|| regex(r"<(https?://[^|<>\s]+)\|([^<>]*)>"));
static SLACK_BARE: LazyLock<Regex> = LazyLock::new(|| regex(r"<(https?://[^|<>\s]+)>"));
static SLACK_CALL: LazyLock<Regex> = LazyLock::new(|| regex(r"<([@!#])([^<>\s]{1,60})>"));
static AT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?is)<at\b[^>]*>.*?</at\s*>"));
/// `[words](address)`: brackets in the words and in the address are in pairs. The address of another program's page
/// (`dingtalk://…?url=…`) holds that of the page.
static MARKDOWN_LINK: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"!?\[((?:[^\[\]\n]|\[[^\[\]\n]*\]){0,300})\]",
        r"\(\s*<?((?:[A-Za-z][A-Za-z0-9+.-]{1,20}:|[/#])(?:[^()\s<>]|\([^()\s]*\))*)>?\s*\)"
    ))
});
static ENTITY: LazyLock<Regex> = LazyLock::new(|| regex(r"&(amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});"));
static BOLD: LazyLock<Regex> = LazyLock::new(|| regex(r"(\*\*|__|~~)(\S(?:.*?\S)?)(\*\*|__|~~)"));
static STRONG: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(^|[\s(\[（【「,，;；。、：|>])\*([^\s*](?:[^*\n]*[^\s*])?)\*($|[\s\p{P}])"));
static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"`+([^`]+)`+"));

/// `text` without the marks of HTML and of Slack: tags that end a line become line ends, other known tags go, links
/// are told by their words and their address. What is no known tag stays: `a < b`, `map<string>`.
pub fn prose(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '&']) {
        return Cow::Borrowed(text);
    }
    let text = UNSEEN.replace_all(text, "");
    let text = AT.replace_all(&text, "");
    let text = html::tables(&text);
    let text = ANCHOR.replace_all(&text, |found: &regex::Captures<'_>| {
        let words = TAG.replace_all(&found[2], "");
        if words.trim() == &found[1] { found[1].to_owned() } else { format!("{} {}", words.trim(), &found[1]) }
    });
    let text = BREAKS.replace_all(&text, "\n");
    let text = CELLS.replace_all(&text, " ");
    let text = TAG.replace_all(&text, "");
    let text = SLACK_LINK.replace_all(&text, "$2 $1");
    let text = SLACK_BARE.replace_all(&text, "$1");
    let text = entities(&text).into_owned();
    Cow::Owned(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned())
}

fn entities(text: &str) -> Cow<'_, str> {
    ENTITY.replace_all(text, |found: &regex::Captures<'_>| {
        let letter = match &found[1] {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => ' ',
            number => {
                let digits = number.trim_start_matches('#');
                let code = match digits.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => digits.parse(),
                };
                code.ok().and_then(char::from_u32).filter(|letter| !letter.is_control()).unwrap_or('\u{FFFD}')
            }
        };
        letter.to_string()
    })
}

/// One line as a person reads it: without tags, entities, the addresses of links, marks of headings, quotes, lists and
/// emphasis, zero-width characters. A word in the middle is never touched.
pub fn line(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !is_invisible(*letter)).collect();
    let text = UNSEEN.replace_all(&text, "");
    let text = AT.replace_all(&text, "");
    let text = SLACK_LINK.replace_all(&text, "$2");
    let text = SLACK_BARE.replace_all(&text, "$1");
    let text = SLACK_CALL.replace_all(&text, "");
    let text = TAG.replace_all(&text, "");
    let text = BREAKS.replace_all(&text, " ");
    without_marks(&entities(&MARKDOWN_LINK.replace_all(&text, "$1")))
}

/// The same of a line that [`prose`] went over: its tags and entities are gone, and what they wrote out is text.
pub fn line_of_prose(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !is_invisible(*letter)).collect();
    without_marks(&MARKDOWN_LINK.replace_all(&SLACK_CALL.replace_all(&text, ""), "$1"))
}

/// `text` with the names of those who are called, without the numbers that Slack gives them.
fn called(text: &str) -> Cow<'_, str> {
    SLACK_CALL.replace_all(text, |found: &regex::Captures<'_>| {
        let mark = if &found[1] == "#" { "#" } else { "@" };
        let (number, name) = found[2].split_once('|').unwrap_or((&found[2], &found[2]));
        let is_number = name == number
            && (name.contains('^') || name.starts_with(['U', 'W', 'C', 'S', 'B']) && name.len() >= 8 && is_code(name));
        if is_number { String::new() } else { format!("{mark}{}", name.trim_start_matches(['@', '#'])) }
    })
}

fn is_code(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && name.bytes().any(|byte| byte.is_ascii_digit())
}

fn without_marks(text: &str) -> String {
    let text = unmarked(text.trim());
    let text = without_emphasis(text);
    let text = unmarked(text.trim()).trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '~' | '|'));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_emphasis(text: &str) -> String {
    let text = BOLD.replace_all(text, "$2");
    let text = STRONG.replace_all(&text, "$1$2$3");
    signs::shown(&CODE.replace_all(&text, "$1")).into_owned()
}

/// `text` as a person reads it, line by line: as [`prose`] leaves it and without the marks of markdown and Slack. Links are told
/// by their words and their address, tables by their cells, `:fire:` by its sign. Code stays as it is, and so does a line
/// without marks. Behind the first 64 KiB nothing changes: no message shows as much.
pub fn text(text: &str) -> String {
    const CLEANED: usize = 64 << 10;
    if text.len() <= CLEANED {
        return cleaned(text);
    }
    let end = text.floor_char_boundary(CLEANED);
    match text[..end].rfind('\n') {
        Some(line) => format!("{}\n{}", cleaned(&text[..line]), text[line + 1..].trim_end()),
        None => format!("{}{}", cleaned(&text[..end]), text[end..].trim_end()),
    }
}

fn cleaned(text: &str) -> String {
    let text = prose(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    let (mut in_code, mut in_table) = (false, false);
    for (at, line) in lines.iter().enumerate() {
        if is_fence(line) {
            in_code = !in_code;
        } else if in_code {
            out.push((*line).to_owned());
        } else if is_picture(line) {
            // A picture alone on its line says nothing in words.
        } else if is_border(line) {
            in_table = line.contains('|');
        } else {
            let heads = lines.get(at + 1).is_some_and(|next| next.contains('|') && is_border(next));
            in_table &= line.contains('|');
            let shown =
                if in_table || heads && line.contains('|') || is_row(line) { row(line) } else { text_line(line) };
            out.extend(Some(shown).filter(|shown| !shown.trim().is_empty()));
        }
    }
    out.join("\n").trim().to_owned()
}

/// Does the line begin or end code?
fn is_fence(line: &str) -> bool {
    let line = line.trim();
    let after = line.trim_start_matches('`');
    line.len() >= after.len() + 3
        && after.len() <= 20
        && after.chars().all(|c| c.is_alphanumeric() || "+-_#".contains(c))
}

/// Is the line nothing but a picture (`![logo](https://…)`)?
fn is_picture(line: &str) -> bool {
    static PICTURE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^\s*(?:!\[[^\[\]\n]{0,100}\]\(\s*https?://[^()\s]+\s*\)\s*)+$"));
    line.contains("![") && PICTURE.is_match(line)
}

/// Is it the line between the head of a table and its rows, or one that only draws?
fn is_border(line: &str) -> bool {
    let line = line.trim();
    line.contains("--") && line.contains(['|', '+']) && line.chars().all(|letter| "|+-:= ".contains(letter))
}

fn is_row(line: &str) -> bool {
    let line = line.trim();
    line.len() > 2 && line.starts_with('|') && line.ends_with('|')
}

/// A row of a table: `name: value` of two cells.
fn row(line: &str) -> String {
    let cells = line.trim().trim_matches('|').split('|').map(text_line);
    let cells: Vec<String> = cells.filter(|cell| !cell.trim().is_empty()).map(|cell| cell.trim().to_owned()).collect();
    match &cells[..] {
        [name, value] => format!("{}: {value}", name.trim_end_matches([':', '：'])),
        several => several.join(" · "),
    }
}

fn text_line(line: &str) -> String {
    let visible: String = line.chars().filter(|letter| !is_invisible(*letter)).collect();
    let linked = MARKDOWN_LINK.replace_all(&visible, |found: &regex::Captures<'_>| with_address(&found[1], &found[2]));
    let called = called(&linked);
    let (bullet, rest) = bullet(called.trim());
    let plain = unmarked(without_emphasis(unmarked(rest)).trim()).trim_end().to_owned();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = format!("{bullet}{plain}");
    // Columns and indents of a line without marks stay.
    if words(&shown) == words(line) {
        line.trim_end().to_owned()
    } else if shown.contains(BEHIND) {
        words(&shown.replace(BEHIND, " "))
    } else {
        shown
    }
}

/// Stands for the blank behind an address while marks are taken off.
const BEHIND: char = '\u{E000}';

/// A link by its words and its address, if it leads to a page.
fn with_address(words: &str, address: &str) -> String {
    let page = address.starts_with("http://") || address.starts_with("https://");
    let address = if page { Cow::Borrowed(address) } else { page_of(address).unwrap_or_default() };
    match (words.trim(), &*address) {
        (words, "") => words.to_owned(),
        (words, address) if words.is_empty() || words == address => address.to_owned(),
        (words, address) => format!("{words} {address}{BEHIND}"),
    }
}

/// The page that the address of a program opens: `dingtalk://dingtalkclient/page/link?url=https%3A%2F%2F…`.
fn page_of(address: &str) -> Option<Cow<'_, str>> {
    let (_, query) = address.split_once('?')?;
    let (_, page) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "url")?;
    page.starts_with("http").then(|| Cow::Owned(page.into_owned()))
}

/// The mark of an item of a list, as `- `, and the item.
fn bullet(line: &str) -> (&'static str, &str) {
    let found =
        line.strip_prefix(['-', '*', '+', '•', '·', '●', '▪', '◦']).filter(|rest| rest.starts_with([' ', '\t']));
    found.map_or(("", line), |rest| ("- ", rest.trim_start()))
}

/// Without the marks that begin a heading, a quote or a list. `#42` and `-5` are no marks.
fn unmarked(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next().filter(|first| "#>*-=_~|%•·".contains(*first)) else { return rest };
        let after = rest.trim_start_matches(first);
        let run = rest.len() - after.len();
        let is_mark = first == '>'
            || after.is_empty()
            || after.starts_with(char::is_whitespace)
            || (run >= 3 && !matches!(first, '*' | '_' | '~'))
            || (run == 2 && first == '#');
        if !is_mark {
            return rest;
        }
        rest = after;
    }
}

/// The words of `line`, and the addresses behind them, which lead on: `详情：https://…`. An address that is alone, amid the words
/// or the object of a preposition (`failed for https://…`) is one of the words.
pub fn without_addresses(line: &str) -> (&str, &str) {
    const OF: [&str; 10] = ["for", "on", "at", "of", "to", "from", "in", "with", "url", "is"];
    static ADDRESSES: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:[\s(（<\[【]*https?://[!-~&&[^\[\]]]+?[)）>\]】]?)+\s*$"));
    let Some(found) = ADDRESSES.find(line) else { return (line, "") };
    let words = line[..found.start()].trim_end_matches([':', '：', '|', '-', '·', ' ']);
    let last = words.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    if !words.chars().any(char::is_alphanumeric) || OF.iter().any(|word| last.eq_ignore_ascii_case(word)) {
        return (line, "");
    }
    (words, found.as_str().trim())
}

const fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{FE0F}' | '\u{202A}'..='\u{202E}')
}

/// The first line with a letter or digit in it, and what comes after it.
pub fn first_line(text: &str) -> (String, &str) {
    let mut rest = text;
    while !rest.is_empty() {
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let first = line(first);
        if first.chars().any(char::is_alphanumeric) {
            return (first, after);
        }
        rest = after;
    }
    (String::new(), "")
}

/// At most `limit` bytes of `text`, cut between characters and then marked with `…`.
pub fn excerpt(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(limit.saturating_sub('…'.len_utf8()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_words_for_nothing_are_missing() {
        for text in [
            "",
            "  ",
            "null",
            "N/A",
            "{HOST.NAME}",
            "{DATE} {TIME}",
            "*alertFriendlyDuration*",
            "@@TEXT@@",
            "$EVENT_MSG",
            "%HOSTNAME%",
            "*UNKNOWN*",
            "${x}",
            "#{y}",
            "%{z}",
            "{{ $labels.instance }}",
            "{$MACRO}",
            "{#FSNAME}",
            "{ProblemID}",
            "<no value>",
            "[no value]",
            "<%= x %>",
            "%!v(MISSING)",
            "{EVENT.DATE}-{EVENT.TIME}",
            "[object Object]",
        ] {
            assert!(is_missing(text), "{text}");
        }
        for text in ["0", "50%", "$5 off", "{\"a\":1}", "x {HOST.NAME}", "false", "[P1]", "100% of 5%", "{}x"] {
            assert!(!is_missing(text), "{text}");
        }
        assert!(
            has_placeholder("problem-{EVENT.ID}") && has_placeholder("*alertID*") && !has_placeholder("*bold* text")
        );
    }

    #[test]
    fn decoration_goes_and_words_stay() {
        for (text, plain) in [
            ("### <font color=\"warning\">磁盘将满</font>", "磁盘将满"),
            ("> **a** < b", "a < b"),
            ("hello **x**", "hello x"),
            ("**只有粗体**", "只有粗体"),
            ("*order-api* 部署失败", "order-api 部署失败"),
            ("<https://ci.example.com/job/42|查看日志>", "查看日志"),
            ("[查看](https://a.example.com/x) 详情", "查看 详情"),
            ("A `pod` in `order`", "A pod in order"),
            ("#42 failed", "#42 failed"),
            ("- 第一项", "第一项"),
            ("-5 度", "-5 度"),
            ("a &lt; b &amp;&nbsp;c", "a < b & c"),
            ("支付成功率跌到 82%", "支付成功率跌到 82%"),
            ("2 * 3 * 4", "2 * 3 * 4"),
            ("disk_space_usage on a_b", "disk_space_usage on a_b"),
            ("x <at user_id=\"all\">所有人</at>", "x"),
            ("==== 严重 ====", "严重 ===="),
        ] {
            assert_eq!(line(text), plain, "{text}");
        }
        assert_eq!(first_line("%%%\n\n订单主机\n第二行").0, "订单主机");
    }

    #[test]
    fn a_text_loses_its_marks_and_keeps_its_words() {
        for (marked, plain) in [
            ("## 磁盘将满\n> **主机**：db-1\n> 级别：*P1*", "磁盘将满\n主机：db-1\n级别：P1"),
            ("##磁盘将满", "磁盘将满"),
            ("a\n\n \nb", "a\nb"),
            (
                "[甲](https://a.example.com)|[乙](https://b.example.com)",
                "甲 https://a.example.com |乙 https://b.example.com",
            ),
            ("* one\n+ two\n• three\n- four", "- one\n- two\n- three\n- four"),
            ("**[面板](https://g.example.com/d/1)** 先看", "面板 https://g.example.com/d/1 先看"),
            ("[[P1] 缓存](https://g.example.com/a_(b)) 慢", "[P1] 缓存 https://g.example.com/a_(b) 慢"),
            (
                "[打开](dingtalk://dingtalkclient/page/link?url=https%3A%2F%2Fg.example.com%2F1&pc_slide=false)",
                "打开 https://g.example.com/1",
            ),
            ("[顶部](#top) ![](https://g.example.com/p.png)", "顶部 https://g.example.com/p.png"),
            ("| 项 | 值 |\n|----|:--:|\n| CPU | 97% |\n| 内存 | 60% |", "项: 值\nCPU: 97%\n内存: 60%"),
            ("host | cpu | mem\n--- | --- | ---\nweb-1 | 97% | 60%", "host · cpu · mem\nweb-1 · 97% · 60%"),
            ("+----+----+\n| a | b |\n+----+----+", "a: b"),
            (
                ":rotating_light: 缓存慢 :fire::fire:\n10:30:45 a:b:c :custom_logo:",
                "🚨 缓存慢 🔥🔥\n10:30:45 a:b:c :custom_logo:",
            ),
            ("before\n```sql\n# select *\n  from `t`\n```\nafter", "before\n# select *\n  from `t`\nafter"),
            ("<@U012AB3CD> <@zhangsan> <!here> <!subteam^S0123> <#C0123456|ops>", "@zhangsan @here  #ops"),
            ("Caused by: x\n    at a.B.c(D.java:7)\ntotal   5", "Caused by: x\n    at a.B.c(D.java:7)\ntotal   5"),
            (
                "process:*evil* and 2 * 3 * 4, #42, snake_case_name, a|b",
                "process:*evil* and 2 * 3 * 4, #42, snake_case_name, a|b",
            ),
            ("kb ~~old~~ __new__ `code` x", "kb old new code x"),
        ] {
            assert_eq!(text(marked), plain, "{marked}");
            assert!(marked.contains("```") || text(plain) == plain, "what has no marks stays: {plain}");
        }
    }

    #[test]
    fn addresses_behind_words_leave_them_and_one_amid_them_stays() {
        for (line, words) in [
            ("主机宕机 https://g.example.com/1", "主机宕机"),
            ("Deploy failed (https://ci.example.com/42) https://ci.example.com/43", "Deploy failed"),
            ("详情：https://g.example.com/1", "详情"),
            ("https://g.example.com/1", "https://g.example.com/1"),
            ("https://shop.example.com is DOWN", "https://shop.example.com is DOWN"),
            ("Check failed for https://shop.example.com", "Check failed for https://shop.example.com"),
            ("no address", "no address"),
        ] {
            assert_eq!(without_addresses(line).0, words, "{line}");
        }
        assert_eq!(without_addresses("详情：https://g.example.com/1").1, "https://g.example.com/1");
    }

    #[test]
    fn html_becomes_prose_and_other_angles_stay() {
        let html = "<b>主机</b>: db-1<br/>已用: <font color=\"red\">96%</font><br>\n<a href=\"https://wiki.example.com/disk\">处理手册</a>&nbsp;&amp; 值班电话";
        assert_eq!(prose(html), "主机: db-1\n已用: 96%\n\n处理手册 https://wiki.example.com/disk & 值班电话");
        assert_eq!(prose("a < b, map<string>, <no value>"), "a < b, map<string>, <no value>");
    }
}
