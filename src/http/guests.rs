//! The open connections: what each is doing, and which one is closed when there is no place left.
//!
//! Pure: the time comes in, and what is to be closed goes out by number. Connections whose present request has proved
//! its source are *known*, all others are *strangers*. Strangers never take the places of known ones. Among strangers
//! the address with the most of them gives way, first connections that do not read their answer or are idle, then those
//! that were waited for longest. A connection that was never looked at, or whose request is complete, does not: a peer
//! that sends its request at once is answered, regardless of how many others stay silent.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Deadline of all headers of a request (F90, docs/reference/reliability.md#hostile-input).
pub(super) const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// Deadline of the whole body of a request (F90, docs/reference/reliability.md#hostile-input).
pub(super) const BODY_DEADLINE: Duration = Duration::from_secs(15);
/// Deadline for a peer to read its answer, from when it is ready. Answers are small; a slow line takes a page in a
/// second.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);
/// Timeout between two requests of a connection: one above the usual scrape interval would keep unused places.
const IDLE_DEADLINE: Duration = Duration::from_secs(30);
/// At most one in this many places is for connections that were not looked at yet.
const UNSEEN: usize = 4;
/// A late body is answered 408 by its reader; the connection is closed only if that does not happen.
const GRACE: Duration = Duration::from_secs(5);

/// The origin of a connection. A host has a whole /64 of IPv6, so that counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let prefix = u128::from(v6) >> 64 << 64;
                Self(IpAddr::V6(Ipv6Addr::from(prefix)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The peer sends the head of a request, or has sent nothing since it connected.
    Head,
    /// The peer sends a body.
    Body,
    /// The request is complete and being handled.
    Work,
    /// The answer is ready for the peer to read.
    Answer,
    /// The answer was sent; the next request may come.
    Idle,
}

impl Stage {
    /// The order of giving way: first connections from which nothing more is expected, then those that may still send.
    fn rank(self) -> Option<u8> {
        match self {
            Self::Answer | Self::Idle => Some(0),
            Self::Head | Self::Body => Some(1),
            Self::Work => None,
        }
    }

    /// When a connection that enters this stage now ends; `None`: our own work has deadlines of its own.
    fn until(self, now: Instant) -> Option<Instant> {
        match self {
            Self::Head => Some(now + HEAD_DEADLINE),
            Self::Body => Some(now + BODY_DEADLINE + GRACE),
            Self::Work => None,
            Self::Answer => Some(now + ANSWER_DEADLINE),
            Self::Idle => Some(now + IDLE_DEADLINE),
        }
    }
}

/// Why a connection is closed from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ended {
    /// The head of a request did not arrive in time.
    SlowHead,
    /// The body did not arrive in time and nothing read it.
    SlowBody,
    /// The peer did not read its answer in time.
    NotReading,
    /// No further request came.
    Idle,
    /// Its place was needed for another connection.
    Crowded,
}

impl Ended {
    /// The name in the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::NotReading => "not_reading",
            Self::Idle => "idle",
            Self::Crowded => "crowded",
        }
    }
}

/// Limits on connections, and on bytes of unproven bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    /// Connections of strangers.
    pub strangers: usize,
    /// Connections of known ones.
    pub known: usize,
    /// Bytes of bodies that are not proven yet.
    pub unproven: usize,
}

#[derive(Debug)]
struct Guest {
    address: Address,
    /// A stranger's number: the lower, the longer it has been one. `None`: known.
    stranger: Option<u64>,
    /// Its place among those of its address that may be closed.
    place: Option<(u8, u64)>,
    /// Was it looked at, so that it is the peer that keeps us waiting?
    seen: bool,
    stage: Stage,
    until: Option<Instant>,
    /// Bytes of its body that are held and not proven.
    held: usize,
    /// Its body was dismissed in favour of others.
    dismissed: bool,
}

/// The connections of one listener.
#[derive(Debug)]
pub(super) struct Guests {
    places: Places,
    next: u64,
    open: HashMap<u64, Guest>,
    /// By address: the strangers that may be closed, the first to be closed first, as place and number.
    waiting: HashMap<Address, BTreeMap<(u8, u64), u64>>,
    unknown: usize,
    /// Those that were not looked at yet.
    unseen: usize,
    held: usize,
}

impl Guests {
    pub fn new(places: Places) -> Self {
        Self { places, next: 0, open: HashMap::new(), waiting: HashMap::new(), unknown: 0, unseen: 0, held: 0 }
    }

    /// Admits a connection and returns its number, and that of the one to be closed for it. `None`: every place is
    /// taken by a request being handled, or there are many connections that were not looked at yet: soon one will end,
    /// or be looked at. Otherwise the connections that kept waiting would be few, possibly with one among them that is
    /// about to send.
    pub fn enter(&mut self, address: Address, now: Instant) -> Option<(u64, Option<u64>)> {
        if self.unseen * UNSEEN > self.places.strangers {
            return None;
        }
        let victim = if self.unknown < self.places.strangers { None } else { Some(self.in_the_way()?) };
        if let Some(victim) = victim {
            self.leave(victim);
        }
        let id = self.number();
        let stage = Stage::Head;
        let guest = Guest {
            address,
            stranger: None,
            place: None,
            seen: false,
            stage,
            until: stage.until(now),
            held: 0,
            dismissed: false,
        };
        self.open.insert(id, guest);
        self.unseen += 1;
        self.estrange(id);
        Some((id, victim))
    }

    /// Its proxy has said whose the connection is.
    pub fn introduce(&mut self, id: u64, address: Address) {
        let Some(guest) = self.open.get_mut(&id) else { return };
        // Out of the line of its proxy, into that of its sender.
        let seen = std::mem::replace(&mut guest.seen, false);
        self.settle(id);
        if let Some(guest) = self.open.get_mut(&id) {
            (guest.address, guest.seen) = (address, seen);
        }
        self.settle(id);
    }

    /// Everything readable of the connection was read: from now on the peer keeps us waiting.
    pub fn look(&mut self, id: u64) {
        if self.open.get_mut(&id).is_some_and(|guest| !std::mem::replace(&mut guest.seen, true)) {
            self.unseen -= 1;
        }
        self.settle(id);
    }

    /// The connection is closed, or about to be.
    pub fn leave(&mut self, id: u64) {
        self.release(id);
        self.acquaint(id);
        if self.open.remove(&id).is_some_and(|guest| !guest.seen) {
            self.unseen -= 1;
        }
    }

    /// The head of a request has arrived: until it is proven, the connection is a stranger's.
    pub fn request(&mut self, id: u64, stage: Stage, now: Instant) {
        self.release(id);
        if self.open.get(&id).is_some_and(|guest| guest.stranger.is_none()) {
            self.estrange(id);
        }
        self.stage(id, stage, now);
    }

    /// The present request has proved its source. Returns the number of the connection to be closed for it, if all
    /// places of known ones are taken.
    pub fn prove(&mut self, id: u64) -> Option<u64> {
        self.release(id);
        self.acquaint(id);
        let known = self.open.len() - self.unknown;
        if known <= self.places.known {
            return None;
        }
        let resting = |(other, guest): (&u64, &Guest)| {
            (guest.stranger.is_none() && guest.stage == Stage::Idle && *other != id).then_some((guest.until, *other))
        };
        let victim = self.open.iter().filter_map(resting).min().map(|(_, victim)| victim);
        match victim {
            Some(victim) => self.leave(victim),
            // All of them are being handled: this one is served, and counts as a stranger.
            None => self.estrange(id),
        }
        victim
    }

    /// The connection enters `stage`.
    pub fn stage(&mut self, id: u64, stage: Stage, now: Instant) {
        if stage == Stage::Answer {
            self.release(id);
        }
        if let Some(guest) = self.open.get_mut(&id) {
            guest.stage = stage;
            guest.until = stage.until(now);
        }
        self.settle(id);
    }

    /// What the connection is doing; `None` if it has left.
    #[cfg(test)]
    pub fn doing(&self, id: u64) -> Option<Stage> {
        self.open.get(&id).map(|guest| guest.stage)
    }

    /// Is the present request of the connection proven?
    pub fn is_known(&self, id: u64) -> bool {
        self.open.get(&id).is_some_and(|guest| guest.stranger.is_none())
    }

    /// Are there so many strangers that each gets only one answer?
    pub fn is_crowded(&self) -> bool {
        self.unknown * 2 > self.places.strangers
    }

    /// Strangers and known ones.
    pub fn count(&self) -> (usize, usize) {
        (self.unknown, self.open.len() - self.unknown)
    }

    /// Bytes of an unproven body have arrived. Returns the number of the connection whose body must be dismissed
    /// because there are too many: the largest of the address that holds the most.
    pub fn hold(&mut self, id: u64, bytes: usize) -> Option<u64> {
        let guest = self.open.get_mut(&id).filter(|guest| guest.stranger.is_some())?;
        guest.held += bytes;
        self.held += bytes;
        if self.held <= self.places.unproven {
            return None;
        }
        let mut by_address: HashMap<Address, usize> = HashMap::new();
        for guest in self.open.values() {
            *by_address.entry(guest.address).or_default() += guest.held;
        }
        let arriving = |(other, guest): (&u64, &Guest)| {
            let arriving = guest.held > 0 && guest.stage == Stage::Body && !guest.dismissed;
            arriving.then(|| (by_address[&guest.address], guest.held, *other))
        };
        let victim = self.open.iter().filter_map(arriving).max().map(|(_, _, victim)| victim)?;
        self.release(victim);
        if let Some(guest) = self.open.get_mut(&victim) {
            guest.dismissed = true;
        }
        Some(victim)
    }

    /// The connections whose deadline has passed, and why. They are removed.
    pub fn overdue(&mut self, now: Instant) -> Vec<(u64, Ended)> {
        let late = |(id, guest): (&u64, &Guest)| {
            let ended = match guest.stage {
                Stage::Head => Ended::SlowHead,
                Stage::Body | Stage::Work => Ended::SlowBody,
                Stage::Answer => Ended::NotReading,
                Stage::Idle => Ended::Idle,
            };
            guest.until.is_some_and(|until| until <= now).then_some((*id, ended))
        };
        let late: Vec<_> = self.open.iter().filter_map(late).collect();
        for (id, _) in &late {
            self.leave(*id);
        }
        late
    }

    /// The stranger to be closed for a new one: of the address with the most, the first in its line.
    fn in_the_way(&self) -> Option<u64> {
        let first = |line: &BTreeMap<(u8, u64), u64>| {
            let (place, id) = line.first_key_value()?;
            Some((line.len(), std::cmp::Reverse(*place), *id))
        };
        self.waiting.values().filter_map(first).max().map(|(_, _, id)| id)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn estrange(&mut self, id: u64) {
        let number = self.number();
        if let Some(guest) = self.open.get_mut(&id) {
            guest.stranger = Some(number);
            self.unknown += 1;
        }
        self.settle(id);
    }

    fn acquaint(&mut self, id: u64) {
        if self.open.get_mut(&id).is_some_and(|guest| guest.stranger.take().is_some()) {
            self.unknown -= 1;
        }
        self.settle(id);
    }

    /// Updates its place among those that may be closed.
    fn settle(&mut self, id: u64) {
        let Some(guest) = self.open.get_mut(&id) else { return };
        let number = guest.stranger.filter(|_| guest.seen);
        let place = number.and_then(|number| Some((guest.stage.rank()?, number)));
        let before = std::mem::replace(&mut guest.place, place);
        if before == place {
            return;
        }
        let line = self.waiting.entry(guest.address).or_default();
        if let Some(before) = before {
            line.remove(&before);
        }
        if let Some(place) = place {
            line.insert(place, id);
        }
        if line.is_empty() {
            self.waiting.remove(&guest.address);
        }
    }

    /// Its body no longer counts: it is proven, refused or gone.
    fn release(&mut self, id: u64) {
        if let Some(guest) = self.open.get_mut(&id) {
            self.held -= std::mem::take(&mut guest.held);
            guest.dismissed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> Address {
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)).into()
    }

    /// Admits a silent connection; returns its number and that of the closed one.
    fn quiet(guests: &mut Guests, from: u8, now: Instant) -> (u64, Option<u64>) {
        let (id, victim) = guests.enter(address(from), now).unwrap();
        guests.look(id);
        (id, victim)
    }

    fn guests(strangers: usize, known: usize) -> Guests {
        Guests::new(Places { strangers, known, unproven: 1000 })
    }

    #[test]
    fn a_full_house_lets_the_oldest_stranger_of_the_fullest_address_go() {
        let (mut guests, now) = (guests(4, 4), Instant::now());
        let (alone, _) = quiet(&mut guests, 1, now);
        let crowd: Vec<u64> = (0..3).map(|_| quiet(&mut guests, 2, now).0).collect();
        assert_eq!(quiet(&mut guests, 3, now).1, Some(crowd[0]));
        assert_eq!(quiet(&mut guests, 2, now).1, Some(crowd[1]));
        assert!(guests.doing(alone).is_some(), "an address with one connection does not pay for another's crowd");
        assert_eq!(guests.count(), (4, 0));
    }

    #[test]
    fn one_that_was_never_looked_at_does_not_give_way() {
        let (mut guests, now) = (guests(4, 2), Instant::now());
        let (new, _) = guests.enter(address(1), now).unwrap();
        let waiting: Vec<u64> = (0..3).map(|_| quiet(&mut guests, 1, now).0).collect();
        let (second, victim) = guests.enter(address(1), now).unwrap();
        assert_eq!(victim, Some(waiting[0]), "although the other came before");
        assert_eq!(guests.enter(address(1), now), None, "two of four were not looked at");
        guests.look(new);
        guests.look(second);
        assert_eq!(guests.enter(address(2), now).unwrap().1, Some(new));
    }

    #[test]
    fn a_connection_not_reading_its_answer_is_closed_before_one_still_sending() {
        let (mut guests, now) = (guests(3, 2), Instant::now());
        let ids: Vec<u64> = (0..3).map(|_| quiet(&mut guests, 1, now).0).collect();
        guests.stage(ids[2], Stage::Answer, now);
        assert_eq!(quiet(&mut guests, 1, now).1, Some(ids[2]));
        assert_eq!(quiet(&mut guests, 1, now).1, Some(ids[0]));
    }

    #[test]
    fn known_connections_are_never_in_the_way_of_strangers() {
        let (mut guests, now) = (guests(2, 2), Instant::now());
        let (source, _) = quiet(&mut guests, 1, now);
        guests.request(source, Stage::Body, now);
        assert_eq!(guests.prove(source), None);
        for _ in 0..50 {
            quiet(&mut guests, 1, now);
        }
        assert_eq!(guests.count(), (2, 1));
        assert!(guests.is_known(source));
        // Its next request must prove itself again, and counts as newer than those that came before.
        guests.request(source, Stage::Body, now);
        assert_ne!(guests.enter(address(1), now).unwrap().1, Some(source));
    }

    #[test]
    fn a_request_that_is_worked_on_is_finished() {
        let (mut guests, now) = (guests(2, 2), Instant::now());
        let ids: Vec<u64> = (0..2).map(|_| quiet(&mut guests, 1, now).0).collect();
        for id in &ids {
            guests.request(*id, Stage::Work, now);
        }
        assert_eq!(guests.enter(address(2), now), None, "there is nothing to close");
        guests.stage(ids[1], Stage::Answer, now);
        assert_eq!(guests.enter(address(2), now).unwrap().1, Some(ids[1]));
    }

    #[test]
    fn too_many_known_ones_close_the_one_that_rested_longest() {
        let (mut guests, now) = (guests(9, 2), Instant::now());
        let known = |guests: &mut Guests, rest_from: Option<Instant>| {
            let (id, _) = guests.enter(address(1), now).unwrap();
            guests.request(id, Stage::Work, now);
            let victim = guests.prove(id);
            if let Some(from) = rest_from {
                guests.stage(id, Stage::Idle, from);
            }
            (id, victim)
        };
        let (late, _) = known(&mut guests, Some(now + Duration::from_secs(2)));
        let (early, _) = known(&mut guests, Some(now));
        let (_, victim) = known(&mut guests, None);
        assert_eq!(victim, Some(early));
        let (_, victim) = known(&mut guests, None);
        assert_eq!(victim, Some(late));
        let (busy, victim) = known(&mut guests, None);
        assert_eq!(victim, None, "nothing rests");
        assert!(!guests.is_known(busy), "it is served in a stranger's place");
    }

    #[test]
    fn each_stage_has_its_deadline() {
        let begun = Instant::now();
        for (stage, seconds, ended) in [
            (Stage::Head, 5, Ended::SlowHead),
            (Stage::Body, 20, Ended::SlowBody),
            (Stage::Answer, 15, Ended::NotReading),
            (Stage::Idle, 30, Ended::Idle),
        ] {
            let mut guests = guests(2, 2);
            let (id, _) = guests.enter(address(1), begun).unwrap();
            guests.stage(id, stage, begun);
            assert_eq!(guests.overdue(begun + Duration::from_millis(seconds * 1000 - 1)), []);
            assert_eq!(guests.overdue(begun + Duration::from_secs(seconds)), [(id, ended)]);
            assert_eq!(guests.count(), (0, 0));
        }
    }

    #[test]
    fn unproven_bytes_are_bounded_and_the_largest_of_the_heaviest_address_goes() {
        let (mut guests, now) = (guests(99, 9), Instant::now());
        let arrive = |guests: &mut Guests, from: u8| {
            let (id, _) = guests.enter(address(from), now).unwrap();
            guests.request(id, Stage::Body, now);
            id
        };
        let alone = arrive(&mut guests, 1);
        let (small, large) = (arrive(&mut guests, 2), arrive(&mut guests, 2));
        assert_eq!(guests.hold(alone, 400), None);
        assert_eq!(guests.hold(small, 100), None);
        assert_eq!(guests.hold(large, 450), None);
        assert_eq!(guests.hold(small, 100), Some(large), "its address holds 650 of 1050");
        assert_eq!(guests.hold(small, 100), None);
        assert_eq!(guests.prove(small), None);
        assert_eq!(guests.hold(alone, 600), None, "what is proven no longer counts");
        assert_eq!(guests.hold(alone, 1), Some(alone));
    }

    #[test]
    fn a_v6_host_is_one_address_and_a_mapped_v4_address_is_itself() {
        let of = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
