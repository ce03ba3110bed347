//! What several fuzz targets share: the time, and what holds for every notification.

pub mod headers;
pub mod json;
pub mod letter;
pub mod link;

use std::time::Duration;

use serde_json::Value;
use wecom::Content;
use wegraf::internals::alert::{Health, Links, Notification, Status, Timestamp};
use wegraf::internals::config::Channel;

/// The time at which every target receives and renders: 2026-11-22T13:30:00Z.
pub const NOW: Timestamp = Timestamp(1_795_354_200_000);

/// Panics unless `notification` keeps every promise of `wegraf::internals::alert` that rooms behind `ingest` rely on.
pub fn check_notification(notification: &Notification) {
    assert!(!notification.alerts.is_empty(), "an alert was lost");
    check_link(&notification.external_url);
    for alert in &notification.alerts {
        assert!(!alert.name.is_empty(), "an alert without a name");
        let Links { rule, silence, dashboard, panel, runbook, image } = &alert.links;
        for link in [rule, silence, dashboard, panel, runbook, image] {
            check_link(link);
        }
        assert!(alert.health == Health::Normal || alert.values.is_empty(), "a value where there is no data");
        for value in &alert.values {
            assert!(!["", "null"].contains(&value.text.as_str()), "{value:?}");
        }
        assert!(alert.status == Status::Resolved || alert.ends_at.is_none(), "it fires and is over");
        let private = |name: &str| name.len() > 4 && name.starts_with("__") && name.ends_with("__");
        assert!(
            !alert.labels.keys().chain(alert.annotations.keys()).any(|name| private(name)),
            "a private name is shown"
        );
    }
    let json = serde_json::to_value(notification).expect("a notification is JSON");
    assert!(!holds_zero(&json), "U+0000, which neither store can keep: {notification:?}");
    let kept: Notification = serde_json::from_value(json).expect("what was written is read");
    assert_eq!(&kept, notification);
}

/// Panics unless what was read again is what was read, but for promises to repeat, which depend on the door.
pub fn check_again(mut again: Notification, read: &Notification) {
    let mut read = read.clone();
    for alert in again.alerts.iter_mut().chain(&mut read.alerts) {
        alert.lapses_at = None;
    }
    assert_eq!(again, read);
}

fn holds_zero(json: &Value) -> bool {
    match json {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_zero),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_zero(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn check_link(link: &str) {
    let lower = link.to_lowercase();
    assert!(link.is_empty() || lower.starts_with("http://") || lower.starts_with("https://"), "link {link:?}");
    assert!(!link.contains(|letter: char| letter.is_whitespace() || letter.is_control()), "link {link:?}");
}

/// Time that the processor spent on this thread: unlike the clock it does not run while others work.
pub fn cpu_time() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = spent.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default();
    Duration::from_nanos(nanos)
}

/// Panics unless the long fields of `content` fit `channel` (docs/reference/wecom.md#channels, #template-cards; outside
/// WeCom a bound of our own).
pub fn check_sizes(content: &Content, channel: Channel) {
    let fits = |text: &str, most: usize| {
        assert!(!text.trim().is_empty(), "an empty field");
        assert!(text.len() <= most, "{} bytes of {most}", text.len());
    };
    match content {
        Content::Text(text) => fits(&text.content, if channel.wecom().is_some() { 2048 } else { 65_536 }),
        Content::Markdown(text) => fits(&text.content, if channel == Channel::Webhook { 4096 } else { 2048 }),
        Content::MarkdownV2(text) => fits(&text.content, 4096),
        Content::Textcard(card) => {
            fits(&card.title, 128);
            fits(&card.description, 512);
        }
        Content::News(news) => news.articles.iter().for_each(|article| {
            fits(&article.title, 128);
            fits(&article.description, 512);
        }),
        Content::TemplateCard(card) => {
            let title = card.main_title.as_ref().map_or("", |title| &title.title);
            fits(title, 4 * 36);
            assert!(card.horizontal_content_list.len() <= 6 && card.jump_list.len() <= 3);
        }
        Content::Image(_) => {}
    }
}
