//! Any bytes as a form, as parts, as XML and in any encoding: never a panic, and the same again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wegraf::internals::ingest::generic::Payloads;
use wegraf::internals::ingest::{Door, listed, read, reread};
use wegraf_fuzz::{NOW, check_again, check_notification};

static PAYLOADS: LazyLock<Payloads> = LazyLock::new(Payloads::default);

const TYPES: [Option<&str>; 6] = [
    None,
    Some("application/x-www-form-urlencoded"),
    Some("application/x-www-form-urlencoded; charset=GBK"),
    Some("multipart/form-data; boundary=x"),
    Some("text/plain; charset=big5"),
    Some("application/xml"),
];

fuzz_target!(|bytes: &[u8]| {
    for content_type in TYPES {
        let Ok(notification) = read(bytes, content_type, Door::Webhook, &PAYLOADS, NOW) else { continue };
        check_notification(&notification);
        check_again(reread(notification.format, bytes, content_type, &PAYLOADS, NOW), &notification);
        let _ = listed(notification.format, bytes, content_type);
    }
});
