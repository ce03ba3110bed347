//! The numbers of real alerts: which are shown, in which unit, against which threshold.

use super::{alert, shown};
use crate::alert::Format;
use crate::words::Language;

const TABLE: &str = include_str!("expectations.txt");
const SUBJECTS: &str = include_str!("../../subject/tests/expectations.txt");

fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split_once(" | ").unwrap_or((line, "")))
}

#[test]
fn numbers_of_real_alerts_read_as_expected() {
    let mut wrong = Vec::new();
    for (name, rest) in rows(TABLE) {
        let (rest, wanted) = rest.rsplit_once('|').unwrap();
        let (expression, raw) = rest.rsplit_once('|').unwrap();
        let (expression, raw, wanted) = (expression.trim(), raw.trim(), wanted.trim());
        let dump = if raw.is_empty() { String::new() } else { format!("VALUE = {raw}") };
        let alert = alert(expression, &[("description", &dump)], &[], &[]);
        let got = shown(&alert, Format::Alertmanager, Language::Zh);
        if got != wanted {
            wrong.push(format!("{name}: {raw} of {expression} reads {got:?}, not {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_alert_whose_object_is_tested_has_its_number_tested() {
    let names = |table| rows(table).map(|(name, _)| name.trim()).collect::<Vec<_>>();
    assert_eq!(names(TABLE), names(SUBJECTS));
    assert_eq!(names(TABLE).len(), 68);
}
