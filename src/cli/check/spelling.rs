//! Compares labels in matchers with those of real alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::alert::Labels;
use crate::config::{Config, Finding, Note, Place};
use crate::route::Matcher;
use crate::store::{Store, StoreError};

/// Alerts that are examined, the newest: a day of a large installation.
const ALERTS: u32 = 20_000;
/// A label with more values (a pod, an instance) has no list that a value could be missing from.
const VALUES: usize = 1000;
/// Values of one matcher that are compared.
const WORDS: usize = 32;

/// Probable typing errors in the matchers of `config`, given the alerts in its database. A database that cannot be
/// opened is ignored: before the first start there is none.
pub(in crate::cli) async fn notes(config: &Config) -> Vec<Note> {
    let Ok(store) = Store::open_reading(&config.database).await else { return Vec::new() };
    let seen = Seen::read(&store).await.unwrap_or_default();
    store.close().await.ok();
    slips(config, &seen)
}

/// The labels that alerts had, each with its values; those of a label with too many are left out.
#[derive(Debug, Default)]
struct Seen(BTreeMap<String, BTreeSet<String>>);

impl Seen {
    /// Those of the newest alerts in a store.
    async fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self::of(store.seen_labels(ALERTS).await?.iter().filter_map(|labels| serde_json::from_str(labels).ok())))
    }

    fn of(alerts: impl Iterator<Item = Labels>) -> Self {
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in alerts.flatten() {
            let values = seen.entry(name.into()).or_default();
            if values.len() <= VALUES {
                values.insert(value.into());
            }
        }
        Self(seen)
    }
}

/// Names and values that are close to one that was seen, and were never seen themselves.
fn slips(config: &Config, seen: &Seen) -> Vec<Note> {
    let mut notes: Vec<Note> = config
        .matchers
        .iter()
        .flat_map(|(place, matcher)| {
            of_matcher(matcher, seen).into_iter().map(|slip| note(&config.path, *place, &slip))
        })
        .collect();
    notes.dedup();
    notes
}

/// A written name or value, its context, and the similar one that was seen.
#[derive(Debug, PartialEq, Eq)]
enum Slip<'a> {
    Name { written: &'a str, seen: &'a str },
    Value { label: &'a str, written: String, seen: &'a str },
}

fn of_matcher<'a>(matcher: &'a Matcher, seen: &'a Seen) -> Vec<Slip<'a>> {
    let Some(values) = seen.0.get(matcher.name()) else {
        let near = nearest(matcher.name(), seen.0.keys());
        return near.map(|seen| Slip::Name { written: matcher.name(), seen }).into_iter().collect();
    };
    if values.len() > VALUES {
        return Vec::new();
    }
    let written = matcher.words(WORDS).unwrap_or_default();
    let missing = written.into_iter().filter(|word| !word.is_empty() && !values.contains(word));
    let slip = |written: String| {
        let seen = nearest(&written, values.iter())?;
        Some(Slip::Value { label: matcher.name(), written, seen })
    };
    missing.filter_map(slip).collect()
}

fn note(file: &Path, place: Place, slip: &Slip<'_>) -> Note {
    let (reason, seen) = match slip {
        Slip::Name { written, seen } => (
            (
                format!("收到过的告警都没有标签 `{written}`，有 `{seen}`"),
                format!("no alert so far had the label `{written}`; there is `{seen}`"),
            ),
            seen,
        ),
        Slip::Value { label, written, seen } => (
            (
                format!("收到过的告警里 `{label}` 从来不是 `{written}`，有 `{seen}`"),
                format!("no alert so far had `{written}` as `{label}`; there is `{seen}`"),
            ),
            seen,
        ),
    };
    let remedy = (format!("是不是 `{seen}`？"), format!("did you mean `{seen}`?"));
    Finding { file: file.to_path_buf(), place, reason: reason.into(), remedy: remedy.into(), excerpt: None }
}

/// The one of `seen` that `written` is a probable typing error of. Names that differ only in their numbers are distinct
/// names.
fn nearest<'a>(written: &str, seen: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let bare = |text: &str| text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    let distance = |known: &str| {
        if known.eq_ignore_ascii_case(written) {
            return Some(0);
        }
        let length = known.chars().count().min(written.chars().count());
        let distance = strsim::damerau_levenshtein(known, written);
        let near = distance == 1 && length >= 4 || distance == 2 && length >= 8;
        (near && bare(known) != bare(written)).then_some(distance)
    };
    seen.filter_map(|known| Some((distance(known)?, known.as_str()))).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::parse_matchers;

    fn seen() -> Seen {
        let alert = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect::<Labels>()
        };
        let hosts = (0..=VALUES).map(|number| alert(&[("host", &format!("server-{number}"))]));
        Seen::of(hosts.chain([
            alert(&[("severity", "critical"), ("team", "db"), ("cluster", "prod-1")]),
            alert(&[("severity", "warning"), ("team", "payments")]),
        ]))
    }

    fn slip(matcher: &str) -> Option<String> {
        let (matchers, seen) = (parse_matchers(matcher).unwrap(), seen());
        let slips = of_matcher(&matchers[0], &seen);
        slips.first().map(|slip| match slip {
            Slip::Name { seen, .. } | Slip::Value { seen, .. } => (*seen).to_owned(),
        })
    }

    #[test]
    fn an_unseen_name_close_to_a_seen_one_is_a_typing_error() {
        for (matcher, meant) in [
            ("severty=critical", Some("severity")),
            ("Severity=critical", Some("severity")),
            ("severity=critcal", Some("critical")),
            ("severity=~\"critical|waring\"", Some("warning")),
            ("severity!=Critical", Some("critical")),
            ("team=paymenst", Some("payments")),
            ("severity=critical", None),
            ("severity=info", None),
            ("team=dba", None),
            ("team=~\"pay.*\"", None),
            ("cluster=prod-2", None),
            ("host=serber-1", None),
            ("region=eu", None),
            ("team=\"\"", None),
        ] {
            assert_eq!(slip(matcher).as_deref(), meant, "{matcher}");
        }
    }
}
