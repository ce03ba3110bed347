//! Reports that the store takes no writes, without the store.

use tracing::{info, warn};

use super::alarm;
use crate::alert::Timestamp;
use crate::config::Language;
use crate::deliver::{Bypass, Deliver};
use crate::incidents::Subject;
use crate::store::{Retry, StoreError};

/// Delay before a busy store or an unreachable server is reported: a restart is not a fault.
const PATIENCE_MS: i64 = 60_000;
/// Interval of repeating the report while the fault lasts: nothing else can be told meanwhile.
const AGAIN_MS: i64 = 3_600_000;

/// A period without writes.
#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Timestamp,
    told_at: Option<Timestamp>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// The store takes no writes, for this reason.
    Broken(String),
    /// It takes writes again.
    Over,
}

/// Reports an outage of the store by a way that needs no store: what was told of the present one.
pub(super) struct Past {
    deliver: Deliver,
    bypass: Bypass,
    outage: Option<Outage>,
}

impl Past {
    pub fn new(deliver: Deliver) -> anyhow::Result<Self> {
        Ok(Self { bypass: Bypass::new(deliver.clone())?, deliver, outage: None })
    }

    /// Reports the result of the last write, if that is news.
    pub async fn follow(&mut self, error: Option<&StoreError>) {
        let now = self.deliver.clock.now();
        let Some(word) = next(&mut self.outage, error, now) else { return };
        let told = self.tell(&word).await;
        if let (Some(outage), true) = (&mut self.outage, told) {
            outage.told_at = Some(now);
        }
    }

    /// Tells the first receiver that can be reached.
    async fn tell(&self, word: &Word) -> bool {
        let config = self.deliver.setup.now().config.clone();
        for (receiver, targets) in alarm::receivers(&config, &Subject::Nothing) {
            let words = words(word, receiver.language);
            let mut taken = false;
            for target in targets {
                match self.bypass.tell(&receiver.name, target, &words).await {
                    Ok(()) => taken = true,
                    Err(error) => {
                        warn!(
                            receiver = receiver.name,
                            error, "A receiver could not be told that the store takes no writes."
                        );
                    }
                }
            }
            if taken {
                info!(receiver = receiver.name, "The trouble of the store was told past it.");
                return true;
            }
        }
        false
    }
}

/// Decides what is reported now. Pure: the outage is recorded here; that it was reported is recorded by the caller.
fn next(outage: &mut Option<Outage>, error: Option<&StoreError>, now: Timestamp) -> Option<Word> {
    let Some(error) = error else {
        return outage.take().and_then(|outage| outage.told_at).map(|_| Word::Over);
    };
    let patience = match error {
        StoreError::Retry(Retry::Full | Retry::Displaced { .. }) => 0,
        StoreError::Retry(Retry::Busy | Retry::Unreachable { .. }) => PATIENCE_MS,
        // The process ends, or this is a bug, which shows nothing about the store.
        _ => return None,
    };
    let Outage { since, told_at } = *outage.get_or_insert(Outage { since: now, told_at: None });
    let due = match told_at {
        None => now.millis_since(since) >= patience,
        Some(at) => now.millis_since(at) >= AGAIN_MS,
    };
    due.then(|| Word::Broken(error.to_string()))
}

fn words(word: &Word, language: Language) -> String {
    match (word, language) {
        (Word::Broken(reason), Language::Zh) => {
            format!(
                "🔴 wegraf 存不了告警\n{reason}\n存不下的告警都回答 503，由上游重发。这条消息没有经过数据库，不在投递记录里。"
            )
        }
        (Word::Broken(reason), Language::En) => format!(
            "🔴 wegraf cannot store alerts\n{reason}\nWhat cannot be stored is answered 503, and its sender tries again. This message went past the database and is not in the record."
        ),
        (Word::Over, Language::Zh) => "🟢 wegraf 又能存告警了".to_owned(),
        (Word::Over, Language::En) => "🟢 wegraf stores alerts again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Words;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    /// The times of reports among these, if each succeeds.
    fn told(error: &StoreError, seconds: &[i64]) -> Vec<i64> {
        let mut outage = None;
        let mut told = Vec::new();
        for &second in seconds {
            let now = NOW.plus_millis(second * 1000);
            if next(&mut outage, Some(error), now).is_some() {
                told.push(second);
                outage.as_mut().unwrap().told_at = Some(now);
            }
        }
        let over = next(&mut outage, None, NOW);
        assert_eq!(over == Some(Word::Over), !told.is_empty(), "who heard of it hears of its end");
        told
    }

    #[test]
    fn a_full_disk_and_a_lost_file_are_told_at_once_and_then_every_hour() {
        let displaced = StoreError::Retry(Retry::Displaced { path: "x".into(), reason: Words::default() });
        for error in [StoreError::Retry(Retry::Full), displaced] {
            assert_eq!(told(&error, &[0, 5, 10, 3_599, 3_600, 3_605]), [0, 3_600]);
        }
    }

    #[test]
    fn a_brief_absence_of_the_server_is_not_reported() {
        let away = StoreError::Retry(Retry::Unreachable { reason: Words::default() });
        assert!(told(&away, &[0, 5, 59]).is_empty());
        assert_eq!(told(&away, &[0, 5, 60, 65]), [60]);
        assert!(told(&StoreError::Closed, &[0, 600]).is_empty());
    }

    #[test]
    fn a_failed_report_is_retried_at_the_next_look() {
        let mut outage = None;
        assert!(next(&mut outage, Some(&StoreError::Retry(Retry::Full)), NOW).is_some());
        assert!(next(&mut outage, Some(&StoreError::Retry(Retry::Full)), NOW.plus_millis(5_000)).is_some());
        assert!(next(&mut outage, None, NOW).is_none(), "it was not reported");
    }
}
