//! Every sample in every face and language, as it arrives.

use super::super::notes::Hidden;
use super::super::samples::{samples, target};
use super::super::{Letter, Note, Templates};
use crate::alert::ThreadId;
use crate::config::{Face, Language};
use crate::names::LaneKey;
use std::fmt::Write as _;
use wecom::Content;

/// The contents as a person sees them, field by field.
pub(super) fn seen(parts: &[Content]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Content::Text(text) => {
                out.push_str(&text.content);
                if !text.mentioned_list.is_empty() || !text.mentioned_mobile_list.is_empty() {
                    let _ = write!(out, "\n@ {:?} {:?}", text.mentioned_list, text.mentioned_mobile_list);
                }
            }
            Content::Markdown(text) | Content::MarkdownV2(text) => out.push_str(&text.content),
            other => out.push_str(&serde_json::to_string_pretty(other).unwrap().replace("\\n", "\n      ")),
        }
        out.push('\n');
    }
    out
}

/// Where the golden files are.
pub(super) fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn every_sample_in_every_face_and_language_reads_as_reviewed() {
    let (templates, problems) = Templates::compile(&[]);
    assert_eq!(problems, []);
    settings().bind(|| {
        for sample in samples() {
            for language in [Language::Zh, Language::En] {
                let mut all = format!("{}: {}\n", sample.name, sample.about);
                for face in Face::ALL {
                    let (told, target) = (sample.told(), target(face));
                    let rendered = templates.render(&sample.letter(&told, &target, language, None));
                    assert_eq!(rendered.problems, [], "{} {face:?}", sample.name);
                    let _ = writeln!(
                        all,
                        "\n-------- {} ({} of {}; {} named, {} counted)\n{}",
                        rendered.face.as_str(),
                        rendered.bytes_used,
                        rendered.bytes_allowed,
                        rendered.named.len(),
                        rendered.counted.len(),
                        seen(&rendered.parts)
                    );
                }
                insta::assert_snapshot!(format!("{}.{}", sample.name, language.as_str()), all);
            }
        }
    });
}

/// A name, a sample, what is noted of it, and the course of its value in both languages.
type Way<'a> = (&'a str, &'a str, Vec<Note>, Option<[&'a str; 2]>);

/// What happened to messages on their way.
#[test]
fn every_way_of_a_message_reads_as_reviewed() {
    let lane = || LaneKey::stored("app/ops/zhangsan");
    let cases: Vec<Way<'_>> = vec![
        ("late", "payment", vec![Note::Late { minutes: 47, told: false }], None),
        ("late-and-told", "disk", vec![Note::Repeated, Note::Late { minutes: 80, told: true }], None),
        ("late-part-over", "partly", vec![Note::Late { minutes: 12, told: false }, Note::Merged { changes: 2 }], None),
        ("late-over", "resolved", vec![Note::Late { minutes: 12, told: false }], None),
        (
            "waiting-elsewhere",
            "payment",
            vec![Note::Overdue { lane: lane(), minutes: 11, reason: String::new(), perhaps: true }],
            None,
        ),
        (
            "escalated",
            "payment",
            vec![Note::Escalated { receiver: "dba".to_owned(), minutes: 15, unknown: false }],
            None,
        ),
        (
            "escalated-unknown",
            "disk",
            vec![Note::Escalated { receiver: "dba".to_owned(), minutes: 30, unknown: true }],
            None,
        ),
        ("shown-again", "payment", vec![Note::Shown { after: Hidden::Silence }], None),
        ("unclear-end", "generic", vec![Note::Unclear { open: 4, threads: vec![ThreadId(41), ThreadId(42)] }], None),
        ("reminded", "reminder", Vec::new(), Some(["上次 97.6 %", "last time 97.6%"])),
        ("course", "payment", Vec::new(), Some(["近 1 小时 99 → 91.3 %，在降", "99 → 91.3% in 1h, falling"])),
    ];
    let (templates, _) = Templates::compile(&[]);
    settings().bind(|| {
        for (name, of, notes, course) in cases {
            let sample = samples().into_iter().find(|sample| sample.name == of).unwrap();
            for language in [Language::Zh, Language::En] {
                let mut all = format!("{name}: {of}\n");
                for face in Face::ALL {
                    let (told, target) = (sample.told(), target(face));
                    let course = course.map(|course| course[usize::from(language == Language::En)]);
                    let letter = Letter { notes: &notes, course, ..sample.letter(&told, &target, language, None) };
                    let rendered = templates.render(&letter);
                    let _ = writeln!(all, "\n-------- {}\n{}", rendered.face.as_str(), seen(&rendered.parts));
                }
                insta::assert_snapshot!(format!("way-{name}.{}", language.as_str()), all);
            }
        }
    });
}
