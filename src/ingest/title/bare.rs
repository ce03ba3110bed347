//! Lines that say only a state: headings, not names of alerts.

use super::super::lexicon::is_han;
use super::super::plain;
use super::HAN_PREFIX;
use crate::level::Level;

/// A line that says nothing but a state, a level and that it reports (`监控恢复`, `🔥 Firing`, `S1 Recovered`): no name of an
/// alert.
pub(in crate::ingest) fn is_bare(line: &str) -> bool {
    const LONGEST: usize = 40;
    let line = plain::line(line);
    let lower = crate::level::half_width(&line).to_lowercase();
    let cut = |letter: char| !letter.is_alphanumeric() && !matches!(letter, '\'');
    let mut words = lower.split(cut).filter(|word| !word.is_empty()).peekable();
    line.chars().count() <= LONGEST
        && words.peek().is_some()
        && words.all(|word| scripts(word).into_iter().all(is_bare_word))
}

/// The parts of a word in Han and in other letters (`Prometheus恢复`).
fn scripts(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter: char| is_han(letter) != is_han(first)).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    parts
}

/// Does the word stand for a state, a level or a report, or is it made of such words?
fn is_bare_word(word: &str) -> bool {
    let known = |word: &str| {
        BARE.contains(&word)
            || word.chars().any(char::is_alphabetic) && word.chars().count() > 1 && Level::of(word).is_some()
    };
    if known(word) {
        return true;
    }
    if !word.chars().all(is_han) {
        return false;
    }
    // The longest word first: `已恢复通知` is 已恢复, 通知.
    let mut rest = word;
    while !rest.is_empty() {
        let ends = rest.char_indices().map(|(at, letter)| at + letter.len_utf8()).take(HAN_PREFIX).collect::<Vec<_>>();
        let Some(end) = ends.into_iter().rev().find(|end| known(&rest[..*end])) else { return false };
        rest = &rest[end..];
    }
    true
}

/// Words for a state and for a report that no rule is called by alone. What names a trouble (宕机, offline) is missing.
const BARE: &[&str] = &[
    "firing",
    "fired",
    "alerting",
    "triggered",
    "trigger",
    "re",
    "problem",
    "problems",
    "recovery",
    "recovered",
    "recover",
    "resolved",
    "resolve",
    "restored",
    "cleared",
    "clear",
    "closed",
    "ok",
    "okay",
    "up",
    "normal",
    "alert",
    "alerts",
    "alarm",
    "alarms",
    "active",
    "open",
    "opened",
    "new",
    "notification",
    "notice",
    "message",
    "monitor",
    "monitoring",
    "status",
    "state",
    "report",
    "event",
    "incident",
    "success",
    "nagios",
    "icinga",
    "zabbix",
    "prometheus",
    "alertmanager",
    "grafana",
    "checkmk",
    "告警",
    "报警",
    "告警中",
    "报警中",
    "故障",
    "异常",
    "恢复",
    "已恢复",
    "恢复正常",
    "已恢复正常",
    "正常",
    "触发",
    "已触发",
    "产生",
    "发生",
    "解决",
    "已解决",
    "解除",
    "已解除",
    "消除",
    "已消除",
    "清除",
    "已清除",
    "消警",
    "已消警",
    "关闭",
    "已关闭",
    "结束",
    "已结束",
    "成功",
    "通知",
    "提醒",
    "消息",
    "信息",
    "详情",
    "事件",
    "监控",
    "运维",
    "平台",
    "日志",
    "调度",
    "观测云",
    "夜莺",
    "spring",
    "boot",
    "admin",
    "jumpserver",
    "skywalking",
    "nightingale",
    "veeam",
    "业务",
    "应用",
    "云监控",
    "腾讯云",
    "阿里云",
    "华为云",
    "基础",
    "系统告警",
    "系统报警",
    "系统通知",
    "状态",
    "级别",
    "等级",
    "类型",
    "新告警",
    "新",
    "持续",
    "持续中",
    "升级",
    "一次",
    "首次",
    "问题",
    "预警",
    "上报",
    "推送",
    "中心",
    "机器人",
    "end",
    "begin",
    "start",
];
