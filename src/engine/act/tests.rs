use super::*;

#[test]
fn long_names_of_events_stay_apart_and_short_ones_as_they_are() {
    let press = |code: &str| event(&format!("press/bot/{}/{}/{code}", "机器人".repeat(7), "c".repeat(128)));
    assert_ne!(press("one"), press("two"));
    assert_eq!(press("one"), press("one"), "WeCom brings one event up to three times");
    assert!(press("one").len() <= EVENT_BYTES);
    assert_eq!(event("press/app/ops/code"), "press/app/ops/code");
}

fn request(kind: ActKind, only: Vec<Identity>) -> NewAct {
    NewAct {
        event: "press".to_owned(),
        kind,
        state: ActState::Done,
        by: "zhangsan".to_owned(),
        via: "app/ops".to_owned(),
        about: About::Message(1),
        only,
        through: None,
        until: None,
        detail: String::new(),
        code: None,
        except_lane: None,
        listeners: Listeners::default(),
    }
}

#[test]
fn an_act_reaches_first_what_it_changes_and_tells_what_it_leaves() {
    let one = |alert: i64, identity: u8, taken: bool| {
        let owner = taken.then(|| "李四".to_owned());
        Candidate { alert, identity: Identity([identity; 32]), receiver: "ops".to_owned(), owner }
    };
    // Alert 1 has two receivers; somebody has 2.
    let firing = vec![one(13, 3, false), one(11, 1, false), one(12, 2, true), one(14, 1, false), one(15, 4, false)];
    let reached = |kind, only: &[u8], most| {
        let only = only.iter().map(|identity| Identity([*identity; 32])).collect();
        let Reach { alerts, missed } = reach(&request(kind, only), firing.clone(), most);
        (alerts, missed)
    };
    assert_eq!(reached(ActKind::Acknowledge, &[], 9), (vec![11, 12, 13, 14, 15], 0));
    assert_eq!(reached(ActKind::Acknowledge, &[], 3), (vec![11, 13, 14, 15], 0), "the other one is taken");
    assert_eq!(reached(ActKind::Acknowledge, &[], 1), (vec![11, 14], 2));
    assert_eq!(reached(ActKind::Release, &[], 1), (vec![12], 0));
    assert_eq!(reached(ActKind::Silence, &[], 2), (vec![11, 12, 14], 2));
    assert_eq!(reached(ActKind::Forget, &[4, 9], 1), (vec![15], 0), "what is not meant takes no place");
}
