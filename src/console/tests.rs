//! Whole pages: what they hold, in which language, and that no text from outside becomes more than text.

use std::collections::HashMap;
use std::path::Path;

use askama::Template as _;
use jiff::tz::TimeZone;

use super::*;
use crate::alert::{Alert, Labels, Notification, Status, ThreadId, Timestamp, Value};
use crate::config::{FallbackAfter, Receiver};
use crate::deliver::Page;
use crate::links::LinkKey;
use crate::render::{Clock, samples};
use crate::store::{Digest, DigestGroup, DigestItem, DigestKey, DigestOther};
use crate::subject::Taught;
use crate::words::{Language, words as both};

const NOW: Timestamp = Timestamp(1_789_193_640_000);

fn receiver() -> Receiver {
    Receiver {
        name: "ops".to_owned(),
        language: Language::Zh,
        timezone: TimeZone::UTC,
        template: None,
        targets: Vec::new(),
        send_resolved: true,
        repeat_interval: std::time::Duration::ZERO,
        fallback: None,
        fallback_after: FallbackAfter::default(),
        escalate: Vec::new(),
        taught: crate::subject::Taught::default(),
        may_act: None,
    }
}

fn letter(notification: Notification) -> Page {
    let all: Vec<usize> = (0..notification.alerts.len()).collect();
    Page::fresh(notification, &all, &receiver(), NOW)
}

fn frame(language: Language) -> Frame<'static> {
    Frame::new(language, "../", "?lang=x".to_owned(), View::default())
}

fn shown<'a>(page: &'a Page, standing: &'a HashMap<i64, Now>) -> Shown<'a> {
    Shown {
        page,
        thread: ThreadId(41),
        now: NOW,
        standing,
        folded: None,
        picture: None,
        acts: None,
        origins: &[],
        console: false,
        from: 0,
        proof: "until=1&s=abc",
    }
}

fn html(page: &Page, language: Language) -> String {
    letter_page(frame(language), shown(page, &HashMap::new())).render().unwrap()
}

fn sample(name: &str) -> Notification {
    samples().into_iter().find(|sample| sample.name == name).unwrap_or_else(|| panic!("no sample {name}")).notification
}

/// The tags of a page, without their texts.
fn tags(html: &str) -> Vec<&str> {
    html.match_indices('<').map(|(at, _)| &html[at..at + html[at..].find('>').expect("a tag ends")]).collect()
}

/// What a page may not contain, whatever it shows: tags with a script, a style or a handler of their own.
fn wrong(html: &str) -> Vec<&str> {
    let hostile = |tag: &str| {
        let tag = tag.to_ascii_lowercase();
        // Every second piece is the value of an attribute: the pages quote all of them.
        let names: String = tag.split('"').step_by(2).collect();
        let inline = tag.starts_with("<script") && !tag.contains("src=\"../assets/");
        inline
            || tag.starts_with("<style")
            || tag.starts_with("<base")
            || ["href", "src", "action"].iter().any(|name| tag.contains(&format!(" {name}=\"javascript:")))
            || names.split_ascii_whitespace().skip(1).any(|name| name.starts_with("on") || name.starts_with("style"))
            || names.contains('\'')
    };
    tags(html).into_iter().filter(|tag| hostile(tag)).collect()
}

const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\" style=\"position:fixed",
    "</title><script>alert(1)</script>",
    "</details></section><form action=//evil.example>",
    "javascript:alert(1)",
    "{{7*7}}{% if 1 %}",
    "<!--",
    "]]><svg/onload=alert(1)>",
    "\u{202e}\u{2066}gnp.exe",
    "&lt;script&gt;",
];

fn hostile_alert(text: &str) -> Alert {
    let mut alert = sample("disk").alerts.swap_remove(0);
    alert.name = text.to_owned();
    for labels in [&mut alert.labels, &mut alert.annotations] {
        labels.insert(text.to_owned(), text.to_owned());
        for value in labels.values_mut() {
            *value = format!("{value} {text}").into();
        }
    }
    alert.labels.insert("alertname".to_owned(), text.to_owned());
    alert.values = vec![Value {
        name: text.to_owned(),
        text: text.to_owned(),
        tags: Labels::from([(text.to_owned(), text.to_owned())]),
    }];
    for link in [
        &mut alert.links.rule,
        &mut alert.links.panel,
        &mut alert.links.dashboard,
        &mut alert.links.silence,
        &mut alert.links.runbook,
        &mut alert.links.image,
    ] {
        *link = if text.starts_with("java") { text.to_owned() } else { format!("https://a.example/{text}") };
    }
    alert
}

#[test]
fn no_text_from_outside_becomes_markup_whichever_field_it_stands_in() {
    for text in HOSTILE {
        let mut notification = sample("disk");
        notification.alerts = vec![hostile_alert(text), hostile_alert(text)];
        text.clone_into(&mut notification.message);
        text.clone_into(&mut notification.title);
        let page = letter(notification);
        let owner = Now { status: Status::Firing, ended: None, owner: Some(text.to_owned()) };
        let standing = HashMap::from([(0, owner)]);
        let clock = Clock { now: NOW, zone: &TimeZone::UTC, language: Language::Zh };
        let acting = Standing {
            thread: ThreadId(41),
            on: 2,
            taken: 1,
            owners: vec![(text.to_owned(), NOW, 1)],
            silenced: Some((text.to_owned(), NOW)),
            done: Vec::new(),
            may: May::Act,
            hides: None,
            too_many: false,
            person: text.to_owned(),
            most: 32,
            nonce: 7,
            proof: text.to_owned(),
            proven: None,
            said: Some((false, both("", "").clone())),
        };
        let f = frame(Language::Zh);
        let acts = acts(&f, &clock, &acting);
        let origins = ["https://a.example".to_owned()];
        let folded = Some(Beside { thread: ThreadId(7), href: format!("42?{}", text.len()) });
        let all = Shown { acts, folded, origins: &origins, ..shown(&page, &standing) };
        let html = letter_page(f, all).render().unwrap();
        assert_eq!(wrong(&html), [""; 0], "{text}");
        assert_eq!(html.matches("<script").count(), 1, "{text}");
        assert_eq!(html.matches("<form").count(), 1, "{text}");
        let item = DigestItem {
            alert: 1,
            name: text.to_owned(),
            labels: Labels::from([(text.to_owned(), text.to_owned()), ("instance".to_owned(), text.to_owned())]),
            critical: true,
            status: Status::Firing,
            starts_at: Some(NOW),
            ends_at: None,
            changes: 2,
        };
        let group =
            DigestGroup { name: text.to_owned(), severity: text.to_owned(), firing: 1, ..DigestGroup::default() };
        let digest = Digest { groups: vec![group.clone(), group], ..digest(1, 1) };
        let turn = Turn {
            digest: &digest,
            thread: ThreadId(41),
            after: None,
            items: &[item],
            taught: Taught::NOTHING,
            proof: text,
        };
        let html = digest_page(frame(Language::En), &clock, &turn).render().unwrap();
        assert_eq!((wrong(&html), html.matches("<script").count()), (Vec::new(), 1), "{text}");
    }
}

#[test]
fn a_hostile_page_is_found() {
    for html in [
        "<p onclick=x>",
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        "<p style=\"color:red\">",
        "<a href=\"javascript:x\">",
        "<base href=x>",
    ] {
        assert_eq!(wrong(html).len(), 1, "{html}");
    }
}

#[test]
fn templates_hold_no_words_and_no_way_around_escaping() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/console");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "html") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display();
        for way in ["|safe", "| safe", "|escape", "style=", "<style", "autoescape", "javascript:"] {
            assert!(!text.contains(way), "{name} has {way}");
        }
        assert!(!text.contains(|c: char| ('\u{2e80}'..='\u{9fff}').contains(&c)), "{name} has words of its own");
        assert!(!text.contains(" on"), "{name} has a handler");
        assert!(text.matches("<script").count() == text.matches("<script src=").count(), "{name} has a script");
    }
}

#[test]
fn a_page_is_in_one_language() {
    let is_han = |c: char| ('\u{2e80}'..='\u{9fff}').contains(&c);
    let mut notification = sample("disk");
    notification.alerts.truncate(1);
    let alert = &mut notification.alerts[0];
    alert.name = "DiskFull".to_owned();
    alert.labels =
        Labels::from([("instance".to_owned(), "db-1".to_owned()), ("severity".to_owned(), "critical".to_owned())]);
    alert.annotations = Labels::from([("summary".to_owned(), "almost full".to_owned())]);
    let page = letter(notification);
    let english = html(&page, Language::En).replace("中文", "");
    assert!(!english.contains(is_han), "{english}");
    assert!(english.contains("lang=\"en\"") && english.contains("DiskFull · 1 still firing"), "{english}");
    let chinese = html(&page, Language::Zh);
    assert!(chinese.contains("DiskFull · 1 条仍在告警") && chinese.contains("标签与注释"), "{chinese}");
    for words in ["still firing", "labels and", "since"] {
        assert!(!chinese.contains(words), "{words}");
    }
}

#[test]
fn alerts_stand_by_rule_with_object_value_age_and_links_and_what_all_share_is_said_once() {
    let mut notification = sample("disk");
    let first = notification.alerts.swap_remove(0);
    let of = |rule: &str, host: &str, over: bool| {
        let mut alert = first.clone();
        alert.name = rule.to_owned();
        alert.status = if over { Status::Resolved } else { Status::Firing };
        alert.starts_at = Some(NOW.plus_millis(-12 * 60_000));
        alert.ends_at = over.then_some(NOW);
        alert.labels = [("alertname", rule), ("instance", host), ("severity", "critical"), ("mountpoint", "/data")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        alert.annotations = Labels::from([("summary".to_owned(), "清理归档".to_owned())]);
        alert
    };
    notification.alerts =
        vec![of("磁盘将满", "db-1", false), of("主机失联", "web-9", true), of("磁盘将满", "db-2", false)];
    let html = html(&letter(notification), Language::Zh);
    assert_eq!(html.matches("<section class=\"rule").count(), 2, "{html}");
    assert_eq!(html.matches("<p class=\"line\">清理归档</p>").count(), 2, "once for each rule: {html}");
    assert!(html.contains("磁盘将满 <span class=\"times\">×2</span>"), "{html}");
    let (disk, host) = (html.find("磁盘将满 <span").unwrap(), html.find("主机失联").unwrap());
    assert!(disk < host, "what is on comes first");
    for text in ["<b>db-1</b>", "<b>db-2</b>", "web-9", "12 分钟", "已恢复"] {
        assert!(html.contains(text), "{text} is missing: {html}");
    }
}

#[test]
fn what_became_of_an_alert_since_is_shown() {
    let page = letter(sample("disk"));
    let over = Now { status: Status::Resolved, ended: Some(NOW), owner: None };
    let html = letter_page(frame(Language::Zh), shown(&page, &HashMap::from([(0, over)]))).render().unwrap();
    assert!(html.contains("都已结束") && html.contains("<li class=\"resolved\">"), "{html}");
    assert!(!html.contains("<li class=\"firing\">"), "{html}");
    let taken = Now { status: Status::Firing, ended: None, owner: Some("李四".to_owned()) };
    let html = letter_page(frame(Language::Zh), shown(&page, &HashMap::from([(0, taken)]))).render().unwrap();
    assert!(html.contains("👋 李四 已认领"), "{html}");
}

#[test]
fn a_message_of_thousands_of_alerts_has_pages_and_names_each_once() {
    let mut notification = sample("disk");
    let first = notification.alerts.swap_remove(0);
    let of = |host: usize| {
        let mut alert = first.clone();
        alert.labels = Labels::from([("host".to_owned(), format!("machine-{host:05}"))]);
        alert
    };
    notification.alerts = (0..450).map(of).collect();
    let page = letter(notification);
    let mut named = 0;
    for from in [0, 200, 400] {
        let standing = HashMap::new();
        let html = letter_page(frame(Language::Zh), Shown { from, ..shown(&page, &standing) }).render().unwrap();
        named += html.matches("<dd>machine-").count();
        assert_eq!(html.contains("rel=\"next\""), from < 400, "{from}");
        assert_eq!(html.contains("rel=\"first\""), from > 0, "{from}");
        assert!(html.contains("共 450 条"), "{from}");
    }
    assert_eq!(named, 450);
}

#[test]
fn a_message_that_was_folded_leads_to_its_digest() {
    let key = LinkKey::new(vec![7; 32]);
    let now = Timestamp(1_800_000_000_000);
    let opened = key.open(41, &key.link("", 41, now, None).parse().unwrap(), now).unwrap();
    let (page, standing) = (letter(sample("disk")), HashMap::new());
    let folded = Some(Beside { thread: ThreadId(42), href: opened.beside(42) });
    let html = letter_page(frame(Language::Zh), Shown { folded, ..shown(&page, &standing) }).render().unwrap();
    assert!(html.contains("已并入摘要") && html.contains(&format!("#{}</a>", ThreadId(42))), "{html}");
    let query = html.split("href=\"42?").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let opens = |id: i64, days: i64| {
        let address = format!("/d/{id}?{query}").parse().unwrap();
        key.open(id, &address, now.plus_millis(days * 24 * 3_600_000)).is_some()
    };
    assert!(opens(42, 30));
    assert!(!opens(43, 30), "it opens no other page");
    assert!(!opens(42, 31), "and ends with the link it stands beside");
}

fn digest(firing: u64, resolved: u64) -> Digest {
    Digest {
        firing,
        resolved,
        notices: 0,
        transitions: firing + 2 * resolved,
        critical: firing.min(3),
        from: NOW.plus_millis(-120_000),
        to: NOW,
        items: Vec::new(),
        groups: Vec::new(),
        other: DigestOther::default(),
    }
}

fn item(number: i64, status: Status) -> DigestItem {
    let host = format!("db-{number}");
    let labels = [("alertname", "磁盘将满"), ("severity", "critical"), ("instance", host.as_str())];
    DigestItem {
        alert: number,
        name: format!("磁盘将满 {}", number % 7),
        labels: labels.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Labels>(),
        critical: number % 100 == 1,
        status,
        starts_at: Some(NOW.plus_millis(-3_600_000)),
        ends_at: (status == Status::Resolved).then_some(NOW),
        changes: 37,
    }
}

#[test]
fn each_alert_of_a_digest_has_a_word_for_its_state_and_stands_under_its_rule() {
    let items = [item(1, Status::Firing), item(8, Status::Firing), item(3, Status::Resolved)];
    let clock = Clock { now: NOW, zone: &TimeZone::UTC, language: Language::Zh };
    let digest = digest(2, 1);
    let turn = Turn {
        digest: &digest,
        thread: ThreadId(41),
        after: None,
        items: &items,
        taught: Taught::NOTHING,
        proof: "until=1&s=abc",
    };
    let html = digest_page(frame(Language::Zh), &clock, &turn).render().unwrap();
    for (class, count) in [("firing", 2), ("resolved", 1)] {
        assert_eq!(html.matches(&format!("<li class=\"{class}\">")).count(), count, "{html}");
    }
    assert_eq!(html.matches("<section class=\"rule").count(), 3, "a critical one does not stand among the others");
    for text in ["告警摘要：2 条告警，2 条严重，1 条已恢复", "变化 37 次", "<b>db-8</b>", "1 小时"]
    {
        assert!(html.contains(text), "{text} is missing: {html}");
    }
    assert!(!html.contains("<nav class=\"pages"), "one page needs no way to others");
}

#[test]
fn twenty_thousand_alerts_are_read_page_by_page_each_once() {
    let mut all: Vec<DigestItem> = (1..=20_000)
        .map(|number| item(number, if number % 10 == 0 { Status::Resolved } else { Status::Firing }))
        .collect();
    all.sort_by_key(DigestKey::of);
    let (digest, clock) = (digest(18_000, 2_000), Clock { now: NOW, zone: &TimeZone::UTC, language: Language::Zh });
    let (mut after, mut pages, mut seen) = (None, 0, 0);
    loop {
        let start = after.clone().unwrap_or(DigestKey::start());
        let from = all.partition_point(|item| DigestKey::of(item) <= start);
        let items = &all[from..all.len().min(from + PAGE_ITEMS + 1)];
        let turn = Turn {
            digest: &digest,
            thread: ThreadId(41),
            after: after.as_ref(),
            items,
            taught: Taught::NOTHING,
            proof: "until=1&s=abc",
        };
        // The whole of every tenth page is written; that is enough for a unit test.
        if pages % 10 == 0 {
            let html = digest_page(frame(Language::Zh), &clock, &turn).render().unwrap();
            assert_eq!(html.contains("rel=\"next\""), items.len() > PAGE_ITEMS);
            assert_eq!(
                html.matches("<li class=\"firing\">").count() + html.matches("<li class=\"resolved\">").count(),
                items.len().min(PAGE_ITEMS)
            );
            assert!(html.len() < 150_000, "{} bytes", html.len());
        }
        pages += 1;
        seen += items.len().min(PAGE_ITEMS);
        if items.len() <= PAGE_ITEMS {
            break;
        }
        after = Some(DigestKey::of(&items[PAGE_ITEMS - 1]));
    }
    assert_eq!((pages, seen), (100, 20_000));
}
