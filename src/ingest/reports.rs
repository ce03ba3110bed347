//! A text that reports several alerts, one after the other.

use super::title;

/// Bytes of a text that is looked at, and reports in it.
const LONGEST: usize = 64 << 10;
const MOST: usize = 100;

/// The reports of a text: each begins with a line that begins with a state (`【告警】…`, `恢复：…`) and has more lines. A text
/// that is anything else is one report.
pub(super) fn split(text: &str) -> Vec<&str> {
    let whole = || vec![text];
    if text.len() > LONGEST {
        return whole();
    }
    let mut starts = Vec::new();
    let mut lines = 0;
    for line in text.split_inclusive('\n').filter(|line| !line.trim().is_empty()) {
        if title::begins_with_state(line) {
            // A report of one line may be a field of the report around it.
            if !starts.is_empty() && lines < 2 || starts.len() == MOST {
                return whole();
            }
            starts.push(line.as_ptr() as usize - text.as_ptr() as usize);
            lines = 0;
        } else if starts.is_empty() {
            return whole();
        }
        lines += 1;
    }
    if starts.len() < 2 || lines < 2 {
        return whole();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| text[*start..end].trim()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_reports_is_cut_where_each_begins() {
        for (text, reports) in [
            ("告警：主机宕机\n主机：db-1\n\n告警：主机宕机\n主机：db-2\n", 2),
            ("【恢复】主机宕机\n主机：db-2\n【告警】主机宕机\n主机：db-1", 2),
            ("[FIRING] Disk full\nhost: db-1\n[RESOLVED] Disk full\nhost: db-2\n[FIRING] CPU\nhost: db-3", 3),
            // Fields of one report.
            ("故障：磁盘将满\n告警：需要清理\n主机：db-1", 1),
            ("【告警】磁盘将满\n【级别】严重\n【主机】db-1", 1),
            ("主机：db-1\n告警：磁盘将满\n已用：97%\n恢复：请清理\n时间：14:02", 1),
            ("磁盘将满", 1),
            ("", 1),
        ] {
            assert_eq!(split(text).len(), reports, "{text}");
        }
        assert_eq!(split("【恢复】a\nb\n【告警】c\nd"), ["【恢复】a\nb", "【告警】c\nd"]);
    }
}
