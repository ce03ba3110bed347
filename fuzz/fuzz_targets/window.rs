//! Any bytes as a budget from the store: either they are one, and stay the same, or they are none; and none lets more
//! through than its limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Timestamp;
use wegraf::internals::budget::{Limit, Window, room};

/// What the narrowest limit lets through in a minute.
const WEBHOOK: usize = 18;

fuzz_target!(|input: (i64, &[u8])| {
    let (now, bytes) = input;
    let now = Timestamp(now.rem_euclid(4_000_000_000_000));
    let Some(mut window) = Window::from_bytes(bytes) else { return };
    assert_eq!(window.to_bytes(), bytes);
    window.advance(now);
    let mut sent = 0;
    while room(&[&window], &Limit::WEBHOOK, true, now).is_ok() {
        window.debit(Some(&Limit::WEBHOOK), now);
        sent += 1;
        assert!(sent <= WEBHOOK, "more than the limit");
    }
    let until = room(&[&window], &Limit::WEBHOOK, true, now).expect_err("the loop ended there");
    assert!(until > now);
    assert_eq!(Window::from_bytes(&window.to_bytes()), Some(window));
});
