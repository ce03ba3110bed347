//! Any text as a configuration: a whole one, or mistakes that say in both languages where and what to do.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Labels;
use wegraf::internals::config::{Anonymous, Config, Finding};

fuzz_target!(|text: &str| {
    // Patterns, and files that never end, belong to the file system and not to the parser.
    if text.contains("/dev") || text.contains("/proc") || text.contains("/sys") || text.contains("..") {
        return;
    }
    let folder = Path::new("/nonexistent/wegraf.yaml");
    let looked = Config::parse_to_look(text, folder);
    match &looked {
        Ok((config, notes)) => {
            check(config);
            for note in notes {
                check_finding(note, text);
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            assert!(mistakes.is_sorted_by_key(|mistake| mistake.place));
            for mistake in mistakes {
                check_finding(mistake, text);
            }
        }
    }
    let strict = Config::parse(text, folder);
    assert!(strict.is_err() || looked.is_ok(), "whole for serve and broken for a look");
    if let (Err(mistakes), Err(fewer)) = (strict, looked) {
        assert!(fewer.iter().all(|mistake| mistakes.contains(mistake)), "{fewer:?} and not {mistakes:?}");
    }
});

fn check(config: &Config) {
    for name in [Labels::new(), Labels::from([("severity".to_owned(), "critical".to_owned())])]
        .iter()
        .flat_map(|labels| config.route.route(labels))
        .map(|decision| decision.receiver)
    {
        assert!(config.receivers.contains_key(name), "the route leads to {name}, which is none");
    }
    for receiver in config.receivers.values() {
        assert!(!receiver.targets.is_empty(), "{} leads nowhere", receiver.name);
        assert!(receiver.fallback.iter().all(|name| config.receivers.contains_key(name)));
        assert!(receiver.targets.iter().all(|target| target.face.fits(target.channel()) && target.parts > 0));
    }
    assert!(config.anonymous != Anonymous::None || !config.sources.is_empty(), "nobody may post");
}

fn check_finding(finding: &Finding, text: &str) {
    assert!(!finding.reason.zh.trim().is_empty() && !finding.reason.en.trim().is_empty(), "{finding:?}");
    assert_eq!(finding.remedy.zh.trim().is_empty(), finding.remedy.en.trim().is_empty(), "{finding:?}");
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    let line = usize::try_from(finding.place.line).expect("a line");
    assert!(line <= lines + 1, "line {line} of {lines}");
    assert!(line == 0 || finding.place.column > 0, "{finding:?}");
}
