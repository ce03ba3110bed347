//! The part of a page where people act: how the alerts stand, what can be done and what it will do, what was done.

use super::frame::Frame;
use super::words;
use crate::alert::{ThreadId, Timestamp};
use crate::answer::Scope;
use crate::render::{Clock, SPANS, USUAL_SPAN};
use crate::store::{ActKind, ActRow};
use crate::words::{Language, Words};

/// Owners of the alerts that are named.
const OWNERS: usize = 5;

/// May the reader act here?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Yes.
    Act,
    /// Only certain people may, and the reader's name is not proven.
    Denied,
    /// The link could be used to act and no longer can.
    Ended,
    /// The link was made for reading.
    Read,
}

/// How the alerts of a message stand.
#[derive(Debug)]
pub struct Standing {
    /// The short id.
    pub thread: ThreadId,
    /// How many alerts are on.
    pub on: usize,
    /// How many of these have an owner.
    pub taken: usize,
    /// The owners, since when, and of how many.
    pub owners: Vec<(String, Timestamp, usize)>,
    /// Who silenced them, and until when.
    pub silenced: Option<(String, Timestamp)>,
    /// What was done, newest first, each with the actor's name as it is shown.
    pub done: Vec<(ActRow, String)>,
    /// May the reader act?
    pub may: May,
    /// What a silence would hide, and its conditions as they are shown; `None` if none can be made.
    pub hides: Option<(Scope, Vec<String>)>,
    /// The alerts come from too many notifications to tell what a silence would hide.
    pub too_many: bool,
    /// The name in the form.
    pub person: String,
    /// Most characters of it.
    pub most: usize,
    /// Makes the form count once.
    pub nonce: u128,
    /// The query that proves the link.
    pub proof: String,
    /// Of a reader who is signed in.
    pub proven: Option<Proven>,
    /// What became of the form that was sent.
    pub said: Option<(bool, Words)>,
}

/// The part of the page.
#[derive(Debug)]
pub struct ActsPart {
    /// What became of the form that was sent.
    pub said: Option<Said>,
    /// Who has them.
    pub owners: Vec<Owner>,
    /// The silence that ends last.
    pub silenced: Option<Silenced>,
    /// Why there is no form.
    pub note: Option<String>,
    pub form: Option<Form>,
    /// What was done.
    pub done: Vec<Done>,
    /// The line above it.
    pub done_title: String,
}

/// What became of a form.
#[derive(Debug)]
pub struct Said {
    /// It was done.
    pub good: bool,
    /// In words.
    pub text: String,
}

/// Who has alerts.
#[derive(Debug)]
pub struct Owner {
    /// A sentence.
    pub text: String,
    /// Since when.
    pub at: String,
}

/// A silence.
#[derive(Debug)]
pub struct Silenced {
    /// Until when.
    pub text: String,
    /// Who made it.
    pub by: String,
}

/// The form of a reader who is signed in.
#[derive(Debug, Clone)]
pub struct Proven {
    /// Proves with the nonce that the form is of this session.
    pub proof: String,
    /// The message whose alerts it acts on.
    pub message: i64,
}

/// The form: which acts it offers.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each act is offered by itself")]
pub struct Form {
    /// Where it goes.
    pub action: String,
    /// Makes it count once.
    pub nonce: String,
    /// Of a reader who is signed in: it has no name then.
    pub proven: Option<Proven>,
    /// The name in it.
    pub person: String,
    /// Most characters of the name.
    pub most: usize,
    pub acknowledge: bool,
    /// The first act is open.
    pub open: bool,
    /// Give back.
    pub release: bool,
    /// End the silence.
    pub expire: bool,
    /// Silence.
    pub hides: Option<Hides>,
    /// Why silencing is not offered, if that is not obvious.
    pub no_silence: Option<String>,
    /// For how long.
    pub spans: Vec<Span>,
}

/// What a silence would hide.
#[derive(Debug)]
pub struct Hides {
    /// Proves what the reader saw.
    pub shown: String,
    /// Where, and that all conditions must hold.
    pub lead: String,
    pub conditions: Vec<String>,
    /// How many alerts fulfil them now, in three parts.
    pub before: String,
    /// The number.
    pub count: String,
    /// Who says so.
    pub after: String,
}

/// A span of a silence.
#[derive(Debug)]
pub struct Span {
    /// As the form sends it.
    pub id: &'static str,
    /// In words.
    pub text: &'static str,
    /// It is chosen at first.
    pub usual: bool,
}

/// An act on record.
#[derive(Debug)]
pub struct Done {
    /// When.
    pub at: String,
    /// Who did what, and what became of it.
    pub text: String,
    /// The channel.
    pub via: String,
}

/// The part of a page; `None` if there is nothing to say.
pub fn acts(f: &Frame<'_>, clock: &Clock<'_>, standing: &Standing) -> Option<ActsPart> {
    let Standing { on, taken, said, .. } = standing;
    if *on == 0 && said.is_none() && standing.done.is_empty() {
        return None;
    }
    let say = |words: Words| f.say(words).into_owned();
    let time = |at: Timestamp| clock.time(at).unwrap_or_default();
    let owners = standing
        .owners
        .iter()
        .take(OWNERS)
        .map(|(by, at, count)| Owner { text: say(words::has_it(by, (count < on).then_some(*count))), at: time(*at) });
    let note = match standing.may {
        _ if *on == 0 => None,
        May::Act => None,
        May::Denied => Some(say(words::DENIED)),
        May::Ended => Some(say(words::only_reading(true, standing.thread))),
        May::Read => Some(say(words::only_reading(false, standing.thread))),
    };
    let form = (*on > 0 && standing.may == May::Act).then(|| Form {
        action: if standing.proven.is_some() { String::new() } else { format!("?{}", standing.proof) },
        nonce: format!("{:032x}", standing.nonce),
        proven: standing.proven.clone(),
        person: standing.person.clone(),
        most: standing.most,
        acknowledge: taken < on,
        open: said.is_none() && standing.silenced.is_none(),
        release: *taken > 0,
        expire: standing.silenced.is_some(),
        hides: standing.hides.as_ref().map(|(scope, conditions)| hides(f, scope, conditions)),
        no_silence: standing.too_many.then(|| say(words::TOO_MANY)),
        spans: spans(f.language),
    });
    Some(ActsPart {
        said: said.as_ref().map(|(good, text)| Said { good: *good, text: text.get(f.language).to_owned() }),
        owners: owners.collect(),
        silenced: standing
            .silenced
            .as_ref()
            .map(|(by, until)| Silenced { text: say(words::silenced_until(&time(*until))), by: by.clone() }),
        note,
        form,
        done: standing.done.iter().map(|(act, by)| done(f, clock, act, by)).collect(),
        done_title: say(words::acts_done(standing.done.len())),
    })
}

fn hides(f: &Frame<'_>, scope: &Scope, conditions: &[String]) -> Hides {
    let [before, after] = words::hides_now(&scope.upstream, scope.by_upstream, scope.count);
    Hides {
        shown: scope.fingerprint(),
        lead: f.say(words::would_hide(&scope.upstream)).into_owned(),
        conditions: conditions.to_vec(),
        before: f.say(before).into_owned(),
        count: f.say(words::alerts(scope.count)).into_owned(),
        after: f.say(after).into_owned(),
    }
}

pub(super) fn spans(language: Language) -> Vec<Span> {
    let text = |zh, en| match language {
        Language::Zh => zh,
        Language::En => en,
    };
    SPANS.iter().map(|(id, zh, en)| Span { id, text: text(zh, en), usual: *id == USUAL_SPAN }).collect()
}

fn done(f: &Frame<'_>, clock: &Clock<'_>, act: &ActRow, by: &str) -> Done {
    let mut text = format!("{by} {}", f.say(words::act(act.kind)));
    if let Some(until) = act.until.filter(|_| act.kind != ActKind::Expire).and_then(|until| clock.time(until)) {
        text = format!("{text} → {until}");
    }
    if let Some(state) = words::state(act.state) {
        text = format!("{text} · {}", f.say(state));
    }
    Done { at: clock.time(act.at).unwrap_or_default(), text, via: f.say(words::via(&act.via)).into_owned() }
}
