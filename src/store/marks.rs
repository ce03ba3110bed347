//! What changed since a reader last looked, by figures that indexes answer.

/// How far the record has come. Two readings differ if something changed between them that pages for people show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// The number of the newest transition.
    pub transition: i64,
    /// The number of the newest act.
    pub act: i64,
    /// How many acts have a step upstream that is not done.
    pub open_acts: i64,
    /// The number of the newest message.
    pub message: i64,
    /// How many messages are live.
    pub live: i64,
    /// When the last message was settled, in milliseconds.
    pub settled: i64,
    /// The ends of the silences in force, added up.
    pub silenced: i64,
    /// How many breakers are open.
    pub paused: i64,
}
