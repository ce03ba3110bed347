//! Distinguishes alerts with the same labels.

use serde::{Deserialize, Serialize};

/// What distinguishes two alerts of a source besides the labels; often empty. A rule id chosen by a sender never
/// becomes a key, which would make the labels not count: its end would then be that of other alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Discriminator(String);

/// Prefix of a key that the sender keeps from firing to resolved.
const KEY: &str = "key:";
/// Prefix of a digest of the alert's text.
const CONTENT: &str = "content:";
/// Prefix of a rule's id that starts like one of the others, or like this.
const RULE: &str = "rule:";

impl Discriminator {
    /// The id of the alert's rule, which the labels complete. Empty where there is none.
    pub fn rule(id: &str) -> Self {
        let like_another = [KEY, CONTENT, RULE].iter().any(|mark| id.starts_with(mark));
        Self(if like_another { format!("{RULE}{id}") } else { id.to_owned() })
    }

    /// A key that the sender keeps from firing to resolved, while labels may change (Alibaba Cloud's level is `OK` in
    /// the end): the labels do not count then. `mapping` is the name of the mapping that found it.
    pub fn key(mapping: &str, key: &str) -> Self {
        Self(format!("{KEY}{mapping}/{key}"))
    }

    /// The digest of the text of an alert without an identity: the same text is the same alert.
    pub fn content(digest: &str) -> Self {
        Self(format!("{CONTENT}{digest}"))
    }

    /// Does it identify the alert without its labels?
    pub fn is_key(&self) -> bool {
        self.0.starts_with(KEY)
    }

    /// The id of the rule; `None` for anything else.
    pub fn rule_id(&self) -> Option<&str> {
        let other = self.0.is_empty() || self.0.starts_with(KEY) || self.0.starts_with(CONTENT);
        (!other).then(|| self.0.strip_prefix(RULE).unwrap_or(&self.0))
    }

    /// The text that identities are computed from.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_texts_in_stored_notifications_stay_as_they_are() {
        let known = [
            (Discriminator::default(), ""),
            (Discriminator::rule("dsk4fullprod"), "dsk4fullprod"),
            (Discriminator::rule("3/37@grafana.example.com:3000"), "3/37@grafana.example.com:3000"),
            (Discriminator::key("jobs", "cron-1/7"), "key:jobs/cron-1/7"),
            (Discriminator::content("00ff"), "content:00ff"),
        ];
        for (made, text) in known {
            assert_eq!(made.as_str(), text);
            assert_eq!(serde_json::to_string(&made).unwrap(), format!("\"{text}\""));
        }
    }

    proptest! {
        #[test]
        fn no_id_of_a_rule_is_a_key(id in "(key:|content:|rule:|[a-z/]){0,4}", other in "(key:|content:|rule:|[a-z/]){0,4}") {
            let made = Discriminator::rule(&id);
            prop_assert!(!made.is_key());
            prop_assert_eq!(made.rule_id().unwrap_or_default(), &id);
            prop_assert_eq!(made == Discriminator::rule(&other), id == other);
            prop_assert_ne!(&made, &Discriminator::key(&id, &other));
            prop_assert_ne!(&made, &Discriminator::content(&other));
        }
    }
}
