//! Every sample in every face and language, as it arrives.

use super::super::notes::Hidden;
use super::super::samples::{Sample, samples, target};
use super::super::{Hides, Letter, Mark, Note, Standing, Templates, Told, long_links, with_buttons};
use crate::alert::ThreadId;
use crate::config::{Channel, Face, Language, Target, To};
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
        ("unmatched-end", "generic", vec![Note::Unmatched { ends: 1, all: true }], None),
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

/// Where a message goes, and its face there.
fn elsewhere() -> [(&'static str, To, Face); 6] {
    let members = || To::Members {
        app: "ops".to_owned(),
        users: vec!["daixuan".to_owned()],
        users_file: None,
        on_call: None,
        parties: Vec::new(),
        tags: Vec::new(),
    };
    let bot = || To::Bot { bot: "ops".to_owned(), chat: "c".to_owned() };
    [
        ("mail", To::Email { to: vec!["ops@example.com".to_owned()] }, Face::Text),
        ("text of a group, short links", To::Webhook { webhook: "ops-group".to_owned() }, Face::Text),
        ("text of a chat, short links", To::Chat { app: "ops".to_owned(), chat: "c".to_owned() }, Face::Text),
        ("markdown of a bot", bot(), Face::MarkdownV2),
        ("card with buttons of an app", members(), Face::Card),
        ("card with buttons of a bot", bot(), Face::Card),
    ]
}

/// The sample with the long links that real senders make.
fn with_long_links(mut sample: Sample) -> Sample {
    for alert in &mut sample.notification.alerts {
        for link in [&mut alert.links.panel, &mut alert.links.rule].into_iter().filter(|link| !link.is_empty()) {
            link.push_str("&from=1789190040000&to=1789193640000&var-instance=db-1");
        }
    }
    sample
}

/// Channels whose forms differ from those of their face elsewhere: mail, short links, bots, buttons.
#[test]
fn every_channel_reads_as_reviewed() {
    let (templates, _) = Templates::compile(&[]);
    let wanted = ["payment", "disk", "many", "partly", "resolved", "no-data", "reminder", "several-rules"];
    settings().bind(|| {
        for sample in samples().into_iter().filter(|sample| wanted.contains(&sample.name)).map(with_long_links) {
            for language in [Language::Zh, Language::En] {
                let mut all = String::new();
                for (channel, to, face) in elsewhere() {
                    let target = Target { to, mention: Vec::new(), ..target(face) };
                    let told = sample.told();
                    let letter = sample.letter(&told, &target, language, None);
                    let code = |(at, url): (usize, String)| (url, format!("https://alerts.example.com/l/7K2Q{at}"));
                    let short: Vec<(String, String)> = long_links(&letter).into_iter().enumerate().map(code).collect();
                    let letter = Letter { short: &short, ..letter };
                    let mut rendered = templates.render(&letter);
                    assert_eq!(rendered.problems, [], "{} {channel}", sample.name);
                    if let [Content::TemplateCard(card)] = &mut rendered.parts[..]
                        && told.iter().any(Told::is_on)
                    {
                        let standing = Standing {
                            task_id: "wg-1-2",
                            taken: (sample.name == "reminder")
                                .then(|| Mark { person: "张三".to_owned(), at: letter.now.plus_millis(-300_000) }),
                            silenced: None,
                            hides: (target.channel() == Channel::App).then(|| Hides {
                                conditions: "alertname=\"磁盘将满\" env=\"生产\"".to_owned(),
                                count: 3,
                            }),
                            channel: target.channel(),
                            leads: rendered.leads.clone(),
                            language,
                            timezone: letter.timezone,
                            now: letter.now,
                        };
                        **card = with_buttons((**card).clone(), &standing);
                    }
                    let _ = writeln!(all, "\n-------- {channel}\n{}", seen(&rendered.parts));
                }
                insta::assert_snapshot!(format!("channel-{}.{}", sample.name, language.as_str()), all);
            }
        }
    });
}
