use super::record::{Message, Part, Transition};
use super::*;

/// A world in which one webhook and one member were told of one alert that began and ended.
struct World {
    accepted: Vec<Said>,
    posted: HashSet<Said>,
    record: Record,
    arrived: Vec<Arrived>,
    dropped: u64,
}

const PLACES: [(&str, Channel); 2] = [("hook", Channel::Webhook), ("member", Channel::App)];

fn said(place: &str, kind: Kind) -> Said {
    Said { word: format!("alert-{place}"), starts_at: 1000, kind, receiver: place.to_owned() }
}

impl World {
    fn sound() -> Self {
        let mut world = Self {
            accepted: Vec::new(),
            posted: HashSet::new(),
            record: Record::default(),
            arrived: Vec::new(),
            dropped: 0,
        };
        for (place, channel) in PLACES {
            for kind in [Kind::Firing, Kind::Resolved] {
                world.tell(place, channel, kind);
            }
        }
        world
    }

    fn tell(&mut self, place: &str, channel: Channel, kind: Kind) {
        let said = said(place, kind);
        let id = i64::try_from(self.record.messages.len()).unwrap() + 1;
        let text = format!("text of {}", said.token());
        let part = Part { number: 0, text: text.clone() };
        self.record
            .messages
            .insert(id, Message { lane: format!("lane-{place}"), parts: vec![part], ..Message::default() });
        self.record.transitions.push(Transition {
            message: Some(id),
            lane: format!("lane-{place}"),
            receiver: place.to_owned(),
            word: said.word.clone(),
            kind: kind.as_str().to_owned(),
            starts_at: said.starts_at,
            fate: "named".to_owned(),
            reason: String::new(),
        });
        self.arrive(place, channel, &text);
        self.posted.insert(said.clone());
        self.accepted.push(said);
    }

    fn arrive(&mut self, place: &str, channel: Channel, text: &str) {
        let id = self.arrived.len() as u64 + 1;
        self.arrived.push(Arrived { id, at_ms: 0, channel, places: vec![place.to_owned()], text: text.to_owned() });
    }

    fn again(&mut self, index: usize) {
        let Arrived { channel, places, text, .. } = self.arrived[index].clone();
        self.arrive(&places[0], channel, &text);
    }

    /// The rules that are broken.
    fn broken(&self) -> Vec<Rule> {
        let addresses = PLACES.map(|(place, channel)| Address {
            receiver: place.to_owned(),
            lane: format!("lane-{place}"),
            channel,
            places: vec![place.to_owned()],
        });
        let report = Ledger {
            addresses: &addresses,
            accepted: &self.accepted,
            posted: &self.posted,
            record: &self.record,
            arrived: &self.arrived,
            dropped: self.dropped,
        }
        .check();
        let mut rules: Vec<Rule> = report.violations.iter().map(|violation| violation.rule).collect();
        rules.dedup();
        rules
    }
}

#[test]
fn a_sound_world_has_no_violation() {
    assert_eq!(World::sound().broken(), []);
}

#[test]
fn a_change_that_was_acknowledged_and_is_not_in_the_record_is_lost() {
    let mut world = World::sound();
    let said = Said { starts_at: 2000, ..said("hook", Kind::Firing) };
    world.posted.insert(said.clone());
    assert_eq!(world.broken(), [], "without its 2xx nothing was promised");
    world.accepted.push(said);
    assert_eq!(world.broken(), [Rule::Lost, Rule::LastState]);
}

#[test]
fn a_change_that_is_recorded_twice_for_a_lane_or_was_never_reported_is_found() {
    let mut world = World::sound();
    world.record.transitions.push(world.record.transitions[1].clone());
    assert_eq!(world.broken(), [Rule::Doubled]);
    let mut world = World::sound();
    world.posted.remove(&said("hook", Kind::Firing));
    assert_eq!(world.broken(), [Rule::Invented]);
    let mut world = World::sound();
    world.record.transitions[0].kind = "reminder".to_owned();
    assert!(world.broken().contains(&Rule::Invented), "no unchanged repeat is told here");
}

#[test]
fn a_change_without_a_fate_or_with_a_silent_one_is_found() {
    for fate in ["pending", "suppressed", "dead"] {
        let mut world = World::sound();
        world.record.transitions[1].fate = fate.to_owned();
        assert_eq!(world.broken(), [Rule::NoFate], "{fate}");
    }
}

#[test]
fn a_dead_change_that_a_fallback_told_elsewhere_has_its_fate() {
    let mut world = World::sound();
    world.record.transitions[1].fate = "dead".to_owned();
    world.record.transitions[1].message = None;
    world.arrived[1].text = "lost".to_owned();
    let told = format!("fallback for {}", said("hook", Kind::Resolved).token());
    world.record.messages.get_mut(&4).unwrap().parts.push(Part { number: 1, text: told.clone() });
    world.arrive("member", Channel::App, &told);
    assert!(!world.broken().contains(&Rule::NoFate), "{:?}", world.broken());
}

#[test]
fn a_message_that_did_not_arrive_or_does_not_name_its_alert_tells_nothing() {
    for fate in ["named", "counted"] {
        let mut world = World::sound();
        world.record.transitions[3].fate = fate.to_owned();
        world.arrived.remove(3);
        assert!(world.broken().contains(&Rule::NotTold), "{fate}");
    }
    let mut world = World::sound();
    world.record.messages.get_mut(&4).unwrap().parts[0].text = "something".to_owned();
    world.arrived[3].text = "something".to_owned();
    assert_eq!(world.broken(), [Rule::NotTold]);
}

#[test]
fn an_end_before_its_beginning_and_a_late_copy_of_the_beginning_are_out_of_order() {
    let mut world = World::sound();
    world.arrived.swap(0, 1);
    world.arrived[0].id = 1;
    world.arrived[1].id = 2;
    assert_eq!(world.broken(), [Rule::Order, Rule::LastState]);
    let mut world = World::sound();
    world.record.messages.get_mut(&1).unwrap().unsure = 1;
    world.again(0);
    assert_eq!(world.broken(), [Rule::Order, Rule::LastState], "people read last that it began");
}

#[test]
fn a_last_text_that_shows_another_state_is_found() {
    let mut world = World::sound();
    let wrong = format!("text of {} and more", said("hook", Kind::Firing).token());
    world.record.messages.get_mut(&2).unwrap().parts[0].text.clone_from(&wrong);
    world.arrived[1].text = wrong;
    assert_eq!(world.broken(), [Rule::LastState]);
}

#[test]
fn a_webhook_may_show_a_copy_for_each_unsure_attempt_and_an_app_none() {
    let mut world = World::sound();
    world.again(1);
    assert_eq!(world.broken(), [Rule::Copies], "unexplained");
    world.record.messages.get_mut(&2).unwrap().unsure = 1;
    assert_eq!(world.broken(), []);
    world.again(1);
    assert_eq!(world.broken(), [Rule::Copies], "one is explained, two are not");
    let mut world = World::sound();
    world.record.messages.get_mut(&4).unwrap().unsure = 1;
    world.again(3);
    assert_eq!(world.broken(), [Rule::Copies], "WeCom hides the copies of an app");
}

#[test]
fn a_marked_copy_is_a_copy() {
    let mut world = World::sound();
    let marked = format!("copy of {}", said("hook", Kind::Resolved).token());
    world.record.messages.get_mut(&2).unwrap().parts.push(Part { number: 0, text: marked.clone() });
    world.arrive("hook", Channel::Webhook, &marked);
    assert_eq!(world.broken(), [Rule::Copies]);
    world.record.messages.get_mut(&2).unwrap().unsure = 1;
    assert_eq!(world.broken(), []);
}

#[test]
fn unrecorded_bytes_and_messages_dropped_by_wecom_are_found() {
    let mut world = World::sound();
    world.arrive("hook", Channel::Webhook, "from nowhere");
    assert_eq!(world.broken(), [Rule::Unrecorded]);
    world.dropped = 1;
    assert_eq!(world.broken(), [Rule::Dropped, Rule::Unrecorded]);
}

#[test]
fn beginning_and_end_in_one_message_are_in_order() {
    let mut world = World::sound();
    world.record.transitions[0].message = Some(2);
    let merged = format!("text of {}, it began and ended", said("hook", Kind::Resolved).token());
    world.record.messages.get_mut(&2).unwrap().parts[0].text.clone_from(&merged);
    world.arrived[1].text = merged;
    world.record.messages.remove(&1);
    world.arrived.remove(0);
    assert_eq!(world.broken(), []);
}
