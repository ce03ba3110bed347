//! Headers as proof of a source: whoever has the secret is let in, and nobody else.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wegraf::config::Source;
use wegraf::ingest::{could_prove, prove};
use wegraf_fuzz::NOW;
use wegraf_fuzz::headers::{Case, sources};

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(sources);

fuzz_target!(|case: Case<'_>| {
    let (headers, expected) = case.headers();
    for (source, expected) in SOURCES.iter().zip(expected) {
        let alone = std::slice::from_ref(source);
        let proven = prove(alone, &headers, case.body, NOW);
        assert_eq!(proven, expected.then_some(&*source.name), "{headers:?}");
        assert!(proven.is_none() || could_prove(alone, &headers), "{} was refused unread", source.name);
    }
    let first = SOURCES.iter().zip(expected).find_map(|(source, expected)| expected.then_some(&*source.name));
    assert_eq!(prove(&SOURCES, &headers, case.body, NOW), first, "{headers:?}");
});
