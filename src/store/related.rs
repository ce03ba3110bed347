//! Gathers rows of firing alerts into candidates for an end. Pure, shared by both backends.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::{Candidate, Related};
use crate::alert::{Identity, Relation, ThreadId};

/// Rows considered for one end: with more of one title a person could not tell them apart either. The alert itself and
/// those of its event come first.
pub(super) const CANDIDATES: i64 = 200;

/// One receiver's row of a firing alert, with its relations if they are on record.
pub(super) struct Row {
    pub identity: Vec<u8>,
    pub receiver: String,
    pub thread: i64,
    pub family: Option<Vec<u8>>,
    pub event: Option<Vec<u8>>,
    pub keyed: Option<bool>,
    pub marks: Option<String>,
}

/// The firing alerts that an end may mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Each once.
    pub alerts: Vec<Candidate>,
    /// Are these all? Otherwise what is the only one among them may not be the only one.
    pub all: bool,
}

/// One candidate for each alert, in the order of the rows.
pub(super) fn gathered(rows: Vec<Row>) -> Candidates {
    let all = rows.len() as u64 <= CANDIDATES.unsigned_abs();
    let mut candidates: Vec<Candidate> = Vec::new();
    for row in rows {
        let Ok(identity) = <[u8; 32]>::try_from(row.identity.as_slice()).map(Identity) else { continue };
        if let Some(known) = candidates.iter_mut().find(|known| known.identity == identity) {
            known.receivers.push(row.receiver);
            continue;
        }
        let kin = row.family.as_deref().and_then(relation).map(|family| Related {
            family,
            event: row.event.as_deref().and_then(relation),
            keyed: row.keyed.unwrap_or_default(),
            marks: marks(row.marks.as_deref().unwrap_or_default()),
        });
        candidates.push(Candidate { identity, receivers: vec![row.receiver], thread: ThreadId(row.thread), kin });
    }
    Candidates { alerts: candidates, all }
}

fn relation(bytes: &[u8]) -> Option<Relation> {
    bytes.try_into().ok()
}

/// Identifiers as stored.
pub(super) fn marks_json(marks: &BTreeSet<String>) -> String {
    serde_json::to_string(marks).expect("a set of strings is JSON")
}

fn marks(json: &str) -> BTreeSet<String> {
    serde_json::from_str(json).unwrap_or_default()
}

/// The result of matching an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// This alert.
    One(Candidate),
    /// No firing alert.
    Nothing,
    /// One of these; which one cannot be decided.
    Unclear(Vec<Candidate>),
}

/// Which firing alert an end means: the one with its key, else the one of its event, else the only one with its title
/// whose text does not contradict it, else the one with which it shares an identifier that no other has. One that names
/// another thing of the same kind (10.0.0.1 and 10.0.0.2) is never meant.
pub fn meant(identity: Identity, kin: &Related, candidates: Candidates) -> Meant {
    let Candidates { alerts: candidates, all: complete } = candidates;
    if let Some(itself) = candidates.iter().find(|candidate| candidate.identity == identity) {
        return Meant::One(itself.clone());
    }
    let of_event: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| {
            let theirs = candidate.kin.as_ref().and_then(|kin| kin.event);
            // An id that two objects of one rule share is none of an event.
            let is_other = candidate.kin.as_ref().is_some_and(|theirs| contradict(&kin.marks, &theirs.marks));
            kin.event.is_some() && theirs == kin.event && !is_other
        })
        .collect();
    if let [only] = of_event[..] {
        return Meant::One(only.clone());
    }
    let mut pool: Vec<Candidate> = candidates
        .into_iter()
        .filter(|candidate| {
            candidate.kin.as_ref().is_some_and(|theirs| theirs.family == kin.family && !(kin.keyed && theirs.keyed))
        })
        .collect();
    let marks = |candidate: &Candidate| candidate.kin.as_ref().map(|kin| kin.marks.clone()).unwrap_or_default();
    let all: Vec<BTreeSet<String>> = pool.iter().map(marks).collect();
    let telling = |index: usize| {
        let shared = kin.marks.iter().filter(|mark| all[index].contains(*mark));
        shared.filter(|mark| all.iter().filter(|marks| marks.contains(*mark)).count() == 1).count()
    };
    match pool.len() {
        0 => Meant::Nothing,
        _ if !complete => Meant::Unclear(pool),
        1 if contradict(&kin.marks, &all[0]) || speak_of_others(&kin.marks, &all[0]) => Meant::Unclear(pool),
        1 => Meant::One(pool.swap_remove(0)),
        count => {
            let fits = |index: &usize| telling(*index) > 0 && !contradict(&kin.marks, &all[*index]);
            let told: Vec<usize> = (0..count).filter(fits).collect();
            if let [only] = told[..] { Meant::One(pool.swap_remove(only)) } else { Meant::Unclear(pool) }
        }
    }
}

/// Do both name things, and none of them the same?
fn speak_of_others(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> bool {
    // The others repeat a name, or number the title that both have.
    let names = |marks: &BTreeSet<String>| -> BTreeSet<String> {
        marks.iter().filter(|mark| !mark.starts_with(['#', '@'])).cloned().collect()
    };
    let (ours, theirs) = (names(ours), names(theirs));
    !ours.is_empty() && !theirs.is_empty() && ours.is_disjoint(&theirs)
}

/// Does each name a thing that the other does not, and are the two of one kind?
fn contradict(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> bool {
    let kinds: BTreeSet<String> = ours.difference(theirs).filter_map(|mark| kind(mark)).collect();
    theirs.difference(ours).filter_map(|mark| kind(mark)).any(|kind| kinds.contains(&kind))
}

/// What kind of thing an identifier names: those of one kind differ in nothing but digits. `None` for what may be
/// anything, such as a value, a date or a hash.
fn kind(mark: &str) -> Option<String> {
    const DATED: usize = 8;
    if mark.starts_with(['#', '@']) {
        return mark.split_once('=').map(|(kind, _)| kind.to_owned());
    }
    if mark.parse::<IpAddr>().is_ok() {
        return Some("address".to_owned());
    }
    if mark.parse::<SocketAddr>().is_ok() {
        return Some("address and port".to_owned());
    }
    // Names in one folder or group: `core/api`, `/var/log`.
    if let Some((group, name)) = mark.rsplit_once('/')
        && !name.is_empty()
        && !mark.contains(|letter: char| letter.is_ascii_digit() || letter.is_whitespace())
    {
        return Some(format!("{group}/"));
    }
    // Words with other letters may be dates (上午9).
    let begins = mark.is_ascii() && mark.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let has_digit = mark.bytes().any(|byte| byte.is_ascii_digit());
    let is_dated = mark.split(|letter: char| !letter.is_ascii_digit()).any(|digits| digits.len() >= DATED);
    if !begins || !has_digit || is_dated || mark.contains(char::is_whitespace) {
        return None;
    }
    let mut kind = String::with_capacity(mark.len());
    for letter in mark.chars() {
        match letter {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            letter => kind.push(letter),
        }
    }
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(alerts: Vec<Candidate>) -> Candidates {
        Candidates { alerts, all: true }
    }

    fn related(family: u8, event: Option<u8>, keyed: bool, marks: &[&str]) -> Related {
        let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
        Related { family: [family; 16], event: event.map(|event| [event; 16]), keyed, marks }
    }

    fn on(id: u8, kin: Related) -> Candidate {
        Candidate {
            identity: Identity([id; 32]),
            receivers: vec!["ops".to_owned()],
            thread: ThreadId(1),
            kin: Some(kin),
        }
    }

    #[track_caller]
    fn expect(kin: &Related, candidates: &[Candidate], only: Option<u8>) {
        let found = meant(Identity([99; 32]), kin, all(candidates.to_vec()));
        match (found, only) {
            (Meant::One(one), Some(id)) => assert_eq!(one.identity, Identity([id; 32])),
            (Meant::Unclear(_) | Meant::Nothing, None) => {}
            (found, wanted) => panic!("{wanted:?}: {found:?}"),
        }
    }

    #[test]
    fn an_end_means_what_it_names_or_nothing() {
        let (one, two) =
            (on(1, related(7, None, false, &["db-1", "/data"])), on(2, related(7, None, false, &["db-2", "/data"])));
        expect(&related(7, None, false, &["db-1", "/data"]), &[one.clone(), two.clone()], Some(1));
        expect(&related(7, None, false, &["/data"]), &[one.clone(), two.clone()], None);
        expect(&related(7, None, false, &[]), &[one.clone(), two.clone()], None);
        expect(&related(7, None, false, &[]), std::slice::from_ref(&one), Some(1));
        expect(&related(7, None, false, &["db-3"]), std::slice::from_ref(&one), None);
        expect(&related(8, None, false, &["db-1"]), std::slice::from_ref(&one), None);
        let keyed = on(3, related(7, None, true, &["db-1"]));
        expect(&related(7, None, true, &["db-1"]), std::slice::from_ref(&keyed), None);
        expect(&related(7, None, false, &["db-1"]), std::slice::from_ref(&keyed), Some(3));
        let event = on(4, related(9, Some(5), false, &[]));
        expect(&related(7, Some(5), false, &["db-9"]), &[one, two, event], Some(4));
        // An id of two things of one rule.
        let other = on(5, related(9, Some(5), false, &["@host=a"]));
        expect(&related(7, Some(5), false, &["@host=b"]), &[other], None);
    }

    #[test]
    fn an_end_of_one_thing_never_means_another_of_its_kind() {
        for (on_marks, end) in [
            (&["10.0.0.1", "/data"][..], &["10.0.0.2", "/data"][..]),
            (&["10.0.0.1:9100", "10.0.0.1"], &["10.0.0.1:9200", "10.0.0.1"]),
            (&["10.0.0.1", "10.0.0.254"], &["10.0.0.2", "10.0.0.254"]),
            (&["db-1", "/data"], &["db-2", "/data"]),
            (&["#0=12"], &["#0=13"]),
            (&["@host=web-a", "web-a", "/data"], &["@host=web-b", "web-b", "/data"]),
            (&["fe80::1", "/data"], &["fe80::a", "/data"]),
            (&["shop/pay", "latency_ms"], &["shop/cart", "latency_ms"]),
            (&["/data/a", "web-1"], &["/data/b", "web-1"]),
        ] {
            let firing = on(1, related(7, None, false, on_marks));
            expect(&related(7, None, false, end), std::slice::from_ref(&firing), None);
            let other = on(2, related(7, None, false, &["x-y"]));
            expect(&related(7, None, false, end), &[firing.clone(), other.clone()], None);
            // A control: the same thing, and one thing fewer.
            expect(&related(7, None, false, on_marks), &[firing.clone(), other], Some(1));
            expect(&related(7, None, false, &on_marks[..1]), std::slice::from_ref(&firing), Some(1));
            expect(&related(7, None, false, &[]), &[firing], Some(1));
        }
        // Values, dates and words that are of no kind contradict nothing.
        for (on_marks, end) in [
            (&["95", "/data"], &["20", "/data"]),
            (&["dump-20261129", "/data"], &["dump-20261130", "/data"]),
            (&["上午9", "/data"], &["上午10", "/data"]),
        ] {
            expect(&related(7, None, false, end), &[on(1, related(7, None, false, on_marks))], Some(1));
        }
    }

    #[test]
    fn of_candidates_that_are_not_all_none_is_the_only_one() {
        let alerts = vec![on(1, related(7, None, false, &["db-1"])), on(2, related(7, None, false, &["db-2"]))];
        let end = related(7, None, false, &["db-1"]);
        let found = |all| meant(Identity([99; 32]), &end, Candidates { alerts: alerts.clone(), all });
        assert_eq!(found(true), Meant::One(alerts[0].clone()));
        assert_eq!(found(false), Meant::Unclear(alerts.clone()));
        let itself = Candidate { identity: Identity([99; 32]), ..alerts[1].clone() };
        let candidates = Candidates { alerts: vec![itself.clone()], all: false };
        assert_eq!(meant(Identity([99; 32]), &end, candidates), Meant::One(itself));
    }

    #[test]
    fn the_alert_itself_precedes_all_others() {
        let itself = Candidate { identity: Identity([99; 32]), ..on(1, related(1, None, true, &[])) };
        let other = on(2, related(7, None, false, &["db-1"]));
        let found = meant(Identity([99; 32]), &related(7, None, false, &["db-1"]), all(vec![other, itself.clone()]));
        assert_eq!(found, Meant::One(itself));
    }
}
