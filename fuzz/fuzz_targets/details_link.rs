//! The signed link of a message: as it was made it opens its page until it ends; changed in any way it opens nothing.

#![no_main]

use std::time::Duration;

use http::Uri;
use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Timestamp;
use wegraf::internals::links::{Acting, LinkKey};
use wegraf_fuzz::link::{Case, Fields, fields};

fuzz_target!(|case: Case<'_>| {
    let key = LinkKey::new(case.key.to_vec());
    let made_at = Timestamp(case.made_at);
    let acts = case.acts.map(|seconds| Duration::from_secs(seconds.into()));
    let link = key.link("https://alerts.example.com", case.page, made_at, acts);
    let (address, query) = link.split_once('?').expect("a link has a query");
    assert_eq!(address, format!("https://alerts.example.com/d/{}", case.page));
    let Fields { until, act, .. } = fields(query).expect("a link says until when, and is signed");

    let page = case.tried_page.unwrap_or(case.page);
    let now = made_at.plus_millis(case.tried_after);
    let genuine: Uri = format!("/d/{page}?{query}").parse().expect("a link is an address");
    let right = page == case.page && now.0 / 1000 <= until;
    let opened = key.open(page, &genuine, now);
    assert_eq!(opened.is_some(), right, "{query} of {} at {page}, {now:?}", case.page);
    if let Some(opened) = opened {
        let expected = match act {
            None => Acting::Never,
            Some(act) if now.0 / 1000 <= act => Acting::Until(act),
            Some(_) => Acting::Ended,
        };
        assert_eq!(opened.acts, expected, "{query} at {now:?}");
    }

    let tried = case.tried(query);
    let Ok(address) = format!("/d/{page}?{tried}").parse::<Uri>() else { return };
    let opens = key.open(page, &address, now).is_some();
    // Another spelling of the same fields is no other link.
    assert!(!opens || (right && fields(&tried) == fields(query)), "{tried} opens {page}, {query} is of {}", case.page);
    let other = LinkKey::new([case.key, &[1]].concat());
    assert!(other.open(page, &address, now).is_none(), "another key opens {tried}");
});
