//! Every sample in every face and language, as it arrives.

use super::super::Templates;
use super::super::samples::{samples, target};
use crate::config::{Face, Language};
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
