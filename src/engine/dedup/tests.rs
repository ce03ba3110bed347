use proptest::prelude::*;

use super::*;
use TransitionKind::{Firing, Reminder, Resolved};

const HOUR: i64 = 3_600_000;
const NOTIFICATION: Policy = Policy { send_resolved: true, repeat_interval_ms: 4 * HOUR, push: false, test: false };
const PUSH: Policy = Policy { push: true, ..NOTIFICATION };

/// A moment from which the tests count, in seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp(1_700_000_000_000 + seconds * 1000)
}

fn on(start: i64) -> Seen<'static> {
    Seen {
        status: Status::Firing,
        starts_at: Some(at(start)),
        reported: false,
        ends_at: None,
        sender: "a",
        keyless: false,
    }
}

fn over(start: i64, end: i64) -> Seen<'static> {
    Seen {
        status: Status::Resolved,
        starts_at: Some(at(start)),
        reported: false,
        ends_at: Some(at(end)),
        sender: "a",
        keyless: false,
    }
}

fn known(status: Status, start: i64, told: i64) -> Known {
    Known { status, starts_at: Some(at(start)), told_at: at(told), sender: "a".to_owned(), acknowledged: false }
}

#[track_caller]
fn expect(known: Option<&Known>, seen: &Seen<'_>, policy: &Policy, now: i64, verdict: Verdict) {
    assert_eq!(decide(known, seen, policy, at(now)), verdict);
}

#[test]
fn an_unknown_alert_is_news_when_it_fires() {
    expect(None, &on(0), &NOTIFICATION, 5, Verdict::Told(Firing));
    expect(None, &on(0), &PUSH, 5, Verdict::Told(Firing));
}

#[test]
fn an_unchanged_repeat_is_nothing_until_the_interval_has_passed_and_then_a_reminder() {
    let firing = known(Status::Firing, 0, 5);
    expect(Some(&firing), &on(0), &NOTIFICATION, 5 + 4 * 3600 - 1, Verdict::Nothing(Quiet::Unchanged));
    expect(Some(&firing), &on(0), &NOTIFICATION, 5 + 4 * 3600, Verdict::Told(Reminder));
    expect(Some(&firing), &on(-30), &NOTIFICATION, 10, Verdict::Nothing(Quiet::Unchanged));
}

#[test]
fn an_acknowledged_alert_has_no_reminders_until_it_resolves_or_fires_again() {
    let held = Known { acknowledged: true, ..known(Status::Firing, 0, 5) };
    expect(Some(&held), &on(0), &NOTIFICATION, 5 + 4 * 3600 - 1, Verdict::Nothing(Quiet::Unchanged));
    expect(Some(&held), &on(0), &NOTIFICATION, 5 + 40 * 3600, Verdict::Nothing(Quiet::Acknowledged));
    expect(Some(&held), &over(0, 60), &NOTIFICATION, 65, Verdict::Told(Resolved));
    expect(Some(&held), &on(600), &NOTIFICATION, 605, Verdict::Told(Firing));
    let kept = |kind| Known::after(Some(&held), &on(0), kind, at(65)).acknowledged;
    assert_eq!((kept(Reminder), kept(Resolved), kept(Firing)), (true, false, false));
    let free = known(Status::Firing, 0, 5);
    assert!(!Known::after(Some(&free), &on(0), Reminder, at(65)).acknowledged);
}

#[test]
fn a_later_time_of_the_report_begins_no_episode() {
    let firing = known(Status::Firing, 0, 5);
    let again = Seen { reported: true, ..on(600) };
    expect(Some(&firing), &again, &NOTIFICATION, 605, Verdict::Nothing(Quiet::Unchanged));
    expect(Some(&firing), &again, &NOTIFICATION, 5 + 4 * 3600, Verdict::Told(Reminder));
    assert_eq!(Known::after(Some(&firing), &again, Reminder, at(605)).starts_at, Some(at(0)));
    // Controls: a later start, and an alert that is over.
    expect(Some(&firing), &on(600), &NOTIFICATION, 605, Verdict::Told(Firing));
    expect(Some(&known(Status::Resolved, 0, 60)), &again, &NOTIFICATION, 605, Verdict::Told(Firing));
}

#[test]
fn a_push_that_repeats_is_never_a_reminder() {
    let firing = known(Status::Firing, 0, 5);
    expect(Some(&firing), &on(0), &PUSH, 5 + 40 * 3600, Verdict::Nothing(Quiet::Unchanged));
}

#[test]
fn a_later_start_of_a_firing_alert_is_a_new_episode_whose_resolve_was_missed() {
    expect(Some(&known(Status::Firing, 0, 5)), &on(600), &NOTIFICATION, 605, Verdict::Told(Firing));
    expect(Some(&known(Status::Firing, 0, 5)), &on(600), &PUSH, 605, Verdict::Told(Firing));
}

#[test]
fn the_end_of_a_firing_alert_is_news_once() {
    expect(Some(&known(Status::Firing, 0, 5)), &over(0, 60), &NOTIFICATION, 65, Verdict::Told(Resolved));
    expect(Some(&known(Status::Resolved, 0, 65)), &over(0, 60), &NOTIFICATION, 66, Verdict::Nothing(Quiet::Unchanged));
    expect(
        Some(&known(Status::Resolved, 0, 65)),
        &over(100, 160),
        &NOTIFICATION,
        166,
        Verdict::Nothing(Quiet::Unchanged),
    );
}

#[test]
fn the_end_of_something_never_seen_is_told_of_a_webhook_and_nothing_of_a_push() {
    expect(None, &over(0, 60), &NOTIFICATION, 65, Verdict::Told(Resolved));
    expect(None, &over(0, 60), &PUSH, 65, Verdict::Nothing(Quiet::NeverFired));
}

#[test]
fn the_end_of_an_episode_before_the_current_one_is_stale() {
    expect(Some(&known(Status::Firing, 600, 605)), &over(0, 60), &NOTIFICATION, 610, Verdict::Nothing(Quiet::Stale));
    let endless = Seen { ends_at: None, ..over(0, 60) };
    expect(Some(&known(Status::Firing, 600, 605)), &endless, &NOTIFICATION, 610, Verdict::Nothing(Quiet::Stale));
}

#[test]
fn the_end_told_by_a_twin_that_knows_an_earlier_start_is_not_stale() {
    expect(Some(&known(Status::Firing, 15, 20)), &over(0, 300), &NOTIFICATION, 305, Verdict::Told(Resolved));
}

#[test]
fn send_resolved_false_changes_the_state_in_silence() {
    let quiet = Policy { send_resolved: false, ..NOTIFICATION };
    let verdict = Verdict::Suppressed(Resolved, Suppression::SendResolved);
    expect(Some(&known(Status::Firing, 0, 5)), &over(0, 60), &quiet, 65, verdict);
    expect(Some(&known(Status::Resolved, 0, 65)), &over(0, 60), &quiet, 66, Verdict::Nothing(Quiet::Unchanged));
}

#[test]
fn an_alert_that_fires_after_its_end_is_news() {
    expect(Some(&known(Status::Resolved, 0, 65)), &on(600), &NOTIFICATION, 605, Verdict::Told(Firing));
    // An Alertmanager that lost contact with Prometheus for a while gives the old start.
    expect(Some(&known(Status::Resolved, 0, 65)), &on(0), &NOTIFICATION, 70, Verdict::Told(Firing));
}

#[test]
fn a_lagging_twin_does_not_revive_what_just_ended_but_after_90_seconds_it_is_believed() {
    let resolved = known(Status::Resolved, 0, 65);
    let twin = Seen { sender: "b", ..on(0) };
    expect(Some(&resolved), &twin, &NOTIFICATION, 65 + 89, Verdict::Nothing(Quiet::Stale));
    expect(Some(&resolved), &twin, &NOTIFICATION, 65 + 90, Verdict::Told(Firing));
    expect(Some(&resolved), &Seen { starts_at: Some(at(61)), ..twin }, &NOTIFICATION, 70, Verdict::Told(Firing));
    expect(Some(&resolved), &Seen { sender: "", ..twin }, &NOTIFICATION, 70, Verdict::Told(Firing));
}

#[test]
fn a_sender_without_times_gets_the_time_of_receipt() {
    let timeless = Seen { starts_at: None, ..on(0) };
    let after = Known::after(None, &timeless, Firing, at(5));
    let expected = known(Status::Firing, 5, 5);
    assert_eq!(after, expected);
    expect(Some(&after), &timeless, &NOTIFICATION, 60, Verdict::Nothing(Quiet::Unchanged));
    let end = Seen { status: Status::Resolved, ..timeless };
    expect(Some(&after), &end, &NOTIFICATION, 65, Verdict::Told(Resolved));
    assert_eq!(Known::after(Some(&after), &end, Resolved, at(65)).starts_at, Some(at(5)));
}

#[test]
fn a_test_is_always_news() {
    let test = Policy { test: true, ..NOTIFICATION };
    expect(Some(&known(Status::Firing, 0, 5)), &on(0), &test, 6, Verdict::Told(Firing));
    expect(Some(&known(Status::Resolved, 0, 5)), &over(0, 1), &test, 6, Verdict::Told(Firing));
}

#[test]
fn a_clock_that_was_set_back_does_not_silence_reminders() {
    let firing = known(Status::Firing, 0, 86_400);
    expect(Some(&firing), &on(0), &NOTIFICATION, 100, Verdict::Told(Reminder));
    // Two requests that overtake each other are not a clock set back.
    expect(Some(&firing), &on(0), &NOTIFICATION, 86_399, Verdict::Nothing(Quiet::Unchanged));
}

/// A report and the seconds since the previous one.
fn report() -> impl Strategy<Value = (Seen<'static>, bool, i64)> {
    let start =
        prop_oneof![Just(None), (-100_i64..20_000).prop_map(|start| Some(at(start))), Just(Some(Timestamp(i64::MIN)))];
    let end =
        prop_oneof![Just(None), (-100_i64..20_000).prop_map(|end| Some(at(end))), Just(Some(Timestamp(i64::MAX)))];
    let status = prop_oneof![Just(Status::Firing), Just(Status::Resolved)];
    let sender = prop_oneof![Just(""), Just("a"), Just("b")];
    (status, start, end, sender, any::<bool>(), 0_i64..10_000).prop_map(
        |(status, starts_at, ends_at, sender, push, pause)| {
            (Seen { status, starts_at, reported: push, ends_at, sender, keyless: false }, push, pause)
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_reported_the_state_follows_what_was_accepted(
        reports in prop::collection::vec(report(), 1..40),
        send_resolved: bool,
    ) {
        let mut state: Option<Known> = None;
        let mut last_kind = None;
        let mut now = 0;
        for (seen, push, pause) in reports {
            now += pause;
            let policy = Policy { send_resolved, push, ..NOTIFICATION };
            match decide(state.as_ref(), &seen, &policy, at(now)) {
                Verdict::Told(kind) | Verdict::Suppressed(kind, _) => {
                    prop_assert!(!(kind == Resolved && last_kind == Some(Resolved)), "an end was told twice");
                    prop_assert!(!(kind == Reminder && matches!(last_kind, None | Some(Resolved))), "a reminder of nothing");
                    last_kind = Some(kind);
                    let after = Known::after(state.as_ref(), &seen, kind, at(now));
                    prop_assert_eq!(after.status, seen.status);
                    state = Some(after);
                }
                Verdict::Nothing(Quiet::Unchanged) => {
                    prop_assert_eq!(state.as_ref().map(|known| known.status), Some(seen.status));
                }
                Verdict::Nothing(Quiet::Acknowledged) => prop_assert!(false, "it is not acknowledged"),
                Verdict::Nothing(Quiet::NeverFired) => prop_assert!(state.is_none() && push),
                Verdict::Nothing(Quiet::Stale) => {
                    prop_assert_ne!(state.as_ref().map(|known| known.status), Some(seen.status));
                }
            }
            // The sender did not get our answer and retries.
            let again = decide(state.as_ref(), &seen, &policy, at(now));
            prop_assert!(matches!(again, Verdict::Nothing(_)), "a retry became {:?}", again);
        }
    }
}

#[test]
fn a_notice_is_told_once_and_leaves_nothing_open() {
    let notice =
        Seen { status: Status::Notice, starts_at: None, reported: false, ends_at: None, sender: "", keyless: true };
    expect(None, &notice, &NOTIFICATION, 5, Verdict::Told(TransitionKind::Notice));
    let after = Known::after(None, &notice, TransitionKind::Notice, at(5));
    assert_eq!(after.status, Status::Resolved);
    expect(Some(&after), &notice, &NOTIFICATION, 65, Verdict::Nothing(Quiet::Unchanged));
    expect(Some(&after), &notice, &NOTIFICATION, 5 + 601, Verdict::Told(TransitionKind::Notice));
    expect(Some(&after), &notice, &PUSH, 5 + 601, Verdict::Nothing(Quiet::Unchanged));
}

#[test]
fn an_end_without_a_key_is_told_again_when_it_happens_again() {
    let end = Seen { keyless: true, ..over(0, 60) };
    let told = known(Status::Resolved, 0, 60);
    expect(Some(&told), &end, &NOTIFICATION, 120, Verdict::Nothing(Quiet::Unchanged));
    expect(Some(&told), &end, &NOTIFICATION, 60 + 601, Verdict::Told(Resolved));
    expect(Some(&told), &over(0, 60), &NOTIFICATION, 60 + 601, Verdict::Nothing(Quiet::Unchanged));
}
