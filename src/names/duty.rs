//! Tasks that one replica does for all.

/// A task that one replica does for all while it holds the task's lease. Not a lane, although both are leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Making, ending and watching silences upstream.
    Silences,
    /// Writing the terms of messages.
    Terms,
    /// Counting the record for reports.
    Tally,
}

impl Duty {
    /// The name of its lease in the store; no lane has this name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silences => "answer/silences",
            Self::Terms => "watch/terms",
            Self::Tally => "watch/tally",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Lane, LaneKey};

    #[test]
    fn the_lease_of_a_duty_is_that_of_no_lane() {
        for duty in [Duty::Silences, Duty::Terms, Duty::Tally] {
            let text = duty.as_str();
            assert_eq!(LaneKey::stored(text).parse(), Lane::Other(text));
        }
    }
}
