//! What a reader must know beside the alerts: what upstream left out, and what "resolved" does not mean.

use std::collections::BTreeSet;

use ecow::EcoString;

use super::Letter;
use super::words::{State, pick};
use crate::config::Language;
use crate::ingest::HELD;

/// The annotation with Grafana's reason for a rule's state.
const REASON: &str = "grafana_state_reason";

/// The remarks on `letter`, beside which `still` alerts are on without news.
pub(super) fn remarks(letter: &Letter<'_>, state: State, still: usize) -> Vec<String> {
    let language = letter.language;
    let mut remarks = Vec::new();
    if state == State::Firing && still > 0 {
        remarks.push(match language {
            Language::Zh => format!("另有 {still} 条仍在告警"),
            Language::En => format!("{still} more still firing"),
        });
    }
    remarks.extend(truncated(letter.notification.truncated, state == State::Unclear, language));
    let reasons = |on: bool| -> BTreeSet<&str> {
        let told = letter.told.iter().filter(|one| one.is_on() == on);
        told.filter_map(|one| one.alert.annotations.get(REASON)).map(EcoString::as_str).collect()
    };
    remarks.extend(reasons(true).into_iter().filter_map(|reason| kept(reason, language)).map(str::to_owned));
    if letter.told.iter().any(|one| one.alert.annotations.contains_key(HELD)) {
        remarks.push(pick(language, "上游已确认", "acknowledged upstream").to_owned());
    }
    remarks.extend(reasons(false).into_iter().filter_map(|reason| ended(reason, language)).map(str::to_owned));
    remarks
}

fn truncated(count: u64, unclear: bool, language: Language) -> Option<String> {
    (count > 0).then(|| match (language, unclear) {
        (Language::Zh, true) => format!("上游还省略了 {count} 条，可能仍在告警"),
        (Language::En, true) => format!("{count} more left out by sender, perhaps still firing"),
        (Language::Zh, false) => format!("上游还省略了 {count} 条"),
        (Language::En, false) => format!("{count} more left out by sender"),
    })
}

/// Why a rule that cannot be judged keeps its state.
fn kept(reason: &str, language: Language) -> Option<&'static str> {
    let (zh, en) = if reason.contains("Error") {
        ("最近一次查询出错，沿用上次的状态", "the last query failed: the state before is kept")
    } else {
        ("最近一次无数据，沿用上次的状态", "no data lately: the state before is kept")
    };
    reason.contains("KeepLast").then(|| pick(language, zh, en))
}

/// Why "resolved" does not mean healthy here (docs/reference/alert-sources.md#grafana-states).
fn ended(reason: &str, language: Language) -> Option<&'static str> {
    let (zh, en) = match reason {
        "MissingSeries" => ("数据序列已消失，未必恢复正常", "the series is gone: not necessarily healthy"),
        "Paused" => ("规则已暂停，未必恢复正常", "the rule was paused: not necessarily healthy"),
        "RuleDeleted" => ("规则已删除，未必恢复正常", "the rule was deleted: not necessarily healthy"),
        "Updated" => ("规则已修改，状态重新计算", "the rule was changed and starts anew"),
        _ => return None,
    };
    Some(pick(language, zh, en))
}
