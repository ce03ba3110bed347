//! The world of the model: a source, people, an upstream, the store in memory, and the runs of the real machines.

use std::collections::HashMap;
use std::rc::Rc;

use super::runs::{RUNS, Run};
use super::stand_in::{StandIn, labels, name};
use super::{Action, Mutant, Press};
use crate::alert::{Format, Identity, Status, Timestamp};
use crate::answer::watch::{self, Watch};
use crate::config::Config;
use crate::names::{LaneKey, SourceId};
use crate::sequences::Check;
use crate::store::memory::Memory;
use crate::store::{About, ActKind, ActState, Admission, Arrival as Report, Listeners, NewAct, Recipient, TargetRow};
use crate::upstream::Matcher;

const T0: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
/// When the first step of an escalation is due.
const STEP_MS: i64 = 300_000;

pub const CONFIG: &str = "
wecom: { webhooks: { group: { key: k1 } } }
upstreams: { am: { kind: alertmanager, url: 'http://127.0.0.1:9093' } }
receivers:
  ops:
    targets: [ { webhook: group } ]
    escalate: [ { after: 5m, receiver: dba }, { after: 20m, receiver: dba } ]
  dba: { targets: [ { webhook: group } ] }
route: { receiver: ops }
";

/// The whole state.
pub struct World {
    pub memory: Memory,
    pub config: Rc<Config>,
    pub listeners: Listeners,
    pub upstream: StandIn,
    pub watch: Option<(Watch, watch::Command)>,
    pub mutant: Mutant,
    /// Milliseconds of real time.
    pub real: i64,
    pub skew: i64,
    pub runs: Vec<Run>,
    /// By act: silences that stay because a run died, or the upstream did not answer, while one was taken back.
    pub excused: HashMap<i64, usize>,
    presses: u64,
}

impl World {
    pub fn new(config: Rc<Config>, mutant: Mutant) -> Self {
        Self {
            memory: Memory::default(),
            config,
            listeners: Listeners::default(),
            upstream: StandIn::default(),
            watch: None,
            mutant,
            real: T0,
            skew: 0,
            runs: Vec::new(),
            excused: HashMap::new(),
            presses: 0,
        }
    }

    /// The gateway's clock.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.real + self.skew)
    }

    pub fn step(&mut self, action: Action) -> Check {
        match action {
            Action::Fire(alert) => {
                self.upstream.firing[alert].get_or_insert(Timestamp(self.real));
                self.admit(alert, Status::Firing);
            }
            Action::Resolve(alert) => {
                if self.upstream.firing[alert].take().is_some() {
                    self.admit(alert, Status::Resolved);
                }
            }
            Action::Press { alert, what, hours } => self.press(alert, what, hours),
            Action::Work { run, answer } if !self.runs.is_empty() => self.work(run % self.runs.len(), answer),
            Action::Crash { run } if !self.runs.is_empty() => self.crash(run % self.runs.len()),
            Action::Work { .. } | Action::Crash { .. } => {}
            Action::Sweep => self.sweep(),
            Action::Look => self.look(),
            Action::CrashLook => self.watch = None,
            Action::Escalate => self.escalate()?,
            Action::SilenceElsewhere { alert } => {
                let ends_at = Timestamp(self.real + HOUR);
                let comment = "of another".to_owned();
                self.upstream.make(vec![Matcher::equal("alertname", name(alert))], ends_at, "another", comment);
            }
            Action::EndElsewhere { which } => {
                let of = self.upstream.in_force().nth(usize::from(which % 4)).map(|silence| silence.id.clone());
                of.map(|id| self.upstream.expire(&id));
            }
            Action::Inhibit { alert, on } => self.upstream.inhibited[alert] = on,
            Action::Up(up) => self.upstream.down = !up,
            Action::Pass(seconds) => self.real += i64::from(seconds) * 1_000,
            Action::Jump(seconds) => self.skew = seconds.map_or(0, |seconds| self.skew + i64::from(seconds) * 1_000),
        }
        self.upstream.pass(self.real);
        Ok(())
    }

    /// The source tells of an alert.
    pub fn admit(&mut self, alert: usize, status: Status) {
        let now = self.now();
        let over = status == Status::Resolved;
        let report = Report {
            index: 0,
            identity: Identity([u8::try_from(alert).expect("few alerts"); 32]),
            labels_json: serde_json::to_string(&labels(alert)).expect("labels are JSON"),
            name: name(alert),
            critical: true,
            status,
            starts_at: Some(self.upstream.firing[alert].unwrap_or(now)),
            reported: false,
            ends_at: over.then_some(now),
            lapses_at: None,
            thread: None,
            kin: None,
            steady: false,
        };
        self.memory.admit(&Admission {
            deliveries: vec![Recipient {
                receiver: "ops".to_owned(),
                send_resolved: true,
                repeat_interval_ms: 4 * HOUR,
                escalate_after_ms: Some(STEP_MS),
                note_json: None,
                alerts: vec![report],
                targets: vec![TargetRow::new(LaneKey::stored("lane"), "{}".to_owned())],
            }],
            ..admission(now)
        });
    }

    fn press(&mut self, alert: usize, what: Press, hours: u8) {
        let followed = self.memory.followed();
        let Some(row) = followed.iter().find(|row| usize::from(row.alert.identity.0[0]) == alert) else { return };
        let kind = match what {
            Press::Silence => ActKind::Silence,
            Press::Extend => ActKind::Extend,
            Press::Expire => ActKind::Expire,
        };
        // Of two requests for a longer silence at once, each may make it anew.
        let open = self.memory.open_acts();
        let extends = |act: &i64| self.memory.act_row(*act).is_some_and(|row| row.kind == ActKind::Extend);
        if self.runs.len() >= RUNS || (kind == ActKind::Extend && open.iter().any(extends)) {
            return;
        }
        self.presses += 1;
        let acted = self.memory.act(
            &NewAct {
                event: format!("press/{}", self.presses),
                kind,
                state: ActState::Open,
                by: format!("person-{}", self.presses),
                via: "app/app".to_owned(),
                about: About::Thread(row.alert.thread),
                only: Vec::new(),
                through: None,
                until: Some(self.now().plus_millis(i64::from(hours) * HOUR)),
                detail: String::new(),
                code: None,
                except_lane: None,
                listeners: self.listeners.clone(),
            },
            self.now(),
        );
        if acted.state == ActState::Open {
            self.begin(acted.act);
        }
    }
}

fn admission(now: Timestamp) -> Admission {
    Admission {
        source: SourceId::Configured("source".to_owned()),
        format: Format::Alertmanager,
        content_type: None,
        path_receiver: None,
        sender: "http://am".to_owned(),
        group_key: String::new(),
        received_at: now,
        raw: bytes::Bytes::new(),
        codec: 0,
        alive: None,
        stopped: None,
        push: false,
        test: false,
        deliveries: Vec::new(),
    }
}
