//! What an upstream lets us do and tells us, each of its peers by itself.

use std::fmt::Write as _;

use crate::alert::Timestamp;
use crate::config::{Upstream, UpstreamKind};
use crate::upstream::{About, Client, Sampler, Survey, Trouble, UpstreamError};
use crate::words::{told, words};

/// Can silences be read and made there, and alerts be read, with our credential? Nothing is made.
pub(super) async fn check(known: &Upstream, now: Timestamp) -> Result<String, String> {
    let client = Client::new(known).map_err(|error| error.to_string())?;
    let in_force = client.check().await.map_err(|error| error.to_string())?;
    let mut said = told!("可以做静默，现有 {in_force} 条", "silences can be made, {in_force} in force").to_string();
    let mut healthy = true;
    for survey in client.survey().await {
        let (line, reads_all) = peer(&survey, known.kind, now);
        write!(said, " · {line}").expect("a text takes all");
        healthy &= reads_all;
    }
    if healthy { Ok(said) } else { Err(said) }
}

/// Can the rules be read there, whose series charts show?
pub(super) async fn series(known: &Upstream) -> Result<String, String> {
    let sampler = Sampler::new(known).map_err(|error| error.to_string())?;
    match sampler.count_rules().await {
        Ok(rules) => {
            Ok(told!("可以取数据，告警规则 {rules} 条", "series can be read, {rules} alerting rules").to_string())
        }
        Err(trouble) => {
            let (zh, en) = match trouble {
                Trouble::Slow => ("没有及时回答", "no answer in time"),
                Trouble::Unreachable | Trouble::Paused => {
                    ("连不上，请检查 url 和网络", "it cannot be reached: check `url`")
                }
                Trouble::Refused => {
                    ("被拒绝或被转走，请检查身份和 url", "refused or redirected: check the credential and `url`")
                }
                Trouble::Large => ("回答太长", "the answer is too long"),
                Trouble::Foreign | Trouble::UnknownRule => (
                    "这不像 Prometheus，请检查 url：不带 /api",
                    "this is no Prometheus: check `url`, which ends before /api",
                ),
            };
            Err(format!("{}: {}", known.url, words(zh, en)))
        }
    }
}

/// One line about a peer, and whether all that is needed of it can be read.
fn peer(survey: &Survey, kind: UpstreamKind, now: Timestamp) -> (String, bool) {
    let Survey { url, about, alerts, silences, groups } = survey;
    let mut line = format!("{url}: ");
    match about {
        Ok(Some(About { version, up_since, peers })) => {
            let hours = now.millis_since(*up_since).max(0) / 3_600_000;
            let known = told!(
                "版本 {version}，已运行 {hours} 小时，集群副本 {peers}",
                "version {version}, up for {hours} h, peers {peers}"
            );
            write!(line, "{known}").expect("a text takes all");
        }
        Ok(None) => {
            line += &words("Grafana 不告诉版本和启动时间", "Grafana tells neither version nor start").to_string();
        }
        Err(error) => write!(line, "✗ status: {error}").expect("a text takes all"),
    }
    let read = |result: &Result<(), UpstreamError>| match result {
        Ok(()) => "✓".to_owned(),
        Err(error) => format!("✗ ({error})"),
    };
    let reads = words("可读", "reads");
    write!(line, "; {reads}: alerts {}, silences {}", read(alerts), read(silences)).expect("a text takes all");
    if let Some(groups) = groups {
        write!(line, ", groups {}", read(groups)).expect("a text takes all");
    } else {
        let blind = match kind {
            UpstreamKind::Grafana => words("静音时段看不见", "mute timings cannot be seen"),
            UpstreamKind::Alertmanager | UpstreamKind::Prometheus => {
                words("0.28 以前看不见静音时段", "mute intervals cannot be seen before 0.28")
            }
        };
        write!(line, "; {blind}").expect("a text takes all");
    }
    let reads_all = about.is_ok() && alerts.is_ok() && silences.is_ok() && groups.as_ref().is_none_or(Result::is_ok);
    (line, reads_all)
}
