//! Whether there is trouble, its end, or neither.

mod condition;
mod names;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::lexicon::{self, Word};
use super::super::tree::{Member, Members, said, spoken};
use super::super::{moment, plain, title as line};
use super::Given;
use super::level::Said;
use super::title::{TEXTS, Titled};
use crate::alert::Timestamp;
use crate::level::{Level, NAMES as LEVELS};
use names::{ENDED, ON, OVER, is_numbered, is_past, is_state, spans};
pub(super) use names::{LINES, STRONG, WEAK};

/// A clock may be this much ahead.
const AHEAD_MS: i64 = 300_000;

/// What a state is judged by.
pub(super) struct Evidence<'a> {
    pub members: &'a Members<'a>,
    pub given: &'a Given,
    pub lines: &'a [(String, String)],
    pub text: &'a str,
    pub title: &'a Titled,
    pub level: &'a Said,
    /// It has a key, so that it is known what ends.
    pub keyed: bool,
    /// What is measured is beyond the limit of the rule.
    pub beyond: bool,
    pub zone: &'a TimeZone,
    pub now: Timestamp,
}

type Origins = Vec<(&'static str, String, String)>;

/// The first source that says anything; nothing anywhere is a notice.
pub(super) fn of(evidence: &Evidence<'_>, origins: &mut Origins) -> Word {
    let mut note = |from: &str, said: &str, word: Word| {
        origins.push(("state", from.to_owned(), said.to_owned()));
        word
    };
    let given = evidence.given.state.trim();
    if !plain::is_missing(given) && !plain::has_placeholder(given) {
        return note("mapping", given, of_mapping(given));
    }
    let strong = || strong(evidence.members);
    let others = || others(evidence.members);
    let line = || {
        evidence.lines.iter().filter(|(name, _)| is_line(name)).find_map(|(name, value)| {
            // `告警类型: 内存不足` is what it is called.
            let is_listed = LINES.contains(&name.as_str()) && name != "告警类型";
            let is_result = name.ends_with("结果") || name.ends_with("result");
            let word = match name.as_str() {
                _ if is_listed || is_state(name) => of_text(name, value),
                _ if is_result => lexicon::exact(value).or_else(|| lexicon::han(value)),
                _ => lexicon::exact(value),
            };
            Some((name.clone(), value.clone(), word.filter(|word| *word != Word::Notice)?))
        })
    };
    let idle = idle(evidence.members);
    // Withdrawn is over, if it is known what is.
    let withdrawn = || {
        let (name, said) = idle.clone().filter(|(_, said)| lexicon::is_withdrawn(said))?;
        evidence.keyed.then_some((name, said, Word::Resolved))
    };
    let ended = || ended(evidence).map(|(name, value)| (name, value, Word::Resolved));
    let of_title = |word: Option<Word>| Some(("title".to_owned(), evidence.title.raw.clone(), word?));
    // `通知：磁盘将满` is no alarm, whatever the rest is called.
    let is_notice = evidence.title.title.state == Some(Word::Notice);
    let told = || of_title(evidence.title.title.state.filter(|word| *word != Word::Notice));
    let over_it = || heading(evidence).filter(|(_, _, word)| *word == Word::Resolved);
    let alarm = || self::heading(evidence);
    let over = || kind(evidence.members, |word, said| word == Word::Resolved && said.split_whitespace().count() <= 2);
    let implied = || {
        of_title(evidence.title.title.implied.filter(|_| !is_notice && idle.is_none() && !is_unknown(evidence.members)))
    };
    let weak = || kind(evidence.members, |word, _| word != Word::Notice);
    let level = || {
        let Said { word, level, over } = evidence.level;
        if *over {
            return Some(("severity".to_owned(), word.clone(), Word::Resolved));
        }
        level
            .filter(|level| *level > Level::Info && idle.is_none())
            .map(|_| ("severity".to_owned(), word.clone(), Word::Firing))
    };
    // A bracket or a prefix of the first line outranks the word for a level.
    let marked = || {
        let (first, _) = plain::first_line(evidence.text);
        let word = line::read(&first).state.filter(|word| *word == Word::Resolved)?;
        Some(("text, first line".to_owned(), first, word))
    };
    // `RESET: Node rt-1 is up`, under a title that is the rule's name.
    let reset = || {
        let (first, _) = plain::first_line(evidence.text);
        line::begins_with_end(&first).then(|| ("text, first line".to_owned(), first, Word::Resolved))
    };
    let beyond =
        || evidence.beyond.then(|| ("value".to_owned(), String::new(), Word::Firing)).filter(|_| idle.is_none());
    let otherwise = || Some(("otherwise".to_owned(), String::new(), evidence.given.otherwise?));
    let text = || {
        let (first, _) = plain::first_line(evidence.text);
        let word = line::read(&first).says().filter(|word| *word != Word::Notice)?;
        Some(("text, first line".to_owned(), first, word))
    };
    // `Event Message: The input for power supply 1 is restored.`
    let sentence = || {
        let told = |name: &str| TEXTS.contains(&name) || matches!(name, "告警类型" | "事件类型" | "故障现象");
        let texts = evidence.lines.iter().filter(|(name, _)| told(name));
        texts.map(|(name, value)| (name, value, line::read(value).says())).find_map(|(name, value, word)| {
            Some((name.clone(), value.clone(), word.filter(|word| *word != Word::Notice)?))
        })
    };
    let found = strong()
        .or_else(|| turned(evidence.members))
        .or_else(line)
        .or_else(ended)
        .or_else(|| acknowledged(evidence))
        .or_else(withdrawn)
        .or_else(others)
        .or_else(told)
        .or_else(|| condition::of(evidence.members))
        .or_else(reset)
        .or_else(over_it)
        .or_else(over)
        .or_else(implied)
        .or_else(alarm)
        .or_else(weak)
        .or_else(marked)
        .or_else(level)
        .or_else(otherwise)
        .or_else(text)
        .or_else(sentence)
        .or_else(beyond)
        .or_else(|| unended(evidence.members))
        .or_else(|| of_run(evidence.members));
    let found = found.map(|(from, said, word)| {
        let is_of_words = matches!(from.as_str(), "title" | "heading" | "text, first line");
        let taken_back = || line::change::of_text(evidence.text).filter(|_| word == Word::Resolved && is_of_words);
        let word = taken_back().unwrap_or(word);
        (from, said, word)
    });
    found.map_or(Word::Notice, |(from, said, word)| note(&from, &said, word))
}

/// The first member that holds a kind of event which says a state.
fn kind(members: &Members<'_>, counts: impl Fn(Word, &str) -> bool) -> Option<(String, String, Word)> {
    // `Category: DeploymentFailed` is a kind of event; `category: error` is one of products.
    let is_event = |said: &str| {
        said.chars().skip(1).any(|letter| letter.is_ascii_uppercase()) && said.contains(char::is_lowercase)
    };
    let categories = members.named(&["category", "eventcategory"]).into_iter();
    let categories = categories.filter(|member| member.value.as_str().is_some_and(is_event));
    let weak = members.named(WEAK).into_iter().filter(|member| !condition::is_kind(members, member));
    weak.chain(categories).find_map(|member| {
        let said = member.value.as_str().filter(|said| member.plain != "eventname" || is_code(said))?;
        let word = lexicon::of_kind(said).filter(|word| counts(*word, said))?;
        Some((member.name.to_owned(), said.to_owned(), word))
    })
}

/// Is it a word of a program's own, such as `POLICY_CLOSE_CRITICAL`, or one word?
fn is_code(said: &str) -> bool {
    !said.trim().contains(char::is_whitespace)
}

/// Somebody took it on, and it has not ended.
fn acknowledged(evidence: &Evidence<'_>) -> Option<(String, String, Word)> {
    const NAMES: [&str; 6] =
        ["acknowledgedat", "ackedat", "acknowledgetime", "acknowledgedtime", "确认时间", "认领时间"];
    let past = |member: &&Member<'_>| is_past_moment(evidence, member.value);
    let member = evidence.members.named(&NAMES).into_iter().find(past)?;
    Some((member.name.to_owned(), spoken(member.value).unwrap_or_default(), Word::Held))
}

/// What began and has a place for its end that is empty goes on (`started_at`, `resolved_at: null`).
fn unended(members: &Members<'_>) -> Option<(String, String, Word)> {
    const OPEN: [&str; 9] = [
        "resolvedat",
        "resolvedtime",
        "resolveddatetime",
        "recoveredat",
        "recoverytime",
        "recovertime",
        "clearedat",
        "cleartime",
        "恢复时间",
    ];
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => plain::is_missing(text),
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    };
    let member = members.named(&OPEN).into_iter().find(|member| is_empty(member.value))?;
    let starts = members.named(super::when::starts(true));
    let begins = starts.into_iter().any(|start| start.depth == member.depth && spoken(start.value).is_some());
    begins.then(|| (member.name.to_owned(), String::new(), Word::Firing))
}

/// What the lines above the title say that are nothing but words for a state (`恢复通知`, `级别状态: S1 Recovered`). That it is an
/// alarm says less than that it is over.
fn heading(evidence: &Evidence<'_>) -> Option<(String, String, Word)> {
    let texts = evidence.title.headings.iter();
    let said = texts.filter_map(|text| Some(("heading".to_owned(), text.clone(), of_heading(text)?)));
    let mut said: Vec<(String, String, Word)> = said.filter(|(_, _, word)| *word != Word::Notice).collect();
    let end = said.iter().position(|(_, _, word)| *word == Word::Resolved).unwrap_or(0);
    (end < said.len()).then(|| said.swap_remove(end))
}

/// The end is the last word that says any (`故障恢复通知`, `告警恢复`).
fn of_heading(text: &str) -> Option<Word> {
    let read = line::read(text);
    let ends =
        |text: &str| ["恢复", "解除", "消除", "清除", "消警", "关闭", "正常"].iter().any(|word| text.contains(word));
    let denied = |text: &str| ["未", "不", "没"].iter().any(|word| text.contains(word));
    if ends(text) && !denied(text) {
        return Some(Word::Resolved);
    }
    lexicon::of_value(text).or_else(|| read.says())
}

/// A state that is neither trouble nor its end: no level and no name of a rule makes an alarm of it. That something began or
/// cannot be told is no such state.
fn idle(members: &Members<'_>) -> Option<(String, String)> {
    const OPEN: [&str; 6] = ["created", "started", "updated", "unknown", "开始", "note"];
    let listed = members.named(STRONG).into_iter().filter(|member| member.depth == 0);
    listed.filter_map(|member| Some((member, spoken(member.value)?))).find_map(|(member, said)| {
        let is_idle =
            lexicon::of_value(&said) == Some(Word::Notice) && !OPEN.contains(&said.trim().to_lowercase().as_str());
        is_idle.then(|| (member.name.to_owned(), said))
    })
}

/// Is there a state of now in a word that is not known? Then the name of the rule does not say it either.
fn is_unknown(members: &Members<'_>) -> bool {
    const NAMES: [&str; 12] = [
        "status",
        "state",
        "alertstate",
        "alarmstatus",
        "alarmstate",
        "eventstatus",
        "alertstatus",
        "currentstate",
        "currentstatus",
        "状态",
        "告警状态",
        "当前状态",
    ];
    const LONGEST: usize = 16;
    members.named(&NAMES).into_iter().filter(|member| member.depth == 0).filter_map(|member| said(member.value)).any(
        |said| {
            let is_word = said.chars().all(|letter| letter.is_alphabetic() || " _-".contains(letter));
            let is_known = matches!(said, "true" | "false" | "on" | "off")
                || lexicon::of_value(said).is_some()
                || Level::of(said).is_some()
                || plain::has_placeholder(said);
            is_word && said.chars().count() <= LONGEST && !is_known
        },
    )
}

/// Words for an end in the place of a level.
const CLEARED: [&str; 12] =
    ["cleared", "clear", "ok", "resolved", "recovered", "recovery", "恢复", "已恢复", "正常", "清除", "已清除", "复归"];

/// Does a line of this name say the state: `Resolution state: Closed`, `构建结果: 失败`?
fn is_line(name: &str) -> bool {
    LINES.contains(&name) || is_state(name) || ["结果", "result"].iter().any(|end| name.ends_with(end))
}

/// What stands under `current` beside `previous`: one state of two.
fn turned(members: &Members<'_>) -> Option<(String, String, Word)> {
    let current = members.named(&["current", "now", "new", "to", "curr"]);
    let past = members.named(&["previous", "prev", "old", "from", "last"]);
    current.into_iter().find_map(|member| {
        let before = past.iter().find(|past| past.depth == member.depth && past.parent == member.parent)?;
        let word = |member: &Member<'_>| said(member.value).and_then(lexicon::exact);
        let (now, _) = (word(member)?, word(before)?);
        matches!(now, Word::Firing | Word::Resolved)
            .then(|| (member.name.to_owned(), spoken(member.value).unwrap_or_default(), now))
    })
}

/// Whether a run succeeded, where the body is about one: `success` alone may be that of the request.
fn of_run(members: &Members<'_>) -> Option<(String, String, Word)> {
    const RUNS: [&str; 12] = [
        "job",
        "jobid",
        "jobname",
        "task",
        "taskname",
        "backup",
        "connection",
        "sync",
        "build",
        "pipeline",
        "errormessage",
        "exitcode",
    ];
    let is_run = members.all.iter().any(|member| RUNS.contains(&member.plain.as_str()));
    let flags = members.named(&["success", "succeeded", "issuccess", "successful", "passed"]);
    let (member, flag) = flags.into_iter().find_map(|member| Some((member, member.value.as_bool()?)))?;
    let word = if flag { Word::Resolved } else { Word::Firing };
    is_run.then(|| (member.name.to_owned(), flag.to_string(), word))
}

/// What the members say whose names are of states. A success that may only be that of the request, the delivery or the
/// run (`result: success`) yields to any member that tells of trouble.
fn strong(members: &Members<'_>) -> Option<(String, String, Word)> {
    // Beside `triggerType: Critical` a value is one of a measurement.
    let is_measured = !members.named(&["triggertype"]).is_empty();
    let listed = members.named(STRONG).into_iter().filter(|member| !(is_measured && member.plain == "triggervalue"));
    // Of these names texts say something else (`alarm: 高温`).
    let flags = members.named(ON).into_iter().chain(members.named(OVER)).filter(|member| match member.value {
        Value::Bool(_) => true,
        Value::Number(_) => is_numbered(&member.plain),
        Value::String(text) => {
            let text = text.trim().to_lowercase();
            let is_flag = matches!(&*text, "0" | "1" | "begin" | "end");
            matches!(text.as_str(), "true" | "false") || is_numbered(&member.plain) && is_flag
        }
        _ => false,
    });
    let all = listed.chain(flags);
    // A level may be the word for an end: `severity: cleared`.
    let cleared = members.named(LEVELS).into_iter().find(|member| {
        let word = said(member.value).unwrap_or_default().to_lowercase();
        member.depth == 0 && CLEARED.contains(&word.as_str())
    });
    if let Some(member) = cleared {
        let word = self::said(member.value).unwrap_or_default().to_owned();
        return Some((member.name.to_owned(), word, Word::Resolved));
    }
    let mut said = all.filter_map(told);
    let first = said.next()?;
    let is_of_the_run = first.2 == Word::Resolved && lexicon::is_success(&first.1);
    let trouble = |(_, _, word): &(String, String, Word)| *word == Word::Firing;
    Some(if is_of_the_run {
        said.find(trouble).or_else(|| others(members).filter(trouble)).unwrap_or(first)
    } else {
        first
    })
}

/// What a member says of the state, if anything.
fn told(member: &Member<'_>) -> Option<(String, String, Word)> {
    let word = of_member(&member.plain, member.value).filter(|word| *word != Word::Notice)?;
    Some((member.name.to_owned(), spoken(member.value).unwrap_or_default(), word))
}

/// The same of members of other names that end in a word for a state.
fn others(members: &Members<'_>) -> Option<(String, String, Word)> {
    // Of an event of a bad kind (`linkDown`) a part that is well (`varbinds.adminStatus: up`) is no end.
    let is_bad = members.all.iter().any(|member| {
        member.depth == 0
            && WEAK.contains(&member.plain.as_str())
            && said(member.value).and_then(lexicon::of_kind) == Some(Word::Firing)
    });
    let others = members.all.iter().filter(|member| {
        is_state(&member.plain) && !STRONG.contains(&member.plain.as_str()) && !WEAK.contains(&member.plain.as_str())
    });
    let mut others = others.filter(|member| {
        !(is_bad && member.depth > 0 && of_member(&member.plain, member.value) == Some(Word::Resolved))
    });
    // `ParsedResult: Fatal`, if that is all of it.
    let is_result = |member: &&Member<'_>| member.plain.ends_with("result") && !STRONG.contains(&member.plain.as_str());
    let mut results = members.all.iter().filter(is_result);
    let result = || {
        results.find_map(|member| {
            let said = said(member.value).filter(|_| !is_past(&member.plain))?;
            let word = lexicon::exact(said).filter(|word| *word != Word::Notice)?;
            Some((member.name.to_owned(), said.to_owned(), word))
        })
    };
    others.find_map(told).or_else(result)
}

/// Is there a state of now in the body itself?
pub(in crate::ingest) fn is_told(members: &Members<'_>) -> bool {
    let tells = |word: Option<Word>| matches!(word, Some(Word::Firing | Word::Resolved));
    let is_result = |plain: &str| plain.ends_with("result") && !is_past(plain);
    let holds = |member: &&Member<'_>| {
        STRONG.contains(&member.plain.as_str())
            || is_state(&member.plain)
            || is_result(&member.plain)
            || member.plain == "phase"
    };
    members.all.iter().filter(holds).any(|member| tells(of_member(&member.plain, member.value)))
}

/// What a mapping's `status` means: also the numbers and flags that are states in most products. An unknown word is
/// trouble: rather one message too many.
fn of_mapping(said: &str) -> Word {
    match said.to_lowercase().as_str() {
        "0" | "false" | "no" => Word::Resolved,
        "1" | "true" | "yes" => Word::Firing,
        _ => lexicon::of_value(said).unwrap_or(Word::Firing),
    }
}

/// The same of a text under it.
pub(super) fn of_text(plain: &str, text: &str) -> Option<Word> {
    of_member(plain, &Value::String(text.to_owned()))
}

/// What a member of a strong name says.
fn of_member(plain: &str, value: &Value) -> Option<Word> {
    let (over, on) = (OVER.contains(&plain), ON.contains(&plain));
    let counts = matches!(plain, "eventvalue" | "triggervalue" | "alarmstatus" | "isalarm");
    let flag = |flag: bool| match (over, on, flag) {
        (true, _, true) | (_, true, false) => Some(Word::Resolved),
        (_, true, true) | (true, _, false) => Some(Word::Firing),
        _ => None,
    };
    let is_flag = (over || on) && is_numbered(plain);
    match value {
        // The state of an alert; that of a request is a status.
        Value::Bool(value) if matches!(plain, "state" | "alertstate" | "alarmstate" | "active" | "isactive") => {
            Some(if *value { Word::Firing } else { Word::Resolved })
        }
        Value::Bool(value) => flag(*value),
        Value::Number(number) if is_flag && !counts => match number.as_i64() {
            Some(1) => flag(true),
            Some(0) => flag(false),
            _ => None,
        },
        Value::Number(number) if counts => match number.as_i64() {
            Some(1) => Some(Word::Firing),
            Some(0) => Some(Word::Resolved),
            _ => None,
        },
        Value::String(text) => match (text.trim().to_lowercase().as_str(), over || on) {
            ("true", true) => flag(true),
            ("false", true) => flag(false),
            ("1", _) if is_flag && !counts => flag(true),
            ("0", _) if is_flag && !counts => flag(false),
            // Of an alert, an end; of a thing, trouble.
            ("expired", _) => Some(Word::Resolved),
            ("1", _) if counts => Some(Word::Firing),
            ("0", _) if counts => Some(Word::Resolved),
            // In titles these are names, lights among them.
            ("new" | "raised" | "raise" | "set" | "ongoing" | "present" | "red" | "orange" | "yellow", _) => {
                Some(Word::Firing)
            }
            ("start" | "begin", _) if spans(plain) => Some(Word::Firing),
            ("end", _) if spans(plain) => Some(Word::Resolved),
            _ => line::change::of(text).or_else(|| lexicon::of_value(text)),
        },
        Value::Object(_) => lexicon::of_value(&spoken(value)?),
        _ => None,
    }
}

fn ended(evidence: &Evidence<'_>) -> Option<(String, String)> {
    let in_members = evidence.members.named(ENDED).into_iter();
    let member = in_members.into_iter().find(|member| is_past_moment(evidence, member.value));
    member.map(|member| (member.name.to_owned(), spoken(member.value).unwrap_or_default())).or_else(|| {
        let (name, value) = evidence.lines.iter().find(|(name, _)| ENDED.contains(&name.as_str()))?;
        is_past_text(evidence, value).then(|| (name.clone(), value.clone()))
    })
}

/// Is this a time that has come?
fn is_past_moment(evidence: &Evidence<'_>, value: &Value) -> bool {
    match value {
        Value::String(text) => is_past_text(evidence, text),
        Value::Number(number) => is_past_text(evidence, &number.to_string()),
        _ => false,
    }
}

fn is_past_text(evidence: &Evidence<'_>, text: &str) -> bool {
    let time = moment::read(text, evidence.zone).and_then(|time| moment::plausible(time, evidence.now));
    time.is_some_and(|time| time.0 > 0 && time <= evidence.now.plus_millis(AHEAD_MS))
}
