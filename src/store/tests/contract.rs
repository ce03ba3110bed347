//! The guarantees of every backend. A backend is a module that opens a fresh store for each of these.

use super::*;
use crate::budget::Limit;

contract! {
    a_body_comes_back_as_it_came_whatever_it_is,
    admit_queues_one_message_for_each_target_with_all_that_is_new,
    admit_of_the_same_notification_again_changes_nothing,
    admit_keeps_the_state_of_each_receiver_apart,
    admit_leaves_no_trace_of_a_notification_without_news,
    admit_records_what_it_suppresses_and_why,
    admit_keeps_bytes_as_they_came_and_texts_without_nul,
    an_end_carries_the_short_id_and_the_start_of_its_beginning,
    a_lagging_twin_is_counted_and_leaves_no_trace,
    lanes_names_the_head_of_every_lane_with_work,
    a_critical_message_makes_its_lane_due_however_many_wait_for_a_retry,
    head_gives_messages_of_a_lane_in_the_order_of_admission,
    head_waits_for_the_message_before_whatever_its_state,
    head_gives_what_rendering_needs,
    claim_freezes_the_bytes_and_records_the_attempt_before_it_returns,
    claim_never_changes_frozen_bytes_and_adds_a_version_only_when_asked,
    only_the_first_of_two_claims_succeeds,
    claim_lets_one_message_of_a_lane_be_sent_at_a_time,
    claim_never_lets_an_alert_overtake_itself,
    a_message_that_changed_since_it_was_written_is_not_sent,
    pending_transitions_of_an_alert_are_told_by_its_newest_message,
    claim_spends_and_waits_when_the_budget_is_spent,
    fold_leaves_what_the_kept_message_would_overtake,
    claim_waits_no_longer_than_the_window_after_a_clock_set_back,
    claim_takes_the_first_way_with_room,
    claim_waits_for_an_open_breaker_and_lets_one_message_probe,
    a_person_has_a_paused_way_tried_once_and_the_trail_names_who,
    fold_makes_one_digest_of_what_was_never_claimed,
    fold_takes_up_what_comes_later_and_leaves_what_must_wait,
    a_digest_names_some_and_counts_the_rest,
    bytes_given_at_admission_go_out_as_they_are_and_are_never_folded,
    a_fallback_is_queued_with_the_refusal_once_for_all_targets,
    a_resend_is_a_message_of_its_own,
    the_record_is_found_by_person_errcode_label_and_time,
    the_record_is_found_whatever_characters_are_in_it,
    many_alerts_of_one_notification_are_one_message,
    prune_forgets_what_is_old_and_nothing_that_lives,
    prune_keeps_alerts_with_pending_transitions,
    heartbeats_and_firing_alerts_are_known,
    claim_refuses_to_send_nothing,
    settle_of_a_stale_claim_touches_nothing,
    settle_sends_part_after_part_and_goes_on_with_the_next_after_a_restart,
    settle_retries_at_the_time_given_and_no_later_than_the_longest_wait,
    settle_names_or_counts_as_the_bytes_say,
    settle_of_a_rejection_makes_the_message_and_its_transitions_dead,
    settle_keeps_the_answer_bounded,
    a_clock_set_back_holds_up_no_message,
    postpone_holds_a_message_without_an_attempt,
    acquire_makes_abandoned_sends_unsure_and_due,
    a_token_is_replaced_by_any_newer_version,
    the_link_key_is_made_once,
    the_secret_of_links_is_replaced_and_the_one_before_kept,
    deliveries_filters_and_pages_newest_first,
    contents_shows_a_message_also_when_it_is_settled,
    backlog_counts_what_is_live,
    marks_differ_after_each_change_that_people_see,
    news_are_read_behind_what_was_reached,
    late_lanes_are_those_whose_oldest_message_waits_for_too_long,
    ping_commits,
}

async fn admit_queues_one_message_for_each_target_with_all_that_is_new(store: &Store) {
    let mut admission = notification(0, "one", vec![firing("HighCPU", 0), firing("DiskFull", 0)]);
    admission.deliveries[0].targets.push(TargetRow::new(LaneKey::stored("two"), "{}".to_owned()));
    admission.deliveries[0].alerts[1].critical = true;
    let admitted = store.admit(admission).await.unwrap();
    assert_eq!((admitted.duplicate, admitted.transitions, admitted.messages), (false, 4, 2));
    assert_eq!(admitted.lanes, ["one", "two"].map(LaneKey::stored));
    for lane in ["one", "two"] {
        let head = head(store, lane, at(0)).await.unwrap();
        assert_eq!(head.transitions.iter().map(|moved| moved.alert_index).collect::<Vec<_>>(), [0, 1]);
        assert!(head.critical);
        assert_eq!(head.thread, ThreadId(admitted.id));
    }
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 4, ..Audit::default() });
}

async fn admit_of_the_same_notification_again_changes_nothing(store: &Store) {
    let first = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    for minute in [0, 1, 59] {
        let again = store.admit(notification(minute, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
        assert_eq!((again.duplicate, again.id, again.messages, again.unchanged), (true, first.id, 0, 1));
    }
    assert_eq!(store.deliveries(DeliveryFilter::default()).await.unwrap().len(), 1);
    send(store, "lane", 59).await;
    let reminded = store.admit(notification(60, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert_eq!((reminded.duplicate, reminded.messages), (false, 1));
    let head = head(store, "lane", at(61)).await.unwrap();
    assert_eq!((head.transitions[0].kind, head.thread), (TransitionKind::Reminder, ThreadId(first.id)));
}

async fn admit_keeps_the_state_of_each_receiver_apart(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let mut other = notification(1, "other", vec![firing("HighCPU", 0)]);
    "dba".clone_into(&mut other.deliveries[0].receiver);
    assert_eq!(store.admit(other).await.unwrap().messages, 1);
}

async fn admit_leaves_no_trace_of_a_notification_without_news(store: &Store) {
    let mut end = notification(0, "lane", vec![resolved("HighCPU", 0, 1)]);
    end.push = true;
    let admitted = store.admit(end).await.unwrap();
    assert_eq!((admitted.duplicate, admitted.id, admitted.unchanged), (true, 0, 1));
    let first = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert_eq!(first.id, 1, "no notification was written before this one");
}

async fn admit_records_what_it_suppresses_and_why(store: &Store) {
    let quiet = |minute, alert| {
        let mut admission = notification(minute, "lane", vec![alert]);
        admission.deliveries[0].send_resolved = false;
        admission
    };
    store.admit(quiet(0, firing("HighCPU", 0))).await.unwrap();
    let end = store.admit(quiet(5, resolved("HighCPU", 0, 4))).await.unwrap();
    assert_eq!((end.duplicate, end.transitions, end.messages), (false, 1, 0));
    let mut nowhere = notification(6, "lane", vec![firing("DiskFull", 6)]);
    nowhere.deliveries[0].targets.clear();
    let admitted = store.admit(nowhere).await.unwrap();
    assert_eq!((admitted.transitions, admitted.messages), (1, 0));
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 1, suppressed: 2, ..Audit::default() });
    // The state changed although no target was told: firing again is news.
    assert_eq!(store.admit(quiet(9, firing("HighCPU", 8))).await.unwrap().messages, 1);
}

async fn a_body_comes_back_as_it_came_whatever_it_is(store: &Store) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = ["payloads", "senders"].map(|kind| std::fs::read_dir(folder.join(kind)).unwrap());
    let mut bodies: Vec<Bytes> =
        files.into_iter().flatten().map(|file| std::fs::read(file.unwrap().path()).unwrap().into()).collect();
    // The longest are written piece by piece.
    let compressible = |length: usize| Bytes::from((0..length).map(|at| at.to_string()).collect::<String>());
    bodies.extend([Bytes::new(), Bytes::from_static(b"x"), compressible(200_000), compressible(1_000_000)]);
    bodies.push((0..2 << 20).map(|_| rand::random::<u8>()).collect::<Vec<_>>().into());
    for (minute, body) in (0..).zip(&bodies) {
        let admission = notification(minute, "lane", vec![firing(&minute.to_string(), minute)]);
        let id = store.admit(Admission { raw: body.clone(), ..admission }).await.unwrap().id;
        assert!(store.notification(id).await.unwrap().unwrap().raw == *body, "body {minute}");
        assert!(store.contents(id).await.unwrap().unwrap().notification.raw == *body, "body {minute}");
        assert!(store.queued(id).await.unwrap().unwrap().notification.raw == *body, "body {minute}");
    }
    assert!(bodies.len() > 100);
}

async fn admit_keeps_bytes_as_they_came_and_texts_without_nul(store: &Store) {
    let mut admission = notification(0, "lane", vec![firing("High\0CPU", 0)]);
    admission.raw = Bytes::from_static(b"\xff\0\xfe{");
    admission.group_key = "a\0b".to_owned();
    store.admit(admission).await.unwrap();
    assert_eq!(&head(store, "lane", at(0)).await.unwrap().notification.raw[..], b"\xff\0\xfe{");
    assert_eq!(store.deliveries(DeliveryFilter::default()).await.unwrap()[0].name, "High␀CPU");
}

async fn an_end_carries_the_short_id_and_the_start_of_its_beginning(store: &Store) {
    let first = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![firing("DiskFull", 1)])).await.unwrap();
    send(store, "lane", 2).await;
    send(store, "lane", 2).await;
    let timeless = Arrival { starts_at: None, ends_at: None, ..resolved("HighCPU", 0, 0) };
    store.admit(notification(5, "lane", vec![resolved("DiskFull", 1, 4), timeless])).await.unwrap();
    let end = head(store, "lane", at(6)).await.unwrap();
    assert_eq!(end.thread, ThreadId(first.id), "the oldest of its alerts names it");
    assert_eq!((end.transitions[1].starts_at, end.transitions[1].ends_at), (Some(at(0)), Some(at(5))));
    let again = store.admit(notification(9, "lane", vec![firing("HighCPU", 8)])).await.unwrap();
    send(store, "lane", 9).await;
    assert_eq!(head(store, "lane", at(9)).await.unwrap().thread, ThreadId(again.id));
}

async fn a_lagging_twin_is_counted_and_leaves_no_trace(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let end = store.admit(notification(5, "lane", vec![resolved("HighCPU", 0, 5)])).await.unwrap();
    let mut twin = notification(6, "lane", vec![firing("HighCPU", 0)]);
    twin.sender = "https://twin.example.com/".to_owned();
    let admitted = store.admit(twin).await.unwrap();
    assert_eq!((admitted.duplicate, admitted.stale, admitted.id), (true, 1, end.id));
}

async fn lanes_names_the_head_of_every_lane_with_work(store: &Store) {
    for (lane, name) in [("b", "one"), ("a", "two"), ("b", "three"), ("c", "four")] {
        store.admit(notification(0, lane, vec![firing(name, 0)])).await.unwrap();
    }
    let claimed = claim(store, "c", 0, "text").await;
    let retried = claim(store, "a", 0, "text").await;
    store.settle(settlement(retried, "not_sent", Next::RetryAt(at(3))), at(0)).await.unwrap();
    let heads = store.lanes(at(0)).await.unwrap();
    let heads: Vec<_> = heads.iter().map(|head| (head.lane.as_str(), head.sending, head.due_at > at(0))).collect();
    let expected = [("a", false, true), ("b", false, false), ("c", true, false)];
    assert_eq!(heads, expected);
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
    assert_eq!(store.lanes(at(0)).await.unwrap().len(), 2);
}

async fn a_critical_message_makes_its_lane_due_however_many_wait_for_a_retry(store: &Store) {
    for alert in 0..60 {
        store.admit(notification(0, "lane", vec![firing(&alert.to_string(), 0)])).await.unwrap();
    }
    for waiting in store.waiting(&LaneKey::stored("lane"), at(0)).await.unwrap().messages {
        let claimed = take(store, wish(store, waiting.message, 0, Some(bytes(&["text"]))).await, at(0)).await;
        store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(60))), at(0)).await.unwrap();
    }
    let critical = Arrival { critical: true, ..firing("critical", 0) };
    store.admit(notification(0, "lane", vec![critical])).await.unwrap();
    let lane = || async { store.lanes(at(0)).await.unwrap().remove(0) };
    let head = lane().await;
    assert!(head.due_at <= at(0) && !head.sending, "{head:?}");
    let critical = store.waiting(&LaneKey::stored("lane"), at(0)).await.unwrap().messages.pop().unwrap();
    assert!(critical.critical, "{critical:?}");
    take(store, wish(store, critical.message, 0, Some(bytes(&["text"]))).await, at(0)).await;
    assert!(lane().await.sending);
}

async fn head_gives_messages_of_a_lane_in_the_order_of_admission(store: &Store) {
    for minute in 0..5 {
        store.admit(notification(minute, "lane", vec![firing(&minute.to_string(), 0)])).await.unwrap();
    }
    for minute in 0..5 {
        let head = head(store, "lane", at(9)).await.unwrap();
        assert_eq!(head.created_at, at(minute));
        send(store, "lane", 9).await;
    }
    assert!(head(store, "lane", at(9)).await.is_none());
}

async fn head_waits_for_the_message_before_whatever_its_state(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 2, "text").await;
    store.admit(notification(2, "lane", vec![resolved("HighCPU", 0, 1)])).await.unwrap();
    assert!(head(store, "lane", at(2)).await.is_none(), "the firing one is being sent");
    store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(5))), at(2)).await.unwrap();
    assert!(head(store, "lane", at(4)).await.is_none(), "the firing one waits");
    let claimed = claim(store, "lane", 5, "text").await;
    store.settle(settlement(claimed, "unsure", Next::UnsureAt(at(7))), at(5)).await.unwrap();
    assert!(head(store, "lane", at(6)).await.is_none(), "the firing one may have arrived or not");
    assert_eq!(send(store, "lane", 7).await, claimed.message);
    assert_eq!(head(store, "lane", at(7)).await.unwrap().transitions[0].kind, TransitionKind::Resolved);
}

async fn head_gives_what_rendering_needs(store: &Store) {
    let mut admission = notification(3, "lane", vec![firing("HighCPU", 2)]);
    admission.path_receiver = Some("ops".to_owned());
    let admitted = store.admit(admission).await.unwrap();
    let head = head(store, "lane", at(3)).await.unwrap();
    assert_eq!(
        (head.receiver.as_str(), head.lane.as_str(), head.target_json.as_str()),
        ("ops", "lane", r#"{"to":"lane"}"#)
    );
    assert_eq!((head.state, head.epoch, head.created_at), (State::Queued, 0, at(3)));
    assert!(head.frozen.is_none());
    let kept = head.notification;
    assert_eq!(
        (kept.id, &*kept.source.stored(), kept.format, kept.received_at),
        (admitted.id, "grafana", Format::Grafana, at(3))
    );
    assert_eq!((kept.content_type.as_deref(), kept.path_receiver.as_deref()), (Some("application/json"), Some("ops")));
    let moved = &head.transitions[0];
    assert_eq!(
        (moved.kind, moved.at, moved.starts_at, moved.ends_at),
        (TransitionKind::Firing, at(3), Some(at(2)), None)
    );
}

async fn claim_freezes_the_bytes_and_records_the_attempt_before_it_returns(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 1, "text").await;
    assert_eq!((claimed.epoch, claimed.version, claimed.part), (1, 1, 0));
    let detail = store.delivery(claimed.message).await.unwrap().unwrap();
    assert_eq!((detail.row.state, detail.row.attempts, detail.row.claimed_at), (State::Sending, 1, Some(at(1))));
    assert_eq!(detail.frozen, [FrozenPart { version: 1, number: 0, body: "text".to_owned() }]);
    assert_eq!((detail.attempts[0].at, detail.attempts[0].duration_ms), (at(1), None));
}

async fn claim_never_changes_frozen_bytes_and_adds_a_version_only_when_asked(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 1, "first").await;
    store.settle(settlement(claimed, "unsure", Next::UnsureAt(at(1))), at(1)).await.unwrap();
    let again = claim(store, "lane", 1, "ignored").await;
    assert_eq!((again.version, again.epoch), (1, 2));
    store.settle(settlement(again, "refused", Next::RetryAt(at(1))), at(1)).await.unwrap();
    let frozen = head(store, "lane", at(1)).await.unwrap().frozen.unwrap();
    assert_eq!(
        (frozen.version, frozen.face.as_str(), &frozen.parts[0][..], frozen.next_part),
        (1, "text", &b"first"[..], 0)
    );
    let plain = wish(store, claimed.message, 2, Some(bytes(&["plain"]))).await;
    assert_eq!(take(store, plain, at(1)).await.version, 2);
    let detail = store.delivery(claimed.message).await.unwrap().unwrap();
    assert_eq!(detail.frozen.iter().map(|part| part.body.as_str()).collect::<Vec<_>>(), ["first", "plain"]);
    assert_eq!(detail.attempts.iter().map(|attempt| attempt.version).collect::<Vec<_>>(), [1, 1, 2]);
}

async fn only_the_first_of_two_claims_succeeds(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let wish = wish(store, 1, 0, Some(bytes(&["text"]))).await;
    let (first, second) = tokio::join!(store.claim(wish.clone(), at(0)), store.claim(wish.clone(), at(0)));
    assert!(first.is_ok() != second.is_ok(), "exactly one of them has it");
    assert!(matches!(first.and(second), Err(StoreError::Lost { .. })));
    assert!(matches!(store.claim(wish, at(0)).await, Err(StoreError::Lost { .. })));
}

async fn claim_lets_one_message_of_a_lane_be_sent_at_a_time(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.admit(notification(0, "lane", vec![firing("DiskFull", 0)])).await.unwrap();
    let second = wish(store, 2, 0, Some(bytes(&["text"]))).await;
    let first = claim(store, "lane", 0, "text").await;
    assert!(matches!(store.claim(second.clone(), at(0)).await, Err(StoreError::Lost { .. })));
    store.settle(settlement(first, "not_sent", Next::RetryAt(at(5))), at(0)).await.unwrap();
    take(store, second, at(0)).await;
    let sent = Claim { message: 2, epoch: 1, ..wish(store, 1, 1, None).await };
    assert!(matches!(store.claim(Claim { epoch: 0, ..sent }, at(0)).await, Err(StoreError::Lost { .. })));
}

/// An end that is claimed while its beginning waits for another try is rejected; that of another alert is not.
async fn claim_never_lets_an_alert_overtake_itself(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let first = claim(store, "lane", 0, "text").await;
    store.settle(settlement(first, "unsure", Next::UnsureAt(at(9))), at(0)).await.unwrap();
    store.admit(notification(1, "lane", vec![firing("DiskFull", 1)])).await.unwrap();
    store.admit(notification(2, "lane", vec![resolved("HighCPU", 0, 2), firing("Other", 2)])).await.unwrap();
    let end = wish(store, 3, 0, Some(bytes(&["text"]))).await;
    assert_eq!(store.claim(end.clone(), at(3)).await.unwrap(), Taken::Behind);
    let other = take(store, wish(store, 2, 0, Some(bytes(&["text"]))).await, at(3)).await;
    store.settle(settlement(other, "accepted", Next::Accepted), at(3)).await.unwrap();
    send(store, "lane", 9).await;
    take(store, end, at(9)).await;
}

async fn a_message_that_changed_since_it_was_written_is_not_sent(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0), firing("DiskFull", 0)])).await.unwrap();
    let written = wish(store, 1, 0, Some(bytes(&["both are on"]))).await;
    store.admit(notification(1, "lane", vec![resolved("HighCPU", 0, 1)])).await.unwrap();
    assert!(matches!(store.claim(written, at(1)).await, Err(StoreError::Lost { .. })));
    assert_eq!(head(store, "lane", at(1)).await.unwrap().transitions.len(), 1);
}

/// A beginning and an end that both wait are told by one message.
async fn pending_transitions_of_an_alert_are_told_by_its_newest_message(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![firing("DiskFull", 1)])).await.unwrap();
    store.admit(notification(2, "lane", vec![resolved("HighCPU", 0, 2)])).await.unwrap();
    assert_eq!(send(store, "lane", 3).await, 2, "the first message was folded into the third");
    let merged = head(store, "lane", at(3)).await.unwrap();
    let kinds: Vec<_> = merged.transitions.iter().map(|moved| moved.kind).collect();
    assert_eq!(kinds, [TransitionKind::Firing, TransitionKind::Resolved]);
    assert_ne!(merged.transitions[0].notification, merged.transitions[1].notification);
    send(store, "lane", 3).await;
    let first = store.delivery(1).await.unwrap().unwrap();
    assert_eq!((first.row.state, first.row.folded_into), (State::Folded, Some(3)));
    assert_eq!(store.audit().await.unwrap(), Audit { named: 3, ..Audit::default() });
}

async fn claim_refuses_to_send_nothing(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    for freeze in [None, Some(bytes(&[]))] {
        let wish = wish(store, 1, 0, freeze).await;
        assert!(matches!(store.claim(wish, at(0)).await, Err(StoreError::Bug { .. })));
    }
    assert_eq!(head(store, "lane", at(0)).await.unwrap().epoch, 0);
}

async fn settle_of_a_stale_claim_touches_nothing(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let stale = claim(store, "lane", 0, "text").await;
    store.settle(settlement(stale, "unsure", Next::UnsureAt(at(0))), at(0)).await.unwrap();
    let newer = claim(store, "lane", 1, "text").await;
    let before = store.delivery(stale.message).await.unwrap();
    let dead = || Next::Dead { reason: "refused".to_owned() };
    assert!(matches!(store.settle(settlement(stale, "refused", dead()), at(2)).await, Err(StoreError::Lost { .. })));
    assert_eq!(store.delivery(stale.message).await.unwrap(), before);
    store.settle(settlement(newer, "accepted", Next::Accepted), at(3)).await.unwrap();
    assert!(matches!(store.settle(settlement(newer, "refused", dead()), at(4)).await, Err(StoreError::Lost { .. })));
    assert_eq!(store.delivery(newer.message).await.unwrap().unwrap().row.state, State::Sent);
}

async fn settle_sends_part_after_part_and_goes_on_with_the_next_after_a_restart(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let wish = wish(store, 1, 0, Some(bytes(&["one", "two", "three"]))).await;
    let first = take(store, wish, at(0)).await;
    let state = store.settle(settlement(first, "accepted", Next::Accepted), at(0)).await.unwrap();
    assert_eq!(state, State::Queued);
    let second = claim(store, "lane", 0, "ignored").await;
    assert_eq!(second.part, 1);
    abandon(store, "lane").await;
    let head = head(store, "lane", at(0)).await.unwrap();
    assert_eq!((head.state, head.frozen.unwrap().next_part), (State::Unsure, 1));
    for part in [1, 2] {
        let claimed = claim(store, "lane", 0, "ignored").await;
        assert_eq!(claimed.part, part);
        let state = store.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
        assert_eq!(state, if part == 2 { State::Sent } else { State::Queued });
    }
    let detail = store.delivery(1).await.unwrap().unwrap();
    assert_eq!((detail.row.next_part, detail.row.parts, detail.transitions[0].fate), (3, 3, Fate::Named));
}

async fn settle_retries_at_the_time_given_and_no_later_than_the_longest_wait(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 0, "text").await;
    store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(30))), at(0)).await.unwrap();
    assert!(head(store, "lane", at(30).plus_millis(-1)).await.is_none());
    let claimed = claim(store, "lane", 30, "text").await;
    store.settle(settlement(claimed, "not_sent", Next::RetryAt(Timestamp(i64::MAX))), at(30)).await.unwrap();
    let longest = at(30).plus_millis(LONGEST_WAIT_MS);
    assert_eq!(store.lanes(at(30)).await.unwrap()[0].due_at, longest);
    assert!(head(store, "lane", longest).await.is_some());
}

async fn settle_names_or_counts_as_the_bytes_say(store: &Store) {
    let names = ["one", "two", "three"];
    store.admit(notification(0, "lane", names.map(|name| firing(name, 0)).to_vec())).await.unwrap();
    let ids: Vec<_> = head(store, "lane", at(0)).await.unwrap().transitions.iter().map(|moved| moved.id).collect();
    let freeze = |counted: &[i64]| Some(Freeze { naming: Naming::AllBut(counted.to_vec()), ..bytes(&["text"]) });
    let first = take(store, wish(store, 1, 0, freeze(&ids[..1])).await, at(0)).await;
    store.settle(settlement(first, "refused", Next::RetryAt(at(0))), at(0)).await.unwrap();
    // The bytes that are accepted decide, not those that were rejected before.
    let second = take(store, wish(store, 1, 1, freeze(&ids[1..])).await, at(0)).await;
    store.settle(settlement(second, "accepted", Next::Accepted), at(0)).await.unwrap();
    let fates: Vec<_> = store.delivery(1).await.unwrap().unwrap().transitions.iter().map(|row| row.fate).collect();
    assert_eq!(fates, [Fate::Named, Fate::Counted, Fate::Counted]);
}

async fn settle_of_a_rejection_makes_the_message_and_its_transitions_dead(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![firing("DiskFull", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 1, "text").await;
    let refused = Settlement {
        claimed,
        outcome: Outcome {
            class: "refused",
            errcode: Some(40_008),
            errmsg: Some("类型".to_owned()),
            ..Outcome::default()
        },
        next: Next::Dead { reason: "refused:40008".to_owned() },
        fallback: None,
        breakers: Vec::new(),
        spends: None,
        pictured: false,
    };
    assert_eq!(store.settle(refused, at(2)).await.unwrap(), State::Dead);
    let detail = store.delivery(claimed.message).await.unwrap().unwrap();
    assert_eq!(
        (detail.row.settled_at, detail.row.errcode, detail.row.error.as_deref()),
        (Some(at(2)), Some(40_008), Some("类型"))
    );
    assert_eq!(
        (detail.transitions[0].fate, detail.transitions[0].reason.as_deref()),
        (Fate::Dead, Some("refused:40008"))
    );
    assert_eq!(head(store, "lane", at(2)).await.unwrap().message, 2, "the lane goes on");
}

async fn settle_keeps_the_answer_bounded(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 0, "text").await;
    let outcome =
        Outcome { class: "unsure", errmsg: Some(format!("x\0{}", "错".repeat(5_000))), ..Outcome::default() };
    store.settle(Settlement { outcome, ..settlement(claimed, "unsure", Next::UnsureAt(at(0))) }, at(0)).await.unwrap();
    let words = store.delivery(1).await.unwrap().unwrap().attempts[0].errmsg.clone().unwrap();
    assert!(words.starts_with("x␀错") && words.ends_with('错') && words.len() <= 1_010, "{} bytes", words.len());
}

async fn a_clock_set_back_holds_up_no_message(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 0, "text").await;
    store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(5))), at(0)).await.unwrap();
    let yesterday = at(-24 * 60);
    assert!(store.lanes(yesterday).await.unwrap()[0].due_at <= yesterday);
    assert!(head(store, "lane", yesterday).await.is_some());
}

async fn postpone_holds_a_message_without_an_attempt(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.postpone(1, 0, at(2), "the app `ops` is missing").await.unwrap();
    assert!(head(store, "lane", at(1)).await.is_none());
    let row = store.deliveries(DeliveryFilter::default()).await.unwrap().remove(0);
    assert_eq!((row.attempts, row.error.as_deref()), (0, Some("the app `ops` is missing")));
    let claimed = claim(store, "lane", 2, "text").await;
    // It changed since then: no effect.
    let _ = store.postpone(1, 0, at(9), "too late").await;
    assert_eq!(store.delivery(1).await.unwrap().unwrap().row.state, State::Sending);
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(2)).await.unwrap();
}

async fn acquire_makes_abandoned_sends_unsure_and_due(store: &Store) {
    store.admit(notification(0, "a", vec![firing("HighCPU", 0)])).await.unwrap();
    store.admit(notification(0, "b", vec![firing("DiskFull", 0)])).await.unwrap();
    let lost = claim(store, "a", 0, "text").await;
    let waits = claim(store, "b", 0, "text").await;
    store.settle(settlement(waits, "not_sent", Next::RetryAt(at(5))), at(0)).await.unwrap();
    abandon(store, "a").await;
    let first = head(store, "a", at(0)).await.unwrap();
    assert_eq!((first.message, first.state, first.epoch), (lost.message, State::Unsure, 1));
    assert_eq!(&first.frozen.unwrap().parts[0][..], b"text");
    assert!(head(store, "b", at(0)).await.is_none(), "what waits goes on waiting");
    assert!(matches!(
        store.settle(settlement(lost, "accepted", Next::Accepted), at(0)).await,
        Err(StoreError::Lost { .. })
    ));
}

async fn a_token_is_replaced_by_any_newer_version(store: &Store) {
    use secrecy::ExposeSecret as _;
    assert!(store.token("ops").await.unwrap().is_none());
    let first = store.save_token("ops", "first".into(), at(120), 1_000).await.unwrap();
    assert_eq!((first.token.expose_secret(), first.version, first.expires_at), ("first", 1_000, at(120)));
    let late = store.save_token("ops", "late".into(), at(121), 1_000).await.unwrap();
    assert_eq!((late.token.expose_secret(), late.version), ("first", 1_000), "the loser gets the winner's");
    // Versions are times: the next one is hours later.
    store.save_token("ops", "second".into(), at(240), 7_201_000).await.unwrap();
    let kept = store.token("ops").await.unwrap().unwrap();
    assert_eq!((kept.token.expose_secret(), kept.version), ("second", 7_201_000));
    let old = store.save_token("ops", "old".into(), at(120), 1_001).await.unwrap();
    assert_eq!(old.token.expose_secret(), "second");
    assert!(!format!("{kept:?}").contains("second"));
}

async fn the_link_key_is_made_once(store: &Store) {
    let key = store.link_key().await.unwrap();
    assert_eq!(key.len(), 32);
    assert_eq!(store.link_key().await.unwrap(), key);
}

async fn the_secret_of_links_is_replaced_and_the_one_before_kept(store: &Store) {
    let first = store.link_secrets().await.unwrap();
    assert_eq!(first.previous, None);
    let second = store.rotate_links(at(5)).await.unwrap();
    assert_eq!(second.previous, Some((first.current.clone(), at(5))));
    assert_ne!(second.current, first.current);
    assert_eq!(store.link_secrets().await.unwrap(), second);
    let third = store.rotate_links(at(9)).await.unwrap();
    assert_eq!(third.previous, Some((second.current, at(9))), "and the first is forgotten");
    assert_eq!(store.link_key().await.unwrap(), third.current);
}

async fn deliveries_filters_and_pages_newest_first(store: &Store) {
    for minute in 0..6 {
        let lane = if minute % 2 == 0 { "even" } else { "odd" };
        store.admit(notification(minute, lane, vec![firing(&format!("alert {minute}"), 0)])).await.unwrap();
    }
    let end = store.admit(notification(6, "even", vec![resolved("alert 0", 0, 6)])).await.unwrap();
    send(store, "odd", 7).await;
    let list = async |filter: DeliveryFilter| -> Vec<i64> {
        store.deliveries(filter).await.unwrap().iter().map(|row| row.message).collect()
    };
    let all = DeliveryFilter::default;
    assert_eq!(list(all()).await, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(list(DeliveryFilter { limit: 2, ..all() }).await, [7, 6]);
    assert_eq!(list(DeliveryFilter { limit: 2, before: Some(6), ..all() }).await, [5, 4]);
    assert_eq!(list(DeliveryFilter { since: Some(at(4)), ..all() }).await, [7, 6, 5]);
    assert_eq!(list(DeliveryFilter { lane: Some(LaneKey::stored("odd")), ..all() }).await, [6, 4, 2]);
    assert_eq!(list(DeliveryFilter { state: Some(State::Sent), ..all() }).await, [2]);
    assert_eq!(list(DeliveryFilter { receiver: Some("nobody".to_owned()), ..all() }).await, [] as [i64; 0]);
    assert_eq!(list(DeliveryFilter { thread: Some(ThreadId(1)), ..all() }).await, [7, 1], "one incident, one short id");
    assert_eq!(list(DeliveryFilter { message: Some(3), ..all() }).await, [3]);
    let row = store.deliveries(all()).await.unwrap().remove(0);
    // Its beginning had not been sent: the newest message tells both.
    assert_eq!((row.name.as_str(), row.firing, row.resolved, row.notification), ("alert 0", 1, 1, end.id));
}

async fn contents_shows_a_message_also_when_it_is_settled(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let message = send(store, "lane", 1).await;
    let contents = store.contents(message).await.unwrap().unwrap();
    assert_eq!((contents.receiver.as_str(), contents.thread, contents.transitions.len()), ("ops", ThreadId(1), 1));
    assert_eq!(contents.notification.received_at, at(0));
    assert!(store.contents(99).await.unwrap().is_none());
    assert!(store.delivery(99).await.unwrap().is_none());
}

async fn backlog_counts_what_is_live(store: &Store) {
    assert_eq!(store.backlog().await.unwrap(), Backlog::default());
    for minute in 0..3 {
        store.admit(notification(minute, "lane", vec![firing(&minute.to_string(), 0)])).await.unwrap();
    }
    send(store, "lane", 3).await;
    let claimed = claim(store, "lane", 3, "text").await;
    store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(5))), at(3)).await.unwrap();
    assert_eq!(
        store.backlog().await.unwrap(),
        Backlog { messages: 2, retrying: 1, oldest: Some(at(1)), ..Backlog::default() }
    );
}

async fn marks_differ_after_each_change_that_people_see(store: &Store) {
    let mut before = store.marks(at(9)).await.unwrap();
    assert_eq!(before, Marks::default());
    let mut differ = async |what: &str, fields: fn(&Marks) -> Vec<i64>| {
        let after = store.marks(at(9)).await.unwrap();
        assert!(fields(&before) != fields(&after), "{what}: {before:?} {after:?}");
        before = after;
        assert_eq!(store.marks(at(9)).await.unwrap(), before);
    };
    store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    differ("admitted", |marks| vec![marks.transition, marks.message, marks.live]).await;
    send(store, "lane", 1).await;
    differ("sent", |marks| vec![marks.live, marks.settled]).await;
    store.change_breaker(broken("app/ops", "configuration", 1)).await.unwrap();
    differ("paused", |marks| vec![marks.paused]).await;
}

async fn news_are_read_behind_what_was_reached(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("A", 0)])).await.unwrap();
    store.admit(notification(1, "other", vec![firing("B", 1)])).await.unwrap();
    let news = store.news(Reached::default(), 10).await.unwrap();
    assert_eq!((news.transitions.len(), news.messages.len(), news.acts.len()), (2, 2, 0));
    assert_eq!(store.news(Reached::default(), 1).await.unwrap().messages, news.messages[..1]);
    let reached = Reached { transition: news.transitions[0].0, message: news.messages[1], act: 0 };
    let later = store.news(reached, 10).await.unwrap();
    assert_eq!((later.transitions, later.messages.len()), (news.transitions[1..].to_vec(), 0));
    assert_eq!(store.settled((T0, 0), 10).await.unwrap(), []);
    send(store, "lane", 3).await;
    send(store, "other", 3).await;
    let settled = store.settled((T0, 0), 10).await.unwrap();
    assert_eq!(settled, [(at(3), news.messages[0]), (at(3), news.messages[1])]);
    assert_eq!(store.settled(settled[0], 10).await.unwrap(), settled[1..]);
    assert_eq!(store.settled((T0, 0), 1).await.unwrap(), settled[..1]);
    let among = DeliveryFilter { among: news.messages[1..].to_vec(), ..DeliveryFilter::default() };
    assert_eq!(store.deliveries(among).await.unwrap().len(), 1);
    let among = ActFilter { among: vec![7], ..ActFilter::default() };
    assert_eq!(store.acts(among).await.unwrap().len(), 0);
}

async fn late_lanes_are_those_whose_oldest_message_waits_for_too_long(store: &Store) {
    store.admit(notification(0, "old", vec![firing("A", 0)])).await.unwrap();
    let critical = Arrival { critical: true, ..firing("B", 0) };
    store.admit(notification(5, "critical", vec![critical])).await.unwrap();
    store.admit(notification(6, "young", vec![firing("C", 0)])).await.unwrap();
    let late = async |oldest, critical| {
        let late = store.late_lanes(at(oldest), at(critical)).await.unwrap();
        late.into_iter().map(|lane| (lane.lane.to_string(), lane.messages, lane.error)).collect::<Vec<_>>()
    };
    let one = |lane: &str, error: &str| (lane.to_owned(), 1, error.to_owned());
    assert_eq!(late(0, 5).await, [], "as old as that is not older");
    assert_eq!(late(0, 6).await, [one("critical", "")]);
    assert_eq!(late(1, 0).await, [one("old", "")]);
    store.postpone(1, 0, at(60), "the file is gone").await.unwrap();
    assert_eq!(late(1, 6).await, [one("critical", ""), one("old", "the file is gone")]);
    send(store, "old", 60).await;
    assert_eq!(late(2, 0).await, []);
}

async fn ping_commits(store: &Store) {
    let before = store.counters().commits;
    store.ping().await.unwrap();
    assert_eq!(store.counters().commits, before + 1);
}

fn charged(account: &str) -> Vec<Way> {
    vec![Way { scopes: Vec::new(), charges: vec![Charge::new(Account::stored(account), Limit::WEBHOOK)] }]
}

async fn fold_leaves_what_the_kept_message_would_overtake(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let sent = send(store, "lane", 0).await;
    let older = store.resend(sent, "{}", at(1)).await.unwrap().unwrap();
    store.admit(notification(1, "lane", vec![firing("DiskFull", 1)])).await.unwrap();
    let kept = store.resend(sent, "{}", at(2)).await.unwrap().unwrap();
    let lease = store.acquire(&LaneKey::stored("lane")).await.unwrap().unwrap();
    assert_eq!(store.fold(&lease, Some(kept), at(2)).await.unwrap(), None, "the digest would be younger than {kept}");
    store.admit(notification(2, "lane", vec![firing("NetDown", 2)])).await.unwrap();
    let folded = store.fold(&lease, Some(kept), at(2)).await.unwrap().unwrap();
    assert_eq!(folded.messages, 2);
    let waiting = store.waiting(&LaneKey::stored("lane"), at(2)).await.unwrap().messages;
    assert_eq!(waiting.iter().map(|message| message.message).collect::<Vec<_>>(), [older, kept, folded.digest]);
}

async fn claim_waits_no_longer_than_the_window_after_a_clock_set_back(store: &Store) {
    let day = 24 * 60;
    let mut alert = 0;
    let mut now = at(day);
    let until = loop {
        store.admit(notification(0, "lane", vec![firing(&alert.to_string(), 0)])).await.unwrap();
        alert += 1;
        let queued = head(store, "lane", now).await.unwrap();
        let wish = Claim { ways: charged("hook"), ..wish(store, queued.message, 0, Some(bytes(&["text"]))).await };
        match store.claim(wish, now).await.unwrap() {
            Taken::Claimed(claimed) => {
                store.settle(settlement(claimed, "accepted", Next::Accepted), now).await.unwrap();
            }
            // The first time after the clock was set back; when the messages were sent is unknown.
            Taken::Wait { .. } if now == at(day) => now = at(0),
            Taken::Wait { until, .. } => break until,
            Taken::Behind => panic!("nothing is older"),
        }
    };
    assert!(until <= at(0).plus_millis(73_000), "{until:?}");
    let queued = head(store, "lane", until).await.unwrap();
    let wish = Claim { ways: charged("hook"), ..wish(store, queued.message, 0, Some(bytes(&["text"]))).await };
    take(store, wish, until).await;
}

async fn claim_spends_and_waits_when_the_budget_is_spent(store: &Store) {
    for alert in 0..20 {
        store.admit(notification(0, "lane", vec![firing(&alert.to_string(), 0)])).await.unwrap();
    }
    let mut sent = 0;
    let until = loop {
        let queued = head(store, "lane", at(0)).await.unwrap();
        let wish = Claim { ways: charged("hook"), ..wish(store, queued.message, 0, Some(bytes(&["text"]))).await };
        match store.claim(wish, at(0)).await.unwrap() {
            Taken::Claimed(claimed) => {
                store.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
                sent += 1;
            }
            Taken::Wait { until, breaker: None } => break until,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sent, 13, "the rest is reserved for what is urgent");
    let queued = head(store, "lane", at(0)).await.unwrap();
    assert_eq!((queued.epoch, queued.frozen.is_none()), (0, true), "waiting leaves no attempt");
    let wish = Claim { ways: charged("hook"), ..wish(store, queued.message, 0, Some(bytes(&["text"]))).await };
    take(store, wish, until).await;
}

async fn claim_takes_the_first_way_with_room(store: &Store) {
    let mut ways = Vec::new();
    for alert in 0..16 {
        store.admit(notification(0, "lane", vec![firing(&alert.to_string(), 0)])).await.unwrap();
        let pool = [charged("one"), charged("two")].concat();
        let queued = head(store, "lane", at(0)).await.unwrap();
        let wish = Claim { ways: pool, ..wish(store, queued.message, 0, Some(bytes(&["text"]))).await };
        let claimed = take(store, wish, at(0)).await;
        ways.push(claimed.way);
        store.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
    }
    assert_eq!(ways, [[0; 13].as_slice(), &[1; 3]].concat());
}

fn broken(scope: &str, reason: &str, probe: i64) -> BreakerChange {
    BreakerChange::Open(Breaker {
        scope: Scope::stored(scope),
        reason: reason.to_owned(),
        errcode: Some(60_020),
        error: "来源 IP 不可信".to_owned(),
        opened_at: at(0),
        probe_at: at(probe),
        failures: 1,
    })
}

async fn claim_waits_for_an_open_breaker_and_lets_one_message_probe(store: &Store) {
    for alert in ["one", "two"] {
        store.admit(notification(0, alert, vec![firing(alert, 0)])).await.unwrap();
    }
    store.change_breaker(broken("app/ops", "configuration", 1)).await.unwrap();
    let by = |wish| Claim { ways: vec![Way { scopes: vec![Scope::stored("app/ops")], charges: Vec::new() }], ..wish };
    let first = by(wish(store, 1, 0, Some(bytes(&["text"]))).await);
    let second = by(wish(store, 2, 0, Some(bytes(&["text"]))).await);
    let waits = Taken::Wait { until: at(1), breaker: Some(Scope::stored("app/ops")) };
    assert_eq!(store.claim(first.clone(), at(0)).await.unwrap(), waits);
    let probe = take(store, first, at(1)).await;
    assert!(probe.probing);
    let Taken::Wait { until, .. } = store.claim(second.clone(), at(1)).await.unwrap() else { panic!("two probe") };
    assert_eq!(until, at(1).plus_millis(PROBE_MS));
    let mut settled = settlement(probe, "accepted", Next::Accepted);
    settled.breakers = vec![BreakerChange::Close(Scope::stored("app/ops"))];
    store.settle(settled, at(1)).await.unwrap();
    assert!(store.breakers().await.unwrap().is_empty());
    assert!(!take(store, second, at(1)).await.probing);
    // Messages do not probe an outage.
    store.change_breaker(broken("app/ops", OUTAGE, 1)).await.unwrap();
    store.change_breaker(broken("app/ops", OUTAGE, 2)).await.unwrap();
    assert_eq!(store.breakers().await.unwrap()[0].failures, 2);
    store.admit(notification(0, "three", vec![firing("three", 0)])).await.unwrap();
    let third = by(wish(store, 3, 0, Some(bytes(&["text"]))).await);
    assert!(matches!(store.claim(third, at(30)).await.unwrap(), Taken::Wait { .. }));
}

async fn a_person_has_a_paused_way_tried_once_and_the_trail_names_who(store: &Store) {
    store.admit(notification(0, "one", vec![firing("one", 0)])).await.unwrap();
    let scope = Scope::stored("app/ops");
    store.change_breaker(broken("app/ops", "configuration", 5)).await.unwrap();
    let asks = async |minute: i64, scope: &Scope| {
        let step = Step {
            at: at(minute),
            person: "wangwu".to_owned(),
            what: "probe".to_owned(),
            way: scope.to_string(),
            address: "192.0.2.7".to_owned(),
        };
        store.probe(scope.clone(), step).await.unwrap()
    };
    let wish = wish(store, 1, 0, Some(bytes(&["text"]))).await;
    let wish = Claim { ways: vec![Way { scopes: vec![scope.clone()], charges: Vec::new() }], ..wish };
    assert!(matches!(store.claim(wish.clone(), at(1)).await.unwrap(), Taken::Wait { .. }));
    assert_eq!(asks(1, &Scope::stored("app/none")).await, Err(Unprobed::Open));
    assert_eq!(asks(1, &scope).await, Ok(()));
    assert_eq!(asks(1, &scope).await, Err(Unprobed::Soon), "once");
    let open = store.breakers().await.unwrap().remove(0);
    assert_eq!((open.probe_at, open.failures, open.opened_at), (at(1), 1, at(0)), "no failed probe is counted");
    assert!(take(store, wish, at(1)).await.probing);
    assert_eq!(asks(1, &scope).await, Err(Unprobed::Soon), "it is being tried");
    let trail = store.trail(10).await.unwrap();
    let steps: Vec<_> =
        trail.iter().map(|step| (step.person.as_str(), step.what.as_str(), step.way.as_str())).collect();
    assert_eq!(steps, [("wangwu", "probe", "app/ops")]);
}

async fn fold(store: &Store, lane: &str, keep: Option<i64>, minute: i64) -> Option<Folded> {
    let lease = store.acquire(&LaneKey::stored(lane)).await.unwrap().unwrap();
    store.fold(&lease, keep, at(minute)).await.unwrap()
}

async fn fold_makes_one_digest_of_what_was_never_claimed(store: &Store) {
    for alert in 0..10 {
        let mut admission = notification(alert, "lane", vec![firing(&format!("rule {}", alert % 2), alert)]);
        admission.deliveries[0].alerts[0].identity = Identity([u8::try_from(alert).unwrap(); 32]);
        admission.deliveries[0].alerts[0].critical = alert == 7;
        store.admit(admission).await.unwrap();
    }
    assert_eq!(store.waiting(&LaneKey::stored("lane"), at(10)).await.unwrap().fresh, 10);
    let folded = fold(store, "lane", Some(8), 10).await.unwrap();
    assert_eq!((folded.digest, folded.messages), (11, 9));
    let waiting = store.waiting(&LaneKey::stored("lane"), at(10)).await.unwrap().messages;
    let facts: Vec<_> = waiting.iter().map(|m| (m.message, m.digest, m.critical, m.created_at)).collect();
    assert_eq!(facts, [(8, false, true, at(7)), (11, true, false, at(0))]);
    let digest = store.digest(11).await.unwrap();
    assert_eq!((digest.firing, digest.resolved, digest.transitions), (9, 0, 9));
    assert_eq!((digest.from, digest.to), (at(0), at(9)));
    assert_eq!(digest.groups.iter().map(|group| group.firing).collect::<Vec<_>>(), [5, 4]);
    assert!(fold(store, "lane", Some(8), 10).await.is_none(), "one message is not folded");
    let page = store.digest_page(11, 2, 3).await.unwrap();
    assert_eq!(page.len(), 3);
    let mut after = DigestKey::start();
    let mut seen = Vec::new();
    loop {
        let page = store.digest_after(11, after.clone(), 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = DigestKey::of(last);
        seen.extend(page.iter().map(|item| item.name.clone()));
    }
    assert_eq!(seen, [vec!["rule 0"; 5], vec!["rule 1"; 4]].concat());
}

async fn fold_takes_up_what_comes_later_and_leaves_what_must_wait(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 0, "text").await;
    store.settle(settlement(claimed, "unsure", Next::UnsureAt(at(5))), at(0)).await.unwrap();
    store.admit(notification(1, "lane", vec![resolved("HighCPU", 0, 1)])).await.unwrap();
    for alert in ["a", "b"] {
        store.admit(notification(1, "lane", vec![firing(alert, 1)])).await.unwrap();
    }
    let folded = fold(store, "lane", None, 2).await.unwrap();
    assert_eq!(folded.messages, 2, "the end of what is unsure stays by itself");
    store.admit(notification(2, "lane", vec![resolved("a", 1, 2)])).await.unwrap();
    let again = fold(store, "lane", None, 3).await.unwrap();
    assert_eq!((again.digest, again.messages), (folded.digest, 1));
    let digest = store.digest(folded.digest).await.unwrap();
    assert_eq!((digest.firing, digest.resolved, digest.transitions), (1, 1, 3));
    assert_eq!(
        digest.items.iter().map(|item| (item.name.as_str(), item.changes)).collect::<Vec<_>>(),
        [("b", 1), ("a", 2)]
    );
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 5, ..Audit::default() });
}

async fn a_digest_names_some_and_counts_the_rest(store: &Store) {
    for alert in ["a", "b", "c"] {
        store.admit(notification(0, "lane", vec![firing(alert, 0)])).await.unwrap();
    }
    let folded = fold(store, "lane", None, 0).await.unwrap();
    let named = store.digest(folded.digest).await.unwrap().items[1].alert;
    let freeze = Freeze { naming: Naming::OnlyAlerts(vec![named]), ..bytes(&["digest"]) };
    let queued = store.queued(folded.digest).await.unwrap().unwrap();
    assert!(queued.digest && queued.transitions.is_empty());
    let claimed = take(store, wish(store, folded.digest, 0, Some(freeze)).await, at(0)).await;
    store.settle(settlement(claimed, "accepted", Next::Accepted), at(0)).await.unwrap();
    assert_eq!(store.audit().await.unwrap(), Audit { named: 1, counted: 2, ..Audit::default() });
    let folded = store.delivery(1).await.unwrap().unwrap();
    assert_eq!((folded.row.state, folded.row.folded_into), (State::Folded, Some(4)));
}

async fn bytes_given_at_admission_go_out_as_they_are_and_are_never_folded(store: &Store) {
    let given = Freeze { face: "given".to_owned(), ..bytes(&["one", "two"]) };
    let mut admission = notification(0, "lane", vec![resolved("picture", 0, 0)]);
    admission.deliveries[0].targets[0].given = Some(given.clone());
    store.admit(admission).await.unwrap();
    for alert in ["a", "b"] {
        store.admit(notification(1, "lane", vec![firing(alert, 1)])).await.unwrap();
    }
    let folded = fold(store, "lane", None, 2).await.unwrap();
    assert_eq!(folded.messages, 2, "what has its bytes stays by itself");
    let waiting = store.waiting(&LaneKey::stored("lane"), at(2)).await.unwrap();
    let fresh: Vec<_> = waiting.messages.iter().map(|message| (message.message, message.fresh)).collect();
    assert_eq!(fresh, [(1, false), (folded.digest, true)]);
    let queued = store.queued(1).await.unwrap().unwrap();
    let frozen = queued.frozen.expect("it has bytes before it is claimed");
    assert_eq!((frozen.version, frozen.face.as_str(), frozen.next_part), (1, "given", 0));
    assert_eq!(frozen.parts, given.parts);
    for part in 0..2 {
        let claimed = claim(store, "lane", 2, "not used").await;
        assert_eq!((claimed.message, claimed.version, claimed.part), (1, 1, part));
        store.settle(settlement(claimed, "accepted", Next::Accepted), at(2)).await.unwrap();
    }
    assert_eq!(store.audit().await.unwrap(), Audit { named: 1, pending: 2, ..Audit::default() });
}

async fn a_fallback_is_queued_with_the_refusal_once_for_all_targets(store: &Store) {
    let mut admission = notification(0, "one", vec![firing("HighCPU", 0)]);
    admission.deliveries[0].targets.push(TargetRow::new(LaneKey::stored("two"), "{}".to_owned()));
    store.admit(admission).await.unwrap();
    let fallback = Fallback {
        receiver: "backup".to_owned(),
        note_json: r#"{"why":"refused"}"#.to_owned(),
        targets: vec![TargetRow::new(LaneKey::stored("mail"), r#"{"to":"mail"}"#.to_owned())],
    };
    for lane in ["one", "two"] {
        let claimed = claim(store, lane, 0, "text").await;
        let mut refused = settlement(claimed, "refused", Next::Dead { reason: "refused:81013".to_owned() });
        refused.fallback = Some(fallback.clone());
        store.settle(refused, at(1)).await.unwrap();
    }
    assert_eq!(store.audit().await.unwrap(), Audit { dead: 2, pending: 1, ..Audit::default() });
    let instead = head(store, "mail", at(1)).await.unwrap();
    assert_eq!((instead.receiver.as_str(), instead.target_json.as_str()), ("backup", r#"{"to":"mail"}"#));
    assert_eq!(instead.note_json.as_deref(), Some(r#"{"why":"refused"}"#));
    assert_eq!(instead.transitions.len(), 1);
    assert_eq!(store.delivery(instead.message).await.unwrap().unwrap().row.origin, Some(1));
    send(store, "mail", 2).await;
    assert_eq!(store.audit().await.unwrap(), Audit { dead: 2, named: 1, ..Audit::default() });
}

async fn a_resend_is_a_message_of_its_own(store: &Store) {
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    let first = send(store, "lane", 0).await;
    assert!(store.resend(99, "{}", at(1)).await.unwrap().is_none());
    let again = store.resend(first, r#""resent""#, at(1)).await.unwrap().unwrap();
    let queued = store.queued(again).await.unwrap().unwrap();
    assert_eq!((queued.transitions.len(), queued.note_json.as_deref()), (1, Some(r#""resent""#)));
    assert_eq!(send(store, "lane", 1).await, again);
    assert_eq!(store.delivery(again).await.unwrap().unwrap().row.origin, Some(first));
    assert_eq!(store.audit().await.unwrap(), Audit { named: 2, ..Audit::default() });
}

async fn the_record_is_found_by_person_errcode_label_and_time(store: &Store) {
    let mut odd = firing("HighCPU", 0);
    odd.labels_json = r#"{"alertname":"HighCPU","in.stance\"":"db-1"}"#.to_owned();
    store.admit(notification(0, "lane", vec![odd])).await.unwrap();
    let claimed = claim(store, "lane", 0, r#"{"touser":"daixuan|Zhang.San","msgtype":"text"}"#).await;
    let mut answered = settlement(claimed, "accepted_in_part", Next::Accepted);
    answered.outcome.errcode = Some(0);
    answered.outcome.invalid_json = Some(r#"{"users":["wangwu"]}"#.to_owned());
    store.settle(answered, at(0)).await.unwrap();
    store.admit(notification(5, "lane", vec![firing("DiskFull", 0)])).await.unwrap();
    let claimed = claim(store, "lane", 5, "no JSON, as a mail").await;
    store.settle(settlement(claimed, "not_sent", Next::RetryAt(at(9))), at(5)).await.unwrap();
    let found = async |filter: DeliveryFilter| {
        store.deliveries(filter).await.unwrap().iter().map(|row| row.message).collect::<Vec<_>>()
    };
    let all = DeliveryFilter::default;
    for person in ["daixuan", "zhang.san", "ZHANG.SAN", "wangwu"] {
        assert_eq!(found(DeliveryFilter { person: Some(person.into()), ..all() }).await, [1], "{person}");
    }
    for nobody in ["dai", "san", "touser", "%", "_aixuan"] {
        assert!(found(DeliveryFilter { person: Some(nobody.into()), ..all() }).await.is_empty(), "{nobody}");
    }
    assert_eq!(found(DeliveryFilter { errcode: Some(0), ..all() }).await, [1]);
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(found(DeliveryFilter { labels: vec![label("in.stance\"", "db-1")], ..all() }).await, [1]);
    let both = vec![label("in.stance\"", "db-1"), label("alertname", "DiskFull")];
    assert!(found(DeliveryFilter { labels: both, ..all() }).await.is_empty());
    assert_eq!(found(DeliveryFilter { until: Some(at(5)), ..all() }).await, [1]);
}

async fn the_record_is_found_whatever_characters_are_in_it(store: &Store) {
    let mut odd = firing("HighCPU", 0);
    r#"{"a\u0000b":"x\u0000y","escape":"\\u0000","错":"{\"a\":1}"}"#.clone_into(&mut odd.labels_json);
    store.admit(notification(0, "lane", vec![odd])).await.unwrap();
    let freeze = Freeze { parts: vec![Bytes::from_static(b"{\"touser\":\"\\u0000\xff")], ..bytes(&[""]) };
    take(store, wish(store, 1, 0, Some(freeze)).await, at(0)).await;
    let found = async |name: &str, value: &str| {
        let labels = vec![(name.to_owned(), value.to_owned())];
        store.deliveries(DeliveryFilter { labels, ..DeliveryFilter::default() }).await.unwrap().len()
    };
    for (name, value) in [("a␀b", "x␀y"), ("escape", r"\u0000"), ("错", r#"{"a":1}"#)] {
        assert_eq!(found(name, value).await, 1, "{name}");
    }
    assert_eq!((found("escape", "x").await, found("a", "x").await, found("b", "").await), (0, 0, 0));
    let person = DeliveryFilter { person: Some("zhang'san\"|%_".to_owned()), ..DeliveryFilter::default() };
    assert!(store.deliveries(person).await.unwrap().is_empty());
}

async fn many_alerts_of_one_notification_are_one_message(store: &Store) {
    const MANY: i64 = 3_000;
    let names: Vec<String> = (0..MANY).map(|number| format!("alert {number}")).collect();
    let all = |make: fn(&str) -> Arrival| names.iter().map(|name| make(name)).collect::<Vec<_>>();
    let on = store.admit(notification(0, "lane", all(|name| firing(name, 0)))).await.unwrap();
    assert_eq!((on.messages, on.transitions), (1, 3_000));
    let again = store.admit(notification(1, "lane", all(|name| firing(name, 0)))).await.unwrap();
    assert_eq!((again.duplicate, again.unchanged), (true, 3_000));
    // Half of them end before their beginning was told: the end tells both, the rest stays where it is.
    let half = all(|name| resolved(name, 0, 2)).into_iter().step_by(2).collect();
    let off = store.admit(notification(2, "lane", half)).await.unwrap();
    assert_eq!((off.messages, off.transitions), (1, 1_500));
    let waiting = store.waiting(&LaneKey::stored("lane"), at(2)).await.unwrap().messages;
    assert_eq!(waiting.len(), 2);
    assert_eq!(store.queued(waiting[0].message).await.unwrap().unwrap().transitions.len(), 1_500);
    assert_eq!(store.queued(waiting[1].message).await.unwrap().unwrap().transitions.len(), 3_000);
    assert_eq!(store.audit().await.unwrap().pending, 4_500);
}

async fn prune_forgets_what_is_old_and_nothing_that_lives(store: &Store) {
    let day = 24 * 60;
    store.admit(notification(0, "lane", vec![firing("gone", 0), firing("stays", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![resolved("gone", 0, 1)])).await.unwrap();
    send(store, "lane", 2).await;
    send(store, "lane", 2).await;
    store.admit(notification(3, "other", vec![firing("waits", 3)])).await.unwrap();
    let keep =
        Retention { raw_ms: 7 * day * MINUTE, record_ms: 30 * day * MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    assert!(store.prune(keep, at(6 * day)).await.unwrap().is_empty());
    let pruned = store.prune(keep, at(8 * day)).await.unwrap();
    assert_eq!((pruned.messages, pruned.bodies), (0, 2), "the third is still to be sent");
    assert!(!store.contents(1).await.unwrap().unwrap().transitions.is_empty());
    assert!(store.contents(1).await.unwrap().unwrap().notification.raw.is_empty());
    assert_eq!(
        head(store, "other", at(8 * day)).await.unwrap().notification.raw,
        Bytes::from_static(br#"{"alerts":[]}"#)
    );
    while !store.prune(keep, at(33 * day)).await.unwrap().is_empty() {}
    assert!(store.delivery(1).await.unwrap().is_none());
    assert!(store.delivery(3).await.unwrap().is_some());
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 1, ..Audit::default() });
    let again = store.admit(notification(34 * day, "lane", vec![firing("stays", 0)])).await.unwrap();
    assert_eq!(again.messages, 1, "what is on is known, and a repeat after so long reminds");
    send(store, "lane", 34 * day).await;
    let row = store.deliveries(DeliveryFilter::default()).await.unwrap().remove(0);
    assert_eq!(store.delivery(row.message).await.unwrap().unwrap().transitions[0].kind, TransitionKind::Reminder);
}

async fn prune_keeps_alerts_with_pending_transitions(store: &Store) {
    let day = 24 * 60;
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.admit(notification(1, "lane", vec![resolved("HighCPU", 0, 1)])).await.unwrap();
    let keep =
        Retention { raw_ms: 7 * day * MINUTE, record_ms: 30 * day * MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    while !store.prune(keep, at(40 * day)).await.unwrap().is_empty() {}
    assert_eq!(store.delivery(2).await.unwrap().unwrap().transitions.len(), 2, "the end waits with its beginning");
    send(store, "lane", 40 * day).await;
    while !store.prune(keep, at(71 * day)).await.unwrap().is_empty() {}
    assert_eq!(store.audit().await.unwrap(), Audit::default());
    let again = store.admit(notification(71 * day, "lane", vec![resolved("HighCPU", 0, 1)])).await.unwrap();
    assert_eq!(again.messages, 1, "it is forgotten in the end");
}

async fn heartbeats_and_firing_alerts_are_known(store: &Store) {
    assert!(store.heard().await.unwrap().is_empty());
    let alive =
        |minute, alerts| Admission { alive: Some("grafana".to_owned()), ..notification(minute, "quiet", alerts) };
    store.admit(alive(1, vec![firing("Watchdog", 0)])).await.unwrap();
    assert_eq!(store.heard().await.unwrap(), [("grafana".to_owned(), at(1))]);
    let again = store.admit(alive(2, vec![firing("Watchdog", 0)])).await.unwrap();
    assert!(again.duplicate, "nothing else of it is news");
    store.admit(Admission { alive: Some("prometheus".to_owned()), ..alive(1, Vec::new()) }).await.unwrap();
    let heard = [("grafana".to_owned(), at(2)), ("prometheus".to_owned(), at(1))];
    assert_eq!(store.heard().await.unwrap(), heard);
    store.admit(alive(3, vec![resolved("Watchdog", 0, 3)])).await.unwrap();
    store.admit(notification(0, "lane", vec![firing("on", 0), firing("over", 0)])).await.unwrap();
    let mut other = notification(1, "other", vec![firing("on", 0)]);
    "dba".clone_into(&mut other.deliveries[0].receiver);
    store.admit(other).await.unwrap();
    store.admit(notification(2, "lane", vec![resolved("over", 0, 2)])).await.unwrap();
    let on = store.firing(&SourceId::Configured("grafana".to_owned())).await.unwrap();
    assert_eq!(on.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(), ["on"]);
    assert!(store.firing(&SourceId::Wegraf).await.unwrap().is_empty());
    assert_eq!(store.last_from(&SourceId::Configured("grafana".to_owned())).await.unwrap(), Some(at(2)));
    assert_eq!(store.last_from(&SourceId::Wegraf).await.unwrap(), None);
    let labels = store.seen_labels(2).await.unwrap();
    assert!(labels.len() == 2 && labels.iter().all(|labels| labels.starts_with('{')), "{labels:?}");
}
