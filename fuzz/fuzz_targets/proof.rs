//! Headers as proof of a source: a request is let in if and only if it has the secret.

#![no_main]

use std::sync::LazyLock;

use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use wegraf::internals::config::Source;
use wegraf::internals::proof::{Certificates, Presented, could_prove};
use wegraf_fuzz::NOW;
use wegraf_fuzz::headers::{Case, sources};

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(sources);

/// The name of the source that is proven.
fn prove<'a>(sources: &'a [Source], request: &Presented<'_>, body: &[u8]) -> Option<&'a str> {
    wegraf::internals::proof::prove(sources, request, body, &Certificates::new(), NOW)
        .ok()
        .map(|proven| proven.source.name.as_str())
}

fuzz_target!(|case: Case<'_>| {
    let (headers, expected) = case.headers();
    let uri = Uri::from_static("/webhook");
    let request = Presented { method: &Method::POST, uri: &uri, headers: &headers, peer: None, shown: None };
    for (source, expected) in SOURCES.iter().zip(expected) {
        let alone = std::slice::from_ref(source);
        let proven = prove(alone, &request, case.body);
        assert_eq!(proven, expected.then_some(&*source.name), "{headers:?}");
        assert!(proven.is_none() || could_prove(alone, &request).is_ok(), "{} was refused unread", source.name);
    }
    let first = SOURCES.iter().zip(expected).find_map(|(source, expected)| expected.then_some(&*source.name));
    assert_eq!(prove(&SOURCES, &request, case.body), first, "{headers:?}");
});
