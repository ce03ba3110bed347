//! The name of a card, by which a press finds its message.
//!
//! WeCom calls it `task_id`.

use crate::alert::Timestamp;

/// Prefix of each name: other programs may use the same app.
const PREFIX: &str = "wegraf";

/// The `task_id` of the card that is message `message`. It also contains the time of queueing: message ids restart with
/// a new database, and WeCom accepts each name only once (docs/reference/wecom.md#task-ids).
pub fn of(message: i64, created_at: Timestamp) -> String {
    format!("{PREFIX}-{message}-{}", created_at.0)
}

/// The message of a `task_id`, and when it was queued; `None` if it is not one of ours.
pub fn message(task_id: &str) -> Option<(i64, Timestamp)> {
    let (message, created_at) = task_id.strip_prefix(PREFIX)?.strip_prefix('-')?.split_once('-')?;
    Some((message.parse().ok()?, Timestamp(created_at.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_message_and_wecom_takes_it() {
        let name = of(i64::MAX, Timestamp(1_700_000_000_000));
        assert_eq!(message(&name), Some((i64::MAX, Timestamp(1_700_000_000_000))));
        assert!(wecom::message::is_task_id(&name));
        for other in ["", "wegraf", "wegraf-", "wegraf-1", "wegraf-x-1", "alert_9f2c", "other-1-2", "wegraf-1-"] {
            assert_eq!(message(other), None, "{other}");
        }
    }
}
