//! Tables for spreadsheets.

use super::{controls, line};

/// The mark by which spreadsheets recognise UTF-8, before the first line.
pub const CSV_MARK: char = '\u{feff}';

/// A text on one line that no spreadsheet interprets as a formula. Only for texts: -1 is a
/// number.
pub fn csv_text(text: &str) -> String {
    let shown = line(text);
    if starts_formula(text) || starts_formula(&shown) { format!("'{shown}") } else { shown.into_owned() }
}

/// Would a spreadsheet interpret `text` as a formula? It skips invisible characters, and some accept full-width signs.
/// A tab or a carriage return in front is dropped on import, so it counts as a sign.
fn starts_formula(text: &str) -> bool {
    let unseen = |c: char| c.is_whitespace() || controls(c) || BLANKS.contains(&c);
    text.starts_with(['\t', '\r']) || text.trim_start_matches(unseen).starts_with(SIGNS)
}

/// Characters that begin a formula, and those that compatibility folding maps to them.
const SIGNS: [char; 16] =
    ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '\u{2212}', '⁼', '⁺', '⁻'];

/// Invisible letters and marks.
const BLANKS: [char; 11] = [
    '\u{34f}', '\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{180b}', '\u{200c}', '\u{200d}', '\u{2800}',
    '\u{3164}', '\u{ffa0}',
];

/// One line in the form of RFC 4180.
pub fn csv_line<C: AsRef<str>>(cells: &[C]) -> String {
    let mut text = String::new();
    for (index, cell) in cells.iter().map(AsRef::as_ref).enumerate() {
        if index > 0 {
            text.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            text.extend(["\"", &cell.replace('"', "\"\""), "\""]);
        } else {
            text.push_str(cell);
        }
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_no_text_breaks_a_line() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "＝1",
            "﹦1",
            "\u{2212}1",
            " =1",
            "\u{a0}\u{3000}=1",
            "\u{200d}=1",
            "\u{2800}@x",
        ] {
            assert_eq!(csv_text(text), format!("'{text}"));
        }
        for unseen in [
            "\t",
            "\r",
            "\n",
            "\r\n",
            "\u{200b}",
            "\u{202e}",
            "\u{feff}",
            "\u{2060}",
            "\0",
            "\u{1b}",
            "\u{85}",
            " \n\t\u{feff} ",
        ] {
            for sign in ["=1", "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x"] {
                let cell = csv_text(&format!("{unseen}{sign}"));
                assert!(cell.starts_with('\'') && cell.ends_with(sign), "{cell:?}");
                assert!(!cell.chars().any(controls), "{cell:?}");
            }
        }
        assert!(csv_text("\tx").starts_with('\'') && csv_text("\rx").starts_with('\''));
        for text in ["disk = full", "磁盘 +1", "a\u{200b}=1", "(-1)"] {
            assert!(!csv_text(text).starts_with('\''), "{text}");
        }
        let line = csv_line(&["a,b", "say \"hi\"\n", "磁盘"]);
        assert_eq!(line, "\"a,b\",\"say \"\"hi\"\"\n\",磁盘\r\n");
    }
}
