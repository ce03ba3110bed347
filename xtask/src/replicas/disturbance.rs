//! Disturbances of the replicas and their database, and their moments.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::REPLICAS;

/// A disturbance in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disturbance {
    pub when: When,
    pub what: What,
}

/// The moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// This long after the round began.
    After(Duration),
    /// When WeCom accepts a message: before its result can be on disk.
    Accepted,
}

/// The kind of disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// SIGSTOP, and SIGCONT after `length`.
    Pause { replica: usize, length: Duration },
    /// kill -9, and a start after `away`.
    Kill { replica: usize, away: Duration },
    /// To the database.
    Shock(Shock),
}

/// A disturbance of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shock {
    /// It crashes and recovers.
    Immediate,
    /// It is restarted by its operator.
    Fast,
    /// It ends all connections.
    Cut,
}

/// Draws rounds: pauses around a lease of this length, and what may be done to the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice<'a> {
    pub lease: Duration,
    pub shocks: &'a [Shock],
}

impl Dice<'_> {
    /// The disturbances of one round: usually one, sometimes several at once.
    pub(super) fn round(self, rng: &mut StdRng) -> Vec<Disturbance> {
        // Two disturbances of one replica would wait for each other.
        let mut replicas: Vec<usize> = (0..REPLICAS).collect();
        replicas.shuffle(rng);
        let what: Vec<What> = match rng.random_range(0..10) {
            0..4 => vec![self.pause(replicas[0], rng)],
            4..6 => vec![kill(replicas[0], rng)],
            6..8 => self.shock(rng).into_iter().collect(),
            8 => vec![self.pause(replicas[0], rng), kill(replicas[1], rng)],
            _ => {
                let mut all = vec![self.pause(replicas[0], rng), self.pause(replicas[1], rng)];
                all.extend(self.shock(rng));
                all
            }
        };
        what.into_iter().map(|what| Disturbance { when: when(what, rng), what }).collect()
    }

    /// Usually longer than a lease; sometimes shorter, or longer than a sender waits for its answer.
    fn pause(self, replica: usize, rng: &mut StdRng) -> What {
        let lease = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        let millis = match rng.random_range(0..10) {
            0 | 1 => rng.random_range(100..lease),
            2 => rng.random_range(11_000..14_000),
            _ => lease + rng.random_range(500..2500),
        };
        What::Pause { replica, length: Duration::from_millis(millis) }
    }

    fn shock(self, rng: &mut StdRng) -> Option<What> {
        let any = (!self.shocks.is_empty()).then(|| rng.random_range(0..self.shocks.len()));
        any.map(|number| What::Shock(self.shocks[number]))
    }
}

fn kill(replica: usize, rng: &mut StdRng) -> What {
    What::Kill { replica, away: Duration::from_millis(rng.random_range(0..2000)) }
}

fn when(what: What, rng: &mut StdRng) -> When {
    if !matches!(what, What::Shock(_)) && rng.random_bool(0.5) {
        When::Accepted
    } else {
        When::After(Duration::from_millis(rng.random_range(0..2000)))
    }
}

/// A disturbance that happened, by the machine's clock, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub what: What,
    pub from: i64,
    pub until: i64,
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn everything_is_drawn_and_nothing_twice_to_one_replica_at_a_time() {
        let lease = Duration::from_secs(5);
        let dice = Dice { lease, shocks: &[Shock::Immediate, Shock::Fast, Shock::Cut] };
        let mut rng = StdRng::seed_from_u64(7);
        let rounds: Vec<Vec<Disturbance>> = (0..200).map(|_| dice.round(&mut rng)).collect();
        let all: Vec<What> = rounds.iter().flatten().map(|disturbance| disturbance.what).collect();
        let paused = |at_least: u64| {
            all.iter().any(|what| matches!(what, What::Pause { length, .. } if *length > Duration::from_secs(at_least)))
        };
        assert!(paused(5) && paused(10), "longer than a lease, and than a sender waits");
        assert!(all.iter().any(|what| matches!(what, What::Kill { .. })));
        for shock in dice.shocks {
            assert!(all.contains(&What::Shock(*shock)), "{shock:?}");
        }
        for round in &rounds {
            let replica = |disturbance: &Disturbance| match disturbance.what {
                What::Pause { replica, .. } | What::Kill { replica, .. } => Some(replica),
                What::Shock(_) => None,
            };
            let mut replicas: Vec<usize> = round.iter().filter_map(replica).collect();
            let done = replicas.len();
            replicas.sort_unstable();
            replicas.dedup();
            assert!(!round.is_empty() && replicas.len() == done, "{round:?}");
        }
    }

    #[test]
    fn a_database_of_others_is_not_disturbed() {
        let dice = Dice { lease: Duration::from_secs(5), shocks: &[] };
        let mut rng = StdRng::seed_from_u64(7);
        assert!((0..200).flat_map(|_| dice.round(&mut rng)).all(|it| !matches!(it.what, What::Shock(_))));
    }
}
