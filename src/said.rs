//! What people wrote about an alert: its annotations as sentences that can be read at a glance.
//!
//! Owns which annotation is what, and the cleaning: dumps of labels and values, marks of HTML and markdown, addresses,
//! placeholders that were not expanded, what is said twice. Pure; each step is a function over text. The words stay the
//! author's: nothing is translated or written anew.

mod agreed;
mod clean;
mod evidence;
mod same;
mod steps;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ecow::EcoString;

use crate::alert::{Alert, Labels};

pub use agreed::agreed;
pub use clean::first_sentence;
pub use evidence::Evidence;

/// Bytes of one annotation that are read.
const LONGEST: usize = 16 * 1024;

/// Annotations that are one sentence, the first of them that says something.
const LINES: [&str; 5] = ["summary", "title", "subject", "标题", "摘要"];
/// Annotations that say more.
const DETAILS: [&str; 11] =
    ["description", "message", "desc", "detail", "details", "info", "content", "text", "描述", "详情", "内容"];
/// Annotations that say what to do.
const STEPS: [&str; 15] = [
    "action",
    "actions",
    "runbook",
    "solution",
    "suggestion",
    "suggestions",
    "remediation",
    "resolution",
    "advice",
    "steps",
    "处理",
    "建议",
    "处理建议",
    "处理步骤",
    "解决方案",
];

/// The texts that people wrote about an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentences {
    /// One sentence; empty if nothing adds to the rule's name.
    pub line: String,
    /// More than the line says, with line breaks; often empty.
    pub detail: String,
    /// The steps, each whole and without its number.
    pub steps: Vec<String>,
    /// A log, a stack trace or JSON.
    pub evidence: Evidence,
    /// Addresses that stood in the texts, each once.
    pub links: Vec<Link>,
}

/// An address that stood in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its kind, by its host, its path or the word before it.
    pub kind: LinkKind,
    /// http or https.
    pub url: String,
}

/// The kind of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// What to do.
    Runbook,
    Dashboard,
    Logs,
    /// Something else.
    Other,
}

impl Sentences {
    /// Of `alert`.
    pub fn of(alert: &Alert) -> Self {
        Self::read(&alert.name, &alert.labels, &alert.annotations)
    }

    /// Of an alert by its rule's name, labels and annotations.
    pub fn read(name: &str, labels: &Labels, annotations: &Labels) -> Self {
        let mut out = Self::default();
        let line = LINES.iter().filter_map(|name| annotations.get(name)).map(|text| out.cleaned(text));
        let line = line.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).find(|text| !text.is_empty());
        let mut line = line.unwrap_or_default();
        same::drop_lists(&mut line, labels);
        let detail = DETAILS.iter().filter_map(|name| annotations.get(name)).map(|text| out.cleaned(text));
        let mut detail = detail.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        same::drop_lists(&mut detail, labels);
        for text in STEPS.iter().filter_map(|name| annotations.get(name)).filter(|text| !is_address(text)) {
            let text = out.cleaned(text);
            let steps = steps::of(&text).map(|(before, steps)| before.into_iter().chain(steps).collect());
            out.steps.extend(steps.unwrap_or_else(|| text.lines().map(str::to_owned).collect::<Vec<_>>()));
        }
        if let Some((before, steps)) = steps::of(&detail) {
            detail = before.unwrap_or_default();
            if out.steps.is_empty() {
                out.steps = steps;
            }
        }
        out.steps.retain(|step| !step.trim().is_empty());
        same::drop_doubles(&mut line, &mut detail, name, labels);
        if line.is_empty() {
            (line, detail) = clean::first_sentence(&detail);
        }
        Self { line, detail, ..out }
    }

    /// `text` without what is no sentence of it: addresses and evidence are put aside.
    fn cleaned(&mut self, text: &str) -> String {
        let text = clean::lines(&text[..text.floor_char_boundary(LONGEST)]);
        let text = cut(&text).into_owned();
        let text = crate::plain::prose(&text).into_owned();
        let text = self.evidence.take(&text);
        let text = clean::addresses(&text, &mut self.links);
        clean::sentences(&text)
    }
}

/// `text` without what templates put behind sentences: `VALUE = …`, `LABELS = map[…]`, `(instance …)`, `{a="b", …}`.
/// What remains is what a person said of the alert.
pub fn cut(text: &str) -> Cow<'_, str> {
    clean::cut(text)
}

/// The texts of the annotations that hold sentences, one below the other, as they were sent.
pub fn all(annotations: &Labels) -> String {
    let texts: Vec<&str> =
        LINES.iter().chain(&DETAILS).filter_map(|name| annotations.get(name)).map(EcoString::as_str).collect();
    let joined = texts.join("\n");
    joined[..joined.floor_char_boundary(2 * LONGEST)].to_owned()
}

/// Is the annotation `name` read at all?
pub fn reads(name: &str) -> bool {
    LINES.contains(&name) || DETAILS.contains(&name) || STEPS.contains(&name)
}

/// Is the annotation `name` one sentence, as a summary is?
pub fn is_line(name: &str) -> bool {
    LINES.contains(&name)
}

fn is_address(text: &str) -> bool {
    let text = text.trim();
    (text.starts_with("http://") || text.starts_with("https://")) && !text.contains(char::is_whitespace)
}
