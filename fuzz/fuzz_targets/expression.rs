//! Any text as a rule's expression or its link: it is understood or it is not, in time that its length bounds; what is
//! understood has a measure that is an expression, and numbers beside its threshold stay on their side.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Labels;
use wegraf::internals::measure::{Rule, expression, threshold, write};
use wegraf::internals::words::Language;
use wegraf_fuzz::cpu_time;

/// What one expression may take, also in a build with checks.
const LONGEST: Duration = Duration::from_secs(2);

fuzz_target!(|input: (&str, f64)| {
    let (text, value) = input;
    let start = cpu_time();
    let _ = expression(text, &Labels::new());
    if let Some(rule) = Rule::read(text) {
        assert!(Rule::read(&rule.measure).is_some(), "no expression: {}", rule.measure);
        let unit = rule.shown_unit();
        for language in [Language::Zh, Language::En] {
            let _ = threshold(rule.bounds(), unit.as_ref(), language);
            assert!(!write(value, unit.as_ref(), rule.bounds(), language).is_empty());
        }
    }
    assert!(cpu_time().saturating_sub(start) < LONGEST, "too slow");
});
