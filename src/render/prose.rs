//! Sentences as a template prints them: as many whole ones, and as many whole steps, as a level has room for.

use super::context::{Page, Voice};
use super::engine::dialect;
use super::faces;
use super::level::Level;
use super::neutral::Dialect;
use super::sentences::whole_sentences;
use super::words::State;
use crate::config::{Face, Language};

/// What people wrote, as far as it is shown.
#[derive(Default)]
pub(super) struct Prose {
    pub(super) summary: String,
    pub(super) description: String,
    /// What to do, with numbers if there are several.
    pub(super) steps: Vec<String>,
    /// `另 3 步`; empty if all are shown.
    pub(super) steps_more: String,
    /// Lines of a log.
    pub(super) evidence: Vec<String>,
    /// `日志共 42 行`; empty if all are shown.
    pub(super) evidence_more: String,
}

impl Voice<'_> {
    /// The prose of the first page.
    pub(super) fn prose(&self, level: &Level) -> Prose {
        let facts = self.facts;
        if facts.state == State::Opaque || facts.state == State::Test {
            return Prose {
                summary: whole_sentences(&facts.summary, level.summary),
                description: whole_sentences(&facts.description, level.description),
                ..Prose::default()
            };
        }
        let summary = whole_sentences(&facts.summary, level.summary);
        let room = self.room_for_steps(&summary, level);
        let (steps, steps_more) = steps(&facts.steps, room, self.letter.language);
        let (evidence, evidence_more) = self.evidence(level);
        let description = whole_sentences(&facts.description, level.description);
        Prose { summary, description, steps, steps_more, evidence, evidence_more }
    }

    /// Does `page` of a face with one link say all that people wrote?
    pub(super) fn is_full(&self, page: &Page) -> bool {
        let (facts, prose) = (self.facts, self.prose(page.level));
        let described = match self.face {
            Face::News => prose.description == facts.description,
            // It has no place for the description.
            Face::Textcard => facts.description.is_empty(),
            Face::Text | Face::Markdown | Face::MarkdownV2 | Face::Card => return true,
        };
        let stepped = prose.steps.len() == facts.steps.len();
        described && stepped && prose.summary == facts.summary && facts.evidence.lines.is_empty()
    }

    /// Bytes for steps: what a level has, on a card what the sentence leaves of its field.
    fn room_for_steps(&self, summary: &str, level: &Level) -> usize {
        if self.face != Face::Card {
            return level.steps;
        }
        let field = faces::card_text(self.letter.target.channel());
        let places: usize = self.facts.scope.iter().map(|place| place.chars().count() + 3).sum();
        let left = field.saturating_sub(summary.chars().count() + places + COUNT);
        // Cards count characters, not bytes.
        if level.steps == 0 { 0 } else { left }
    }

    fn evidence(&self, level: &Level) -> (Vec<String>, String) {
        let (evidence, language) = (&self.facts.evidence, self.letter.language);
        let all = evidence.lines.len();
        let rich = dialect(self.face) == Dialect::MarkdownV2;
        let lines = match level.evidence {
            0 => Vec::new(),
            1 => evidence.telling().into_iter().collect(),
            _ if rich => evidence.tail(),
            _ => evidence.telling().into_iter().collect(),
        };
        let more = match language {
            _ if lines.is_empty() || lines.len() >= all => String::new(),
            Language::Zh => format!("日志共 {all} 行"),
            Language::En => format!("{all} lines of log"),
        };
        (lines, more)
    }
}

/// Characters for the number of further steps.
const COUNT: usize = 12;

/// As many of `steps` as have room in `most` bytes, each whole, and how many are left.
fn steps(steps: &[String], most: usize, language: Language) -> (Vec<String>, String) {
    let mut shown = Vec::new();
    let mut left = most;
    for (at, step) in steps.iter().enumerate() {
        let text = match (steps.len(), language) {
            (1, _) => step.clone(),
            (_, Language::Zh) => format!("{}）{step}", at + 1),
            (_, Language::En) => format!("({}) {step}", at + 1),
        };
        if text.len() > left {
            break;
        }
        left -= text.len();
        shown.push(text);
    }
    let hidden = steps.len() - shown.len();
    let more = match (hidden, shown.is_empty(), language) {
        (0, ..) => String::new(),
        (hidden, true, Language::Zh) => format!("处理步骤 {hidden} 步"),
        (hidden, false, Language::Zh) => format!("另 {hidden} 步"),
        (1, true, Language::En) => "1 step to take".to_owned(),
        (hidden, true, Language::En) => format!("{hidden} steps to take"),
        (1, false, Language::En) => "1 more step".to_owned(),
        (hidden, false, Language::En) => format!("{hidden} more steps"),
    };
    (shown, if most == 0 { String::new() } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_or_counted() {
        let all = ["看", "删", "扩"].map(str::to_owned);
        assert_eq!(
            steps(&all, 100, Language::Zh),
            (vec!["1）看".into(), "2）删".into(), "3）扩".into()], String::new())
        );
        assert_eq!(steps(&all, 15, Language::Zh), (vec!["1）看".into(), "2）删".into()], "另 1 步".to_owned()));
        assert_eq!(steps(&all, 3, Language::En), (Vec::new(), "3 steps to take".to_owned()));
        assert_eq!(steps(&all, 0, Language::En), (Vec::new(), String::new()));
        assert_eq!(steps(&all[..1], 100, Language::En), (vec!["看".to_owned()], String::new()));
    }
}
