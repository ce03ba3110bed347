//! All state of a simulator, behind one lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::Refusal;
use crate::bot::Bots;
use crate::call::Call;
use crate::callback::Callbacks;
use crate::clicks::Clicks;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::inbox::Inbox;
use crate::journal::Journal;
use crate::kept::Kept;
use crate::rate::{Recent, Tallies, Tally};
use crate::setup::{App, Corp, Setup};
use crate::sign_in::SignIn;
use crate::switches::Switches;
use crate::tokens::{Badge, Tokens};
use crate::vault::Vault;

/// The state, shared by all connections. The lock is std's: it is never held across an await.
pub(crate) type Shared = Arc<Mutex<World>>;

/// The most remembered `response_code`s, duplicates and task ids, each.
const MAX_REMEMBERED: usize = 5000;

/// An issued `response_code`.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) badge: Badge,
    /// The id in the inbox.
    pub(crate) message: u64,
    pub(crate) issued_ms: i64,
    pub(crate) used: bool,
}

/// How many messages a member of group chats has got from one app.
#[derive(Debug)]
pub(crate) struct ChatMember {
    pub(crate) recent: Recent,
    pub(crate) day: Tally,
}

/// The whole state.
#[derive(Debug)]
pub(crate) struct World {
    /// The base URL of this simulator, for the addresses of uploaded pictures.
    pub(crate) url: String,
    pub(crate) setup: Setup,
    pub(crate) clock: Clock,
    pub(crate) switches: Switches,
    pub(crate) faults: Faults,
    pub(crate) tokens: Tokens,
    pub(crate) inbox: Inbox,
    pub(crate) journal: Journal,
    pub(crate) vault: Vault,
    pub(crate) codes: Kept<Code>,
    /// Digest of a checked request → when, and the msgid it got.
    pub(crate) duplicates: Kept<(i64, String)>,
    pub(crate) task_ids: Kept<()>,
    /// (corp, app, userid) → deliveries.
    pub(crate) members: HashMap<(String, i64, String), Recent>,
    pub(crate) chat_members: HashMap<(String, i64, String), ChatMember>,
    pub(crate) webhooks: HashMap<String, Recent>,
    /// Counts per corp, app or IP under their own names ("api wwcorp message/send").
    pub(crate) tallies: HashMap<String, Tallies>,
    /// Failed look-ups and lock-outs: (corp, API) → (times, barred until).
    pub(crate) lookups: HashMap<(String, String), (Recent, i64)>,
    /// Messages sent per app: today and yesterday by natural day.
    pub(crate) sent: HashMap<Badge, HashMap<i64, u64>>,
    /// (corp, app, address) → when a newly trusted address takes effect.
    pub(crate) trusted_from: HashMap<(String, i64, String), i64>,
    /// Codes of people who sign in to web pages.
    pub(crate) sign_ins: Kept<SignIn>,
    pub(crate) clicks: Clicks,
    pub(crate) callbacks: Callbacks,
    pub(crate) bots: Bots,
    pub(crate) background: Background,
}

/// Tasks that belong to no request; they end with the simulator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Background {
    pub(crate) ended: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Background {
    /// Runs `task` until it is done or the simulator ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let ended = self.ended.clone();
        self.tasks.spawn(async move {
            ended.run_until_cancelled_owned(task).await;
        });
    }
}

impl World {
    pub(crate) fn new(setup: Setup, url: String, background: Background) -> Self {
        Self {
            url,
            background,
            setup,
            clock: Clock::default(),
            switches: Switches::default(),
            faults: Faults::default(),
            tokens: Tokens::new(),
            inbox: Inbox::default(),
            journal: Journal::default(),
            vault: Vault::new(),
            codes: Kept::new(MAX_REMEMBERED),
            duplicates: Kept::new(MAX_REMEMBERED),
            task_ids: Kept::new(MAX_REMEMBERED),
            members: HashMap::new(),
            chat_members: HashMap::new(),
            webhooks: HashMap::new(),
            tallies: HashMap::new(),
            lookups: HashMap::new(),
            sent: HashMap::new(),
            trusted_from: HashMap::new(),
            sign_ins: Kept::new(MAX_REMEMBERED),
            clicks: Clicks::new(),
            callbacks: Callbacks::new(),
            bots: Bots::new(),
        }
    }

    /// Restarts with `setup`. Listening pages stay connected, bots' connections are cut.
    pub(crate) fn reset(&mut self, setup: Setup) {
        let mut next = Self::new(setup, std::mem::take(&mut self.url), self.background.clone());
        self.inbox.clear();
        self.clicks.clear();
        self.callbacks.clear();
        self.bots.clear();
        std::mem::swap(&mut next.inbox, &mut self.inbox);
        std::mem::swap(&mut next.clicks, &mut self.clicks);
        std::mem::swap(&mut next.callbacks, &mut self.callbacks);
        std::mem::swap(&mut next.bots, &mut self.bots);
        *self = next;
    }

    pub(crate) fn corp(&self, corp_id: &str) -> Option<&Corp> {
        self.setup.corps.iter().find(|corp| corp.corp_id == corp_id)
    }

    pub(crate) fn corp_mut(&mut self, corp_id: &str) -> Option<&mut Corp> {
        self.setup.corps.iter_mut().find(|corp| corp.corp_id == corp_id)
    }

    /// The corp and app of a badge. They can be gone: the control API edits the corp while tokens live.
    pub(crate) fn app(&self, badge: &Badge) -> Result<(&Corp, &App), Refusal> {
        let corp = self.corp(&badge.corp_id).ok_or_else(|| Refusal::code(40013))?;
        let app = corp.apps.iter().find(|app| app.agent_id == badge.agent_id).ok_or_else(|| Refusal::code(40001))?;
        Ok((corp, app))
    }

    /// Whether clicks on the app's cards are reported: its callback URL is verified or counts as such.
    pub(crate) fn has_callback(&self, badge: &Badge) -> bool {
        self.app(badge).is_ok_and(|(_, app)| app.callback) || self.callbacks.is_verified(badge)
    }

    /// The app of the call's token, after the checks common to all endpoints: token, address, app.
    pub(crate) fn badge(&self, call: &Call) -> Result<Badge, Refusal> {
        let token = call.param("access_token").ok_or_else(|| Refusal::code(41001))?;
        let badge = self.tokens.check(token, self.clock.now())?;
        let (_, app) = self.app(&badge)?;
        self.check_address(&badge, app, &call.from)?;
        if app.closed && call.path != "agent/get" {
            return Err(Refusal::code(50003));
        }
        Ok(badge)
    }

    /// 60020 unless the caller's address is trusted and the trust has taken effect
    /// (docs/reference/wecom.md#trusted-addresses).
    pub(crate) fn check_address(&self, badge: &Badge, app: &App, from: &str) -> Result<(), Refusal> {
        let Some(list) = &app.trusted_ips else { return Ok(()) };
        let listed = list.iter().flat_map(|entry| entry.split(';')).any(|address| address.trim() == from);
        let key = (badge.corp_id.clone(), badge.agent_id, from.to_owned());
        let acts = self.trusted_from.get(&key).is_none_or(|&from_ms| from_ms <= self.clock.now());
        if listed && acts { Ok(()) } else { Err(Refusal::code(60020)) }
    }
}

/// Locks the state; a panic of another holder does not end the simulator.
pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
