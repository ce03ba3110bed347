//! Any text as a user's template: what comes out fits and carries the id, it does not take long, and where the template
//! fails the shipped one writes the message.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use wegraf::internals::config::{Face, Language, Target, TemplateFile};
use wegraf::internals::render::{Rendered, Sample, Templates, samples};
use wegraf_fuzz::letter::addresses;
use wegraf_fuzz::{check_sizes, cpu_time};

/// Longest time for one letter, in the slow build of a fuzzer.
const PATIENCE: Duration = Duration::from_secs(1);

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(samples);

fuzz_target!(|source: &str| {
    let file = TemplateFile { path: "mine.j2".into(), name: "mine".to_owned(), source: source.to_owned() };
    let (templates, broken) = Templates::compile(&[file]);
    for problem in &broken {
        assert!(problem.template == "mine.j2" && !problem.reason.en.trim().is_empty(), "{problem:?}");
    }
    let sample = &SAMPLES[source.len() % SAMPLES.len()];
    for (face, to) in Face::ALL.into_iter().zip(addresses().into_iter().cycle()) {
        let target = Target {
            to,
            face,
            mention: Vec::new(),
            mention_from: Vec::new(),
            mention_mobiles: Vec::new(),
            image: false,
            parts: 3,
        };
        let told = sample.told();
        let write = |template| templates.render(&sample.letter(&told, &target, Language::Zh, template));
        let begun = cpu_time();
        let rendered = write(Some("mine"));
        let taken = cpu_time().saturating_sub(begun);
        assert!(taken < PATIENCE, "{taken:?}");
        check(&rendered, &target, told.len());
        assert!(broken.is_empty() || !rendered.problems.is_empty(), "a broken template is not told");
        if !rendered.problems.is_empty() {
            let shipped = write(None);
            assert_eq!(rendered, Rendered { problems: rendered.problems.clone(), ..shipped });
        }
    }
});

fn check(rendered: &Rendered, target: &Target, told: usize) {
    assert!(!rendered.parts.is_empty());
    for part in &rendered.parts {
        check_sizes(part, target.channel());
        let json = serde_json::to_string(part).expect("contents are JSON");
        assert!(json.contains('#'), "a part without the id: {json}");
        assert!(!json.contains("<@"), "somebody is called by name: {json}");
    }
    assert!(rendered.face.fits(target.channel()) && rendered.bytes_used <= rendered.bytes_allowed);
    assert_eq!(rendered.named.len() + rendered.counted.len(), told, "an alert is lost");
}
