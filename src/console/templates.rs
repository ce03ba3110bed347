//! Templates: the list, and one beside what it makes of an alert.

use askama::Template;

use super::acts::Said;
use super::desk::Desk;
use super::frame::Frame;
use super::letter::one_line;
use super::routes::{Shown, shown};
use super::words;
use crate::config::{Config, Face};
use crate::preview::Preview;
use crate::render::{TemplateProblem, samples};
use crate::words::{Language, Words};

/// Lines of a template that are shown around a mistake.
const AROUND: usize = 2;

/// The user's templates, and the shipped ones to begin with.
#[derive(Debug, Template)]
#[template(path = "console/templates.html")]
pub struct TemplatesPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    own: Vec<Own>,
    shipped: Vec<&'a str>,
    /// The console may write somewhere.
    writes: bool,
}

#[derive(Debug)]
struct Own {
    name: String,
    path: String,
    /// The receivers that ask for it.
    used: String,
}

impl<'a> TemplatesPage<'a> {
    /// Of a configuration.
    pub fn new(f: Frame<'a>, desk: Desk, config: &Config, shipped: &[(&'a str, &str)]) -> Self {
        let own = config.templates.iter().map(|template| {
            let base = template.name.split('.').next().unwrap_or_default();
            let asks = config.receivers.values().filter(|receiver| receiver.template.as_deref() == Some(base));
            let used: Vec<&str> = asks.map(|receiver| receiver.name.as_str()).collect();
            Own { name: template.name.clone(), path: template.path.display().to_string(), used: used.join(", ") }
        });
        let (own, shipped) = (own.collect(), shipped.iter().map(|(name, _)| *name).collect());
        Self { f, desk, own, shipped, writes: !config.console.write.is_empty() }
    }
}

/// A template as it stands in the form.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The file's name without `.j2`; empty for a new one without a name.
    pub name: String,
    pub text: String,
    /// The folder it is saved in.
    pub folder: String,
    /// The mark of the file that the person saw; empty: there was none.
    pub seen: String,
    /// What it is shown as; empty: text, Chinese.
    pub face: String,
    pub language: String,
    /// The sample that it is shown with.
    pub sample: String,
    /// The short id of an alert that it is shown with instead.
    pub from: String,
    /// It is one of the configuration: its name stays.
    pub is_saved: bool,
}

/// One template.
#[derive(Debug, Template)]
#[template(path = "console/template.html")]
pub struct TemplatePage<'a> {
    f: Frame<'a>,
    desk: Desk,
    draft: Draft,
    heading: String,
    said: Option<Said>,
    wrong: Option<Wrong>,
    previews: Vec<Shown>,
    faces: Vec<Choice>,
    languages: Vec<Choice>,
    samples: Vec<Choice>,
    folders: Vec<Choice>,
    /// It can be saved.
    saves: bool,
}

#[derive(Debug)]
struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

/// A mistake, with the lines around it.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    /// Line, column, and what is wrong.
    place: String,
    reason: String,
    lines: Vec<Line>,
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    text: String,
    /// What stands below it: blanks up to the place, and a mark. Empty for other lines.
    mark: String,
}

impl Wrong {
    fn of(f: &Frame<'_>, problem: &TemplateProblem, text: &str) -> Self {
        let place = match (problem.line, problem.column) {
            (Some(line), Some(column)) => f.say(words::at_line_column(line, column)).into_owned(),
            (Some(line), None) => f.say(words::at_line(line)).into_owned(),
            (None, _) => String::new(),
        };
        let at = problem.line.unwrap_or(0);
        let near = |number: usize| at > 0 && number.abs_diff(at) <= AROUND;
        let line = |(number, text): (usize, &str)| {
            let mark = problem.column.filter(|_| number == at).map(|column| {
                // As wide as the text before: characters of Chinese take two places.
                let before: String = text.chars().take(column.saturating_sub(1)).collect();
                let blank = |c: char| {
                    if c == '\t' {
                        "\t"
                    } else if c.is_ascii() {
                        " "
                    } else {
                        "\u{3000}"
                    }
                };
                before.chars().map(blank).collect::<String>() + "^"
            });
            Line { number, text: text.to_owned(), mark: mark.unwrap_or_default() }
        };
        let lines = text.lines().enumerate().map(|(at, text)| (at + 1, text)).filter(|(number, _)| near(*number));
        Self { place, reason: one_line(&f.say(problem.reason.clone())), lines: lines.map(line).collect() }
    }
}

impl<'a> TemplatePage<'a> {
    /// `wrong`: its first mistake; `made`: what it makes of the sample; `folders`: where it can be saved.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        draft: &Draft,
        said: Option<(bool, Words)>,
        wrong: Option<&TemplateProblem>,
        made: Option<&Preview>,
        folders: &[String],
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let choice = |value: &str, text: String, chosen: bool| Choice { value: value.to_owned(), text, chosen };
        let faces = Face::ALL.map(|face| choice(face.as_str(), face.as_str().to_owned(), draft.face == face.as_str()));
        let languages = [Language::Zh, Language::En];
        let languages =
            languages.map(|one| choice(one.as_str(), say(words::words_of(one)), draft.language == one.as_str()));
        let all = samples();
        let samples = all.iter().map(|one| choice(one.name, one.name.to_owned(), draft.sample == one.name));
        let saves = !folders.is_empty() && (!draft.is_saved || folders.contains(&draft.folder));
        let samples = samples.collect();
        let folders = folders.iter().map(|folder| choice(folder, folder.clone(), *folder == draft.folder));
        Self {
            heading: if draft.is_saved { format!("{}.j2", draft.name) } else { say(words::NEW_TEMPLATE) },
            said: said.map(|(good, text)| Said { good, text: say(text) }),
            wrong: wrong.map(|problem| Wrong::of(&f, problem, &draft.text)),
            // To whom it goes says nothing here.
            previews: made
                .map(|made| Shown {
                    title: format!("{} · {}/{}", made.face, made.used, made.allowed),
                    ..shown(&f, made)
                })
                .into_iter()
                .collect(),
            faces: faces.into(),
            languages: languages.into(),
            samples,
            folders: folders.collect(),
            saves,
            draft: draft.clone(),
            desk,
            f,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::View;

    #[test]
    fn a_mistake_is_shown_in_its_line_with_a_mark_below_its_column() {
        let f = Frame::new(Language::Zh, "../", String::new(), View::default());
        let problem = TemplateProblem {
            template: "duty.j2".to_owned(),
            line: Some(3),
            column: Some(7),
            reason: crate::words::words("没有 x", "no x"),
        };
        let wrong = Wrong::of(&f, &problem, "a\nb\n磁盘 {{ x }}\nd\ne\nf\n");
        assert_eq!(wrong.place, "第 3 行第 7 列");
        let lines: Vec<_> = wrong.lines.iter().map(|line| (line.number, &*line.text, &*line.mark)).collect();
        assert_eq!(
            lines,
            [(1, "a", ""), (2, "b", ""), (3, "磁盘 {{ x }}", "\u{3000}\u{3000}    ^"), (4, "d", ""), (5, "e", "")]
        );
        let whole = TemplateProblem { line: None, column: None, ..problem };
        assert!(Wrong::of(&f, &whole, "a").lines.is_empty());
    }
}
