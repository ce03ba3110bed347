use super::*;
use crate::alert::Format;
use crate::names::SourceId;

const T0: Timestamp = Timestamp(1_700_000_000_000);
const HIGH_CPU: Identity = Identity([7; 32]);

fn firing() -> Arrival {
    Arrival {
        index: 0,
        identity: HIGH_CPU,
        name: "HighCPU".to_owned(),
        labels_json: "{}".to_owned(),
        critical: false,
        status: Status::Firing,
        starts_at: Some(T0),
        reported: false,
        ends_at: None,
        lapses_at: None,
        thread: None,
        kin: None,
        steady: false,
    }
}

/// A report to one receiver, which is reminded after a minute.
fn admission(receiver: &str, arrival: Arrival, received_at: Timestamp) -> Admission {
    let recipient = Recipient {
        receiver: receiver.to_owned(),
        send_resolved: true,
        repeat_interval_ms: 60_000,
        escalate_after_ms: None,
        note_json: None,
        alerts: vec![arrival],
        targets: vec![TargetRow::new(LaneKey::stored("webhook/ops"), "{}".to_owned())],
    };
    Admission {
        source: SourceId::Configured("prometheus".to_owned()),
        format: Format::Alertmanager,
        content_type: None,
        path_receiver: None,
        sender: String::new(),
        group_key: "HighCPU".to_owned(),
        received_at,
        raw: Vec::new().into(),
        codec: 0,
        push: false,
        test: false,
        alive: None,
        stopped: None,
        deliveries: vec![recipient],
    }
}

/// How many messages and unchanged reports each of these admissions makes.
fn told(group: &[Admission], held: HashMap<Identity, Vec<Held>>) -> Vec<(usize, usize)> {
    let (admitted, _) = admit(group, HashMap::new(), held, Ids::default()).finish(&[], &[]);
    admitted.iter().map(|done| (done.messages, done.unchanged)).collect()
}

#[test]
fn a_receiver_that_hears_of_an_acknowledged_alert_later_is_not_reminded_in_the_same_group() {
    let group = [admission("late", firing(), T0), admission("late", firing(), T0.plus_millis(60_000))];
    let held =
        Held { receiver: "first".to_owned(), starts_at: Some(T0), by: "zhangsan".to_owned(), at: T0, act: Some(1) };
    // The alert, and who has it; then nothing.
    assert_eq!(told(&group, HashMap::from([(HIGH_CPU, vec![held])])), [(2, 0), (0, 1)]);
    // While no person has it: the alert, then the reminder.
    assert_eq!(told(&group, HashMap::new()), [(1, 0), (1, 0)]);
}
