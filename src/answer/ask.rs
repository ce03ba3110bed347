//! Parses texts to the app or the bot: a command in Chinese or English first, then a short id and a duration in any
//! order. Pure.

use crate::alert::ThreadId;

/// A parsed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A list of commands.
    Help,
    /// The firing alerts.
    Alerts,
    /// The people on duty; of this rota, if one is named.
    Duty(Option<String>),
    /// Acknowledge an alert.
    Acknowledge(ThreadId),
    /// Release it.
    Release(ThreadId),
    /// Silence an alert for the duration as typed; `None`: the default.
    Silence(ThreadId, Option<String>),
    /// The silences.
    Silences,
    /// End the silence of an alert.
    Expire(ThreadId),
    /// Move the end of an alert's silence.
    Extend(ThreadId, Option<String>),
    /// Resend a message.
    Resend(ThreadId),
    /// A link that signs in to the console.
    Console,
    /// A command that needs a short id, without one.
    WhichOne(&'static str),
    /// Not understood.
    Unknown,
}

/// Longest text that is parsed; a longer one is not a command.
const TEXT_BYTES: usize = 2_048;

/// The words for each command; help shows the first.
const HELP: &[&str] = &["帮助", "help", "?", "？", "你好", "您好", "hi", "hello", "h"];
const ALERTS: &[&str] = &["告警", "alerts", "alert", "状态", "status", "现在", "当前告警", "list"];
const DUTY: &[&str] = &["值班", "谁值班", "谁在值班", "who", "duty", "oncall", "on-call"];
const ACKNOWLEDGE: &[&str] = &["认领", "ack", "acknowledge", "我来", "take"];
const RELEASE: &[&str] = &["放弃", "取消认领", "撤销认领", "撤销", "unack", "release", "undo"];
const SILENCES: &[&str] = &["静默列表", "查看静默", "silences"];
const EXPIRE: &[&str] = &["解除静默", "取消静默", "结束静默", "unsilence", "expire", "unmute"];
const EXTEND: &[&str] = &["延长", "延长静默", "extend"];
const SILENCE: &[&str] = &["静默", "屏蔽", "silence", "mute", "snooze"];
const CONSOLE: &[&str] = &["控制台", "登录", "console", "login"];
const RESEND: &[&str] = &["重发", "再发", "resend"];

/// Parses a text. A mention of the bot (`@name`) at its beginning is ignored.
pub fn read(text: &str) -> Ask {
    if text.len() > TEXT_BYTES {
        return Ask::Unknown;
    }
    let spaced = text.replace(['，', ',', '。', '\u{3000}', '\u{2005}', '：', '!', '！'], " ");
    let words: Vec<&str> = spaced.split_whitespace().skip_while(|word| word.starts_with('@')).collect();
    let Some((first, rest)) = words.split_first() else { return Ask::Help };
    let (word, rest) = split(first, rest);
    let is = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(&word));
    let id = rest.iter().find_map(|word| thread(word));
    let span = || rest.iter().find(|word| thread(word).is_none()).map(|word| (*word).to_owned());
    let about = |wish: fn(ThreadId) -> Ask, word| id.map_or(Ask::WhichOne(word), wish);
    match () {
        () if is(HELP) => Ask::Help,
        () if is(ALERTS) => Ask::Alerts,
        () if is(DUTY) => Ask::Duty(rest.first().map(|name| (*name).to_owned())),
        () if is(ACKNOWLEDGE) => about(Ask::Acknowledge, ACKNOWLEDGE[0]),
        () if is(RELEASE) => about(Ask::Release, RELEASE[0]),
        () if is(SILENCES) => Ask::Silences,
        () if is(EXPIRE) => about(Ask::Expire, EXPIRE[0]),
        () if is(EXTEND) => id.map_or(Ask::WhichOne(EXTEND[0]), |id| Ask::Extend(id, span())),
        // Without an id it may mean the list.
        () if is(SILENCE) && rest.is_empty() => Ask::Silences,
        () if is(SILENCE) => id.map_or(Ask::WhichOne(SILENCE[0]), |id| Ask::Silence(id, span())),
        () if is(CONSOLE) => Ask::Console,
        () if is(RESEND) => about(Ask::Resend, RESEND[0]),
        () => Ask::Unknown,
    }
}

/// The command and what follows it, also without a blank between them: `认领#7K2Q`.
fn split<'a>(first: &'a str, rest: &[&'a str]) -> (String, Vec<&'a str>) {
    match first.find('#') {
        Some(at) if at > 0 => {
            let (word, id) = first.split_at(at);
            (word.to_owned(), std::iter::once(id).chain(rest.iter().copied()).collect())
        }
        _ => (first.to_owned(), rest.to_vec()),
    }
}

/// A short id. Without `#` it must contain a letter and a digit, or be in capitals: `1h` and `morning` are not ids.
fn thread(word: &str) -> Option<ThreadId> {
    let bare = word.trim_start_matches('#');
    let marked = bare.len() < word.len();
    let looks = bare.len() >= 4 && bare.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    (marked || looks).then(|| ThreadId::parse(word)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_parsed_as_people_mean_them() {
        let id = ThreadId(7);
        let name = format!("#{id}");
        let lower = name.to_lowercase();
        #[rustfmt::skip]
        let table = [
            ("", Ask::Help), ("控制台", Ask::Console), ("登录", Ask::Console), ("Console", Ask::Console), ("  ", Ask::Help), ("你好", Ask::Help), ("HELP", Ask::Help), ("？", Ask::Help),
            ("告警", Ask::Alerts), ("Alerts", Ask::Alerts), ("@值班机器人 告警", Ask::Alerts),
            ("值班", Ask::Duty(None)), ("who dba", Ask::Duty(Some("dba".to_owned()))),
            ("认领 {id}", Ask::Acknowledge(id)), ("认领{id}", Ask::Acknowledge(id)), ("ack {lower}", Ask::Acknowledge(id)),
            ("认领", Ask::WhichOne("认领")), ("ack nothing", Ask::WhichOne("认领")),
            ("放弃 {id}", Ask::Release(id)),
            ("静默 {id}", Ask::Silence(id, None)), ("静默 {id} 4h", Ask::Silence(id, Some("4h".to_owned()))),
            ("silence 30m {id}", Ask::Silence(id, Some("30m".to_owned()))),
            ("静默，{id}，明早", Ask::Silence(id, Some("明早".to_owned()))),
            ("静默", Ask::Silences), ("silences", Ask::Silences), ("静默 1h", Ask::WhichOne("静默")),
            ("解除静默 {id}", Ask::Expire(id)), ("延长 {id} 2h", Ask::Extend(id, Some("2h".to_owned()))),
            ("重发 {id}", Ask::Resend(id)), ("磁盘怎么了", Ask::Unknown),
        ];
        for (text, ask) in table {
            let text = text.replace("{id}", &name).replace("{lower}", &lower);
            assert_eq!(read(&text), ask, "{text}");
        }
        assert_eq!(read(&"x".repeat(TEXT_BYTES + 1)), Ask::Unknown);
    }

    #[test]
    fn an_id_is_known_without_its_mark_only_where_nothing_else_is_meant() {
        let id = ThreadId(7).to_string();
        assert_eq!(read(&format!("ack {id}")), Ask::Acknowledge(ThreadId(7)));
        assert_eq!(thread("1h"), None);
        assert_eq!(thread("morning"), None);
        assert_eq!(thread("90m"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_does_harm(text in ".{0,200}") {
            read(&text);
        }
    }
}
