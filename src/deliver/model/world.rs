//! The world of the model: the alerts of two sources, the real store, four lanes, simulated recipients, and a clock
//! that can be set.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::action::{Action, Answer, Jump, Report};
use super::driver::{Lane, WHOLE_STEP};
use super::ground::Ground;
use super::ledger::{Ledger, is_of_act};
use super::people::People;
use super::phone::Phone;
use super::reference::{Reference, Truth};
use super::{Check, LANES, Mutant};
use crate::alert::Timestamp;
use crate::config::{Config, Receiver};
use crate::deliver::health::Health;
use crate::store::{Delivery, DeliveryRow, Retention, StoreError, TargetRow};

/// Start of the world.
pub const T0: i64 = 1_700_000_000_000;
const DAY: i64 = 24 * 3_600_000;
const KEEP: Retention = Retention { raw_ms: 7 * DAY, record_ms: 30 * DAY, alerts_ms: i64::MAX / 4, bytes: None };
/// Steps between two checks of the sums of the store in memory.
const SUMS_EVERY: u64 = 20;
/// The longest attempt of a worker.
pub const DEADLINE_MS: i64 = 10_000;
/// When the step of an escalation is due.
pub const STEP_MS: i64 = 300_000;
/// Alerts of the sources. The first two are critical.
pub const ALERTS: u8 = 8;

pub const CONFIG: &str = "
wecom:
  apps: { app: { corp_id: ww0123456789abcdef, agent_id: 1000002, secret: s } }
  webhooks: { group: { key: k1 }, backup: { key: k2 } }
receivers:
  ops:
    targets: [ { app: app, users: [m1] }, { webhook: group } ]
    repeat_interval: 1h
    fallback: backup
    escalate: [ { after: 5m, receiver: dba } ]
  dba: { targets: [ { app: app, parties: [2] }, { webhook: group } ], repeat_interval: 10m, fallback: backup }
  backup: { targets: [ { webhook: backup } ] }
route: { receiver: ops }
";

/// The whole state.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one world")]
pub struct World {
    pub store: Ground,
    pub config: Rc<Config>,
    /// By receiver: its targets.
    pub targets: HashMap<String, Vec<TargetRow>>,
    /// Milliseconds since the start, in real time.
    pub real: i64,
    /// Difference of the clock from real time.
    skew: i64,
    tempo: u8,
    pub lanes: [Lane; 4],
    /// What the workers share.
    pub health: Health,
    pub phone: Phone,
    pub ledger: Ledger,
    pub truths: [Truth; ALERTS as usize],
    pub reference: Reference,
    /// The newest message on record.
    pub newest: i64,
    pub fallback: bool,
    /// The members of the department can be looked up.
    pub directory: bool,
    pub send_resolved: bool,
    pub mutant: Mutant,
    pub admissions: u64,
    /// Alerts that a step of an escalation told, and no route since.
    pub escalated: BTreeSet<u8>,
    pub people: People,
    /// Codes of cards that were used as far as is known, and by which message.
    pub spent: HashMap<String, i64>,
    steps: u64,
    /// Something was written since the sums were last checked.
    pub dirty: bool,
}

pub fn said(error: &StoreError) -> String {
    format!("the store failed: {error}")
}

impl World {
    pub fn new(store: Ground, config: Rc<Config>, tempo: u8, mutant: Mutant) -> Self {
        let rows = |receiver: &Receiver| {
            receiver.targets.iter().map(|target| crate::store::TargetRow::new(target.lane(), target.json())).collect()
        };
        let targets = config.receivers.iter().map(|(name, receiver)| (name.clone(), rows(receiver))).collect();
        Self {
            store,
            targets,
            config,
            real: 0,
            skew: 0,
            tempo,
            lanes: Default::default(),
            health: Health::default(),
            phone: Phone::default(),
            ledger: Ledger::default(),
            truths: Default::default(),
            reference: Reference::default(),
            newest: 0,
            fallback: true,
            directory: false,
            send_resolved: true,
            mutant,
            admissions: 0,
            escalated: BTreeSet::new(),
            people: People::default(),
            spent: HashMap::new(),
            steps: 0,
            dirty: false,
        }
    }

    /// The gateway's clock: never before 1970.
    pub fn now(&self) -> Timestamp {
        Timestamp((T0 + self.real + self.skew).max(0))
    }

    /// One step, and the laws that are checked after each.
    pub async fn step(&mut self, action: Action) -> Check {
        match action {
            Action::Notify { report, alerts, peer, who, again } => {
                self.notify(report, alerts, peer, who).await?;
                if again {
                    self.notify(Report::Repeat, alerts, peer, who).await?;
                }
            }
            Action::Work { lane, answer, cut } => self.work(lane, answer, cut).await?,
            Action::Crash { lane, arrived } => self.crash(lane, arrived)?,
            Action::Lose { lane, arrived } => self.lose_lane(lane, arrived).await?,
            Action::Restart { arrived } => self.restart(arrived).await?,
            Action::Pass { share } => self.pass(share).await?,
            Action::Jump(jump) => self.jump(jump),
            Action::Resend { which } => self.resend(which).await?,
            Action::Prune => self.prune().await?,
            Action::Probe { up } => self.probe(up).await?,
            Action::Press { which, by, release, again } => self.press(which, by, release, again).await?,
            Action::Escalate => self.escalate(self.now()).await?,
            Action::Detour => self.detour().await?,
            Action::Configure { fallback, directory, send_resolved } => {
                (self.fallback, self.directory, self.send_resolved) = (fallback, directory, send_resolved);
            }
        }
        self.steps += 1;
        // Reads the whole record; in memory that takes longer than the step itself.
        let look = self.dirty && (self.store.is_real() || self.steps.is_multiple_of(SUMS_EVERY));
        if look {
            self.dirty = false;
            self.ledger.sums(&self.store).await?;
        }
        Ok(())
    }

    async fn restart(&mut self, arrived: bool) -> Check {
        for lane in 0..LANES.len() {
            self.crash(lane, arrived)?;
            self.lanes[lane] = Lane::default();
        }
        self.health = Health::default();
        let now = self.now();
        self.store.restart(now).await.map_err(|error| said(&error))?;
        self.dirty = true;
        Ok(())
    }

    /// Mostly moments: budgets only matter when much happens within a minute.
    async fn pass(&mut self, share: u8) -> Check {
        let most = match share {
            0..=229 => [800, 5_000, 30_000][usize::from(self.tempo)],
            230..=250 => [10_000, 60_000, 120_000][usize::from(self.tempo)],
            _ => 7_200_000,
        };
        self.pass_until(self.real + i64::from(share) * most / 256 + 1).await
    }

    /// No attempt takes longer than its deadline.
    pub async fn pass_until(&mut self, then: i64) -> Check {
        loop {
            let lanes = self.lanes.iter().enumerate();
            let ends = lanes.filter_map(|(number, lane)| Some((lane.began? + DEADLINE_MS, number)));
            let Some((end, lane)) = ends.min().filter(|(end, _)| *end <= then) else { break };
            self.real = end;
            self.work(lane, Answer::Timeout { arrived: end % 2 == 0 }, WHOLE_STEP).await?;
        }
        self.real = then;
        Ok(())
    }

    fn jump(&mut self, jump: Jump) {
        let before = self.now();
        self.skew = match jump {
            Jump::By(millis) => self.skew.saturating_add(millis).clamp(-T0 - self.real, T0),
            Jump::Epoch => -T0 - self.real + 1_000,
            Jump::Home => 0,
        };
        if self.now() > before.plus_millis(1_000) {
            self.phone.leap(self.real);
        }
    }

    async fn resend(&mut self, which: u8) -> Check {
        let known = self.ledger.messages.len();
        if known == 0 {
            return Ok(());
        }
        let message = *self.ledger.messages.keys().nth(usize::from(which) % known).expect("one of them");
        let of = self.store.delivery(message).await.map_err(|error| said(&error))?;
        let of = of.ok_or_else(|| format!("L1: message {message} is gone"))?;
        let DeliveryRow { settled_at, folded_into, picture_of, .. } = &of.row;
        // As `deliver::again`. Nothing is left of a message whose alerts were deleted because the clock was set
        // forward.
        if settled_at.is_none() || folded_into.is_some() || picture_of.is_some() || !is_whole(&of) {
            return Ok(());
        }
        let again = self.store.resend(message, "{}", self.now()).await.map_err(|error| said(&error))?;
        self.dirty = true;
        again.ok_or_else(|| format!("L1: message {message} is gone"))?;
        self.note_copies(1).await.map(drop)
    }

    async fn prune(&mut self) -> Check {
        let now = self.now();
        self.people.forget();
        self.store.prune(KEEP, now).await.map_err(|error| said(&error))?;
        let (gone, waiting) = self.ledger.pruned(&self.store).await?;
        for message in gone {
            self.phone.forget(message);
        }
        self.reference.forget(now.plus_millis(-KEEP.record_ms - 2 * DAY), &waiting);
        self.newest = self.ledger.messages.keys().next_back().copied().unwrap_or_default();
        self.dirty = true;
        Ok(())
    }
}

/// Are all alerts of a message on record? Alerts that are no longer reported are deleted, with what tells of them.
pub fn is_whole(of: &Delivery) -> bool {
    // Those about acts are not counted by the message.
    let told = of.transitions.iter().filter(|row| !is_of_act(row.kind)).count();
    i64::try_from(told) == Ok(of.row.firing + of.row.resolved)
}
