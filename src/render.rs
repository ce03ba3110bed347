//! Renders a template and a face to the contents of a message that fit and can be read at a glance.
//!
//! Owns the look of an alert: which facts, in which words and order, and how much of it. Pure: the time, the zone, the
//! language and every link are passed in, nothing is fetched or remembered. Whatever a label or a user's template
//! contains, [`Templates::render`] returns contents that WeCom accepts.

mod act;
mod buttons;
mod compose;
mod context;
mod digest;
mod endings;
mod engine;
mod essence;
mod faces;
mod facts;
mod figures;
mod fit;
mod folds;
mod headline;
mod labels;
mod leads;
mod level;
mod lines;
mod link;
mod lists;
mod neutral;
mod notes;
mod prose;
mod remarks;
mod rows;
mod samples;
mod sentences;
mod state;
mod variables;
mod words;

use std::net::IpAddr;

use jiff::tz::TimeZone;

use crate::alert::{Alert, Notification, ThreadId, Timestamp, TransitionKind};
use crate::config::{Face, Language, LinkRewrite, Target, TemplateFile};

pub use act::{ActLetter, harmless, place, places};
pub use buttons::{
    ACKNOWLEDGE, EXPIRE, Hides, Mark, RELEASE, SILENCE, SPAN, SPANS, Standing, USUAL_SPAN, with_buttons,
};
pub use digest::{DigestLetter, RenderedDigest};
pub use engine::{TemplateProblem, shipped};
pub use figures::{Measured, Shown as ShownValue, measured};
pub use leads::{Leads, long_links};
pub use link::{harmless_url, public_picture};
pub use notes::{Hidden, Note, noted};
pub use samples::{Sample, samples, target as sample_target};
pub use words::{Clock, grade, number};

pub use crate::subject::Taught;

/// The shipped templates and the user's, compiled once.
pub struct Templates {
    engine: engine::Engine,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").field("user", &self.engine.user_names()).finish()
    }
}

/// The input of one message.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The notification that brought it.
    pub notification: &'a Notification,
    /// Its news, and why. Never empty.
    pub told: &'a [Told<'a>],
    /// The address, with its face.
    pub target: &'a Target,
    /// The receiver's language.
    pub language: Language,
    /// The receiver's zone.
    pub timezone: &'a TimeZone,
    /// Name of the receiver's own template.
    pub template: Option<&'a str>,
    /// The time of rendering.
    pub now: Timestamp,
    /// The short id.
    pub thread: ThreadId,
    /// Page with the full content; `None` where wegraf does not know its own address.
    pub details_url: Option<&'a str>,
    /// What readers may do on that page.
    pub offer: Offer,
    /// The alert's picture.
    pub picture: Picture<'a>,
    /// The course of its value in words, where the message shows no picture of it.
    pub course: Option<&'a str>,
    /// What a reader must know about the message itself.
    pub notes: &'a [Note],
    /// Rewrites of links.
    pub link_rewrites: &'a [LinkRewrite],
    /// Private addresses whose links stay all the same.
    pub known_hosts: &'a [IpAddr],
    /// Addresses of alerts, and the short ones that stand for them.
    pub short: &'a [(String, String)],
    /// What the user says of labels.
    pub taught: &'a Taught,
}

/// What readers of a message may do on its page: named in the message where it has no buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offer {
    /// Nothing, or there are buttons.
    #[default]
    Nothing,
    /// Acknowledge the alert.
    Acknowledge,
    /// The same, and silence it upstream.
    Silence,
}

/// One alert that is news.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// Why it is news.
    pub kind: TransitionKind,
    /// When it began, as the store knows it; `None`: as the alert says.
    pub starts_at: Option<Timestamp>,
    /// When it ended, as the store knows it; `None`: as the alert says.
    pub ends_at: Option<Timestamp>,
}

/// The picture of an alert, if there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Picture<'a> {
    /// Its address. Used only if [`public_picture`] agrees, by the faces that refer to a picture.
    pub url: Option<&'a str>,
}

/// The result of rendering.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Contents in the order of sending; at least one.
    pub parts: Vec<wecom::Content>,
    /// The face that was used: not the target's if that cannot be sent there or needs a link and there is none.
    pub face: Face,
    /// Bytes that the fullest of the parts' long fields takes; characters for [`Face::Card`].
    pub bytes_used: usize,
    /// Bytes that WeCom accepts there.
    pub bytes_allowed: usize,
    /// Indexes of the alerts in `told` that are named.
    pub named: Vec<usize>,
    /// Indexes of those that are only counted.
    pub counted: Vec<usize>,
    /// Where it leads: for a card that becomes one with buttons.
    pub leads: Leads,
    /// Faults of the user's template; if there are any, the shipped one was used.
    pub problems: Vec<TemplateProblem>,
}

impl Rendered {
    /// Does it show the picture at `url`?
    pub fn shows_picture(&self, url: Option<&str>) -> bool {
        self.parts.iter().any(|part| faces::shows_picture(part, url))
    }
}

impl Templates {
    /// Compiles the shipped templates and the user's. One that does not compile is reported and left out: its
    /// receivers get the shipped one.
    pub fn compile(user: &[TemplateFile]) -> (Self, Vec<TemplateProblem>) {
        let (engine, problems) = engine::Engine::compile(user);
        (Self { engine }, problems)
    }

    /// Renders `letter`. Always returns something that can be sent.
    pub fn render(&self, letter: &Letter<'_>) -> Rendered {
        let facts = facts::gather(letter);
        let face = faces::possible(letter.target, !facts.links.is_empty(), asks(letter));
        let shipped = self.engine.find(None, face, letter.language);
        let chosen = self.engine.find(letter.template, face, letter.language);
        let mut problems: Vec<TemplateProblem> = chosen.broken.cloned().into_iter().collect();
        if chosen.path.is_some() {
            match compose::write(letter, &facts, face, &chosen, &shipped) {
                Ok(rendered) => match facts.lacking(letter, &rendered.parts) {
                    None => return Rendered { problems, ..rendered },
                    Some(essence) => problems.push(chosen.lacks(essence)),
                },
                Err(problem) => problems.push(problem),
            }
        }
        let mut rendered = compose::write(letter, &facts, face, &shipped, &shipped)
            .unwrap_or_else(|problem| faces::last_resort(letter, &facts, problem));
        rendered.problems.splice(0..0, problems);
        rendered
    }

    /// Renders a digest: one part, whose names and counts add up. Always returns something that can be sent.
    pub fn render_digest(&self, letter: &DigestLetter<'_>) -> RenderedDigest {
        digest::write(letter, &self.engine)
    }

    /// Renders every sample with every template, shipped and the user's, in every face and language, and
    /// reports what went wrong, each thing once.
    pub fn check(&self) -> Vec<TemplateProblem> {
        let mut problems: Vec<TemplateProblem> = Vec::new();
        let names = self.engine.user_names();
        for template in std::iter::once(None).chain(names.iter().copied().map(Some)) {
            for problem in self.tried(template).flatten() {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
        problems
    }

    /// The first thing that the file at `path`, one of the templates that `template` names, does wrong with any sample, in
    /// any face and language. A template without an end is stopped once.
    pub fn first_problem(&self, template: &str, path: &str) -> Option<TemplateProblem> {
        self.tried(Some(template)).flatten().find(|problem| problem.template == path)
    }

    /// What goes wrong with each sample in each face and language.
    fn tried<'t>(&'t self, template: Option<&'t str>) -> impl Iterator<Item = Vec<TemplateProblem>> + 't {
        let faces = || Face::ALL.into_iter().flat_map(|face| [(face, Language::Zh), (face, Language::En)]);
        let all = samples().into_iter().flat_map(move |sample| faces().map(move |way| (sample.clone(), way)));
        all.map(move |(sample, (face, language))| {
            let (target, told) = (samples::target(face), sample.told());
            self.render(&sample.letter(&told, &target, language, template)).problems
        })
    }
}

/// Does it tell of something on which people act? Then a card may get buttons.
fn asks(letter: &Letter<'_>) -> bool {
    letter.told.iter().any(Told::is_on) && !letter.notification.test
}

#[cfg(test)]
mod tests;
