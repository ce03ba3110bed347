//! Runs of open acts: carries out the commands of the real machines, one at a time, against the upstream of the model.

use super::world::World;
use super::{Answer, Arrival, Mutant};
use crate::alert::Timestamp;
use crate::answer::failed::Failed;
use crate::answer::job::{Command, Done, Event, Job, Place, Trouble, What, is_left};
use crate::store::{ActAlert, ActEnd, ActKind, ActState, Silence};
use crate::upstream::making::{self, Making};
use crate::upstream::{self, Made, Matcher, Problem, UpstreamError, Wanted};
use crate::words::words;

/// Runs at once; a process has few.
pub const RUNS: usize = 4;

/// A run of an open act, and the command that is outstanding.
pub struct Run {
    pub act: i64,
    job: Job,
    command: Command,
    /// The silence that is being made.
    making: Option<(Making, making::Command)>,
    /// A request that arrives with the next one.
    late: Option<Wanted>,
    /// Another run ended the act; this one takes back what it made.
    second: bool,
}

impl World {
    pub fn begin(&mut self, act: i64) {
        let Some(row) = self.memory.act_row(act).filter(|row| row.state == ActState::Open) else { return };
        let mut job = Job::new(row, self.memory.act_alerts(act));
        let command = job.on(Event::Started, self.now());
        self.runs.push(Run { act, job, command, making: None, late: None, second: false });
    }

    /// Another process, or the same, does what is open for too long. Its run of before may only be paused.
    pub fn sweep(&mut self) {
        for act in self.memory.open_acts() {
            let row = self.memory.act_row(act).expect("it is open");
            let running = self.runs.iter().filter(|run| run.act == act).count();
            let most = if row.kind == ActKind::Silence { 2 } else { 1 };
            if is_left(row.at, self.now()) && running < most && self.runs.len() < RUNS {
                self.begin(act);
            }
        }
    }

    pub fn crash(&mut self, run: usize) {
        let mut run = self.runs.swap_remove(run);
        // Of two requests both may arrive.
        let unknown = run.making.is_some();
        self.arrive(&mut run);
        // Beside a run that is past the look for what others made, nothing finds what this one made.
        let beside = self.runs.iter().any(|other| other.act == run.act) || !self.memory.open_acts().contains(&run.act);
        if run.second || beside || unknown {
            *self.excused.entry(run.act).or_default() += 1;
        }
    }

    fn arrive(&mut self, run: &mut Run) {
        if let Some(wanted) = run.late.take() {
            self.upstream.make_wanted(&wanted);
        }
    }

    /// A run carries out its next command.
    pub fn work(&mut self, at: usize, answer: Answer) {
        let mut run = self.runs.swap_remove(at);
        let answer = if self.upstream.down { Answer::Refused } else { answer };
        let Some(event) = self.event(&mut run, answer) else {
            self.runs.push(run);
            return;
        };
        run.second |= matches!(event, Event::Finished { again: true, .. });
        run.command = run.job.on(event, self.now());
        if self.mutant == Mutant::TwinStays && run.second {
            return;
        }
        if !matches!(run.command, Command::End) {
            self.runs.push(run);
        }
    }

    /// Carries out the outstanding command, or a part of it.
    fn event(&mut self, run: &mut Run, answer: Answer) -> Option<Event> {
        let now = self.now();
        let given = answer == Answer::Given;
        Some(match &run.command {
            Command::Place => Event::Placed(Ok(Place {
                upstream: "am".to_owned(),
                matchers: self.memory.act_alerts(run.act).first().map(matcher).into_iter().collect(),
                author: "a person".to_owned(),
                comment: None,
            })),
            Command::List => {
                let thread = self.memory.act_row(run.act).expect("it is open").thread;
                let of = |silence: &Silence| silence.thread == thread && silence.until > now;
                let mut silences = self.memory.silences(now);
                silences.retain(of);
                silences.sort_by_key(|silence| silence.act);
                Event::Listed(silences)
            }
            Command::Find(_) if !given => Event::Found(Err(trouble(false))),
            Command::Find(_) if self.mutant == Mutant::MarkerUnread => Event::Found(Ok(None)),
            Command::Find(errand) => Event::Found(match &errand.what {
                What::Make(wanted) => Ok(first(self.upstream.marked(&wanted.marker))),
                What::Extend { id, until } => match self.upstream.get(id) {
                    None => Err(trouble(true)),
                    Some(of) => Ok(first(
                        self.upstream.in_force().filter(|other| of.is_extended_by(other, *until)).cloned().collect(),
                    )),
                },
            }),
            Command::Do(errand) => match errand.what.clone() {
                What::Make(wanted) => Event::Made(self.make(run, &wanted, answer)?),
                What::Extend { id, until } => Event::Made(self.extend(&id, until, answer)),
            },
            Command::Expire { id, .. } => {
                let id = id.clone();
                if given || answer == Answer::Lost(Arrival::Arrived) {
                    Event::Expired(if self.upstream.expire(&id) { Ok(()) } else { Err(trouble(true)) })
                } else {
                    *self.excused.entry(run.act).or_default() += usize::from(run.second);
                    Event::Expired(Err(trouble(false)))
                }
            }
            Command::Keep { act, id, until } => {
                self.memory.extend_silence(*act, id, *until);
                Event::Kept
            }
            Command::Drop { act, id } => {
                self.memory.end_silence(*act, id, now);
                Event::Kept
            }
            Command::Resend | Command::Recall => unreachable!("nobody asks for it"),
            Command::Finish(done) => self.finish(run.act, done.clone()),
            Command::Check { id, .. } => {
                Event::Checked { gone: given && self.upstream.in_force().all(|silence| silence.id != *id) }
            }
            Command::Tell => Event::Told,
            Command::End => unreachable!("the run is over"),
        })
    }

    /// One command of the silence that is being made; the result at its end.
    fn make(&mut self, run: &mut Run, wanted: &Wanted, answer: Answer) -> Option<Result<Made, Trouble>> {
        let (mut making, command) = run.making.take().unwrap_or_else(|| {
            let mut making = Making::default();
            let command = making.on(making::Event::Started);
            (making, command)
        });
        let event = match command {
            making::Command::Post => {
                self.arrive(run);
                making::Event::Posted(match answer {
                    Answer::Given => Ok(Made { id: self.upstream.make_wanted(wanted) }),
                    Answer::Refused => Err(error(Problem::Unreachable)),
                    Answer::Lost(arrival) => {
                        match arrival {
                            Arrival::Arrived => drop(self.upstream.make_wanted(wanted)),
                            Arrival::Never => {}
                            Arrival::Late => run.late = Some(wanted.clone()),
                        }
                        Err(error(Problem::Unsure))
                    }
                })
            }
            making::Command::Look => making::Event::Marked(if answer == Answer::Given {
                Ok(self.upstream.marked(&wanted.marker))
            } else {
                Err(error(Problem::Broken))
            }),
            making::Command::Expire(twin) => {
                if matches!(answer, Answer::Given | Answer::Lost(Arrival::Arrived)) {
                    self.upstream.expire(&twin);
                } else {
                    *self.excused.entry(run.act).or_default() += 1;
                }
                making::Event::Expired
            }
            making::Command::End(result) => {
                // What arrives after all looks is found by none.
                *self.excused.entry(run.act).or_default() += usize::from(run.late.is_some());
                self.arrive(run);
                return Some(result.map_err(|_| trouble(false)));
            }
        };
        // The list of twins is only read once.
        let unread = matches!(&event, making::Event::Marked(Err(_)));
        let command = making.on(event);
        if unread && matches!(command, making::Command::End(Ok(_))) {
            *self.excused.entry(run.act).or_default() += 1;
        }
        run.making = Some((making, command));
        None
    }

    fn extend(&mut self, id: &str, until: Timestamp, answer: Answer) -> Result<Made, Trouble> {
        if matches!(answer, Answer::Refused | Answer::Lost(Arrival::Never | Arrival::Late)) {
            return Err(trouble(false));
        }
        let Some(extended) = self.upstream.extend(id, until) else { return Err(trouble(true)) };
        if answer == Answer::Given {
            return Ok(Made { id: extended });
        }
        Err(trouble(false))
    }

    fn finish(&self, act: i64, done: Result<Done, Failed>) -> Event {
        let (state, silence) = match done {
            Ok(Done { silence, .. }) => (ActState::Done, silence),
            Err(_) => (ActState::Failed, None),
        };
        let end =
            ActEnd { act, state, detail: String::new(), silence, except_lane: None, listeners: self.listeners.clone() };
        let again = self.memory.end_act(&end, self.now()).expect("there is such an act").again;
        let of = |silence: &Silence| silence.act == act && silence.until > self.now();
        let kept = self.memory.silences(self.now()).into_iter().find(of).filter(|_| again);
        Event::Finished { again, kept: kept.map(|silence| silence.upstream_id) }
    }
}

fn matcher(alert: &ActAlert) -> Matcher {
    Matcher::equal("alertname", &alert.name)
}

fn first(found: Vec<upstream::Silence>) -> Option<Made> {
    found.into_iter().next().map(|silence| Made { id: silence.id })
}

fn trouble(gone: bool) -> Trouble {
    Trouble { gone, why: Failed::new("上游没有回答", "the upstream does not answer") }
}

fn error(problem: Problem) -> UpstreamError {
    UpstreamError { upstream: "am".to_owned(), problem, status: None, what: words("没有回答", "no answer") }
}
