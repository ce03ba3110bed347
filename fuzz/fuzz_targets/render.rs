//! Hostile alerts in every face on every channel: what goes out fits, is whole, and holds no markup beyond what was
//! meant. The judge is the independent reader of WeCom's markup that the tests of `render` have.

#![no_main]

#[path = "../../src/render/tests/checker.rs"]
mod checker;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use checker::{Allowed, fault, readable};
use libfuzzer_sys::fuzz_target;
use wecom::Content;
use wegraf::internals::config::{Channel, Face, Target};
use wegraf::internals::render::{Letter, Rendered, Templates};
use wegraf::internals::subject::columns;
use wegraf_fuzz::letter::{Case, THREAD, addresses};

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::compile(&[]).0);

fuzz_target!(|case: Case| {
    let told = case.told();
    for to in addresses() {
        for face in Face::ALL {
            let target = Target { to: to.clone(), face, ..case.target.clone() };
            let letter = case.letter(&told, &target);
            check(&letter, &TEMPLATES.render(&letter));
        }
    }
});

fn check(letter: &Letter<'_>, rendered: &Rendered) {
    let channel = letter.target.channel();
    let allowed = Allowed { channel, mentions: meant(letter.target), urls: vec!["https://ok.example"] };
    for part in &rendered.parts {
        let fault = fault(part, &allowed);
        assert!(fault.is_none(), "{}: {part:#?}", fault.unwrap_or_default());
        let bodies = !matches!(part, Content::Image(_));
        assert!(!bodies || readable(part).contains(&format!("#{THREAD}")), "a part without the id: {part:#?}");
    }
    assert!(rendered.parts.iter().any(|part| !matches!(part, Content::Image(_))), "nothing to read");
    assert!(rendered.face.fits(channel), "{:?} cannot be sent there", rendered.face);
    assert!(rendered.bytes_used <= rendered.bytes_allowed, "more used than allowed");
    assert!(rendered.problems.is_empty(), "{:?}", rendered.problems);
    let mut all: Vec<usize> = rendered.named.iter().chain(&rendered.counted).copied().collect();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..letter.told.len()), "an alert is neither named nor counted, or both");
}

/// Whom the configuration mentions; messages to an app's members, mails, hooks and bots carry no mentions.
fn meant(target: &Target) -> BTreeSet<String> {
    match target.channel() {
        Channel::App | Channel::Email | Channel::Hook | Channel::Bot => BTreeSet::new(),
        Channel::Chat => target.mention.iter().cloned().collect(),
        Channel::Webhook => target.mention.iter().chain(&target.mention_mobiles).cloned().collect(),
    }
}
