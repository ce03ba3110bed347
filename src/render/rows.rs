//! Alerts in lists: what differs of each, and what stands for many.

use std::sync::LazyLock;

use super::Told;
use super::figures::Measured;
use super::fit::cut_chars;
use super::folds::Rest;
use super::neutral::one_line;
use super::words::{Weight, brackets, pick};
use crate::alert::{Alert, TransitionKind};
use crate::config::Language;
use crate::subject::{self, Kind, Part, Subject};

/// Rows that may have a line of their own; more than any message has room for.
pub(super) const ROWS: usize = 60;
/// Characters of one part of an object.
const PART: usize = 200;

/// A line of a list: an alert, several that read the same, or the alerts of a rule.
#[derive(Clone, Default)]
pub(super) struct Row {
    /// The alerts that it names, by their place in `told`.
    pub(super) told: Vec<usize>,
    /// The alerts that it only counts.
    pub(super) counted: Vec<usize>,
    /// How many further ones it stands for, which are no news.
    pub(super) unchanged: usize,
    pub(super) over: bool,
    /// The sign of its severity; only in a list of rules.
    pub(super) icon: &'static str,
    /// What distinguishes it, in words; never empty.
    pub(super) what: String,
    /// The severity in a word, unless it is the same for all rows.
    pub(super) grade: String,
    pub(super) value: String,
    /// Is it the worse, the smaller it is?
    pub(super) low: bool,
    /// The duration, unless it is the same for all rows.
    pub(super) when: String,
    /// `None` if it can have no line of its own.
    pub(super) detail: Option<Box<Detail>>,
}

/// What only a line of its own shows: of twenty thousand rows most have none.
#[derive(Clone, Default)]
pub(super) struct Detail {
    pub(super) name: String,
    /// What distinguishes it without the rule's name; may be empty.
    pub(super) own: String,
    pub(super) object: String,
    pub(super) place: String,
    pub(super) qualifier: String,
    pub(super) severity: String,
    /// What its rule asks of the value.
    pub(super) threshold: String,
    /// Its own sentence, unless all have one in common.
    pub(super) summary: String,
    pub(super) since: String,
    pub(super) duration: String,
}

impl Row {
    /// The same with what a line of its own shows.
    pub(super) fn detailed(mut self, detail: Detail) -> Self {
        self.detail = Some(Box::new(detail));
        self
    }

    /// The same without it.
    pub(super) fn shortened(mut self) -> Self {
        self.detail = None;
        self.told.shrink_to_fit();
        self.what.shrink_to_fit();
        self
    }

    /// What a line of its own shows; empty texts if it can have none.
    pub(super) fn detail(&self) -> &Detail {
        static NOTHING: LazyLock<Detail> = LazyLock::new(Detail::default);
        self.detail.as_deref().unwrap_or(&NOTHING)
    }

    /// How many alerts it stands for.
    pub(super) fn size(&self) -> usize {
        self.told.len() + self.counted.len() + self.unchanged
    }

    /// The part in brackets: the severity, and if wanted for how long.
    pub(super) fn aside(&self, language: Language, durations: bool) -> String {
        let aside = self.asides(language, durations);
        if aside.is_empty() { aside } else { brackets(language, &aside) }
    }

    /// The same without brackets.
    pub(super) fn asides(&self, language: Language, durations: bool) -> String {
        let when = if durations { self.when.as_str() } else { "" };
        let asides: Vec<&str> = [self.grade.as_str(), when].into_iter().filter(|aside| !aside.is_empty()).collect();
        asides.join(pick(language, "，", ", "))
    }

    /// Does it say nothing but a name?
    pub(super) fn is_name(&self) -> bool {
        [&self.value, &self.grade, &self.when, &self.detail().summary].into_iter().all(String::is_empty)
    }
}

/// The lists of a letter.
#[derive(Default)]
pub(super) struct Lists {
    /// What all alerts share.
    pub(super) head: Subject,
    /// What is on, or a notice.
    pub(super) main: Vec<Row>,
    /// The parts by which rows of `main` are folded; empty where a row stands for a rule.
    pub(super) parts: Vec<subject::Row>,
    /// What is over.
    pub(super) over: Vec<Row>,
    /// What is on without being news.
    pub(super) still: Vec<Row>,
    /// What the rows differ by.
    pub(super) kind: Option<Kind>,
    /// The label of the same.
    pub(super) label: String,
    /// Does a row stand for the alerts of a rule?
    pub(super) by_rule: bool,
}

/// An alert of the letter.
pub(super) struct Seen<'a> {
    pub(super) alert: &'a Alert,
    /// Its place in `told`; `None`: it is no news.
    pub(super) told: Option<usize>,
    pub(super) news: Option<&'a Told<'a>>,
    pub(super) weight: Weight,
    pub(super) measured: Measured,
}

impl Seen<'_> {
    pub(super) const fn state(&self) -> u8 {
        match self.news {
            Some(one) if matches!(one.kind, TransitionKind::Resolved) => 2,
            Some(_) => 0,
            None => 1,
        }
    }
}

/// `parts` on one line, none of them too long.
pub(super) fn shown(parts: &[Part]) -> Vec<Part> {
    let short = |part: &Part| match cut_chars(&one_line(&part.text), PART) {
        same if *same == *part.text => part.clone(),
        other => Part { text: (*other).into(), ..part.clone() },
    };
    let mut shown: Vec<Part> = parts.iter().map(short).filter(|part| !part.text.is_empty()).collect();
    // Of twenty thousand alerts: a vector of unknown length is made with room for four.
    shown.shrink_to_fit();
    shown
}

/// An object in words: the container of a workload's pods, or of all pods of a namespace, in brackets.
pub(super) fn object_text(parts: &[Part], language: Language) -> String {
    match parts {
        [before @ .., workload, container] if workload.kind == Kind::Workload && container.kind == Kind::Container => {
            let mut whole = before.to_vec();
            whole.push(workload.clone());
            format!("{}{}", subject::text(&whole), brackets(language, &container.text))
        }
        // Of several pods all share the container.
        [namespace, container] if namespace.kind == Kind::Namespace && container.kind == Kind::Container => {
            format!("{}{}", namespace.text, brackets(language, &container.text))
        }
        parts => subject::text(parts),
    }
}

/// `subject` with its parts on one line, none of them too long.
pub(super) fn cleaned(subject: &Subject) -> Subject {
    Subject {
        object: shown(&subject.object),
        place: shown(&subject.place),
        qualifier: shown(&subject.qualifier),
        latent: shown(&subject.latent),
    }
}

/// Above the room for rows, the worst are shown one by one.
const WORST: usize = 3;
/// Up to this many names have a line each.
const FEW: usize = 3;

impl Lists {
    /// How many rows of `main` have a line of their own where there is room for `most`.
    pub(super) fn lines(&self, most: usize, columns: usize, language: Language) -> usize {
        let count = self.main.len();
        let most = most.min(ROWS);
        let rest = || self.rest(0, columns, language);
        let folds = self.parts.len() == count;
        if folds && count > FEW && self.main.iter().all(Row::is_name) && (count > most || rest().complete) {
            return 0;
        }
        match count {
            _ if count <= most => count,
            _ if !folds => most.saturating_sub(1),
            _ if rest().by_part => 0,
            _ => WORST.min(most.saturating_sub(1)),
        }
    }

    /// The rows of `main` from `from` on, folded.
    pub(super) fn rest(&self, from: usize, columns: usize, language: Language) -> Rest {
        Rest::of(&self.main[from..], self.parts.get(from..).unwrap_or_default(), columns, language)
    }
}
