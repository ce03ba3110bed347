//! Access tokens: one for each corp and secret, fetched by one caller at a time, early, and at a limited rate.
//!
//! A rejected token is replaced at once, by the first caller that notices; the others wait for that one fetch. A failed
//! fetch is remembered, so that a wrong secret is tried every few minutes and not with every message: WeCom bars the
//! calling address for an hour (docs/reference/wecom.md#wrong-secrets).

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::Api;
use crate::errcode::Class;
use crate::outcome::{Failure, Fault};

/// At most [`FETCHES`] fetches for one app within this time: on average one every 30 s, and the first after a token was
/// revoked at once (F28, docs/reference/reliability.md#wecoms-faults).
const FETCH_WINDOW_MS: i64 = 60_000;
const FETCHES: usize = 2;
/// First pause after a transient failure of a fetch; doubles up to [`SLOWEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(1);
const SLOWEST_RETRY: Duration = Duration::from_secs(30);
/// WeCom bars an address from gettoken for an hour (docs/reference/wecom.md#wrong-secrets).
const BAN: Duration = Duration::from_hours(1);

/// A future that a boxed closure returns.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

type Load = dyn Fn(String) -> BoxFuture<Option<StoredToken>> + Send + Sync;
type Save = dyn Fn(String, StoredToken) -> BoxFuture<()> + Send + Sync;

/// Stores tokens across restarts and replicas. Both functions get a key that identifies the app without its secret. A
/// store that fails loads nothing and saves nothing: tokens then live in memory only.
pub struct TokenStore {
    /// The token last saved under a key.
    pub load: Box<Load>,
    /// Saves a token under a key, in place of the former one.
    pub save: Box<Save>,
}

/// A stored token.
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// The token.
    pub token: SecretString,
    /// Among the tokens of one app a higher one is newer.
    pub version: i64,
    /// When WeCom starts to reject it, in Unix milliseconds.
    pub expires_at: i64,
    /// Unix milliseconds from which it should be replaced.
    pub refresh_at: i64,
}

/// The answer of gettoken.
pub(crate) struct Fetched {
    pub(crate) token: SecretString,
    pub(crate) lifetime: Duration,
}

/// When tokens are replaced and failures forgotten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// A token is replaced this long before its end.
    pub(crate) refresh_early: Duration,
    /// After a fault that a person must repair.
    pub(crate) probe_interval: Duration,
}

pub(crate) struct Tokens {
    policy: Policy,
    store: Option<TokenStore>,
    /// One slot for each app of the configuration, which bounds the map.
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    /// Held during the fetch, on purpose: a caller that waits here waits for the very token that is being fetched.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<StoredToken>,
    /// When tokens were fetched, at most [`FETCHES`] of them, the oldest first.
    fetched_at: Vec<i64>,
    trouble: Option<Trouble>,
}

/// A fetch that failed.
struct Trouble {
    failure: Failure,
    since: i64,
    hold: Duration,
    /// Consecutive failures.
    times: u32,
}

/// The offer to a caller who does not want the rejected token.
enum Offer {
    Good(StoredToken),
    /// Still valid, but to be replaced.
    Ageing(StoredToken),
    Nothing,
}

impl Tokens {
    pub(crate) fn new(policy: Policy, store: Option<TokenStore>) -> Self {
        Self { policy, store, slots: Mutex::default() }
    }

    /// A token under `key` that is not `refused`; `fetch` asks WeCom for one and is called only if nothing else helps.
    pub(crate) async fn get<F, R>(
        &self,
        key: &str,
        refused: Option<&StoredToken>,
        now: &(dyn Fn() -> i64 + Send + Sync),
        fetch: F,
    ) -> Result<StoredToken, Failure>
    where
        F: FnOnce() -> R,
        R: Future<Output = Result<Fetched, Failure>>,
    {
        let slot = Arc::clone(lock(&self.slots).entry(key.to_owned()).or_default());
        let _flight = match slot.offer(refused, now()) {
            Offer::Good(token) => return Ok(token),
            // A fetch that is only early is not waited for.
            Offer::Ageing(token) => match slot.flight.try_lock() {
                Ok(flight) => flight,
                Err(_) => return Ok(token),
            },
            Offer::Nothing => slot.flight.lock().await,
        };
        // Another caller may have fetched while we waited; if not, an earlier run or another replica may have stored
        // one.
        if let Offer::Good(token) = slot.offer(refused, now()) {
            return Ok(token);
        }
        self.adopt(&slot, key, refused, now).await;
        let ageing = match slot.offer(refused, now()) {
            Offer::Good(token) => return Ok(token),
            Offer::Ageing(token) => Some(token),
            Offer::Nothing => None,
        };
        match self.fetch(&slot, key, now, fetch).await {
            Ok(token) => Ok(token),
            Err(failure) => ageing.ok_or(failure),
        }
    }

    /// Takes the token from the store, if it is better than ours.
    async fn adopt(
        &self,
        slot: &Slot,
        key: &str,
        refused: Option<&StoredToken>,
        now: &(dyn Fn() -> i64 + Send + Sync),
    ) {
        let Some(store) = &self.store else { return };
        let Some(kept) = (store.load)(key.to_owned()).await else { return };
        let mut state = lock(&slot.state);
        let older = state.token.as_ref().is_some_and(|own| kept.version < own.version);
        if !older && kept.serves(refused, now()) {
            state.token = Some(kept);
        }
    }

    async fn fetch<F, R>(
        &self,
        slot: &Slot,
        key: &str,
        now: &(dyn Fn() -> i64 + Send + Sync),
        fetch: F,
    ) -> Result<StoredToken, Failure>
    where
        F: FnOnce() -> R,
        R: Future<Output = Result<Fetched, Failure>>,
    {
        lock(&slot.state).admit(now())?;
        let answer = fetch().await;
        let token = {
            let mut state = lock(&slot.state);
            match answer {
                Ok(fetched) => state.renew(&fetched, now(), self.policy),
                Err(failure) => return Err(state.fail(failure, now(), self.policy)),
            }
        };
        if let Some(store) = &self.store {
            (store.save)(key.to_owned(), token.clone()).await;
        }
        Ok(token)
    }
}

impl Slot {
    fn offer(&self, refused: Option<&StoredToken>, now: i64) -> Offer {
        match &lock(&self.state).token {
            Some(token) if !token.serves(refused, now) => Offer::Nothing,
            Some(token) if token.refresh_at <= now => Offer::Ageing(token.clone()),
            Some(token) => Offer::Good(token.clone()),
            None => Offer::Nothing,
        }
    }
}

impl StoredToken {
    /// Whether it is alive and not the rejected one: compared by content, because two replicas may have given two
    /// tokens the same version.
    fn serves(&self, refused: Option<&Self>, now: i64) -> bool {
        let refused = refused.is_some_and(|refused| {
            self.version < refused.version || self.token.expose_secret() == refused.token.expose_secret()
        });
        !refused && now < self.expires_at
    }
}

impl State {
    /// Whether WeCom may be asked now; if so, the fetch is counted.
    fn admit(&mut self, now: i64) -> Result<(), Failure> {
        if let Some(trouble) = &self.trouble
            && let Some(left) = left(trouble.since, trouble.hold, now)
        {
            return Err(Failure { retry_after: Some(left), ..trouble.failure.clone() });
        }
        if self.fetched_at.len() == FETCHES {
            let window = Duration::from_millis(FETCH_WINDOW_MS.unsigned_abs());
            if let Some(left) = left(self.fetched_at[0], window, now) {
                let failure = Failure::new(Api::GetToken, Class::Transient, Fault::TokenBudget, String::new());
                return Err(Failure { retry_after: Some(left), ..failure });
            }
            self.fetched_at.remove(0);
        }
        self.fetched_at.push(now);
        Ok(())
    }

    fn renew(&mut self, fetched: &Fetched, now: i64, policy: Policy) -> StoredToken {
        // A short-lived token is still used for most of its life.
        let early = policy.refresh_early.min(fetched.lifetime / 4);
        let token = StoredToken {
            token: fetched.token.clone(),
            // The time, so that versions of tokens from other replicas and earlier runs are comparable.
            version: self.token.as_ref().map_or(now, |former| now.max(former.version + 1)),
            expires_at: now.saturating_add(millis(fetched.lifetime)),
            refresh_at: now.saturating_add(millis(fetched.lifetime.saturating_sub(early))),
        };
        self.token = Some(token.clone());
        self.trouble = None;
        token
    }

    fn fail(&mut self, failure: Failure, now: i64, policy: Policy) -> Failure {
        // It gave no token, so it revoked none; the hold sets the pace of failures.
        self.fetched_at.pop();
        let times = self.trouble.as_ref().map_or(0, |former| former.times) + 1;
        let hold = hold(&failure, times, policy.probe_interval);
        self.trouble = Some(Trouble { failure: failure.clone(), since: now, hold, times });
        Failure { retry_after: Some(hold), ..failure }
    }
}

/// How long WeCom is not asked for a token after `times` consecutive failures.
fn hold(failure: &Failure, times: u32, probe_interval: Duration) -> Duration {
    match failure.class {
        Class::Ok | Class::Transient => {
            failure.retry_after.unwrap_or(FIRST_RETRY).saturating_mul(1 << (times - 1).min(5)).min(SLOWEST_RETRY)
        }
        Class::BackOff if times == 1 => failure.retry_after.unwrap_or(BAN),
        Class::BackOff => BAN,
        Class::Token | Class::Refused | Class::Configuration => probe_interval,
    }
}

/// The rest of `span` since `since`. A clock that was set back ends the wait: it must not last for ever.
fn left(since: i64, span: Duration, now: i64) -> Option<Duration> {
    let gone = Duration::from_millis(u64::try_from(now.saturating_sub(since)).ok()?);
    span.checked_sub(gone).filter(|left| !left.is_zero())
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The state is replaced as a whole or not at all, so a panic elsewhere leaves it valid.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};

    use super::*;

    const POLICY: Policy = Policy { refresh_early: Duration::from_mins(5), probe_interval: Duration::from_mins(5) };
    const START: i64 = 1_700_000_000_000;

    /// A simulated gettoken, and a clock that the test controls.
    struct World {
        tokens: Tokens,
        now: Arc<AtomicI64>,
        fetches: Arc<AtomicUsize>,
    }

    impl World {
        fn new(store: Option<TokenStore>) -> Self {
            Self { tokens: Tokens::new(POLICY, store), now: Arc::new(AtomicI64::new(START)), fetches: Arc::default() }
        }

        fn pass(&self, seconds: i64) {
            self.now.fetch_add(seconds * 1000, SeqCst);
        }

        fn fetches(&self) -> usize {
            self.fetches.load(SeqCst)
        }

        async fn get(&self, refused: Option<&StoredToken>) -> Result<StoredToken, Failure> {
            self.get_or(refused, None).await
        }

        /// gettoken answers with `failure`, if given; otherwise with a new token each time.
        async fn get_or(
            &self,
            refused: Option<&StoredToken>,
            failure: Option<Failure>,
        ) -> Result<StoredToken, Failure> {
            let now = Arc::clone(&self.now);
            let fetch = || async {
                let count = self.fetches.fetch_add(1, SeqCst) + 1;
                tokio::task::yield_now().await;
                match failure {
                    Some(failure) => Err(failure),
                    None => Ok(Fetched { token: format!("token-{count}").into(), lifetime: Duration::from_hours(2) }),
                }
            };
            self.tokens.get("ww1", refused, &move || now.load(SeqCst), fetch).await
        }
    }

    fn failure(class: Class) -> Failure {
        Failure::new(Api::GetToken, class, Fault::Connect, String::new())
    }

    fn shown(token: &StoredToken) -> &str {
        token.token.expose_secret()
    }

    #[tokio::test]
    async fn a_hundred_callers_at_once_fetch_one_token() {
        let world = Arc::new(World::new(None));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let world = Arc::clone(&world);
            callers.spawn(async move { world.get(None).await.unwrap().token.expose_secret().to_owned() });
        }
        assert!(callers.join_all().await.iter().all(|token| token == "token-1"));
        assert_eq!(world.fetches(), 1);
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced_once_however_late_its_failures_come() {
        let world = World::new(None);
        let first = world.get(None).await.unwrap();
        assert_eq!(shown(&world.get(Some(&first)).await.unwrap()), "token-2");
        world.pass(120);
        assert_eq!(shown(&world.get(Some(&first)).await.unwrap()), "token-2");
        assert_eq!(world.fetches(), 2);
    }

    #[tokio::test]
    async fn a_token_is_replaced_before_its_end_and_serves_on_if_that_fails() {
        let world = World::new(None);
        world.get(None).await.unwrap();
        world.pass(7200 - 301);
        assert_eq!(shown(&world.get(None).await.unwrap()), "token-1");
        world.pass(1);
        let kept = world.get_or(None, Some(failure(Class::Transient))).await.unwrap();
        assert_eq!((shown(&kept), world.fetches()), ("token-1", 2));
        world.pass(60);
        assert_eq!(shown(&world.get(None).await.unwrap()), "token-3");
        // The last second of a token's validity.
        world.pass(7200);
        assert!(world.get_or(None, Some(failure(Class::Transient))).await.is_err());
    }

    #[tokio::test]
    async fn a_token_that_is_revoked_again_and_again_is_fetched_twice_a_minute_at_most() {
        let world = World::new(None);
        let mut token = world.get(None).await.unwrap();
        for _ in 0..600 {
            world.pass(1);
            match world.get(Some(&token)).await {
                Ok(fresh) => token = fresh,
                Err(failure) => {
                    assert_eq!((failure.fault, failure.class), (Fault::TokenBudget, Class::Transient));
                    assert!(failure.retry_after.unwrap() <= Duration::from_mins(1));
                }
            }
        }
        // The first at once, then two in each of ten minutes.
        assert!((20..=22).contains(&world.fetches()), "{}", world.fetches());
    }

    #[tokio::test]
    async fn a_wrong_secret_is_tried_every_five_minutes_and_its_reason_is_told_meanwhile() {
        let world = World::new(None);
        for _ in 0..3600 {
            let failure = world.get_or(None, Some(failure(Class::Configuration))).await.unwrap_err();
            assert_eq!(failure.class, Class::Configuration);
            assert!(failure.retry_after.unwrap() <= Duration::from_mins(5));
            world.pass(1);
        }
        assert_eq!(world.fetches(), 12);
        world.pass(300);
        assert!(world.get(None).await.is_ok());
    }

    #[tokio::test]
    async fn a_ban_is_sat_out_for_its_window_and_then_for_an_hour() {
        let world = World::new(None);
        let banned =
            || Failure::refused(Api::GetToken, 45009, "api freq out of limit", &crate::outcome::Secrets::default());
        for _ in 0..3600 {
            assert_eq!(world.get_or(None, Some(banned())).await.unwrap_err().errcode(), Some(45009));
            world.pass(1);
        }
        assert_eq!(world.fetches(), 2);
    }

    #[tokio::test]
    async fn a_passing_fault_is_shared_by_all_who_wait_and_tried_again_ever_more_slowly() {
        let world = Arc::new(World::new(None));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let world = Arc::clone(&world);
            callers.spawn(async move { world.get_or(None, Some(failure(Class::Transient))).await.is_err() });
        }
        assert!(callers.join_all().await.iter().all(|failed| *failed));
        assert_eq!(world.fetches(), 1);
        let holds: Vec<u64> = (1..=7).map(|n| hold(&failure(Class::Transient), n, Duration::ZERO).as_secs()).collect();
        assert_eq!(holds, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[tokio::test]
    async fn failures_spend_nothing_of_the_budget_for_revoked_tokens() {
        let world = World::new(None);
        for _ in 0..5 {
            world.get_or(None, Some(failure(Class::Transient))).await.unwrap_err();
            world.pass(30);
        }
        let token = world.get(None).await.unwrap();
        assert!(world.get(Some(&token)).await.is_ok());
    }

    #[tokio::test]
    async fn a_token_fetched_after_the_clock_was_set_back_is_the_newer_one_all_the_same() {
        let world = World::new(None);
        let first = world.get(None).await.unwrap();
        world.pass(-3600);
        assert!(world.get(Some(&first)).await.unwrap().version > first.version);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_does_not_prolong_a_hold() {
        let world = World::new(None);
        world.get_or(None, Some(failure(Class::Configuration))).await.unwrap_err();
        world.pass(-86_400);
        assert!(world.get(None).await.is_ok());
    }

    #[tokio::test]
    async fn a_caller_who_gives_up_while_fetching_leaves_the_way_free_for_the_next() {
        let world = World::new(None);
        {
            let abandoned = world.get(None);
            tokio::pin!(abandoned);
            tokio::select! {
                biased;
                _ = &mut abandoned => panic!("the fetch yields first"),
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(shown(&world.get(None).await.unwrap()), "token-2");
    }

    type Shelf = Arc<Mutex<Option<StoredToken>>>;

    fn store(shelf: &Shelf) -> TokenStore {
        let (loading, saving) = (Arc::clone(shelf), Arc::clone(shelf));
        TokenStore {
            load: Box::new(move |_| Box::pin(std::future::ready(lock(&loading).clone()))),
            save: Box::new(move |key, token| {
                assert_eq!(key, "ww1");
                *lock(&saving) = Some(token);
                Box::pin(std::future::ready(()))
            }),
        }
    }

    #[tokio::test]
    async fn a_token_survives_a_restart_and_is_shared_between_replicas() {
        let shelf = Shelf::default();
        let (one, two) = (World::new(Some(store(&shelf))), World::new(Some(store(&shelf))));
        let first = one.get(None).await.unwrap();
        assert_eq!(shown(&two.get(None).await.unwrap()), "token-1");
        assert_eq!(two.fetches(), 0);
        // Revoked: the first one that notices replaces it for both.
        one.pass(1);
        let second = one.get(Some(&first)).await.unwrap();
        assert_eq!(shown(&two.get(Some(&first)).await.unwrap()), shown(&second));
        assert_eq!((one.fetches(), two.fetches()), (2, 0));
    }

    #[tokio::test]
    async fn a_token_that_died_in_the_store_is_replaced_and_an_old_one_is_not_taken_for_new() {
        let shelf = Shelf::default();
        let world = World::new(Some(store(&shelf)));
        let dead = StoredToken { token: "old".into(), version: START - 9, expires_at: START, refresh_at: START - 5 };
        *lock(&shelf) = Some(dead.clone());
        let first = world.get(None).await.unwrap();
        assert_eq!((shown(&first), shown(lock(&shelf).as_ref().unwrap())), ("token-1", "token-1"));
        // Another replica was slow to save: its token is alive, but older than ours.
        let late = StoredToken { expires_at: i64::MAX, refresh_at: i64::MAX, ..dead };
        *lock(&shelf) = Some(late.clone());
        assert_eq!(shown(&world.get(Some(&first)).await.unwrap()), "token-2");
        *lock(&shelf) = Some(late);
        world.pass(7000);
        assert_eq!(shown(&world.get(None).await.unwrap()), "token-3");
    }
}
