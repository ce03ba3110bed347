//! The report as a table for spreadsheets: a line for each rule. Pure.

use super::{Advice, Report, Rule};
use crate::shown::{CSV_MARK, csv_line, csv_text};

/// The columns.
const COLUMNS: [&str; 15] = [
    "rule",
    "fired",
    "night",
    "ended",
    "brief",
    "taken_percent",
    "median_seconds",
    "p90_seconds",
    "median_from_start_seconds",
    "median_length_seconds",
    "most_changes",
    "needless",
    "unanswered",
    "advice",
    "of_all_percent",
];

impl Report {
    /// With the mark by which spreadsheets recognise UTF-8, and lines as of RFC 4180.
    pub fn csv(&self) -> String {
        let lines = self.rules.iter().map(|rule| csv_line(&cells(rule, self.all.fired)));
        format!("{CSV_MARK}{}", csv_line(&COLUMNS)) + &lines.collect::<String>()
    }
}

fn cells(rule: &Rule, all: u64) -> [String; 15] {
    let maybe = |figure: Option<u64>| figure.map(|figure| figure.to_string()).unwrap_or_default();
    let advice = match rule.advice {
        None => "",
        Some(Advice::Needless) => "needless",
        Some(Advice::Untaken) => "untaken",
        Some(Advice::Flapping) => "flapping",
    };
    [
        csv_text(&rule.name),
        rule.fired.to_string(),
        rule.night.to_string(),
        rule.ended.to_string(),
        rule.brief.to_string(),
        maybe(rule.taken_percent),
        maybe(rule.median_seconds),
        maybe(rule.p90_seconds),
        maybe(rule.median_from_start_seconds),
        maybe(rule.median_length_seconds),
        rule.most_changes.to_string(),
        rule.needless.to_string(),
        rule.unanswered.to_string(),
        advice.to_owned(),
        maybe((rule.fired * 100).checked_div(all)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Sums;

    #[test]
    fn a_rule_is_a_line_and_no_formula() {
        let rule = Rule {
            name: "=1+1,\"磁盘\"".to_owned(),
            fired: 8,
            night: 3,
            taken_percent: Some(50),
            advice: Some(Advice::Flapping),
            ..Rule::default()
        };
        let all = Sums { fired: 16, ..Sums::default() };
        let csv = Report { all, rules: vec![rule], ..Report::default() }.csv();
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert!(lines[0].starts_with("\u{feff}rule,fired,night,"), "{csv}");
        assert_eq!(lines[1], "\"'=1+1,\"\"磁盘\"\"\",8,3,0,0,50,,,,,0,0,0,flapping,50");
        assert_eq!((lines.len(), lines[2]), (3, ""));
        assert_eq!(lines[0].split(',').count(), COLUMNS.len());
    }
}
