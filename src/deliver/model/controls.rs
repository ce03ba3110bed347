//! Controls: the laws are worth something only if each mistake breaks one of them.

use super::{LONGEST, Mutant, Stage, explore};

/// Sequences within which a mistake must show.
const SEQUENCES: u32 = 300;

/// The mistake breaks one of these laws.
fn finds(mutant: Mutant, laws: &[&str]) {
    let (figures, result) = explore(&Stage::Memory(mutant), SEQUENCES, LONGEST, 1, 0);
    let broken = result.expect_err("no law was broken");
    let words: String = broken.lines().next().unwrap_or_default().chars().take(200).collect();
    println!("model: {mutant:?} was found after {} steps: {words}", figures.steps);
    assert!(laws.iter().any(|law| broken.contains(law)), "{broken}");
}

#[test]
fn an_answer_before_the_commit_is_found() {
    finds(Mutant::AckBeforeCommit, &["L1:", "news:"]);
}

#[test]
fn a_repetition_that_is_told_is_found() {
    finds(Mutant::TwinsAreNews, &["news:"]);
}

#[test]
fn settling_before_sending_is_found() {
    finds(Mutant::SettleBeforeSend, &["L2:"]);
}

#[test]
fn an_outcome_that_is_lost_is_found() {
    finds(Mutant::SettleIsLost, &["L6:"]);
}

#[test]
fn a_refusal_that_is_taken_for_sent_is_found() {
    finds(Mutant::RefusedIsSent, &["L2:", "L8:"]);
}

#[test]
fn an_abandoned_message_without_recovery_is_found() {
    finds(Mutant::AbandonedIsForgotten, &["rest:", "L2:"]);
}

#[test]
fn overtaking_is_found() {
    finds(Mutant::IgnoreBehind, &["L4:", "L6:"]);
}

#[test]
fn sending_without_a_debit_is_found() {
    finds(Mutant::NoDebit, &["L5:"]);
}

#[test]
fn folding_what_was_claimed_is_found() {
    finds(Mutant::FoldClaimed, &["L4:", "L6:"]);
}

#[test]
fn a_digest_that_misses_an_alert_is_found() {
    finds(Mutant::DigestLeavesOut, &["L10:"]);
}

#[test]
fn other_bytes_than_are_kept_are_found() {
    finds(Mutant::BytesChange, &["L9:"]);
}

#[test]
fn a_copy_that_nothing_explains_is_found() {
    finds(Mutant::SendTwice, &["L6:"]);
}

#[test]
fn a_record_that_changes_is_found() {
    finds(Mutant::RecordChanges, &["L7:"]);
}

#[test]
fn a_critical_message_that_is_overlooked_is_found() {
    finds(Mutant::CriticalUnseen, &["W1:"]);
}

#[test]
fn a_worker_that_writes_without_its_lane_is_found() {
    finds(Mutant::NoFence, &["L2:"]);
}

#[test]
fn a_press_that_acts_each_time_it_comes_is_found() {
    finds(Mutant::PressesAreNew, &["A1:"]);
}

#[test]
fn a_step_for_an_alert_that_a_person_has_is_found() {
    finds(Mutant::EscalatesAcknowledged, &["A4:"]);
}

#[test]
fn an_end_that_those_of_a_step_do_not_hear_is_found() {
    finds(Mutant::StepsEndUntold, &["A5:"]);
}

#[test]
fn an_acknowledgement_that_a_later_receiver_does_not_hear_is_found() {
    finds(Mutant::OwnerUnheard, &["A6:"]);
}

#[test]
fn a_content_that_its_fallback_is_told_twice_is_found() {
    finds(Mutant::FallbackForEachTarget, &["L11:"]);
}

#[test]
fn a_code_that_is_used_twice_is_found() {
    finds(Mutant::CodeUsedTwice, &["A3:"]);
}

#[test]
fn a_card_that_shows_what_was_before_is_found() {
    finds(Mutant::CardLags, &["A3:"]);
}

#[test]
fn acts_that_hide_a_critical_alert_are_found() {
    finds(Mutant::ActsFirst, &["W1:"]);
}

#[test]
fn a_lost_lane_that_keeps_its_lease_is_found() {
    finds(Mutant::LostKeepsLease, &["rest:", "L2:"]);
}

#[test]
fn a_picture_that_does_not_wait_for_messages_is_found() {
    finds(Mutant::PicturesAreMessages, &["P1:"]);
}

#[test]
fn a_picture_that_comes_again_is_found() {
    finds(Mutant::PicturesComeAgain, &["P2:"]);
}

#[test]
fn a_picture_of_what_is_no_news_is_found() {
    finds(Mutant::PicturesOfAll, &["P2:"]);
}
