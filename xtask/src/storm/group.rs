//! A group of alerts as Alertmanager would send it, and the words by which its alerts are known in any text.

use serde_json::{Value, json};

use crate::ledger::{Kind, Said};

/// One alert in this many is critical in a group that has critical ones; never the first alerts of a notification.
const CRITICAL: usize = 20;
/// Rules that the groups share, as a fleet's clusters do.
const RULES: usize = 40;
/// When first episodes begin, in Unix milliseconds; nothing depends on the value.
const EPOCH_MS: i64 = 1_790_000_000_000;

/// A group; its number has at most four digits, its size five.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Its number, which no other group of the load has.
    pub number: usize,
    /// How many alerts it has.
    pub size: usize,
    /// Whether some of them are critical.
    pub critical: bool,
}

/// What a notification of it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// All of it begins.
    Begin,
    /// Every second alert is over.
    HalfEnds,
    /// Half of those are on again.
    HalfOfItReturns,
}

impl Group {
    /// The JSON of a notification, and what is news in it.
    pub fn notification(self, round: Round, receiver: &str) -> (String, Vec<Said>) {
        let (rule, cluster) = (format!("规则{:02}", self.number % RULES), format!("c{}", self.number));
        let mut news = Vec::new();
        let alerts: Vec<Value> = (0..self.size)
            .map(|number| {
                let (second, fourth) = (number % 2 == 1, number % 4 == 1);
                let (changes, over, episode) = match round {
                    Round::Begin => (true, false, 0),
                    Round::HalfEnds => (second, second, 0),
                    Round::HalfOfItReturns => (fourth, second && !fourth, i64::from(fourth)),
                };
                let said = Said {
                    word: self.word(number),
                    starts_at: EPOCH_MS + episode * 60_000,
                    kind: if over { Kind::Resolved } else { Kind::Firing },
                    receiver: receiver.to_owned(),
                };
                let alert = alert(&rule, &cluster, &said);
                if changes {
                    news.push(said);
                }
                alert
            })
            .collect();
        let text = json!({
            "version": "4", "receiver": "wegraf", "status": "firing", "alerts": alerts,
            "groupLabels": { "alertname": rule, "cluster": cluster }, "commonLabels": {}, "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
            "groupKey": format!("{{}}:{{alertname=\"{rule}\", cluster=\"{cluster}\"}}"), "truncatedAlerts": 0,
        });
        (text.to_string(), news)
    }

    /// What tells an alert apart; no word is part of another.
    fn word(self, number: usize) -> String {
        let critical = self.critical && number % CRITICAL == CRITICAL - 1;
        format!("{}{:04}n{number:05}z", if critical { 'k' } else { 'w' }, self.number)
    }
}

fn alert(rule: &str, cluster: &str, said: &Said) -> Value {
    let over = said.kind == Kind::Resolved;
    json!({
        "status": said.kind.as_str(),
        "labels": {
            "alertname": rule, "cluster": cluster, "instance": said.word, "to": said.receiver,
            "severity": if names_critical(&said.word) { "critical" } else { "warning" },
        },
        "annotations": { "summary": "磁盘将满" },
        "startsAt": rfc3339(said.starts_at),
        "endsAt": if over { rfc3339(said.starts_at + 30_000) } else { "0001-01-01T00:00:00Z".to_owned() },
        "generatorURL": "http://prometheus.example.com/graph",
    })
}

/// Whether the alert that is called by this word is critical.
pub fn names_critical(word: &str) -> bool {
    word.starts_with('k')
}

/// The words of the alerts that a text contains.
pub fn words_in(text: &str) -> Vec<&str> {
    let starts = text.char_indices().filter(|(_, letter)| matches!(letter, 'k' | 'w'));
    starts.filter_map(|(at, _)| text.get(at..at + WORD)).filter(|word| is_word(word)).collect()
}

/// Bytes of a word.
const WORD: usize = 12;

fn is_word(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == WORD
        && bytes[1..5].iter().chain(&bytes[6..11]).all(u8::is_ascii_digit)
        && (bytes[5], bytes[11]) == (b'n', b'z')
}

fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_begins_half_of_it_ends_and_half_of_that_returns() {
        let group = Group { number: 3, size: 8, critical: true };
        let news = |round| group.notification(round, "r").1;
        assert_eq!(news(Round::Begin).len(), 8);
        assert!(news(Round::HalfEnds).iter().all(|said| said.kind == Kind::Resolved));
        assert_eq!(news(Round::HalfEnds).len(), 4);
        let back = news(Round::HalfOfItReturns);
        assert!(back.iter().all(|said| said.kind == Kind::Firing && said.starts_at > EPOCH_MS));
        assert_eq!(back.len(), 2);
    }

    #[test]
    fn words_are_found_wherever_they_stand() {
        let (first, second) =
            (Group { number: 3, size: 20, critical: true }, Group { number: 12, size: 99, critical: false });
        let words = [first.word(19), second.word(2)];
        let text = format!("规则 ×2：{}，{}（变化 3 次）kw k0001", words[0], words[1]);
        assert_eq!(words_in(&text), words);
        assert!(names_critical(&words[0]) && !names_critical(&words[1]));
    }
}
