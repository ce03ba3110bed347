//! Gathers rows of firing alerts into candidates for an end. Pure, shared by both backends.

use std::collections::BTreeSet;

use super::{Candidate, Related};
use crate::alert::{Identity, Relation, ThreadId};

/// Rows considered for one end: with more of one title a person could not tell them apart either.
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

/// One candidate for each alert, in the order of the rows.
pub(super) fn gathered(rows: Vec<Row>) -> Vec<Candidate> {
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
    candidates
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
/// whose text does not contradict it, else the one with which it shares an identifier that no other has.
pub fn meant(identity: Identity, kin: &Related, candidates: Vec<Candidate>) -> Meant {
    if let Some(itself) = candidates.iter().find(|candidate| candidate.identity == identity) {
        return Meant::One(itself.clone());
    }
    let of_event: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| {
            let theirs = candidate.kin.as_ref().and_then(|kin| kin.event);
            kin.event.is_some() && theirs == kin.event
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
        1 => {
            let speaks_of_another = !kin.marks.is_empty() && !all[0].is_empty() && kin.marks.is_disjoint(&all[0]);
            if speaks_of_another { Meant::Unclear(pool) } else { Meant::One(pool.swap_remove(0)) }
        }
        count => {
            let told: Vec<usize> = (0..count).filter(|index| telling(*index) > 0).collect();
            if let [only] = told[..] { Meant::One(pool.swap_remove(only)) } else { Meant::Unclear(pool) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let found = meant(Identity([99; 32]), kin, candidates.to_vec());
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
    }

    #[test]
    fn the_alert_itself_precedes_all_others() {
        let itself = Candidate { identity: Identity([99; 32]), ..on(1, related(1, None, true, &[])) };
        let other = on(2, related(7, None, false, &["db-1"]));
        let found = meant(Identity([99; 32]), &related(7, None, false, &["db-1"]), vec![other, itself.clone()]);
        assert_eq!(found, Meant::One(itself));
    }
}
