//! A model of what is done upstream: people who ask for silences, the real jobs of open acts, the real looks at an
//! upstream and steps of escalations, on the store in memory; with an upstream whose answers are lost or come late, that
//! is down, where alerts are inhibited and others make and end silences; with crashes and pauses between any two
//! commands, and changes of the clock, in random order. `deliver::model` plays the way of a message, `bots::model` the
//! sockets of bots. These laws are checked:
//!
//! * A2: once all is at rest there is at most one silence upstream for one request, unless the process died, or the
//!   upstream did not answer, while the second of two was made or taken back. After a death between making a silence
//!   and recording it, the next run finds it by its marker;
//! * record: once all is at rest, a silence that is in force by the record hides its alerts upstream, and a silence
//!   upstream that was made through wegraf is in force by the record, or its request is recorded as failed;
//! * A4: no step of an escalation is taken for an alert that its upstream, which answers, silences or inhibits; of an
//!   upstream that does not answer nothing is certain, and the step goes on;
//! * rest: once the upstream answers, no act stays open.
//!
//! Each test run tries the same steps; `WEGRAF_MODEL_STEPS` and `WEGRAF_MODEL_SEED` are as in `deliver::model`.

mod rest;
mod runs;
mod stand_in;
mod watching;
mod world;

use std::path::Path;
use std::rc::Rc;

use proptest::prelude::*;

use crate::config::Config;
use crate::sequences::{Check, Game, broken, seed, steps, times};
use world::{CONFIG, World};

/// Alerts of the source.
const ALERTS: usize = 3;
/// Actions of one sequence, at most; half as many at least.
const LONGEST: usize = 300;
/// Sequences of the short form.
const SEQUENCES: u32 = 600;
/// The seed of the short form.
const SHORT: u64 = 2_206_193_577_018_331;

/// A mistake built into the model's drivers, to show that the laws would detect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutant {
    None,
    /// A run does not look for silences made by an earlier run.
    MarkerUnread,
    /// A run that comes second does not end its own silence.
    TwinStays,
    /// The end of a silence upstream is not recorded.
    EndUnheard,
    /// A step is taken without regard to the upstream's answer.
    UpstreamIgnored,
}

/// An event of the model. One action is one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The source reports that an alert began.
    Fire(usize),
    /// The alert is resolved.
    Resolve(usize),
    /// A person asks for a silence, for a longer one, or for its end.
    Press { alert: usize, what: Press, hours: u8 },
    /// A run of an open act carries out its next command.
    Work { run: usize, answer: Answer },
    /// The process of a run dies.
    Crash { run: usize },
    /// Acts that are open for too long are done by another process.
    Sweep,
    /// A look at the upstream begins, or carries out its next command.
    Look,
    /// The process that looks dies.
    CrashLook,
    /// The steps that are due are taken.
    Escalate,
    /// Another person makes a silence upstream.
    SilenceElsewhere { alert: usize },
    /// Another person ends a silence upstream.
    EndElsewhere { which: u8 },
    /// Another alert begins or ceases to inhibit this one.
    Inhibit { alert: usize, on: bool },
    /// The upstream answers from now on, or not.
    Up(bool),
    /// Seconds pass.
    Pass(u16),
    /// The clock is set by so many seconds, or to the real time.
    Jump(Option<i32>),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Press {
    Silence,
    Extend,
    Expire,
}

/// How a request to the upstream ends, if it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Given,
    /// The answer is lost; the request arrived, or did not, or arrives with the next one.
    Lost(Arrival),
    /// It is refused.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Arrived,
    Never,
    Late,
}

impl Action {
    /// Every number is an action; the share of numbers is the action's frequency.
    fn from_number(number: u64) -> Self {
        let byte = |index: u32| u8::try_from(number >> (8 * index) & 0xff).expect("eight bits");
        let alert = usize::from(byte(1)) % ALERTS;
        let run = usize::from(byte(1));
        let answer = match byte(2) {
            0..=199 => Answer::Given,
            200..=212 => Answer::Lost(Arrival::Arrived),
            213..=225 => Answer::Lost(Arrival::Never),
            226..=238 => Answer::Lost(Arrival::Late),
            _ => Answer::Refused,
        };
        let what = [Press::Silence, Press::Silence, Press::Extend, Press::Expire][usize::from(byte(3) % 4)];
        match byte(0) {
            0..=23 => Self::Fire(alert),
            24..=29 => Self::Resolve(alert),
            30..=59 => Self::Press { alert, what, hours: 1 + byte(4) % 4 },
            60..=129 => Self::Work { run, answer },
            130..=141 => Self::Crash { run },
            142..=157 => Self::Sweep,
            158..=185 => Self::Look,
            186..=187 => Self::CrashLook,
            188..=201 => Self::Escalate,
            202..=205 => Self::SilenceElsewhere { alert },
            206..=212 => Self::EndElsewhere { which: byte(1) },
            213..=219 => Self::Inhibit { alert, on: byte(2) % 2 == 0 },
            220..=223 => Self::Up(byte(2) % 4 != 0),
            224..=252 => Self::Pass(u16::from(byte(1)) * [1, 1, 4, 16][usize::from(byte(2) % 4)] / 2),
            _ => Self::Jump([Some(120), Some(-120), Some(7_200), Some(-7_200), None][usize::from(byte(1) % 5)]),
        }
    }
}

fn play(config: Rc<Config>, mutant: Mutant, actions: &[Action]) -> Check {
    let mut world = World::new(config, mutant);
    for (step, action) in (1..).zip(actions) {
        world.step(*action).map_err(|broken| format!("step {step}, {action:?}: {broken}"))?;
    }
    world.rest().map_err(|broken| format!("at rest: {broken}"))
}

fn run(mutant: Mutant, sequences: u32, seed: u64, shrinking: u32) -> (u64, Check) {
    let config = Config::parse(CONFIG, Path::new("model.yaml")).expect("the configuration is right").0;
    let config = Rc::new(config);
    let action = any::<u64>().prop_map(Action::from_number);
    steps(Game { sequences, seed, shrinking }, LONGEST, action, |actions| play(config.clone(), mutant, actions))
}

#[test]
fn no_answer_of_an_upstream_breaks_a_law() {
    let (steps, result) = run(Mutant::None, SEQUENCES.saturating_mul(times()), seed(SHORT), 2_000);
    println!("model: {steps} steps upstream");
    assert!(result.is_ok(), "{}", result.unwrap_err());
}

/// The mistake breaks this law.
fn finds(mutant: Mutant, law: &str) {
    let (steps, result) = run(mutant, SEQUENCES, 1, 0);
    broken(&mutant, law, steps, result);
}

#[test]
fn a_silence_that_is_made_again_after_a_death_is_found() {
    finds(Mutant::MarkerUnread, "A2:");
}

#[test]
fn a_silence_that_two_runs_made_is_found() {
    finds(Mutant::TwinStays, "A2:");
}

#[test]
fn a_silence_that_the_record_keeps_is_found() {
    finds(Mutant::EndUnheard, "record:");
}

#[test]
fn a_step_for_what_is_suppressed_upstream_is_found() {
    finds(Mutant::UpstreamIgnored, "A4:");
}
