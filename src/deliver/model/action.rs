//! The events of the model. One action is one step.

use proptest::prelude::*;

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A source reports some of its alerts; `again`: its request is repeated.
    Notify { report: Report, alerts: u8, peer: bool, who: Who, again: bool },
    /// The worker of a lane continues: to its next attempt, or to the end of the one in flight, which is `answer`. It
    /// stops after `cut` commands.
    Work { lane: usize, answer: Answer, cut: u8 },
    /// The worker of a lane crashes; the request in flight had arrived, or not.
    Crash { lane: usize, arrived: bool },
    /// The worker of a lane is paused for so long that another replica takes the lane; the request in flight had
    /// arrived, or not.
    Lose { lane: usize, arrived: bool },
    /// The process ends and another one opens the store.
    Restart { arrived: bool },
    /// Time passes.
    Pass { share: u8 },
    /// The clock is set.
    Jump(Jump),
    /// An operator sends a message again.
    Resend { which: u8 },
    /// Old records are deleted.
    Prune,
    /// Hosts that did not answer are probed.
    Probe { up: bool },
    /// A person acts on the alerts of a message; `again`: the last press comes once more.
    Press { which: u8, by: u8, release: bool, again: bool },
    /// The steps of escalations that are due are taken.
    Escalate,
    /// What waits for too long is told by the fallback.
    Detour,
    /// Another configuration is loaded.
    Configure { fallback: bool, directory: bool, send_resolved: bool },
}

/// A source's report of its alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// They are firing; those that were, still are.
    Fire,
    /// They fire again without a reported end.
    Refire,
    /// They are resolved.
    Resolve,
    /// A peer that lags behind reports them as firing.
    StaleFire,
    /// A peer that lags behind reports the end of the episode before.
    StaleEnd,
    /// Unchanged.
    Repeat,
}

/// Which receivers the route gives the alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Ops,
    Dba,
    Both,
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    InPart,
    /// Rejected with a WeCom errcode.
    Code(i64),
    /// Timeout.
    Timeout {
        arrived: bool,
    },
    /// The connection failed.
    Down,
}

/// How the clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    By(i64),
    /// To 1970.
    Epoch,
    /// To the real time.
    Home,
}

const HOUR: i64 = 3_600_000;

/// Busy, content rejected, receiver rejected, an unknown code, token, address, limit.
const CODES: [i64; 7] = [-1, 42045, 81013, 987_654, 42001, 60020, 45009];
const JUMPS: [Jump; 9] = [
    Jump::By(1_000),
    Jump::By(-1_000),
    Jump::By(HOUR),
    Jump::By(-HOUR),
    Jump::By(24 * HOUR),
    Jump::By(-24 * HOUR),
    Jump::By(10 * 365 * 24 * HOUR),
    Jump::Epoch,
    Jump::Home,
];

/// Long sequences of actions, and how fast time passes in them.
pub fn sequences(longest: usize) -> impl Strategy<Value = (u8, Vec<Action>)> {
    // One number for each action: a tree of strategies would take longer than the step itself.
    let action = any::<u64>().prop_map(Action::from_number);
    (0_u8..3, prop::collection::vec(action, longest / 2..=longest))
}

impl Action {
    /// Every number is an action; the share of numbers is the action's frequency.
    fn from_number(number: u64) -> Self {
        let byte = |index: u32| u8::try_from(number >> (8 * index) & 0xff).expect("eight bits");
        let bit = |index: u32| byte(7) >> index & 1 == 1;
        let number16 = u16::from_le_bytes([byte(0), byte(1)]) % 1_060;
        match number16 {
            0..=279 => Self::Notify {
                report: report(byte(2)),
                // Mostly one alert, sometimes many.
                alerts: if bit(0) && bit(1) { byte(3) } else { 1 << (byte(3) % 8) },
                peer: bit(2),
                who: [Who::Ops, Who::Ops, Who::Dba, Who::Both][usize::from(byte(4) % 4)],
                again: bit(3) && bit(4),
            },
            280..=819 => Self::Work { lane: lane(byte(2)), answer: answer(byte(3), byte(4)), cut: cut(byte(5)) },
            820..=832 => Self::Crash { lane: lane(byte(2)), arrived: bit(0) },
            833..=839 => Self::Lose { lane: lane(byte(2)), arrived: bit(0) },
            840..=845 => Self::Restart { arrived: bit(0) },
            846..=935 => Self::Pass { share: byte(2) },
            936..=947 => Self::Jump(JUMPS[usize::from(byte(2)) % JUMPS.len()]),
            948..=959 => Self::Resend { which: byte(2) },
            960..=963 => Self::Prune,
            964..=989 => Self::Probe { up: bit(0) },
            990..=999 => Self::Configure { fallback: bit(0), directory: bit(1), send_resolved: bit(2) || bit(3) },
            1_000..=1_029 => {
                Self::Press { which: byte(2), by: byte(3) % 3, release: bit(0) && bit(1), again: bit(2) && bit(3) }
            }
            1_030..=1_044 => Self::Escalate,
            _ => Self::Detour,
        }
    }
}

fn report(byte: u8) -> Report {
    match byte % 16 {
        0..=6 => Report::Fire,
        7..=11 => Report::Resolve,
        12 => Report::Refire,
        13 => Report::StaleFire,
        14 => Report::StaleEnd,
        _ => Report::Repeat,
    }
}

/// Most messages go to the group's webhook.
fn lane(byte: u8) -> usize {
    [2, 2, 2, 2, 0, 0, 1, 3][usize::from(byte % 8)]
}

/// Mostly a whole step.
fn cut(byte: u8) -> u8 {
    if byte < 24 { 1 + byte % 4 } else { u8::MAX }
}

fn answer(byte: u8, detail: u8) -> Answer {
    match byte {
        0..=189 => Answer::Accepted,
        190..=197 => Answer::InPart,
        198..=227 => Answer::Code(CODES[usize::from(detail) % CODES.len()]),
        228..=245 => Answer::Timeout { arrived: detail.is_multiple_of(2) },
        _ => Answer::Down,
    }
}
