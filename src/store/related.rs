//! Gathers rows of firing alerts into candidates for an end. Pure, shared by both backends.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::{Candidate, Related};
use crate::alert::{Identity, Kin, Relation, ThreadId};

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
    /// These alerts, which differ in what was measured and when only: mostly one.
    Alerts(Vec<Candidate>),
    /// No firing alert.
    Nothing,
    /// One of these; which one cannot be decided.
    Unclear(Vec<Candidate>),
}

/// Which firing alert an end means: the one with its key, else the one of its event, else the only one with its title
/// whose text does not contradict it, else the one with which it shares an identifier that no other has. One that names
/// another thing of the same kind (10.0.0.1 and 10.0.0.2) is never meant. Alerts whose words are the same but for values,
/// times and levels are one thing, of which an end means all.
pub fn meant(identity: Identity, kin: &Related, candidates: Candidates) -> Meant {
    let Candidates { alerts: candidates, all: complete } = candidates;
    if let Some(itself) = candidates.iter().find(|candidate| candidate.identity == identity) {
        return Meant::Alerts(vec![itself.clone()]);
    }
    let of_event = candidates.iter().filter(|candidate| {
        let theirs = candidate.kin.as_ref().and_then(|kin| kin.event);
        // An id that two objects of one rule share is none of an event.
        let is_other = candidate.kin.as_ref().is_some_and(|theirs| contradict(&kin.marks, &theirs.marks));
        kin.event.is_some() && theirs == kin.event && !is_other
    });
    if let [only] = &alike(of_event.cloned())[..] {
        return Meant::Alerts(only.of_level(&kin.marks));
    }
    let pool: Vec<Candidate> = candidates
        .into_iter()
        .filter(|candidate| {
            candidate.kin.as_ref().is_some_and(|theirs| theirs.family == kin.family && !(kin.keyed && theirs.keyed))
        })
        .collect();
    let things = alike(pool.iter().cloned());
    let telling = |thing: &Thing| {
        let shared = thing.marks.iter().filter(|mark| !is_of_words(mark) && kin.marks.contains(*mark));
        shared.filter(|mark| things.iter().filter(|other| other.marks.contains(*mark)).count() == 1).count()
    };
    let is_other = |thing: &Thing| contradict(&kin.marks, &thing.marks);
    let fits: Vec<&Thing> = match &things[..] {
        [] => return Meant::Nothing,
        _ if !complete => Vec::new(),
        [only] => {
            Some(only).filter(|only| !is_other(only) && !speak_of_others(&kin.marks, &only.marks)).into_iter().collect()
        }
        several => {
            let told: Vec<&Thing> = several.iter().filter(|thing| telling(thing) > 0 && !is_other(thing)).collect();
            // All others name another thing of a kind, one by this and one by that.
            let left: Vec<&Thing> = several.iter().filter(|thing| !is_other(thing)).collect();
            let shares = |thing: &Thing| thing.marks.iter().any(|mark| !is_of_words(mark) && kin.marks.contains(mark));
            match left[..] {
                [only] if told.is_empty() && shares(only) && !speak_of_others(&kin.marks, &only.marks) => vec![only],
                _ => told,
            }
        }
    };
    if let [only] = fits[..] { Meant::Alerts(only.of_level(&kin.marks)) } else { Meant::Unclear(pool) }
}

/// Alerts of one thing, and all the marks they have.
struct Thing {
    alerts: Vec<Candidate>,
    marks: BTreeSet<String>,
}

impl Thing {
    /// Its alerts; those of the end's level, if that is the level of any: a rule for each level ends alone.
    fn of_level(&self, end: &BTreeSet<String>) -> Vec<Candidate> {
        let level = end.iter().find(|mark| mark.starts_with(Kin::RANK));
        let is_of_it = |alert: &&Candidate| {
            level.is_some_and(|level| alert.kin.as_ref().is_some_and(|kin| kin.marks.contains(level)))
        };
        let of_it: Vec<Candidate> = self.alerts.iter().filter(is_of_it).cloned().collect();
        if of_it.is_empty() { self.alerts.clone() } else { of_it }
    }
}

/// Alerts with the same words are one thing; one on whose words nothing is on record is a thing of its own.
fn alike(alerts: impl Iterator<Item = Candidate>) -> Vec<Thing> {
    let mut things: Vec<Thing> = Vec::new();
    for alert in alerts {
        let marks = alert.kin.as_ref().map(|kin| kin.marks.clone()).unwrap_or_default();
        let words = marks.iter().find(|mark| mark.starts_with(Kin::ALIKE));
        let known = words.and_then(|words| things.iter_mut().find(|thing| thing.marks.contains(words)));
        match known {
            Some(thing) => {
                thing.marks.extend(marks);
                thing.alerts.push(alert);
            }
            None => things.push(Thing { alerts: vec![alert], marks }),
        }
    }
    things
}

/// Is the mark a digest of words or a level, rather than the name of a thing?
fn is_of_words(mark: &str) -> bool {
    mark.starts_with(Kin::OF_WORDS)
}

/// Do both name things, and none of them the same?
fn speak_of_others(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> bool {
    // The others repeat a name, or number the title that both have.
    let names = |marks: &BTreeSet<String>| -> BTreeSet<String> {
        marks.iter().filter(|mark| !mark.starts_with(['#', '@', Kin::OF_WORDS])).cloned().collect()
    };
    // An id that is made anew for each message, or that of another alert.
    let ids = |marks: &BTreeSet<String>| -> BTreeSet<String> {
        marks.iter().filter(|mark| mark.starts_with('@') && mark.contains("id ")).cloned().collect()
    };
    let (our_ids, their_ids) = (ids(ours), ids(theirs));
    let other_ids = !our_ids.is_empty() && !their_ids.is_empty() && our_ids.is_disjoint(&their_ids);
    let (ours, theirs) = (names(ours), names(theirs));
    let named = !ours.is_empty() && !theirs.is_empty();
    (named || other_ids) && ours.is_disjoint(&theirs)
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
    // Things told apart by a number: `端口:3306`.
    if let Some((thing, number)) = mark.rsplit_once(':')
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !thing.is_ascii()
    {
        return Some(format!("{thing}:"));
    }
    // Names told apart by a letter: `full-a`, `full-b`.
    if let Some((head, tail)) = mark.rsplit_once(['-', '_'])
        && head.len() > 1
        && tail.len() <= 2
        && !matches!(tail, "ok" | "up")
        && mark.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(&byte))
    {
        return Some(format!("{head}-?"));
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
            (Meant::Alerts(all), Some(id)) => {
                assert_eq!(all.iter().map(|one| one.identity).collect::<Vec<_>>(), [Identity([id; 32])]);
            }
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
            (&["full-a", "be-1"], &["full-b", "be-1"]),
            (&["端口:3306", "be-1"], &["端口:3307", "be-1"]),
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
        // An id that may be new in each message tells two apart that share nothing else.
        let firing = on(1, related(7, None, true, &["@alarmid a2"]));
        expect(&related(7, None, false, &["@alarmid a1"]), std::slice::from_ref(&firing), None);
        let firing = on(1, related(7, None, false, &["@alarmid a2", "db-1"]));
        expect(&related(7, None, false, &["@alarmid a1", "db-1"]), std::slice::from_ref(&firing), Some(1));
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
    fn an_end_means_the_only_alert_that_it_does_not_contradict() {
        let all = [
            on(1, related(7, None, false, &["web-1", "port:3306"])),
            on(2, related(7, None, false, &["web-2", "port:3306"])),
            on(3, related(7, None, false, &["web-1", "@port=3307"])),
        ];
        expect(&related(7, None, false, &["web-1", "port:3306", "@port=3306"]), &all, Some(1));
        expect(&related(7, None, false, &["web-1"]), &all, None);
        expect(&related(7, None, false, &["web-3", "port:3306"]), &all, None);
    }

    #[test]
    fn an_end_means_all_alerts_that_differ_in_values_and_levels_only() {
        let (words, others) = ("=w:1", "=w:2");
        let one = on(1, related(7, None, false, &[words, "=l:warning", "db-1"]));
        let two = on(2, related(7, None, false, &[words, "=l:critical", "db-1"]));
        let other = on(3, related(7, None, false, &[others, "db-2"]));
        let ended = |end: &[&str], alerts: &[&Candidate]| {
            let alerts = alerts.iter().map(|one| (*one).clone()).collect();
            match meant(Identity([99; 32]), &related(7, None, false, end), all(alerts)) {
                Meant::Alerts(alerts) => alerts.iter().map(|one| one.identity.0[0]).collect(),
                Meant::Nothing | Meant::Unclear(_) => Vec::new(),
            }
        };
        assert_eq!(ended(&["db-1"], &[&one, &two]), [1, 2]);
        assert_eq!(ended(&[], &[&one, &two]), [1, 2]);
        assert_eq!(ended(&["db-1"], &[&one, &two, &other]), [1, 2]);
        // A rule for each level: the end of one is not that of the other.
        assert_eq!(ended(&["db-1", "=l:critical"], &[&one, &two]), [2]);
        assert_eq!(ended(&["db-1", "=l:info"], &[&one, &two]), [1, 2]);
        // Controls: another thing, several things, words that are not on record.
        assert!(ended(&["db-2"], &[&one, &two]).is_empty());
        assert!(ended(&[], &[&one, &other]).is_empty());
        assert!(ended(&["=l:critical"], &[&one, &two, &other]).is_empty());
        let (old, older) = (on(1, related(7, None, false, &["db-1"])), on(2, related(7, None, false, &["db-1"])));
        assert!(ended(&["db-1"], &[&old, &older]).is_empty());
    }

    #[test]
    fn of_candidates_that_are_not_all_none_is_the_only_one() {
        let alerts = vec![on(1, related(7, None, false, &["db-1"])), on(2, related(7, None, false, &["db-2"]))];
        let end = related(7, None, false, &["db-1"]);
        let found = |all| meant(Identity([99; 32]), &end, Candidates { alerts: alerts.clone(), all });
        assert_eq!(found(true), Meant::Alerts(vec![alerts[0].clone()]));
        assert_eq!(found(false), Meant::Unclear(alerts.clone()));
        let itself = Candidate { identity: Identity([99; 32]), ..alerts[1].clone() };
        let candidates = Candidates { alerts: vec![itself.clone()], all: false };
        assert_eq!(meant(Identity([99; 32]), &end, candidates), Meant::Alerts(vec![itself]));
    }

    #[test]
    fn the_alert_itself_precedes_all_others() {
        let itself = Candidate { identity: Identity([99; 32]), ..on(1, related(1, None, true, &[])) };
        let other = on(2, related(7, None, false, &["db-1"]));
        let found = meant(Identity([99; 32]), &related(7, None, false, &["db-1"]), all(vec![other, itself.clone()]));
        assert_eq!(found, Meant::Alerts(vec![itself]));
    }
}
