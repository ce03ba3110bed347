//! The signed link of a message: as it was made it opens its page until it ends; changed in any way it opens nothing.

#![no_main]

use http::Uri;
use libfuzzer_sys::fuzz_target;
use wegraf::alert::Timestamp;
use wegraf::http::LinkKey;
use wegraf_fuzz::link::{Case, fields};

fuzz_target!(|case: Case<'_>| {
    let key = LinkKey::new(case.key.to_vec());
    let made_at = Timestamp(case.made_at);
    let link = key.link("https://alerts.example.com", case.page, made_at);
    let (address, query) = link.split_once('?').expect("a link has a query");
    assert_eq!(address, format!("https://alerts.example.com/d/{}", case.page));
    let (until, _) = fields(query).expect("a link says until when, and is signed");

    let page = case.tried_page.unwrap_or(case.page);
    let now = made_at.plus_millis(case.tried_after);
    let genuine: Uri = format!("/d/{page}?{query}").parse().expect("a link is an address");
    let right = page == case.page && now.0 / 1000 <= until;
    assert_eq!(key.opens(page, &genuine, now), right, "{query} of {} at {page}, {now:?}", case.page);

    let tried = case.tried(query);
    let Ok(address) = format!("/d/{page}?{tried}").parse::<Uri>() else { return };
    let opens = key.opens(page, &address, now);
    // Another spelling of the same two fields is no other link.
    assert!(!opens || (right && fields(&tried) == fields(query)), "{tried} opens {page}, {query} is of {}", case.page);
    let other = LinkKey::new([case.key, &[1]].concat());
    assert!(!other.opens(page, &address, now), "another key opens {tried}");
});
