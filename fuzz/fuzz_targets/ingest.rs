//! Any bytes through every door: what can be read is a whole notification, and is the same when it is read again, and when
//! it is read out of a tree.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Format;
use wegraf::internals::ingest::generic::Payloads;
use wegraf::internals::ingest::{Door, Unreadable, explain_by_tree, read, reread};
use wegraf_fuzz::{NOW, check_again, check_notification};

static PAYLOADS: LazyLock<Payloads> = LazyLock::new(Payloads::default);

/// What a sender may say about a body; the first two are one way, since JSON is recognised by itself.
const TYPES: [Option<&str>; 3] =
    [None, Some("application/x-www-form-urlencoded; charset=UTF-8"), Some("multipart/form-data; boundary=\"x\"")];

fuzz_target!(|bytes: &[u8]| {
    for content_type in TYPES {
        check(bytes, content_type, Door::Webhook);
    }
    check(bytes, None, Door::AlertsPush);
});

fn check(bytes: &[u8], content_type: Option<&str>, door: Door) {
    let result = read(bytes, content_type, door, &PAYLOADS, NOW);
    let by_tree = explain_by_tree(bytes, content_type, door, &PAYLOADS, NOW);
    assert_eq!(result, by_tree.map(|explained| explained.notification));
    match result {
        Ok(notification) => {
            check_notification(&notification);
            assert!(door == Door::Webhook || notification.format == Format::AlertsPush);
            check_again(reread(notification.format, bytes, content_type, &PAYLOADS, NOW), &notification);
        }
        Err(Unreadable::Empty) => {
            let text = String::from_utf8_lossy(bytes);
            let shown = |letter: char| letter.is_ascii_graphic();
            assert!(!text.chars().all(shown) || text.is_empty(), "readable text was refused");
        }
        Err(error) => {
            assert_eq!(door, Door::AlertsPush, "{error:?}");
            assert!(error.answer()["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
    }
}
