//! What people wrote about the alerts of a letter: one text for all of them, or each alert's own.

use std::borrow::Cow;

use super::Letter;
use super::fit::cut_chars;
use super::neutral::{one_line, visible};
use super::words::State;
use crate::alert::{Alert, Format, Health, Labels, Status};
use crate::said::{self, Evidence, Link};

/// Characters of any one text before it is fitted.
pub(super) const TEXT: usize = 4000;
/// The annotation with Grafana's reason for a failed query.
const ERROR: &str = "Error";

/// The sentences of a letter.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    pub(super) line: String,
    pub(super) detail: String,
    /// Each whole, without its number.
    pub(super) steps: Vec<String>,
    pub(super) evidence: Evidence,
    /// Addresses that stood in the sentences.
    pub(super) links: Vec<Link>,
    /// Is the line the same for all, except for what distinguishes the alerts?
    pub(super) common: bool,
}

/// At most [`TEXT`] characters of `text`.
pub(super) fn limited(text: &str) -> String {
    cut_chars(text.trim(), TEXT).into_owned()
}

/// The text of the notification; of a single alert without the labels that the user hides.
pub(super) fn message<'a>(letter: &Letter<'a>) -> Cow<'a, str> {
    match &letter.notification.alerts[..] {
        [alert] => letter.taught.without_hidden(&letter.notification.message, &alert.labels),
        _ => Cow::Borrowed(&letter.notification.message),
    }
}

/// The line of one alert.
pub(super) fn own(alert: &Alert) -> String {
    if alert.health == Health::Error {
        return alert.annotations.get(ERROR).map(|error| limited(&one_line(error))).unwrap_or_default();
    }
    limited(&one_line(&said::Sentences::of(alert).line))
}

impl Spoken {
    /// What `alerts`, those of the letter and those that are on beside them, have in common.
    pub(super) fn of(letter: &Letter<'_>, state: State, alerts: &[&Alert]) -> Self {
        let notification = letter.notification;
        // In a body with text of its own the sentences tell which alert is resolved.
        let words = matches!(notification.format, Format::Generic | Format::Opaque) && state == State::Resolved;
        let own = notification.format == Format::Grafana && !notification.message.is_empty();
        let past = matches!(state, State::Resolved | State::Unclear | State::NoData);
        if !words && !own && past {
            // They are no longer true, or were written for a value that is missing.
            return Self { common: true, ..Self::default() };
        }
        let on: Vec<&Alert> = alerts.iter().filter(|alert| alert.status == Status::Firing).copied().collect();
        let mut spoken = Self::agreed(if on.is_empty() { alerts } else { &on }, state);
        let message = visible(&message(letter)).trim().to_owned();
        if own {
            // The contact point's text is meant for the group, the annotations for each alert.
            if past {
                spoken = Self { common: spoken.common, ..Self::default() };
            }
            let texts = [spoken.detail, message.clone()].into_iter().filter(|text| !text.is_empty());
            spoken.detail = texts.collect::<Vec<_>>().join("\n");
        }
        if spoken.line.is_empty() && spoken.detail.is_empty() && spoken.steps.is_empty() {
            spoken.detail = message;
        }
        if spoken.line.is_empty() {
            let (first, rest) = spoken.detail.split_once('\n').unwrap_or((&spoken.detail, ""));
            (spoken.line, spoken.detail) = (one_line(first), rest.trim().to_owned());
        }
        // A sentence that repeats the title is noise.
        if alerts.iter().any(|alert| one_line(&alert.name) == spoken.line) {
            spoken.line.clear();
            if !spoken.detail.is_empty() {
                let (first, rest) = said::first_sentence(&spoken.detail);
                (spoken.line, spoken.detail) = (one_line(&first), rest);
            }
        }
        Self { line: limited(&one_line(&spoken.line)), detail: limited(&visible(&spoken.detail)), ..spoken }
    }

    /// The sentences of the gravest of `speakers`, as far as the others say the same.
    fn agreed(speakers: &[&Alert], state: State) -> Self {
        let Some(gravest) = speakers.first() else { return Self { common: true, ..Self::default() } };
        if state == State::QueryError {
            // The error gives the reason; the rule's own sentences assume a value that is missing.
            let errors: Vec<(&str, &Labels)> =
                speakers.iter().map(|alert| (text(alert, ERROR), &alert.labels)).collect();
            let line = said::agreed(&errors);
            return Self { common: line.is_some(), line: line.unwrap_or_default(), ..Self::default() };
        }
        let (mut lines, mut details, mut spoken) = (true, true, false);
        let mut annotations = Labels::new();
        for name in names(speakers) {
            let texts: Vec<(&str, &Labels)> = speakers.iter().map(|alert| (text(alert, name), &alert.labels)).collect();
            // One alert's description under the names of all would be read as that of all.
            let one_rule = speakers.iter().all(|alert| alert.name == gravest.name);
            let all = (said::is_line(name) && one_rule) || texts.iter().all(|(text, _)| !text.trim().is_empty());
            let agreed = said::agreed(&texts);
            if said::is_line(name) {
                (lines, spoken) = (lines && agreed.is_some(), true);
            } else {
                details &= agreed.is_some();
            }
            if let Some(text) = agreed.filter(|_| all) {
                annotations.insert(name.to_owned(), text);
            }
        }
        // Without a line the descriptions tell the alerts apart.
        let common = lines && (spoken || details);
        let said::Sentences { line, detail, steps, evidence, links } =
            said::Sentences::read(&gravest.name, &gravest.labels, &annotations);
        Self { line, detail, steps, evidence, links, common }
    }
}

/// The annotations with sentences that any of `speakers` has.
fn names<'a>(speakers: &[&'a Alert]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for alert in speakers {
        for name in alert.annotations.keys().filter(|name| said::reads(name)) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    names
}

fn text<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert.annotations.get(name).map_or("", |text| &text[..text.floor_char_boundary(4 * TEXT)])
}

/// As many whole sentences from the beginning of `text` as have room in `most` characters; at least a part of the first.
pub(super) fn whole_sentences(text: &str, most: usize) -> String {
    let text = text.trim();
    if most == 0 || text.chars().count() <= most {
        return cut_chars(text, most).into_owned();
    }
    let mut end = 0;
    let mut rest = text;
    loop {
        let (first, after) = said::first_sentence(rest);
        if first.is_empty() {
            break;
        }
        let next = text.len() - rest.len() + (rest.len() - rest.trim_start().len()) + first.len();
        if text[..next].chars().count() + 1 > most {
            break;
        }
        end = next;
        if after.is_empty() {
            break;
        }
        rest = &text[text.len() - after.len()..];
    }
    if end == 0 { cut_chars(text, most).into_owned() } else { format!("{}…", &text[..end]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_with_a_sentence() {
        for (text, most, kept) in [
            ("一二三。四五六。七八九。", 9, "一二三。四五六。…"),
            ("一二三。四五六。", 8, "一二三。四五六。"),
            ("一二三四五六七八九", 5, "一二三四…"),
            ("First one. Second one. Third.", 25, "First one. Second one.…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(whole_sentences(text, most), kept, "{text}");
        }
    }
}
