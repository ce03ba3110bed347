//! Any text as matchers: what is understood is written so that it is understood the same, and asks labels without fail.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Labels;
use wegraf::internals::route::{Branch, Matcher, Operator, Tree, parse_matchers};

/// Between the matchers and the labels that they are asked about, which stand one a line as `name=value`.
const THEN: &str = "\n---\n";

fuzz_target!(|input: &str| {
    let (text, labels) = input.split_once(THEN).unwrap_or((input, ""));
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let labels: Labels = labels.lines().filter_map(pair).collect();
    check_opposites(text, &labels);
    match parse_matchers(text) {
        Ok(matchers) => check(matchers, &labels),
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.position), "{error}");
            let words = [&error.zh, &error.en, &error.remedy_zh, &error.remedy_en];
            assert!(words.iter().all(|words| !words.trim().is_empty()), "{error}");
        }
    }
});

fn check(matchers: Vec<Matcher>, labels: &Labels) {
    let shown: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    for (matcher, shown) in matchers.iter().zip(&shown) {
        assert_eq!(parse_matchers(shown).as_deref(), Ok(std::slice::from_ref(matcher)), "{shown}");
    }
    let all = format!("{{{}}}", shown.join(","));
    assert_eq!(parse_matchers(&all).as_deref(), Ok(&*matchers), "{all}");
    let matching = matchers.iter().all(|matcher| matcher.matches(labels));
    let branch = Branch { receiver: Some("child".to_owned()), matchers, ..Branch::default() };
    let tree = Tree::new("root".to_owned(), vec![branch]);
    let [decision] = <[_; 1]>::try_from(tree.route(labels)).expect("one receiver: nothing continues");
    assert_eq!(decision.receiver == "child", matching);
}

/// `=` against `!=` and `=~` against `!~`: exactly one of the two holds.
fn check_opposites(value: &str, labels: &Labels) {
    for name in labels.keys().map(AsRef::as_ref).chain(["absent"]) {
        for (positive, negative) in [(Operator::Equal, Operator::NotEqual), (Operator::Match, Operator::NotMatch)] {
            let pair = (Matcher::new(name, positive, value), Matcher::new(name, negative, value));
            match pair {
                (Ok(positive), Ok(negative)) => assert_ne!(positive.matches(labels), negative.matches(labels)),
                (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
                pair => panic!("{pair:?}"),
            }
        }
    }
}
