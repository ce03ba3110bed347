//! Signing in by a password: local administrators, for when WeCom does not answer.
//!
//! A wrong name and a wrong password get the same answer after the same work. Whoever guesses waits: each address and each
//! name has five tries, then a delay that doubles up to a minute, whether or not there is such a name. The tries are counted
//! before they are checked, so that many at a time are no way around, and checks run one at a time, because each takes
//! 19 MiB. The counts are those of this process. While a name is guessed, `wegraf console link` still signs in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tracing::warn;

use super::super::pages::{Reader, answer};
use super::super::peer::Peer;
use super::super::refusal::Cause;
use super::guest::{FORM_BYTES, fields};
use super::sign_in::{inside, open};
use super::{Gate, can_be_overheard, is_ours, usual};
use crate::config::{Password, local_person};
use crate::console::{self, PasswordPage};
use crate::store::{Hash, Step, hash};
use crate::words::Words;

/// Tries before the first delay: people mistype.
const FREE: u32 = 5;
/// The longest delay: 1,440 tries a day against one name, and no administrator is kept out for longer than this.
const LONGEST: Duration = Duration::from_mins(1);
/// Tries are forgotten so long after the last one.
const FORGOTTEN: Duration = Duration::from_mins(30);
/// Addresses and names that are counted: some 500 KB.
const COUNTED: usize = 4096;
/// How long a try waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The way of these sessions.
pub(super) const WAY: &str = "password";

/// Where to go on afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Start {
    to: String,
}

/// The passwords that are tried.
#[derive(Debug)]
pub struct Guesses {
    counts: Mutex<Counts>,
    checking: Semaphore,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { counts: Mutex::default(), checking: Semaphore::new(1) }
    }
}

impl Guesses {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is `tried` this password? Where there is none of the name, `password` is another one's, and the answer is for the
    /// caller to refuse. `None`: too many are being checked.
    async fn check(&self, password: Password, tried: String) -> Option<bool> {
        let turn = tokio::time::timeout(PATIENCE, self.checking.acquire()).await.ok()?.ok()?;
        let is = tokio::task::spawn_blocking(move || password.is(&tried)).await.ok();
        drop(turn);
        is
    }
}

/// What is counted: tries of an address, and of a name, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Site(IpAddr),
    Name(Hash),
}

impl Of {
    fn all(site: IpAddr, name: &str) -> [Self; 2] {
        [Self::Site(site), Self::Name(hash(&name.to_ascii_lowercase()))]
    }
}

/// How often who tried, and when last. Pure: the time comes in.
#[derive(Debug, Default)]
struct Counts(HashMap<Of, (u32, Instant)>);

impl Counts {
    /// Counts a try; or how long it has to wait, which is no try.
    fn begin(&mut self, all: [Of; 2], now: Instant) -> Result<(), Duration> {
        let wait = all.iter().filter_map(|of| self.wait(*of, now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for of in all {
            self.count(of, now);
        }
        Ok(())
    }

    fn wait(&self, of: Of, now: Instant) -> Option<Duration> {
        let (tries, last) = self.0.get(&of)?;
        let past = now.saturating_duration_since(*last);
        if past >= FORGOTTEN {
            return None;
        }
        let doubled = tries.checked_sub(FREE)?.min(6);
        let left = Duration::from_secs(1 << doubled).min(LONGEST).saturating_sub(past);
        (!left.is_zero()).then_some(left)
    }

    fn count(&mut self, of: Of, now: Instant) {
        let old = |last: Instant| now.saturating_duration_since(last) >= FORGOTTEN;
        if self.0.len() >= COUNTED && !self.0.contains_key(&of) {
            self.0.retain(|_, (_, last)| !old(*last));
            // Those who guess most are remembered longest.
            if self.0.len() >= COUNTED
                && let Some(least) = self.0.iter().min_by_key(|(_, known)| **known).map(|(of, _)| *of)
            {
                self.0.remove(&least);
            }
        }
        let (tries, last) = self.0.entry(of).or_insert((0, now));
        if old(*last) {
            *tries = 0;
        }
        (*tries, *last) = (tries.saturating_add(1), now);
    }

    /// The password was right.
    fn forgive(&mut self, all: [Of; 2]) {
        for of in all {
            self.0.remove(&of);
        }
    }
}

/// Asks for name and password.
pub(super) async fn ask(State(gate): State<Gate>, Query(Start { to }): Query<Start>, parts: Parts) -> Response {
    page(&gate, &Reader::of(&parts), StatusCode::OK, None, "", inside(&to))
}

fn page(gate: &Gate, reader: &Reader, status: StatusCode, said: Option<Words>, name: &str, to: &str) -> Response {
    if gate.server.setup.now().config.sign_in.local.is_empty() {
        return reader.note(StatusCode::NOT_FOUND, usual(gate), console::NO_PAGE);
    }
    let f = reader.frame(usual(gate));
    let said = said.map(|said| f.say(said).into_owned()).unwrap_or_default();
    let page = PasswordPage { f, said, name: name.to_owned(), to: to.to_owned(), plain: can_be_overheard(gate) };
    answer(status, &page, &[])
}

/// Signs in by a password.
pub(super) async fn enter(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reader = Reader::of(&parts);
    let form = if is_ours(&gate, &parts.headers) { fields(body, FORM_BYTES).await } else { None };
    let Some(form) = form else {
        return Cause::new("form").attach(reader.note(StatusCode::FORBIDDEN, usual(&gate), console::FORM_UNREADABLE));
    };
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let (name, tried, to) = (field("name").trim(), field("password"), inside(field("to")));
    let known = gate.server.setup.now().config.sign_in.local.clone();
    let Some(any) = known.values().next() else {
        return reader.note(StatusCode::NOT_FOUND, usual(&gate), console::NO_PAGE);
    };
    let site = parts.extensions.get::<Peer>().map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.site());
    let all = Of::all(site, name);
    let begun = gate.guesses.counts().begin(all, Instant::now());
    if let Err(wait) = begun {
        return later(&gate, &reader, wait, name, to);
    }
    let password = known.get(name);
    let Some(is) = gate.guesses.check(password.unwrap_or(any).clone(), tried.to_owned()).await else {
        return later(&gate, &reader, PATIENCE, name, to);
    };
    if is && password.is_some() {
        gate.guesses.counts().forgive(all);
        return open(&gate, &reader, &parts, &local_person(name), WAY, to).await;
    }
    if password.is_some() {
        refused(&gate, name, parts.extensions.get::<Peer>());
    }
    let said = page(&gate, &reader, StatusCode::FORBIDDEN, Some(console::NAME_OR_PASSWORD), name, to);
    Cause::guess("password", Cause::PASSWORD).attach(said)
}

fn later(gate: &Gate, reader: &Reader, wait: Duration, name: &str, to: &str) -> Response {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    let mut said = page(gate, reader, StatusCode::TOO_MANY_REQUESTS, Some(console::wait_seconds(seconds)), name, to);
    said.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Cause::new("often").attach(said)
}

/// Notes in the trail that the password of a name that there is was wrong: once a minute at most, since the name waits. What
/// is typed for other names is kept nowhere: it may be a password. Beside the answer, whose time would tell the name.
fn refused(gate: &Gate, name: &str, peer: Option<&Peer>) {
    let step = Step {
        at: gate.server.clock.now(),
        person: local_person(name),
        what: "refused".to_owned(),
        way: WAY.to_owned(),
        address: peer.map(|peer| peer.address().to_string()).unwrap_or_default(),
    };
    let server = gate.server.clone();
    tokio::spawn(async move {
        if let Err(error) = server.store.leave(step).await {
            warn!(%error, "That a password was refused is not in the trail.");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    #[test]
    fn who_guesses_waits_longer_each_time_by_address_and_by_name() {
        let (mut counts, begun) = (Counts::default(), Instant::now());
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let all = Of::all(site(7), "admin");
        for _ in 0..5 {
            assert_eq!(counts.begin(all, at(0)), Ok(()));
        }
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(counts.begin(all, at(now)), Err(Duration::from_secs(wait)), "{wait}");
            now += wait;
            assert_eq!(counts.begin(all, at(now)), Ok(()), "{wait}");
        }
        // Neither another name nor another address helps, nor other letters; both do.
        for other in [Of::all(site(7), "root"), Of::all(site(8), "ADMIN")] {
            assert_eq!(counts.begin(other, at(now)), Err(Duration::from_mins(1)));
        }
        assert_eq!(counts.begin(Of::all(site(8), "root"), at(now)), Ok(()));
        assert_eq!(counts.begin(all, at(now + 1800)), Ok(()));
        assert_eq!(counts.begin(all, at(now + 1800)), Ok(()), "it was long ago");
    }

    #[test]
    fn the_right_password_ends_the_wait_and_no_flood_makes_a_guesser_forgotten() {
        let (mut counts, now) = (Counts::default(), Instant::now());
        let all = Of::all(site(7), "admin");
        for _ in 0..5 {
            counts.begin(all, now).unwrap();
        }
        for number in 0..10_000_u32 {
            let _ = counts.begin(Of::all(IpAddr::V4(number.into()), &number.to_string()), now);
        }
        assert!(counts.0.len() <= COUNTED);
        assert!(counts.begin(all, now).is_err(), "a flood of names makes this one forgotten");
        counts.forgive(all);
        assert_eq!(counts.begin(all, now), Ok(()));
    }
}
