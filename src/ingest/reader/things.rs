//! Fields that name what an alert is about: they have one value from its firing to its end, so that an end with another
//! value of one of them is that of another alert.
//!
//! Every field counts but those that may differ between the two: times, amounts, words for a state or a level, texts,
//! people, addresses of pages and the ids of events. A field that is taken for one of the object's by mistake leaves an
//! alert open; the opposite mistake ends another alert.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use regex::Regex;

use super::super::lexicon::{self, is_han};
use super::super::listed::Listed;
use super::super::plain;
use super::super::tree::{Leaf, Members, is_foreign, is_label_set};
use super::{keys, place, rest, state, when};
use crate::level::{self, Level, plain_name};
use crate::pattern::regex;

/// Characters of a value that is a name.
const NAME: usize = 64;
/// Blanks in such a value: with more of them it is a sentence.
const BLANKS: usize = 2;
/// Fields that are compared.
const MOST: usize = 40;

/// Words of names whose values are about the moment, a person or the message.
static PASSING: Listed = Listed::of(
    "time date datetime timestamp moment at since until start started end ended finish finished begin \
    duration elapsed age uptime ts clock day hour minute second interval period window timezone updated created occurred \
    value val values current currently latest avg average mean max min sum total count counter counts amount rate ratio \
    percent percentage pct usage used free utilization utilisation lag latency delay size bytes score threshold limit \
    times occurrences retries attempt attempts progress offset remaining battery runtime load \
    status state health healthy phase result conclusion outcome transition flag enabled acknowledged ack resolved \
    recovered recovery firing operation action old new previous prev prior before after last trend color colour icon emoji \
    severity level priority urgency impact criticality importance grade rank operator comparison condition code \
    title subject headline message msg text content body description desc desp summary detail details info information \
    note notes comment reason cause error exception stack stacktrace log logs output html markdown raw document \
    suggestion solution advice hint help evidence sample explanation analysis data payload response request expr query \
    href link links image picture img screenshot avatar logo callback webhook \
    user username owner assignee handler receiver receivers recipient recipients contact contacts author creator by sender \
    responder oncall member members reporter mobile mobiles phone email mention mentions \
    version revision language lang locale template format schema nonce checksum digest etag seq sequence signature commit \
    msgtype messagetype notificationtype eventtype objectkind kind",
);
/// Endings of names in one word (`alerttime`).
const PASSING_ENDS: [&str; 23] = [
    "time",
    "date",
    "timestamp",
    "status",
    "state",
    "value",
    "count",
    "message",
    "text",
    "content",
    "title",
    "subject",
    "reason",
    "detail",
    "details",
    "description",
    "summary",
    "severity",
    "level",
    "link",
    "duration",
    "usage",
    "threshold",
];
/// Parts of names in Han.
static PASSING_HAN: Listed = Listed::of(
    "时间 日期 时刻 时长 持续 耗时 间隔 周期 值 当前 数据 数量 次数 个数 总数 条件 百分比 使用率 利用率 状态 \
    结果 级别 等级 程度 优先级 动作 操作 内容 描述 详情 信息 消息 标题 说明 备注 原因 建议 摘要 概要 正文 日志 输出 报错 错误 处理 \
    影响 链接 网址 图片 人员 负责人 接收人 发送人 处理人 值班 电话 手机 邮箱 用户 昵称 流水 序号 单号 版本 提交 作者 \
    现象 故障 问题 事件 通知 类型 进度 剩余 温度 湿度 电量",
);
/// What an id is of that differs for each event: `event_id`, `process_instance_id`.
static EVENTS: Listed = Listed::of(
    "event message msg alert alarm record log run execution exec build request req trace span session \
    transaction trans txn history notification notify delivery ticket correlation push snapshot report pid process \
    sequence batch instanceid unique uuid guid incident problem issue",
);
static EVENTS_HAN: Listed = Listed::of("告警 报警 事件 消息 通知 记录 工单 流水 批次 实例 构建 发布 部署 执行");
/// Words for the id of a thing.
const IDS: [&str; 6] = ["id", "uid", "uuid", "guid", "no", "number"];
/// Ids in lines of a text.
const PROBLEM_IDS: [&str; 6] = ["事件id", "问题id", "告警id", "problemid", "originalproblemid", "eventid"];
/// Names that say what they are of only with the name of their holder.
const BARE: [&str; 10] = ["id", "uid", "uuid", "guid", "no", "number", "name", "key", "displayname", "fullname"];
/// Things that are told from others by a number; any other number is an amount.
static NUMBERED: Listed = Listed::of(
    "port vlan slot rack disk cpu gpu core partition shard index unit line bay channel interface node room \
    floor queue code id uid no number lun sensor bus host server device site station panel zone db database cell tank pump module \
    board card fan psu camera gate door row lane track sector antenna loop circuit replica worker member shelf tray drive",
);
const NUMBERED_HAN: [&str; 14] =
    ["端口", "机柜", "机架", "槽位", "通道", "分区", "编号", "号", "磁盘", "网口", "接口", "分片", "节点", "id"];
/// Words of names whose values say a state besides what they name: `INSTANCE_OFFLINE`, `linkDown`.
static MIXED: Listed = Listed::of(
    "type event trap trigger alarm alert notification rule policy strategy category check monitor \
    problem",
);

/// An amount with or without a unit, a time of day, a date.
static AMOUNT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[<>=≥≤~+-]*\s*\d[\d.,:/]*\s*(?:[%％℃°]|[\p{Han}A-Za-z/]{1,8})?$|^\d{4}-\d{2}-\d{2}"));
/// What nothing but a program makes: a long hexadecimal number, alone or in groups.
static RANDOM: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^(?:[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"\[\d+\]$"));
/// What is compared with a limit: `CPU利用率 > 90 %`.
static COMPARED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(\d\s*)?([\p{Han}A-Za-z][\p{Han}A-Za-z0-9_.]{1,40})\s*(?:>=|<=|>|<|≥|≤|==|大于|小于|超过|高于|低于)\s*-?\d")
});
/// A letter that numbers a thing in Han (`B机房`), and a number that does (`3号楼`).
static LETTERED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:^|[^A-Za-z0-9.-])([A-Z][A-Z0-9]{0,3})(\p{Han}{2,6})"));
static COUNTED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:^|[^月\d.])(\d{1,4})\s*号([\p{Han}]{1,3})"));

/// The words of a name: `order_consumerGroup` is order, consumer, group.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase() || is_han(letter) != is_han(before);
        if !letter.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// May a field of this name have another value at the end of the same alert?
fn is_passing(name: &str) -> bool {
    let plain = plain_name(name);
    let words = words(name);
    if place::PLACES.contains(&plain.as_str()) {
        return false;
    }
    // Of an alarm it says which, of an error what happened.
    if words.last().is_some_and(|last| last == "code")
        && words.iter().any(|word| matches!(&**word, "alarm" | "fault" | "rule"))
    {
        return false;
    }
    // The number of a run: `pipeline.number`.
    let counts = words.last().is_some_and(|last| matches!(last.as_str(), "number" | "no"));
    if counts && words.iter().any(|word| matches!(word.as_str(), "pipeline" | "workflow" | "job" | "run" | "build")) {
        return true;
    }
    let is_id = words.last().is_some_and(|last| IDS.contains(&last.as_str())) || plain.ends_with("编号");
    if is_id && (words.len() > 1 || plain.ends_with("编号")) {
        return words.iter().any(|word| EVENTS.has(word)) || EVENTS_HAN.is_within(&plain);
    }
    // `eventid`, `currentlag`.
    let of_event = IDS.iter().filter_map(|id| plain.strip_suffix(id)).any(|of| EVENTS.has(of));
    of_event
        || words.iter().any(|word| PASSING.has(word))
        || ["current", "previous", "last", "latest"].iter().any(|start| plain.starts_with(start))
        || PASSING_ENDS.iter().any(|end| plain.ends_with(end))
        || PASSING_HAN.is_within(&plain)
        || words.last().is_some_and(|last| last.ends_with('人'))
        || level::NAMES.contains(&plain.as_str())
        || state::STRONG.contains(&plain.as_str())
        || when::names_moment(&plain) && plain.len() > 2
        || super::title::TEXTS.contains(&plain.as_str())
        || keys::is_listed(&plain)
}

/// The value as it is compared; `None` if it names nothing.
fn named(name: &str, value: &str) -> Option<String> {
    if let Some((_, address)) = value.split_once("://") {
        return page(name, address);
    }
    // The mnemonic of a log says what happened: `%%10IFNET/3/LINK_DOWN`.
    if plain_name(name) == "program" && value.starts_with('%') {
        return None;
    }
    // A number behind a name is that of a process or a message: `IF_STATE(l)[12]`.
    let value = NUMBER.replace(value.trim(), "");
    let value = without_amounts(&value);
    let lower = value.to_lowercase();
    let is_name = lower.contains(char::is_alphanumeric)
        && lower.chars().count() <= NAME
        && lower.chars().filter(|letter| letter.is_whitespace()).count() <= BLANKS
        && !lower.contains(['\n', '，', '。', '；', '！'])
        && !lower.starts_with(['{', '['])
        && !matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "是" | "否")
        && !plain::is_missing(&lower)
        && !plain::has_placeholder(&lower)
        && !RANDOM.is_match(&lower)
        && !is_of_run(name, &value)
        && !is_amount(name, &lower);
    if !is_name {
        return None;
    }
    if words(name).iter().any(|word| MIXED.has(word)) {
        // The name of an event does not identify an object.
        let happened = matches!(plain_name(name).as_str(), "event" | "eventname");
        return without_state(&value).filter(|left| !happened || *left == words(&value).join(" "));
    }
    let is_said = !lower.contains(['/', '.']) && lexicon::of_value(&lower).is_some() || Level::of(&lower).is_some();
    (!is_said).then_some(lower)
}

/// The id of one run of a task, which a program made (`taskId: AVh21JS2JepAEhwQ-P3u`), rather than that of the task.
fn is_of_run(name: &str, value: &str) -> bool {
    const SHORTEST: usize = 12;
    let words = words(name);
    let is_task = words.len() > 1
        && words.last().is_some_and(|last| IDS.contains(&last.as_str()))
        && words.iter().any(|word| matches!(word.as_str(), "task" | "job" | "workflow" | "flow"));
    let has = |counts: fn(&u8) -> bool| value.bytes().any(|byte| counts(&byte));
    let is_made = value.len() >= SHORTEST
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_task && is_made
}

/// What is watched at an address: its host and path. What a page of one event is called is left out, and where a link leads
/// that is not the thing's own.
fn page(name: &str, address: &str) -> Option<String> {
    static LEADS: Listed = Listed::of(
        "detail event alert alarm incident issue problem web html full short title dashboard panel rule \
        runbook generator investigation portal message build deep source view page",
    );
    const SLUG: usize = 12;
    let words = words(name);
    let is_own = words.last().is_some_and(|last| matches!(last.as_str(), "url" | "uri" | "website" | "网址"))
        && !words.iter().any(|word| LEADS.has(word));
    let address = address.split(['?', '#']).next().filter(|address| is_own && address.len() <= NAME)?;
    let is_id = |part: &str| part.contains(|letter: char| letter.is_ascii_digit()) || part.len() > SLUG;
    let mut parts = address.trim_end_matches('/').split('/');
    let host = parts.next()?.to_lowercase();
    let path = parts.map(|part| if is_id(part) { "/#".to_owned() } else { format!("/{part}") });
    Some(path.fold(host, |address, part| address + &part))
}

/// Is it how much, rather than the number of a thing?
fn is_amount(name: &str, value: &str) -> bool {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || b"/:-".contains(&byte));
    let is_numbered = || {
        words(name).last().is_some_and(|last| NUMBERED.has(last))
            || NUMBERED_HAN.iter().any(|thing| plain_name(name).ends_with(thing))
    };
    let bare = value.split(['(', '（']).next().unwrap_or(value).trim();
    let is_address = bare.parse::<IpAddr>().is_ok() || bare.parse::<SocketAddr>().is_ok();
    AMOUNT.is_match(bare) && !is_address && !(is_number && is_numbered())
}

/// `disk.used 96%`: the amount is none of the name.
fn without_amounts(value: &str) -> String {
    if !value.contains(' ') {
        return value.to_owned();
    }
    let is_amount = |word: &&str| AMOUNT.is_match(word) && !word.bytes().all(|byte| byte.is_ascii_digit());
    value.split_whitespace().filter(|word| !is_amount(word)).collect::<Vec<_>>().join(" ")
}

/// What is left of a value that says a state besides what it names.
fn without_state(value: &str) -> Option<String> {
    let turns = |word: &str| matches!(word, "went" | "came" | "is" | "are" | "has" | "have" | "been" | "now" | "back");
    let is_said = |word: &str| lexicon::exact(word).is_some() || Level::of(word).is_some() || turns(word);
    let all = words(value);
    let left: Vec<String> = all.iter().filter(|word| !is_said(word)).cloned().collect();
    (!left.is_empty()).then(|| left.join(" "))
}

/// The name of a field with its holder's, if it says nothing alone; and the value.
fn of_leaf(leaf: &Leaf) -> Option<(String, &str)> {
    let last = leaf.path.last()?;
    let is_index = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    let (holders, plain) = (&leaf.path[..leaf.path.len() - 1], plain_name(last));
    let is_elsewhere = holders.iter().any(|holder| {
        let holder = plain_name(holder);
        is_label_set(&holder) || is_foreign(&holder) && !place::PROJECTS.contains(&holder.as_str())
    });
    if is_elsewhere
        || leaf.path.iter().any(is_index)
        || rest::is_secret(&leaf.path)
        || rest::is_personal(last, &leaf.text)
    {
        return None;
    }
    if !BARE.contains(&plain.as_str()) {
        return Some((last.clone(), leaf.text.as_str()));
    }
    let holder = holders.last()?;
    let of_event = words(holder).iter().any(|word| EVENTS.has(word));
    (!of_event).then(|| (format!("{holder}.{last}"), leaf.text.as_str()))
}

/// What the fields of a body name, as `@name=value`: its leaves, its labels, the lines of its text.
pub(super) fn of_fields(leaves: &[Leaf], members: &Members<'_>, lines: &[(String, String)]) -> BTreeSet<String> {
    let of_leaves = leaves.iter().filter_map(of_leaf);
    let of_labels = members.labels.iter().map(|(name, value)| (name.clone(), value.as_str()));
    // In texts people write the id of the problem, which its end repeats.
    let ids = lines.iter().filter(|(name, _)| PROBLEM_IDS.contains(&name.as_str()));
    let ids = ids.map(|(name, value)| format!("@{name}={}", value.to_lowercase()));
    let of_lines = lines.iter().map(|(name, value)| (name.clone(), value.as_str()));
    let mark = |(name, value): (String, &str)| {
        let sound = name.len() <= NAME && !is_passing(&name);
        Some(format!("@{}={}", spelt(&name), named(&name, value).filter(|_| sound)?))
    };
    let quoted = leaves.iter().flat_map(|leaf| of_code(&leaf.text)).take(MOST);
    of_leaves.chain(of_labels).chain(of_lines).filter_map(mark).take(MOST).chain(ids.take(MOST)).chain(quoted).collect()
}

/// The names that a text prints as code: "Check `login` failed".
fn of_code(text: &str) -> impl Iterator<Item = String> {
    static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"`([^`\n]{1,64})`"));
    let names = CODE.captures_iter(text).map(|found| found[1].trim().to_lowercase()).collect::<Vec<_>>();
    let is_name = |name: &String| {
        name.contains(char::is_alphabetic)
            && !AMOUNT.is_match(name)
            && !name.contains(char::is_whitespace)
            && !name.contains("://")
            && lexicon::of_value(name).is_none()
            && Level::of(name).is_none()
    };
    names.into_iter().filter(is_name).map(|name| format!("@`={name}"))
}

/// A name as all senders spell it; that of the holder stays before a dot.
fn spelt(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((holder, last)) if BARE.contains(&plain_name(last).as_str()) => {
            format!("{}.{}", plain_name(holder), plain_name(last))
        }
        _ => plain_name(name),
    }
}

/// What a text compares with a limit, and what it tells from others of its kind by a letter or a number.
pub(super) fn of_text(text: &str) -> BTreeSet<String> {
    let is_said = |word: &str| lexicon::exact(word).is_some() || Level::of(word).is_some();
    // A unit is no name: `-32.1 dBm < -28`.
    let compared = COMPARED.captures_iter(text).filter(|found| found.get(1).is_none());
    let compared = compared.map(|found| format!("@>={}", found[2].to_lowercase()));
    let lettered = LETTERED
        .captures_iter(text)
        .filter(|found| !is_said(&found[1]) && lexicon::han(&found[2]).is_none())
        .map(|found| format!("@~{}={}", &found[2], found[1].to_lowercase()));
    let counted = COUNTED.captures_iter(text).map(|found| format!("@号{}={}", &found[2], &found[1]));
    compared.chain(lettered).chain(counted).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_name_a_thing_or_are_of_the_moment() {
        for (name, value, mark) in [
            ("port", "3306", Some("3306")),
            ("outlet", "B7", Some("b7")),
            ("consumerGroup", "g-order", Some("g-order")),
            ("site.id", "x1", Some("x1")),
            ("device_id", "77", Some("77")),
            ("消费组", "g-order", Some("g-order")),
            ("设备编号", "12", Some("12")),
            ("Port", "0/1/5", Some("0/1/5")),
            ("resource.name", "web-01", Some("web-01")),
            ("alarmType", "MetricRecovered", Some("metric")),
            ("alarmType", "INSTANCE_OFFLINE", Some("instance")),
            ("trapName", "Node Down", Some("node")),
            ("alertType", "APs went down", Some("aps")),
            // Of the moment.
            ("temperature", "35.5", None),
            ("depth", "12", None),
            ("reading", "35.5 ℃", None),
            ("p99", "3.2s（阈值 1s）", None),
            ("volume", "degraded", None),
            ("enabled", "true", None),
            ("answer", "it took too long to answer", None),
            ("url", "https://a.example.com/1/pay?x=1", Some("a.example.com/#/pay")),
            ("peer", "10.0.0.2", Some("10.0.0.2")),
            ("detailUrl", "https://a.example.com/1", None),
            ("ref", "0f8fad5b-d9cb-469f-a165-70867728950e", None),
            ("taskId", "AVh21JS2JepAEhwQ-P3u", None),
            ("taskId", "nightly-orders", Some("nightly-orders")),
            ("task_id", "77", Some("77")),
            ("deviceId", "AVh21JS2JepAEhwQ-P3u", Some("avh21js2jepaehwq-p3u")),
        ] {
            assert_eq!(named(name, value).as_deref(), mark, "{name}: {value}");
        }
        for name in ["port", "outlet", "siteName", "site.id", "device_id", "消费组", "设备编号", "任务", "业务系统"]
        {
            assert!(!is_passing(name), "{name}");
        }
        for name in [
            "eventId",
            "process_instance_id",
            "告警编号",
            "startTime",
            "alerttime",
            "currentValue",
            "newStatus",
            "detail",
            "handledBy",
            "负责人",
            "持续时间",
            "当前值",
            "告警级别",
            "deepLink",
            "error_code",
            "pipeline.number",
        ] {
            assert!(is_passing(name), "{name}");
        }
    }

    #[test]
    fn a_text_tells_things_of_one_kind_apart() {
        for (text, marks) in [
            ("A机房 温度 35.5℃ 超过 30℃", "@~机房=a"),
            ("CPU利用率 > 90 %", "@>=cpu利用率 @~利用率=cpu"),
            ("RX power -32.1 dBm < -28 dBm", ""),
            ("内存利用率 > 90 %", "@>=内存利用率"),
            ("3号楼 2号机柜掉电", "@号机柜掉=2 @号楼=3"),
            ("11月30号晚上", ""),
        ] {
            assert_eq!(of_text(text).into_iter().collect::<Vec<_>>().join(" "), marks, "{text}");
        }
    }
}
