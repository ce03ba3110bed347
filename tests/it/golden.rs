//! Each of the repository's own payloads, in all faces: one golden file for each payload. Read a change as the person
//! who gets it at 3 a.m. would, before accepting it.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use wegraf::internals::alert::{Format, Notification, Status, ThreadId, Timestamp, TransitionKind};
use wegraf::internals::config::{Face, Language, Target, To};
use wegraf::internals::ingest::generic::{Payloads, ReadSettings};
use wegraf::internals::ingest::{self, Door};
use wegraf::internals::render::{Letter, Offer, Picture, Templates, Told};

use crate::harness::payload;

/// The fixtures are of 22 November 2026; this is that evening.
const NOW: Timestamp = Timestamp(1_795_358_400_000);
/// What real servers sent was captured in the night after it: this is the second in which the pushed alert is over.
const NIGHT: Timestamp = Timestamp(1_795_367_038_000);

fn address(face: Face) -> To {
    match face {
        Face::Textcard | Face::News | Face::Card => To::Members {
            app: "ops".into(),
            users: vec!["daixuan".into()],
            users_file: None,
            on_call: None,
            parties: vec![],
            tags: vec![],
        },
        Face::Text | Face::Markdown | Face::MarkdownV2 => To::Webhook { webhook: "group".into() },
    }
}

fn all_faces(notification: &Notification, language: Language, now: Timestamp) -> String {
    let (templates, _) = Templates::compile(&[]);
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let told: Vec<Told<'_>> = notification
        .alerts
        .iter()
        .map(|alert| Told {
            alert,
            kind: if alert.status == Status::Firing { TransitionKind::Firing } else { TransitionKind::Resolved },
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
        })
        .collect();
    let mut text = String::new();
    for face in Face::ALL {
        let target = Target {
            to: address(face),
            face,
            mention: vec![],
            mention_from: vec![],
            mention_mobiles: vec![],
            image: false,
            parts: 1,
        };
        let rendered = templates.render(&Letter {
            notification,
            told: &told,
            target: &target,
            language,
            timezone: &zone,
            template: None,
            now,
            thread: ThreadId(1),
            details_url: Some("https://alerts.example.com/d/1"),
            offer: Offer::Silence,
            picture: Picture {
                url: notification.alerts.iter().map(|alert| alert.links.image.as_str()).find(|url| !url.is_empty()),
            },
            course: None,
            notes: &[],
            link_rewrites: &[],
            known_hosts: &[],
            short: &[],
            taught: wegraf::internals::subject::Taught::NOTHING,
        });
        assert!(rendered.bytes_used <= rendered.bytes_allowed, "{face:?}");
        assert_eq!(rendered.named.len() + rendered.counted.len(), told.len(), "{face:?}");
        writeln!(
            text,
            "=== {} as {}, {} of {}",
            face.as_str(),
            rendered.face.as_str(),
            rendered.bytes_used,
            rendered.bytes_allowed
        )
        .unwrap();
        for part in &rendered.parts {
            let json = serde_json::to_value(part).unwrap();
            let content = json
                .pointer("/text/content")
                .or(json.pointer("/markdown/content"))
                .or(json.pointer("/markdown_v2/content"));
            match content.and_then(|content| content.as_str()) {
                Some(content) => writeln!(text, "{content}").unwrap(),
                None => writeln!(text, "{json:#}").unwrap(),
            }
        }
    }
    text
}

#[test]
fn every_payload_of_ours_reads_as_last_approved() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let body = payload(&name);
        let content_type = if name == "aliyun.form" { "application/x-www-form-urlencoded" } else { "application/json" };
        let now = if name.starts_with("captured-") { NIGHT } else { NOW };
        let door = if name.contains("push") { Door::AlertsPush } else { Door::Webhook };
        let notification = ingest::read(body.as_bytes(), Some(content_type), door, &Payloads::default(), now).unwrap();
        assert!(notification.format != Format::Opaque || name == "plain.txt", "{name}");
        insta::with_settings!({ snapshot_path => "../golden/payloads", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name.replace('.', "_"), all_faces(&notification, Language::Zh, now));
        });
    }
}

/// Bodies as the usual rules of the usual senders make them, in both languages.
#[test]
fn every_usual_alert_reads_as_last_approved() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reading");
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 25, "{names:?}");
    let timezone = TimeZone::get("Asia/Shanghai").unwrap();
    let payloads = Payloads::default().with(ReadSettings { timezone, ..ReadSettings::default() });
    for name in names {
        let body = std::fs::read(folder.join(&name)).unwrap();
        let notification = ingest::read(&body, Some("application/json"), Door::Webhook, &payloads, NOW).unwrap();
        assert!(!matches!(notification.format, Format::Opaque), "{name}");
        for language in [Language::Zh, Language::En] {
            let stem = name.trim_end_matches(".json");
            insta::with_settings!({ snapshot_path => "../golden/reading", prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(format!("{stem}.{}", language.as_str()), all_faces(&notification, language, NOW));
            });
        }
    }
}
