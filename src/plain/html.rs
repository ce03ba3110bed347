//! Tables of HTML as lines: `name: value` of rows with two cells, and of a table with a head and one row.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::{TAG, regex};

/// Characters of a name in such a line.
const NAME: usize = 40;
/// Bytes of a text whose tables are looked at: a message shows less.
const LONGEST: usize = 64 << 10;
/// Tables of one text that are written as lines.
const MOST: usize = 100;

static ROW: LazyLock<Regex> = LazyLock::new(|| regex(r"(?is)<tr\b[^>]*>(.*?)(?:</tr\s*>|$)"));
static CELL: LazyLock<Regex> = LazyLock::new(|| regex(r"(?is)<t[dh]\b[^>]*>(.*?)</t[dh]\s*>"));

/// `text` with each table that holds no other as lines. Tables within tables are taken from the inside.
pub(super) fn tables(text: &str) -> Cow<'_, str> {
    if text.len() > LONGEST {
        return Cow::Borrowed(text);
    }
    let mut text = Cow::Borrowed(text);
    for _ in 0..MOST {
        let lower = text.to_ascii_lowercase();
        let Some(end) = lower.find("</table") else { break };
        let close = lower[end..].find('>').map_or(lower.len(), |at| end + at + 1);
        let Some(start) = lower[..end].rfind("<table") else { break };
        let lines = lines(&text[start..end]);
        text = Cow::Owned(format!("{}\n{lines}\n{}", &text[..start], &text[close..]));
    }
    text
}

fn lines(table: &str) -> String {
    let rows: Vec<Vec<&str>> = ROW
        .captures_iter(table)
        .filter_map(|row| {
            Some(
                CELL.captures_iter(row.get(1)?.as_str())
                    .filter_map(|cell| Some(cell.get(1)?.as_str().trim()))
                    .collect(),
            )
        })
        .filter(|cells: &Vec<&str>| cells.iter().any(|cell| !bare(cell).is_empty()))
        .collect();
    if let [head, row] = &rows[..]
        && head.len() > 2
        && head.len() == row.len()
        && head.iter().all(|cell| is_name(cell))
    {
        let pairs = head.iter().zip(row).filter(|(_, value)| !bare(value).is_empty());
        return pairs.map(|(name, value)| pair(name, value)).collect::<Vec<_>>().join("\n");
    }
    let line = |cells: &Vec<&str>| match &cells[..] {
        [name, value] if is_name(name) && !bare(value).is_empty() => pair(name, value),
        several => several.join(" "),
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The words of a cell.
fn bare(cell: &str) -> String {
    TAG.replace_all(&cell.replace("&nbsp;", " "), "").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_name(cell: &str) -> bool {
    let bare = bare(cell);
    !bare.is_empty() && bare.chars().count() <= NAME && !bare.contains("://") && bare.contains(char::is_alphabetic)
}

fn pair(name: &str, value: &str) -> String {
    format!("{}: {value}", bare(name).trim_end_matches([':', '：']))
}

#[cfg(test)]
mod tests {
    #[test]
    fn tables_are_lines_of_names_and_values() {
        for (html, text) in [
            (
                "<style>td{color:red}</style><p>Dear&nbsp;Ops,</p><table><tr><th>Host</th><td>db-7</td></tr><tr><td>Status:</td><td><b>PROBLEM</b></td></tr></table><script>x()</script>",
                "Dear Ops,\nHost: db-7\nStatus: PROBLEM",
            ),
            (
                "明细：<table><thead><tr><td>执行器</td><td>任务ID</td><td>内容</td></tr></thead><tbody><tr><td>ship</td><td>9</td><td>失败<br>3 次</td></tr></tbody></table>",
                "明细：\n执行器: ship\n任务ID: 9\n内容: 失败\n3 次",
            ),
            ("<table><tr><td><table><tr><td>A</td><td>1</td></tr></table></td></tr></table>end", "A: 1\n\nend"),
            ("<table><tr><td>a</td><td>b</td><td>c</td></tr><tr><td>1</td><td>2</td></tr></table>", "a b c\n1 2"),
            ("a <!-- hidden --> b", "a  b"),
            ("a < b and x <tabled>", "a < b and x <tabled>"),
        ] {
            let shown = crate::plain::prose(html);
            let lines: Vec<&str> = shown.lines().filter(|line| !line.trim().is_empty()).collect();
            let wanted: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            assert_eq!(lines, wanted, "{html}");
        }
        assert_eq!(crate::plain::text("磁盘将满\n![logo](https://x.example.com/l.png)\n96%"), "磁盘将满\n96%");
    }
}
