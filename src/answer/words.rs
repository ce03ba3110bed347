//! Answers to the actor: a label that fits on a button, and a sentence.

use jiff::tz::TimeZone;

use super::scope::Scope;
use crate::alert::Timestamp;
use crate::config::{Channel, Language};
use crate::render::harmless;
use crate::store::{ActKind, ActState, Acted};

/// Characters of the conditions of a silence in an answer, and of the name of an upstream.
const CONDITIONS: usize = 400;
const NAME: usize = 40;

/// The answer to a request for an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// For the place where the buttons were: at most 10 characters or so.
    pub label: String,
    /// A sentence.
    pub text: String,
    /// The state of the act; `None`: its object is unknown.
    pub state: Option<ActState>,
    /// Its number; 0 if it is not recorded.
    pub act: i64,
}

impl Answer {
    /// The card is not ours, or its record was deleted.
    pub(super) fn unknown(language: Language) -> Self {
        let (label, text) = match language {
            Language::Zh => ("已失效", "这张卡片已失效：告警记录已被清理，或卡片不是这里发的。"),
            Language::En => {
                ("Expired", "This card is no longer valid: its record was pruned, or it was not sent from here.")
            }
        };
        Self { label: label.to_owned(), text: text.to_owned(), state: None, act: 0 }
    }

    /// The same with the alerts that the silence hides.
    pub(super) fn with_scope(mut self, scope: &Scope, channel: Channel, language: Language) -> Self {
        let conditions = harmless(&scope.conditions(), channel, CONDITIONS);
        let (upstream, count) = (harmless(&scope.upstream, channel, NAME), scope.count);
        let line = match (language, scope.by_upstream) {
            (Language::Zh, true) => format!("挡住满足全部条件的告警：{conditions}；{upstream} 说现在有 {count} 条。"),
            (Language::Zh, false) => {
                format!("挡住满足全部条件的告警：{conditions}；{upstream} 没有回答，wegraf 的记录里现在有 {count} 条。")
            }
            (Language::En, true) => format!(" It hides what fulfils {conditions}: {upstream} counts {count} now."),
            (Language::En, false) => format!(
                " It hides what fulfils {conditions}: {upstream} does not answer; wegraf's record counts {count} now."
            ),
        };
        self.text.push_str(&line);
        self
    }

    /// The same after the act was completed: with the reason, if it failed.
    pub(super) fn ended(self, state: ActState, detail: &str, language: Language) -> Self {
        if state != ActState::Failed {
            return Self { state: Some(state), ..self };
        }
        let (label, text) = match language {
            Language::Zh => ("没有做成", format!("没有做成：{detail}")),
            Language::En => ("Failed", format!("It failed: {detail}")),
        };
        Self { label: label.to_owned(), text, state: Some(state), ..self }
    }

    /// The result of an act of this kind.
    pub(super) fn of(
        kind: ActKind,
        acted: &Acted,
        before_by: &str,
        until: Option<Timestamp>,
        language: Language,
        timezone: &TimeZone,
        now: Timestamp,
    ) -> Self {
        let zh = language == Language::Zh;
        let clock = |at: Timestamp| clock(at, now, timezone);
        let before = acted.before.as_ref();
        let (label, text) = match acted.state {
            ActState::Denied if zh => ("没有权限".to_owned(), "抱歉，你没有收到过这条告警，或者不在可以操作它的名单里。请找当值的同事，用消息里的卡片或链接操作，或请管理员把你加进 may_act。".to_owned()),
            ActState::Denied => ("Not allowed".to_owned(), "Sorry, this alert was not sent to you, or you are not among those who may act on it. Ask who is on duty, use the card or the link in the message, or ask an operator to add you to may_act.".to_owned()),
            ActState::Void if zh => ("已结束".to_owned(), "没有还在告警的内容了，不需要处理。".to_owned()),
            ActState::Void => ("Over".to_owned(), "None of these alerts is firing any more: there is nothing to do.".to_owned()),
            ActState::Limited if zh => ("太频繁".to_owned(), "10 分钟内对这条告警的操作太多了（最多 10 次），这一次没有执行。请稍后再试。".to_owned()),
            ActState::Limited => ("Too often".to_owned(), "There were too many acts on this alert within 10 minutes (10 at most): this one was not done. Try again later.".to_owned()),
            ActState::Failed if zh => ("没有做成".to_owned(), "没有做成，原因见随后的消息。".to_owned()),
            ActState::Failed => ("Failed".to_owned(), "It failed; a message will say why.".to_owned()),
            ActState::Repeated => repeated(kind, before.map(|doer| (before_by, clock(doer.at), doer.until.map(clock))), zh),
            ActState::Open | ActState::Done => done(kind, until.map(clock), zh),
        };
        let text = text + &missed(acted.missed, zh);
        Self { label, text, state: Some(acted.state), act: acted.act }
    }
}

/// That an act was too large for all of its alerts.
fn missed(alerts: u64, zh: bool) -> String {
    match (alerts, zh) {
        (0, _) => String::new(),
        (_, true) => format!("告警太多，还有 {alerts} 条没有处理到，请再操作一次。"),
        (_, false) => {
            format!(" There are too many alerts for one act: {alerts} were not reached. Do it again for them.")
        }
    }
}

fn done(kind: ActKind, until: Option<String>, zh: bool) -> (String, String) {
    let until = until.unwrap_or_default();
    let (label, text) = match (kind, zh) {
        (ActKind::Acknowledge, true) => ("已认领", "已认领：不再提醒和升级，恢复时仍会通知。".to_owned()),
        (ActKind::Acknowledge, false) => {
            ("Acknowledged", "Acknowledged by you: reminders and escalation stop; you will be told when it is resolved.".to_owned())
        }
        (ActKind::Release, true) => ("已放弃认领", "已放弃认领：提醒和升级照常。".to_owned()),
        (ActKind::Release, false) => ("Released", "You released it: reminders and escalation continue.".to_owned()),
        (ActKind::Silence, true) => ("静默中", format!("正在静默到 {until}。")),
        (ActKind::Silence, false) => ("Silencing", format!("It is being silenced until {until}.")),
        (ActKind::Extend, true) => ("延长中", format!("正在把静默延长到 {until}。")),
        (ActKind::Extend, false) => ("Extending", format!("The silence is being moved to {until}.")),
        (ActKind::Expire, true) => ("解除中", "正在解除静默。".to_owned()),
        (ActKind::Expire, false) => ("Ending", "The silence is being ended.".to_owned()),
        (ActKind::Resend, true) => ("重发中", "正在重发。".to_owned()),
        (ActKind::Resend, false) => ("Resending", "It is being sent again.".to_owned()),
        (ActKind::Recall, true) => ("撤回中", "正在撤回。".to_owned()),
        (ActKind::Recall, false) => ("Recalling", "It is being recalled.".to_owned()),
        (ActKind::Forget, true) => ("不再跟踪", "很久没有来源再上报，不再跟踪；这不表示已经恢复。".to_owned()),
        (ActKind::Forget, false) => (
            "No longer tracked",
            "No source has reported it for a long time: it is no longer tracked, which does not mean that it is resolved."
                .to_owned(),
        ),
        (ActKind::Hide, true) => ("静默中", format!("已在上游静默到 {until}。")),
        (ActKind::Hide, false) => ("Silenced", format!("It is silenced upstream until {until}.")),
    };
    (label.to_owned(), text)
}

fn repeated(kind: ActKind, before: Option<(&str, String, Option<String>)>, zh: bool) -> (String, String) {
    let (by, at, until) = before.unwrap_or(("", String::new(), None));
    let until = until.unwrap_or_default();
    match (kind, zh) {
        (ActKind::Acknowledge, true) => (format!("{by} 已认领"), format!("{by} 在 {at} 已经认领。")),
        (ActKind::Acknowledge, false) => (format!("Taken by {by}"), format!("{by} acknowledged it at {at}.")),
        (ActKind::Silence, true) => ("已静默".to_owned(), format!("{by} 在 {at} 已经静默到 {until}。")),
        (ActKind::Silence, false) => ("Silenced".to_owned(), format!("{by} silenced it at {at} until {until}.")),
        (ActKind::Release, true) => ("没有人认领".to_owned(), "现在没有人认领它。".to_owned()),
        (ActKind::Release, false) => ("Not acknowledged".to_owned(), "It is not acknowledged at present.".to_owned()),
        (_, true) => ("已做过".to_owned(), "已经有人做过了。".to_owned()),
        (_, false) => ("Already done".to_owned(), "This was already done.".to_owned()),
    }
}

/// `14:09` today, with the date on another day.
pub(super) fn clock(at: Timestamp, now: Timestamp, timezone: &TimeZone) -> String {
    let zoned = |at: Timestamp| Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(timezone.clone()));
    match (zoned(at), zoned(now)) {
        (Some(at), Some(now)) if at.date() == now.date() => at.strftime("%H:%M").to_string(),
        (Some(at), _) => at.strftime("%m-%d %H:%M").to_string(),
        (None, _) => String::new(),
    }
}
