//! A model of the way from a source to a recipient: sources, the real decisions, the real workers, a store, a simulated
//! recipient; with crashes between any two commands of a worker, lost leases, changes of the clock, and every answer
//! WeCom can give, people who take alerts and give them back, escalations, and fallbacks told by age, in random order. It
//! plays cards, whose codes work once, in the lane of an app. What is done upstream is played by `answer::model`, the
//! sockets of bots by `bots::model`. These laws are checked after each step and when all is at rest:
//!
//! * L1: what was answered with a 200 is stored, and stays as long as the record does;
//! * L2: every transition has one fate, and it is the truth;
//! * L4: of an alert, a target is told nothing older of it after something newer;
//! * L5: no sliding window of an account is exceeded;
//! * L6: every extra copy is explained by an attempt whose result is unknown;
//! * L7: what is settled never changes;
//! * L8: what a target was told last of an alert is what was accepted last;
//! * L9: the bytes that were sent are the recorded ones;
//! * L10: the sums of a digest are those of what was folded into it;
//! * L11: a fallback is told the content of a message once;
//! * P1: a picture that follows a message is claimed only where nothing else of its lane waits, and never when it is old;
//! * P2: it arrives after its message, which brought news, and once at most;
//! * P3: it ends in one way: it arrived, or it is left out with a reason;
//! * A1: one press makes one act, however often it comes;
//! * A3: a card shows what the record says once all is at rest, unless a newer message tells it; a code is used once;
//! * A4: no step of an escalation is taken for an alert that a person has or that is over;
//! * A5: a receiver that was told a beginning by a step is told the end;
//! * A6: a receiver that begins to hear of an episode hears that a person has it;
//! * W1: a message that is not critical is never claimed while a critical one of its lane could be, unless that one had
//!   to wait for older news since something was last sent;
//! * news: what is told agrees with a second implementation of the promises;
//! * rest: once WeCom works again everything gets settled.
//!
//! Hundreds of thousands of steps run on a store in memory, which decides with the same pure functions as the real ones; fewer run on
//! SQLite with the store in memory beside it, and every answer of the two must be equal; fewer still on PostgreSQL.
//!
//! Each test run tries the same 150,000 steps. `WEGRAF_MODEL_STEPS` sets another number of steps, `WEGRAF_MODEL_SEED`
//! repeats those of an earlier run.

mod action;
mod controls;
mod driver;
mod ground;
mod intake;
mod ledger;
mod letter;
mod people;
mod phone;
mod reference;
mod rest;
mod world;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Instant;

use crate::alert::Timestamp;
use crate::config::{Config, Database};
use crate::sequences::{self, Check, Game, STEPS, seed, setting, times};
use crate::store::tests::postgres::Schema;
use action::Action;
use ground::Ground;
use world::World;

/// A member, a department, a group's webhook, and the fallback webhook.
const LANES: [&str; 4] = ["app/app/m1", "app/app/party:2", "webhook/group", "webhook/backup"];
/// Actions of one sequence, at most; half as many at least.
const LONGEST: usize = 600;
/// The seed of the short form.
const SHORT: u64 = 3_364_127_152_154_418_805;
/// Sequences made by one generator; the next generator has the next seed.
const BATCH: u32 = 40;
/// Generators that run concurrently.
const HANDS: usize = 2;
/// Attempts to shorten a sequence that breaks a law.
const SHRINKING: u32 = 1_000;

/// A mistake built into the model's worker or its store, to show that the laws would detect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    None,
    /// A sender gets its 200 for a notification that is not stored.
    AckBeforeCommit,
    /// A repetition is news, whichever peer it comes from.
    TwinsAreNews,
    SettleBeforeSend,
    /// The result of an attempt is silently not written.
    SettleIsLost,
    /// A rejection is recorded as sent.
    RefusedIsSent,
    /// What an ended worker was sending is not recovered.
    AbandonedIsForgotten,
    /// Sends a message that must wait for an older one.
    IgnoreBehind,
    NoDebit,
    /// A digest tells what a claimed message may have told.
    FoldClaimed,
    /// The sums of a digest miss an alert.
    DigestLeavesOut,
    /// A retry sends bytes other than the recorded ones.
    BytesChange,
    /// An accepted message is sent again.
    SendTwice,
    /// A settled message is changed.
    RecordChanges,
    /// A worker that lost its lane still writes.
    NoFence,
    /// Of what waits only the oldest few are seen, critical or not.
    CriticalUnseen,
    /// A press that comes again is a new one.
    PressesAreNew,
    /// A step is taken although a person has the alert.
    EscalatesAcknowledged,
    /// Those of a step do not hear of the end.
    StepsEndUntold,
    /// A receiver that begins to hear of an alert does not hear that a person has it.
    OwnerUnheard,
    /// A fallback is told by each target that fails.
    FallbackForEachTarget,
    /// The code of a card is not forgotten when it was used.
    CodeUsedTwice,
    /// A card shows the state of before the act that it tells.
    CardLags,
    /// Of what waits acts are seen before alerts, critical or not.
    ActsFirst,
    /// A worker that lost its lane goes on with the old lease.
    LostKeepsLease,
    /// A picture waits its turn like any message.
    PicturesAreMessages,
    /// A picture that may have arrived is sent again.
    PicturesComeAgain,
    /// Every message has a picture.
    PicturesOfAll,
}

/// The counters of a run.
#[derive(Debug, Default, Clone, Copy)]
struct Figures {
    sequences: u64,
    steps: u64,
    turns: u64,
    arrivals: u64,
    copies: u64,
    shadowed: u64,
}

/// The store that the sequences of a run use.
enum Stage {
    Memory(Mutant),
    /// A fresh file, created once and copied for each sequence, on a fast file system.
    Sqlite(tempfile::TempDir),
    Postgres,
}

impl Stage {
    async fn sqlite() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let fresh = Database::Sqlite(folder.path().join("fresh.db"));
        crate::store::Store::open(&fresh, Timestamp(world::T0)).await.unwrap().close().await.unwrap();
        Self::Sqlite(folder)
    }

    async fn play(&self, config: Rc<Config>, tempo: u8, actions: &[Action], figures: &RefCell<Figures>) -> Check {
        let began = Timestamp(world::T0);
        let said = |error: crate::store::StoreError| error.to_string();
        match self {
            Self::Memory(mutant) => {
                Box::pin(walk(World::new(Ground::memory(*mutant), config, tempo, *mutant), actions, figures)).await
            }
            Self::Sqlite(folder) => {
                let case = folder.path().join("case");
                std::fs::create_dir_all(&case).unwrap();
                std::fs::copy(folder.path().join("fresh.db"), case.join("wegraf.db")).unwrap();
                let database = Database::Sqlite(case.join("wegraf.db"));
                let ground = Ground::real(database, true, began).await.map_err(said)?;
                let result = Box::pin(walk(World::new(ground, config, tempo, Mutant::None), actions, figures)).await;
                std::fs::remove_dir_all(&case).unwrap();
                result
            }
            Self::Postgres => {
                let Some(schema) = Schema::make().await else { return Ok(()) };
                let database = Database::Postgres { url: schema.url.clone() };
                let ground = Ground::real(database, false, began).await.map_err(said)?;
                let result = Box::pin(walk(World::new(ground, config, tempo, Mutant::None), actions, figures)).await;
                schema.remove().await;
                result
            }
        }
    }
}

async fn walk(mut world: World, actions: &[Action], figures: &RefCell<Figures>) -> Check {
    let mut steps = 0;
    let mut result = Ok(0);
    for action in actions {
        steps += 1;
        if let Err(broken) = world.step(*action).await {
            result = Err(format!("step {steps}, {action:?}: {broken}"));
            break;
        }
    }
    if result.is_ok() {
        result = world.rest().await.map_err(|broken| format!("at rest: {broken}"));
    }
    world.store.close().await.map_err(|error| error.to_string())?;
    let mut figures = figures.borrow_mut();
    figures.sequences += 1;
    figures.steps += steps;
    figures.turns += result.clone()?;
    figures.arrivals += world.phone.arrivals;
    figures.copies += world.phone.copies;
    figures.shadowed += world.phone.shadowed;
    Ok(())
}

/// Plays sequences on a stage.
fn explore(stage: &Stage, sequences: u32, longest: usize, seed: u64, shrinking: u32) -> (Figures, Check) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Rc::new(Config::parse(world::CONFIG, Path::new("model.yaml")).unwrap().0);
    let figures = RefCell::new(Figures::default());
    let play =
        |(tempo, actions): &(u8, Vec<Action>)| runtime.block_on(stage.play(config.clone(), *tempo, actions, &figures));
    let result = sequences::explore(Game { sequences, seed, shrinking }, &action::sequences(longest), play);
    (figures.into_inner(), result)
}

/// The counters of all generators.
#[derive(Debug, Default)]
struct Sum {
    batches: u64,
    figures: Figures,
    broken: Option<String>,
}

impl Sum {
    fn add(&mut self, figures: Figures, result: Check) {
        let sum = &mut self.figures;
        sum.sequences += figures.sequences;
        sum.steps += figures.steps;
        sum.turns += figures.turns;
        sum.arrivals += figures.arrivals;
        sum.copies += figures.copies;
        sum.shadowed += figures.shadowed;
        self.broken = self.broken.take().or(result.err());
    }
}

#[test]
fn a_long_run_of_steps_breaks_no_law() {
    let (steps, seed) = (setting("WEGRAF_MODEL_STEPS").unwrap_or(STEPS), seed(SHORT));
    let begun = Instant::now();
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        let work = || loop {
            let batch = {
                let mut sum = sum.lock().unwrap();
                if sum.figures.steps >= steps || sum.broken.is_some() {
                    break;
                }
                sum.batches += 1;
                sum.batches - 1
            };
            let (figures, result) = explore(&Stage::Memory(Mutant::None), BATCH, LONGEST, seed + batch, SHRINKING);
            sum.lock().unwrap().add(figures, result);
        };
        (0..HANDS).for_each(|_| drop(scope.spawn(work)));
    });
    let Sum { figures, broken, .. } = sum.into_inner().unwrap();
    println!(
        "model: {} steps in {} sequences; {} more turns until all was at rest; {} requests arrived, {} of them explained \
         copies, {} above a limit after a clock set forward; {:.0} s; WEGRAF_MODEL_SEED={seed}",
        figures.steps,
        figures.sequences,
        figures.turns,
        figures.arrivals,
        figures.copies,
        figures.shadowed,
        begun.elapsed().as_secs_f64(),
    );
    assert!(broken.is_none(), "{}", broken.unwrap_or_default());
    assert!(figures.steps >= steps, "{figures:?}");
}

/// Sequences on a real store: as many as their cost allows, more in the long form.
fn on_a_real_store(name: &str, stage: &Stage, sequences: u32, longest: usize) {
    let sequences = sequences.saturating_mul(times());
    let (figures, result) = explore(stage, sequences, longest, seed(SHORT), SHRINKING / 10);
    println!("model: {} steps in {} sequences on {name}", figures.steps, figures.sequences);
    assert_eq!(result, Ok(()));
}

#[test]
fn sqlite_breaks_no_law_and_answers_as_the_store_in_memory_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    on_a_real_store("SQLite", &runtime.block_on(Stage::sqlite()), 12, LONGEST);
}

#[test]
fn postgres_breaks_no_law() {
    on_a_real_store("PostgreSQL", &Stage::Postgres, 6, LONGEST / 4);
}
