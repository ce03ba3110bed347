//! Random walks: after every sequence of events each transition has one fate, lanes kept their order, and frozen bytes
//! did not change.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// An event for a store.
#[derive(Debug, Clone)]
enum Step {
    /// A notification of one alert for one or both lanes.
    Admit { alert: u8, firing: bool, both: bool, send_resolved: bool },
    /// An attempt at the head of a lane, and its result. `None`: the process ends before it knows.
    Attempt { lane: bool, end: Option<End>, rewrite: bool },
    /// A user acknowledges or releases an alert.
    Act { alert: u8, release: bool },
    /// A clean restart.
    Restart,
    /// A minute passes.
    Wait,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Accepted,
    Retry,
    Unsure,
    Dead,
}

fn step() -> impl Strategy<Value = Step> {
    let end =
        prop_oneof![4 => Just(End::Accepted), 1 => Just(End::Retry), 1 => Just(End::Unsure), 1 => Just(End::Dead)];
    prop_oneof![
        4 => (0_u8..4, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(alert, firing, both, send_resolved)| Step::Admit { alert, firing, both, send_resolved }),
        6 => (any::<bool>(), prop::option::weighted(0.9, end), prop::bool::weighted(0.2))
            .prop_map(|(lane, end, rewrite)| Step::Attempt { lane, end, rewrite }),
        2 => (0_u8..4, any::<bool>()).prop_map(|(alert, release)| Step::Act { alert, release }),
        1 => Just(Step::Restart),
        2 => Just(Step::Wait),
    ]
}

/// What the walker knows for certain.
#[derive(Default)]
struct Seen {
    minute: i64,
    transitions: i64,
    acts: usize,
    /// Message and version to the body that went out.
    bodies: HashMap<(i64, u32), String>,
    /// The last message that was settled in each lane.
    settled: HashMap<String, i64>,
}

async fn walk(place: Place, steps: Vec<Step>) {
    let mut store = place.open().await;
    let mut seen = Seen::default();
    for step in steps {
        match step {
            Step::Admit { alert, firing, both, send_resolved } => {
                admit(&store, &mut seen, alert, firing, both, send_resolved).await;
            }
            Step::Attempt { lane, end, rewrite } => {
                let lane = if lane { "one" } else { "two" };
                attempt(&store, &mut seen, lane, end, rewrite).await;
                if end.is_none() {
                    store.recover().await.unwrap();
                    abandon(&store, lane).await;
                }
            }
            Step::Act { alert, release } => act(&store, &mut seen, alert, release).await,
            Step::Restart => {
                store.close().await.unwrap();
                store = place.open().await;
            }
            Step::Wait => seen.minute += 1,
        }
        let audit = store.audit().await.unwrap();
        assert_eq!(audit.imbalance, 0, "{audit:?}");
        let all = audit.pending + audit.named + audit.counted + audit.suppressed + audit.dead;
        assert_eq!(all, seen.transitions, "{audit:?}");
    }
    for ((message, version), body) in seen.bodies {
        let detail = store.delivery(message).await.unwrap().unwrap();
        let kept = detail.frozen.iter().find(|part| part.version == version).unwrap();
        assert_eq!(kept.body, body, "what went out is what is on record");
    }
    store.close().await.unwrap();
    place.remove().await;
}

async fn admit(store: &Store, seen: &mut Seen, alert: u8, on: bool, both: bool, send_resolved: bool) {
    let name = format!("alert {alert}");
    let report = if on { firing(&name, seen.minute) } else { resolved(&name, 0, seen.minute) };
    let mut admission = notification(seen.minute, "one", vec![report]);
    admission.deliveries[0].send_resolved = send_resolved;
    if both {
        admission.deliveries[0].targets.push(TargetRow::new(LaneKey::stored("two"), "{}".to_owned()));
    }
    let retry = admission.clone();
    let admitted = store.admit(admission).await.unwrap();
    seen.transitions += i64::try_from(admitted.transitions).unwrap();
    assert!(store.admit(retry).await.unwrap().duplicate, "a retry is no news");
}

async fn act(store: &Store, seen: &mut Seen, alert: u8, release: bool) {
    let before = store.told_firing(vec![firing(&format!("alert {alert}"), 0).identity]).await.unwrap();
    let about = before.first().map_or(About::Message(1), |known| About::Thread(known.thread));
    let kind = if release { ActKind::Release } else { ActKind::Acknowledge };
    let act = super::acts::wish(&seen.acts.to_string(), kind, about);
    let listeners = super::acts::listeners(&[("ops", "one"), ("ops", "two")]);
    // A person each: the acts of one are limited.
    let act = NewAct { listeners, by: seen.acts.to_string(), ..act };
    let acted = store.act(act, at(seen.minute)).await.unwrap();
    seen.acts += 1;
    let touched = acted.state == ActState::Done;
    assert_eq!(acted.lanes.len(), if touched { 2 } else { 0 });
    seen.transitions += i64::try_from(acted.lanes.len() * acted.alerts.len()).unwrap();
    let held = acted.alerts.iter().all(|alert| alert.acknowledged.is_some());
    assert!(acted.alerts.is_empty() || held != release, "{acted:?}");
    assert_eq!(store.acts(ActFilter { limit: 1000, ..ActFilter::default() }).await.unwrap().len(), seen.acts);
}

async fn attempt(store: &Store, seen: &mut Seen, lane: &str, end: Option<End>, rewrite: bool) {
    let Some(head) = head(store, lane, at(seen.minute)).await else { return };
    assert!(seen.settled.get(lane).is_none_or(|&last| last < head.message), "a lane went back");
    let body = match &head.frozen {
        Some(frozen) => String::from_utf8(frozen.parts[0].to_vec()).unwrap(),
        None => String::new(),
    };
    let version = head.frozen.as_ref().map_or(0, |frozen| frozen.version);
    assert!(version == 0 || seen.bodies[&(head.message, version)] == body, "frozen bytes changed");
    let fresh = format!("{}.{}", head.message, head.epoch);
    let freeze = if version == 0 || rewrite {
        let counted = head.transitions.iter().filter(|moved| moved.id % 2 == 0).map(|moved| moved.id).collect();
        Some(Freeze { naming: Naming::AllBut(counted), ..bytes(&[&fresh]) })
    } else {
        None
    };
    let sent = if freeze.is_some() { fresh } else { body };
    let claimed = take(store, wish(store, head.message, head.epoch, freeze).await, at(seen.minute)).await;
    seen.bodies.insert((head.message, claimed.version), sent);
    let soon = at(seen.minute + 1);
    let next = match end {
        None => return,
        Some(End::Accepted) => Next::Accepted,
        Some(End::Retry) => Next::RetryAt(soon),
        Some(End::Unsure) => Next::UnsureAt(soon),
        Some(End::Dead) => Next::Dead { reason: "refused".to_owned() },
    };
    let state = store.settle(settlement(claimed, "any", next), at(seen.minute)).await.unwrap();
    if matches!(state, State::Sent | State::Dead) {
        seen.settled.insert(lane.to_owned(), head.message);
    }
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_transition_has_one_fate_whatever_happens(steps in prop::collection::vec(step(), 1..60)) {
        run(walk(Place::folder(), steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_transition_has_one_fate_on_postgres_as_well(steps in prop::collection::vec(step(), 1..60)) {
        run(async {
            if let Some(place) = Place::schema().await {
                walk(place, steps).await;
            }
        });
    }
}
