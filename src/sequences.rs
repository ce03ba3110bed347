//! Random sequences of actions for the models in the tests: played by seed, and shortened where one breaks a law.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config as Plan, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// Whether a law holds; the error says which does not.
pub type Check = Result<(), String>;

/// Steps of the short form of the greatest model, which is part of `cargo test`; the others play a share of them.
pub const STEPS: u64 = 150_001;

/// The environment of a test, which nothing else reads.
pub fn setting(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how long a test runs is no configuration")]
    std::env::var(name).ok()?.parse().ok()
}

/// The seed of the sequences: the same in each short run, so that an unrelated change never fails because of it; a new
/// one in each long run, which is there to find something.
pub fn seed(short: u64) -> u64 {
    let long = setting("WEGRAF_MODEL_STEPS").is_some();
    setting("WEGRAF_MODEL_SEED").unwrap_or_else(|| if long { rand::random::<u64>() >> 1 } else { short })
}

/// How often a smaller model plays its short form.
pub fn times() -> u32 {
    setting("WEGRAF_MODEL_STEPS").map_or(1, |steps| u32::try_from(steps / STEPS).unwrap_or(u32::MAX).max(1))
}

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Game {
    /// Sequences.
    pub sequences: u32,
    /// Of which generator.
    pub seed: u64,
    /// Attempts to shorten a sequence that breaks a law.
    pub shrinking: u32,
}

/// The planted mistake broke this law.
pub fn broken(mutant: &impl Debug, law: &str, steps: u64, result: Check) {
    let broken = result.expect_err("no law was broken");
    let words: String = broken.lines().next().unwrap_or_default().chars().take(200).collect();
    println!("model: {mutant:?} was found after {steps} steps: {words}");
    assert!(broken.contains(law), "{broken}");
}

/// Plays sequences; the error names the law that does not hold, with the shortest sequence found that breaks it.
pub fn explore<S: Strategy>(game: Game, sequences: &S, play: impl Fn(&S::Value) -> Check) -> Check
where
    S::Value: Debug,
{
    let Game { sequences: cases, seed, shrinking } = game;
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let plan = Plan { cases, max_shrink_iters: shrinking, failure_persistence: None, ..Plan::default() };
    let mut runner = TestRunner::new_with_rng(plan, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let found = Cell::new(false);
    let played = runner.run(sequences, |sequence| {
        let result = play(&sequence);
        if let (Err(broken), false, true) = (&result, found.replace(result.is_err() || found.get()), shrinking > 0) {
            println!("model: WEGRAF_MODEL_SEED={seed}: {broken}; looking for a shorter way there");
        }
        result.map_err(TestCaseError::fail)
    });
    match played {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, sequence)) => Err(format!("WEGRAF_MODEL_SEED={seed}: {reason}\n{sequence:#?}")),
        Err(TestError::Abort(reason)) => Err(reason.to_string()),
    }
}

/// Plays sequences of actions of a model without a store of its own; returns how many steps it took.
pub fn steps<A: Debug + Clone>(
    game: Game,
    longest: usize,
    action: impl Strategy<Value = A>,
    play: impl Fn(&[A]) -> Check,
) -> (u64, Check) {
    let steps = RefCell::new(0);
    let sequences = proptest::collection::vec(action, longest / 2..=longest);
    let result = explore(game, &sequences, |actions| {
        *steps.borrow_mut() += actions.len() as u64;
        play(actions)
    });
    (steps.into_inner(), result)
}
