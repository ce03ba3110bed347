//! The storm itself: notifications of many groups from several connections, some of whose alerts end and come back.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::group::{Group, Round, names_critical};
use crate::http;
use crate::ledger::Said;

/// Connections; a group stays on its own, so that its news come in order.
const CONNECTIONS: usize = 8;
/// One group in this many comes back twice: half of its alerts end, and half of those begin again.
const FLAPS: usize = 10;
/// One receiver in this many is told of groups that return. What the others are told can be counted exactly: a digest
/// names an alert once, even if it changed several times.
const UNSTEADY: usize = 5;
/// The first third of the groups has no critical alert, so that every lane is behind when its first one comes.
const CALM: usize = 3;
/// Longer than Alertmanager waits; a request that takes longer is a refusal.
const DEADLINE: Duration = Duration::from_secs(10);

/// How much comes, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Groups, each beginning with one notification.
    pub groups: usize,
    /// Alerts of a group on average.
    pub alerts: usize,
    /// Over how long the notifications are spread.
    pub spread: Duration,
    /// Decides the sizes of the groups and the moments.
    pub seed: u64,
}

/// One notification.
#[derive(Debug, Clone, Copy)]
struct Body {
    group: Group,
    round: Round,
    /// Its number.
    receiver: usize,
    /// Time from the start of the load until it is posted.
    due: Duration,
}

/// What was answered.
#[derive(Debug, Default)]
pub struct Taken {
    /// Changes that were answered 2xx, in order within each alert.
    pub accepted: Vec<Said>,
    /// Notifications answered 2xx.
    pub requests: usize,
    /// Others, and why.
    pub refused: Vec<String>,
    /// How long requests took, in milliseconds, sorted.
    pub millis: Vec<f64>,
    /// When a notification with critical alerts left first, for each receiver by number, in Unix milliseconds.
    pub first_critical: Vec<Option<i64>>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Load {
    /// Posts everything to `to`, for `receivers` in turn.
    pub async fn post(self, to: SocketAddr, receivers: &[String]) -> Taken {
        let bodies = self.bodies(receivers.len());
        let receivers: Arc<[String]> = receivers.into();
        let begun = Instant::now();
        let mut connections = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let mine = bodies.iter().filter(|body| body.group.number % CONNECTIONS == connection);
            connections.spawn(connection_of(to, mine.copied().collect(), receivers.clone(), begun));
        }
        let mut all = Taken { first_critical: vec![None; receivers.len()], ..Taken::default() };
        while let Some(taken) = connections.join_next().await {
            all.add(taken.expect("a connection does not panic"));
        }
        all.elapsed = begun.elapsed();
        all.millis.sort_by(f64::total_cmp);
        all
    }

    /// In the order in which they are sent: the groups that come back do so when all have begun.
    fn bodies(self, receivers: usize) -> Vec<Body> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let (mut groups, mut more) = (Vec::new(), 0);
        for number in 0..self.groups {
            // What one has more the next has less, so that the sum is what was asked for.
            let last = number + 1 == self.groups && number % 2 == 0;
            more = if number % 2 == 1 { -more } else { rng.random_range(0..self.alerts.max(1)).cast_signed() };
            let size = if last { self.alerts } else { self.alerts.saturating_add_signed(more) };
            groups.push(Group { number, size, critical: number >= self.groups / CALM });
        }
        let again = |group: &&Group| is_unsteady(group.number % receivers);
        let again: Vec<Group> = groups.iter().filter(again).take(self.groups / FLAPS).copied().collect();
        let rounds = [(Round::Begin, &groups), (Round::HalfEnds, &again), (Round::HalfOfItReturns, &again)];
        let bodies: Vec<_> =
            rounds.into_iter().flat_map(|(round, groups)| groups.iter().map(move |it| (*it, round))).collect();
        let pause = self.spread.div_f64(bodies.len().max(1) as f64);
        let at = |(place, (group, round)): (usize, (Group, Round))| {
            let due = pause.mul_f64(place as f64 + rng.random_range(0.0..1.0));
            Body { group, round, receiver: group.number % receivers, due }
        };
        bodies.into_iter().enumerate().map(at).collect()
    }

    /// The receivers, by number, none of whose alerts ever changes again.
    pub fn steady(receivers: usize) -> BTreeSet<usize> {
        (0..receivers).filter(|receiver| !is_unsteady(*receiver)).collect()
    }
}

const fn is_unsteady(receiver: usize) -> bool {
    receiver.is_multiple_of(UNSTEADY)
}

fn names_critical_one(news: &[Said]) -> bool {
    news.iter().any(|said| names_critical(&said.word))
}

async fn connection_of(to: SocketAddr, bodies: Vec<Body>, receivers: Arc<[String]>, begun: Instant) -> Taken {
    let mut taken = Taken { first_critical: vec![None; receivers.len()], ..Taken::default() };
    for Body { group, round, receiver, due } in bodies {
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        let (text, news) = group.notification(round, &receivers[receiver]);
        if names_critical_one(&news) {
            taken.first_critical[receiver].get_or_insert_with(now);
        }
        taken.post(to, &text, news).await;
    }
    taken
}

impl Taken {
    /// Posts one notification once.
    pub async fn post(&mut self, to: SocketAddr, text: &str, news: Vec<Said>) {
        let begun = Instant::now();
        match http::send(to, "POST", "/webhook", text, DEADLINE).await {
            Ok(answer) if answer.status == 200 => {
                self.requests += 1;
                self.accepted.extend(news);
            }
            Ok(answer) => self.refused.push(format!("{} {}", answer.status, answer.body)),
            Err(error) => self.refused.push(format!("{error:#}")),
        }
        self.millis.push(begun.elapsed().as_secs_f64() * 1e3);
    }

    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.requests += other.requests;
        self.refused.extend(other.refused);
        self.millis.extend(other.millis);
        for (mine, theirs) in self.first_critical.iter_mut().zip(other.first_critical) {
            *mine = [*mine, theirs].into_iter().flatten().min();
        }
    }
}

/// The latency below which `share` (0 to 1) of the sorted requests stayed, in milliseconds.
pub fn quantile(millis: &[f64], share: f64) -> f64 {
    let last = millis.len().saturating_sub(1);
    millis.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

/// Unix milliseconds.
fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "compared with the simulator's clock, which is the machine's")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(groups: usize, alerts: usize, seed: u64) -> Load {
        Load { groups, alerts, spread: Duration::from_secs(1), seed }
    }

    #[test]
    fn every_alert_begins_once_and_there_are_as_many_as_asked_for() {
        for (groups, alerts) in [(20, 8), (21, 8), (1, 5), (100, 1)] {
            let bodies = load(groups, alerts, 7).bodies(6);
            let news: Vec<Said> = bodies.iter().flat_map(|body| body.group.notification(body.round, "r").1).collect();
            let distinct: std::collections::HashSet<&Said> = news.iter().collect();
            assert_eq!(distinct.len(), news.len());
            let words: std::collections::HashSet<&String> = news.iter().map(|said| &said.word).collect();
            assert_eq!(words.len(), groups * alerts);
        }
    }

    #[test]
    fn a_seed_decides_everything_and_the_moments_are_in_order() {
        let sizes =
            |seed| load(40, 8, seed).bodies(6).iter().map(|body| (body.group.size, body.due)).collect::<Vec<_>>();
        assert_eq!(sizes(1), sizes(1));
        assert_ne!(sizes(1), sizes(2));
        assert!(sizes(1).is_sorted_by_key(|(_, due)| *due));
    }

    #[test]
    fn only_some_receivers_are_told_of_what_comes_back() {
        let bodies = load(200, 8, 1).bodies(20);
        let back: BTreeSet<usize> =
            bodies.iter().filter(|body| body.round != Round::Begin).map(|body| body.receiver).collect();
        assert_eq!(back.len(), 4);
        assert!(back.is_disjoint(&Load::steady(20)));
    }
}
