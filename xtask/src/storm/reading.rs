//! Reads a message as its reader does: what the headline says there is, what each section says, and what its lines
//! add up to. Written from how messages look, not from how they are made.

/// What a digest says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// Alerts that are on, critical ones included.
    pub firing: usize,
    /// Of these, critical.
    pub critical: usize,
    /// Alerts that are over.
    pub resolved: usize,
}

/// One list under a heading.
#[derive(Debug, Default)]
struct Section {
    kind: Kind,
    total: usize,
    lines: usize,
    /// What the lines name and count together.
    sum: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What the headline names.
    #[default]
    Headline,
    Critical,
    Rest,
    Resolved,
}

/// What a digest in text, markdown or `markdown_v2` says; the error is a sum that does not add up.
pub fn digest(text: &str) -> Result<Digest, String> {
    let text = plain(text);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let headline = lines.next().unwrap_or_default();
    let total = headline_total(headline).ok_or_else(|| format!("the headline has no number: {headline}"))?;
    let over = ["[已恢复]", "已恢复 ", "🟢"].iter().any(|sign| headline.starts_with(sign));
    let mut sections = vec![Section { total, ..Section::default() }];
    for line in lines {
        if let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("> ")) {
            // The line of facts in markdown is no list: it stands before the first section.
            let section = sections.last_mut().expect("there is the headline's");
            section.lines += 1;
            section.sum += item_count(item)?;
        } else if let Some((kind, total)) = heading(line.trim_end_matches('：')) {
            sections.push(Section { kind, total, ..Section::default() });
        }
    }
    for section in sections.iter().filter(|section| section.lines > 0) {
        if section.sum != section.total {
            return Err(format!("the lines of {:?} add up to {}, not {}", section.kind, section.sum, section.total));
        }
    }
    let sum = |kind| sections.iter().filter(|section| section.kind == kind).map(|section| section.total).sum();
    let (critical, rest, resolved): (usize, usize, usize) = (sum(Kind::Critical), sum(Kind::Rest), sum(Kind::Resolved));
    if over {
        return Ok(Digest { resolved: total, ..Digest::default() });
    }
    if critical > 0 && critical + rest != total {
        return Err(format!("{critical} critical and {rest} others are not the headline's {total}"));
    }
    Ok(Digest { firing: total, critical, resolved })
}

/// How many alerts of a letter are counted below its headline and not named: `另 25 项`, `host-018…029 ×12`.
pub fn letter_more(text: &str) -> usize {
    text.lines().skip(1).map(line_more).sum()
}

/// A line that is folded says how many it stands for: its runs, what has no room in it, and the names between them.
fn line_more(line: &str) -> usize {
    if let Some((pieces, after)) = line.rsplit_once(" ×") {
        let all = number(leading(after)).unwrap_or(0);
        let pieces: Vec<&str> = pieces.split('、').collect();
        let is_name = |piece: &&&str| !piece.contains('…') && !piece.starts_with("另 ");
        let names = if pieces.len() > 1 { pieces.iter().filter(is_name).count() } else { 0 };
        return all.saturating_sub(names);
    }
    let more = line.split("另 ").skip(1);
    let counts = more.filter(|rest| rest[leading(rest).len()..].trim_start().starts_with(['项', '个']));
    counts.filter_map(|rest| number(leading(rest))).sum()
}

/// Without fonts, bold and signs of headings.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        match after.split_once('>') {
            Some((tag, after)) if tag.starts_with("font") || tag.starts_with("/font") => rest = after,
            _ => {
                plain.push('<');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain.replace("**", "").replace("### ", "").replace('\\', "")
}

/// `1,284 条`, `×17`, or one.
fn headline_total(headline: &str) -> Option<usize> {
    if let Some((before, _)) = headline.split_once(" 条") {
        return number(before.rsplit(' ').next()?);
    }
    match headline.rsplit_once('×') {
        Some((_, after)) => number(leading(after)),
        None => Some(1),
    }
}

fn heading(line: &str) -> Option<(Kind, usize)> {
    if matches!(line, "critical" | "严重") {
        return Some((Kind::Critical, 1));
    }
    if let Some(count) = line.strip_prefix("critical ").or_else(|| line.strip_prefix("严重 ")) {
        return number(count).map(|count| (Kind::Critical, count));
    }
    let kinds = [("其余 ", Kind::Rest), ("已恢复 ", Kind::Resolved)];
    kinds.into_iter().find_map(|(word, kind)| {
        let (count, _) = line.strip_prefix(word)?.split_once(" 条")?;
        Some((kind, number(count)?))
    })
}

/// How many alerts a line stands for.
fn item_count(item: &str) -> Result<usize, String> {
    if let Some((count, parts)) = item.strip_prefix("其余 ").and_then(|rest| rest.split_once(" 条")) {
        let count = number(count).ok_or_else(|| format!("no number: {item}"))?;
        let parts: usize = parts.split('×').skip(1).filter_map(|part| number(leading(part))).sum();
        return if parts == 0 || parts == count { Ok(count) } else { Err(format!("{item}: its parts are {parts}")) };
    }
    match item.split_once(" ×") {
        Some((_, after)) => number(leading(after)).ok_or_else(|| format!("no number: {item}")),
        None => Ok(1),
    }
}

fn leading(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != ',').unwrap_or(text.len());
    text[..end].trim_end_matches(',')
}

fn number(text: &str) -> Option<usize> {
    text.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORM: &str = "[告警风暴] 2 分钟内 1,284 条（critical 3，已恢复 17）\n合并自 14:11–14:13\ncritical 3：\n- 核心交换机不可达 · sw-core-1\n- 其余 2 条：主库只读 ×1，另 1 条规则 ×1\n其余 1,281 条，按规则：\n- 主机失联 ×812\n- 磁盘将满 ×2：a，b\n- 另 8 条规则 ×467\n已恢复 17 条：\n- 主机失联 ×17\n查看每一条 https://alerts.example.com/d/41\n#PSVJ";

    #[test]
    fn a_digest_says_how_many_are_on_critical_and_over() {
        assert_eq!(digest(STORM), Ok(Digest { firing: 1284, critical: 3, resolved: 17 }));
        let marked = "<font color=\"warning\">**告警**</font> 12 条：规则 1 等 2 条规则（critical 1）\n**critical**\n> 规则 1 · a\n**其余 11 条，按规则**\n> 规则 2 ×11\n[查看每一条](https://x/d/1)";
        assert_eq!(digest(marked), Ok(Digest { firing: 12, critical: 1, resolved: 0 }));
        assert_eq!(digest("### 🟢 已恢复 规则 1 ×9\n- 规则 1 ×9"), Ok(Digest { resolved: 9, ..Digest::default() }));
    }

    #[test]
    fn a_letter_says_how_many_it_does_not_show() {
        assert_eq!(letter_more("[告警] 规则 ×100\nk\nw\n另 19,980 项\n另 3 条链接"), 19_980);
        assert_eq!(letter_more("[警告] 规则 ×20\nk\nw-002…018、w-020、另 2 个 ×18\n> w-1（警告）"), 17);
        assert_eq!(letter_more("[告警] 规则"), 0);
    }

    #[test]
    fn a_sum_that_is_wrong_is_noticed_wherever_it_stands() {
        for (right, wrong) in [
            ("×812", "×811"),
            ("主库只读 ×1", "主库只读 ×2"),
            ("critical 3：", "critical 4："),
            ("已恢复 17 条：", "已恢复 16 条："),
            ("1,284 条", "1,285 条"),
            ("- 核心交换机不可达 · sw-core-1\n", ""),
        ] {
            assert!(digest(&STORM.replace(right, wrong)).is_err(), "{right} → {wrong}");
        }
    }
}
