//! Groups of admissions: a group changes what its admissions would change one after the other, and one that fails
//! harms no other.

use proptest::prelude::*;

use super::*;
use crate::store::memory::Memory;

contract! {
    a_bad_admission_harms_no_neighbour,
    admissions_at_once_are_told_as_if_they_came_one_by_one,
}

/// Bytes without a part cannot be sent.
fn bad(minute: i64) -> Admission {
    let mut admission = notification(minute, "lane", vec![firing("Bad", minute)]);
    admission.deliveries[0].targets[0].given = Some(bytes(&[]));
    admission
}

async fn a_bad_admission_harms_no_neighbour(store: &Store) {
    let good = |number: i64| store.admit(notification(number, "lane", vec![firing(&format!("A{number}"), number)]));
    let (one, refused, two, three) = tokio::join!(good(1), store.admit(bad(1)), good(2), good(3));
    assert!(matches!(refused, Err(StoreError::Bug { .. })), "{refused:?}");
    let mut ids = [one.unwrap().id, two.unwrap().id, three.unwrap().id];
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3], "the bad one used up no id");
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 3, ..Audit::default() });
}

async fn admissions_at_once_are_told_as_if_they_came_one_by_one(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("A", 0), firing("B", 0)])).await.unwrap();
    let (end, again, other) = tokio::join!(
        store.admit(notification(1, "lane", vec![resolved("A", 0, 1)])),
        store.admit(notification(2, "lane", vec![firing("A", 2)])),
        store.admit(notification(2, "lane", vec![resolved("B", 0, 2)])),
    );
    assert_eq!([end.unwrap().messages, again.unwrap().messages, other.unwrap().messages], [1, 1, 1]);
    let states: Vec<_> = store.deliveries(DeliveryFilter::default()).await.unwrap();
    let states: Vec<_> = states.iter().map(|row| (row.message, row.state, row.firing, row.resolved)).collect();
    let expected =
        [(4, State::Queued, 1, 1), (3, State::Queued, 2, 1), (2, State::Folded, 0, 0), (1, State::Folded, 0, 0)];
    assert_eq!(states, expected, "each alert is told by its newest message");
}

/// One report of one alert, for one or both lanes, with bytes of its own or without.
fn report() -> impl Strategy<Value = Admission> {
    let alerts = prop::collection::vec((0_u8..3, any::<bool>(), 0_i64..4), 1..4);
    (0_i64..5, alerts, any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), any::<bool>()).prop_map(
        |(minute, alerts, both, send_resolved, given, push)| {
            let arrival = |(name, fires, start): (u8, bool, i64)| {
                let name = format!("A{name}");
                if fires { firing(&name, start) } else { resolved(&name, start, start + 1) }
            };
            let mut admission = notification(minute, "lane", alerts.into_iter().map(arrival).collect());
            admission.push = push;
            let to = &mut admission.deliveries[0];
            to.send_resolved = send_resolved;
            if both {
                to.targets.push(TargetRow::new(LaneKey::stored("other"), "{}".to_owned()));
            }
            to.targets[0].given = given.then(|| bytes(&["given"]));
            admission
        },
    )
}

/// All that is stored, apart from how a message that was folded came to be: a group folds it at once into the newest.
fn stored(memory: &Memory) -> String {
    let detail = |row: DeliveryRow| {
        let mut delivery = memory.delivery(row.message).unwrap();
        let folded = delivery.row.state == State::Folded;
        assert_eq!(delivery.row.folded_into.is_some(), folded);
        (delivery.row.folded_into, delivery.row.settled_at) = (None, None);
        format!("{delivery:?}\n")
    };
    let details: String = memory.deliveries(usize::MAX).into_iter().map(detail).collect();
    format!("{:?}\n{details}", memory.audit())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_group_changes_what_its_admissions_change_one_by_one(
        before in prop::collection::vec(report(), 0..4),
        group in prop::collection::vec(report(), 1..6),
    ) {
        let (together, apart) = (Memory::default(), Memory::default());
        for admission in &before {
            together.admit(admission);
            apart.admit(admission);
        }
        let all = together.admit_all(&group);
        let each: Vec<Admitted> = group.iter().map(|admission| apart.admit(admission)).collect();
        prop_assert_eq!(all, each);
        prop_assert_eq!(stored(&together), stored(&apart));
    }
}
