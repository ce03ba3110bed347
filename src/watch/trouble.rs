//! Faults of wegraf itself: from facts to faults. Pure.

use super::plainly::plainly;
use super::stuck::stuck;
use crate::alert::Timestamp;
use crate::config::{Anonymous, Config, Language, Watchdog};
use crate::deliver::called;
use crate::engine::admit::STOPPED;
use crate::engine::lapse::lapses;
use crate::incidents::{Kind, Subject, Trouble};
use crate::names::SourceId;
use crate::store::{Backlog, Breaker, LaneBacklog, Lapsing};
use crate::words::Words;

/// A breaker that closes again within this time is not reported to people.
const PATIENCE_MS: i64 = 20_000;

/// The display name of a subject; empty for nothing.
pub(super) fn about(config: &Config, subject: &Subject) -> String {
    match subject {
        Subject::Nothing => String::new(),
        Subject::Scope(scope) => called(config, scope),
        Subject::Lane(lane) => lane.to_string(),
        Subject::Outside(name) => name.clone(),
    }
}

/// The name of the alert.
pub(super) const fn title(kind: Kind, language: Language) -> &'static str {
    let [zh, en] = match kind {
        Kind::Blocked => ["wegraf 发送受阻", "wegraf cannot send"],
        Kind::Lost => ["wegraf 有消息没有送到", "wegraf gave up a message"],
        Kind::Missed => ["wegraf 有人没有收到", "wegraf did not reach everybody"],
        Kind::Silent => ["告警来源没有心跳", "A source of alerts is silent"],
        Kind::Refused => ["wegraf 一再拒绝请求", "wegraf keeps refusing requests"],
        Kind::Imbalance => ["wegraf 的记录对不上", "wegraf's record does not balance"],
        Kind::Reload => ["wegraf 的新配置有错", "wegraf's new configuration is wrong"],
        Kind::Restricted => ["企业微信要停用应用", "WeCom restricts an app"],
        Kind::Disk => ["wegraf 的磁盘空间不够", "wegraf is short of disk space"],
        Kind::Stuck => ["wegraf 有消息一直发不出去", "wegraf's messages are stuck"],
        Kind::Certificate => ["wegraf 的证书快过期了", "wegraf's certificate expires soon"],
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// The facts.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub now: Timestamp,
    pub started_at: Timestamp,
    pub breakers: Vec<Breaker>,
    pub backlog: Backlog,
    pub heard: Vec<(String, Timestamp)>,
    pub imbalance: i64,
    pub incidents: Vec<Trouble>,
    pub reload_failed: bool,
    pub storage: Vec<Trouble>,
    pub late: Vec<LaneBacklog>,
    pub lapsing: Vec<Lapsing>,
}

/// All present faults.
pub(super) fn find(config: &Config, facts: &Facts) -> Vec<Trouble> {
    let mut troubles = [&facts.incidents[..], &facts.storage[..]].concat();
    troubles.extend(facts.breakers.iter().filter_map(|open| blocked(open, facts)));
    troubles.extend(facts.late.iter().map(|lane| stuck(lane, facts.now)));
    let is_silent = |source: &&Lapsing| lapses(source.latest, facts.now).silent;
    troubles.extend(facts.lapsing.iter().filter(is_silent).map(|source| unrepeated(source, facts.now)));
    troubles.extend(silent_sources(config, facts));
    if facts.imbalance > 0 {
        troubles.push(imbalance(facts.imbalance));
    }
    troubles.extend(config.listen_tls.as_ref().and_then(|tls| expiring(tls.expires_at, facts.now)));
    if facts.reload_failed {
        let detail = [
            "运行 `wegraf check` 查看所有错误。旧配置继续生效。".to_owned(),
            "`wegraf check` lists every mistake. The old configuration stays in force.".to_owned(),
        ];
        troubles.push(Trouble { kind: Kind::Reload, subject: Subject::Nothing, detail });
    }
    troubles
}

/// How long before it expires a certificate is reported: long enough for an authority whose people must be asked.
const EXPIRES_MS: i64 = 14 * 24 * 3_600_000;

/// The certificate of `listen_tls`, two weeks before it expires and after that.
fn expiring(expires_at: Timestamp, now: Timestamp) -> Option<Trouble> {
    let left = expires_at.millis_since(now);
    if left > EXPIRES_MS {
        return None;
    }
    let days = left / (24 * 3_600_000);
    let remedy = (
        "把续期的证书和私钥写进 `listen_tls` 的两个文件，会自动重读",
        "Write the renewed certificate and key into the files of `listen_tls`: they are read again by themselves",
    );
    let detail = if left <= 0 {
        [
            format!("`listen_tls` 的证书已过期，来源连不上。{}。", remedy.0),
            format!("The certificate of `listen_tls` has expired and senders cannot connect. {}.", remedy.1),
        ]
    } else {
        [
            format!("`listen_tls` 的证书还有 {days} 天过期，到时来源连不上。{}。", remedy.0),
            format!(
                "The certificate of `listen_tls` expires in {days} d; senders cannot connect after that. {}.",
                remedy.1
            ),
        ]
    };
    Some(Trouble { kind: Kind::Certificate, subject: Subject::Nothing, detail })
}

fn blocked(open: &Breaker, facts: &Facts) -> Option<Trouble> {
    let open_for = facts.now.millis_since(open.opened_at);
    if open_for < PATIENCE_MS {
        return None;
    }
    let Backlog { messages, critical, .. } = facts.backlog;
    let error = Words::of_record(&open.error);
    let (zh, en) = (plainly(&error.zh, Language::Zh), plainly(&error.en, Language::En));
    let detail = [
        format!("{zh}。待发 {messages} 条（其中严重 {critical} 条）都已保存，恢复后自动补发。"),
        format!("{en}. {messages} messages ({critical} critical) wait; they are kept and will be sent."),
    ];
    Some(Trouble { kind: Kind::Blocked, subject: Subject::Scope(open.scope.clone()), detail })
}

/// The sources whose heartbeat stays away for too long, or ended.
fn silent_sources(config: &Config, facts: &Facts) -> Vec<Trouble> {
    let configured = config.sources.iter().map(|source| (SourceId::Configured(source.name.clone()), &source.watchdog));
    let anonymous = (config.anonymous != Anonymous::None).then_some((SourceId::Anonymous, &None));
    let silent = |(source, watchdog): (SourceId, &Option<Watchdog>)| {
        let name = source.stored();
        let heard = facts.heard.iter().find(|(known, _)| *known == name).map(|(_, at)| *at);
        let (heard, within) = match watchdog {
            Some(watchdog) if !watchdog.swallow => return None,
            Some(watchdog) => (heard, watchdog.within),
            // The usual heartbeat is reported missing only where one was received before.
            None => (Some(heard?), Watchdog::USUAL),
        };
        if heard == Some(STOPPED) {
            return Some(stopped(&name));
        }
        // Nothing could be received while this process was not running.
        let silence = facts.now.millis_since(heard.unwrap_or(facts.started_at).max(facts.started_at));
        let too_long = silence > i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        too_long.then(|| silent(&name, silence / 60_000))
    };
    configured.chain(anonymous).filter_map(silent).collect()
}

fn stopped(source: &str) -> Trouble {
    let detail = [
        format!(
            "来源 `{source}` 的 Watchdog 告警恢复了，它本该一直触发：Prometheus 停了，或到 Alertmanager 的路断了，之后的告警可能到不了 wegraf"
        ),
        format!(
            "the watchdog of source `{source}`, which should always fire, is over: Prometheus stopped or does not reach its Alertmanager, and further alerts may not come through"
        ),
    ];
    Trouble { kind: Kind::Silent, subject: Subject::Outside(source.to_owned()), detail }
}

fn silent(source: &str, minutes: i64) -> Trouble {
    let detail = [
        format!(
            "请检查 Prometheus、Alertmanager 和网络。来源 `{source}` 的 Watchdog 告警已 {minutes} 分钟没有出现，告警可能到不了 wegraf。"
        ),
        format!(
            "Check Prometheus, Alertmanager and the network. The watchdog of source `{source}` was last seen {minutes} min ago, so alerts may not come through."
        ),
    ];
    Trouble { kind: Kind::Silent, subject: Subject::Outside(source.to_owned()), detail }
}

/// A source that repeats none of its alerts any more: what they do is unknown, so none of them is told to be over.
fn unrepeated(source: &Lapsing, now: Timestamp) -> Trouble {
    let minutes = now.millis_since(source.latest).max(0) / 60_000;
    let (name, alerts) = (source.source.to_string(), source.alerts);
    let detail = [
        format!(
            "请检查来源 `{name}` 和网络。它不再推送，它的 {alerts} 条告警状态未知（最后的约定已过 {minutes} 分钟）：没有当作恢复，升级照常。"
        ),
        format!(
            "Check source `{name}` and the network. It pushes nothing any more, so the state of its {alerts} alerts is unknown ({minutes} min past what it promised): none counts as resolved, escalations go on."
        ),
    ];
    Trouble { kind: Kind::Silent, subject: Subject::Outside(name), detail }
}

fn imbalance(transitions: i64) -> Trouble {
    let detail = [
        format!(
            "请附上 `wegraf deliveries audit` 的输出反馈。{transitions} 条变化的去向与消息不符，这是 wegraf 的缺陷。"
        ),
        format!(
            "Please report what `wegraf deliveries audit` prints. The fate of {transitions} transitions contradicts their messages: a bug of wegraf."
        ),
    ];
    Trouble { kind: Kind::Imbalance, subject: Subject::Nothing, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_reported_two_weeks_before_it_expires() {
        let now = Timestamp(1_700_000_000_000);
        let day = 24 * 3_600_000;
        let said = |days: i64| expiring(now.plus_millis(days * day), now).map(|trouble| trouble.detail[1].clone());
        assert_eq!(said(15), None);
        assert!(said(13).unwrap().contains("expires in 13 d"));
        assert!(said(0).unwrap().contains("has expired"));
    }
    use crate::names::Scope;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn config(text: &str) -> Config {
        let text = format!(
            "{text}\nreceivers: {{ ops: {{ targets: [ {{ webhook: w }} ] }} }}\nwecom: {{ webhooks: {{ w: {{ key: k }} }} }}\n"
        );
        Config::parse(&text, std::path::Path::new("test.yaml")).expect("the test's configuration is right").0
    }

    fn kinds(config: &Config, facts: &Facts) -> Vec<Kind> {
        find(config, facts).iter().map(|trouble| trouble.kind).collect()
    }

    #[test]
    fn a_source_is_silent_once_its_watchdog_stays_away_for_too_long() {
        let config = config("sources: { prom: { bearer: t, watchdog: { within: 15m } }, other: { bearer: u } }");
        let minutes = |n: i64| NOW.plus_millis(-n * 60_000);
        let facts = |started, heard: Option<i64>| Facts {
            now: NOW,
            started_at: minutes(started),
            heard: heard.map(|n| ("prom".to_owned(), minutes(n))).into_iter().collect(),
            ..Facts::default()
        };
        assert_eq!(kinds(&config, &facts(60, Some(14))), []);
        assert_eq!(kinds(&config, &facts(60, Some(16))), [Kind::Silent]);
        assert_eq!(kinds(&config, &facts(16, None)), [Kind::Silent]);
        assert_eq!(kinds(&config, &facts(5, Some(600))), [], "it may have reported while no process was running");
    }

    #[test]
    fn a_source_that_says_nothing_of_its_watchdog_is_missed_a_day_after_it_came_or_when_it_ended() {
        let config = config(
            "listen: 127.0.0.1:0\nallow_anonymous: true\nsources: { prom: { bearer: t }, told: { bearer: u, watchdog: { swallow: false } } }",
        );
        let hours = |n: i64| NOW.plus_millis(-n * 3_600_000);
        let facts = |source: &str, heard| Facts {
            now: NOW,
            started_at: hours(100),
            heard: vec![(source.to_owned(), heard)],
            ..Facts::default()
        };
        for source in ["prom", "anonymous"] {
            assert_eq!(kinds(&config, &facts(source, hours(25))), []);
            assert_eq!(kinds(&config, &facts(source, hours(27))), [Kind::Silent]);
            let over = find(&config, &facts(source, STOPPED));
            assert!(over.len() == 1 && over[0].detail[1].contains("is over"), "{over:?}");
        }
        assert_eq!(kinds(&config, &facts("told", hours(27))), []);
        assert_eq!(
            kinds(&config, &Facts { now: NOW, started_at: hours(100), ..Facts::default() }),
            [],
            "it never came"
        );
    }

    #[test]
    fn a_breaker_that_stays_open_is_told_and_a_hiccup_is_not() {
        let open = |age: i64| Breaker {
            scope: Scope::stored("app/ops"),
            reason: "configuration".into(),
            errcode: Some(60020),
            error: "x".into(),
            opened_at: NOW.plus_millis(-age),
            probe_at: NOW,
            failures: 1,
        };
        let facts = |age| Facts { now: NOW, breakers: vec![open(age)], ..Facts::default() };
        assert_eq!(kinds(&config(""), &facts(5_000)), []);
        assert_eq!(kinds(&config(""), &facts(30_000)), [Kind::Blocked]);
    }
}
