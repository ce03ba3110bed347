//! An open act as a state machine: where it is carried out, upstream or by a message, and its end. Pure: the driver in
//! `silencing` and the model in the tests carry out the commands, so both run these decisions.
//!
//! One command is outstanding at a time. A crash or a pause lies between a command and its event; then another run,
//! of this process or of another, does the act from its beginning. What the earlier run may have made upstream is
//! looked for first, and of two runs that made a silence each, the one that comes to the record second takes its own
//! back.

use std::collections::VecDeque;

use super::failed::Failed;
use crate::alert::Timestamp;
use crate::store::{ActAlert, ActKind, ActRow, NewSilence, Silence};
use crate::upstream::{self, Made, Matcher, Wanted};
use crate::words::{Words, words};

/// An act that is open for longer than this was left by a process that ended: a running process completes an act at
/// once, and even an upstream that is slow at each step takes less.
const LEFT_MS: i64 = 45_000;
/// Length of a silence requested without a duration.
const USUAL_MS: i64 = 3_600_000;

/// Was an act of that time left by a process that ended? One from the future was: the clock was set back since then.
pub(super) fn is_left(at: Timestamp, now: Timestamp) -> bool {
    now.millis_since(at).abs() > LEFT_MS
}

/// The silence that covers the alerts of an act, and its upstream.
#[derive(Debug)]
pub(super) struct Place {
    /// Name of the upstream.
    pub upstream: String,
    /// The matchers of the silence.
    pub matchers: Vec<Matcher>,
    /// The actor, as upstream shows it.
    pub author: String,
    /// Why, of a silence that was typed.
    pub comment: Option<String>,
}

/// A change that must be made upstream only once.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    /// Name of the upstream.
    pub upstream: String,
    /// The change.
    pub what: What,
}

/// A change, without the name of its upstream.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A silence.
    Make(Box<Wanted>),
    /// A new end for this silence.
    Extend { id: String, until: Timestamp },
}

/// The reason why an upstream rejected or failed a request.
#[derive(Debug)]
pub(super) struct Trouble {
    /// It does not know the silence.
    pub gone: bool,
    /// Another reason, as text.
    pub why: Failed,
}

/// The answer to a command.
#[derive(Debug)]
pub(super) enum Event {
    /// The act is open.
    Started,
    /// To [`Command::Place`].
    Placed(Result<Place, Failed>),
    /// To [`Command::List`]: the silences in force that the act is about, the newest last.
    Listed(Vec<Silence>),
    /// To [`Command::Find`].
    Found(Result<Option<Made>, Trouble>),
    /// To [`Command::Do`].
    Made(Result<Made, Trouble>),
    /// To [`Command::Expire`].
    Expired(Result<(), Trouble>),
    /// To [`Command::Keep`] and [`Command::Drop`].
    Kept,
    /// To [`Command::Resend`] and [`Command::Recall`]: details for the record.
    Sent(Result<String, Failed>),
    /// To [`Command::Finish`]. `kept`: the silence of this act that is in force by the record, if another run ended
    /// the act.
    Finished { again: bool, kept: Option<String> },
    /// To [`Command::Check`]: is it certain that the silence is not in force upstream?
    Checked { gone: bool },
    /// To [`Command::Tell`].
    Told,
}

/// What the driver does next.
#[derive(Debug)]
pub(super) enum Command {
    /// Find out where a silence for the alerts would be made.
    Place,
    /// Read the silences in force that the act is about.
    List,
    /// Look for what an earlier run may have done.
    Find(Errand),
    /// Do it.
    Do(Errand),
    /// End a silence.
    Expire { upstream: String, id: String },
    /// Record the id and the end of the silence that this act made.
    Keep { act: i64, id: String, until: Timestamp },
    /// Record that this silence is over.
    Drop { act: i64, id: String },
    /// Send a message again.
    Resend,
    /// Take a message back.
    Recall,
    /// Record the end of the act, and queue the messages about it.
    Finish(Result<Done, Failed>),
    /// Ask whether this silence is in force.
    Check { upstream: String, id: String },
    /// Tell the actor that the act failed.
    Tell,
    /// The run is over.
    End,
}

/// The comment of a silence, in both languages: its readers upstream are not known.
const FROM_WECOM: Words = words("从企业微信静默", "silenced from WeCom");

/// A completed act.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// For the record.
    pub detail: String,
    /// The silence that was made.
    pub silence: Option<NewSilence>,
}

/// One run of an open act.
#[derive(Debug)]
pub(super) struct Job {
    act: ActRow,
    alerts: Vec<ActAlert>,
    phase: Phase,
}

/// The command that is outstanding, with what its answer needs.
#[derive(Debug)]
enum Phase {
    Idle,
    Placing,
    Listing,
    /// With the silence that is extended.
    Doing(Errand, Option<Silence>),
    /// Looking for what an earlier run did; the same, and newer silences that it may have extended.
    Finding(Errand, Option<Silence>, VecDeque<Silence>),
    /// What is kept or dropped; then the act ends like this.
    Keeping(Result<Done, Failed>),
    /// The silence that is being ended, those after it, and the details so far.
    Expiring(Silence, VecDeque<Silence>, Vec<String>),
    Dropping(VecDeque<Silence>, Vec<String>),
    Sending,
    /// With the silence that was made, or whether the act failed.
    Finishing(Option<NewSilence>, bool),
    Checking(NewSilence),
    /// The last command.
    Last,
}

impl Job {
    /// A run that waits for [`Event::Started`]. `alerts`: what the act touched.
    pub const fn new(act: ActRow, alerts: Vec<ActAlert>) -> Self {
        Self { act, alerts, phase: Phase::Idle }
    }

    /// Takes the answer to the last command.
    ///
    /// # Panics
    /// If the event does not answer the outstanding command, which is a bug of the driver.
    pub fn on(&mut self, event: Event, now: Timestamp) -> Command {
        match (std::mem::replace(&mut self.phase, Phase::Idle), event) {
            (Phase::Idle, Event::Started) => self.begin(),
            (Phase::Placing, Event::Placed(Ok(place))) => {
                self.seek(self.silence(place, now), None, VecDeque::new(), now)
            }
            (Phase::Placing, Event::Placed(Err(failed))) => self.finish(Err(failed)),
            (Phase::Listing, Event::Listed(silences)) => self.listed(silences.into(), now),
            (Phase::Finding(errand, of, _), Event::Found(Ok(Some(made))))
            | (Phase::Doing(errand, of), Event::Made(Ok(made))) => self.done(errand, of, made),
            (Phase::Finding(errand, of, left), Event::Found(Ok(None))) => self.find_next(errand, of, left),
            // A silence that cannot be read does not keep the newest from being extended: then two may be extended.
            (Phase::Finding(errand, Some(of), left), Event::Found(Err(trouble)))
                if trouble.gone || !left.is_empty() =>
            {
                self.find_next(errand, Some(of), left)
            }
            (Phase::Finding(..), Event::Found(Err(trouble))) => self.finish(Err(trouble.why.unsure())),
            (Phase::Doing(_, Some(of)), Event::Made(Err(Trouble { gone: true, why }))) => {
                // It was ended upstream: it is no longer in force, so that a new one can be requested.
                self.keep(Command::Drop { act: of.act, id: of.upstream_id }, Err(why))
            }
            (Phase::Doing(..), Event::Made(Err(trouble))) => self.finish(Err(trouble.why)),
            (Phase::Expiring(..), Event::Expired(Err(Trouble { gone: false, why }))) => self.finish(Err(why)),
            // A silence that upstream does not know hides nothing either.
            (Phase::Expiring(of, left, mut ended), Event::Expired(_)) => {
                ended.push(format!("{} {}", of.upstream, of.upstream_id));
                self.phase = Phase::Dropping(left, ended);
                Command::Drop { act: of.act, id: of.upstream_id }
            }
            (Phase::Dropping(left, ended), Event::Kept) => self.expire(left, ended),
            (Phase::Keeping(result), Event::Kept) => self.finish(result),
            (Phase::Sending, Event::Sent(sent)) => self.finish(sent.map(|detail| Done { detail, silence: None })),
            (Phase::Finishing(Some(mine), _), Event::Finished { again: true, kept }) => self.second(mine, kept),
            (Phase::Finishing(_, failed), Event::Finished { again, .. }) => {
                if failed && !again {
                    self.last(Command::Tell)
                } else {
                    Command::End
                }
            }
            (Phase::Checking(mine), Event::Checked { gone }) => {
                let NewSilence { upstream, upstream_id: id, until, .. } = mine;
                self.last(if gone {
                    Command::Keep { act: self.act.id, id, until }
                } else {
                    Command::Expire { upstream, id }
                })
            }
            (Phase::Last, Event::Expired(_) | Event::Kept | Event::Told) => Command::End,
            (phase, event) => panic!("{event:?} answers no command of {phase:?}"),
        }
    }

    fn begin(&mut self) -> Command {
        let (phase, command) = match self.act.kind {
            ActKind::Silence => (Phase::Placing, Command::Place),
            ActKind::Extend | ActKind::Expire => (Phase::Listing, Command::List),
            ActKind::Resend => (Phase::Sending, Command::Resend),
            ActKind::Recall => (Phase::Sending, Command::Recall),
            ActKind::Acknowledge | ActKind::Release | ActKind::Forget | ActKind::Hide => {
                return self.finish(Err(Failed::nothing()));
            }
        };
        self.phase = phase;
        command
    }

    /// The requested silence.
    fn silence(&self, place: Place, now: Timestamp) -> Errand {
        let name = self.alerts.first().map_or("", |alert| alert.name.as_str());
        let usual = || {
            let Words { zh, en } = FROM_WECOM;
            format!("{name} ×{}, {}: {zh} {en}", self.alerts.len().max(1), self.act.by)
        };
        let about = Some(self.act.thread).filter(|thread| thread.0 != 0);
        let wanted = Wanted {
            matchers: place.matchers,
            now,
            ends_at: self.act.until.unwrap_or_else(|| now.plus_millis(USUAL_MS)),
            author: place.author,
            comment: place.comment.unwrap_or_else(usual),
            marker: upstream::marker(about, &format!("{}-{}", self.act.id, self.act.at.0)),
        };
        Errand { upstream: place.upstream, what: What::Make(Box::new(wanted)) }
    }

    fn listed(&mut self, mut silences: VecDeque<Silence>, now: Timestamp) -> Command {
        if self.act.kind == ActKind::Expire {
            return if silences.is_empty() {
                self.finish(Err(Failed::no_silence()))
            } else {
                // All of them: a longer silence is made as a second one beside the first.
                self.expire(silences, Vec::new())
            };
        }
        // The newest is extended. An earlier run may have extended another one, which was the newest then.
        let of = if is_left(self.act.at, now) { silences.pop_front() } else { silences.pop_back() };
        let (Some(of), Some(until)) = (of, self.act.until) else { return self.finish(Err(Failed::no_silence())) };
        self.seek(longer(&of, until), Some(of), silences, now)
    }

    /// The process that left the act may have done it without recording it.
    fn seek(&mut self, errand: Errand, of: Option<Silence>, newer: VecDeque<Silence>, now: Timestamp) -> Command {
        if is_left(self.act.at, now) { self.find(errand, of, newer) } else { self.act(errand, of) }
    }

    fn find(&mut self, errand: Errand, of: Option<Silence>, left: VecDeque<Silence>) -> Command {
        self.phase = Phase::Finding(errand.clone(), of, left);
        Command::Find(errand)
    }

    /// No trace of the earlier run: it may have changed another silence, or none.
    fn find_next(&mut self, errand: Errand, of: Option<Silence>, mut left: VecDeque<Silence>) -> Command {
        match (left.pop_front(), &errand.what) {
            (Some(next), What::Extend { until, .. }) => self.find(longer(&next, *until), Some(next), left),
            _ => self.act(errand, of),
        }
    }

    fn act(&mut self, errand: Errand, of: Option<Silence>) -> Command {
        self.phase = Phase::Doing(errand.clone(), of);
        Command::Do(errand)
    }

    fn done(&mut self, errand: Errand, of: Option<Silence>, made: Made) -> Command {
        let detail = format!("{} {}", errand.upstream, made.id);
        match errand.what {
            What::Make(wanted) => {
                let silence = NewSilence {
                    upstream: errand.upstream,
                    upstream_id: made.id,
                    matchers_json: serde_json::to_string(&wanted.matchers).expect("matchers are JSON"),
                    until: wanted.ends_at,
                };
                self.finish(Ok(Done { detail, silence: Some(silence) }))
            }
            What::Extend { until, .. } => {
                let act = of.map_or(self.act.id, |of| of.act);
                self.keep(Command::Keep { act, id: made.id, until }, Ok(Done { detail, silence: None }))
            }
        }
    }

    fn keep(&mut self, command: Command, result: Result<Done, Failed>) -> Command {
        self.phase = Phase::Keeping(result);
        command
    }

    /// Ends the next silence.
    fn expire(&mut self, mut left: VecDeque<Silence>, ended: Vec<String>) -> Command {
        let Some(next) = left.pop_front() else {
            return self.finish(Ok(Done { detail: ended.join(", "), silence: None }));
        };
        let (upstream, id) = (next.upstream.clone(), next.upstream_id.clone());
        self.phase = Phase::Expiring(next, left, ended);
        Command::Expire { upstream, id }
    }

    fn finish(&mut self, result: Result<Done, Failed>) -> Command {
        let silence = result.as_ref().ok().and_then(|done| done.silence.clone());
        self.phase = Phase::Finishing(silence, result.is_err());
        Command::Finish(result)
    }

    /// Another run ended the act before this one, which made a silence, too: one of the two is too many.
    fn second(&mut self, mine: NewSilence, kept: Option<String>) -> Command {
        let NewSilence { upstream, upstream_id, .. } = mine.clone();
        match kept {
            Some(kept) if kept == upstream_id => Command::End,
            // The other run may have taken its own back as a twin of this one.
            Some(kept) => {
                self.phase = Phase::Checking(mine);
                Command::Check { upstream, id: kept }
            }
            None => self.last(Command::Expire { upstream, id: upstream_id }),
        }
    }

    fn last(&mut self, command: Command) -> Command {
        self.phase = Phase::Last;
        command
    }
}

fn longer(of: &Silence, until: Timestamp) -> Errand {
    Errand { upstream: of.upstream.clone(), what: What::Extend { id: of.upstream_id.clone(), until } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_left_when_it_is_old_or_of_the_future() {
        let now = Timestamp(1_700_000_000_000);
        let is_left = |ago: i64| is_left(now.plus_millis(-ago), now);
        assert!(!is_left(0) && !is_left(LEFT_MS) && !is_left(-1_000));
        assert!(is_left(LEFT_MS + 1) && is_left(-3_600_000));
    }
}
