//! Numbered steps in a text.

use std::sync::LazyLock;

use regex::Regex;

/// A number in front of a step: `1.`, `2)`, `（3）`, `④`, `步骤5：`.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[\s;；。.，,:：])(?:(?:步骤|第|step)\s*)?(?:[(（]?([1-9][0-9]?)(?:[)）、．:：]|\.(?:[^0-9]|$)|步[:：]?)|([①-⑳]))")
        .expect("it is a constant that every test compiles")
});

/// What stands before the first step, and the steps in their order; `None` where there are fewer than two.
pub(super) fn of(text: &str) -> Option<(Option<String>, Vec<String>)> {
    // (where the mark begins, where the step begins)
    let mut marks: Vec<(usize, usize)> = Vec::new();
    let mut from = 0;
    while let Some(found) = MARK.captures_at(text, from) {
        let whole = found.get(0)?;
        let number = match (found.get(1), found.get(2)) {
            (Some(digits), _) => digits.as_str().parse().unwrap_or(0),
            (_, Some(circle)) => circle.as_str().chars().next().map_or(0, |c| c as usize - '①' as usize + 1),
            _ => 0,
        };
        // `1.x`: the letter behind the point belongs to the step, the mark before the number to what stands before it.
        let digits = found.get(1).or_else(|| found.get(2))?;
        let end =
            text[digits.end()..].chars().next().filter(|c| ")）、．:：.步".contains(*c)).map_or(0, char::len_utf8);
        from = (digits.end() + end).max(whole.start() + 1);
        if number == marks.len() + 1 {
            let begin = text[..digits.start()].trim_end_matches(['(', '（']).len();
            marks.push((begin, digits.end() + end));
        }
        while !text.is_char_boundary(from) {
            from += 1;
        }
        if from >= text.len() {
            break;
        }
    }
    if marks.len() < 2 {
        return None;
    }
    let edges: Vec<usize> = marks.iter().skip(1).map(|(begin, _)| *begin).chain([text.len()]).collect();
    let trim = |step: &str| {
        step.trim_matches(|c: char| c.is_whitespace() || ")）、．:：.;；,，".contains(c)).replace('\n', " ")
    };
    let steps: Vec<String> = marks.iter().zip(edges).map(|((_, start), end)| trim(&text[*start..end])).collect();
    let before = without_lead(&text[..marks[0].0]);
    Some(((!before.is_empty()).then(|| before.to_owned()), steps))
}

/// Words that only say that steps follow.
const LEADS: [&str; 16] = [
    "步骤",
    "处理",
    "处置",
    "方法",
    "建议",
    "操作",
    "排查",
    "解决",
    "办法",
    "预案",
    "Steps",
    "steps",
    "Actions",
    "Action",
    "What to do",
    "To do",
];

/// `text` without such words at its end.
fn without_lead(text: &str) -> &str {
    let mut text = text;
    loop {
        let trimmed = text.trim_end_matches(|c: char| c.is_whitespace() || ":：;；,，".contains(c));
        let lead = LEADS.iter().find_map(|lead| trimmed.strip_suffix(lead));
        match lead {
            Some(rest) => text = rest,
            None => return trimmed.trim(),
        }
    }
}
