//! Answers to the actor: a label that fits on a button, and a sentence.

use jiff::tz::TimeZone;

use super::scope::Scope;
use crate::alert::Timestamp;
use crate::config::Channel;
use crate::render::harmless;
use crate::store::{ActKind, ActState, Acted};
use crate::words::{Words, told, words};

/// Characters of the conditions of a silence in an answer, and of the name of an upstream.
const CONDITIONS: usize = 400;
const NAME: usize = 40;

/// The answer to a request for an act, for readers of both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// For the place where the buttons were: at most 10 characters or so.
    pub label: Words,
    /// A sentence.
    pub text: Words,
    /// The state of the act; `None`: its object is unknown.
    pub state: Option<ActState>,
    /// Its number; 0 if it is not recorded.
    pub act: i64,
}

impl Answer {
    /// The card is not ours, or its record was deleted.
    pub(super) fn unknown() -> Self {
        Self {
            label: words("已失效", "Expired"),
            text: words(
                "这张卡片已失效：告警记录已被清理，或卡片不是这里发的。",
                "This card is no longer valid: its record was pruned, or it was not sent from here.",
            ),
            state: None,
            act: 0,
        }
    }

    /// The same with the alerts that the silence hides.
    pub(super) fn with_scope(self, scope: &Scope, channel: Channel) -> Self {
        let conditions = harmless(&scope.conditions(), channel, CONDITIONS);
        let (upstream, count) = (harmless(&scope.upstream, channel, NAME), scope.count);
        let line = if scope.by_upstream {
            told!(
                "挡住满足全部条件的告警：{conditions}；{upstream} 说现在有 {count} 条。",
                " It hides what fulfils {conditions}: {upstream} counts {count} now."
            )
        } else {
            told!(
                "挡住满足全部条件的告警：{conditions}；{upstream} 没有回答，wegraf 的记录里现在有 {count} 条。",
                " It hides what fulfils {conditions}: {upstream} does not answer; wegraf's record counts {count} now."
            )
        };
        Self { text: and(&self.text, &line), ..self }
    }

    /// The same after the act was completed: with the reason, if it failed.
    pub(super) fn ended(self, state: ActState, detail: &str) -> Self {
        if state != ActState::Failed {
            return Self { state: Some(state), ..self };
        }
        let Words { zh, en } = Words::of_record(detail);
        let text = (format!("没有做成：{zh}"), format!("It failed: {en}")).into();
        Self { label: FAILED, text, state: Some(state), ..self }
    }

    /// The result of an act of this kind. `before_by` is who did it before.
    pub(super) fn of(
        kind: ActKind,
        acted: &Acted,
        before_by: &str,
        until: Option<Timestamp>,
        timezone: &TimeZone,
        now: Timestamp,
    ) -> Self {
        let clock = |at: Timestamp| clock(at, now, timezone);
        let before = acted.before.as_ref();
        let (label, text) = match acted.state {
            ActState::Denied => (
                words("没有权限", "Not allowed"),
                words(
                    "抱歉，你没有收到过这条告警，或者不在可以操作它的名单里。请找当值的同事，用消息里的卡片或链接操作，或请管理员把你加进 may_act。",
                    "Sorry, this alert was not sent to you, or you are not among those who may act on it. Ask who is on duty, use the card or the link in the message, or ask an operator to add you to may_act.",
                ),
            ),
            ActState::Void => (
                words("已结束", "Over"),
                words(
                    "没有还在告警的内容了，不需要处理。",
                    "None of these alerts is firing any more: there is nothing to do.",
                ),
            ),
            ActState::Limited => (
                words("太频繁", "Too often"),
                words(
                    "10 分钟内对这条告警的操作太多了（最多 10 次），这一次没有执行。请稍后再试。",
                    "There were too many acts on this alert within 10 minutes (10 at most): this one was not done. Try again later.",
                ),
            ),
            ActState::Failed => (FAILED, words("没有做成，原因见随后的消息。", "It failed; a message will say why.")),
            ActState::Repeated => {
                let until = before.and_then(|doer| doer.until).map(clock).unwrap_or_default();
                repeated(kind, before_by, &before.map(|doer| clock(doer.at)).unwrap_or_default(), &until)
            }
            ActState::Open | ActState::Done => done(kind, &until.map(clock).unwrap_or_default()),
        };
        let text = match acted.missed {
            0 => text,
            missed => and(&text, &left(missed)),
        };
        Self { label, text, state: Some(acted.state), act: acted.act }
    }
}

const FAILED: Words = words("没有做成", "Failed");

/// One text after another.
fn and(first: &Words, then: &Words) -> Words {
    (format!("{}{}", first.zh, then.zh), format!("{}{}", first.en, then.en)).into()
}

/// That an act was too large for all of its alerts.
fn left(alerts: u64) -> Words {
    told!(
        "告警太多，还有 {alerts} 条没有处理到，请再操作一次。",
        " There are too many alerts for one act: {alerts} were not reached. Do it again for them."
    )
}

fn done(kind: ActKind, until: &str) -> (Words, Words) {
    match kind {
        ActKind::Acknowledge => (
            words("已认领", "Acknowledged"),
            words(
                "已认领：不再提醒和升级，恢复时仍会通知。",
                "Acknowledged by you: reminders and escalation stop; you will be told when it is resolved.",
            ),
        ),
        ActKind::Release => (
            words("已放弃认领", "Released"),
            words("已放弃认领：提醒和升级照常。", "You released it: reminders and escalation continue."),
        ),
        ActKind::Silence => {
            (words("静默中", "Silencing"), told!("正在静默到 {until}。", "It is being silenced until {until}."))
        }
        ActKind::Extend => (
            words("延长中", "Extending"),
            told!("正在把静默延长到 {until}。", "The silence is being moved to {until}."),
        ),
        ActKind::Expire => (words("解除中", "Ending"), words("正在解除静默。", "The silence is being ended.")),
        ActKind::Resend => (words("重发中", "Resending"), words("正在重发。", "It is being sent again.")),
        ActKind::Recall => (words("撤回中", "Recalling"), words("正在撤回。", "It is being recalled.")),
        ActKind::Forget => (
            words("不再跟踪", "No longer tracked"),
            words(
                "很久没有来源再上报，不再跟踪；这不表示已经恢复。",
                "No source has reported it for a long time: it is no longer tracked, which does not mean that it is resolved.",
            ),
        ),
        ActKind::Hide => {
            (words("静默中", "Silenced"), told!("已在上游静默到 {until}。", "It is silenced upstream until {until}."))
        }
    }
}

fn repeated(kind: ActKind, by: &str, at: &str, until: &str) -> (Words, Words) {
    match kind {
        ActKind::Acknowledge => {
            (told!("{by} 已认领", "Taken by {by}"), told!("{by} 在 {at} 已经认领。", "{by} acknowledged it at {at}."))
        }
        ActKind::Silence => (
            words("已静默", "Silenced"),
            told!("{by} 在 {at} 已经静默到 {until}。", "{by} silenced it at {at} until {until}."),
        ),
        ActKind::Release => {
            (words("没有人认领", "Not acknowledged"), words("现在没有人认领它。", "It is not acknowledged at present."))
        }
        _ => (words("已做过", "Already done"), words("已经有人做过了。", "This was already done.")),
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
