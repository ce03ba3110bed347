//! Any bytes as a message for WeCom's own addresses: what WeCom would refuse is refused, and the rest goes out as it came, cut
//! only where it is over the limit.

#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wecom::message::{TEXT_BYTES, markdown_bytes};
use wegraf::internals::alert::Format;
use wegraf::internals::config::{Face, Language, Target, To};
use wegraf::internals::deliver::{addressed, verbatim};
use wegraf::internals::ingest::generic::Payloads;
use wegraf::internals::ingest::wecom::{Said, notification};
use wegraf::internals::ingest::{Door, read, reread};
use wegraf::internals::names::SourceId;
use wegraf::internals::render::Note;
use wegraf::internals::store::Kept;
use wegraf_fuzz::{NOW, check_again, check_notification};

static PAYLOADS: LazyLock<Payloads> = LazyLock::new(Payloads::default);

const PAGE: &str = "https://ok.example/d/41";
/// Longest line of the record, in bytes: the words, the kind in brackets and the mark of a cut.
const LINE_BYTES: usize = 240;

fuzz_target!(|bytes: &[u8]| {
    check_notification(&notification(bytes, wegraf::internals::words::Language::Zh));
    if let Ok(read) = read(bytes, Some("application/json"), Door::Webhook, &PAYLOADS, NOW) {
        check_notification(&read);
        check_again(reread(read.format, bytes, Some("application/json"), &PAYLOADS, NOW), &read);
    }
    let Ok(said) = Said::read(bytes) else { return };
    let line = said.line();
    assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
    assert!(line.len() <= LINE_BYTES + said.msgtype.len(), "{} bytes: {line:?}", line.len());
    if said.is_text() {
        let again = Said::read(&said.with_content("甲".to_owned())).expect("the same message with other words");
        assert_eq!((again.content(), &again.msgtype), ("甲", &said.msgtype));
    }
    let app = app(bytes);
    let webhook = target(To::Webhook { webhook: "w".to_owned() });
    for (format, target) in [(Format::WecomWebhook, &webhook), (Format::WecomApp, &app)] {
        sent(&said, format, bytes, target);
        let other = if format == Format::WecomApp { &webhook } else { &app };
        assert!(verbatim::given(format, &said, &Bytes::copy_from_slice(bytes), other).is_none(), "{format:?}");
    }
});

/// The members whom the message itself names.
fn app(bytes: &[u8]) -> Target {
    let to = addressed(bytes);
    target(To::Members {
        app: "ops".to_owned(),
        users: to.users,
        users_file: None,
        on_call: None,
        parties: to.parties,
        tags: to.tags,
    })
}

fn target(to: To) -> Target {
    Target {
        to,
        face: Face::Text,
        mention: Vec::new(),
        mention_from: Vec::new(),
        mention_mobiles: Vec::new(),
        image: false,
        parts: 1,
    }
}

/// What `target` gets of the message, the first time and when it may be a copy.
fn sent(said: &Said, format: Format, bytes: &[u8], target: &Target) {
    let raw = Bytes::copy_from_slice(bytes);
    let given = verbatim::given(format, said, &raw, target);
    assert_eq!(given.is_some(), !said.is_text(), "{format:?}");
    let kept = Kept {
        id: 1,
        source: SourceId::Configured("s".to_owned()),
        format,
        content_type: None,
        path_receiver: None,
        received_at: NOW,
        raw: raw.clone(),
    };
    for notes in [&[][..], &[Note::Repeated][..]] {
        for page in [None, Some(PAGE)] {
            let freeze = verbatim::written(&kept, target, notes, page, Language::Zh).expect("it was meant for them");
            let [part] = &freeze.parts[..] else { panic!("{} parts", freeze.parts.len()) };
            if !said.is_text() {
                assert_eq!(part, &raw);
                continue;
            }
            let out = Said::read(part).expect("what goes out is a message");
            let limit = match (said.msgtype.as_str(), target.channel().wecom()) {
                ("markdown" | "markdown_v2", Some(channel)) => markdown_bytes(channel),
                _ => TEXT_BYTES,
            };
            assert!(out.content().len() <= limit, "{} bytes of {limit}", out.content().len());
            if notes.is_empty() && said.content().len() <= limit {
                assert_eq!(part, &raw);
            }
        }
    }
}
