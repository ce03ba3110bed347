//! A model of the seat of a bot: two replicas with the real machines, a database that leases, and WeCom, which keeps the
//! newest connection; with pauses, kills, a store that is slow or fails, a clock of the database that is set, another
//! program with the bot's id, and evictions that are never heard of, in random order. These laws are checked:
//!
//! * A7: two sockets of one bot never live at once in two running replicas; where a replica was paused or the database's
//!   clock was set, for no longer than until the next renewal and the closing after it;
//! * rest: no replica rests because another replica took its place;
//! * live: once nothing fails any more, one of them has the socket.
//!
//! Time is that of the machines: each command takes its time, and the next thing that happens is the next in time.

mod world;

use proptest::prelude::*;

use crate::sequences::{Check, Game, broken, seed, steps, times};
use world::World;

/// Actions of one sequence, at most; half as many at least.
const LONGEST: usize = 200;
/// Sequences of the short form.
const SEQUENCES: u32 = 1_500;
/// The seed of the short form.
const SHORT: u64 = 7_001_946_113_205;

/// A mistake built into the model's driver, to show that the laws would detect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutant {
    None,
    /// A lease that another replica has counts as renewed.
    SeatKept,
    /// The lease is given back before the socket is closed.
    LeavesFirst,
}

/// An event of the model. One action is one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Milliseconds pass.
    Pass(u32),
    /// A replica is paused, or goes on.
    Pause { replica: usize, on: bool },
    /// It is killed, and another process starts in its place.
    Kill { replica: usize },
    /// It is told to stop, and another process starts in its place.
    Stop { replica: usize },
    /// The store answers a replica after so many milliseconds, or fails after them.
    Store { replica: usize, takes_ms: u32, fails: bool },
    /// The database's clock is set by so many milliseconds.
    Clock(i32),
    /// Another program connects with the bot's id.
    Foreign,
    /// Evictions are heard of from now on, or not.
    Deaf(bool),
    /// How long a socket takes to close.
    Close { takes_ms: u32 },
}

impl Action {
    /// Every number is an action; the share of numbers is the action's frequency.
    fn from_number(number: u64) -> Self {
        let byte = |index: u32| u8::try_from(number >> (8 * index) & 0xff).expect("eight bits");
        let replica = usize::from(byte(1) % 2);
        let some = u32::from(byte(2));
        match byte(0) {
            0..=139 => Self::Pass(some * [2, 8, 40][usize::from(byte(3) % 3)]),
            140..=169 => Self::Pause { replica, on: byte(2) % 2 == 0 },
            170..=183 => Self::Kill { replica },
            184..=193 => Self::Stop { replica },
            194..=229 => {
                Self::Store { replica, takes_ms: [1, 20][usize::from(byte(3) % 2)] * some, fails: byte(4) % 3 == 0 }
            }
            230..=235 => Self::Clock([10_000, -10_000, 3_000, -3_000][usize::from(byte(2) % 4)]),
            236..=239 => Self::Foreign,
            240..=247 => Self::Deaf(byte(2) % 2 == 0),
            _ => Self::Close { takes_ms: some * 6 },
        }
    }
}

fn play(mutant: Mutant, actions: &[Action]) -> Check {
    let mut world = World::new(mutant);
    for (step, action) in (1..).zip(actions) {
        world.step(*action).map_err(|broken| format!("step {step}, {action:?}: {broken}"))?;
    }
    world.rest().map_err(|broken| format!("at rest: {broken}"))
}

fn run(mutant: Mutant, sequences: u32, seed: u64, shrinking: u32) -> (u64, Check) {
    let action = any::<u64>().prop_map(Action::from_number);
    steps(Game { sequences, seed, shrinking }, LONGEST, action, |actions| play(mutant, actions))
}

#[test]
fn two_replicas_never_hold_one_socket_for_longer_than_the_lease_allows() {
    let (steps, result) = run(Mutant::None, SEQUENCES.saturating_mul(times()), seed(SHORT), 2_000);
    println!("model: {steps} steps of two replicas");
    assert!(result.is_ok(), "{}", result.unwrap_err());
}

/// The mistake breaks this law.
fn finds(mutant: Mutant, law: &str) {
    let (steps, result) = run(mutant, SEQUENCES, 1, 0);
    broken(&mutant, law, steps, result);
}

#[test]
fn a_seat_that_is_kept_after_its_lease_is_lost_is_found() {
    finds(Mutant::SeatKept, "A7:");
}

#[test]
fn a_lease_that_is_given_back_before_the_socket_is_closed_is_found() {
    finds(Mutant::LeavesFirst, "A7:");
}
