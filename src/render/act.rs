//! A message about an act for all receivers of the alert: actor, act, end of a silence, and the short id of the first
//! message.

use jiff::tz::TimeZone;
use wecom::Content;
use wecom::message::{Markdown, TEXT_BYTES, Text};

use super::fit::{cut_bytes, cut_chars};
use super::neutral::{Dialect, neutral, one_line};
use super::words::{Clock, number};
use crate::alert::{Labels, ThreadId, Timestamp};
use crate::config::{Channel, Language};
use crate::store::{ActAlert, ActKind, ActNews, ActState};
use crate::subject::{self, Sighting, Taught};
use crate::words::Words;

/// Alerts that are named; the others are counted.
const NAMED: usize = 3;
/// Characters of a rule's name, of an alert's distinguishing labels, and of a person's name.
const NAME: usize = 60;
const WHICH: usize = 40;
const PERSON: usize = 32;
/// Characters of the reason why something failed.
const REASON: usize = 300;

/// The input of a message about an act.
#[derive(Debug, Clone, Copy)]
pub struct ActLetter<'a> {
    /// What was done.
    pub news: &'a ActNews,
    /// What its first alerts are about: see [`places`].
    pub places: &'a [String],
    /// The actor's name; the userid if the name is unknown.
    pub person: &'a str,
    /// The channel of the target.
    pub channel: Channel,
    /// The receiver's language.
    pub language: Language,
    /// The receiver's zone.
    pub timezone: &'a TimeZone,
    /// The time of rendering.
    pub now: Timestamp,
    /// The short id of the first message.
    pub thread: ThreadId,
}

impl ActLetter<'_> {
    /// The message: text, or markdown where there is no text.
    pub fn content(&self) -> Content {
        let content = cut_bytes(&self.text(), TEXT_BYTES).into_owned();
        match self.channel {
            Channel::Bot => Content::Markdown(Markdown { content }),
            Channel::App | Channel::Chat | Channel::Webhook | Channel::Email | Channel::Hook => {
                Content::Text(Text { content, ..Text::default() })
            }
        }
    }

    /// The same as one text.
    pub fn text(&self) -> String {
        let mut lines = vec![self.headline()];
        lines.extend(self.which());
        lines.extend(self.consequence());
        // Its own line for the id, as everywhere: people search for it.
        lines.push(format!("#{}", self.thread));
        lines.join("\n")
    }

    /// `👋 张三 已认领 磁盘将满 ×3`
    fn headline(&self) -> String {
        let person = self.clean(self.person, PERSON);
        let what = self.what();
        let until = self.news.doer.until.and_then(|until| self.clock().time(until));
        let zh = self.language == Language::Zh;
        if self.news.state == ActState::Failed {
            return match (self.news.kind, zh) {
                (ActKind::Silence, true) => format!("⚠️ 没能静默 {what}"),
                (ActKind::Silence, false) => format!("⚠️ Not silenced: {what}"),
                (_, true) => format!("⚠️ 没有做成：{what}"),
                (_, false) => format!("⚠️ Failed: {what}"),
            };
        }
        match (self.news.kind, zh, until) {
            (ActKind::Acknowledge, true, _) => format!("👋 {person} 已认领 {what}"),
            (ActKind::Acknowledge, false, _) => format!("👋 {person} acknowledged {what}"),
            (ActKind::Release, true, _) => format!("↩️ {person} 放弃认领 {what}"),
            (ActKind::Release, false, _) => format!("↩️ {person} released {what}"),
            (ActKind::Silence, true, Some(until)) => format!("🔕 {person} 静默 {what}，到 {until}"),
            (ActKind::Silence, true, None) => format!("🔕 {person} 静默 {what}"),
            (ActKind::Silence, false, Some(until)) => format!("🔕 {person} silenced {what} until {until}"),
            (ActKind::Silence, false, None) => format!("🔕 {person} silenced {what}"),
            (ActKind::Extend, true, Some(until)) => format!("🔕 {person} 把静默延长到 {until}：{what}"),
            (ActKind::Extend, true, None) => format!("🔕 {person} 延长静默：{what}"),
            (ActKind::Extend, false, Some(until)) => {
                format!("🔕 {person} moved the end of the silence to {until}: {what}")
            }
            (ActKind::Extend, false, None) => format!("🔕 {person} moved the end of the silence: {what}"),
            (ActKind::Expire, true, _) => format!("🔔 {person} 解除静默 {what}"),
            (ActKind::Expire, false, _) => format!("🔔 {person} ended the silence of {what}"),
            (ActKind::Resend, true, _) => format!("🔁 {person} 重发 {what}"),
            (ActKind::Resend, false, _) => format!("🔁 {person} sent again {what}"),
            (ActKind::Recall, true, _) => format!("⏪ {person} 撤回 {what}"),
            (ActKind::Recall, false, _) => format!("⏪ {person} recalled {what}"),
            (ActKind::Forget, true, _) => format!("⚪ 不再上报 {what}"),
            (ActKind::Forget, false, _) => format!("⚪ No longer reported: {what}"),
            (ActKind::Hide, true, Some(until)) => format!("🔕 {person} 在上游静默了 {what}，到 {until}"),
            (ActKind::Hide, true, None) => format!("🔕 {person} 在上游静默了 {what}"),
            (ActKind::Hide, false, Some(until)) => format!("🔕 {person} silenced {what} upstream until {until}"),
            (ActKind::Hide, false, None) => format!("🔕 {person} silenced {what} upstream"),
        }
    }

    /// `磁盘将满 ×3`; of several rules, the first and how many alerts there are.
    fn what(&self) -> String {
        let news = self.news;
        let Some(first) = news.alerts.first() else {
            return if self.language == Language::Zh { "告警".to_owned() } else { "the alert".to_owned() };
        };
        let name = self.clean(&first.name, NAME);
        let rules = news.alerts.iter().any(|alert| alert.name != first.name);
        match (news.count, rules, self.language) {
            (..=1, ..) => name,
            (count, false, _) => format!("{name} ×{}", number(count)),
            (count, true, Language::Zh) => format!("{name} 等 {} 条", number(count)),
            (count, true, Language::En) => format!("{name} and {} more", number(count - 1)),
        }
    }

    /// `db-1、db-2、db-7，另 2 条`
    fn which(&self) -> Option<String> {
        let told: Vec<String> = self.places.iter().take(NAMED).map(|place| self.clean(place, WHICH)).collect();
        if told.is_empty() {
            return None;
        }
        let more = self.news.count.saturating_sub(told.len() as u64);
        let zh = self.language == Language::Zh;
        let list = told.join(if zh { "、" } else { ", " });
        Some(match (more, zh) {
            (0, _) => list,
            (_, true) => format!("{list}，另 {} 条", number(more)),
            (_, false) => format!("{list} and {} more", number(more)),
        })
    }

    /// Why it failed, or was done elsewhere, in the language of the receiver.
    fn reason(&self) -> String {
        Words::of_record(&self.news.detail).get(self.language).to_owned()
    }

    /// The consequence, so that readers need not guess it.
    fn consequence(&self) -> Option<String> {
        let zh = self.language == Language::Zh;
        if self.news.state == ActState::Failed {
            return Some(self.clean(&self.reason(), REASON));
        }
        let (chinese, english) = match self.news.kind {
            ActKind::Acknowledge => (
                "不再提醒，不再升级；恢复时会通知。",
                "No more reminders, no escalation; you will hear when it is over.",
            ),
            ActKind::Release => ("提醒和升级照常。", "Reminders and escalation go on."),
            ActKind::Silence | ActKind::Extend => (
                "到期前上游不再通知；恢复时仍会告诉大家。",
                "Nothing comes from upstream until then; you will still hear when it is over.",
            ),
            ActKind::Expire => ("上游恢复通知。", "Upstream notifies again."),
            ActKind::Forget => ("这不表示已经恢复。", "That does not mean that it is over."),
            ActKind::Hide => (
                "到期前不提醒，不升级；恢复时仍会告诉大家。",
                "No reminders, no escalation until then; you will still hear when it is over.",
            ),
            ActKind::Resend | ActKind::Recall => return None,
        };
        let so = if zh { chinese } else { english };
        // Why a silence was made elsewhere, as its author wrote.
        if self.news.kind == ActKind::Hide && !self.news.detail.trim().is_empty() {
            let why = self.clean(&self.reason(), REASON);
            return Some(if zh { format!("原因：{why}\n{so}") } else { format!("Reason: {why}\n{so}") });
        }
        Some(so.to_owned())
    }

    const fn clock(&self) -> Clock<'_> {
        Clock { now: self.now, zone: self.timezone, language: self.language }
    }

    fn clean(&self, text: &str, most: usize) -> String {
        harmless(text, self.channel, most)
    }
}

/// `text` on one line of at most `most` characters, without live markup in a text (of a bot: in markdown) on `channel`.
pub fn harmless(text: &str, channel: Channel, most: usize) -> String {
    let dialect = if channel == Channel::Bot { Dialect::MarkdownV2 } else { Dialect::Plain };
    neutral(&cut_chars(&one_line(text), most), dialect).into_owned()
}

/// What an alert is about: its object, as messages show it. `taught`: what the configuration says of its labels.
pub fn place(alert: &ActAlert, taught: &Taught) -> Option<String> {
    let labels: Labels = serde_json::from_str(&alert.labels_json).unwrap_or_default();
    let of = Sighting { labels: &labels, said: "", expression: "", taught };
    Some(subject::text(&subject::subject(&of).object)).filter(|object| !object.is_empty())
}

/// What the alerts that a message names are about.
pub fn places(alerts: &[ActAlert], taught: impl Fn(&ActAlert) -> Taught) -> Vec<String> {
    alerts.iter().take(NAMED).filter_map(|alert| place(alert, &taught(alert))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Identity, Status};
    use crate::names::SourceId;
    use crate::store::Doer;

    const NOW: Timestamp = Timestamp(1_700_028_540_000);

    fn alert(name: &str, instance: &str) -> ActAlert {
        ActAlert {
            alert: 1,
            identity: Identity([0; 32]),
            receiver: "ops".to_owned(),
            source: SourceId::Configured("am".to_owned()),
            name: name.to_owned(),
            labels_json: serde_json::json!({ "instance": instance }).to_string(),
            critical: false,
            status: Status::Firing,
            starts_at: None,
            ends_at: None,
            notification: 1,
            thread: ThreadId(1),
            sender: String::new(),
            acknowledged: None,
        }
    }

    fn news(kind: ActKind, state: ActState, alerts: Vec<ActAlert>) -> ActNews {
        let until = (kind == ActKind::Silence).then(|| NOW.plus_millis(3_600_000));
        let doer = Doer { by: "zhangsan".to_owned(), at: NOW, until };
        let count = alerts.len() as u64;
        ActNews { kind, state, detail: "上游没有回答".to_owned(), doer, alerts, count }
    }

    fn written(news: &ActNews, person: &str, channel: Channel, language: Language) -> String {
        let timezone = TimeZone::get("Asia/Shanghai").unwrap();
        let places = &places(&news.alerts, |_| Taught::default());
        let letter =
            ActLetter { news, places, person, channel, language, timezone: &timezone, now: NOW, thread: ThreadId(1) };
        letter.text()
    }

    #[test]
    fn the_first_lines_name_owner_alert_and_consequence() {
        let alerts = vec![alert("磁盘将满", "db-1"), alert("磁盘将满", "db-2")];
        let taken = news(ActKind::Acknowledge, ActState::Done, alerts.clone());
        let id = ThreadId(1);
        assert_eq!(
            written(&taken, "张三", Channel::Webhook, Language::Zh),
            format!("👋 张三 已认领 磁盘将满 ×2\ndb-1、db-2\n不再提醒，不再升级；恢复时会通知。\n#{id}")
        );
        let silenced = news(ActKind::Silence, ActState::Done, alerts);
        assert_eq!(
            written(&silenced, "zhangsan", Channel::App, Language::En),
            format!(
                "🔕 zhangsan silenced 磁盘将满 ×2 until 15:09\ndb-1, db-2\nNothing comes from upstream until then; you will still hear when it is over.\n#{id}"
            )
        );
        let lapsed = news(ActKind::Forget, ActState::Done, vec![alert("磁盘将满", "db-1")]);
        assert_eq!(
            written(&lapsed, "wegraf", Channel::Webhook, Language::Zh),
            format!("⚪ 不再上报 磁盘将满\ndb-1\n这不表示已经恢复。\n#{id}")
        );
        assert_eq!(
            written(&lapsed, "wegraf", Channel::Webhook, Language::En),
            format!("⚪ No longer reported: 磁盘将满\ndb-1\nThat does not mean that it is over.\n#{id}")
        );
        let mut hidden = news(ActKind::Hide, ActState::Done, vec![alert("磁盘将满", "db-1")]);
        (hidden.detail, hidden.doer.until) = ("<@all> 换盘".to_owned(), Some(NOW.plus_millis(3_600_000)));
        let text = written(&hidden, "lisi", Channel::Webhook, Language::Zh);
        assert!(text.starts_with("🔕 lisi 在上游静默了 磁盘将满，到 15:09\ndb-1\n原因："), "{text}");
        assert!(text.contains("换盘\n到期前不提醒，不升级") && !text.contains("<@"), "{text}");
        let failed = news(ActKind::Silence, ActState::Failed, vec![alert("磁盘将满", "")]);
        assert_eq!(
            written(&failed, "张三", Channel::App, Language::Zh),
            format!("⚠️ 没能静默 磁盘将满\n上游没有回答\n#{id}")
        );
    }

    #[test]
    fn names_from_labels_and_people_become_no_markup() {
        let taken = news(ActKind::Acknowledge, ActState::Done, vec![alert("[x](http://evil)", "<@all>")]);
        let text = written(&taken, "**a**", Channel::Bot, Language::Zh);
        assert!(!text.contains("](") && !text.contains("<@") && !text.contains("**"), "{text}");
        let text = written(&taken, "<@all>", Channel::Webhook, Language::Zh);
        assert!(!text.contains("<@"), "{text}");
    }

    #[test]
    fn an_act_about_many_alerts_fits() {
        let long = "长".repeat(500);
        let alerts = (0..20).map(|_| alert(&long, &long)).collect();
        let mut taken = news(ActKind::Silence, ActState::Failed, alerts);
        taken.detail = long.repeat(20);
        for channel in Channel::ALL {
            let text = written(&taken, &long, channel, Language::Zh);
            assert!(text.len() <= TEXT_BYTES, "{}", text.len());
            assert!(text.ends_with(&format!("#{}", ThreadId(1))));
        }
    }

    #[test]
    fn a_message_about_an_act_names_what_the_user_taught() {
        let mut taken = alert("分片不可写", "10.0.0.1");
        taken.labels_json = r#"{"instance":"10.0.0.1","shard_name":"orders-7"}"#.to_owned();
        let taught = |_: &ActAlert| Taught { object: vec!["shard_name".to_owned()], ..Taught::default() };
        assert_eq!(places(&[taken], taught), ["orders-7"]);
    }
}
