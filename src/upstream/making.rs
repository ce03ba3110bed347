//! A silence that is made once even if an answer is lost, as a state machine. Pure: the client and the model in the
//! tests carry out the commands.
//!
//! After a request whose result is unknown its marker is looked for, and only then is the request repeated. A first
//! request that was late after all, or one of another process, is found beside the second: the oldest stays, which is
//! the same for all that see them.

use super::{Made, Problem, Silence, UpstreamError};

/// The answer to a command.
#[derive(Debug)]
pub enum Event {
    /// The silence is wanted.
    Started,
    /// To [`Command::Post`].
    Posted(Result<Made, UpstreamError>),
    /// To [`Command::Look`]: those with the marker that have not ended.
    Marked(Result<Vec<Silence>, UpstreamError>),
    /// To [`Command::Expire`].
    Expired,
}

/// What is done next.
#[derive(Debug)]
pub enum Command {
    /// Request the silence.
    Post,
    /// List the silences with its marker.
    Look,
    /// End one that was made twice.
    Expire(String),
    /// It is made, or why not.
    End(Result<Made, UpstreamError>),
}

/// A silence that is being made.
#[derive(Debug, Default)]
pub struct Making(Phase);

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    First,
    /// The first request had an unknown result.
    Looking(UpstreamError),
    Second,
    /// Made by the second request.
    Twins(Made),
    Expiring(Made, Vec<String>),
}

impl Making {
    /// Takes the answer to the last command.
    ///
    /// # Panics
    /// If the event does not answer the outstanding command, which is a bug of the driver.
    pub fn on(&mut self, event: Event) -> Command {
        let (phase, command) = match (std::mem::take(&mut self.0), event) {
            (Phase::Idle, Event::Started) => (Phase::First, Command::Post),
            (Phase::First, Event::Posted(Err(error))) if error.problem == Problem::Unsure => {
                (Phase::Looking(error), Command::Look)
            }
            (Phase::First, Event::Posted(made)) | (Phase::Second, Event::Posted(made @ Err(_))) => {
                (Phase::Idle, Command::End(made))
            }
            (Phase::Looking(_), Event::Marked(Ok(found))) => match oldest(&found) {
                Some(made) => (Phase::Idle, Command::End(Ok(made))),
                None => (Phase::Second, Command::Post),
            },
            // The peer is not an upstream at all, which is more informative than an unknown result.
            (Phase::Looking(first), Event::Marked(Err(error))) => {
                let known = if error.problem == Problem::Foreign { error } else { first };
                (Phase::Idle, Command::End(Err(known)))
            }
            (Phase::Second, Event::Posted(Ok(made))) => (Phase::Twins(made), Command::Look),
            (Phase::Twins(second), Event::Marked(found)) => {
                let found = found.unwrap_or_default();
                let made = oldest(&found).unwrap_or_else(|| second.clone());
                // A list may lag behind what was just made.
                let mut twins: Vec<String> = found.into_iter().map(|silence| silence.id).collect();
                if !twins.contains(&second.id) {
                    twins.push(second.id);
                }
                twins.retain(|id| *id != made.id);
                Self::expire(made, twins)
            }
            (Phase::Expiring(made, twins), Event::Expired) => Self::expire(made, twins),
            (phase, event) => panic!("{event:?} answers no command of {phase:?}"),
        };
        self.0 = phase;
        command
    }

    fn expire(made: Made, mut twins: Vec<String>) -> (Phase, Command) {
        match twins.pop() {
            Some(twin) => (Phase::Expiring(made, twins), Command::Expire(twin)),
            None => (Phase::Idle, Command::End(Ok(made))),
        }
    }
}

/// Of silences with one marker, the one that stays.
pub(super) fn oldest(marked: &[Silence]) -> Option<Made> {
    let oldest = marked.iter().min_by(|one, other| (one.starts_at, &one.id).cmp(&(other.starts_at, &other.id)));
    oldest.map(|silence| Made { id: silence.id.clone() })
}
